import type { Ledger } from "#ports/ledger";

const attempts = 5;
/** More than this many people are "several" anyway. */
const mostPeople = 8;

/** Which chat threads the bot takes part in, and which people write to it there. Durable. */
export class Threads {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Who has written to the bot in this thread; undefined: it takes no part. */
  async people(threadKey: string): Promise<readonly string[] | undefined> {
    const register = await this.#ledger.read(nameOf(threadKey));
    return register && peopleIn(register.value);
  }

  /** From now on the bot takes part, and these people have written there. */
  async join(threadKey: string, people: readonly string[]): Promise<readonly string[]> {
    for (let attempt = 1; ; attempt += 1) {
      const register = await this.#ledger.read(nameOf(threadKey));
      const known = register ? peopleIn(register.value) : [];
      const all = [...new Set([...known, ...people])].slice(0, mostPeople);
      if (register && all.length === known.length) return all;
      const change = { name: nameOf(threadKey), value: all, ifVersion: register?.version ?? 0 };
      if ((await this.#ledger.apply({ registers: [change] })) || attempt >= attempts) return all;
    }
  }
}

function nameOf(threadKey: string): string {
  return `slack/thread/${threadKey}`;
}

function peopleIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
