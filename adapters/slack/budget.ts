import { alone, type Processes, type Spent } from "#ports/processes";
import { SharedCounts } from "#ports/shared-counts";

/** Who goes first when calls have to wait. */
export type Priority = "final" | "shown" | "decoration";

/** One thing Slack counts by: a method, or a method and a channel. */
interface BucketSize {
  readonly key: string;
  readonly capacity: number;
  readonly perSecond: number;
}

/** What Slack said about a place, as the processes tell each other. */
interface Told {
  readonly method: string;
  readonly channel?: string;
  readonly forMs: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
  /** Slack said to wait: nothing before. */
  pausedUntilMs: number;
}

/** Calls that are kept back for a reply. */
interface Kept {
  readonly what: "chat.update" | "chat.postMessage";
  readonly calls: number;
  readonly untilMs: number;
}

/** What processes tell each other of what they hold: open streams, and calls kept back. */
type Held = "streams" | "beginning" | Kept["what"];

interface Waiting {
  readonly place: string;
  readonly sizes: readonly BucketSize[];
  readonly rank: number;
  readonly go: () => void;
}

const ranks: { readonly [P in Priority]: number } = { final: 0, shown: 1, decoration: 2 };

/**
 * Calls a minute, kept a little under what Slack documents (docs.slack.dev/apis/web-api/rate-limits:
 * tier 2 is 20, tier 3 is 50, tier 4 is 100). Whatever is not here is tier 3.
 */
const perMinute: { readonly [method: string]: number } = {
  "chat.startStream": 19,
  "chat.stopStream": 19,
  "chat.appendStream": 95,
  "chat.update": 48,
  "chat.postEphemeral": 95,
  "files.getUploadURLExternal": 95,
  "files.completeUploadExternal": 95,
  "files.info": 95,
  "users.info": 95,
  "views.open": 95,
  "views.update": 95,
  "views.publish": 95,
  "assistant.threads.setStatus": 580,
  "assistant.threads.setSuggestedPrompts": 95,
  "auth.test": 300,
  "chat.getPermalink": 290,
};

/** Posts: about one a second in a channel, and a few hundred a minute in a workspace. */
const post = { perChannel: 3, perChannelSecond: 0.95, perMinute: 290 };

/** A growing message is begun only if it could be written to so often in its first ten seconds. */
const firstSeconds = 10;
const appendsInFirstSeconds = 8;
const updatesInFirstSeconds = 4;
/** What has rested is spent over so many seconds; after that only what comes in. */
const spentOverSeconds = 5;
/** Of a stream's bucket: kept for who comes next. */
const appendsKept = 5;
/** Posts kept back from parts of unfinished replies, for who comes next. */
const postsKept = 60;
/**
 * So many replies show nothing yet: a call for one of them is worth more than the next words of one
 * that moves already. A part of an answer posted once halves how far it is behind.
 */
const rushFrom = 50;
const inRush = { appendEveryMs: 2_500, updateEveryMs: 5_000 };
/** A reply that was given up without a word keeps nothing back for longer. */
const keptForMs = 10 * 60_000;

/**
 * What one workspace lets one app call, shared by everything that calls it: rested buckets may be
 * spent as a burst, final texts go first, and after a 429 the method waits as long as it was told.
 * What a growing message needs to be ended is kept back from its begin on.
 *
 * Where several processes call for the same workspace, each call is paid from what all of them have
 * together; the buckets here are then what this process knows of those.
 */
export class Budget {
  readonly #now: () => number;
  /** Channels that were told to wait with a method, and until when. */
  readonly #told = new Map<string, { readonly method: string; readonly untilMs: number }>();
  readonly #buckets = new Map<string, Bucket>();
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** By reply, the call its open message is ended with. */
  readonly #kept = new Map<object, Kept>();
  #openStreams = 0;
  /** Of these, those whose start is not paid yet. */
  #beginning = 0;

  readonly #processes: Processes;
  readonly #name: string;
  readonly #counts: SharedCounts<Held>;

  /** `name` tells the workspace from others. */
  constructor(now: () => number = Date.now, processes = alone, name = "slack") {
    this.#now = now;
    this.#processes = processes;
    this.#name = name;
    this.#counts = new SharedCounts({ processes, topic: `${name}/held`, now });
    processes.hear(`${name}/told`, {
      told: (words) => {
        const { method, channel, forMs } = words as unknown as Told;
        this.#pause(method, channel, forMs);
      },
    });
  }

  /** Resolves when the call may be made; it is paid then. */
  async take(method: string, channel: string | undefined, priority: Priority): Promise<void> {
    const { spend } = this.#processes;
    for (;;) {
      await this.#turn(method, channel, priority);
      if (!spend) return;
      const sizes = sizesOf(method, channel);
      const spent = await spend(
        sizes.map((size) => ({ type: "refilled", ...size, key: `${this.#name}/${size.key}` })),
      );
      this.#learn(sizes, spent);
      if (spent.isGranted) return;
    }
  }

