import type { MessageAnswer } from "#ports/bot";
import { eventIdOf } from "./inbound.ts";
import type { Ear, Notes } from "./notes.ts";

type Accepted = Extract<MessageAnswer, { readonly status: "accepted" }>;

interface Line {
  readonly ear: Ear;
  readonly conversationKey: string;
  /** The message that says so. */
  readonly note: Promise<string | undefined>;
}

/** Says of messages that they wait, and takes it back when their turn has come. */
export class Waiting {
  readonly #notes: Notes;
  readonly #lines = new Map<string, Line>();

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  begin(message: { readonly eventId: string; readonly ear: Ear; readonly answer: Accepted }): void {
    const { eventId, ear, answer } = message;
    const { conversationKey, position, waitingFor } = answer;
    const note = waitingFor
      ? this.#notes.waitingFor(ear, waitingFor)
      : this.#notes.line(ear, queuedWords(position));
    this.#lines.set(eventId, { ear, conversationKey, note });
  }

  /** Lines have moved: who is answered now waits no longer. */
  moved(conversationKey: string, waiting: readonly { readonly eventId: string }[]): void {
    for (const [eventId, line] of this.#lines) {
      if (line.conversationKey !== conversationKey) continue;
      if (!waiting.some((one) => one.eventId === eventId)) void this.#end(eventId);
    }
  }

  /** The message itself is gone. */
  async gone(messageId: string): Promise<void> {
    await this.#end(eventIdOf(messageId));
  }

  async #end(eventId: string): Promise<void> {
    const line = this.#lines.get(eventId);
    if (!line) return;
    this.#lines.delete(eventId);
    const note = await line.note;
    if (note !== undefined) await this.#notes.takeBack(line.ear.channel, note);
  }
}

function queuedWords(position: number): string {
  return position === 1
    ? "I am answering something else here; this is next."
    : `I am answering something else here; ${position} messages are before this one.`;
}
