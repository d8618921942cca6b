import { rmSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { DocumentText } from "#domain/file";
import { type FoundPassage, type Passage, toPassages } from "#domain/passage";
import { fuseRankings } from "#domain/rank-fusion";
import type { FileQuery, IndexedFile, IndexState, UnembeddedPassages } from "#ports/file-index";
import {
  type PassageVector,
  PassageVectors,
  signatureTables,
  vectorTables,
} from "./passage-vectors.ts";
import { indexable, phrasesOf } from "./search-words.ts";

/**
 * Raised when what is stored, or how texts are cut, changes: then everything is read again, unless
 * what is there can be brought up to it. 2: signatures beside the vectors, which are made of them.
 */
const format = 2;
/** A passage's row is its file's number and its place within the file. */
const placeBits = 20;
/** Ranking costs a few microseconds a passage: so many are ranked at most. */
const maxRanked = 4_000;
/** A match in the file's name or the section's says more than one in the text. */
const weights = "2.0, 1.0";
/** Places of each ranking that are fused. */
const fused = 100;
/** With more passages than this in reach, meaning only ranks what the words found. */
const maxCompared = 60_000;

/**
 * The tables of a file index and what is done with them, at once: full-text search with FTS5, ranked
 * by BM25, fused with the nearest by meaning where the passages have vectors. Texts are kept beside the full-text table, which holds words only.
 */
export class FileIndexStore {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #vectors: PassageVectors;

  /** Opens or creates the file; one of another format, or a damaged one, is begun anew. */
  constructor(path: string) {
    this.#database = open(path);
    this.#vectors = new PassageVectors(this.#database, placeBits);
  }

  put(file: IndexedFile, text: DocumentText): IndexState {
    const passages = toPassages(text).slice(0, 2 ** placeBits);
    if (passages.length === 0) return this.refuse(file, `${file.name} has no text to search in.`);
    return this.#transaction(() => {
      this.#delete(file.id);
      const number = this.#add(file, { passages: passages.length, truncated: text.truncated });
      for (const [place, passage] of passages.entries()) {
        const row = number * 2 ** placeBits + place;
        this.#run("insert into words (rowid, heading, text) values (?, ?, ?)", [
          row,
          ...wordsOf(file.name, passage),
        ]);
        this.#run("insert into passages (row, page, section, text) values (?, ?, ?, ?)", [
          row,
          passage.page ?? null,
          passage.section ?? null,
          passage.text,
        ]);
      }
      return {
        status: "indexed",
        sha256: file.sha256,
        passages: passages.length,
        truncated: text.truncated,
      };
    });
  }

  refuse(file: IndexedFile, why: string): IndexState {
    return this.#transaction(() => {
      this.#delete(file.id);
      this.#add(file, { passages: 0, truncated: false, why });
      return { status: "failed", sha256: file.sha256, why };
    });
  }

  states(fileIds: readonly string[]): ReadonlyMap<string, IndexState> {
    const rows = this.#statement(
      "select id, sha256, passages, truncated, why from files where id in (select value from json_each(?))",
    ).all(JSON.stringify(fileIds));
    return new Map(
      rows.map((row) => {
        const sha256 = String(row.sha256);
        const state: IndexState =
          row.why === null
            ? {
                status: "indexed",
                sha256,
                passages: Number(row.passages),
                truncated: row.truncated === 1,
              }
            : { status: "failed", sha256, why: String(row.why) };
        return [String(row.id), state] as const;
      }),
    );
  }

  /** Passages of these files that this model has made no vector of, the first `limit` of them. */
  unembedded(model: string, fileIds: readonly string[], limit: number): UnembeddedPassages {
    this.#transaction(() => this.#vectors.use(model));
    const scope = this.#scopeOf(fileIds);
    if (!scope) return { count: 0, passages: [] };
    const { count, rows } = this.#vectors.missing(scope);
    return { count, passages: count === 0 ? [] : rows(limit) };
  }

  embed(model: string, vectors: readonly PassageVector[]): void {
    this.#transaction(() => {
      this.#vectors.use(model);
      this.#vectors.put(vectors);
    });
  }

  search({ query, fileIds, limit, vector }: FileQuery): readonly FoundPassage[] {
    const scope = this.#scopeOf(fileIds);
    if (!scope) return [];
    if (!vector) return this.#read(this.#byWords(query, scope, limit));
    this.#transaction(() => this.#vectors.use(vector.model));
    const isWide = scope.passages > maxCompared;
    const byWords = this.#byWords(query, scope, isWide ? maxRanked : fused);
    const byMeaning = isWide
      ? this.#vectors.nearestOf(vector.values, byWords, fused)
      : this.#vectors.nearest(vector.values, scope, fused);
    return this.#read(fuseRankings([byWords.slice(0, fused), byMeaning]).slice(0, limit));
  }

  /** Rows by how well their words fit, best first. */
  #byWords(query: string, scope: Scope, limit: number): readonly number[] {
    const phrases = this.#tellingOf(phrasesOf(query), scope);
    if (phrases.length === 0) return [];
    return this.#statement(
      `select row from (
         select rowid as row, bm25(words, ${weights}) as score from words
         where words match ?1 and rowid between ?2 and ?3
           and rowid >> ${placeBits} in (select value from json_each(?4))
         limit ${maxRanked}
       )
       order by score, row limit ?5`,
    )
      .all(phrases.join(" OR "), scope.first, scope.last, scope.numbers, limit)
      .map(({ row }) => Number(row));
  }

  /** Passages by their rows, in that order. */
  #read(rows: readonly number[]): readonly FoundPassage[] {
    return this.#statement(
      `select p.row, p.page, p.section, p.text, f.number, f.id, f.name
       from json_each(?) as wanted
       join passages p on p.row = wanted.value
       join files f on f.number = p.row >> ${placeBits}
       order by wanted.key`,
    )
      .all(JSON.stringify(rows))
      .map((row) => ({
        mark: `${row.number}-${Number(row.row) % 2 ** placeBits}`,
        fileId: String(row.id),
        fileName: String(row.name),
        ...(row.page === null ? {} : { page: Number(row.page) }),
        ...(row.section === null ? {} : { section: String(row.section) }),
        text: String(row.text),
      }));
  }

  remove(fileId: string): void {
    this.#transaction(() => this.#delete(fileId));
  }

  close(): void {
    this.#database.close();
  }

  /** The rows of the files asked for, and their share of all. */
  #scopeOf(fileIds: readonly string[]): Scope | undefined {
    const rows = this.#statement(
      "select number, passages from files where passages > 0 and id in (select value from json_each(?))",
    ).all(JSON.stringify(fileIds));
    if (rows.length === 0) return undefined;
    const numbers = rows.map(({ number }) => Number(number));
    const passages = rows.reduce((sum, row) => sum + Number(row.passages), 0);
    const all = Number(
      this.#statement("select coalesce(sum(passages), 0) as n from files").get()?.n,
    );
    return {
      numbers: JSON.stringify(numbers),
      first: numbers.reduce((a, b) => Math.min(a, b)) * 2 ** placeBits,
      last: (numbers.reduce((a, b) => Math.max(a, b)) + 1) * 2 ** placeBits - 1,
      passages,
      all,
      share: passages / Math.max(1, all),
    };
  }

  /**
   * The phrases worth looking for, the rarest first: as many as can be ranked in time, always one.
   * Common ones ("the", "der") only stay when there is nothing else.
   */
  #tellingOf(phrases: readonly string[], scope: Scope): readonly string[] {
    const common = commonFrom(scope.all);
    const known = phrases
      .map((phrase) => ({ phrase, count: this.#countUpTo(phrase, common) }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => a.count - b.count);
    const telling = known.filter(({ count }) => count < common);
    let ranked = 0;
    const chosen = (telling.length > 0 ? telling : known).filter(({ count }, index) => {
      ranked += count * scope.share;
      return index === 0 || ranked <= maxRanked;
    });
    return chosen.map(({ phrase }) => phrase);
  }

  #countUpTo(phrase: string, most: number): number {
    const row = this.#statement(
      "select count(*) as n from (select 1 from words where words match ? limit ?)",
    ).get(phrase, most);
    return Number(row?.n);
  }

  #add(
    file: IndexedFile,
    about: { readonly passages: number; readonly truncated: boolean; readonly why?: string },
  ): number {
    const { lastInsertRowid } = this.#run(
      "insert into files (id, name, sha256, passages, truncated, why) values (?, ?, ?, ?, ?, ?)",
      [file.id, file.name, file.sha256, about.passages, about.truncated ? 1 : 0, about.why ?? null],
    );
    return Number(lastInsertRowid);
  }

  #delete(fileId: string): void {
    const file = this.#statement("select number, name from files where id = ?").get(fileId);
    if (!file) return;
    const first = Number(file.number) * 2 ** placeBits;
    const range = [first, first + 2 ** placeBits - 1];
    const passages = this.#statement(
      "select row, section, text from passages where row between ? and ?",
    );
    for (const { row, section, text } of passages.iterate(...range)) {
      // The words are told once more, so that they leave the pages they stand in at once.
      this.#run("insert into words (words, rowid, heading, text) values ('delete', ?, ?, ?)", [
        Number(row),
        ...wordsOf(String(file.name), {
          ...(section === null ? {} : { section: String(section) }),
          text: String(text),
        }),
      ]);
    }
    this.#run("delete from passages where row between ? and ?", range);
    this.#vectors.remove(first, first + 2 ** placeBits - 1);
    this.#run("delete from files where id = ?", [fileId]);
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec("begin immediate");
    try {
      const result = work();
      this.#database.exec("commit");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("rollback");
      throw error;
    }
  }

  #run(sql: string, values: readonly (string | number | null)[]) {
    return this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** The rows of the files asked for, and their share of all passages. */