  /** What all processes together have left is what counts. */
  #learn(sizes: readonly BucketSize[], spent: Spent): void {
    for (const [index, size] of sizes.entries()) {
      const bucket = this.#filled(size);
      if (spent.isGranted)
        bucket.tokens = Math.min(bucket.tokens, spent.left[index] ?? bucket.tokens);
      else {
        const waitMs = spent.waitMs[index] ?? 0;
        bucket.tokens = waitMs > 0 ? 1 - (waitMs / 1_000) * size.perSecond : bucket.tokens + 1;
      }
    }
  }

  /** Resolves when this process may make the call, for all it knows. */
  #turn(method: string, channel: string | undefined, priority: Priority): Promise<void> {
    return new Promise((resolve) => {
      const sizes = sizesOf(method, channel);
      const place = placeOf(method, channel);
      const waiting = { sizes, place, rank: ranks[priority], go: resolve };
      const at = this.#waiting.findIndex(({ rank }) => rank > waiting.rank);
      this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, waiting);
      this.#pump();
    });
  }

  /** How many calls of a method could be made at once. */
  available(method: string, channel?: string): number {
    if (this.#toldMs(placeOf(method, channel)) > 0) return 0;
    return Math.min(...sizesOf(method, channel).map((size) => this.#tokens(size)));
  }

  /**
   * Slack said 429. It does not say what it counted: the channel waits, and when another channel is
   * told the same meanwhile, the method waits everywhere.
   */
  pause(method: string, channel: string | undefined, forMs: number): void {
    this.#pause(method, channel, forMs);
    const told = { method, ...(channel === undefined ? {} : { channel }), forMs } satisfies Told;
    this.#processes.tell(`${this.#name}/told`, told);
  }

  #pause(method: string, channel: string | undefined, forMs: number): void {
    const untilMs = this.#now() + forMs;
    for (const [key, told] of this.#told) if (told.untilMs <= this.#now()) this.#told.delete(key);
    const own = placeOf(method, channel);
    const isEverywhere =
      channel === undefined ||
      [...this.#told].some(([key, told]) => told.method === method && key !== own);
    this.#told.set(own, { method, untilMs });
    for (const size of sizesOf(method, channel)) {
      const bucket = this.#filled(size);
      bucket.tokens = Math.min(bucket.tokens, 0);
      if (isEverywhere) bucket.pausedUntilMs = Math.max(bucket.pausedUntilMs, untilMs);
    }
  }

  /** True when one more stream can be begun and fed, and all that are open can still be stopped. */
  get canStream(): boolean {
    const streams = this.#streams + 1;
    const beginning = this.#beginning + this.#counts.others("beginning");
    if (this.available("chat.startStream") < beginning + 1) return false;
    if (this.available("chat.stopStream") < streams) return false;
    return this.#inFirstSeconds("chat.appendStream") >= streams * appendsInFirstSeconds;
  }

  /** True when one more message can be posted to be updated while it grows, and all of them ended. */
  canBeginUpdated(channel: string): boolean {
    if (this.#isRush || this.available("chat.postMessage", channel) < 1) return false;
    const updated = this.#keptBack("chat.update") + 1;
    if (this.available("chat.update") < updated) return false;
    return this.#inFirstSeconds("chat.update") >= updated * updatesInFirstSeconds;
  }

  /** True when a growing message can be updated, and all of them still be ended. */
  get canUpdate(): boolean {
    return this.available("chat.update") >= this.#keptBack("chat.update") + 1;
  }

  /** True when the finished part of a reply can be posted, and the end of every other one as well. */
  canPostPart(channel: string): boolean {
    if (this.available("chat.postMessage", channel) < 2) return false;
    return this.available("chat.postMessage") >= this.#keptBack("chat.postMessage") + postsKept;
  }

  /** A stream is about to be begun: its start and its stop are kept back. */
  holdStream(): void {
    this.#openStreams += 1;
    this.#beginning += 1;
    this.#tellHeld();
  }

  /** Its start was paid, or is not needed any more. */
  streamBegun(): void {
    this.#beginning = Math.max(0, this.#beginning - 1);
    this.#tellHeld();
  }

  /** Its stop need not be kept back any longer. */
  releaseStream(): void {
    this.#openStreams = Math.max(0, this.#openStreams - 1);
    this.#tellHeld();
  }

  /** Keeps back what ends a reply's open message; nothing when it needs none of these. */
  keepFor(reply: object, what: Kept["what"] | undefined, calls = 1): void {
    if (what === undefined) this.#kept.delete(reply);
    else this.#kept.set(reply, { what, calls, untilMs: this.#now() + keptForMs });
    this.#tellHeld();
  }

  /** How long a stream waits between two appends, so that all of them get their share. */
  get appendEveryMs(): number {
    const leastMs = this.#isRush ? inRush.appendEveryMs : 1_000;
    return Math.max(leastMs, this.#shareMs("chat.appendStream", this.#streams, appendsKept));
  }

  /** The same for messages that are updated. */
  get updateEveryMs(): number {
    const updated = this.#keptBack("chat.update");
    const leastMs = this.#isRush ? inRush.updateEveryMs : 0;
    return Math.max(leastMs, this.#shareMs("chat.update", updated, updated));
  }

  get #isRush(): boolean {
    return this.#keptBack("chat.postMessage") > rushFrom;
  }

  get #streams(): number {
    return this.#openStreams + this.#counts.others("streams");
  }

  #tellHeld(): void {
    if (!this.#processes.spend) return;
    this.#counts.set({
      streams: this.#openStreams,
      beginning: this.#beginning,
      "chat.update": this.#ownKept("chat.update"),
      "chat.postMessage": this.#ownKept("chat.postMessage"),
    });
  }

  #keptBack(what: Kept["what"]): number {
    return this.#ownKept(what) + this.#counts.others(what);
  }

  #ownKept(what: Kept["what"]): number {
    const nowMs = this.#now();
    let count = 0;
    for (const [reply, kept] of this.#kept) {
      if (kept.untilMs < nowMs) this.#kept.delete(reply);
      else if (kept.what === what) count += kept.calls;
    }
    return count;
  }

  #shareMs(method: string, users: number, kept: number): number {
    const [size] = sizesOf(method, undefined);
    if (!size) return 1_000;
    const rested = Math.max(0, this.#tokens(size) - kept);
    const perSecond = size.perSecond + rested / spentOverSeconds;
    return (Math.max(1, users) / perSecond) * 1_000;
  }

  #inFirstSeconds(method: string): number {
    const [size] = sizesOf(method, undefined);
    return size ? this.#tokens(size) + size.perSecond * firstSeconds : 0;
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const blocked = new Set<string>();
    let nextMs = Number.POSITIVE_INFINITY;
    const left: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const toldMs = this.#toldMs(waiting.place);
      const waitMs = Math.max(toldMs, ...waiting.sizes.map((size) => this.#waitMs(size)));
      const isBehind = waiting.sizes.some(({ key }) => blocked.has(key));
      if (waitMs <= 0 && !isBehind) {
        for (const size of waiting.sizes) this.#filled(size).tokens -= 1;
        waiting.go();
        continue;
      }
      left.push(waiting);
      // Only what is short holds others up: a slow channel must not stop the workspace.
      for (const size of waiting.sizes) if (this.#waitMs(size) > 0) blocked.add(size.key);
      if (waitMs > 0) nextMs = Math.min(nextMs, waitMs);
    }
    this.#waiting = left;
    if (left.length > 0 && Number.isFinite(nextMs)) {
      this.#timer = setTimeout(() => this.#pump(), Math.ceil(nextMs));
    }
  }

  #toldMs(place: string): number {
    return Math.max(0, (this.#told.get(place)?.untilMs ?? 0) - this.#now());
  }

  #waitMs(size: BucketSize): number {
    const bucket = this.#filled(size);
    const pauseMs = bucket.pausedUntilMs - this.#now();
    const missing = 1 - bucket.tokens;
    return Math.max(0, pauseMs, missing > 1e-9 ? (missing / size.perSecond) * 1_000 : 0);
  }

  #tokens(size: BucketSize): number {
    const bucket = this.#filled(size);
    return bucket.pausedUntilMs > this.#now() ? 0 : bucket.tokens;
  }

  #filled(size: BucketSize): Bucket {
    const nowMs = this.#now();
    const bucket = this.#buckets.get(size.key) ?? {
      tokens: size.capacity,
      atMs: nowMs,
      pausedUntilMs: 0,
    };
    const gained = Math.max(0, (nowMs - bucket.atMs) / 1_000) * size.perSecond;
    bucket.tokens = Math.min(size.capacity, bucket.tokens + gained);
    bucket.atMs = nowMs;
    this.#buckets.set(size.key, bucket);
    return bucket;
  }
}

function placeOf(method: string, channel: string | undefined): string {
  return `${method} in ${channel ?? "general"}`;
}

function sizesOf(method: string, channel: string | undefined): readonly BucketSize[] {
  if (method === "chat.postMessage") {
    const { perChannel, perChannelSecond, perMinute: all } = post;
    const inWorkspace = { key: method, capacity: all, perSecond: all / 60 };
    if (channel === undefined) return [inWorkspace];
    const key = `${method} ${channel}`;
    return [{ key, capacity: perChannel, perSecond: perChannelSecond }, inWorkspace];
  }
  const calls = perMinute[method] ?? 48;
  return [{ key: method, capacity: calls, perSecond: calls / 60 }];
}
