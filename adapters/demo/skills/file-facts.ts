import { CsvError, parse } from "csv-parse/sync";
import { messageOf } from "#domain/errors";
import type { Table } from "#domain/table";
import { delimiterOf, factsOf, toTable } from "#domain/table";
import type { ReachableFile, Turn } from "../conversation.ts";
import { count, inline, type Skill, say, sizeOf } from "./skill.ts";

/** Larger files are not taken apart: everything here runs on the one thread everybody shares. */
const maxReadBytes = 1_000_000;

/** `facts`, `facts report.csv`: what a file is and holds. */
export const fileFacts: Skill = ({ text }, { files }) => {
  const match =
    /^(?:facts?|describe|inspect|files?)(?:\s+(?:of|about|on|in|the)\b)*(?:\s+(.+?))?\??$/i.exec(
      text,
    );
  if (!match) return undefined;
  const wanted = match[1]?.replace(/^["'`]|["'`]$/g, "");
  const chosen = wanted && !/^(files?|it|them|all)$/i.test(wanted) ? named(files, wanted) : files;
  if (chosen.length > 0) return say(...chosen.slice(-10).map(factsText));
  if (files.length === 0) {
    return say("No file is within my reach. Attach one and say `facts`.");
  }
  return say(`I see no file called ${inline(wanted ?? "")}. Within reach: ${namesOf(files)}.`);
};

/** A file that comes without a command is described. */
export const describeAttached: Skill = ({ text, files, imageCount }, turn) => {
  // Files for the container or the index are not in the message itself, but come with the first one.
  const isFirst = turn.entries.filter((entry) => entry.type === "user").length === 1;
  const sent = files.length > 0 || !isFirst ? files : turn.files;
  if (sent.length === 0 && imageCount === 0) return undefined;
  const excuse =
    text === ""
      ? []
      : ["Without a model I cannot answer that, but this is what I see of what was sent:"];
  const images =
    imageCount > 0
      ? [
          `${count(imageCount, "image")} came with it. Without a model nobody can look at ${imageCount === 1 ? "it" : "them"}.`,
        ]
      : [];
  return say(...excuse, ...sent.slice(-10).map(factsText), ...images);
};

/** `sum of amount`, `average of price in shop.csv`: exact answers from the newest table. */
export const tableAnswers: Skill = ({ text }, { files }) => {
  const match =
    /^(?:what is the |show the |the )?(sum|total|average|mean|min(?:imum)?|max(?:imum)?|count)\s+(?:of\s+)?(?:the\s+)?(?:column\s+)?["'`]?(.+?)["'`]?(?:\s+(?:in|from|of)\s+["'`]?(\S+\.[a-z0-9]+)["'`]?)?\s*\??$/i.exec(
      text,
    );
  if (!match) return undefined;
  const [, what = "", column = "", fileName] = match;
  const tables = (fileName ? named(files, fileName) : files).flatMap((file) => {
    const table = tableOf(file);
    return table ? [{ file, table }] : [];
  });
  const columnOf = ({ table }: { readonly table: Table }) =>
    factsOf(table).columns.find(({ name }) => name.toLowerCase() === column.trim().toLowerCase());
  const newest = tables.findLast(columnOf) ?? tables.at(-1);
  if (!newest) {
    return /\bof\b/i.test(text)
      ? say("I see no CSV file to look that up in. Attach one and ask again.")
      : undefined;
  }
  const { columns } = factsOf(newest.table);
  const found = columnOf(newest);
  const where = inline(newest.file.name);
  if (!found) {
    return say(
      `${where} has no column called ${inline(column)}. Its columns: ${columns.map(({ name }) => inline(name)).join(", ")}.`,
    );
  }
  const kind = what.slice(0, 3).toLowerCase();
  const value = {
    sum: found.sum,
    tot: found.sum,
    ave: found.mean,
    mea: found.mean,
    min: found.min,
    max: found.max,
    cou: String(found.filled),
  }[kind];
  if (value === undefined) {
    return say(
      `The column ${inline(found.name)} of ${where} holds ${found.type}, so it has no ${what.toLowerCase()}.`,
    );
  }
  return say(
    `The ${what.toLowerCase()} of ${inline(found.name)} in ${where} is **${inline(value)}** (${count(found.filled, "value")}, ${found.empty} empty).`,
  );
};

/** The newest file that is a table, taken apart. */
export function newestTable(
  turn: Turn,
  name?: string,
): { readonly file: ReachableFile; readonly table: Table } | undefined {
  const files = name ? named(turn.files, name) : turn.files;
  for (const file of [...files].reverse()) {
    const table = tableOf(file);
    if (table) return { file, table };
  }
  return undefined;
}

/** The text of a file, or undefined when it is something else. */
export function textOf(file: ReachableFile): string | undefined {
  if (file.data.byteLength > maxReadBytes) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(file.data);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

export function namesOf(files: readonly ReachableFile[]): string {
  return [...new Set(files.map(({ name }) => inline(name)))].join(", ");
}

function named(files: readonly ReachableFile[], name: string): readonly ReachableFile[] {
  const same = (a: string) => a.normalize().toLowerCase() === name.normalize().toLowerCase();
  return files.filter((file) => same(file.name)).slice(-1);
}

function tableOf(file: ReachableFile): Table | undefined {
  if (!/\.(csv|tsv|tab)$/i.test(file.name)) return undefined;
  const text = textOf(file);
  if (text === undefined) return undefined;
  try {
    const table = toTable(
      parse(text, {
        bom: true,
        delimiter: delimiterOf(text),
        relax_column_count: true,
        relax_quotes: true,
        skip_empty_lines: true,
      }),
    );
    return table.names.length > 0 ? table : undefined;
  } catch (error) {
    if (error instanceof CsvError) return undefined;
    throw error;
  }
}

/** What can be said of a file without understanding it. */
function factsText(file: ReachableFile): string {
  const head = `**${inline(file.name)}**: ${sizeOf(file.data.byteLength)}`;
  if (file.data.byteLength === 0) return `${head}; it is empty.`;
  const table = tableOf(file);
  if (table) return `${head}, ${tableFacts(table)}`;
  const text = textOf(file);
  if (text === undefined) {
    const why =
      file.data.byteLength > maxReadBytes
        ? `it is longer than the ${sizeOf(maxReadBytes)} I take apart`
        : "it is not text, and without a model I read only text, tables and JSON";
    return `${head}, ${kindOf(file)}; ${why}.`;
  }
  const json = /\.json$/i.test(file.name) ? jsonFacts(text) : undefined;
  if (json) return `${head}, ${json}`;
  const lines = text.replace(/\n$/, "").split("\n");
  const words = text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
  const first = lines.find((line) => line.trim() !== "") ?? "";
  return `${head}, text of ${count(lines.length, "line")} and ${count(words, "word")}. It begins: “${inline(first, 120)}”`;
}

function tableFacts(table: Table): string {
  const { rowCount, columns, hasHeader } = factsOf(table);
  const cell = (value: string | undefined) => (value === undefined ? "" : inline(value, 30));
  const shown = columns.slice(0, 30);
  const rows = shown.map(
    (column) =>
      `| ${cell(column.name)} | ${column.type} | ${column.filled} | ${column.distinct} | ${cell(column.sum)} | ${cell(column.mean)} | ${cell(column.min)} | ${cell(column.max)} |`,
  );
  const rest =
    columns.length > shown.length
      ? `\n\n…and ${count(columns.length - shown.length, "more column")}.`
      : "";
  return (
    [
      `a table of ${count(rowCount, "row")} and ${count(columns.length, "column")}${hasHeader ? "" : ", without a header"}.`,
      "",
      "| column | type | filled | distinct | sum | mean | least | greatest |",
      "| --- | --- | --: | --: | --: | --: | --: | --: |",
      ...rows,
    ].join("\n") + rest
  );
}

function jsonFacts(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value))
      return `JSON: a list of ${count(value.length, "entry").replace("entrys", "entries")}.`;
    if (typeof value !== "object" || value === null) return `JSON: a single ${typeof value}.`;
    const keys = Object.keys(value);
    const names = keys
      .slice(0, 20)
      .map((key) => `\`${key.replaceAll("`", "'")}\``)
      .join(", ");
    return `JSON: an object with ${count(keys.length, "key")}: ${names}${keys.length > 20 ? ", …" : ""}.`;
  } catch (error) {
    return `not valid JSON: ${inline(messageOf(error), 120)}.`;
  }
}

function kindOf({ name, data }: ReachableFile): string {
  const head = Buffer.from(data.subarray(0, 8)).toString("latin1");
  const known = [
    ["%PDF", "a PDF"],
    ["\x89PNG", "a PNG picture"],
    ["\xFF\xD8\xFF", "a JPEG picture"],
    ["GIF8", "a GIF picture"],
    ["PK\x03\x04", "a ZIP archive, as Word and Excel files are"],
  ].find(([magic = ""]) => head.startsWith(magic));
  return known?.[1] ?? `of a kind I do not know (${inline(name.slice(name.lastIndexOf(".")), 12)})`;
}
