import { closeSync, openSync, writeSync } from "node:fs";
import {
  type Json as DuckDBJson,
  type DuckDBResult,
  DuckDBTypeId,
  JsonDuckDBValueConverter,
} from "@duckdb/node-api";
import { csvCell, withoutFormula } from "#domain/csv";
import type { Json } from "#domain/json";
import type { ResultColumn } from "#ports/data-engine";

/** A longer text in one cell is cut in what the model reads. */
const maxCellCharacters = 1_000;
const writeEveryCharacters = 1_000_000;

/** Written as text, so that no digit is lost; numbers all the same. */
const bigNumbers: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UHUGEINT,
  DuckDBTypeId.DECIMAL,
]);

export function columnsOf(result: DuckDBResult): readonly ResultColumn[] {
  const types = result.columnTypes();
  return result
    .deduplicatedColumnNames()
    .map((name, index) => ({ name, type: String(types[index] ?? "") }));
}

/** The rows of a result, as they come. */
export async function* rowsOf(result: DuckDBResult): AsyncGenerator<readonly Json[]> {
  const isBig = result.columnTypes().map(({ typeId }) => bigNumbers.has(typeId));
  while (true) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return;
    for (const row of chunk.convertRows<DuckDBJson>(JsonDuckDBValueConverter)) {
      yield row.map((cell, index) => (isBig[index] ? numberOf(cell) : cell)) as readonly Json[];
    }
  }
}

/** A number where that keeps every digit. */
function numberOf(cell: DuckDBJson): DuckDBJson {
  if (typeof cell !== "string") return cell;
  const digits = cell.replace(/\D/g, "").replace(/^0+/, "");
  return digits.length <= 15 ? Number(cell) : cell;
}

/** Collects rows for the model until one of the limits is reached. */
export class RowCollector {
  readonly rows: (readonly Json[])[] = [];
  isCut = false;
  readonly #maxRows: number;
  #charactersLeft: number;

  constructor(maxRows: number, maxCharacters: number) {
    this.#maxRows = maxRows;
    this.#charactersLeft = maxCharacters;
  }

  add(row: readonly Json[]): void {
    if (this.isCut) return;
    const short = row.map(shortened);
    this.#charactersLeft -= JSON.stringify(short).length;
    if (this.rows.length >= this.#maxRows || this.#charactersLeft < 0) this.isCut = true;
    else this.rows.push(short);
  }
}

function shortened(cell: Json): Json {
  const text = typeof cell === "object" && cell !== null ? JSON.stringify(cell) : cell;
  if (typeof text !== "string" || text.length <= maxCellCharacters) return cell;
  return `${text.slice(0, maxCellCharacters)}… (${text.length} characters)`;
}

/** Writes rows as a CSV file that no spreadsheet computes in. */
export class CsvWriter {
  readonly #file: number;
  readonly #maxBytes: number;
  #pending = "";
  #bytes = 0;
  rows = -1;

  constructor(path: string, maxBytes: number, columns: readonly ResultColumn[]) {
    this.#file = openSync(path, "wx");
    this.#maxBytes = maxBytes;
    this.add(columns.map(({ name }) => name));
  }

  /** False: the file would be larger than it may be. */
  get fits(): boolean {
    return this.#bytes <= this.#maxBytes;
  }

  add(row: readonly Json[]): void {
    this.#pending += `${row.map(csvText).join(",")}\r\n`;
    this.rows += 1;
    if (this.#pending.length >= writeEveryCharacters) this.#write();
  }

  close(): void {
    this.#write();
    closeSync(this.#file);
  }

  #write(): void {
    const bytes = Buffer.from(this.#pending);
    this.#pending = "";
    this.#bytes += bytes.length;
    if (!this.fits) return;
    for (let from = 0; from < bytes.length; ) from += writeSync(this.#file, bytes.subarray(from));
  }
}

function csvText(cell: Json): string {
  if (cell === null) return "";
  if (typeof cell === "number" || typeof cell === "boolean") return String(cell);
  return csvCell(withoutFormula(typeof cell === "string" ? cell : JSON.stringify(cell)));
}
