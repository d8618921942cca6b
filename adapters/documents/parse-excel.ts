import readWorkbook from "read-excel-file/node";
import { checkArchive } from "./archive.ts";
import { PageCollector, type ParseRequest } from "./request.ts";

/** A workbook as CSV, a page per sheet. Formulas give their stored results; nothing is computed. */
export async function parseExcel(data: Uint8Array, request: ParseRequest): Promise<PageCollector> {
  await checkArchive(data, request.maxUnpackedBytes);
  const sheets = await readWorkbook(Buffer.from(data));
  const pages = new PageCollector(request.maxCharacters);
  for (const { sheet, data: rows } of sheets) {
    if (pages.isFull || pages.pages.length >= request.maxPages) {
      pages.truncated = true;
      break;
    }
    pages.add({ title: sheet, text: toCsv(rows) });
  }
  return pages;
}

function toCsv(rows: readonly (readonly unknown[])[]): string {
  const lines = rows.map((row) => row.map(toCell).join(",").replace(/,+$/, ""));
  return lines.join("\n").trimEnd();
}

function toCell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = value instanceof Date ? toDay(value) : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Excel knows no time zones: what is stored is read as UTC. */
function toDay(date: Date): string {
  if (Number.isNaN(date.getTime())) return "";
  const text = date.toISOString();
  return text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : text.replace(/\.000Z$/, "Z");
}
