import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import type { Ledger, LedgerChange, ListItem, ListRange, RankRange, Register } from "#ports/ledger";

/** A ledger in memory: what an engine keeps, without the engine. */
export class MemoryLedger implements Ledger {
  /** True: every call fails as if the engine could not be reached. */
  isDown = false;
  /** How many times something was asked for, to show what a cache saves. */
  reads = 0;
  /** Called before each change is applied: the place to let somebody else be faster. */
  beforeApply: ((change: LedgerChange) => Promise<void> | void) | undefined;
  readonly #registers = new Map<string, Register>();
  readonly #lists = new Map<string, { lastPosition: number; items: Map<number, Json> }>();
  readonly #rankings = new Map<string, Map<string, number>>();
  readonly #counters = new Map<string, Map<string, number>>();

  async read(name: string): Promise<Register | undefined> {
    this.#countRead();
    return this.#registers.get(name);
  }

  async names(
    prefix: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]> {
    this.#countRead();
    return [...this.#registers.keys()]
      .filter((name) => name.startsWith(prefix))
      .filter((name) => page.after === undefined || name > page.after)
      .sort()
      .slice(0, page.limit);
  }

  async items(list: string, range: ListRange): Promise<readonly ListItem[]> {
    this.#countRead();
    const items = [...(this.#lists.get(list)?.items ?? [])]
      .map(([position, value]) => ({ position, value }))
      .filter(({ position }) => range.after === undefined || position > range.after)
      .filter(({ position }) => range.before === undefined || position < range.before)
      .sort((a, b) => (range.newestFirst ? b.position - a.position : a.position - b.position));
    return items.slice(0, range.limit);
  }

  async ranked(
    ranking: string,
    range: RankRange,
  ): Promise<readonly { readonly member: string; readonly score: number }[]> {
    this.#countRead();
    const order = range.highestFirst ? -1 : 1;
    return [...(this.#rankings.get(ranking) ?? [])]
      .map(([member, score]) => ({ member, score }))
      .filter(({ score }) => range.from === undefined || score >= range.from)
      .filter(({ score }) => range.to === undefined || score <= range.to)
      .sort((a, b) => order * (a.score - b.score || (a.member < b.member ? -1 : 1)))
      .slice(0, range.limit);
  }

  async counts(counter: string): Promise<{ readonly [field: string]: number }> {
    this.#countRead();
    return Object.fromEntries(this.#counters.get(counter) ?? []);
  }

  async apply(change: LedgerChange): Promise<boolean> {
    await this.beforeApply?.(change);
    this.#assertUp();
    const registers = change.registers ?? [];
    const holds = registers.every(
      ({ name, ifVersion }) =>
        ifVersion === undefined || (this.#registers.get(name)?.version ?? 0) === ifVersion,
    );
    if (!holds) return false;
    for (const name of change.removes ?? []) {
      this.#lists.delete(name);
      this.#rankings.delete(name);
      this.#counters.delete(name);
    }
    for (const { name, value } of registers) this.#writeRegister(name, value);
    for (const { list, value } of change.appends ?? []) this.#append(list, value);
    for (const { list, position, value } of change.replaces ?? []) {
      const items = this.#lists.get(list)?.items;
      if (value === null) items?.delete(position);
      else if (items?.has(position)) items.set(position, structuredClone(value));
    }
    for (const { ranking, member, score } of change.ranks ?? []) {
      const members = this.#rankings.get(ranking) ?? new Map<string, number>();
      if (score === null) members.delete(member);
      else members.set(member, score);
      this.#rankings.set(ranking, members);
    }
    for (const { counter, field, by } of change.counts ?? []) {
      const fields = this.#counters.get(counter) ?? new Map<string, number>();
      fields.set(field, (fields.get(field) ?? 0) + by);
      this.#counters.set(counter, fields);
    }
    return true;
  }

  #writeRegister(name: string, value: Json): void {
    if (value === null) {
      this.#registers.delete(name);
      return;
    }
    const version = (this.#registers.get(name)?.version ?? 0) + 1;
    this.#registers.set(name, { value: structuredClone(value), version });
  }

  #append(list: string, value: Json): void {
    const known = this.#lists.get(list) ?? { lastPosition: 0, items: new Map<number, Json>() };
    known.lastPosition += 1;
    known.items.set(known.lastPosition, structuredClone(value));
    this.#lists.set(list, known);
  }

  #countRead(): void {
    this.#assertUp();
    this.reads += 1;
  }

  #assertUp(): void {
    if (this.isDown) throw new BotError("store-unavailable");
  }
}
