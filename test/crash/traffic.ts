import { expect } from "vitest";
import type { IncomingMessage } from "#domain/message";
import { placeOf } from "../fakes/test-world.ts";
import type { BotCalls } from "./outside.ts";
import type { OutsideWorld } from "./outside-world.ts";

/** Somebody with so many unanswered messages waits before the next. */
const patience = 4;
/** Every so many-th delivery is made twice at once. */
const doubled = 0.2;

/** A small generator of numbers in [0, 1), so that a failing run can be repeated by its seed. */
export function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

export function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined));
}

const words = (count: number, word: string) =>
  Array.from({ length: count }, (_, index) => `${word}${index} `).join("");

function isBeginningOf(text: string, whole: string): boolean {
  return text !== "" && whole.startsWith(text);
}

function expectedAnswer(text: string): string {
  const [what, n] = text.split(" ");
  if (what === "long") return words(40, `${n}-`);
  if (what === "count_up") return `${words(5, "after")}counted`;
  return `You said ${text}.`;
}

/** People who write in several chat threads at once, until they are told to stop. */
export class Traffic {
  readonly sent: IncomingMessage[] = [];
  isPaused = false;
  readonly #world: OutsideWorld;
  readonly #receiver: () => BotCalls;
  readonly #random: () => number;
  readonly #kinds: readonly string[];
  readonly #thinkMs: number;
  readonly #acknowledged = new Set<string>();
  readonly #refusals: unknown[] = [];
  readonly #chats: Promise<void>[];
  #isOver = false;

  constructor(
    world: OutsideWorld,
    options: {
      readonly threads: readonly string[];
      /** Who hears the next delivery. */
      readonly receiver: () => BotCalls;
      readonly random: () => number;
      /** What is asked, each as often as it stands here: `hello`, `long`, `count_up`. */
      readonly kinds: readonly string[];
      /** The least time between two messages of a thread. */
      readonly thinkMs: number;
    },
  ) {
    this.#world = world;
    this.#receiver = options.receiver;
    this.#random = options.random;
    this.#kinds = options.kinds;
    this.#thinkMs = options.thinkMs;
    this.#chats = options.threads.map((thread) => this.#chat(thread));
  }

  /** Everything that was sent is acknowledged. */
  get isAcknowledged(): boolean {
    return this.sent.every(({ eventId }) => this.#acknowledged.has(eventId));
  }

  /** Nobody writes any more; resolves once the last message is acknowledged. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#chats);
  }

  /** One complete answer for each message, in order, in one platform message. */
  expectAnswered(threads: readonly string[]): void {
    expect(this.#refusals).toEqual([]);
    for (const thread of threads) {
      const asked = this.sent.filter(({ place }) => place.threadKey === placeOf(thread).threadKey);
      const shown = this.#world.screen.messages(placeOf(thread).threadKey);
      const runs = [...new Set(shown.map(({ runId }) => runId))];
      expect(runs, `replies in ${thread}`).toHaveLength(asked.length);
      for (const [index, message] of asked.entries()) {
        const reply = this.#world.screen.reply(runs[index] ?? "");
        expect(reply.view?.status, `${message.text}: ${reply.text}`).toBe("completed");
        expect(reply.text).toBe(expectedAnswer(message.text));
        expect(reply.messageIds).toHaveLength(1);
      }
    }
  }

  /** What was sent and acknowledged so far. */
  acknowledged(): readonly IncomingMessage[] {
    return this.sent.filter(({ eventId }) => this.#acknowledged.has(eventId));
  }

  /** Each of these has one complete answer; of the others, no answer stands there twice. */
  expectAnsweredOnce(these: readonly IncomingMessage[]): void {
    for (const message of this.sent) {
      const shown = this.#world.screen.messages(message.place.threadKey).map(({ text }) => text);
      const answers = shown.filter((text) => isBeginningOf(text, expectedAnswer(message.text)));
      const whole = answers.filter((text) => text === expectedAnswer(message.text));
      expect(answers.length, `answers to ${message.text}`).toBeLessThanOrEqual(1);
      if (these.includes(message)) expect(whole, `answer to ${message.text}`).toHaveLength(1);
    }
  }

  /** How many of those that were acknowledged have no complete answer. */
  unanswered(): number {
    return this.acknowledged().filter((message) => {
      const shown = this.#world.screen.messages(message.place.threadKey);
      return !shown.some(({ text }) => text === expectedAnswer(message.text));
    }).length;
  }

  async #chat(thread: string): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const what = this.#kinds[Math.floor(this.#random() * this.#kinds.length)];
      const message = this.#world.message(`${what} ${thread}${n}`, thread);
      this.sent.push(message);
      await this.#deliver(message);
      await pause(this.#thinkMs * (1 + 5 * this.#random()));
      const hasToWait = () => this.isPaused || n + 1 - this.#world.endedRuns(thread) >= patience;
      while (!this.#isOver && hasToWait()) await pause(20);
    }
  }

  /** As a platform does: delivered again, sometimes twice, until it is acknowledged. */
  async #deliver(message: IncomingMessage): Promise<void> {
    while (!this.#acknowledged.has(message.eventId)) {
      const answer = await Promise.race([
        this.#handOver(message),
        ...(this.#random() < doubled ? [this.#handOver(message)] : []),
        pause(1500),
      ]);
      if (answer?.status === "accepted" || answer?.status === "repeat") {
        this.#acknowledged.add(message.eventId);
      } else if (answer) {
        this.#refusals.push(answer);
        return;
      }
    }
  }

  /** Nobody answers while a process is down or not ready, or has no store. */
  async #handOver(message: IncomingMessage) {
    try {
      return await this.#receiver().message(message);
    } catch {
      return pause(50);
    }
  }
}
