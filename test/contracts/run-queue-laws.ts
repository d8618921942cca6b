import fc from "fast-check";
import { expect, vi } from "vitest";
import type { Json } from "#domain/json";
import type { LedgerChange } from "#ports/ledger";
import type { Outcome, RunLease } from "#ports/run-queue";
import type { QueueInstance } from "./run-queue.ts";

/** What may happen to a queue, in any order. `pick` chooses among what is there at that moment. */
type Step =
  | { readonly type: "accept"; readonly conversation: number; readonly isAwaited: boolean }
  | { readonly type: "repeat"; readonly pick: number }
  | { readonly type: "edit"; readonly pick: number }
  | { readonly type: "delete"; readonly pick: number }
  | { readonly type: "control"; readonly conversation: number; readonly to: "run" | "conversation" }
  | { readonly type: "cancel"; readonly conversation: number; readonly what: "current" | "queued" }
  | { readonly type: "finish"; readonly pick: number; readonly how: How }
  | { readonly type: "rest" }
  | { readonly type: "crash" };

type How = "done" | "retry" | "park" | "park-long" | "throw" | "fail" | "save";

const conversations = 3;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("accept" as const),
      conversation: fc.nat(conversations - 1),
      isAwaited: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("finish" as const),
      pick: fc.nat(),
      how: fc.constantFrom<How>(
        ...([
          "done",
          "done",
          "done",
          "retry",
          "park",
          "park-long",
          "throw",
          "fail",
          "save",
        ] as const),
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("repeat" as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("edit" as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("delete" as const), pick: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("control" as const),
      conversation: fc.nat(conversations - 1),
      to: fc.constantFrom("run" as const, "conversation" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("cancel" as const),
      conversation: fc.nat(conversations - 1),
      what: fc.constantFrom("current" as const, "queued" as const),
    }),
  },
  { weight: 6, arbitrary: fc.constant({ type: "rest" as const }) },
  { weight: 2, arbitrary: fc.constant({ type: "crash" as const }) },
);

/**
 * Drives queues through random lives, with kills, and holds them to their laws: in every
 * conversation, every accepted message comes to exactly one end (an answer, or being set aside) and
 * in order of arrival, unless it was removed while it waited; every control of a conversation is done
 * exactly once and in order; never are two runs of one conversation at work, and epochs only rise;
 * what was edited while it waited is answered as edited.
 */
export async function checkRunQueueLaws(
  create: () => Promise<QueueInstance>,
  numRuns: number,
  maxSteps: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: maxSteps, size: "max" }),
      fc.integer({ min: 1, max: conversations + 1 }),
      async (steps, concurrency) => {
        const life = new Life(await create(), concurrency);
        try {
          await life.start();
          for (const one of steps) await life.take(one);
          await life.drain();
          await life.check();
        } finally {
          await life.close();
        }
      },
    ),
    { numRuns },
  );
}

/** A message as the person who wrote it remembers it. */
interface Written {
  readonly eventId: string;
  readonly conversationKey: string;
  payload: Json;
  /** Removed while it waited. */
  isGone: boolean;
  /** The queue has said that it has it; else a kill may have lost it, and it is sent again. */
  isAcknowledged: boolean;
}

interface OpenRun {
  readonly lease: RunLease;
  readonly end: (how: How) => void;
}

class Life {
  #instance: QueueInstance;
  readonly #concurrency: number;
  readonly #written: Written[] = [];
  readonly #controls: { readonly eventId: string; readonly conversationKey: string }[] = [];
  readonly #epochs = new Map<string, string>();
  #open: OpenRun[] = [];
  #unanswered: Promise<unknown>[] = [];
  #generation = 0;
  #names = 0;
  #broken: string | undefined;

  constructor(instance: QueueInstance, concurrency: number) {
    this.#instance = instance;
    this.#concurrency = concurrency;
  }

  async start(): Promise<void> {
    const generation = this.#generation;
    await this.#instance.queue.start((lease) => this.#work(lease, generation), {
      concurrency: this.#concurrency,
      select: (_key, waiting) => ({
        take: waiting.slice(0, 1).map(({ eventId }) => eventId),
        drop: [],
      }),
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#unanswered);
    await this.#instance.close();
  }

  async take(one: Step): Promise<void> {
    switch (one.type) {
      case "accept":
        return this.#accept(one.conversation, one.isAwaited);
      case "repeat":
        return this.#repeat(one.pick);
      case "edit":
      case "delete":
        return this.#amend(one.pick, one.type);
      case "control":
        await this.#control(`talk${one.conversation}`, one.to);
        return;
      case "cancel":
        return this.#cancel(`talk${one.conversation}`, one.what);
      case "finish":
        this.#pick(this.#open, one.pick)?.end(one.how);
        return;
      case "rest":
        return rest();
      case "crash":
        return this.#crash();
    }
  }

