import type { Json } from "#domain/json";
import type { LedgerChange } from "#ports/ledger";
import { requestTimeoutMs } from "#ports/platform";
import { type AbortReason, type InboxItem, LeaseLost, type RunLease } from "#ports/run-queue";
import type { BegunRun, Held, Holder, Inbox, JobLock } from "./inbox.ts";
import type { Proof } from "./proof.ts";

/** The right to work on one conversation; a write that is fenced off aborts it. */
export class RedisLease implements RunLease, Holder {
  readonly conversationKey: string;
  readonly epoch: string;
  readonly attempt: number;
  readonly items: readonly InboxItem[];
  readonly controls: readonly InboxItem[];
  readonly checkpoint: Json | undefined;
  readonly journal: Json | undefined;
  readonly stopRequested: boolean;
  readonly storeLostAtMs: number | undefined;
  readonly lateUntilMs: number | undefined;
  readonly lock: JobLock;
  readonly #inbox: Inbox;
  readonly #proof: Proof;
  readonly #abort = new AbortController();
  readonly #listeners: ((item: InboxItem) => void)[] = [];
  #amendedUnheard: InboxItem[] = [];
  #isOver = false;

  constructor(options: {
    readonly inbox: Inbox;
    readonly lock: JobLock;
    readonly proof: Proof;
    readonly conversationKey: string;
    readonly run: BegunRun;
  }) {
    this.#inbox = options.inbox;
    this.lock = options.lock;
    this.#proof = options.proof;
    this.conversationKey = options.conversationKey;
    this.epoch = options.run.epoch;
    this.attempt = options.run.attempt;
    this.items = options.run.items;
    this.controls = options.run.controls;
    this.checkpoint = options.run.checkpoint;
    this.journal = options.run.journal;
    this.stopRequested = options.run.stopRequested;
    this.storeLostAtMs = options.run.storeLostAtMs;
    const { takenOverAtMs } = options.run;
    this.lateUntilMs =
      takenOverAtMs === undefined ? undefined : takenOverAtMs + options.lock.ms + requestTimeoutMs;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  onAmended(listener: (item: InboxItem) => void): void {
    this.#listeners.push(listener);
    for (const item of this.#amendedUnheard.splice(0)) listener(item);
  }

  async save(checkpoint: Json, change?: LedgerChange): Promise<void> {
    await this.#fenced(() => this.#inbox.save(this, checkpoint, change));
  }

  async saveJournal(journal: Json): Promise<void> {
    await this.#fenced(() => this.#inbox.saveJournal(this, journal));
  }

  async assertOwner(): Promise<void> {
    if (this.#isOver || !this.#proof.stands) await this.confirm();
  }

  /** Asks Redis whether this still is the owner, whatever was known. */
  async confirm(): Promise<void> {
    for (;;) {
      const tookMs = await this.#fenced(() => this.#inbox.assert(this));
      // A process that slept over the answer may have lost the lease meanwhile: it asks again.
      if (tookMs < this.lock.ms / 2) return;
    }
  }

  abort(reason: AbortReason): void {
    this.#abort.abort(reason);
  }

  /** Tells the handler, or keeps it for the first listener. */
  amended(item: InboxItem): void {
    if (this.#listeners.length === 0) this.#amendedUnheard.push(item);
    for (const listener of this.#listeners) listener(item);
  }

  /** The handler has returned: what it left running may not write any more. */
  end(): void {
    this.#isOver = true;
  }

  /** Every answer proves for a short while that the lease is held. Resolves to the milliseconds it took. */
  async #fenced(work: () => Promise<Held>): Promise<number> {
    if (this.#isOver) throw new LeaseLost(this.conversationKey);
    try {
      const { answer, tookMs } = await this.#proof.ask(work);
      // It is held again, but BullMQ may have promised the job to somebody else meanwhile.
      if (answer.hasLapsed) this.#proof.forget();
      // Another process took the stop, and its word of it may have been lost on the way.
      if (answer.isToStop) this.abort("stopped");
      return tookMs;
    } catch (error) {
      this.#proof.forget();
      if (error instanceof LeaseLost) this.abort("lease-lost");
      throw error;
    }
  }
}
