import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { messageOf } from "#domain/errors";
import { exportLines, importLines, type Kept } from "./moving.ts";

/** What an admin's commands need from outside. */
export interface AdminParts {
  /** DATA_DIR. */
  readonly directory: string;
  readonly now: () => Date;
  /** Asks the running process for a backup; undefined when none runs on the folder. */
  readonly askRunning: (
    to: string,
  ) => Promise<{ readonly ok: boolean; readonly words: string } | undefined>;
  /** Opens a data folder for this process alone; throws in words when that cannot be. */
  readonly open: (directory: string) => Promise<OpenData>;
  readonly print: (line: string) => void;
}

/** A data folder that is open. */
export interface OpenData extends Kept {
  readonly fileIds: () => Promise<readonly string[]>;
  /** Writes a complete copy into an empty folder, while everything goes on. */
  readonly backup: (to: string) => Promise<string>;
  readonly close: () => void;
}

export const adminCommands = ["backup", "export", "import"] as const;

/** Whether a word of the command line is one of them. */
export function isAdminCommand(word: string): word is AdminCommand {
  return adminCommands.some((known) => known === word);
}

export type AdminCommand = (typeof adminCommands)[number];

/** What stands in a data folder. */
export const dataFileName = "bobbin.db";
export const filesFolderName = "files";
const dataEntries = [dataFileName, `${dataFileName}-wal`, filesFolderName];

/** How each is typed. */
export const usage = {
  backup: "npm run backup -- [folder]",
  export: "npm run export -- [file]",
  import: "npm run import -- <file> [--replace]",
} as const;

/** Does one of the commands. Throws an Error in words when it could not. */
export async function runAdminCommand(
  command: AdminCommand,
  args: readonly string[],
  parts: AdminParts,
): Promise<void> {
  const flags = args.filter((arg) => arg.startsWith("-"));
  const [target, ...surplus] = args.filter((arg) => !arg.startsWith("-"));
  const isReplacing = command === "import" && flags.length === 1 && flags[0] === "--replace";
  if (surplus.length > 0 || (flags.length > 0 && !isReplacing)) {
    throw new Error(`that is not how it is used: ${usage[command]}`);
  }
  switch (command) {
    case "backup":
      return backUp(target, parts);
    case "export":
      return exportTo(target, parts);
    case "import":
      if (target === undefined) throw new Error(`a file is missing: ${usage.import}`);
      return importFrom(resolve(target), { isReplacing, parts });
  }
}

/** `2026-11-21T09-30-00Z`: a time as the name of a file. */
export function timeName(at: Date): string {
  return `${at.toISOString().slice(0, 19).replaceAll(":", "-")}Z`;
}

async function backUp(target: string | undefined, parts: AdminParts): Promise<void> {
  const { directory, now, print } = parts;
  const to = target ? resolve(target) : join(directory, "backups", timeName(now()));
  print(await copyTo(to, parts));
}

/** By the running process, or, when there is none, by this one. */
async function copyTo(to: string, { directory, askRunning, open }: AdminParts): Promise<string> {
  const answer = await askRunning(to);
  if (answer?.ok === false) throw new Error(answer.words);
  if (answer) return answer.words;
  await assertData(directory);
  const data = await open(directory);
  try {
    return await data.backup(to);
  } finally {
    data.close();
  }
}

async function exportTo(target: string | undefined, parts: AdminParts): Promise<void> {
  const { directory, now, open, print } = parts;
  const to = resolve(target ?? `bobbin-${timeName(now())}.jsonl`);
  if (await exists(to)) throw new Error(`${to} is there already`);
  // Read from a copy: what is written meanwhile cannot tear it.
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = await mkdtemp(join(directory, "export-"));
  try {
    const copy = join(temporary, "data");
    await copyTo(copy, parts);
    const data = await open(copy);
    try {
      const fileIds = await data.fileIds();
      await writeLines(to, exportLines(data, fileIds, now()));
      print(`Exported everything, with ${counted(fileIds.length, "file")}, to ${to}`);
    } finally {
      data.close();
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Into a file that is there only once it is whole. */
export async function writeLines(to: string, lines: AsyncIterable<string>): Promise<void> {
  const text = async function* () {
    for await (const line of lines) yield `${line}\n`;
  };
  const partial = `${to}.partial`;
  try {
    await pipeline(Readable.from(text()), createWriteStream(partial, { mode: 0o600, flush: true }));
    await rename(partial, to);
  } finally {
    await rm(partial, { force: true });
  }
}

async function importFrom(
  from: string,
  { isReplacing, parts }: { readonly isReplacing: boolean; readonly parts: AdminParts },
): Promise<void> {
  const { directory, now, open, print } = parts;
  if (!(await exists(from))) throw new Error(`there is no file ${from}`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const hasData = await exists(join(directory, dataFileName));
  if (hasData && !isReplacing) {
    throw new Error(
      `there is data in ${directory}: add --replace to put the import in its place (what is there is kept beside it), or set DATA_DIR to an empty folder`,
    );
  }
  // Refuses while a process is at work on it.
  if (hasData) (await open(directory)).close();
  // Next to the data, and moved into place only when it is whole.
  const temporary = await mkdtemp(join(directory, "import-"));
  try {
    const data = await open(temporary);
    let moved: { readonly lines: number; readonly files: number };
    try {
      moved = await importLines(createInterface({ input: createReadStream(from) }), data);
    } catch (error) {
      throw new Error(`${from} was not imported, and nothing was changed: ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      data.close();
    }
    if (hasData) {
      const aside = join(directory, `replaced-${timeName(now())}`);
      await moveData(directory, aside);
      print(`What was there is now in ${aside}`);
    }
    await moveData(temporary, directory);
    print(`Imported ${counted(moved.lines, "line")} and ${counted(moved.files, "file")}.`);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function moveData(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  const present = new Set(await readdir(from));
  for (const name of dataEntries) {
    if (present.has(name)) await rename(join(from, name), join(to, name));
  }
}

async function assertData(directory: string): Promise<void> {
  if (await exists(join(directory, dataFileName))) return;
  throw new Error(`there is no data in ${directory}; set DATA_DIR as for npm start`);
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

export function counted(count: number, what: string): string {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}
