import type { ReplyFile } from "#domain/run-event";
import { shortened } from "#domain/shortened";
import { type FoundTable, tablesIn } from "#domain/tables-in";
import type { Block } from "./sections.ts";

/** Slack's limits for a table (docs.slack.dev/reference/block-kit/blocks/data-table-block). */
const mostRows = 100;
const mostColumns = 20;
/** A table with more rows is shown in pages. */
const rowsOnScreen = 15;
const rowsPerPage = 10;
const mostCaption = 150;

/** A table too long or too wide for Slack, as a file. */
export interface TableFile {
  readonly file: ReplyFile;
  readonly data: Uint8Array;
}

/** Markdown as blocks: a table of more than a screen becomes one that is read in pages. */
export function markdownBlocks(markdown: string): readonly Block[] {
  const [table, another] = tablesIn(markdown);
  if (!table || another || !isPaged(table)) return [{ type: "markdown", text: markdown }];
  return [
    ...textBlock(markdown.slice(0, table.from)),
    {
      type: "data_table",
      caption: captionOf(markdown, table),
      page_size: rowsPerPage,
      row_header_column_index: 0,
      rows: [table.header, ...table.rows].map((row) => row.map(toCell)),
    },
    ...textBlock(markdown.slice(table.to)),
  ];
}

/** Markdown with its tables as text, for where Slack refuses them. */
export function tablesAsText(markdown: string): string {
  return tablesIn(markdown).reduceRight((text, { from, to }) => {
    const table = text.slice(from, to).replace(/\n$/, "");
    return `${text.slice(0, from)}\`\`\`\n${table}\n\`\`\`\n${text.slice(to)}`;
  }, markdown);
}

/** The tables of an answer that Slack shows only in pieces or not at all, as CSV. */
export function tableFiles(markdown: string, runId: string): readonly TableFile[] {
  const large = tablesIn(markdown).filter(
    ({ header, rows }) => rows.length > mostRows || header.length > mostColumns,
  );
  return large.map((table, index) => {
    const { header, rows } = table;
    const data = new TextEncoder().encode(csvOf([header, ...rows]));
    return {
      data,
      file: {
        id: `${runId}/table/${index}`,
        name: large.length === 1 ? "table.csv" : `table-${index + 1}.csv`,
        mimeType: "text/csv",
        bytes: data.byteLength,
        altText: `${captionOf(markdown, table)}: ${rows.length} rows, ${header.length} columns`,
      },
    };
  });
}

function isPaged({ header, rows }: FoundTable): boolean {
  if (rows.length <= rowsOnScreen || rows.length > mostRows) return false;
  if (header.length > mostColumns || header[0] === undefined) return false;
  // Cells of that block are plain: links and pictures would be lost.
  return ![header, ...rows].flat().some((cell) => /\]\(|<https?:|https?:\/\//.test(cell));
}

/** Empty cells are refused. */
function toCell(markdown: string): Block {
  return { type: "raw_text", text: plain(markdown) || "–" };
}

/** The line above a table says what it is. */
function captionOf(markdown: string, { from }: FoundTable): string {
  const above = markdown.slice(0, from).trimEnd().split("\n").at(-1) ?? "";
  const words = plain(above.replace(/^[\s#>*+-]+/, "")).replace(/:$/, "");
  return shortened(/^(```|~~~|\|)/.test(words) || words === "" ? "Table" : words, mostCaption);
}

function plain(markdown: string): string {
  return markdown
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/(\*\*|__|~~|`)(?=\S)(.+?)(?<=\S)\1/g, "$2")
    .replace(/<br\s*\/?>/gi, " ")
    .trim();
}

function csvOf(rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  // Spreadsheets run what begins like a formula.
  const safe = (text: string) => (/^[=@\t]|^[+-](?![\d.])/.test(text) ? `'${text}` : text);
  return `${rows.map((row) => row.map((one) => cell(safe(plain(one)))).join(",")).join("\r\n")}\r\n`;
}

function textBlock(markdown: string): readonly Block[] {
  return markdown.trim() === "" ? [] : [{ type: "markdown", text: markdown }];
}
