import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BotError, sentence } from "#domain/errors";
import { freeName, tableNameOf } from "#domain/table-name";
import type {
  DataEngine,
  QueryAnswer,
  Refused,
  TableDescription,
  TableFile,
  TableQuery,
} from "#ports/data-engine";
import { type ConfinedLimits, type ConfinedProgram, runConfined } from "../confined/confined.ts";
import { isInstalled } from "../confined/installed.ts";
import { Turns } from "../confined/turns.ts";
import type { EngineAnswer, EngineRequest, SourceTable } from "./protocol.ts";

export interface DuckdbEngineOptions {
  /** How long one question may take, reading its files included. */
  readonly timeoutMs: number;
  /** What DuckDB may hold for one question. */
  readonly maxMemoryBytes: number;
  /** The sheets of a workbook as CSV. Throws a BotError with words for the person. */
  readonly readSheets: (
    data: Uint8Array,
    file: string,
    signal: AbortSignal,
  ) => Promise<readonly { readonly name: string; readonly csv: string }[]>;
  /** Where copies of the files lie while a question is answered. Default: the system's temporary folder. */
  readonly scratchFolder?: string;
  /** Default 2. */
  readonly threads?: number;
  /** How many questions are answered at a time; others wait for their turn. Default 2. */
  readonly concurrency?: number;
}

/** Whether DuckDB came along: its packages are optional, and there is none for every machine. */
export function isDuckdbHere(): boolean {
  const { platform, arch } = process;
  const bindings = ["", "-musl"].map((libc) => `@duckdb/node-bindings-${platform}-${arch}${libc}`);
  return isInstalled("@duckdb/node-api") && bindings.some(isInstalled);
}

const engine: ConfinedProgram = {
  file: new URL("./worker.ts", import.meta.url),
  reads: ["adapters/duckdb/", "src/domain/"],
  loadsAddons: true,
};
/** What its JavaScript keeps: one chunk of rows, and the text of one file. */
const heapBytes = 256_000_000;
/** How much later than DuckDB's own stop its process is ended. */
const graceMs = 2_000;
const csvName = "result.csv";
/** Sample rows and columns of all tables. */
const descriptionBytes = 5_000_000;

/**
 * Answers SQL with DuckDB, each question in a process of its own that sees copies of the files under
 * names of ours, and is killed when it takes more time or memory than it may: some of DuckDB's
 * functions heed neither its memory limit nor an interrupt.
 */
export function createDuckdbEngine(options: DuckdbEngineOptions): DataEngine {
  return new DuckdbEngine(options);
}

class DuckdbEngine implements DataEngine {
  readonly #options: Required<DuckdbEngineOptions>;
  readonly #turns: Turns;

  constructor(options: DuckdbEngineOptions) {
    this.#options = { scratchFolder: tmpdir(), threads: 2, concurrency: 2, ...options };
    this.#turns = new Turns(this.#options.concurrency);
  }

  async query(query: TableQuery, signal: AbortSignal): Promise<QueryAnswer> {
    const { files, sql, maxRows, maxCharacters, csvMaxBytes } = query;
    return this.#inFolder(signal, async (folder) => {
      const csv =
        csvMaxBytes === undefined
          ? undefined
          : { path: join(folder, csvName), maxBytes: csvMaxBytes };
      const ask = { type: "query", sql, maxRows, maxCharacters, ...(csv ? { csv } : {}) } as const;
      // Escaped, a character takes six bytes at most; names of columns come beside.
      const outputBytes = maxCharacters * 6 + 1_000_000;
      const answer = await this.#ask({ files, folder, ask, outputBytes }, signal);
      if (!answer.ok || !("columns" in answer)) return asRefusal(answer);
      const { csvRows: rows, ...rest } = answer;
      if (!csv || rows === undefined) return rest;
      return { ...rest, csv: { data: await readFile(csv.path), rows } };
    });
  }

  async describe(files: readonly TableFile[], signal: AbortSignal): Promise<TableDescription> {
    return this.#inFolder(signal, async (folder) => {
      const ask = { type: "describe" } as const;
      const what = { files, folder, ask, outputBytes: descriptionBytes };
      const answer = await this.#ask(what, signal);
      return answer.ok && "tables" in answer ? answer : asRefusal(answer);
    });
  }

  #inFolder<T>(signal: AbortSignal, work: (folder: string) => Promise<T>): Promise<T | Refused> {
    return this.#turns.inTurn(signal, async () => {
      const folder = await mkdtemp(join(this.#options.scratchFolder, "bobbin-data-"));
      try {
        return await work(folder);
      } catch (error) {
        if (!(error instanceof BotError)) throw error;
        return { ok: false, problem: sentence(error.code, error.detail) };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }

  async #ask(
    what: {
      readonly files: readonly TableFile[];
      readonly folder: string;
      readonly ask: EngineRequest["ask"];
      readonly outputBytes: number;
    },
    signal: AbortSignal,
  ): Promise<EngineAnswer> {
    const { timeoutMs, maxMemoryBytes: memoryBytes, threads } = this.#options;
    const { files, folder, ask, outputBytes } = what;
    const tables = await this.#unpack(files, folder, signal);
    const request: EngineRequest = { tables, memoryBytes, threads, timeoutMs, ask };
    const limits: ConfinedLimits = {
      timeoutMs: timeoutMs + graceMs,
      heapBytes,
      memoryBytes: memoryBytes + heapBytes,
      outputBytes,
    };
    const end = await runConfined(engine, { request, folder, limits }, signal);
    if (end.status === "ended") return toAnswer(end.output);
    const problem = {
      time: `The query took longer than ${timeoutMs / 1_000} seconds and was stopped.`,
      memory: "The query needs more memory than it may have: filter or aggregate earlier.",
      output: "The result is wider than it may be: select fewer columns.",
    }[end.limit];
    return { ok: false, problem };
  }

  /** Puts each table into the folder, under a name of ours: nothing of a person's becomes a path. */
  async #unpack(
    files: readonly TableFile[],
    folder: string,
    signal: AbortSignal,
  ): Promise<readonly SourceTable[]> {
    const tables: SourceTable[] = [];
    const taken = new Set<string>();
    const add = async (table: Omit<SourceTable, "path">, data: Uint8Array | string) => {
      const path = join(folder, `${tables.length}.csv`);
      await writeFile(path, data);
      const name = freeName(table.name, taken);
      taken.add(name);
      tables.push({ ...table, name, path });
    };
    for (const { name, file, format, data } of files) {
      if (format === "csv") {
        await add({ name, file, alias: file }, data);
        continue;
      }
      const sheets = await this.#options.readSheets(data, file, signal);
      const filled = sheets.filter(({ csv }) => csv.trim() !== "");
      for (const sheet of filled) {
        const isOnly = filled.length === 1;
        await add(
          {
            name: isOnly ? name : `${name}_${tableNameOf(sheet.name)}`,
            file,
            sheet: sheet.name,
            ...(isOnly ? { alias: file } : {}),
          },
          sheet.csv,
        );
      }
    }
    return tables;
  }
}

function toAnswer(output: Buffer): EngineAnswer {
  try {
    return JSON.parse(output.toString("utf8"));
  } catch {
    return { ok: false, problem: "The data engine gave up on these files or this query." };
  }
}

function asRefusal(answer: EngineAnswer): Refused {
  return answer.ok ? { ok: false, problem: "The data engine gave up." } : answer;
}
