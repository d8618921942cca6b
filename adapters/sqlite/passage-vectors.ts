import type { DatabaseSync } from "node:sqlite";

/** A passage and what a model made of it. */
export interface PassageVector {
  readonly row: number;
  readonly values: Float32Array;
}

/** Which passages are looked at: those of some files, or these rows alone. */
export type VectorScope =
  | { readonly numbers: string; readonly first: number; readonly last: number }
  | { readonly rows: readonly number[] };

export const vectorTables = `
  create table if not exists vectors (
    row integer primary key,
    norm real not null,
    vector blob not null
  );
  create table if not exists embedding (one integer primary key check (one = 1), model text not null);
`;

/**
 * The vectors of passages, all of one model. A component is kept in one byte: an eighth of the place,
 * and which passages are nearest hardly changes by it.
 */
export class PassageVectors {
  readonly #database: DatabaseSync;
  readonly #placeBits: number;

  constructor(database: DatabaseSync, placeBits: number) {
    this.#database = database;
    this.#placeBits = placeBits;
  }

  /** From now on vectors are this model's; those of another are dropped. */
  use(model: string): void {
    const known = this.#database.prepare("select model from embedding").get()?.model;
    if (known === model) return;
    this.#database.exec("delete from vectors");
    this.#database
      .prepare(
        "insert into embedding (one, model) values (1, ?1) on conflict do update set model = ?1",
      )
      .run(model);
  }

  /** Rows of passages without a vector, and how many there are in all. */
  missing(scope: { readonly numbers: string; readonly first: number; readonly last: number }) {
    const { numbers, first, last } = scope;
    const among = `from passages p left join vectors v on v.row = p.row
      where v.row is null and p.row between ? and ?
        and p.row >> ${this.#placeBits} in (select value from json_each(?))`;
    const count = this.#database.prepare(`select count(*) as n ${among}`).get(first, last, numbers);
    return {
      count: Number(count?.n),
      rows: (limit: number) =>
        this.#database
          .prepare(`select p.row, p.text ${among} order by p.row limit ?`)
          .all(first, last, numbers, limit)
          .map(({ row, text }) => ({ row: Number(row), text: String(text) })),
    };
  }

  /** Passages that are gone meanwhile are left out. */
  put(vectors: readonly PassageVector[]): void {
    const insert = this.#database.prepare(
      `insert into vectors (row, norm, vector)
       select ?1, ?2, ?3 where exists (select 1 from passages where row = ?1)
       on conflict do update set norm = ?2, vector = ?3`,
    );
    for (const { row, values } of vectors) {
      const bytes = inBytes(values);
      insert.run(row, normOf(bytes), new Uint8Array(bytes.buffer));
    }
  }

  remove(first: number, last: number): void {
    this.#database.prepare("delete from vectors where row between ? and ?").run(first, last);
  }

  /** The rows nearest to a vector by cosine, nearest first. Only `limit` are held at a time. */
  nearest(to: Float32Array, scope: VectorScope, limit: number): readonly number[] {
    const query = inBytes(to);
    const best: { readonly row: number; readonly likeness: number }[] = [];
    for (const { row, norm, vector } of this.#vectorsIn(scope)) {
      const bytes = vector as Uint8Array;
      if (bytes.length !== query.length) continue;
      const likeness = product(query, bytes) / Number(norm);
      const last = best.at(-1);
      if (best.length >= limit && last && likeness <= last.likeness) continue;
      const at = best.findIndex((other) => likeness > other.likeness);
      best.splice(at === -1 ? best.length : at, 0, { row: Number(row), likeness });
      if (best.length > limit) best.pop();
    }
    return best.map(({ row }) => row);
  }

  #vectorsIn(scope: VectorScope) {
    if ("rows" in scope) {
      return this.#database
        .prepare(
          "select row, norm, vector from vectors where row in (select value from json_each(?))",
        )
        .iterate(JSON.stringify(scope.rows));
    }
    return this.#database
      .prepare(
        `select row, norm, vector from vectors
         where row between ? and ? and row >> ${this.#placeBits} in (select value from json_each(?))`,
      )
      .iterate(scope.first, scope.last, scope.numbers);
  }
}

function inBytes(values: Float32Array): Int8Array {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  return Int8Array.from(values, (value) => Math.round((value / largest) * 127));
}

function normOf(bytes: Int8Array): number {
  return Math.sqrt(product(bytes, new Uint8Array(bytes.buffer))) || 1;
}

/** The second as it comes from the database: signed bytes that are shown unsigned. */
function product(a: Int8Array, stored: Uint8Array): number {
  const b = new Int8Array(stored.buffer, stored.byteOffset, stored.length);
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
