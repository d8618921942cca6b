import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createFileIndex } from "../adapters/sqlite/file-index.ts";
import type { FileIndex } from "../src/ports/file-index.ts";
import { Embeddings } from "./embeddings.ts";
import type { Figures } from "./measures.ts";
import { numbers } from "./random.ts";
import { median, percentile } from "./statistics.ts";

const pagesPerDocument = 20;
const wordsPerPage = 450;
const vocabulary = 30_000;
const queries = 60;
/** Asked before those: what is compiled late would be charged to them. */
const warmUpQueries = 5;
const results = 8;
/** As many components as OpenAI's small model makes. */
const components = 1_536;
/** Passages that get their vectors at a time, as in a run. */
const batch = 64;

/**
 * Documents of 20 pages taken in and searched: Bobbin's index in its thread, by words alone and then
 * with a vector for every passage, and for the floor plain FTS5 doing the same work in this one, a page
 * a row, every word of the question ranked by BM25.
 */
export async function measureSearch(
  folder: string,
  documents: number,
): Promise<{ readonly floor: Figures; readonly bobbin: Figures }> {
  return {
    floor: await measurePlain(join(folder, "plain.sqlite"), documents),
    bobbin: await measureIndex(join(folder, "search.sqlite"), documents),
  };
}

async function measureIndex(path: string, documents: number): Promise<Figures> {
  const index = createFileIndex(path);
  const fileIds = Array.from({ length: documents }, (_, at) => `file_${at}`);
  const figures = await measure(documents, {
    async take(at, pages) {
      const file = { id: `file_${at}`, name: `document-${at}.pdf`, sha256: String(at) };
      const numbered = pages.map((text, page) => ({ page: page + 1, text }));
      await index.put(file, { pages: numbered, truncated: false });
    },
    find: async (words) =>
      (await index.search({ query: words.join(" "), fileIds, limit: results })).length,
  });
  const byMeaning = await measureMeaning(index, fileIds);
  await index.close();
  return { ...figures, ...byMeaning };
}

/** The same index once each passage has a vector; those of a document lie together, questions anywhere. */
async function measureMeaning(index: FileIndex, fileIds: readonly string[]): Promise<Figures> {
  const made = new Embeddings({ components, subjects: fileIds.length, side: 0.4 });
  const model = "bench";
  const memory = new Memory();
  const { count: all } = await index.unembedded(model, fileIds, 0);
  let takingMs = 0;
  for (let done = 0; done < all; done += batch) {
    let begun = performance.now();
    const { passages } = await index.unembedded(model, fileIds, batch);
    takingMs += performance.now() - begun;
    const vectors = passages.map(({ row }, at) => {
      const subject = Math.floor(((done + at) / all) * fileIds.length);
      return { row, values: made.passage(subject) };
    });
    begun = performance.now();
    await index.embed(model, vectors);
    takingMs += performance.now() - begun;
    memory.look();
  }
  const random = numbers(8);
  const { first, p50, p99, cpu } = await ask(memory, {
    next: () => ({ query: textOf(6, random), vector: { model, values: made.question() } }),
    find: async (question) => (await index.search({ ...question, fileIds, limit: results })).length,
  });
  return {
    vectorsPerSecond: all / (takingMs / 1000),
    meaningFirst: first,
    meaningP50: p50,
    meaningP99: p99,
    meaningCpu: cpu,
    meaningAddedMb: memory.addedMb,
  };
}

async function measurePlain(path: string, documents: number): Promise<Figures> {
  const database = new DatabaseSync(path);
  database.exec("pragma journal_mode = wal; pragma synchronous = normal");
  database.exec(
    "create virtual table pages using fts5(text, tokenize = 'porter unicode61 remove_diacritics 2')",
  );
  const insert = database.prepare("insert into pages (text) values (?)");
  const select = database.prepare(
    `select rowid, text from pages where pages match ? order by rank limit ${results}`,
  );
  const figures = await measure(documents, {
    async take(_at, pages) {
      database.exec("begin");
      for (const text of pages) insert.run(text);
      database.exec("commit");
    },
    find: async (words) => select.all(words.map((word) => `"${word}"`).join(" OR ")).length,
  });
  database.close();
  // What there is to compare with when questions have vectors, too: it has none.
  const again = Object.entries(figures).map(
    ([figure, value]) => [figure.replace("search", "meaning"), value] as const,
  );
  return { ...figures, ...Object.fromEntries(again) };
}

interface Searched {
  take(at: number, pages: readonly string[]): Promise<void>;
  find(words: readonly string[]): Promise<number>;
}

async function measure(documents: number, searched: Searched): Promise<Figures> {
  const random = numbers(7);
  const memory = new Memory();
  let takingMs = 0;
  for (let at = 0; at < documents; at += 1) {
    const pages = Array.from({ length: pagesPerDocument }, () => textOf(wordsPerPage, random));
    const begun = performance.now();
    await searched.take(at, pages);
    takingMs += performance.now() - begun;
    memory.look();
  }
  const { first, p50, p99, cpu } = await ask(memory, {
    next: () => textOf(6, random).split(" "),
    find: (words) => searched.find(words),
  });
  return {
    indexedPerSecond: documents / (takingMs / 1000),
    searchFirst: first,
    searchP50: p50,
    searchP99: p99,
    searchCpu: cpu,
    searchAddedMb: memory.addedMb,
  };
}

interface Asked {
  /** The very first one. */
  readonly first: number;
  readonly p50: number;
  readonly p99: number;
  /** Of this process with all its threads. */
  readonly cpu: number;
}

/** How long questions take, in ms; what asks them is made beforehand. */
async function ask<Question>(
  memory: Memory,
  { next, find }: { next(): Question; find(question: Question): Promise<number> },
): Promise<Asked> {
  const times: number[] = [];
  const cpus: number[] = [];
  let found = 0;
  for (let query = 0; query < warmUpQueries + queries; query += 1) {
    const question = next();
    const used = process.cpuUsage();
    const begun = performance.now();
    found += await find(question);
    times.push(performance.now() - begun);
    const { user, system } = process.cpuUsage(used);
    cpus.push((user + system) / 1000);
    memory.look();
  }
  if (found === 0) throw new Error("nothing was found");
  const counted = times.slice(warmUpQueries);
  return {
    first: times[0] ?? Number.NaN,
    p50: median(counted),
    p99: percentile(counted, 0.99),
    cpu: median(cpus.slice(warmUpQueries)),
  };
}

/** What this process holds beyond what it held at first, at the most. */
class Memory {
  readonly #restBytes = process.memoryUsage().rss;
  #peakBytes = this.#restBytes;

  look(): void {
    this.#peakBytes = Math.max(this.#peakBytes, process.memoryUsage().rss);
  }

  get addedMb(): number {
    return (this.#peakBytes - this.#restBytes) / 1e6;
  }
}

/** Words as often as in a language: the second half as often as the first, and so on (Zipf). */
function textOf(words: number, random: () => number): string {
  return Array.from({ length: words }, () => {
    const rank = Math.floor(Math.exp(random() * Math.log(vocabulary)));
    return `w${rank.toString(36)}x`;
  }).join(" ");
}
