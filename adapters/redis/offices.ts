import type { Cut, Holder, Offices, Part } from "#ports/processes";
import type { RedisDatabase } from "./database.ts";
import { toList, toTexts } from "./replies.ts";

/** How long everything takes; all in milliseconds. */
export interface OfficeTimes {
  /** Who falls silent for so long has lost what it had. */
  readonly leaseMs: number;
  /** How often a process says that it is there, and takes a part, if one is free. */
  readonly lookMs: number;
  /** By its own clock a holder stops so long before Redis lets anybody else begin. */
  readonly marginMs: number;
  /** Who has been there for so long is handed over its share; what is free it may take at once. */
  readonly settledMs: number;
  /** Between two parts that are handed over, by whomever. */
  readonly pauseMs: number;
  /** Who could not begin leaves what is free to others for so long. */
  readonly unfitMs: number;
  /** After what could not be begun; twice as long each time in a row, up to `mostBackOffMs`. */
  readonly backOffMs: number;
  readonly mostBackOffMs: number;
}

const usualTimes: OfficeTimes = {
  leaseMs: 8_000,
  lookMs: 2_000,
  marginMs: 1_000,
  settledMs: 30_000,
  pauseMs: 10_000,
  unfitMs: 10 * 60_000,
  backOffMs: 2_000,
  mostBackOffMs: 5 * 60_000,
};

interface OfficeParts {
  readonly database: RedisDatabase;
  readonly name: string;
  readonly self: string;
  readonly holder: Holder;
  readonly times?: OfficeTimes;
}

/** The {@link Offices} in Redis: keys that lapse unless they are renewed. */
export class RedisOffices implements Offices {
  readonly #parts: OfficeParts;
  readonly #times: OfficeTimes;
  readonly #posts = new Map<number, Post>();
  #wanted: Cut = { size: 1, parts: 1 };
  /** Where the next free part is looked for: behind the one that could not be begun. */
  #from = 0;
  #failures = 0;
  #notBeforeMs = 0;
  #unfitUntilMs = 0;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  /** One question to Redis after the other: what an answer says must not be outdated by another. */
  #asking: Promise<unknown> = Promise.resolve();

  constructor(parts: OfficeParts) {
    this.#parts = parts;
    this.#times = parts.times ?? usualTimes;
  }

  async open(): Promise<void> {
    try {
      this.#wanted = await this.#parts.holder.cut();
      await this.#look();
      this.#lookAgain();
      await Promise.all([...this.#posts.values()].map(({ begun }) => begun));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#asking;
    await Promise.all([...this.#posts.values()].map((post) => this.#end(post)));
    const { database, name, self } = this.#parts;
    await database.run("quitOffices", [name, self]).catch(() => undefined);
  }

  #lookAgain(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      void this.#look().then(() => this.#lookAgain());
    }, this.#times.lookMs);
  }

  /** Never throws. While Redis does not answer, what is held is held until its end. */
  #look(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#isClosed) return;
      // What was lost while the process slept may have been another's meanwhile: it is begun anew.
      for (const post of this.#posts.values()) if (!post.isHeld) void this.#end(post);
      const askedMs = performance.now();
      const found = await this.#ask(askedMs).catch(() => undefined);
      if (found) this.#settle(found, askedMs + this.#times.leaseMs - this.#times.marginMs);
    });
  }

  async #ask(nowMs: number): Promise<Found> {
    const { database, name, self } = this.#parts;
    const { leaseMs, pauseMs, settledMs } = this.#times;
    const isBusy = [...this.#posts.values()].some(({ state }) => state !== "begun");
    const question = {
      ...{ name, self, leaseMs, pauseMs, settledMs },
      ...this.#wanted,
      mayTake: !isBusy && nowMs >= this.#notBeforeMs,
      isFit: nowMs >= this.#unfitUntilMs,
      from: this.#from % this.#wanted.parts,
    };
    const reply = toList(await database.run("office", [JSON.stringify(question)]));
    const [size, parts, held, give] = reply;
    return {
      cut: { size: Number(size), parts: Number(parts) },
      held: new Set(toTexts(held).map(Number)),
      give: Number(give),
    };
  }

  #settle({ cut, held, give }: Found, untilMs: number): void {
    for (const post of this.#posts.values()) {
      const isSame = post.of.size === cut.size && post.of.parts === cut.parts;
      if (isSame && held.has(post.index)) post.renew(untilMs);
      else post.lose();
      if (!post.isHeld) void this.#end(post);
    }
    for (const index of held) {
      if (this.#posts.has(index)) continue;
      const post = new Post({ index, of: cut, untilMs, giveUp: () => this.#fail(post) });
      this.#posts.set(index, post);
      post.begun = this.#begin(post);
      // Who opens the office hears of it; later on it is tried again.
      post.begun.catch(() => undefined);
    }
    const given = this.#posts.get(give);
    if (given) void this.#end(given);
  }

  async #begin(post: Post): Promise<void> {
    try {
      await this.#parts.holder.begin(post);
    } catch (error) {
      if (post.state === "beginning") this.#fail(post);
      throw error;
    }
    if (post.state !== "beginning") return;
    post.state = "begun";
    this.#failures = 0;
    this.#unfitUntilMs = 0;
  }

  #fail(post: Post): void {
    if (post.state === "ending" || this.#isClosed) return;
    const { backOffMs, mostBackOffMs, unfitMs } = this.#times;
    const nowMs = performance.now();
    this.#unfitUntilMs = nowMs + unfitMs;
    this.#notBeforeMs = nowMs + Math.min(backOffMs * 2 ** this.#failures, mostBackOffMs);
    this.#failures += 1;
    this.#from = post.index + 1;
    void this.#end(post);
    this.#parts.holder.cut().then(
      (cut) => {
        this.#wanted = cut;
      },
      () => undefined,
    );
  }

  /** Ends what is done with a part, then lets others have it. Never throws. */
  #end(post: Post): Promise<void> {
    post.ended ??= this.#leave(post);
    return post.ended;
  }

  async #leave(post: Post): Promise<void> {
    const { database, holder, name, self } = this.#parts;
    post.state = "ending";
    await holder.end(post).catch(() => undefined);
    await post.begun.catch(() => undefined);
    post.lose();
    await this.#inTurn(async () => {
      const args = [name, self, String(post.index)];
      await database.run("leaveOffice", args).catch(() => undefined);
      this.#posts.delete(post.index);
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#asking.then(work);
    this.#asking = mine;
    return mine;
  }
}

/** What Redis says. */
interface Found {
  readonly cut: Cut;
  readonly held: ReadonlySet<number>;
  /** The part to hand over; -1: none. */
  readonly give: number;
}

/** A part that this process has, or has had a moment ago. */
class Post implements Part {
  readonly index: number;
  readonly of: Cut;
  readonly giveUp: () => void;
  state: "beginning" | "begun" | "ending" = "beginning";
  begun: Promise<void> = Promise.resolve();
  ended: Promise<void> | undefined;
  #untilMs: number;

  constructor(parts: {
    readonly index: number;
    readonly of: Cut;
    readonly untilMs: number;
    readonly giveUp: () => void;
  }) {
    this.index = parts.index;
    this.of = parts.of;
    this.giveUp = parts.giveUp;
    this.#untilMs = parts.untilMs;
  }

  get isHeld(): boolean {
    return performance.now() < this.#untilMs;
  }

  /** Lost once, it is lost for good: another may have had it since. */
  renew(untilMs: number): void {
    if (this.isHeld) this.#untilMs = untilMs;
  }

  lose(): void {
    this.#untilMs = 0;
  }
}
