import { alone, type Processes, type SharedLimit, type Spent } from "#ports/processes";

/** What is counted by itself: messages created and edited have limits of their own. */
export type CallKind = "create" | "edit" | "delete" | "typing" | "thread" | "read" | "other";

/** Who goes first when calls have to wait. */
export type Priority = "final" | "shown" | "decoration";

/** What an answer's headers say about its bucket. */
export interface BucketState {
  readonly remaining: number;
  readonly resetAfterMs: number;
}

interface Limit {
  readonly calls: number;
  readonly windowMs: number;
}

/** What Discord said about a limit, as the processes tell each other. */
interface Told {
  readonly kind: CallKind;
  readonly channel?: string;
  readonly forMs: number;
  readonly isGlobal: boolean;
}

interface Bucket {
  readonly name: string;
  readonly limit: Limit;
  /** When each use counts no longer; Infinity while it is under way. */
  uses: { freeAtMs: number }[];
  /** Discord said to wait: nothing before. */
  pausedUntilMs: number;
}

interface Waiting {
  readonly buckets: readonly Bucket[];
  readonly rank: number;
  readonly go: (turn: Turn) => void;
}

/** A call that may be made, for all this process knows. */
interface Turn {
  /** It has ended. */
  readonly done: () => void;
  /** It is not made after all. */
  readonly giveBack: () => void;
}

const ranks: { readonly [P in Priority]: number } = { final: 0, shown: 1, decoration: 2 };

/**
 * What a channel (a thread is one) takes: five creates and, separately, five edits in five seconds
 * are seen everywhere and documented nowhere (docs.discord.com/developers/topics/rate-limits), so
 * these are only where it begins: the headers of every answer are heeded.
 */
const limits: { readonly [K in CallKind]: Limit } = {
  create: { calls: 5, windowMs: 5_000 },
  edit: { calls: 5, windowMs: 5_000 },
  delete: { calls: 5, windowMs: 1_000 },
  typing: { calls: 5, windowMs: 5_000 },
  thread: { calls: 10, windowMs: 10_000 },
  read: { calls: 10, windowMs: 1_000 },
  other: { calls: 10, windowMs: 1_000 },
};

/** Documented are 50 requests a second; a few are left to what does not go through here. */
const inAll: Limit = { calls: 45, windowMs: 1_000 };
/** Between the clocks of two machines. */
const marginMs = 60;
const mostIdleBuckets = 500;
const toldTopic = "discord/told";
/** Whoever leaves one call of a channel to others leaves so many of all. */
const keepInAll = 5;

/**
 * What Discord lets one bot call, shared by everything that calls it. A use counts from when its
 * answer came, so that no window at Discord's side holds more than allowed. Final texts go first,
 * and after a 429 its bucket waits as long as it was told.
 *
 * Where several processes are one bot, each call is paid from what all of them have together; the
 * buckets here are then what this process knows of those.
 */
