import { existsSync } from "node:fs";
import { sep } from "node:path";
import type { CodeFile, CodeOutcome, CodeRequest } from "#domain/code-run";
import { fileNamesOf } from "#domain/file-names";
import type { CodeRunner } from "#ports/code-runner";
import { type ConfinedProgram, runConfined } from "../confined/confined.ts";
import { Turns } from "../confined/turns.ts";
import { lockTextOf, pyodideFolderOf, readLock, usualPackages, withNeeded } from "./packages.ts";
import {
  type AnswerLimits,
  answerSchema,
  type SandboxAnswer,
  type SandboxRequest,
} from "./protocol.ts";

export interface PythonSandboxOptions {
  /** A folder with wheels of Pyodide's own distribution; undefined: only the standard library. */
  readonly packagesFolder?: string | undefined;
  /** How long one piece of code may take, Python's start (2 to 3 s of work) included. */
  readonly timeoutMs: number;
  /** What Python itself may hold, and what all else in its process may, its start not counted. */
  readonly maxMemoryBytes: number;
  /** How many run at a time; others wait for their turn. Default 2. */
  readonly concurrency?: number;
}

const limits: AnswerLimits = {
  output: 20_000,
  value: 4_000,
  error: 4_000,
  files: 10,
  fileBytes: 20_000_000,
};
const wasmPageBytes = 65_536;

const program: ConfinedProgram = {
  file: new URL("./worker.ts", import.meta.url),
  reads: ["adapters/pyodide/"],
  // Pyodide with its standard library takes about 180 MB.
  ownMemoryBytes: 300_000_000,
  flags: ["--experimental-vm-modules", "--frozen-intrinsics"],
};

/**
 * Runs Python by Pyodide, each piece of code in a new process that ends with it. See docs/decisions
 * for what holds the code in. Throws when Pyodide, an optional package, is not installed, or the
 * folder's packages are for another version of it.
 */
export function createPythonSandbox(options: PythonSandboxOptions): CodeRunner {
  const { timeoutMs, maxMemoryBytes, concurrency = 2 } = options;
  const pyodideFolder = pyodideFolderOf();
  const packagesFolder = options.packagesFolder && withSlash(options.packagesFolder);
  const turns = new Turns(concurrency);
  const schema = answerSchema(limits);
  const confined: ConfinedProgram = {
    ...program,
    flags: [
      ...(program.flags ?? []),
      `--wasm-max-mem-pages=${Math.ceil(maxMemoryBytes / wasmPageBytes)}`,
    ],
  };

  async function run({ code, files }: CodeRequest, signal: AbortSignal): Promise<CodeOutcome> {
    const names = fileNamesOf(files.map(({ name }) => name));
    const request: SandboxRequest = {
      code,
      files: files.map(({ data }, i) => ({ name: names[i] ?? "", bytes: data.length })),
      pyodideFolder,
      ...(packagesFolder === undefined ? {} : { packagesFolder }),
      limits,
    };
    const end = await runConfined(
      confined,
      {
        request,
        data: Buffer.concat(files.map(({ data }) => data)),
        ...(packagesFolder === undefined ? {} : { library: packagesFolder }),
        limits: {
          timeoutMs,
          heapBytes: maxMemoryBytes,
          memoryBytes: maxMemoryBytes,
          outputBytes: maxAnswerBytes,
        },
      },
      signal,
    );
    if (end.status === "ended") return toOutcome(parse(end.output));
    switch (end.limit) {
      case "time":
        return stopped(`It took longer than ${timeoutMs / 1_000} seconds and was ended.`);
      case "memory":
        return stopped(
          `It took more than ${Math.round(maxMemoryBytes / 1_000_000)} MB of memory and was ended.`,
        );
      case "output":
        return stopped("It gave back more than it may and was ended.");
    }
  }

  function parse(output: Buffer): SandboxAnswer {
    try {
      const { success, data } = schema.safeParse(JSON.parse(output.toString("utf8")));
      if (success) return data;
    } catch {
      // Not even JSON: whatever wrote this was not our program.
    }
    return { type: "crashed" };
  }

  return {
    packages: packagesFolder === undefined ? [] : installed(pyodideFolder, packagesFolder),
    timeoutMs,
    run: (request, signal) => turns.inTurn(signal, () => run(request, signal)),
  };
}

/** Files as base64, all else escaped at six bytes a character. */
const maxAnswerBytes =
  Math.ceil((limits.fileBytes * 4) / 3) +
  (limits.output + limits.value + limits.error) * 6 +
  1_000_000;

/** The usual packages that are in the folder with all they need. */
function installed(pyodideFolder: string, folder: string): readonly string[] {
  const lock = readLock(lockTextOf(pyodideFolder, folder));
  return usualPackages.filter((name) =>
    withNeeded([name], lock).every((one) => existsSync(folder + one.file_name)),
  );
}

function toOutcome(answer: SandboxAnswer): CodeOutcome {
  if (answer.type === "crashed") {
    return stopped("Python gave up: the code used up its stack or its memory, or ended it.");
  }
  if (answer.type === "unprepared") {
    return stopped(`A package it imports could not be installed: ${answer.problem}`);
  }
  const { output, value, error, missing, files, leftOut } = answer;
  const names = fileNamesOf(files.map(({ name }) => name));
  return {
    type: "ran",
    output,
    value: value ?? undefined,
    error: error ?? undefined,
    missingModule: missing ?? undefined,
    files: files.map(
      ({ data }, i): CodeFile => ({ name: names[i] ?? "", data: Buffer.from(data, "base64") }),
    ),
    leftOut,
  };
}

function stopped(why: string): CodeOutcome {
  return { type: "stopped", why };
}

function withSlash(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep;
}
