import { readdir, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { within } from "#domain/promises";
import type { Tool } from "#domain/tool";
import { toTool } from "./foreign-tool.ts";

/** What came of the admin's folder. */
export interface LoadedTools {
  readonly tools: readonly Tool[];
  /** What was left out, file by file, for the log and for admins. */
  readonly problems: readonly ToolProblem[];
}

export interface ToolProblem {
  readonly file: string;
  readonly problem: string;
}

/** No tool could be loaded; the message names every file and its problem. */
class ToolsFolderError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "ToolsFolderError";
  }
}

/**
 * Loads the functions in a folder (TOOLS_DIR): every `.ts`, `.mts`, `.js` and `.mjs` file directly in
 * it, in the order of names, by its default export or its exports `tool` and `tools` (one or a list;
 * see `toTool` for their shape). Files that begin with `.` or `_`, end in `.d.ts` or `.test.*`, and
 * folders are not tools; a link that leads out of the folder is a problem, and is not loaded.
 *
 * One broken module does not take down a bot that others rely on: it is left out and named in
 * `problems`, with everything else that is wrong, all at once. When the folder cannot be read, or
 * holds modules of which not one gives a tool, that is a mistake in the setting rather than in a
 * module: a {@link ToolsFolderError} stops the start.
 */
export async function loadTools({
  folder,
  taken = [],
  importTimeoutMs = 10_000,
  readDeclared,
}: {
  readonly folder: string;
  /** Names already in use, by the built-in functions. */
  readonly taken?: readonly string[];
  /** A module that waits at its top level for longer is left out. */
  readonly importTimeoutMs?: number;
  /** Reads a `.yaml` file into what a module would export; such files are left alone without it. */
  readonly readDeclared?: (path: string) => Promise<readonly unknown[]>;
}): Promise<LoadedTools> {
  const { root, files } = await modulesIn(folder, readDeclared !== undefined);
  const owners = new Map(taken.map((name) => [name, "a built-in function"]));
  const tools: Tool[] = [];
  const problems: ToolProblem[] = [];
  for (const file of files) {
    const loaded = await loadModule({ root, file, importTimeoutMs, readDeclared });
    problems.push(...loaded.problems.map((problem) => ({ file, problem })));
    for (const tool of loaded.tools) {
      const { name } = tool.spec;
      const owner = owners.get(name);
      if (owner) {
        problems.push({ file, problem: `the name \`${name}\` is taken by ${owner}` });
        continue;
      }
      owners.set(name, file);
      tools.push(tool);
    }
  }
  if (tools.length === 0 && problems.length > 0) {
    const list = problems.map(({ file, problem }) => `- ${file}: ${problem}`).join("\n");
    throw new ToolsFolderError(`No tool in ${folder} could be loaded:\n${list}`);
  }
  return { tools, problems };
}

async function modulesIn(
  folder: string,
  withDeclared: boolean,
): Promise<{ root: string; files: readonly string[] }> {
  try {
    const root = await realpath(folder);
    const entries = await readdir(root, { withFileTypes: true });
    const names = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
    return {
      root,
      files: names.filter((name) => isModule(name) || (withDeclared && isDeclared(name))).sort(),
    };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new ToolsFolderError(`The tools folder ${folder} cannot be read (${code}).`, error);
  }
}

function isModule(name: string): boolean {
  return /\.(ts|mts|js|mjs)$/.test(name) && !/^[._]|\.d\.m?ts$|\.(test|spec)\.[a-z]+$/.test(name);
}

function isDeclared(name: string): boolean {
  return /^[^._].*\.ya?ml$/i.test(name);
}

async function loadModule({
  root,
  file,
  importTimeoutMs,
  readDeclared,
}: {
  readonly root: string;
  readonly file: string;
  readonly importTimeoutMs: number;
  readonly readDeclared: ((path: string) => Promise<readonly unknown[]>) | undefined;
}): Promise<{ tools: readonly Tool[]; problems: readonly string[] }> {
  const only = (problem: string) => ({ tools: [], problems: [problem] });
  try {
    const path = await realpath(join(root, file));
    if (!path.startsWith(root + sep)) return only("it is a link that leads out of the folder");
    const offered =
      readDeclared && isDeclared(file)
        ? await readDeclared(path)
        : offeredBy(await importInTime(path, importTimeoutMs));
    if (offered.length === 0) {
      return only("it exports no tool: use a default export, `tool` or `tools`");
    }
    const results = offered.map(toTool);
    return {
      tools: results.flatMap((result) => (result.ok ? [result.tool] : [])),
      problems: results.flatMap((result) => (result.ok ? [] : result.problems)),
    };
  } catch (error) {
    return only(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  }
}

function importInTime(path: string, timeoutMs: number): Promise<unknown> {
  return within(timeoutMs, import(pathToFileURL(path).href), () => {
    throw new Error(`it was not ready after ${timeoutMs / 1_000} s`);
  });
}

/** Each thing exported once, whatever the number of names it has. */
function offeredBy(module: unknown): readonly unknown[] {
  const { default: main, tool, tools } = module as { [name: string]: unknown };
  return [...new Set([main, tool, tools].flat().filter((one) => one !== undefined))];
}