export class Budget {
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();
  readonly #inAll: Bucket = { name: "all", limit: inAll, uses: [], pausedUntilMs: 0 };
  readonly #processes: Processes;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(now: () => number = Date.now, processes = alone) {
    this.#now = now;
    this.#processes = processes;
    processes.hear(toldTopic, {
      told: (words) => {
        const { kind, channel, ...told } = words as unknown as Told;
        this.#pause(kind, channel, told);
      },
    });
  }

  /** Resolves when the call may be made; what it resolves to is called when its answer is there. */
  async take(kind: CallKind, channel: string | undefined, priority: Priority): Promise<() => void> {
    const { spend } = this.#processes;
    for (;;) {
      const turn = await this.#turn(kind, channel, priority);
      if (!spend) return turn.done;
      const buckets = [this.#bucket(kind, channel), this.#inAll];
      const spent = await spend(buckets.map(toShared));
      this.#learn(buckets, spent);
      if (spent.isGranted) {
        return () => {
          turn.done();
          spent.done();
        };
      }
      turn.giveBack();
    }
  }

  /** What all processes together have left is what counts. */
  #learn(buckets: readonly Bucket[], spent: Spent): void {
    const nowMs = this.#now();
    for (const [index, bucket] of buckets.entries()) {
      if (spent.isGranted) {
        const left = spent.left[index] ?? bucket.limit.calls;
        const byOthers = bucket.limit.calls - bucket.uses.length - left;
        for (let use = 0; use < byOthers; use += 1) {
          bucket.uses.push({ freeAtMs: nowMs + bucket.limit.windowMs });
        }
      } else {
        const untilMs = nowMs + (spent.waitMs[index] ?? 0);
        bucket.pausedUntilMs = Math.max(bucket.pausedUntilMs, untilMs);
      }
    }
  }

  /** Resolves when this process may make the call, for all it knows. */
  #turn(kind: CallKind, channel: string | undefined, priority: Priority): Promise<Turn> {
    return new Promise((resolve) => {
      const buckets = [this.#bucket(kind, channel), this.#inAll];
      const waiting = { buckets, rank: ranks[priority], go: resolve };
      const at = this.#waiting.findIndex(({ rank }) => rank > waiting.rank);
      this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, waiting);
      this.#pump();
    });
  }

  /**
   * How long until a call could be made at once and leave `keep` more for others in its channel,
   * and several times that in all. Somebody who waits this long can send what is newest then; in a queue it would grow stale.
   */
  waitMs(kind: CallKind, channel: string | undefined, keep = 0): number {
    const bucket = this.#bucket(kind, channel);
    const isQueued = this.#waiting.some(({ buckets }) => buckets.includes(bucket));
    const waitMs = Math.max(
      this.#waitMs(bucket, keep),
      this.#waitMs(this.#inAll, keep * keepInAll),
    );
    return isQueued ? Math.max(100, waitMs) : waitMs;
  }

  /** Discord said 429. */
  pause(
    kind: CallKind,
    channel: string | undefined,
    { forMs, isGlobal }: { readonly forMs: number; readonly isGlobal: boolean },
  ): void {
    this.#pause(kind, channel, { forMs, isGlobal });
    const where = channel === undefined ? {} : { channel };
    this.#processes.tell(toldTopic, { kind, ...where, forMs, isGlobal } satisfies Told);
  }

  #pause(
    kind: CallKind,
    channel: string | undefined,
    { forMs, isGlobal }: Pick<Told, "forMs" | "isGlobal">,
  ): void {
    const bucket = isGlobal ? this.#inAll : this.#bucket(kind, channel);
    bucket.pausedUntilMs = Math.max(bucket.pausedUntilMs, this.#now() + forMs);
  }

  /** What an answer's headers said: when nothing is left, nothing is sent before the reset. */
  told(kind: CallKind, channel: string | undefined, state: BucketState): void {
    if (state.remaining > 0) return;
    this.#pause(kind, channel, { forMs: state.resetAfterMs + marginMs, isGlobal: false });
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const left: Waiting[] = [];
    const blocked = new Set<Bucket>();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting) {
      const waitMs = Math.max(...waiting.buckets.map((bucket) => this.#waitMs(bucket)));
      const isBehind = waiting.buckets.some((bucket) => blocked.has(bucket));
      if (waitMs === 0 && !isBehind) {
        waiting.go(this.#use(waiting.buckets));
        continue;
      }
      left.push(waiting);
      // Only what is short holds others up: a slow channel must not stop the others.
      for (const bucket of waiting.buckets) if (this.#waitMs(bucket) > 0) blocked.add(bucket);
      if (waitMs > 0) nextMs = Math.min(nextMs, waitMs);
    }
    this.#waiting = left;
    if (left.length > 0 && Number.isFinite(nextMs)) {
      this.#timer = setTimeout(() => this.#pump(), Math.ceil(nextMs));
    }
  }

  #use(buckets: readonly Bucket[]): Turn {
    const uses = buckets.map((bucket) => {
      const use = { freeAtMs: Number.POSITIVE_INFINITY };
      bucket.uses.push(use);
      return { use, windowMs: bucket.limit.windowMs + marginMs };
    });
    const countFor = (ms: (windowMs: number) => number) => {
      for (const { use, windowMs } of uses) use.freeAtMs = this.#now() + ms(windowMs);
      if (this.#waiting.length > 0) this.#pump();
    };
    return { done: () => countFor((windowMs) => windowMs), giveBack: () => countFor(() => 0) };
  }

  /** Infinity while only calls under way are waited for: their end looks again. */
  #waitMs(bucket: Bucket, keep = 0): number {
    const nowMs = this.#now();
    bucket.uses = bucket.uses.filter(({ freeAtMs }) => freeAtMs > nowMs);
    const pauseMs = Math.max(0, bucket.pausedUntilMs - nowMs);
    const over = bucket.uses.length + 1 + keep - bucket.limit.calls;
    if (over <= 0) return pauseMs;
    const freeAtMs = bucket.uses.map((use) => use.freeAtMs).toSorted((a, b) => a - b)[over - 1];
    return Math.max(pauseMs, (freeAtMs ?? nowMs) - nowMs);
  }

  #bucket(kind: CallKind, channel: string | undefined): Bucket {
    const key = `${kind} ${channel ?? ""}`;
    const known = this.#buckets.get(key);
    if (known) return known;
    if (this.#buckets.size > mostIdleBuckets) this.#forgetIdle();
    const bucket: Bucket = { name: key, limit: limits[kind], uses: [], pausedUntilMs: 0 };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #forgetIdle(): void {
    const inUse = new Set(this.#waiting.flatMap(({ buckets }) => buckets));
    for (const [key, bucket] of this.#buckets) {
      const isIdle = this.#waitMs(bucket, bucket.limit.calls - 1) === 0;
      if (isIdle && !inUse.has(bucket)) this.#buckets.delete(key);
    }
  }
}

function toShared({ name, limit }: Bucket): SharedLimit {
  const { calls, windowMs } = limit;
  return { type: "windowed", key: `discord/${name}`, calls, windowMs: windowMs + marginMs };
}
