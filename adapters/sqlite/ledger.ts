import type { Json } from "#domain/json";
import type { Ledger, LedgerChange, ListItem, ListRange, RankRange, Register } from "#ports/ledger";
import type { Database } from "./database.ts";

/** The {@link Ledger} in the data file. Its reads also see what this turn has written and not yet committed. */
export function createSqliteLedger(database: Database): Ledger {
  return new SqliteLedger(database);
}

class SqliteLedger implements Ledger {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  read(name: string): Promise<Register | undefined> {
    return this.#database.read(() => {
      const row = this.#sql("select value, version from registers where name = ?").get(name);
      return row && { value: parse(row.value), version: Number(row.version) };
    });
  }

  names(
    prefix: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]> {
    const { after } = page;
    const isAfter = after !== undefined && after >= prefix;
    return this.#database.read(() =>
      this.#sql(
        `select name from registers
         where name ${isAfter ? ">" : ">="} ? and substr(name, 1, length(?2)) = ?2 and name < ?3
         order by name ${limitedBy("?4")}`,
      )
        .all(isAfter ? after : prefix, prefix, `${prefix}\u{10FFFF}`, bounded(page.limit))
        .map((row) => String(row.name)),
    );
  }

  items(list: string, range: ListRange): Promise<readonly ListItem[]> {
    return this.#database.read(() =>
      this.#sql(
        `select position, value from list_items
         where list = ? and position > ? and position < ? and value is not null
         order by position ${range.newestFirst ? "desc" : "asc"} ${limitedBy("?")}`,
      )
        .all(
          list,
          range.after ?? Number.MIN_SAFE_INTEGER,
          range.before ?? Number.MAX_SAFE_INTEGER,
          bounded(range.limit),
        )
        .map((row) => ({ position: Number(row.position), value: parse(row.value) })),
    );
  }

  ranked(
    ranking: string,
    range: RankRange,
  ): Promise<readonly { readonly member: string; readonly score: number }[]> {
    const order = range.highestFirst ? "desc" : "asc";
    return this.#database.read(() =>
      this.#sql(
        `select member, score from ranks where ranking = ? and score >= ? and score <= ?
         order by score ${order}, member ${order} ${limitedBy("?")}`,
      )
        .all(
          ranking,
          range.from ?? -Number.MAX_VALUE,
          range.to ?? Number.MAX_VALUE,
          bounded(range.limit),
        )
        .map((row) => ({ member: String(row.member), score: Number(row.score) })),
    );
  }

  counts(counter: string): Promise<{ readonly [field: string]: number }> {
    return this.#database.read(() => {
      const rows = this.#sql("select field, value from counts where counter = ?").all(counter);
      return Object.fromEntries(rows.map((row) => [String(row.field), Number(row.value)]));
    });
  }

  apply(change: LedgerChange): Promise<boolean> {
    return this.#database.write(() => {
      if (!versionsHold(this.#database, change)) return false;
      applyChange(this.#database, change);
      return true;
    });
  }

  #sql(text: string) {
    return this.#database.prepare(text);
  }
}

function versionsHold(database: Database, change: LedgerChange): boolean {
  const select = database.prepare("select version from registers where name = ?");
  return (change.registers ?? []).every(
    ({ name, ifVersion }) =>
      ifVersion === undefined || Number(select.get(name)?.version ?? 0) === ifVersion,
  );
}

/**
 * Applies a change inside the transaction that is open; removals of whole names come first.
 * Versions are not looked at: what a run commits under its lease is not up for debate.
 */
export function applyChange(database: Database, change: LedgerChange): void {
  for (const name of change.removes ?? []) remove(database, name);
  for (const { name, value } of change.registers ?? []) setRegister(database, name, value);
  for (const { list, value } of change.appends ?? []) append(database, list, value);
  for (const { list, position, value } of change.replaces ?? []) {
    if (value === null) removeItem(database, list, position);
    else {
      database
        .prepare(
          "update list_items set value = ? where list = ? and position = ? and value is not null",
        )
        .run(JSON.stringify(value), list, position);
    }
  }
  setRanks(database, change.ranks ?? []);
  count(database, change.counts ?? []);
}

function remove(database: Database, name: string): void {
  database.prepare("delete from list_items where list = ?").run(name);
  database.prepare("delete from ranks where ranking = ?").run(name);
  database.prepare("delete from counts where counter = ?").run(name);
}

function setRegister(database: Database, name: string, value: Json): void {
  if (value === null) {
    database.prepare("delete from registers where name = ?").run(name);
    return;
  }
  database
    .prepare(
      `insert into registers (name, value, version) values (?, ?, 1)
       on conflict do update set value = excluded.value, version = version + 1`,
    )
    .run(name, JSON.stringify(value));
}

function setRanks(database: Database, ranks: NonNullable<LedgerChange["ranks"]>): void {
  const members = ranks.filter(({ score }) => score !== null);
  if (members.length > 0) {
    database
      .prepare(
        `insert into ranks (ranking, member, score) values ${rowsOfThree(members.length)}
         on conflict do update set score = excluded.score`,
      )
      .run(...members.flatMap(({ ranking, member, score }) => [ranking, member, score]));
  }
  for (const { ranking, member, score } of ranks) {
    if (score !== null) continue;
    database.prepare("delete from ranks where ranking = ? and member = ?").run(ranking, member);
  }
}

function count(database: Database, counts: NonNullable<LedgerChange["counts"]>): void {
  if (counts.length === 0) return;
  database
    .prepare(
      `insert into counts (counter, field, value) values ${rowsOfThree(counts.length)}
       on conflict do update set value = value + excluded.value`,
    )
    .run(...counts.flatMap(({ counter, field, by }) => [counter, field, by]));
}

/** A run's change has some twenty rows of a kind: one statement for all of them, not one each. */
function rowsOfThree(rows: number): string {
  return Array(rows).fill("(?, ?, ?)").join(", ");
}

function append(database: Database, list: string, value: Json): void {
  const last = lastItem(database, list);
  database
    .prepare("insert into list_items (list, position, value) values (?, ?, ?)")
    .run(list, last.position + 1, JSON.stringify(value));
  if (last.isRemoved) deleteItem(database, list, last.position);
}

function removeItem(database: Database, list: string, position: number): void {
  if (lastItem(database, list).position !== position) {
    deleteItem(database, list, position);
    return;
  }
  // The last position stays taken, or the next item would get it again.
  database
    .prepare("update list_items set value = null where list = ? and position = ?")
    .run(list, position);
}

function deleteItem(database: Database, list: string, position: number): void {
  database.prepare("delete from list_items where list = ? and position = ?").run(list, position);
}

function lastItem(database: Database, list: string): { position: number; isRemoved: boolean } {
  const row = database
    .prepare(
      `select position, value is null as removed from list_items
       where list = ? order by position desc limit 1`,
    )
    .get(list);
  return row
    ? { position: Number(row.position), isRemoved: row.removed === 1 }
    : { position: 0, isRemoved: false };
}

/**
 * A limit that is an expression: of a bare parameter SQLite looks at the value when it plans, and so
 * plans again whenever another is bound (`sqlite3ExprIsInteger` in its source).
 */
function limitedBy(parameter: string): string {
  return `limit 0 + ${parameter}`;
}

/** A limit SQLite takes: it knows no Infinity. */
function bounded(limit: number): number {
  return Math.min(limit, Number.MAX_SAFE_INTEGER);
}

function parse(text: unknown): Json {
  return JSON.parse(String(text));
}
