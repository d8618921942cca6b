import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createFileIndex } from "../adapters/sqlite/file-index.ts";
import type { Figures } from "./measures.ts";
import { median, percentile } from "./statistics.ts";

const pagesPerDocument = 20;
const wordsPerPage = 450;
const vocabulary = 30_000;
const queries = 60;
const results = 8;

/**
 * Documents of 20 pages taken in and searched: Bobbin's index in its thread, and for the floor plain
 * FTS5 doing the same work in this one, a page a row, every word of the question ranked by BM25.
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
  await index.close();
  return figures;
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
  return figures;
}

interface Searched {
  take(at: number, pages: readonly string[]): Promise<void>;
  find(words: readonly string[]): Promise<number>;
}

async function measure(documents: number, searched: Searched): Promise<Figures> {
  const random = numbers(7);
  const restBytes = process.memoryUsage().rss;
  let peakBytes = restBytes;
  let takingMs = 0;
  for (let at = 0; at < documents; at += 1) {
    const pages = Array.from({ length: pagesPerDocument }, () => textOf(wordsPerPage, random));
    const begun = performance.now();
    await searched.take(at, pages);
    takingMs += performance.now() - begun;
    peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
  }
  const timesMs: number[] = [];
  let found = 0;
  for (let query = 0; query < queries; query += 1) {
    const words = textOf(6, random).split(" ");
    const begun = performance.now();
    found += await searched.find(words);
    timesMs.push(performance.now() - begun);
    peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
  }
  if (found === 0) throw new Error("nothing was found");
  return {
    indexedPerSecond: documents / (takingMs / 1000),
    searchP50: median(timesMs),
    searchP99: percentile(timesMs, 0.99),
    searchAddedMb: (peakBytes - restBytes) / 1e6,
  };
}

/** Words as often as in a language: the second half as often as the first, and so on (Zipf). */
function textOf(words: number, random: () => number): string {
  return Array.from({ length: words }, () => {
    const rank = Math.floor(Math.exp(random() * Math.log(vocabulary)));
    return `w${rank.toString(36)}x`;
  }).join(" ");
}

/** The same numbers in every run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
