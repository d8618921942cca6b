import { randomBytes } from "node:crypto";
import { isOutage } from "#domain/errors";
import type { Log } from "#ports/log";
import type { Retention } from "#ports/retention";
import {
  type AcceptResult,
  type Amendment,
  type AmendResult,
  LeaseLost,
  type NewControl,
  type NewMessage,
  type Outcome,
  type QueueHere,
  type QueueOptions,
  type QueueState,
  type RunHandler,
  type RunQueue,
} from "#ports/run-queue";
import type { Database } from "./database.ts";
import { type Beginning, Inbox, type Pause, suspectAttempts } from "./inbox.ts";
import { SqliteLease } from "./lease.ts";
import { PersonPace } from "./person-pace.ts";
import { ReadyLine } from "./ready-line.ts";

/** What the queue needs. Only `database` is a must; the rest is for logs and tests. */
export interface SqliteRunQueueOptions {
  readonly database: Database;
  readonly log?: Log;
  readonly now?: () => number;
  /** Calls back once after `ms`; the function it gives cancels. */
  readonly setTimer?: SetTimer;
  /** The first pause after a handler threw; it doubles with every further crash, up to 30 s. */
  readonly crashBackoffMs?: number;
}

export type SetTimer = (run: () => void, ms: number) => () => void;

/**
 * The durable queue of one process: the data file holds the truth, memory only which conversations
 * are ready and which are at work.
 */
export function createSqliteRunQueue(options: SqliteRunQueueOptions): RunQueue & Retention {
  return new SqliteRunQueue(options);
}

const maxCrashBackoffMs = 30_000;
/** A due time is looked at again at least this often, whatever the machine's clock does. */
const maxTimerMs = 60_000;
const pruneStep = 500;

/** How a handler left that threw. */
interface Crash {
  readonly type: "crashed";
  readonly error: unknown;
}

/** A conversation somebody is at work on. */
interface Work {
  readonly lease: SqliteLease;
  /** Something came for the conversation meanwhile: look at it again afterwards. */
  again: boolean;
}

class SqliteRunQueue implements RunQueue, Retention {
  readonly #database: Database;
  readonly #inbox: Inbox;
  readonly #log: Log | undefined;
  readonly #now: () => number;
  readonly #setTimer: SetTimer;
  readonly #crashBackoffMs: number;
  readonly #pace = new PersonPace();
  readonly #ready = new ReadyLine();
  readonly #held = new Set<string>();
  readonly #work = new Map<string, Work>();
  readonly #listeners = new Set<(conversationKey: string) => void>();
  readonly #changed = new Set<string>();
  readonly #owner = randomBytes(4).toString("hex");
  readonly #stopped = Promise.withResolvers<void>();
  #handler: RunHandler | undefined;
  #options: QueueOptions | undefined;
  #boot = 0;
  #leases = 0;
  #suspect: string | undefined;
  #timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;
  #isStopping = false;

  constructor(options: SqliteRunQueueOptions) {
    this.#database = options.database;
    this.#inbox = new Inbox(options.database);
    this.#log = options.log;
    this.#now = options.now ?? Date.now;
    this.#setTimer = options.setTimer ?? setNodeTimer;
    this.#crashBackoffMs = options.crashBackoffMs ?? 500;
  }

