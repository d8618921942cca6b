import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openDatabase } from "../adapters/sqlite/database.ts";
import { createSqlitePortable } from "../adapters/sqlite/portable.ts";
import type { Json } from "../src/domain/json.ts";

/** Lines handed over before the first of them is waited for: they share one write to disk. */
const linesAtOnce = 5_000;

/** Everything in the data file of a folder, one line each. Nobody else may have it open. */
export async function readLines(directory: string): Promise<readonly string[]> {
  const database = openDatabase(join(directory, "bobbin.sqlite"));
  try {
    const lines: string[] = [];
    for await (const line of createSqlitePortable(database).exportLines()) {
      lines.push(JSON.stringify(line));
    }
    return lines;
  } finally {
    database.close();
  }
}

/** Ids of messages, replies, runs and threads: what makes one conversation another. */
const ids = /\b(m-|r-|run_|thread_)([0-9a-f]{24,32}|[0-9a-f]{16}(?:\.\w+)*)/g;

/**
 * Makes a data folder with so many stored threads: what one real conversation left behind, again and
 * again under other ids. Resolves to the lines a thread is made of.
 */
export async function storeThreads(options: {
  /** Lines of a data file before a conversation, and after it. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly directory: string;
  readonly threads: number;
}): Promise<number> {
  const { before, after, directory, threads } = options;
  const known = new Set(before);
  const added = after.filter((line) => !known.has(line) && line.search(ids) !== -1);
  await mkdir(directory, { recursive: true });
  const database = openDatabase(join(directory, "bobbin.sqlite"));
  const portable = createSqlitePortable(database);
  let pending: Promise<void>[] = [];
  const take = async (line: string) => {
    pending.push(portable.importLine(JSON.parse(line) as Json));
    if (pending.length < linesAtOnce) return;
    await Promise.all(pending);
    pending = [];
  };
  try {
    for (const line of after) await take(line);
    // The real one is there already.
    for (let thread = 1; thread < threads; thread += 1) {
      const number = thread.toString(16).padStart(8, "0");
      for (const line of added) {
        await take(
          line.replace(ids, (_all, kind: string, id: string) => `${kind}${number}${id.slice(8)}`),
        );
      }
    }
    await Promise.all(pending);
  } finally {
    database.close();
  }
  return added.length;
}
