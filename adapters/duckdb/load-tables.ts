import { isUtf8 } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import type { DuckDBConnection } from "@duckdb/node-api";
import { CsvError, parse } from "csv-parse/sync";
import { csvCell } from "#domain/csv";
import { delimiterOf, toTable } from "#domain/table";
import type { SourceTable } from "./protocol.ts";
import { quotedName, quotedText } from "./quote.ts";

/** Enough to see which delimiter and which decimal sign a file has. */
const headBytes = 50_000;

/** A file that cannot be read as a table; the message is for the model. */
export class UnreadableTable extends Error {}

/** Makes a table of each file; gives what had to be done for that, in sentences. */
export async function loadTables(
  connection: DuckDBConnection,
  tables: readonly SourceTable[],
): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const table of tables) {
    const note = await load(connection, table);
    if (note !== undefined) notes.push(`${labelOf(table)} ${note}`);
  }
  // Names of tables come first: another file's own name must not stand in their place.
  for (const { name, alias } of tables) {
    if (alias === undefined) continue;
    await connection
      .run(`CREATE VIEW ${quotedName(alias)} AS FROM ${quotedName(name)}`)
      .catch(() => undefined);
  }
  return notes;
}

async function load(connection: DuckDBConnection, table: SourceTable): Promise<string | undefined> {
  const { data, note } = asUtf8(table.path);
  const head = data.toString("utf8", 0, headBytes);
  if (head.trim() === "") throw new UnreadableTable(`${labelOf(table)} is empty.`);
  const isSheet = table.sheet !== undefined;
  try {
    await create(connection, table, isSheet ? sheetOptions : usualOptions(head));
    return note;
  } catch (error) {
    if (isInterrupt(error)) throw error;
  }
  writeFileSync(table.path, regular(data.toString("utf8"), delimiterOf(head), table));
  await create(connection, table, [...strict, "delim = ','", "header = true"]);
  return "is irregular: where its rows have fewer cells than others, empty ones were added.";
}

function create(
  connection: DuckDBConnection,
  { name, path }: SourceTable,
  options: readonly string[],
): Promise<unknown> {
  const read = `read_csv(${[quotedText(path), ...options].join(", ")})`;
  return connection.run(`CREATE OR REPLACE TABLE ${quotedName(name)} AS SELECT * FROM ${read}`);
}

/** The same as DuckDB takes it: every row with all cells. */
function regular(text: string, delimiter: string, table: SourceTable): string {
  const { names, rows } = toTable(recordsIn(text, delimiter, table));
  const lines = [names, ...rows].map((row) => names.map((_, i) => csvCell(row[i] ?? "")).join(","));
  return `${lines.join("\n")}\n`;
}

function recordsIn(
  text: string,
  delimiter: string,
  table: SourceTable,
): readonly (readonly string[])[] {
  try {
    return parse(text, {
      bom: true,
      delimiter,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new UnreadableTable(`${labelOf(table)} cannot be read as a table: ${error.message}`);
  }
}

/**
 * DuckDB guesses types, and whether there is a header, from every row: by the first ones alone it
 * would take a later 12.5 in a column of whole numbers for 13. It must not guess the rest: it would
 * leave out lines that do not fit, or that look like comments, without a word.
 */
const strict = ["sample_size = -1", "skip = 0", "comment = ''", "quote = '\"'", "escape = '\"'"];

/** What `parse-excel.ts` writes: rows end with their last filled cell. */
const sheetOptions = [...strict, "delim = ','", "null_padding = true", "parallel = false"];

function usualOptions(head: string): readonly string[] {
  const delimiter = delimiterOf(head);
  const options = [...strict, `delim = ${quotedText(delimiter)}`];
  if (delimiter === ",") return options;
  const cells = head.split(/\r?\n/).flatMap((line) => line.split(delimiter));
  const has = (pattern: RegExp) => cells.filter((cell) => pattern.test(cell.trim())).length;
  if (has(/^-?\d{1,3}(\.\d{3})*,\d+$|^-?\d+,\d+$/) > has(/^-?\d+\.\d+$/)) {
    options.push("decimal_separator = ','");
    if (has(/^-?\d{1,3}(\.\d{3})+,\d+$/) > 0) options.push("thousands = '.'");
  }
  return options;
}

/** The file's bytes; one in an older encoding is written anew, for DuckDB reads UTF-8. */
function asUtf8(path: string): { readonly data: Buffer; readonly note?: string } {
  const data = readFileSync(path);
  if (isUtf8(data)) return { data };
  const encoding = encodingOf(data);
  const text = Buffer.from(new TextDecoder(encoding).decode(data));
  writeFileSync(path, text);
  return { data: text, note: `is not UTF-8; it was read as ${encoding}.` };
}

function encodingOf(data: Uint8Array): string {
  if (data[0] === 0xff && data[1] === 0xfe) return "utf-16le";
  if (data[0] === 0xfe && data[1] === 0xff) return "utf-16be";
  return "windows-1252";
}

/** How a table is called to people. */
export function labelOf({ file, sheet }: SourceTable): string {
  return sheet === undefined ? file : `${file}, sheet ${sheet},`;
}

/** DuckDB was told to stop. */
export function isInterrupt(error: unknown): boolean {
  return error instanceof Error && error.message.includes("INTERRUPT");
}
