import type { IncomingMessage } from "#domain/message";
import { FakeScreen } from "../fakes/fake-platform.ts";
import { ada, placeOf } from "../fakes/test-world.ts";
import type { OutsideCalls } from "./outside.ts";

/** Something a process made visible in a conversation that another had begun by then. */
export interface LateWrite {
  readonly by: string;
  readonly conversationKey: string;
}

/** What lives outside the bot's processes and outlives every kill: screen, model and effects. */
export class OutsideWorld {
  readonly screen = new FakeScreen();
  /** Turns asked of the model, by `text/turn`. */
  readonly turns = new Map<string, number>();
  readonly resumed: string[] = [];
  readonly effects: string[] = [];
  /** Leases that began: by which process, where, with which epoch. */
  readonly began: {
    readonly by: string;
    readonly conversationKey: string;
    readonly epoch: string;
  }[] = [];
  readonly lateWrites: LateWrite[] = [];
  readonly #holders = new Map<string, { readonly by: string; readonly epoch: string }>();
  #messages = 0;

  /** What one process, known by a name, asks of this world. */
  callsOf(by: string): OutsideCalls {
    const note = (conversationKey: string | undefined) => {
      if (conversationKey !== undefined && this.#holders.get(conversationKey)?.by !== by) {
        this.lateWrites.push({ by, conversationKey });
      }
    };
    return {
      create: (intentId, message) => {
        note(message.conversationKey);
        return this.screen.create(intentId, message);
      },
      edit: (id, change) => {
        note(this.screen.message(id)?.conversationKey);
        return this.screen.edit(id, change);
      },
      remove: (id) => {
        note(this.screen.message(id)?.conversationKey);
        return this.screen.remove(id);
      },
      findByIntent: (intentId) => this.screen.findByIntent(intentId),
      began: async (conversationKey, epoch) => {
        // A process that fell asleep right after its lease began says so late.
        const newest = this.#holders.get(conversationKey);
        if (!newest || newest.epoch < epoch) this.#holders.set(conversationKey, { by, epoch });
        this.began.push({ by, conversationKey, epoch });
      },
      turn: async (text, turn) => {
        const key = `${text}/${turn}`;
        const before = this.turns.get(key) ?? 0;
        this.turns.set(key, before + 1);
        return before;
      },
      resumed: async (text) => void this.resumed.push(text),
      shown: (conversationKey, characters) =>
        waitUntil(
          () =>
            characters === 0 ||
            this.screen
              .messages(conversationKey)
              .some(({ runId }) => this.screen.reply(runId).text.length >= characters),
        ),
      effect: async (name) => void this.effects.push(name),
    };
  }

  message(text: string, thread = "talk"): IncomingMessage {
    this.#messages += 1;
    return {
      eventId: `fake:${this.#messages}`,
      place: placeOf(thread),
      author: ada,
      text,
      attachments: [],
      sentAtMs: Date.now(),
    };
  }

  /** What is shown in a chat thread, joined by reply. */
  replies(thread = "talk"): readonly string[] {
    const byRun = new Map<string, string>();
    for (const { runId, text } of this.screen.messages(placeOf(thread).threadKey)) {
      byRun.set(runId, (byRun.get(runId) ?? "") + text);
    }
    return [...byRun.values()];
  }

  /** True once every reply shown has ended. */
  isQuiet(): boolean {
    return this.screen
      .messages()
      .every(({ view }) => view.status !== "working" && view.status !== "waiting");
  }

  /** How many replies have ended, well or badly: in all threads, or in one. */
  endedRuns(thread?: string): number {
    const threadKey = thread === undefined ? undefined : placeOf(thread).threadKey;
    const views = new Map(
      this.screen.messages(threadKey).map(({ runId, view }) => [runId, view] as const),
    );
    const isOpen = (status: string) => status === "working" || status === "waiting";
    return [...views.values()].filter(({ status }) => !isOpen(status)).length;
  }

  turnsAsked(key: string): number {
    return this.turns.get(key) ?? 0;
  }
}

async function waitUntil(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}
