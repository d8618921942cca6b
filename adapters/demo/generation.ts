import { type Beat, play, responseOf, tokensIn, type Writing } from "./events.ts";
import type { WireObject } from "./wire.ts";

/** Waits; rejects when the signal is aborted. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

/** How fast an answer comes. */
export interface Pace {
  /** Infinity: at once. */
  readonly tokensPerSecond: number;
  readonly wait: Wait;
  readonly now: () => number;
}

/**
 * One answer being written. It is written whether anybody reads or not, until it is stopped; any
 * number of readers may follow it, each from its own place.
 */
export class Generation {
  readonly #writing: Writing;
  readonly #pace: Pace;
  readonly #stop = new AbortController();
  readonly #beats: Beat[] = [];
  readonly #output: WireObject[] = [];
  readonly #readers = new Set<() => void>();
  #response: WireObject | undefined;
  /** Settles when the answer is over, however it ended; never rejects. */
  readonly finished: Promise<void>;

  constructor(writing: Writing, pace: Pace) {
    this.#writing = writing;
    this.#pace = pace;
    this.finished = this.#write();
  }

  get id(): string {
    return this.#writing.id;
  }

  get isOver(): boolean {
    return this.#response !== undefined;
  }

  /** The response as it stands. */
  get response(): WireObject {
    return this.#response ?? responseOf(this.#writing, "in_progress", [...this.#output]);
  }

  /** Ends it where it is. False when it was over already. */
  cancel(): boolean {
    if (this.#response) return false;
    this.#response = responseOf(this.#writing, "cancelled", [...this.#output]);
    this.#stop.abort();
    this.#wakeReaders();
    return true;
  }

  /**
   * What happened after event number `after` (−1: from the beginning), and what happens on. Only the
   * connection that asked the question meets the faults; who takes the stream up again does not.
   */
  async *read(
    options: { readonly after?: number; readonly meetsFaults?: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<Beat & { readonly number: number }, void, undefined> {
    let number = -1;
    for (let i = 0; ; i++) {
      while (i >= this.#beats.length) {
        if (this.#response) return;
        await this.#nextBeat(signal);
      }
      const beat = this.#beats[i];
      if (!beat) return;
      if (beat.type === "event") number += 1;
      const isWanted = beat.type === "fault" ? options.meetsFaults : number > (options.after ?? -1);
      if (isWanted) yield { ...beat, number };
    }
  }

  async #write(): Promise<void> {
    const { signal } = this.#stop;
    const { wait, now } = this.#pace;
    const msPerToken = this.#msPerToken();
    const beats = play(this.#writing, this.#output);
    const begunMs = now();
    let tokens = 0;
    for (;;) {
      const next = beats.next();
      if (next.done) {
        this.#response ??= next.value;
        break;
      }
      const beat = next.value;
      if (beat.type === "event") tokens += beat.tokens;
      const dueMs = begunMs + tokens * msPerToken - now();
      // Many at once when it is late: a timer does not come every millisecond.
      if (msPerToken > 0 && dueMs > 0) await wait(dueMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      this.#beats.push(beat);
      this.#wakeReaders();
    }
    this.#wakeReaders();
  }

  #msPerToken(): number {
    const { lastsMs, lastsAtMostMs, acts } = this.#writing.plan;
    const usual = 1_000 / this.#pace.tokensPerSecond;
    if (lastsMs === undefined && lastsAtMostMs === undefined) return usual;
    const tokens = tokensIn(acts);
    if (lastsMs !== undefined) return lastsMs / Math.max(tokens, 1);
    return Math.min(usual, (lastsAtMostMs ?? Infinity) / Math.max(tokens, 1));
  }

  #nextBeat(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#readers.delete(wake);
        reject(signal.reason);
      };
      const wake = () => {
        this.#readers.delete(wake);
        signal.removeEventListener("abort", stop);
        resolve();
      };
      if (signal.aborted) return stop();
      signal.addEventListener("abort", stop, { once: true });
      this.#readers.add(wake);
    });
  }

  #wakeReaders(): void {
    for (const wake of [...this.#readers]) wake();
  }
}
