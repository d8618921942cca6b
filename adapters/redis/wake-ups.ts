import { Queue, Worker } from "bullmq";
import type { Log } from "#ports/log";
import { openClient, type RedisDatabase } from "./database.ts";
import type { JobLock } from "./inbox.ts";

/** How long a worker that says nothing keeps what it holds, and how often that is looked at. */
export interface LeaseTimes {
  /** Renewed at half of it; nothing may block the event loop for so long. */
  readonly lockMs: number;
  /** What has lapsed is taken over within two of these. */
  readonly checkMs: number;
}

/** One wake-up of a conversation, held by this process until the work returns. */
export interface WakeUp {
  readonly conversationKey: string;
  readonly jobId: string;
  readonly lock: JobLock;
}

const queueName = "wake";
/** An idle worker looks for work this often even when nobody calls it, in seconds. */
const idleLookSeconds = 1;
/** So long BullMQ may take to end once nothing is at hand: longer only where Redis does not answer. */
const closingMs = 2_000;

/**
 * BullMQ as the engine: one job per conversation that has something to do, held by one worker at a
 * time; when that worker dies, another gets it. What is to be done is in the inbox.
 */
export class WakeUps {
  readonly #database: RedisDatabase;
  readonly #queue: Queue;
  readonly #times: LeaseTimes;
  readonly #log: Log | undefined;
  #worker: Worker | undefined;
  #client: ReturnType<typeof openClient> | undefined;
  readonly #atHand = new Set<Promise<void>>();

  constructor(database: RedisDatabase, times: LeaseTimes, log: Log | undefined) {
    this.#database = database;
    this.#times = times;
    this.#log = log;
    this.#queue = new Queue(queueName, {
      connection: database.client,
      prefix: this.#prefix,
      streams: { events: { maxLen: 100 } },
    });
    this.#queue.on("error", () => undefined);
  }

  /** What the names of the locks of jobs begin with. */
  get locks(): string {
    return `${this.#database.prefix}${queueName}:`;
  }

  /**
   * Has some worker look at the conversation. While one is at it, this is remembered until it is
   * done, in the same step. Throws when Redis cannot be reached, or does not answer in time.
   */
  async add(conversationKey: string): Promise<void> {
    await this.#database.inTime(
      this.#queue.add(
        queueName,
        { conversationKey },
        {
          deduplication: { id: conversationKey, keepLastIfActive: true },
          removeOnComplete: true,
          removeOnFail: true,
        },
      ),
    );
  }

  /** Works on wake-ups from now on. `onDoubt`: these jobs may have gone to others. */
  async start(options: {
    readonly concurrency: number;
    readonly work: (wakeUp: WakeUp) => Promise<void>;
    readonly onDoubt: (jobIds: readonly string[]) => void;
  }): Promise<void> {
    this.#client = openClient(this.#database.url, "patient");
    this.#client.on("error", () => undefined);
    await this.#client.connect();
    this.#worker = new Worker(
      queueName,
      async (job, token = "") => {
        const jobId = job.id ?? "";
        const work = options.work({
          conversationKey: String(job.data.conversationKey),
          jobId,
          lock: { key: `${this.locks}${jobId}:lock`, token, ms: this.#times.lockMs },
        });
        this.#atHand.add(work);
        await work.finally(() => this.#atHand.delete(work));
      },
      {
        connection: this.#client,
        prefix: this.#prefix,
        concurrency: options.concurrency,
        lockDuration: this.#times.lockMs,
        stalledInterval: this.#times.checkMs,
        // What crashes again and again is the inbox's to count.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        drainDelay: idleLookSeconds,
      },
    );
    this.#worker.on("lockRenewalFailed", options.onDoubt);
    this.#worker.on("error", (error) => this.#log?.debug({ error }, "worker in trouble"));
    await this.#worker.waitUntilReady();
  }

  /**
   * Takes up nothing new; resolves once everything at hand has returned and is told to be done. Where Redis
   * does not answer, it is told by the end of the lock.
   */
  async stop(): Promise<void> {
    const closed = this.#worker?.close();
    await Promise.allSettled(this.#atHand);
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, closingMs).unref())]);
    this.#worker = undefined;
    if (this.#client?.isOpen) this.#client.destroy();
  }

  /** Lets go of the connections without waiting for anybody. */
  async kill(): Promise<void> {
    await this.#worker?.close(true);
    if (this.#client?.isOpen) this.#client.destroy();
  }

  /** BullMQ's own names lie between the braces of ours. */
  get #prefix(): string {
    return this.#database.prefix.slice(0, -1);
  }
}
