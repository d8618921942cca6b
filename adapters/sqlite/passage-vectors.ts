import type { DatabaseSync } from "node:sqlite";
import { Best, SignatureQuery, signatureOf, signBytes } from "./signatures.ts";

/** A passage and what a model made of it. */
export interface PassageVector {
  readonly row: number;
  readonly values: Float32Array;
}

/** Passages that are looked at: those of some files. */
export interface FileScope {
  /** The files' numbers as JSON. */
  readonly numbers: string;
  readonly passages: number;
}

export const vectorTables = `
  create table if not exists vectors (
    row integer primary key,
    norm real not null,
    vector blob not null
  );
  create table if not exists embedding (one integer primary key check (one = 1), model text not null);
`;

/**
 * Of each 64 passages of a file, those that have a vector: how many, and the signatures of those
 * whose vectors are as long as the last one's. Small next to the vectors, and side by side.
 */
export const signatureTables = `
  create table signatures (
    chunk integer primary key,
    vectors integer not null,
    components integer not null,
    places blob not null,
    scales blob not null,
    signs blob not null
  );
`;

/** A chunk of signatures is the passages whose rows are the same but for these bits. */
const chunkBits = 6;
const chunkSize = 2 ** chunkBits;
/** Of more passages than this the nearest by their signatures are compared by their vectors, so many. */
const compared = 500;

/** Signatures held in memory at most: those of 80,000 passages by a model of 1,536 components. */
const maxHeldBytes = 16_000_000;

/** The signatures of a chunk, one after the other. */
interface Chunk {
  /** The row that its places count from. */
  readonly first: number;
  readonly components: number;
  readonly places: Uint8Array;
  readonly scales: Float32Array;
  readonly signs: Uint8Array;
}

/**
 * The vectors of passages, all of one model. A component is kept in one byte: a quarter of the place,
 * and which passages are nearest hardly changes by it. The nearest of many are found in two steps: all
 * are ranked by their signatures, a bit a component, and the best few hundred by their vectors. Only
 * signatures are held in memory, and only of files that were searched so.
 */
export class PassageVectors {
  readonly #database: DatabaseSync;
  /** By file number. */
  readonly #held = new Map<number, readonly Chunk[]>();
  #heldBytes = 0;
  readonly #placeBits: number;
  /** From a file's number to its first chunk. */
  readonly #fileBits: number;

  constructor(database: DatabaseSync, placeBits: number) {
    this.#database = database;
    this.#placeBits = placeBits;
    this.#fileBits = placeBits - chunkBits;
  }

  /** From now on vectors are this model's; those of another are dropped. */
  use(model: string): void {
    const known = this.#database.prepare("select model from embedding").get()?.model;
    if (known === model) return;
    this.#letGo();
    this.#database.exec("delete from vectors; delete from signatures");
    this.#database
      .prepare(
        "insert into embedding (one, model) values (1, ?1) on conflict do update set model = ?1",
      )
      .run(model);
  }

  /** Rows of passages without a vector, and how many there are in all. */
  missing({ numbers, passages }: FileScope) {
    const made = this.#database
      .prepare(
        `select coalesce(sum(s.vectors), 0) as n from json_each(?) f
         cross join signatures s on s.chunk between ${this.#chunksOf("f.value")}`,
      )
      .get(numbers);
    return {
      count: passages - Number(made?.n),
      rows: (limit: number) => this.#firstMissing(numbers, limit),
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
    for (const chunk of new Set(vectors.map(({ row }) => Math.floor(row / chunkSize)))) {
      this.#sign(chunk);
    }
  }

  /** The rows are those of a whole file. */
  remove(first: number, last: number): void {
    this.#letGo(Math.floor(first / 2 ** this.#placeBits));
    this.#database.prepare("delete from vectors where row between ? and ?").run(first, last);
    this.#database
      .prepare("delete from signatures where chunk between ? and ?")
      .run(Math.floor(first / chunkSize), Math.floor(last / chunkSize));
  }

  /** Makes the signatures of all vectors. */
  signAll(): void {
    const next = this.#database.prepare("select min(row) as row from vectors where row >= ?");
    for (let row = 0; ; ) {
      const found = next.get(row)?.row;
      if (typeof found !== "number") return;
      const chunk = Math.floor(found / chunkSize);
      this.#sign(chunk);
      row = (chunk + 1) * chunkSize;
    }
  }

  /** The rows of files nearest to a vector by cosine, nearest first. */
  nearest(to: Float32Array, scope: FileScope, limit: number): readonly number[] {
    if (scope.passages > compared) {
      return this.nearestOf(to, this.#probablyNear(to, scope, Math.max(compared, limit)), limit);
    }
    const vectors = this.#database.prepare(
      `select v.row, v.norm, v.vector from json_each(?) f
       cross join vectors v on v.row between ${this.#rowsOf("f.value")}`,
    );
    return best(to, vectors.iterate(scope.numbers), limit);
  }

  /** Of these rows those nearest to a vector by cosine, nearest first. */
  nearestOf(to: Float32Array, rows: readonly number[], limit: number): readonly number[] {
    const vectors = this.#database.prepare(
      "select row, norm, vector from vectors where row in (select value from json_each(?))",
    );
    return best(to, vectors.iterate(JSON.stringify(rows)), limit);
  }