interface Scope {
  /** The files' numbers as JSON. */
  readonly numbers: string;
  readonly first: number;
  readonly last: number;
  readonly passages: number;
  readonly all: number;
  readonly share: number;
}

/** What the full-text table is told of a passage, and told again when it goes: always the same. */
function wordsOf(
  fileName: string,
  { section = "", text }: Pick<Passage, "section" | "text">,
): [heading: string, text: string] {
  return [indexable(`${fileName} ${section}`), indexable(text)];
}

/** In so many of all passages a word tells nothing about any of them, and counting it takes long. */
function commonFrom(all: number): number {
  return Math.ceil(Math.min(all / 2, Math.max(maxRanked, all / 10)));
}

function open(path: string): DatabaseSync {
  try {
    return prepare(path);
  } catch {
    // It holds nothing that is not kept elsewhere.
    for (const ending of ["", "-wal", "-shm"]) rmSync(`${path}${ending}`, { force: true });
    return prepare(path);
  }
}

function prepare(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec("pragma journal_mode = wal");
    // After a power cut it is as it was a moment before, and what is missing is read again.
    database.exec("pragma synchronous = normal");
    database.exec("pragma cache_size = -32000");
    database.exec("pragma secure_delete = on");
    database.exec("pragma journal_size_limit = 16777216");
    const version = Number(database.prepare("pragma user_version").get()?.user_version);
    if (version > format) throw new Error("another format");
    if (version === format) return database;
    database.exec("begin");
    if (version === 0) database.exec(tables);
    database.exec(`${vectorTables} ${signatureTables} pragma user_version = ${format}`);
    new PassageVectors(database, placeBits).signAll();
    database.exec("commit");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

const tables = `
  create table files (
    number integer primary key autoincrement,
    id text not null unique,
    name text not null,
    sha256 text not null,
    passages integer not null,
    truncated integer not null,
    why text
  );
  create table passages (
    row integer primary key,
    page integer,
    section text,
    text text not null
  );
  create virtual table words using fts5(
    heading, text,
    content = '',
    tokenize = 'porter unicode61 remove_diacritics 2'
  );
  insert into words (words, rank) values ('secure-delete', 1);
`;
