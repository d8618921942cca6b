import { alone, type Processes } from "#ports/processes";

const topic = "model/busy";
/** Who waited for the same moment does not come back in the same one. */
const spreadMs = 500;

interface Told {
  readonly model: string;
  readonly forMs: number;
}

/**
 * Models that said they are busy, and for how long: a limit belongs to the account, so what one run
 * was told holds for every run of every process. Nothing is asked of anybody to know it.
 */
export class ModelPauses {
  readonly #processes: Processes;
  readonly #now: () => number;
  readonly #untilMs = new Map<string, number>();

  constructor({
    processes = alone,
    now,
  }: { readonly processes?: Processes; readonly now: () => number }) {
    this.#processes = processes;
    this.#now = now;
    processes.hear(topic, {
      told: (words) => {
        const { model, forMs } = words as unknown as Told;
        this.#pause(model, forMs);
      },
    });
  }

  /** The model said to come back after this. */
  busy(model: string, forMs: number): void {
    this.#pause(model, forMs);
    this.#processes.tell(topic, { model, forMs } satisfies Told);
  }

  /** How long to wait before asking it; 0: not at all. */
  waitMs(model: string): number {
    const untilMs = this.#untilMs.get(model);
    if (untilMs === undefined) return 0;
    const leftMs = untilMs - this.#now();
    if (leftMs > 0) return leftMs + Math.random() * spreadMs;
    this.#untilMs.delete(model);
    return 0;
  }

  #pause(model: string, forMs: number): void {
    const untilMs = this.#now() + forMs;
    this.#untilMs.set(model, Math.max(untilMs, this.#untilMs.get(model) ?? 0));
  }
}
