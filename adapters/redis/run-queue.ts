import { randomBytes } from "node:crypto";
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
import { Bulletin, type Notice } from "./bulletin.ts";
import { isOutage, type RedisDatabase } from "./database.ts";
import { Inbox, type Settled } from "./inbox.ts";
import { RedisLease } from "./lease.ts";
import { type Moment, Proof, thisMoment } from "./proof.ts";
import { type LeaseTimes, type WakeUp, WakeUps } from "./wake-ups.ts";

/** What the queue needs. Only `database` is a must. */
export interface RedisRunQueueOptions {
  readonly database: RedisDatabase;
  readonly log?: Log;
  /** Default: a lock of 5 s, looked at every 2 s: what a killed process held goes on within 9 s. */
  readonly leaseTimes?: LeaseTimes;
  /** How often what is overdue is looked for. Default: 1 s. */
  readonly sweepMs?: number;
  /** The first pause after a handler threw; it doubles with every further crash, up to 30 s. */
  readonly crashBackoffMs?: number;
  /** The clocks by which this process knows how long it has held a lease. Default: the machine's. */
  readonly now?: () => Moment;
}

/** A queue that many processes share. */
export interface RedisRunQueue extends RunQueue, Retention {
  /** Lets go of the connections, as an end of the process would: nothing is waited for. */
  close(): Promise<void>;
}

/** Opens the durable queue in Redis: BullMQ decides who works when, the inbox what is to be done. */
export async function openRedisRunQueue(options: RedisRunQueueOptions): Promise<RedisRunQueue> {
  const queue = new SharedRunQueue(options);
  await queue.listen();
  return queue;
}

const maxCrashBackoffMs = 30_000;
/** So often at least it is looked whether Redis is there again. */
const maxOutageLookMs = 1_000;
const sweepLimit = 100;
const pruneStep = 500;

/** How a handler left that threw. */
interface Crash {
  readonly type: "crashed";
  readonly error: unknown;
}

class SharedRunQueue implements RedisRunQueue {
  readonly #database: RedisDatabase;
  readonly #inbox: Inbox;
  readonly #wakeUps: WakeUps;
  readonly #bulletin: Bulletin;
  readonly #log: Log | undefined;
  readonly #sweepMs: number;
  readonly #crashBackoffMs: number;
  readonly #now: () => Moment;
  /** Tells this process from the others. */
  readonly #self = randomBytes(4).toString("hex");
  /** The leases of this process, by their jobs. */
  readonly #leases = new Map<string, RedisLease>();
  readonly #listeners = new Set<(conversationKey: string) => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #handler: RunHandler | undefined;
  /** Leases asked for by this process. */
  #begun = 0;
  #leasesLost = 0;
  #isStopping = false;
  #isGraceOver = false;
  #isClosed = false;

  constructor(options: RedisRunQueueOptions) {
    const { database, log, leaseTimes = { lockMs: 5_000, checkMs: 2_000 } } = options;
    this.#database = database;
    this.#log = log;
    this.#wakeUps = new WakeUps(database, leaseTimes, log);
    this.#bulletin = new Bulletin(database, this.#self);
    this.#inbox = new Inbox(database, this.#wakeUps.locks, (key) => this.#bulletin.changed(key));
    this.#sweepMs = options.sweepMs ?? 1_000;
    this.#crashBackoffMs = options.crashBackoffMs ?? 500;
    this.#now = options.now ?? thisMoment;
  }

  listen(): Promise<void> {
    return this.#bulletin.listen((notice) => this.#hear(notice));
  }

  async accept(message: NewMessage): Promise<AcceptResult> {
    const { conversationKey } = message;
    const { result, isWakeNeeded } = await this.#inbox.accept(message);
    if (result.status === "accepted") this.#changed(conversationKey);
    if (isWakeNeeded) await this.#wake(conversationKey);
    return result;
  }

  async control(control: NewControl): Promise<"accepted" | "duplicate"> {
    const { conversationKey } = control;
    const { result, isWakeNeeded } = await this.#inbox.control(control);
    this.#changed(conversationKey);
    if (isWakeNeeded) await this.#wake(conversationKey);
    return result;
  }

  async amend(amendment: Amendment): Promise<AmendResult> {
    const { result, item } = await this.#inbox.amend(amendment);
    const { conversationKey } = result;
    if (conversationKey === undefined) return result;
    if (item) this.#tell({ type: "amended", conversationKey, item });
    else this.#tell({ type: "changed", conversationKey });
    return result;
  }

