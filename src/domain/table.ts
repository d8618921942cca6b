import {
  addFractions,
  compareFractions,
  divideFractions,
  type Fraction,
  showFraction,
  toFraction,
} from "#domain/arithmetic";

export type ColumnType = "number" | "date" | "boolean" | "text" | "empty";

/** What a column holds. Sums and means are exact decimals, never doubles. */
export interface ColumnFacts {
  readonly name: string;
  readonly type: ColumnType;
  readonly filled: number;
  readonly empty: number;
  readonly distinct: number;
  /** Least and greatest as written: numbers by value, dates by time, text by spelling. */
  readonly min?: string;
  readonly max?: string;
  /** For numbers only. */
  readonly sum?: string;
  readonly mean?: string;
}

/** What a table holds. */
export interface TableFacts {
  /** Without the header. */
  readonly rowCount: number;
  /** False when the first row was data: the columns are then called "column 1", "column 2" … */
  readonly hasHeader: boolean;
  readonly columns: readonly ColumnFacts[];
}

/** A table taken apart: names and cells, with the header recognised. */
export interface Table {
  readonly hasHeader: boolean;
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/**
 * Recognises the header: the first row is one unless every filled cell of it is a number or a date
 * and there is more than one row.
 */
export function toTable(records: readonly (readonly string[])[]): Table {
  const [first = [], ...rest] = records;
  const width = records.reduce((most, row) => Math.max(most, row.length), 0);
  const filled = first.map((cell) => cell.trim()).filter((cell) => cell !== "");
  const isData = filled.length > 0 && filled.every((cell) => isNumber(cell) || isDate(cell));
  const hasHeader = !(isData && rest.length > 0);
  const names = Array.from({ length: width }, (_, index) => {
    const name = hasHeader ? (first[index]?.trim() ?? "") : "";
    return name || `column ${index + 1}`;
  });
  return { hasHeader, names, rows: hasHeader ? rest : records };
}

/** Counts, types, sums and extremes of every column. */
export function factsOf(table: Table): TableFacts {
  return {
    rowCount: table.rows.length,
    hasHeader: table.hasHeader,
    columns: table.names.map((name, index) =>
      columnFacts(
        name,
        table.rows.map((row) => row[index]?.trim() ?? ""),
      ),
    ),
  };
}

/** The numbers of a column, in order; undefined where a cell is empty. Undefined when it is no number column. */
export function numbersOf(
  table: Table,
  column: number,
): readonly (Fraction | undefined)[] | undefined {
  const cells = table.rows.map((row) => row[column]?.trim() ?? "");
  const style = numberStyleOf(cells.filter((cell) => cell !== ""));
  return style && cells.map((cell) => (cell === "" ? undefined : style(cell)));
}

/** The delimiter that splits the first lines into the most columns of the same number: `,`, `;`, tab or `|`. */
export function delimiterOf(text: string): string {
  const lines = text
    .slice(0, 20_000)
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .slice(0, 20);
  const candidates = [",", ";", "\t", "|"].map((delimiter) => {
    const counts = lines.map((line) => cellCount(line, delimiter));
    const [first = 1] = counts;
    const regular = counts.filter((count) => count === first).length;
    return { delimiter, score: first > 1 ? first * (regular / counts.length) ** 4 : 0 };
  });
  return candidates.reduce((best, next) => (next.score > best.score ? next : best)).delimiter;
}

function cellCount(line: string, delimiter: string): number {
  let count = 1;
  let isQuoted = false;
  for (const character of line) {
    if (character === '"') isQuoted = !isQuoted;
    else if (character === delimiter && !isQuoted) count += 1;
  }
  return count;
}

function columnFacts(name: string, cells: readonly string[]): ColumnFacts {
  const filled = cells.filter((cell) => cell !== "");
  const counts = {
    name,
    filled: filled.length,
    empty: cells.length - filled.length,
    distinct: new Set(filled).size,
  };
  if (filled.length === 0) return { ...counts, type: "empty" };
  const style = numberStyleOf(filled);
  if (style) return { ...counts, type: "number", ...numberFacts(filled, style) };
  if (filled.every(isDate)) return { ...counts, type: "date", ...extremes(filled, byTime) };
  if (filled.every((cell) => /^(true|false|yes|no)$/i.test(cell))) {
    return { ...counts, type: "boolean" };
  }
  return { ...counts, type: "text", ...extremes(filled, bySpelling) };
}

type NumberStyle = (cell: string) => Fraction | undefined;

/** How numbers are written: with a point (`1,234.50`) or, when the point does not explain all of them, a comma (`1.234,50`). */
const numberStyles: readonly NumberStyle[] = [
  (cell) => toFraction(cell),
  (cell) =>
    /^[+-]?\d{1,3}(,\d{3})*(\.\d+)?$|^[+-]?\d+\.\d+$|^[+-]?\d+$/.test(cell)
      ? toFraction(cell.replaceAll(",", ""))
      : undefined,
  (cell) =>
    /^[+-]?\d{1,3}(\.\d{3})*(,\d+)?$|^[+-]?\d+(,\d+)?$/.test(cell)
      ? toFraction(cell.replaceAll(".", "").replace(",", "."))
      : undefined,
];

function numberStyleOf(filled: readonly string[]): NumberStyle | undefined {
  if (filled.length === 0) return undefined;
  const style = numberStyles.find((read) => filled.every((cell) => read(bare(cell))));
  return style && ((cell) => style(bare(cell)));
}

/** Without a currency sign. */
function bare(cell: string): string {
  return cell.replace(/^([+-]?)[$€£¥]\s?/, "$1").replace(/\s?[$€£¥]$/, "");
}

function isNumber(cell: string): boolean {
  return numberStyles.some((read) => read(bare(cell)));
}

function isDate(cell: string): boolean {
  return (
    /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(cell) &&
    !Number.isNaN(Date.parse(cell))
  );
}

function numberFacts(filled: readonly string[], read: NumberStyle) {
  const numbers = filled.flatMap((cell) => read(cell) ?? []);
  const sum = numbers.reduce(addFractions);
  const mean = divideFractions(sum, { n: BigInt(numbers.length), d: 1n });
  const least = numbers.reduce((a, b) => (compareFractions(a, b) <= 0 ? a : b));
  const greatest = numbers.reduce((a, b) => (compareFractions(a, b) >= 0 ? a : b));
  return {
    min: showFraction(least),
    max: showFraction(greatest),
    sum: showFraction(sum),
    mean: showFraction(mean),
  };
}

function extremes(filled: readonly string[], compare: (a: string, b: string) => number) {
  return {
    min: filled.reduce((a, b) => (compare(a, b) <= 0 ? a : b)),
    max: filled.reduce((a, b) => (compare(a, b) >= 0 ? a : b)),
  };
}

function byTime(a: string, b: string): number {
  return Date.parse(a) - Date.parse(b);
}

function bySpelling(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