  async accept(message: NewMessage): Promise<AcceptResult> {
    const { conversationKey, personKey, bounds } = message;
    const nowMs = this.#now();
    const durable = this.#database.write(() => {
      const isTooFast = () => this.#pace.count(personKey, nowMs) >= bounds.perPersonPerMinute;
      const result = this.#inbox.accept(message, nowMs, isTooFast);
      if (result.status === "accepted") this.#pace.add(personKey, nowMs);
      return result;
    });
    // Beginning the run in the same transaction saves it a turn and an fsync.
    this.#wake(conversationKey);
    const result = await durable;
    if (result.status === "accepted") this.#tell(conversationKey);
    return result;
  }

  async control(control: NewControl): Promise<"accepted" | "duplicate"> {
    const durable = this.#database.write(() => this.#inbox.control(control, this.#now()));
    this.#wake(control.conversationKey);
    const result = await durable;
    this.#tell(control.conversationKey);
    return result;
  }

  async amend(amendment: Amendment): Promise<AmendResult> {
    const { result, item, lease } = await this.#database.write(() => {
      const amended = this.#inbox.amend(amendment, this.#now());
      return { ...amended, lease: this.#leaseOf(amended.result.conversationKey) };
    });
    if (item) lease?.amended(item);
    if (result.conversationKey !== undefined) this.#tell(result.conversationKey);
    return result;
  }

  async cancel(
    conversationKey: string,
    what: "current" | "queued" | "all",
  ): Promise<{ readonly current: boolean; readonly queued: readonly string[] }> {
    const { current, queued, lease } = await this.#database.write(() => ({
      current: what !== "queued" && this.#inbox.requestStop(conversationKey),
      queued: what === "current" ? [] : this.#inbox.removeWaiting(conversationKey),
      lease: this.#leaseOf(conversationKey),
    }));
    if (current) {
      lease?.abort("stopped");
      this.#wake(conversationKey);
    }
    this.#tell(conversationKey);
    return { current, queued };
  }

  async start(handler: RunHandler, options: QueueOptions): Promise<void> {
    if (this.#handler) throw new Error("the queue has been started already");
    this.#handler = handler;
    this.#boot = await this.#database.write(() => this.#inbox.nextBoot());
    this.#options = options;
    for (const conversationKey of this.#inbox.open(this.#now())) this.#ready.push(conversationKey);
    this.#fill();
    this.#setDueTimer(this.#inbox.nextDueMs(this.#now()));
  }

  inspect(conversationKey?: string): Promise<QueueState> {
    return this.#database.read(() => this.#inbox.state(conversationKey, this.#now()));
  }

  /** Nobody else is there to lose a lease to. */
  here(): QueueHere {
    return { runs: this.#work.size, leasesLost: 0 };
  }

  onChange(listener: (conversationKey: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#settleStop();
    const cancelGrace = this.#setTimer(() => {
      for (const { lease } of this.#work.values()) lease.abort("shutdown");
    }, graceMs);
    await this.#stopped.promise;
    cancelGrace();
  }

  async prune(limits: Parameters<Retention["prune"]>[0]): Promise<number> {
    for (let forgotten = 0; ; ) {
      const step = await this.#database.write(() => this.#inbox.prune(limits, pruneStep));
      if (step === 0) return forgotten;
      forgotten += step;
    }
  }

  /** Has the conversation looked at as soon as its turn comes. */
  #wake(conversationKey: string): void {
    const work = this.#work.get(conversationKey);
    if (work) {
      work.again = true;
      return;
    }
    this.#ready.push(conversationKey);
    this.#fill();
  }

  #fill(): void {
    if (!this.#options || this.#isStopping) return;
    while (this.#work.size < this.#options.concurrency) {
      const conversationKey = this.#ready.shift();
      if (conversationKey === undefined) return;
      if (!this.#work.has(conversationKey)) this.#begin(conversationKey, this.#options);
    }
  }

  #begin(conversationKey: string, options: QueueOptions): void {
    const epoch = this.#nextEpoch();
    let beginning: Beginning | undefined;
    const durable = this.#database.write(() => {
      beginning = this.#inbox.begin({
        conversationKey,
        epoch,
        nowMs: this.#now(),
        suspectsMayRun: this.#suspect === undefined,
        select: (waiting) => options.select(conversationKey, waiting),
      });
    });
    if (beginning?.type !== "begun") {
      durable.catch((error: unknown) => this.#beginFailed(conversationKey, error));
      if (beginning?.type === "held") this.#held.add(conversationKey);
      if (beginning?.type === "nothing") this.#setDueTimer(beginning.dueMs);
      return;
    }
    if (beginning.attempt > suspectAttempts) this.#suspect = conversationKey;
    const lease = new SqliteLease({
      database: this.#database,
      inbox: this.#inbox,
      conversationKey,
      epoch,
      run: beginning,
    });
    this.#work.set(conversationKey, { lease, again: false });
    durable
      .then(
        () => this.#run(lease),
        (error: unknown) => {
          this.#release(conversationKey);
          this.#beginFailed(conversationKey, error);
        },
      )
      .catch((error: unknown) =>
        this.#log?.error({ conversation: conversationKey, error }, "queue failed"),
      );
  }

  #beginFailed(conversationKey: string, error: unknown): void {
    if (!this.#database.isOpen) return;
    this.#log?.error({ conversation: conversationKey, error }, "run could not begin");
    this.#setTimer(() => this.#wake(conversationKey), this.#crashBackoffMs);
  }

  async #run(lease: SqliteLease): Promise<void> {
    this.#tell(lease.conversationKey);
    const ending = await this.#handle(lease);
    const hasMore = await this.#settle(lease, ending);
    lease.end();
    const work = this.#release(lease.conversationKey);
    this.#tell(lease.conversationKey);
    if (hasMore || work?.again) this.#wake(lease.conversationKey);
    else this.#fill();
  }

  async #handle(lease: SqliteLease): Promise<Outcome | Crash> {
    try {
      if (!this.#handler) throw new Error("the queue has not been started");
      return await this.#handler(lease);
    } catch (error) {
      return { type: "crashed", error };
    }
  }

  /** Writes down how the run was left, however long the disk takes. True when more is to be done. */
  async #settle(lease: SqliteLease, ending: Outcome | Crash): Promise<boolean> {
    const { conversationKey, attempt } = lease;
    if (ending.type === "crashed") {
      const { error } = ending;
      this.#log?.error({ conversation: conversationKey, attempt, error }, "run crashed");
    }
    for (let delayMs = this.#crashBackoffMs; ; delayMs = this.#backoff(delayMs)) {
      try {
        return await lease.write(() => this.#apply(lease, ending));
      } catch (error) {
        if (error instanceof LeaseLost || !this.#database.isOpen) return false;
        this.#log?.error({ conversation: conversationKey, error }, "run outcome not stored");
        // An outcome that itself cannot be stored must not be tried for ever.
        if (!isOutage(error) && ending.type !== "crashed") {
          return this.#settle(lease, { type: "crashed", error });
        }
        if (this.#isStopping) return false;
        await new Promise<void>((resolve) => this.#setTimer(resolve, delayMs));
      }
    }
  }

  #apply(lease: SqliteLease, ending: Outcome | Crash): boolean {
    switch (ending.type) {
      case "done":
        if (ending.forgetsSetAside) this.#inbox.forgetSetAside(lease);
        return this.#inbox.finish(lease, ending.change);
      case "failed":
        return this.#inbox.setAside(lease, { ...ending, nowMs: this.#now() });
      case "parked":
        return this.#pause(lease, {
          state: "parked",
          dueMs: ending.untilMs,
          checkpoint: ending.checkpoint,
          isPolite: true,
        });
      case "retry":
        return this.#pause(lease, {
          state: "retry",
          dueMs: this.#now() + ending.afterMs,
          checkpoint: ending.checkpoint,
          isPolite: true,
        });
      case "crashed": {
        const isShutdown = lease.signal.reason === "shutdown";
        const backoffMs = Math.min(
          this.#crashBackoffMs * 2 ** (lease.attempt - 1),
          maxCrashBackoffMs,
        );
        return this.#pause(lease, {
          state: "retry",
          dueMs: this.#now() + (isShutdown ? 0 : backoffMs),
          checkpoint: undefined,
          isPolite: isShutdown,
        });
      }
    }
  }

  #pause(lease: SqliteLease, pause: Pause): boolean {
    this.#setDueTimer(pause.dueMs);
    return this.#inbox.pause(lease, pause);
  }

  #backoff(delayMs: number): number {
    return Math.min(delayMs * 2, maxCrashBackoffMs);
  }

  #release(conversationKey: string): Work | undefined {
    const work = this.#work.get(conversationKey);
    this.#work.delete(conversationKey);
    if (this.#suspect === conversationKey) {
      this.#suspect = undefined;
      for (const held of this.#held) this.#ready.push(held);
      this.#held.clear();
    }
    this.#settleStop();
    return work;
  }

  #settleStop(): void {
    if (this.#isStopping && this.#work.size === 0) this.#stopped.resolve();
  }

  #leaseOf(conversationKey: string | undefined): SqliteLease | undefined {
    return conversationKey === undefined ? undefined : this.#work.get(conversationKey)?.lease;
  }

  /** Sorts as text in the order of leases, over restarts too. */
  #nextEpoch(): string {
    this.#leases += 1;
    const boot = this.#boot.toString(36).padStart(6, "0");
    return `${boot}-${this.#leases.toString(36).padStart(8, "0")}-${this.#owner}`;
  }

  #setDueTimer(dueMs: number | undefined): void {
    if (dueMs === undefined || this.#isStopping || !this.#options) return;
    if (this.#timer && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    const inMs = Math.min(Math.max(dueMs - this.#now(), 0), maxTimerMs);
    this.#timer = { dueMs, cancel: this.#setTimer(() => this.#wakeDue(), inMs) };
  }

  #wakeDue(): void {
    this.#timer = undefined;
    if (this.#isStopping || !this.#database.isOpen) return;
    const nowMs = this.#now();
    try {
      for (const conversationKey of this.#inbox.due(nowMs)) this.#wake(conversationKey);
      this.#setDueTimer(this.#inbox.nextDueMs(nowMs));
    } catch (error) {
      this.#log?.error({ error }, "due runs could not be read");
      this.#setDueTimer(nowMs + maxCrashBackoffMs);
    }
  }

  /** Tells the listeners, at most once per conversation and turn. */
  #tell(conversationKey: string): void {
    if (this.#listeners.size === 0) return;
    if (this.#changed.size === 0) setImmediate(() => this.#tellChanged());
    this.#changed.add(conversationKey);
  }

  #tellChanged(): void {
    const keys = [...this.#changed];
    this.#changed.clear();
    for (const listener of this.#listeners) {
      for (const conversationKey of keys) {
        try {
          listener(conversationKey);
        } catch (error) {
          this.#log?.error({ conversation: conversationKey, error }, "queue listener failed");
        }
      }
    }
  }
}

/** Node fires at once what is to fire later than this. */
const maxNodeTimerMs = 2 ** 31 - 1;

function setNodeTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, Math.min(ms, maxNodeTimerMs));
  return () => clearTimeout(timer);
}
