import type { WireClock } from "./clock.ts";

/**
 * How often a method may be called, per workspace: `callsPerMinute` refill evenly, and a rested
 * bucket holds a full minute's calls. `posting` is chat.postMessage's: three at once and then one
 * a second in each channel, within the workspace's 300 a minute.
 */
export type RateLimit =
  | { readonly type: "per-minute"; readonly callsPerMinute: number }
  | { readonly type: "posting" }
  | { readonly type: "reading" }
  | { readonly type: "none" };

/** Slack's tiers (docs.slack.dev/apis/web-api/rate-limits) and the special ones. */
export const limits = {
  tier1: { type: "per-minute", callsPerMinute: 1 },
  tier2: { type: "per-minute", callsPerMinute: 20 },
  tier3: { type: "per-minute", callsPerMinute: 50 },
  tier4: { type: "per-minute", callsPerMinute: 100 },
  status: { type: "per-minute", callsPerMinute: 600 },
  posting: { type: "posting" },
  /** conversations.history and .replies: tier 3, or one a minute for a distributed app. */
  reading: { type: "reading" },
  none: { type: "none" },
} as const satisfies Record<string, RateLimit>;

interface Bucket {
  tokens: number;
  atMs: number;
}

interface BucketSize {
  readonly key: string;
  readonly capacity: number;
  readonly perSecond: number;
}

/** The buckets of one server. A call is paid from all of its buckets or from none. */
export class RateLimiter {
  readonly #clock: WireClock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: WireClock) {
    this.#clock = clock;
  }

  /** 0 when the call may pass (and is then paid for), otherwise the seconds to wait, rounded up. */
  take(call: {
    readonly teamId: string;
    readonly method: string;
    readonly channel: string | undefined;
    readonly limit: RateLimit;
    readonly isDistributed: boolean;
  }): number {
    const sizes = bucketsOf(call);
    const buckets = sizes.map((size) => this.#filled(size));
    const waitSeconds = Math.max(
      0,
      ...sizes.map((size, index) => {
        const missing = 1 - (buckets[index]?.tokens ?? 0);
        // A hair of floating point must not cost a second.
        return missing > 1e-9 ? missing / size.perSecond : 0;
      }),
    );
    if (waitSeconds > 0) return Math.max(1, Math.ceil(waitSeconds - 1e-9));
    for (const bucket of buckets) bucket.tokens -= 1;
    return 0;
  }

  #filled(size: BucketSize): Bucket {
    const nowMs = this.#clock.now();
    const bucket = this.#buckets.get(size.key) ?? { tokens: size.capacity, atMs: nowMs };
    const gained = ((nowMs - bucket.atMs) / 1000) * size.perSecond;
    bucket.tokens = Math.min(size.capacity, bucket.tokens + gained);
    bucket.atMs = nowMs;
    this.#buckets.set(size.key, bucket);
    return bucket;
  }
}

function bucketsOf(call: {
  readonly teamId: string;
  readonly method: string;
  readonly channel: string | undefined;
  readonly limit: RateLimit;
  readonly isDistributed: boolean;
}): readonly BucketSize[] {
  const key = `${call.teamId} ${call.method}`;
  const { limit } = call;
  switch (limit.type) {
    case "none":
      return [];
    case "per-minute":
      return [perMinute(key, limit.callsPerMinute)];
    case "reading":
      return [perMinute(key, call.isDistributed ? 1 : 50)];
    case "posting":
      return [
        { key: `${key} ${call.channel ?? ""}`, capacity: 3, perSecond: 1 },
        perMinute(key, 300),
      ];
  }
}

function perMinute(key: string, calls: number): BucketSize {
  return { key, capacity: calls, perSecond: calls / 60 };
}