  /** Lets everything come to its end. */
  async drain(): Promise<void> {
    await this.#sendDoubtful();
    // A last message in each conversation: once it is answered, nothing is left before it.
    for (let index = 0; index < conversations; index += 1) await this.#accept(index, true);
    await vi.waitFor(
      async () => {
        for (const run of [...this.#open]) run.end("done");
        const state = await this.#instance.queue.inspect();
        if (state.parked > 0) {
          for (let index = 0; index < conversations; index += 1) {
            await this.#control(`talk${index}`, "run");
          }
        }
        expect(state).toMatchObject({ waiting: [], running: 0, parked: 0 });
        expect(this.#open).toEqual([]);
      },
      { timeout: 15_000, interval: 1 },
    );
  }

  async check(): Promise<void> {
    expect(this.#broken).toBeUndefined();
    for (let index = 0; index < conversations; index += 1) {
      const conversationKey = `talk${index}`;
      const answered = await this.#instance.ledger.items(conversationKey, { limit: 10_000 });
      const expected = this.#written
        .filter((one) => one.conversationKey === conversationKey && !one.isGone)
        .map(({ eventId, payload }) => ({ eventId, payload }));
      expect(answered.map(({ value }) => value)).toEqual(expected);
      const list = `controls of ${conversationKey}`;
      const controlled = await this.#instance.ledger.items(list, { limit: 10_000 });
      expect(controlled.map(({ value }) => value)).toEqual(
        this.#controls
          .filter((one) => one.conversationKey === conversationKey)
          .map(({ eventId }) => eventId),
      );
    }
  }

  async #accept(conversation: number, isAwaited: boolean): Promise<void> {
    const written: Written = {
      eventId: this.#name("e"),
      conversationKey: `talk${conversation}`,
      payload: "as written",
      isGone: false,
      isAcknowledged: false,
    };
    this.#written.push(written);
    const sent = this.#send(written);
    if (isAwaited) await sent;
    else this.#unanswered.push(sent.catch(() => undefined));
  }

  async #repeat(pick: number): Promise<void> {
    const written = this.#pick(this.#written, pick);
    if (written) await this.#send(written);
  }

  /** What a kill left in doubt is sent again, as platforms do, before anything newer. */
  async #sendDoubtful(): Promise<void> {
    for (const written of this.#written) {
      if (!written.isAcknowledged) await this.#send(written);
    }
  }

  async #send(written: Written): Promise<void> {
    const { eventId, conversationKey } = written;
    const generation = this.#generation;
    await this.#instance.queue.accept({
      eventId,
      conversationKey,
      personKey: "ada",
      payload: "as written",
      detail: 0,
      bounds: { waitingPerConversation: 10_000, perPersonPerMinute: 100_000 },
    });
    // An instance that was killed has nothing to say any more.
    if (generation === this.#generation) written.isAcknowledged = true;
  }

  async #amend(pick: number, type: "edit" | "delete"): Promise<void> {
    const written = this.#pick(this.#written, pick);
    if (!written) return;
    // A change of a message whose acceptance is still in doubt would make the model doubt, too.
    await Promise.all(this.#unanswered);
    const payload = this.#name("edited ");
    const { state } = await this.#instance.queue.amend({
      eventId: written.eventId,
      changeId: this.#name("x"),
      change: type === "edit" ? { type: "edited", payload } : { type: "deleted" },
    });
    if (state === "unknown" && type === "delete") written.isGone = true;
    if (state !== "waiting") return;
    if (type === "edit") written.payload = payload;
    else written.isGone = true;
  }

  #control(conversationKey: string, to: "run" | "conversation"): Promise<unknown> {
    const eventId = this.#name("c");
    if (to === "conversation") this.#controls.push({ eventId, conversationKey });
    return this.#instance.queue.control({
      eventId,
      conversationKey,
      payload: null,
      to,
    });
  }

  async #cancel(conversationKey: string, what: "current" | "queued"): Promise<void> {
    const { queued } = await this.#instance.queue.cancel(conversationKey, what);
    for (const written of this.#written) {
      if (queued.includes(written.eventId)) written.isGone = true;
    }
  }

  async #crash(): Promise<void> {
    this.#generation += 1;
    this.#open = [];
    this.#instance = await this.#instance.reopen();
    await Promise.all(this.#unanswered.splice(0));
    await this.#sendDoubtful();
    await this.start();
  }

  #work(lease: RunLease, generation: number): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    if (generation !== this.#generation) return promise;
    const { conversationKey, epoch } = lease;
    if (epoch <= (this.#epochs.get(conversationKey) ?? "")) this.#broken = "an epoch did not rise";
    this.#epochs.set(conversationKey, epoch);
    if (this.#open.some((run) => run.lease.conversationKey === conversationKey)) {
      this.#broken = `two runs of ${conversationKey} are at work`;
    }
    if (this.#open.length >= this.#concurrency) this.#broken = "more runs than allowed";
    const run: OpenRun = {
      lease,
      end: (how) => {
        if (how === "save") {
          this.#unanswered.push(lease.save("saved").catch(() => undefined));
          return;
        }
        this.#open = this.#open.filter((other) => other !== run);
        if (how === "throw") reject(new Error("a bug"));
        else resolve(this.#outcome(lease, how));
      },
    };
    this.#open.push(run);
    return promise;
  }

  #outcome(lease: RunLease, how: Exclude<How, "throw" | "save">): Outcome {
    switch (how) {
      case "done":
        return { type: "done", change: whatEnded(lease) };
      case "fail":
        return { type: "failed", code: "interrupted-often", change: whatEnded(lease) };
      case "retry":
        return { type: "retry", afterMs: 0, checkpoint: "again" };
      case "park":
        return { type: "parked", untilMs: Date.now(), checkpoint: "parked" };
      case "park-long":
        return { type: "parked", untilMs: Date.now() + 600_000, checkpoint: "parked" };
    }
  }

  #pick<T>(things: readonly T[], pick: number): T | undefined {
    return things[pick % Math.max(things.length, 1)];
  }

  #name(prefix: string): string {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }
}

/** What a run writes down, in one step with its end: the messages it answered, the control it did. */
function whatEnded({ conversationKey, items }: RunLease): LedgerChange {
  return {
    appends: items.map(({ kind, eventId, payload }) =>
      kind === "message"
        ? { list: conversationKey, value: { eventId, payload } }
        : { list: `controls of ${conversationKey}`, value: eventId },
    ),
  };
}

/** A few turns of the event loop: time for what has begun to go on. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
