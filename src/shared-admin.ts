import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { type AdminCommand, counted, exists, timeName, usage, writeLines } from "./admin.ts";
import { exportLines, importLines, type Kept } from "./moving.ts";
import { wordsOf } from "./words-of.ts";

/** A store that several processes share, opened for an admin's commands. */
export interface SharedData extends Kept {
  readonly fileIds: () => Promise<readonly string[]>;
  /** Whether processes of the bot are connected to it. */
  readonly isAtWork: () => Promise<boolean>;
  readonly isEmpty: () => Promise<boolean>;
  /** Deletes everything of the bot in it. */
  readonly clear: () => Promise<void>;
  readonly close: () => void;
}

/** What the commands need from outside. */
export interface SharedAdminParts {
  readonly now: () => Date;
  readonly open: () => Promise<SharedData>;
  readonly print: (line: string) => void;
}

/** Does one of the commands on a shared store. Throws an Error in words when it could not. */
export async function runSharedCommand(
  command: AdminCommand,
  args: readonly string[],
  parts: SharedAdminParts,
): Promise<void> {
  const [target, ...surplus] = args;
  if (surplus.length > 0 || target?.startsWith("-")) {
    throw new Error(`that is not how it is used with REDIS_URL: ${usage[command]}`);
  }
  switch (command) {
    case "backup":
      throw new Error(
        '"backup" is for the data file; with REDIS_URL, copy what Redis keeps on disk, and DATA_DIR after it (docs/operating.md)',
      );
    case "export":
      return withIdle(parts, (data) => exportTo(target, data, parts));
    case "import":
      if (target === undefined) throw new Error(`a file is missing: ${usage.import}`);
      return withIdle(parts, (data) => importFrom(resolve(target), data, parts));
  }
}

/** Nothing may be written meanwhile: an export would be torn, an import answered before it is whole. */
async function withIdle(
  { open }: SharedAdminParts,
  work: (data: SharedData) => Promise<void>,
): Promise<void> {
  const data = await open();
  try {
    if (await data.isAtWork()) {
      throw new Error("processes of Bobbin are connected to that Redis: stop all of them first");
    }
    await work(data);
  } finally {
    data.close();
  }
}

async function exportTo(
  target: string | undefined,
  data: SharedData,
  { now, print }: SharedAdminParts,
): Promise<void> {
  const to = resolve(target ?? `bobbin-${timeName(now())}.jsonl`);
  if (await exists(to)) throw new Error(`${to} is there already`);
  const fileIds = await data.fileIds();
  await writeLines(to, exportLines(data, fileIds, now()));
  print(`Exported everything, with ${counted(fileIds.length, "file")}, to ${to}`);
}

async function importFrom(
  from: string,
  data: SharedData,
  { print }: SharedAdminParts,
): Promise<void> {
  if (!(await exists(from))) throw new Error(`there is no file ${from}`);
  if (!(await data.isEmpty())) {
    throw new Error("there is data of Bobbin in that Redis: set REDIS_URL to an empty one");
  }
  try {
    const moved = await importLines(createInterface({ input: createReadStream(from) }), data);
    print(`Imported ${counted(moved.lines, "line")} and ${counted(moved.files, "file")}.`);
  } catch (error) {
    await data.clear();
    throw new Error(`${from} was not imported: ${wordsOf(error)}`, { cause: error });
  }
}
