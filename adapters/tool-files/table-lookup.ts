import { readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { parse } from "csv-parse/sync";

/** What a file says of the table behind a tool. */
export interface TableTemplate {
  /** A CSV file or an SQLite file in the folder of tools. */
  readonly file: string;
  /** In an SQLite file: which table. */
  readonly table?: string | undefined;
  /** Columns that have to be given, all of them, to see a row. */
  readonly keys: readonly string[];
  /** `contains`: a part of the value is enough. */
  readonly match: "equals" | "contains";
  /** The columns that are told; all when left out. */
  readonly columns?: readonly string[] | undefined;
}

/** One row, by column. */
export type Row = { readonly [column: string]: string | number | null };

/** Finds rows of a table in an SQLite file; read-only. Throws when there is no such table or column. */
export type SqliteLookup = (query: {
  readonly path: string;
  readonly table: string;
  readonly wanted: { readonly [column: string]: string };
  readonly match: TableTemplate["match"];
  readonly limit: number;
}) => Promise<readonly Row[]>;

const maxRows = 20;
const maxTableBytes = 50_000_000;

/** Finds the rows whose keys are given; what was asked for stays text, whatever it looks like. */
export async function lookUp(
  template: TableTemplate,
  args: { readonly [name: string]: unknown },
  from: { readonly folder: string; readonly sqlite: SqliteLookup },
): Promise<string> {
  const wanted = Object.fromEntries(
    template.keys.map((key) => [key, String(args[key] ?? "").trim()]),
  );
  const blank = template.keys.find((key) => wanted[key] === "");
  if (blank !== undefined) return `\`${blank}\` has to be given.`;
  const path = await insideOf(from.folder, template.file);
  const limit = maxRows + 1;
  const rows =
    template.table === undefined
      ? await rowsOfCsv(path, template, wanted)
      : await from.sqlite({ path, table: template.table, wanted, match: template.match, limit });
  if (rows.length === 0) return "Nothing fits. Check what was asked for; do not guess.";
  const told = rows.slice(0, maxRows).map((row) => onlyColumns(row, template.columns));
  return JSON.stringify({
    rows: told,
    ...(rows.length > maxRows ? { note: `More than ${maxRows} fit; ask for less.` } : {}),
  });
}

/** A file of the folder; no way leads out of it. */
async function insideOf(folder: string, file: string): Promise<string> {
  const root = await realpath(folder);
  const path = await realpath(join(root, file)).catch(() => undefined);
  if (path === undefined || !path.startsWith(root + sep)) {
    throw new Error(`there is no ${file} in the folder of tools`);
  }
  const { size } = await stat(path);
  if (size > maxTableBytes) throw new Error(`${file} is larger than ${maxTableBytes} bytes`);
  return path;
}

/** Read for every call: an admin changes it while the bot runs. */
async function rowsOfCsv(
  path: string,
  { keys, match }: TableTemplate,
  wanted: { readonly [column: string]: string },
): Promise<readonly Row[]> {
  const records = parse(await readFile(path, "utf8"), {
    bom: true,
    columns: true,
    skip_empty_lines: true,
    relax_column_count: true,
    trim: true,
  }) as Row[];
  const missing = keys.find((key) => records[0] && !(key in records[0]));
  if (missing !== undefined) throw new Error(`the table has no column ${missing}`);
  return records
    .filter((row) => keys.every((key) => fits(String(row[key] ?? ""), wanted[key] ?? "", match)))
    .slice(0, maxRows + 1);
}

function fits(value: string, wanted: string, match: TableTemplate["match"]): boolean {
  const [a, b] = [value.trim().toLowerCase(), wanted.toLowerCase()];
  return match === "equals" ? a === b : a.includes(b);
}

function onlyColumns(row: Row, columns: readonly string[] | undefined): Row {
  if (!columns) return row;
  return Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
}
