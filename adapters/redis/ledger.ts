import type { Json } from "#domain/json";
import type { Ledger, LedgerChange, ListItem, ListRange, RankRange, Register } from "#ports/ledger";
import type { RedisDatabase } from "./database.ts";
import { splitOnce, toPairs, toTexts } from "./replies.ts";

/** The {@link Ledger} in Redis. */
export function createRedisLedger(database: RedisDatabase): Ledger {
  return new RedisLedger(database);
}

/** A change as the scripts read it: rows of texts. Values stay JSON texts: Lua would not keep them as they are. */
export function toScript(change: LedgerChange | undefined): string {
  if (!change) return "";
  return JSON.stringify({
    removes: (change.removes ?? []).map((name) => [name]),
    registers: (change.registers ?? []).map(({ name, value, ifVersion }) => [
      name,
      JSON.stringify(value),
      ...(ifVersion === undefined ? [] : [String(ifVersion)]),
    ]),
    appends: (change.appends ?? []).map(({ list, value }) => [list, JSON.stringify(value)]),
    replaces: (change.replaces ?? []).map(({ list, position, value }) => [
      list,
      String(position),
      JSON.stringify(value),
    ]),
    ranks: (change.ranks ?? []).map((row) => [row.ranking, row.member, String(row.score)]),
    counts: (change.counts ?? []).map(({ counter, field, by }) => [counter, field, String(by)]),
  });
}

class RedisLedger implements Ledger {
  readonly #database: RedisDatabase;

  constructor(database: RedisDatabase) {
    this.#database = database;
  }

  async read(name: string): Promise<Register | undefined> {
    const stored = await this.#send("HGET", this.#key("registers"), name);
    if (typeof stored !== "string") return undefined;
    const [version, value] = splitOnce(stored);
    return { value: JSON.parse(value), version: Number(version) };
  }

  async names(
    prefix: string,
    { after, limit }: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]> {
    const from = after !== undefined && after >= prefix ? `(${after}` : `[${prefix}`;
    const names = this.#key("register-names");
    const to = `(${prefix}\u{10FFFF}`;
    return toTexts(await this.#send("ZRANGE", names, from, to, "BYLEX", ...limited(limit)));
  }

  async items(list: string, range: ListRange): Promise<readonly ListItem[]> {
    const from = range.after === undefined ? "-inf" : `(${range.after}`;
    const to = range.before === undefined ? "+inf" : `(${range.before}`;
    const stored = toTexts(
      await this.#send("ZRANGE", this.#key(`list:${list}`), ...byScore(from, to, range)),
    );
    return stored.map((text) => {
      const [position, value] = splitOnce(text);
      return { position: Number(position), value: JSON.parse(value) as Json };
    });
  }

  async ranked(
    ranking: string,
    range: RankRange,
  ): Promise<readonly { readonly member: string; readonly score: number }[]> {
    const bounds = byScore(bound(range.from, "-inf"), bound(range.to, "+inf"), {
      limit: range.limit,
      newestFirst: range.highestFirst ?? false,
    });
    const reply = await this.#send("ZRANGE", this.#key(`rank:${ranking}`), ...bounds, "WITHSCORES");
    return toPairs(reply).map(([member, score]) => ({ member, score: Number(score) }));
  }

  async counts(counter: string): Promise<{ readonly [field: string]: number }> {
    const reply = await this.#send("HGETALL", this.#key(`count:${counter}`));
    return Object.fromEntries(toPairs(reply).map(([field, value]) => [field, Number(value)]));
  }

  async apply(change: LedgerChange): Promise<boolean> {
    return (await this.#database.run("apply", [toScript(change)])) === 1;
  }

  #key(name: string): string {
    return this.#database.prefix + name;
  }

  #send(...command: readonly string[]): Promise<unknown> {
    return this.#database.send(command);
  }
}

function byScore(
  from: string,
  to: string,
  range: { readonly limit: number; readonly newestFirst?: boolean },
): readonly string[] {
  const bounds = range.newestFirst ? [to, from, "BYSCORE", "REV"] : [from, to, "BYSCORE"];
  return [...bounds, ...limited(range.limit)];
}

function bound(score: number | undefined, open: string): string {
  return score === undefined ? open : String(score);
}

/** Redis knows no Infinity here: -1 is no limit. */
function limited(limit: number): readonly string[] {
  return ["LIMIT", "0", String(Number.isFinite(limit) ? limit : -1)];
}
