import type { RedisDatabase } from "./database.ts";

/** How late it is by both clocks of this machine, in milliseconds. */
export interface Moment {
  /** Runs evenly, and on while the process is stopped; not while the machine is asleep. */
  readonly steadyMs: number;
  /** Is set from outside; has moved on when the machine wakes up. */
  readonly wallMs: number;
}

/** The longest that an answer is relied on, whatever the lease. */
const longestMs = 1_000;
/** And the part of the lease: most of it is still to come when something is sent because of it. */
const longestPart = 1 / 4;

export function thisMoment(): Moment {
  return { steadyMs: performance.now(), wallMs: Date.now() };
}

/** The time between two moments: by whichever clock it was longer. */
export function elapsedMs(from: Moment, to: Moment): number {
  return Math.max(to.steadyMs - from.steadyMs, Math.abs(to.wallMs - from.wallMs));
}

/** A question that was put to Redis. */
interface Question {
  readonly askedAt: Moment;
  readonly connection: number;
  /** How often it had been put in doubt by then. */
  readonly doubts: number;
}

/**
 * That Redis said a lease is held. A lease that was renewed lasts from when Redis was *asked* to renew it:
 * for a short while the answer is known without asking again. It is worth nothing once the connection
 * was lost: another server may know nothing of the lease.
 */
export class Proof {
  readonly #database: Pick<RedisDatabase, "connection">;
  readonly #validMs: number;
  readonly #now: () => Moment;
  #doubts = 0;
  /** The newest that was answered. */
  #answered: Question | undefined;

  constructor(options: {
    readonly database: Pick<RedisDatabase, "connection">;
    readonly leaseMs: number;
    readonly now: () => Moment;
  }) {
    this.#database = options.database;
    this.#validMs = Math.min(longestMs, options.leaseMs * longestPart);
    this.#now = options.now;
  }

  /** Whether the answer would be yes, without asking. */
  get stands(): boolean {
    const proven = this.#answered;
    return (
      proven !== undefined &&
      proven.doubts === this.#doubts &&
      proven.connection === this.#database.connection &&
      elapsedMs(proven.askedAt, this.#now()) < this.#validMs
    );
  }

  /**
   * Asks for something that renews the lease: that it is held is proven unless that throws, or something
   * was put in doubt meanwhile. Resolves to the answer and how long it took, in milliseconds.
   */
  async ask<Answer>(renew: () => Promise<Answer>) {
    const question = {
      askedAt: this.#now(),
      connection: this.#database.connection,
      doubts: this.#doubts,
    };
    const answer = await renew();
    this.#answered = question;
    return { answer, tookMs: elapsedMs(question.askedAt, this.#now()) };
  }

  /** It may be otherwise by now. */
  forget(): void {
    this.#doubts += 1;
  }
}
