/** The time a wire server lives by: limits, deadlines and retries all ask it. */
export interface WireClock {
  now(): number;
  /** Runs `work` once `delayMs` have passed on this clock; the answer calls it off. */
  after(delayMs: number, work: () => void): () => void;
}

/** The machine's own time; its timers do not keep a process alive. */
export const systemClock: WireClock = {
  now: () => Date.now(),
  after(delayMs, work) {
    const timer = setTimeout(work, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

interface Appointment {
  readonly atMs: number;
  readonly work: () => void;
}

/** A clock that stands still until a test moves it, so that minutes pass at once. */
export class ManualClock implements WireClock {
  #nowMs: number;
  #appointments: Appointment[] = [];

  constructor(startMs: number = Date.now()) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, work: () => void): () => void {
    const appointment = { atMs: this.#nowMs + delayMs, work };
    this.#appointments.push(appointment);
    return () => {
      this.#appointments = this.#appointments.filter((other) => other !== appointment);
    };
  }

  /** Moves the time on and keeps every appointment on the way, in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#appointments
        .filter(({ atMs }) => atMs <= untilMs)
        .reduce<Appointment | undefined>(
          (first, one) => (first === undefined || one.atMs < first.atMs ? one : first),
          undefined,
        );
      if (next === undefined) break;
      this.#appointments = this.#appointments.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.work();
    }
    this.#nowMs = untilMs;
  }
}
