/**
 * What the work gives, or after `ms` what `late` gives or throws: by default it throws. The work is
 * not stopped, and nobody hears of its end then.
 */
export async function within<T, Late = never>(
  ms: number,
  work: Promise<T>,
  late: () => Late = tookTooLong,
): Promise<T | Late> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  try {
    return await Promise.race([work, promise.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}

function tookTooLong(): never {
  throw new Error("took too long");
}

/** Lets one work at a time run under a key, in the order they were asked for; different keys run side by side. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs the work once all that was asked for before it under this key has ended, well or badly. */
  async runExclusive<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }
}
