/** A table to be drawn: cells as Markdown, one alignment a column. */
export interface Table {
  readonly header: readonly string[];
  readonly align: readonly ("left" | "center" | "right")[];
  readonly rows: readonly (readonly string[])[];
}

/** The widest aligned table that a phone shows without wrapping: 60 columns. */
const widest = 60;

/**
 * A table for a platform that has none: aligned in a code block when it is narrow enough, else a
 * list with one item a row and each value after its header.
 */
export function drawTable(table: Table): string {
  const header = table.header.map(plain);
  const rows = table.rows.map((row) => header.map((_, column) => plain(row[column] ?? "")));
  const widths = header.map((cell, column) =>
    Math.max(...[cell, ...rows.map((row) => row[column] ?? "")].map(columnsOf)),
  );
  const total = widths.reduce((sum, width) => sum + width + 2, -2);
  const hasFence = [header, ...rows].flat().some((cell) => cell.includes("```"));
  return total > widest || hasFence ? asList(table) : asCode(header, rows, widths, table.align);
}

function asCode(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
  align: Table["align"],
): string {
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => padded(cell, widths[column] ?? 0, align[column] ?? "left"))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return ["```", line(header), rule, ...rows.map(line), "```"].join("\n");
}

function asList(table: Table): string {
  const item = (row: readonly string[]) =>
    table.header
      .map((header, column) => ({ header, cell: unescaped(row[column] ?? "") }))
      .filter(({ cell }) => cell !== "")
      .map(({ header, cell }, index) => `${index === 0 ? "- " : "  "}${labelled(header, cell)}`)
      .join("\n");
  const items = table.rows.map(item).filter((text) => text !== "");
  return items.length > 0 ? items.join("\n") : table.header.map(bold).join(" · ");
}

function labelled(header: string, cell: string): string {
  return header === "" ? cell : `${bold(`${header}:`)} ${cell}`;
}

function bold(text: string): string {
  return text.includes("**") ? text : `**${unescaped(text)}**`;
}

function padded(cell: string, width: number, align: Table["align"][number]): string {
  const space = Math.max(0, width - columnsOf(cell));
  if (align === "right") return " ".repeat(space) + cell;
  if (align === "left") return cell + " ".repeat(space);
  const left = Math.floor(space / 2);
  return " ".repeat(left) + cell + " ".repeat(space - left);
}

/** A cell as it reads where Markdown is not understood. */
function plain(cell: string): string {
  return unescaped(cell)
    .replace(/!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)/g, (_, label: string, url: string) =>
      label === url || label === "" ? url : `${label} (${url})`,
    )
    .replace(/(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1/g, "$2")
    .replace(/`([^`]+)`/g, "$1")
    .replace(/<br\s*\/?>/gi, " ");
}

function unescaped(cell: string): string {
  return cell.replaceAll("\\|", "|");
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** How many columns a text takes in a monospaced font: wide East Asian letters and emoji two. */
function columnsOf(text: string): number {
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += isWide(segment) ? 2 : 1;
  return columns;
}

function isWide(segment: string): boolean {
  return /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|\ufe0f/u.test(
    segment,
  );
}
