const tickMs = 1_000;

/** An answer that has not come. */
interface Waiting {
  ticks: number;
  readonly giveUp: (error: Error) => void;
}

/**
 * Waits for answers, and not for ever. One timer counts for all of them, in seconds this process was
 * awake: one that slept finds its answers before it gives them up.
 */
export class Patience {
  readonly #seconds: number;
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;

  /** It lasts for so many seconds, and up to one more. */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** Settles as the answer does; rejects with an Error when it takes too long, and it may still come. */
  of<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const waiting: Waiting = { ticks: 0, giveUp: reject };
    this.#waiting.add(waiting);
    this.#timer ??= setInterval(() => this.#tick(), tickMs).unref();
    const settle = <Value>(value: Value, end: (value: Value) => void) => {
      this.#waiting.delete(waiting);
      end(value);
    };
    answer.then(
      (value) => settle(value, resolve),
      (error) => settle(error, reject),
    );
    return promise;
  }

  #tick(): void {
    for (const waiting of this.#waiting) {
      waiting.ticks += 1;
      if (waiting.ticks <= this.#seconds) continue;
      this.#waiting.delete(waiting);
      waiting.giveUp(new Error(`no answer within ${this.#seconds} seconds`));
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
