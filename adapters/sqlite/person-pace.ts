const windowMs = 60_000;

/**
 * Who wrote how often within the last minute. Kept in memory, for those who wrote in that minute
 * only: one process sees every message, and a restart may forgive.
 */
export class PersonPace {
  readonly #timesMs = new Map<string, readonly number[]>();
  #sweptAtMs = 0;

  count(personKey: string, nowMs: number): number {
    return this.#recent(personKey, nowMs).length;
  }

  add(personKey: string, nowMs: number): void {
    this.#sweep(nowMs);
    this.#timesMs.set(personKey, [...this.#recent(personKey, nowMs), nowMs]);
  }

  #recent(personKey: string, nowMs: number): readonly number[] {
    const times = this.#timesMs.get(personKey) ?? [];
    return times.filter((atMs) => atMs > nowMs - windowMs);
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < windowMs) return;
    this.#sweptAtMs = nowMs;
    for (const personKey of [...this.#timesMs.keys()]) {
      if (this.count(personKey, nowMs) === 0) this.#timesMs.delete(personKey);
    }
  }
}
