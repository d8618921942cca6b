import { type BlockState, cellsOf, readLine, startOfDocument } from "#domain/markdown-lines";

/** A table of a text. */
export interface FoundTable {
  /** The range of the text it takes, whole lines. */
  readonly from: number;
  readonly to: number;
  /** Cells as Markdown, pipes unescaped. */
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The tables of a Markdown text, in order. Those in lists and quotes are left out. */
export function tablesIn(markdown: string): readonly FoundTable[] {
  if (!markdown.includes("|")) return [];
  const found: FoundTable[] = [];
  let open: { block: number; from: number; to: number; header: string; rows: string[] } | undefined;
  let state: BlockState = startOfDocument;
  let previousFrom = 0;
  for (const { text, from } of linesOf(markdown)) {
    const line = readLine(state, text);
    state = line;
    const to = from + text.length;
    if (open && line.block !== open.block) {
      found.push(finished(open));
      open = undefined;
    }
    if (line.leaf.type === "table" && line.containers.length === 0) {
      open ??= { block: line.block, from: previousFrom, to, header: line.leaf.header, rows: [] };
      open.to = to;
      if (line.role === "table-row") open.rows.push(text);
    }
    previousFrom = from;
  }
  if (open) found.push(finished(open));
  return found;
}

function finished(table: { from: number; to: number; header: string; rows: string[] }): FoundTable {
  const header = cells(table.header);
  return {
    from: table.from,
    to: table.to,
    header,
    rows: table.rows.map((row) => {
      const given = cells(row);
      return header.map((_, column) => given[column] ?? "");
    }),
  };
}

function cells(line: string): readonly string[] {
  return cellsOf(line).map((cell) => cell.replaceAll("\\|", "|"));
}

function* linesOf(text: string): Generator<{ readonly text: string; readonly from: number }> {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf("\n", from);
    const to = end === -1 ? text.length : end + 1;
    yield { text: text.slice(from, to), from };
    from = to;
  }
}
