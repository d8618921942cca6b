import type { Json } from "#domain/json";
import type { LedgerChange } from "#ports/ledger";
import type { AbortReason, InboxItem, RunLease } from "#ports/run-queue";
import { LeaseLost } from "#ports/run-queue";
import type { Database } from "./database.ts";
import type { BegunRun, Inbox } from "./inbox.ts";

/** The right to work on one conversation; a write that is fenced off aborts it. */
export class SqliteLease implements RunLease {
  readonly conversationKey: string;
  readonly epoch: string;
  readonly attempt: number;
  readonly items: readonly InboxItem[];
  readonly controls: readonly InboxItem[];
  readonly checkpoint: Json | undefined;
  readonly journal: Json | undefined;
  readonly stopRequested: boolean;
  readonly #database: Database;
  readonly #inbox: Inbox;
  readonly #abort = new AbortController();
  readonly #listeners: ((item: InboxItem) => void)[] = [];
  #amendedUnheard: InboxItem[] = [];
  #isOver = false;

  constructor(options: {
    readonly database: Database;
    readonly inbox: Inbox;
    readonly conversationKey: string;
    readonly epoch: string;
    readonly run: BegunRun;
  }) {
    this.#database = options.database;
    this.#inbox = options.inbox;
    this.conversationKey = options.conversationKey;
    this.epoch = options.epoch;
    this.attempt = options.run.attempt;
    this.items = options.run.items;
    this.controls = options.run.controls;
    this.checkpoint = options.run.checkpoint;
    this.journal = options.run.journal;
    this.stopRequested = options.run.stopRequested;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  onAmended(listener: (item: InboxItem) => void): void {
    this.#listeners.push(listener);
    for (const item of this.#amendedUnheard.splice(0)) listener(item);
  }

  save(checkpoint: Json, change?: LedgerChange): Promise<void> {
    return this.write(() => this.#inbox.saveCheckpoint(this, checkpoint, change));
  }

  saveJournal(journal: Json): Promise<void> {
    return this.#database.writeOne(() => this.#guard(() => this.#inbox.saveJournal(this, journal)));
  }

  assertOwner(): Promise<void> {
    return this.#database.read(() => this.#guard(() => this.#inbox.fence(this)));
  }

  /** Runs a fenced write; the promise resolves once it is durable. */
  write<T>(work: () => T): Promise<T> {
    return this.#database.write(() => this.#guard(work));
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

  #guard<T>(work: () => T): T {
    if (this.#isOver) throw new LeaseLost(this.conversationKey);
    try {
      return work();
    } catch (error) {
      if (error instanceof LeaseLost) this.abort("lease-lost");
      throw error;
    }
  }
}