  #probablyNear(to: Float32Array, { numbers }: FileScope, limit: number): readonly number[] {
    const query = new SignatureQuery(to);
    const near = new Best(limit);
    for (const number of JSON.parse(numbers) as readonly number[]) {
      for (const { first, components, places, scales, signs } of this.#signaturesOf(number)) {
        if (components !== to.length) continue;
        const scores = query.scores(signs, scales);
        for (let at = 0; at < scores.length; at += 1) {
          near.add(first + (places[at] ?? 0), scores[at] ?? 0);
        }
      }
    }
    return near.rows();
  }

  #signaturesOf(number: number): readonly Chunk[] {
    const held = this.#held.get(number);
    if (held) return held;
    const chunks = this.#database
      .prepare(
        `select chunk, components, places, scales, signs from signatures
         where chunk between ${this.#chunksOf("?1")}`,
      )
      .all(number)
      .map(({ chunk, components, places, scales, signs }) => ({
        first: Number(chunk) * chunkSize,
        components: Number(components),
        places: places as Uint8Array,
        scales: floatsOf(scales as Uint8Array),
        signs: signs as Uint8Array,
      }));
    const bytes = bytesOf(chunks);
    if (bytes > maxHeldBytes) return chunks;
    if (this.#heldBytes + bytes > maxHeldBytes) this.#letGo();
    this.#held.set(number, chunks);
    this.#heldBytes += bytes;
    return chunks;
  }

  /** What changed is read again; without a number, everything. */
  #letGo(number?: number): void {
    if (number === undefined) {
      this.#held.clear();
      this.#heldBytes = 0;
      return;
    }
    this.#heldBytes -= bytesOf(this.#held.get(number) ?? []);
    this.#held.delete(number);
  }

  /** Signatures are made of what is stored, a chunk at a time: so they are never out of step. */
  #sign(chunk: number): void {
    this.#letGo(Math.floor(chunk / 2 ** this.#fileBits));
    const first = chunk * chunkSize;
    const stored = this.#database
      .prepare("select row, vector from vectors where row between ? and ? order by row")
      .all(first, first + chunkSize - 1)
      .map(({ row, vector }) => ({ place: Number(row) - first, components: signed(vector) }));
    const length = stored.at(-1)?.components.length ?? 0;
    const alike = stored.filter(({ components }) => components.length === length);
    const signs = new Uint8Array(alike.length * signBytes(length));
    const scales = new Float32Array(alike.length);
    for (const [at, { components }] of alike.entries()) {
      const signature = signatureOf(components);
      signs.set(signature.signs, at * signBytes(length));
      scales[at] = signature.scale;
    }
    this.#database
      .prepare(
        `insert or replace into signatures (chunk, vectors, components, places, scales, signs)
         values (?, ?, ?, ?, ?, ?)`,
      )
      .run(
        chunk,
        stored.length,
        length,
        Uint8Array.from(alike, ({ place }) => place),
        new Uint8Array(scales.buffer),
        signs,
      );
  }

  #firstMissing(numbers: string, limit: number) {
    const incomplete = this.#database
      .prepare(
        `select number from files
         where number in (select value from json_each(?)) and passages > (
           select coalesce(sum(vectors), 0) from signatures
           where chunk between ${this.#chunksOf("number")}
         )
         order by number limit ?`,
      )
      .all(numbers, limit);
    const passages = this.#database.prepare(
      `select p.row, p.text from passages p where p.row between ? and ?
       and not exists (select 1 from vectors v where v.row = p.row) order by p.row limit ?`,
    );
    const found: { readonly row: number; readonly text: string }[] = [];
    for (const { number } of incomplete) {
      const last = (Number(number) + 1) * 2 ** this.#placeBits - 1;
      const rows = passages.all(this.#fullUpTo(Number(number)), last, limit - found.length);
      found.push(...rows.map(({ row, text }) => ({ row: Number(row), text: String(text) })));
      if (found.length >= limit) break;
    }
    return found;
  }

  /** The row of a file up to which every passage has a vector: a long one is not looked through anew. */
  #fullUpTo(number: number): number {
    let chunk = number * 2 ** this.#fileBits;
    const made = this.#database
      .prepare(
        `select chunk, vectors from signatures where chunk between ${this.#chunksOf("?1")} order by chunk`,
      )
      .iterate(number);
    for (const row of made) {
      if (row.chunk !== chunk || row.vectors !== chunkSize) break;
      chunk += 1;
    }
    return chunk * chunkSize;
  }

  /** In SQL, the rows of a file's passages: from, and to. */
  #rowsOf(number: string): string {
    return `${number} << ${this.#placeBits} and ((${number} + 1) << ${this.#placeBits}) - 1`;
  }

  #chunksOf(number: string): string {
    return `${number} << ${this.#fileBits} and ((${number} + 1) << ${this.#fileBits}) - 1`;
  }
}

function bytesOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { places, signs }) => sum + signs.length + 5 * places.length, 0);
}

function best(
  to: Float32Array,
  vectors: Iterable<Record<string, unknown>>,
  limit: number,
): readonly number[] {
  const query = inBytes(to);
  const near = new Best(limit);
  for (const { row, norm, vector } of vectors) {
    const bytes = signed(vector);
    if (bytes.length === query.length) near.add(Number(row), product(query, bytes) / Number(norm));
  }
  return near.rows();
}

function inBytes(values: Float32Array): Int8Array {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  return Int8Array.from(values, (value) => Math.round((value / largest) * 127));
}

function normOf(bytes: Int8Array): number {
  return Math.sqrt(product(bytes, bytes)) || 1;
}

/** The signed bytes that the database shows unsigned. */
function signed(blob: unknown): Int8Array {
  const bytes = blob as Uint8Array;
  return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A copy: a blob may begin anywhere, numbers of four bytes may not. */
function floatsOf(blob: Uint8Array): Float32Array {
  return new Float32Array(blob.slice().buffer);
}

function product(a: Int8Array, b: Int8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
