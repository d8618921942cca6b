import { freeName, tableNameOf } from "#domain/table-name";
import type { ToolContext } from "#domain/tool";
import type { DataEngine, QueryAnswer, Refused, TableFile } from "#ports/data-engine";

type ContextFile = ToolContext["files"][number];

/** More are not read for one question: the newest count. */
const maxFiles = 20;
const maxTotalBytes = 100_000_000;

/** A file that can be asked as a table, before it is read. */
interface AttachedTable extends Omit<TableFile, "data"> {
  readonly id: string;
}

/** The tables within reach, newest first; of two files that would have one name, the newer has it. */
export function attachedTables(files: ToolContext["files"]): readonly AttachedTable[] {
  const taken = new Set<string>();
  return [...files]
    .reverse()
    .filter((file) => isCsv(file) || isWorkbook(file))
    .slice(0, maxFiles)
    .map((file) => {
      const name = freeName(tableNameOf(file.name.replace(/\.[a-z]{2,4}$/i, "")), taken);
      taken.add(name);
      return { id: file.id, name, file: file.name, format: isCsv(file) ? "csv" : "workbook" };
    });
}

/** Reads tables; words for the model where they are too much together. */
export async function readTables(
  tables: readonly AttachedTable[],
  context: ToolContext,
  signal: AbortSignal,
): Promise<readonly TableFile[] | string> {
  const read: TableFile[] = [];
  let bytes = 0;
  for (const { id, ...table } of tables) {
    const data = await context.readFile(id);
    signal.throwIfAborted();
    bytes += data.byteLength;
    if (bytes > maxTotalBytes) {
      return `These files are ${megabytes(bytes)} and more; up to ${megabytes(maxTotalBytes)} are read for one question.`;
    }
    read.push({ ...table, data });
  }
  return read;
}

/** Answers SQL over the attached tables it names; what went wrong comes with the tables there are. */
export async function queryAttached(
  engine: DataEngine,
  query: {
    readonly sql: string;
    readonly maxRows: number;
    readonly maxCharacters: number;
    readonly csvMaxBytes?: number;
  },
  context: ToolContext,
  signal: AbortSignal,
): Promise<QueryAnswer> {
  const tables = attachedTables(context.files);
  const files = await readTables(tables.filter(isNamedIn(query.sql)), context, signal);
  if (typeof files === "string") return refused(files);
  const answer = await engine.query({ ...query, files }, signal);
  if (answer.ok || !/does not exist/.test(answer.problem)) return answer;
  const list = tables.map(({ name, file }) => `${name} (${file})`).join(", ");
  return refused(`${answer.problem}\nAttached tables: ${list || "none"}.`);
}

/** Only what a statement can mean is read: a table it names has its name in it. */
function isNamedIn(sql: string): (table: AttachedTable) => boolean {
  const text = plain(sql);
  const quoted = plain(sql.replaceAll('""', '"').replaceAll("''", "'"));
  return ({ name, file }) => text.includes(plain(name)) || quoted.includes(plain(file));
}

export function isCsv({ name, mimeType }: ContextFile): boolean {
  return /\.(csv|tsv|tab)$/i.test(name) || /csv|tab-separated/.test(mimeType);
}

function isWorkbook({ name, mimeType }: ContextFile): boolean {
  return /\.xls[xm]$/i.test(name) || /spreadsheetml/.test(mimeType);
}

export function isSameName(a: string, b: string): boolean {
  return plain(a) === plain(b);
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function plain(text: string): string {
  return text.normalize().toLowerCase();
}

function refused(problem: string): Refused {
  return { ok: false, problem };
}
