import { createHash } from "node:crypto";
import type { WireClock } from "../slack/clock.ts";

/** How many requests a bucket lets pass per window; the window begins with its first request. */
export interface BucketLimit {
  readonly requests: number;
  readonly windowMs: number;
}

/** What a request pays from. */
export interface BucketUse {
  /** Routes with the same name share a bucket, for each major parameter. */
  readonly name: string;
  readonly major: string;
  readonly limit: BucketLimit;
  /** Interaction callbacks and their webhooks are outside the global limit. */
  readonly isGlobal: boolean;
}

/** Whether a request may pass, with the headers of every answer. */
export type LimitVerdict =
  | { readonly type: "pass"; readonly headers: Readonly<Record<string, string>> }
  | {
      readonly type: "limited";
      readonly headers: Readonly<Record<string, string>>;
      readonly retryAfterSeconds: number;
      readonly scope: "user" | "global";
    };

interface Window {
  used: number;
  endsAtMs: number;
}

/** Discord's limits as seen on the wire: 5 creates and 5 edits per channel in 5 s, 50 requests/s in all. */
export const limits = {
  create: { requests: 5, windowMs: 5000 },
  edit: { requests: 5, windowMs: 5000 },
  remove: { requests: 5, windowMs: 1000 },
  react: { requests: 4, windowMs: 1000 },
  read: { requests: 50, windowMs: 1000 },
  typing: { requests: 5, windowMs: 5000 },
  thread: { requests: 50, windowMs: 300_000 },
  rename: { requests: 2, windowMs: 600_000 },
  webhook: { requests: 5, windowMs: 2000 },
  callback: { requests: 1000, windowMs: 1000 },
  other: { requests: 50, windowMs: 1000 },
} as const satisfies Record<string, BucketLimit>;

/** The buckets of one bot, on one clock. */
export class RateLimiter {
  readonly #clock: WireClock;
  readonly #windows = new Map<string, Window>();
  /** Requests a second in all; a test may lower it. */
  globalPerSecond = 50;

  constructor(clock: WireClock) {
    this.#clock = clock;
  }

  take(use: BucketUse): LimitVerdict {
    const nowMs = this.#clock.now();
    const window = this.#window(`${use.name} ${use.major}`, use.limit.windowMs);
    const all = use.isGlobal ? this.#window("global", 1000) : undefined;
    if (all && all.used >= this.globalPerSecond) {
      const retryAfterSeconds = (all.endsAtMs - nowMs) / 1000;
      return {
        type: "limited",
        scope: "global",
        retryAfterSeconds,
        headers: limitedHeaders(retryAfterSeconds, "global"),
      };
    }
    if (window.used >= use.limit.requests) {
      const retryAfterSeconds = (window.endsAtMs - nowMs) / 1000;
      return {
        type: "limited",
        scope: "user",
        retryAfterSeconds,
        headers: {
          ...this.#headers(use, window),
          ...limitedHeaders(retryAfterSeconds, "user"),
        },
      };
    }
    window.used += 1;
    if (all) all.used += 1;
    return { type: "pass", headers: this.#headers(use, window) };
  }

  #window(key: string, windowMs: number): Window {
    const nowMs = this.#clock.now();
    const known = this.#windows.get(key);
    if (known && known.endsAtMs > nowMs) return known;
    const fresh = { used: 0, endsAtMs: nowMs + windowMs };
    this.#windows.set(key, fresh);
    return fresh;
  }

  #headers(use: BucketUse, window: Window): Readonly<Record<string, string>> {
    const leftMs = Math.max(0, window.endsAtMs - this.#clock.now());
    return {
      "x-ratelimit-limit": String(use.limit.requests),
      "x-ratelimit-remaining": String(Math.max(0, use.limit.requests - window.used)),
      "x-ratelimit-reset": (window.endsAtMs / 1000).toFixed(3),
      "x-ratelimit-reset-after": (leftMs / 1000).toFixed(3),
      "x-ratelimit-bucket": createHash("md5").update(use.name).digest("hex"),
    };
  }
}

/** The headers a 429 has besides its bucket's. */
export function limitedHeaders(
  retryAfterSeconds: number,
  scope: "user" | "global" | "shared",
): Readonly<Record<string, string>> {
  return {
    "retry-after": String(Math.max(1, Math.ceil(retryAfterSeconds))),
    "x-ratelimit-scope": scope,
    ...(scope === "global" ? { "x-ratelimit-global": "true" } : {}),
  };
}
