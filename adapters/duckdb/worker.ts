import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBPreparedStatement,
  StatementType,
} from "@duckdb/node-api";
import { messageOf } from "#domain/errors";
import type { DescribedTable, Refused } from "#ports/data-engine";
import { answer, readRequest } from "../confined/inside.ts";
import { isInterrupt, loadTables, UnreadableTable } from "./load-tables.ts";
import type { EngineAnswer, EngineRequest } from "./protocol.ts";
import { quotedName } from "./quote.ts";
import { CsvWriter, columnsOf, RowCollector, rowsOf } from "./rows.ts";

/**
 * The engine's process: the tables of one question, its answer, then the end. Once the tables are
 * loaded DuckDB is locked: no files, no network, no extensions, and no way to change that
 * (duckdb.org/docs/stable/operations_manual/securing_duckdb/overview). It is killed by its parent
 * when it takes too much all the same.
 */
const sampleRows = 3;

const { request } = readRequest<EngineRequest>();
answer(await answerTo(request));
process.exit(0);

async function answerTo(asked: EngineRequest): Promise<EngineAnswer> {
  try {
    const connection = await open(asked);
    const timer = setTimeout(() => connection.interrupt(), asked.timeoutMs);
    const notes = await loadTables(connection, asked.tables);
    await connection.run("SET enable_external_access = false");
    await connection.run("SET lock_configuration = true");
    const found =
      asked.ask.type === "describe"
        ? await describe(connection, asked)
        : await query(connection, asked.ask);
    clearTimeout(timer);
    return found.ok ? { ...found, notes } : found;
  } catch (error) {
    return refuse(wordsOf(error, asked));
  }
}

async function open({ memoryBytes, threads }: EngineRequest): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(":memory:", {
    memory_limit: `${Math.floor(memoryBytes / 1_000_000)}MB`,
    threads: String(threads),
    // Nothing is written beside what the parent asks for.
    temp_directory: "",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
    allow_persistent_secrets: "false",
  });
  return instance.connect();
}

async function query(
  connection: DuckDBConnection,
  ask: Extract<EngineRequest["ask"], { type: "query" }>,
) {
  const statement = await prepare(connection, ask.sql);
  if ("ok" in statement) return statement;
  const result = await statement.stream();
  const columns = columnsOf(result);
  const shown = new RowCollector(ask.maxRows, ask.maxCharacters);
  const csv = ask.csv && new CsvWriter(ask.csv.path, ask.csv.maxBytes, columns);
  for await (const row of rowsOf(result)) {
    shown.add(row);
    csv?.add(row);
    if (shown.isCut && !csv?.fits) break;
  }
  csv?.close();
  if (csv && !csv.fits) {
    return refuse(`The result is too large for a file: it may have ${megabytes(ask.csv)}.`);
  }
  const { rows, isCut } = shown;
  return { ok: true, columns, rows, isCut, ...(csv ? { csvRows: csv.rows } : {}) } as const;
}

/** One statement, and one that reads. */
async function prepare(
  connection: DuckDBConnection,
  sql: string,
): Promise<DuckDBPreparedStatement | Refused> {
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) {
    // DuckDB makes two of a PIVOT that has to look its values up first.
    const hint = /\bpivot\b/i.test(sql)
      ? " PIVOT has to name its values: PIVOT t ON column IN ('a', 'b') USING sum(x)."
      : "";
    return refuse(`One statement is answered at a time; these are ${statements.count}.${hint}`);
  }
  const statement = await statements.prepare(0);
  if (statement.statementType !== StatementType.SELECT) {
    const kind = StatementType[statement.statementType] ?? "another kind";
    return refuse(
      `Only statements that read are answered (SELECT, WITH, DESCRIBE, SUMMARIZE); this is ${kind}. The files themselves are never changed: select what should be in a new one.`,
    );
  }
  return statement;
}

async function describe(connection: DuckDBConnection, { tables }: EngineRequest) {
  const described: DescribedTable[] = [];
  for (const { name, file, sheet } of tables) {
    const counted = await connection.runAndReadAll(`SELECT count(*) FROM ${quotedName(name)}`);
    const result = await connection.stream(`FROM ${quotedName(name)} LIMIT ${sampleRows}`);
    const sample = new RowCollector(sampleRows, 10_000);
    for await (const row of rowsOf(result)) sample.add(row);
    described.push({
      name,
      file,
      ...(sheet === undefined ? {} : { sheet }),
      rows: Number(counted.getRows()[0]?.[0] ?? 0),
      columns: columnsOf(result),
      sample: sample.rows,
    });
  }
  return { ok: true, tables: described } as const;
}

function wordsOf(error: unknown, asked: EngineRequest): string {
  if (error instanceof UnreadableTable) return error.message;
  if (isInterrupt(error)) return `The query took longer than ${asked.timeoutMs / 1_000} seconds.`;
  const text = messageOf(error);
  if (text.startsWith("Out of Memory")) {
    return "The query needs more memory than it may have: filter or aggregate earlier.";
  }
  if (/^Permission Error|has been locked/.test(text)) {
    return `${text.split("\n", 1)[0]}. A query sees the attached tables and nothing else: no files, no network, no settings.`;
  }
  // DuckDB's hint and the place in the SQL help to mend it.
  return text.slice(0, 1_000);
}

function megabytes(csv: { readonly maxBytes: number } | undefined): string {
  return `${Math.round((csv?.maxBytes ?? 0) / 1_000_000)} MB`;
}

function refuse(problem: string): Refused {
  return { ok: false, problem };
}