  async cancel(
    conversationKey: string,
    what: "current" | "queued" | "all",
  ): Promise<{ readonly current: boolean; readonly queued: readonly string[] }> {
    const { current, queued, isWakeNeeded } = await this.#inbox.cancel(conversationKey, what);
    if (isWakeNeeded) await this.#wake(conversationKey);
    this.#tell({ type: current ? "stop" : "changed", conversationKey });
    return { current, queued };
  }

  async start(handler: RunHandler, options: QueueOptions): Promise<void> {
    if (this.#handler) throw new Error("the queue has been started already");
    this.#handler = handler;
    await this.#sweep();
    this.#every(this.#sweepMs, () => this.#sweep());
    await this.#wakeUps.start({
      concurrency: options.concurrency,
      work: (wakeUp) => this.#work(wakeUp, handler, options),
      onDoubt: (jobIds) => this.#makeSure(jobIds),
    });
  }

  inspect(conversationKey?: string): Promise<QueueState> {
    return this.#inbox.inspect(conversationKey);
  }

  here(): QueueHere {
    return { runs: this.#leases.size, leasesLost: this.#leasesLost };
  }

  onChange(listener: (conversationKey: string) => void): () => void {
    this.#listeners.add(listener);
    this.#bulletin.follow();
    return () => this.#listeners.delete(listener);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#clearTimers();
    const grace = setTimeout(() => {
      this.#isGraceOver = true;
      for (const lease of this.#leases.values()) lease.abort("shutdown");
    }, graceMs);
    await this.#wakeUps.stop();
    clearTimeout(grace);
  }

  async prune(limits: Parameters<Retention["prune"]>[0]): Promise<number> {
    for (let total = 0, passedOver = 0; ; ) {
      const step = await this.#inbox.prune({ ...limits, passedOver, limit: pruneStep });
      if (step.forgotten === 0 && step.kept === 0) return total;
      total += step.forgotten;
      passedOver += step.kept;
    }
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    this.#isClosed = true;
    this.#clearTimers();
    this.#bulletin.close();
    await this.#wakeUps.kill();
  }

  /** Has a worker look at the conversation. Should that be lost, the sweep does. */
  async #wake(conversationKey: string): Promise<void> {
    try {
      await this.#wakeUps.add(conversationKey);
    } catch (error) {
      this.#warn({ conversation: conversationKey, error }, "wake-up put off");
    }
  }

  async #sweep(): Promise<void> {
    if (this.#isStopping) return;
    try {
      const overdue = await this.#inbox.sweep(sweepLimit);
      await Promise.all(overdue.map((conversationKey) => this.#wake(conversationKey)));
    } catch (error) {
      this.#warn({ error }, "overdue conversations could not be read");
    }
  }

  async #work(wakeUp: WakeUp, handler: RunHandler, options: QueueOptions): Promise<void> {
    const { conversationKey, jobId, lock } = wakeUp;
    // A job that came on the way out goes to another process.
    if (this.#isStopping) return this.#wake(conversationKey);
    this.#begun += 1;
    const owner = `${this.#self}.${this.#begun.toString(36)}`;
    try {
      const run = await this.#throughOutages(() =>
        this.#inbox.begin({
          conversationKey,
          owner,
          jobId,
          select: (waiting) => options.select(conversationKey, waiting),
        }),
      );
      if (!run) return;
      const proof = new Proof({ database: this.#database, leaseMs: lock.ms, now: this.#now });
      const lease = new RedisLease({ inbox: this.#inbox, lock, proof, conversationKey, run });
      this.#leases.set(jobId, lease);
      await this.#run(lease, handler);
    } catch (error) {
      this.#warn({ conversation: conversationKey, error }, "run could not begin");
    } finally {
      if (this.#leases.get(jobId)?.signal.reason === "lease-lost") this.#leasesLost += 1;
      this.#leases.delete(jobId);
    }
  }

  /**
   * Asks until Redis answers, or this process stops: what it did before it was cut off is not known, and
   * a lease nobody knows of would hold its conversation.
   */
  async #throughOutages<T>(work: () => Promise<T>): Promise<T> {
    for (let delayMs = this.#crashBackoffMs; ; delayMs = Math.min(delayMs * 2, maxOutageLookMs)) {
      try {
        return await work();
      } catch (error) {
        if (!isOutage(error) || this.#isStopping || !this.#database.isOpen) throw error;
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  async #run(lease: RedisLease, handler: RunHandler): Promise<void> {
    const { conversationKey } = lease;
    this.#changed(conversationKey);
    const ending = await handle(lease, handler);
    // Before others can begin: what the handler left running knows nothing of that.
    lease.end();
    const settled = await this.#settle(lease, ending);
    if (!settled) return;
    // BullMQ keeps this until the job at hand is done: nobody else begins before.
    if (settled.hasMore || (settled.dueInMs ?? 1) <= 0) await this.#wake(conversationKey);
    else this.#sweepIn(settled.dueInMs);
    if (settled.hasReleased) await this.#sweep();
    this.#changed(conversationKey);
  }

  /** Stores how a run ended, however long Redis takes while there is time. Undefined when that is no longer ours to say. */
  async #settle(lease: RedisLease, ending: Outcome | Crash): Promise<Settled | undefined> {
    const { conversationKey, attempt } = lease;
    if (ending.type === "crashed") {
      const { error } = ending;
      this.#log?.error({ conversation: conversationKey, attempt, error }, "run crashed");
    }
    for (let delayMs = this.#crashBackoffMs; ; delayMs = Math.min(delayMs * 2, maxCrashBackoffMs)) {
      try {
        return await this.#apply(lease, ending);
      } catch (error) {
        if (error instanceof LeaseLost) {
          lease.abort("lease-lost");
          return undefined;
        }
        if (this.#isClosed || !this.#database.isOpen) return undefined;
        this.#log?.error({ conversation: conversationKey, error }, "run outcome not stored");
        // It is taken over as after a kill.
        if (isOutage(error) && this.#isGraceOver) return undefined;
        // An outcome that itself cannot be stored must not be tried for ever.
        if (!isOutage(error) && ending.type !== "crashed") {
          return this.#settle(lease, { type: "crashed", error });
        }
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  #apply(lease: RedisLease, ending: Outcome | Crash): Promise<Settled> {
    switch (ending.type) {
      case "done":
      case "failed":
        return this.#inbox.finish(lease, ending);
      case "parked":
        return this.#inbox.pause(lease, {
          state: "parked",
          dueMs: ending.untilMs,
          checkpoint: ending.checkpoint,
          ending: "polite",
        });
      case "retry": {
        const { afterMs, checkpoint } = ending;
        return this.#inbox.pause(lease, { state: "retry", ending: "polite", afterMs, checkpoint });
      }
      case "crashed": {
        const isShutdown = lease.signal.reason === "shutdown";
        const backoffMs = Math.min(
          this.#crashBackoffMs * 2 ** (lease.attempt - 1),
          maxCrashBackoffMs,
        );
        return this.#inbox.pause(lease, {
          state: "retry",
          afterMs: isShutdown ? 0 : backoffMs,
          checkpoint: undefined,
          // An outage blames nobody: the message is tried again, however often that happens.
          ending: isShutdown || isOutage(ending.error) ? "cut-off" : "crash",
        });
      }
    }
  }

  /** Locks that could not be renewed: what still is ours is held on to, the rest is told. */
  #makeSure(jobIds: readonly string[]): void {
    for (const jobId of jobIds) {
      this.#leases
        .get(jobId)
        ?.confirm()
        .catch(() => undefined);
    }
  }

  /** The other processes were told by the step itself. */
  #changed(conversationKey: string): void {
    if (!this.#isClosed) this.#hear({ type: "changed", conversationKey });
  }

  #tell(notice: Notice): void {
    if (this.#isClosed) return;
    this.#hear(notice);
    this.#bulletin.tell(notice);
  }

  #hear(notice: Notice): void {
    const { conversationKey } = notice;
    if (notice.type !== "changed") {
      for (const lease of this.#leases.values()) {
        if (lease.conversationKey !== conversationKey) continue;
        if (notice.type === "stop") lease.abort("stopped");
        else lease.amended(notice.item);
      }
    }
    for (const listener of this.#listeners) {
      try {
        listener(conversationKey);
      } catch (error) {
        this.#log?.error({ conversation: conversationKey, error }, "queue listener failed");
      }
    }
  }

  /** Something is due sooner than the next sweep. */
  #sweepIn(ms: number | undefined): void {
    if (ms === undefined || ms > this.#sweepMs || this.#isStopping) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#sweep();
    }, ms);
    this.#timers.add(timer);
  }

  #every(ms: number, work: () => Promise<void>): void {
    this.#timers.add(setInterval(work, ms));
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #warn(fields: { readonly [name: string]: unknown }, event: string): void {
    if (!this.#isClosed) this.#log?.warn(fields, event);
  }
}

async function handle(lease: RedisLease, handler: RunHandler): Promise<Outcome | Crash> {
  try {
    return await handler(lease);
  } catch (error) {
    return { type: "crashed", error };
  }
}
