import { alone } from "#ports/processes";
import { SharedCounts } from "#ports/shared-counts";

/** Between two edits of the only reply in a channel. */
const aloneMs = 1_200;
/** Where several replies share a channel, not faster than this. */
const sharedMs = 1_500;
/** A channel's edits a second that interim texts may take: one of five is kept for final texts. */
const perChannelSecond = 0.8;
/** Requests a second that the interim texts of all channels may take, of 50. */
const inAllSecond = 30;
const mostSlowness = 16;
/** So long without a limit met, and a channel is as fast as before. */
const calmAfterMs = 30_000;

/** How often a reply may be edited: newly shared among those that are being written right now. */
export class Pace {
  readonly #now: () => number;
  readonly #writers = new Map<string, number>();
  readonly #slowed = new Map<string, { readonly times: number; readonly atMs: number }>();
  #all = 0;

  readonly #counts: SharedCounts<"writers">;

  constructor(now: () => number = Date.now, processes = alone) {
    this.#now = now;
    this.#counts = new SharedCounts({ processes, topic: "discord/writers", now });
  }

  /** A reply is being written in a channel; call the result when it is not any more. */
  join(channel: string): () => void {
    this.#count(channel, 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count(channel, -1);
    };
  }

  /** How long a reply in this channel waits between two edits. */
  everyMs(channel: string): number {
    const writers = Math.max(1, this.#writers.get(channel) ?? 0);
    const ownMs =
      writers === 1 ? aloneMs : Math.max(sharedMs, (writers / perChannelSecond) * 1_000);
    const all = this.#all + this.#counts.others("writers");
    const shareMs = (all / inAllSecond) * 1_000;
    return Math.max(ownMs, shareMs) * this.#slowness(channel);
  }

  /** A limit was met in this channel: half as fast, until it has been calm for a while. */
  slowDown(channel: string): void {
    const times = Math.min(mostSlowness, this.#slowness(channel) * 2);
    this.#slowed.set(channel, { times, atMs: this.#now() });
  }

  #slowness(channel: string): number {
    const slowed = this.#slowed.get(channel);
    if (!slowed) return 1;
    if (this.#now() - slowed.atMs < calmAfterMs) return slowed.times;
    this.#slowed.delete(channel);
    return 1;
  }

  #count(channel: string, by: 1 | -1): void {
    const writers = (this.#writers.get(channel) ?? 0) + by;
    this.#all += by;
    this.#counts.set({ writers: this.#all });
    if (writers > 0) this.#writers.set(channel, writers);
    else this.#writers.delete(channel);
  }
}
