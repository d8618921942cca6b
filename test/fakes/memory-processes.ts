import type { Listener, Processes } from "../../src/ports/processes.ts";

/** Processes of one bot that are all in this one: they share claims and hear each other at once. */
export class MemoryProcesses {
  readonly #claims = new Map<string, Processes>();
  readonly #listeners = new Map<
    string,
    { readonly by: Processes; readonly listener: Listener }[]
  >();

  /** One more of them. */
  join(): Processes {
    const self: Processes = {
      claim: async (id) => {
        const holder = this.#claims.get(id) ?? self;
        this.#claims.set(id, holder);
        return holder === self;
      },
      tell: (topic, words) => {
        for (const { by, listener } of this.#listeners.get(topic) ?? []) {
          if (by !== self) listener.told(structuredClone(words));
        }
      },
      hear: (topic, listener) => {
        const heard = { by: self, listener };
        this.#listeners.set(topic, [...(this.#listeners.get(topic) ?? []), heard]);
        return () => {
          const left = (this.#listeners.get(topic) ?? []).filter((one) => one !== heard);
          this.#listeners.set(topic, left);
        };
      },
      spend: undefined,
      offices: undefined,
    };
    return self;
  }

  /** What they told each other may have been lost. */
  lose(): void {
    for (const { listener } of [...this.#listeners.values()].flat()) listener.missed?.();
  }
}
