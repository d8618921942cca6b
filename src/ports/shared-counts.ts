import type { Json } from "#domain/json";
import type { Processes } from "#ports/processes";

/** Changes within this time are told together. */
const tellAfterMs = 100;
/** What is not zero is told again so often. */
const repeatMs = 5_000;
/** A process that was silent for so long holds nothing any more. */
const believedMs = 3 * repeatMs;

interface Told {
  readonly from: string;
  readonly counts: { readonly [name: string]: number };
}

/**
 * Numbers every process of a bot has and the others want to know: how many replies it writes, how
 * many calls it keeps back. Others know them a moment late; with one process there are no others.
 */
export class SharedCounts<Name extends string> {
  readonly #processes: Processes;
  readonly #topic: string;
  readonly #now: () => number;
  readonly #self = crypto.randomUUID();
  readonly #others = new Map<
    string,
    { readonly counts: Told["counts"]; readonly untilMs: number }
  >();
  #own: Told["counts"] = {};
  #timer: NodeJS.Timeout | undefined;
  #isSoon = false;

  constructor(options: {
    readonly processes: Processes;
    readonly topic: string;
    readonly now: () => number;
  }) {
    this.#processes = options.processes;
    this.#topic = options.topic;
    this.#now = options.now;
    this.#processes.hear(this.#topic, { told: (words) => this.#hear(words as unknown as Told) });
  }

  /** What this process has now, of everything it counts. */
  set(own: { readonly [N in Name]: number }): void {
    this.#own = own;
    if (this.#processes.spend === undefined || this.#isSoon) return;
    this.#isSoon = true;
    clearTimeout(this.#timer);
    this.#tellIn(tellAfterMs);
  }

  /** What all the others have together. */
  others(name: Name): number {
    if (this.#others.size === 0) return 0;
    let sum = 0;
    for (const [from, { counts, untilMs }] of this.#others) {
      if (untilMs < this.#now()) this.#others.delete(from);
      else sum += counts[name] ?? 0;
    }
    return sum;
  }

  #tellIn(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#isSoon = false;
      const told = { from: this.#self, counts: this.#own } satisfies Told;
      this.#processes.tell(this.#topic, told as unknown as Json);
      if (Object.values(this.#own).some((count) => count > 0)) {
        this.#tellIn(repeatMs);
      }
    }, ms).unref();
  }

  #hear({ from, counts }: Told): void {
    this.#others.set(from, { counts, untilMs: this.#now() + believedMs });
  }
}
