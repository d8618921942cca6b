/** A block that holds others and marks every line inside it. */
export type Container =
  | { readonly type: "quote" }
  | {
      readonly type: "item";
      readonly id: number;
      readonly ordered: boolean;
      /** The bullet, or the character after the number. */
      readonly sign: string;
      /** The number as a reader sees it, whatever was written: the list's first number and counting. */
      readonly number: number;
      /** The number as written. */
      readonly written: string;
      /** Columns from where the parent's content begins to the marker, and to the item's content. */
      readonly indent: number;
      readonly width: number;
    };

/** The innermost block that is still open after a line. */
export type Leaf =
  | { readonly type: "none" }
  /** A list item that is only its marker so far: a blank line ends it. */
  | { readonly type: "empty-item" }
  /**
   * `line` is its last line, which may yet be a table's header, and `cells` counts its table cells.
   * `depth` is how many containers that line is marked for: fewer than there are if it is lazy.
   * Display maths is followed by such a paragraph without a line, as readers without maths see it.
   */
  | {
      readonly type: "paragraph";
      readonly cells: number;
      readonly line: string;
      readonly depth: number;
    }
  | Fence
  | { readonly type: "table"; readonly header: string; readonly separator: string }
  | { readonly type: "maths"; readonly close: string }
  | { readonly type: "indented-code" };

export interface Fence {
  readonly type: "fence";
  /** Three or more of one character: the closing marker has to be as long. */
  readonly marker: string;
  /** What follows the opening marker, with the space between. */
  readonly info: string;
  readonly indent: number;
}

/** What a line is to the block it stands in. */
export type LineRole =
  | "blank"
  | "text"
  | "heading"
  /** `===` or `---` under a paragraph: belongs to the line before. */
  | "underline"
  | "rule"
  | "fence-open"
  | "code"
  | "fence-close"
  | "table-header"
  | "table-separator"
  | "table-row"
  | "maths"
  | "indented-code";

/** Where one container's marker or indentation stands in a line; `opened` when it begins there. */
export interface Prefix {
  readonly container: Container;
  readonly from: number;
  readonly to: number;
  readonly opened: boolean;
}

/** The block structure after a line: all that the next line's meaning depends on. */
export interface BlockState {
  readonly containers: readonly Container[];
  readonly leaf: Leaf;
  /** Rises with every block, so that neighbours of one block are recognised. */
  readonly block: number;
}

/** One line of the source, understood. Offsets in it count from the line's begin. */
export interface Line extends BlockState {
  readonly role: LineRole;
  readonly prefixes: readonly Prefix[];
  /** The fence this line opens, stands in or closes. */
  readonly fence?: Fence;
  /** Where the text begins, after the containers' prefixes (its own indentation belongs to it). */
  readonly content: number;
}

export const startOfDocument: BlockState = { containers: [], leaf: { type: "none" }, block: 0 };

/**
 * Understands the next line. Block structure is decided line by line, as CommonMark does, with
 * GFM's tables and with display maths (`$$`, `\[`) as a block of its own; HTML blocks and link
 * definitions are paragraphs here, since nothing can be cut differently for them.
 *
 * @param text the line with its line ending, if it has come.
 */
export function readLine(state: BlockState, text: string): Line {
  const reader = new LineReader(state, text);
  return reader.read();
}

/** True for a table's second line; the line before is then its header. */
function isSeparatorOf(header: Leaf, text: string): boolean {
  return header.type === "paragraph" && header.cells > 0 && separatorCells(text) === header.cells;
}

/** True while an unfinished line may still become a table's second line. */
export function mayBecomeSeparator(text: string): boolean {
  return /^[\s|:>-]*$/.test(text);
}

/** True if this text, at the begin of a line, begins a block (or, cut off here, may yet do so). */
export function beginsBlock(text: string): boolean {
  return blockMark.test(text.slice(0, 12));
}

const blockMark =
  /^(?:[-+*](?:\s|$)|[-_*]{3}|[-_*]{1,2}$|=+(?:\s|$)|#{1,6}(?:\s|$)|>|~{3}|~{1,2}$|`{3}|`{1,2}$|\d{1,9}(?:[.)]|$)|\$\$|\$$|\\\[|\\$|\|)/;

/** The cells of a table line, trimmed, with escaped pipes kept as written. */
export function cellsOf(text: string): readonly string[] {
  const cells: string[] = [];
  let cell = "";
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === "\\" && i + 1 < text.length) {
      cell += char + text.charAt(++i);
      continue;
    }
    if (char !== "|") {
      cell += char;
      continue;
    }
    cells.push(cell.trim());
    cell = "";
  }
  cells.push(cell.trim());
  if (cells[0] === "" && cells.length > 1) cells.shift();
  if (cells.at(-1) === "" && cells.length > 1) cells.pop();
  return cells;
}

const noLeaf: Leaf = { type: "none" };
const afterMaths: Leaf = { type: "paragraph", cells: 0, line: "", depth: 0 };

/** A position in a line: the index and the column, which differ after a tab. */
interface Spot {
  readonly index: number;
  readonly column: number;
}

class LineReader {
  readonly #state: BlockState;
  readonly #text: string;
  #spot: Spot = { index: 0, column: 0 };
  readonly #prefixes: Prefix[] = [];
  #containers: Container[] = [];

  constructor(state: BlockState, text: string) {
    this.#state = state;
    this.#text = text;
  }

  read(): Line {
    const before = this.#state;
    this.#matchContainers();
    const matchedAll = this.#containers.length === before.containers.length;
    const leaf = matchedAll || this.#endsLazyHeader() ? this.#openLeaf() : noLeaf;
    if (leaf.type === "fence") return this.#insideFence(leaf);
    if (leaf.type === "maths") return this.#insideMaths(leaf);
    if (this.#isBlank()) return this.#line("blank", { type: "none" }, true);

    const continuesParagraph = leaf.type === "paragraph";
    if (continuesParagraph && !isSeparatorOf(leaf, this.#rest()) && isUnderline(this.#rest())) {
      return this.#line("underline", { type: "none" });
    }
    const depth = this.#containers.length;
    this.#openContainers(continuesParagraph);
    const opened = this.#containers.length > depth;
    const isLazy = !opened && !matchedAll && leaf.type === "none";
    if (isLazy && before.leaf.type === "paragraph" && this.#isPlain()) {
      this.#containers = [...before.containers];
      return this.#paragraph(before.leaf === afterMaths);
    }
    return this.#leafLine(opened ? { type: "none" } : leaf);
  }

  /** True below a lazy line that turns out to be a table's header, outside the paragraph before it. */
  #endsLazyHeader(): boolean {
    const { leaf } = this.#state;
    const isBelow = leaf.type === "paragraph" && leaf.depth === this.#containers.length;
    return isBelow && isSeparatorOf(leaf, this.#rest());
  }

  /** What this line may go on with. Display maths that meets a fence was a paragraph after all. */
  #openLeaf(): Leaf {
    const { leaf } = this.#state;
    if (leaf.type !== "maths") return leaf;
    if (this.#isBlank()) return { type: "none" };
    return /`{3}|~{3}/.test(this.#rest()) ? afterMaths : leaf;
  }

  #matchContainers(): void {
    for (const container of this.#state.containers) {
      const next = this.#match(container);
      if (next === undefined) return;
      this.#prefix(container, next, false);
    }
  }

  #match(container: Container): Spot | undefined {
    const indent = this.#indent();
    if (container.type === "quote") return indent.columns <= 3 ? this.#quoteMark() : undefined;
    const { leaf, containers } = this.#state;
    const isEmpty = leaf.type === "empty-item" && container === containers.at(-1);
    if (this.#isBlank() && isEmpty) return undefined;
    if (indent.columns >= container.width) return this.#skip(container.width);
    return this.#isBlank() ? this.#spot : undefined;
  }

  #openContainers(continuesParagraph: boolean): void {
    let interrupts = continuesParagraph;
    for (;;) {
      if (this.#indent().columns > 3) return;
      const quote = this.#quoteMark();
      if (quote !== undefined) {
        this.#prefix({ type: "quote" }, quote, true);
        interrupts = false;
        continue;
      }
      if (isRule(this.#rest())) return;
      const item = this.#item(interrupts);
      if (item === undefined) return;
      this.#prefix(item.container, item.end, true);
      interrupts = false;
    }
  }

  #quoteMark(): Spot | undefined {
    const indent = this.#indent();
    if (this.#text.charAt(indent.spot.index) !== ">") return undefined;
    const after = { index: indent.spot.index + 1, column: indent.spot.column + 1 };
    return this.#text.charAt(after.index) === " " ? skip(this.#text, after, 1) : after;
  }

  #item(interrupts: boolean): { container: Container; end: Spot } | undefined {
    const indent = this.#indent();
    const match = /^(?:([-+*])|(\d{1,9})([.)]))(?=[ \t\r\n]|$)/.exec(
      this.#text.slice(indent.spot.index, indent.spot.index + 16),
    );
    if (match === null) return undefined;
    const [marker, bullet, written = "", delimiter] = match;
    const after = {
      index: indent.spot.index + marker.length,
      column: indent.spot.column + marker.length,
    };
    const space = indentFrom(this.#text, after);
    const isEmpty = isBlankFrom(this.#text, after.index);
    if (interrupts && (isEmpty || (written !== "" && Number(written) !== 1))) return undefined;
    const padding = isEmpty || space.columns > 4 ? 1 : space.columns;
    const sign = bullet ?? delimiter ?? "";
    const sibling = this.#state.containers[this.#containers.length];
    const continues =
      this.#prefixes.every((prefix) => !prefix.opened) &&
      sibling?.type === "item" &&
      sibling.sign === sign &&
      sibling.ordered === (bullet === undefined);
    const container: Container = {
      type: "item",
      id: this.#state.block * 100 + this.#containers.length,
      ordered: bullet === undefined,
      sign,
      number: continues ? sibling.number + 1 : Number(written),
      written,
      indent: indent.columns,
      width: indent.columns + marker.length + padding,
    };
    return { container, end: isEmpty ? after : skip(this.#text, after, padding) };
  }

  #insideFence(fence: Fence): Line {
    const marker = /^ {0,3}(`+|~+)[ \t]*\r?\n?$/.exec(this.#rest())?.[1] ?? "";
    const closes = marker.startsWith(fence.marker);
    if (!closes) return this.#line("code", fence);
    return { ...this.#line("fence-close", { type: "none" }), fence };
  }

  #insideMaths(leaf: Extract<Leaf, { type: "maths" }>): Line {
    const closes = this.#rest().includes(leaf.close);
    return this.#line("maths", closes ? afterMaths : leaf);
  }

  /** A line that, after its containers, could only be more of a paragraph. */
  #isPlain(): boolean {
    const rest = this.#rest();
    if (this.#indent().columns > 3) return true;
    return !(fenceIn(rest) || isHeading(rest) || isRule(rest) || mathsIn(rest));
  }

  #leafLine(leaf: Leaf): Line {
    const rest = this.#rest();
    if (isBlankFrom(rest, 0)) {
      const isItem = this.#containers.at(-1)?.type === "item";
      return this.#line("text", { type: isItem ? "empty-item" : "none" }, true);
    }
    const continues = leaf.type === "paragraph" && leaf !== afterMaths;
    if (this.#indent().columns > 3) {
      if (leaf.type === "paragraph") return this.#paragraph(!continues);
      if (leaf.type !== "table") {
        return this.#line(
          "indented-code",
          { type: "indented-code" },
          leaf.type !== "indented-code",
        );
      }
    }
    const fence = fenceIn(rest);
    if (fence !== undefined) return this.#line("fence-open", fence, true);
    if (isHeading(rest)) return this.#line("heading", { type: "none" }, true);
    if (isRule(rest)) return this.#line("rule", { type: "none" }, true);
    const close = mathsIn(rest);
    if (close !== undefined) return this.#line("maths", { type: "maths", close }, true);
    if (isSeparatorOf(leaf, rest) && leaf.type === "paragraph") {
      const table = { type: "table", header: leaf.line, separator: bare(rest) } as const;
      return this.#line("table-separator", table, true);
    }
    if (leaf.type === "table") return this.#line("table-row", leaf);
    return this.#paragraph(!continues);
  }

  #paragraph(isNew: boolean): Line {
    const line = bare(this.#rest());
    const cells = cellsOf(line).length;
    const depth = this.#prefixes.length;
    return this.#line("text", { type: "paragraph", cells, line, depth }, isNew);
  }

  #line(role: LineRole, leaf: Leaf, isNew = false): Line {
    const changed = isNew || this.#prefixes.some((prefix) => prefix.opened);
    return {
      role,
      leaf,
      containers: this.#containers,
      block: this.#state.block + (changed ? 1 : 0),
      prefixes: this.#prefixes,
      content: this.#spot.index,
      ...(leaf.type === "fence" ? { fence: leaf } : {}),
    };
  }

  #prefix(container: Container, end: Spot, opened: boolean): void {
    this.#prefixes.push({ container, from: this.#spot.index, to: end.index, opened });
    this.#containers.push(container);
    this.#spot = end;
  }

  #skip(columns: number): Spot {
    return skip(this.#text, this.#spot, columns);
  }

  #indent(): { columns: number; spot: Spot } {
    return indentFrom(this.#text, this.#spot);
  }

  /** What is left of the line, its indentation in spaces. */
  #rest(): string {
    const { columns, spot } = this.#indent();
    return " ".repeat(columns) + this.#text.slice(spot.index);
  }

  #isBlank(): boolean {
    return isBlankFrom(this.#text, this.#spot.index);
  }
}

/** Leaves out white space up to so many columns. A tab that reaches further is left out whole. */
function skip(text: string, from: Spot, columns: number): Spot {
  let { index, column } = from;
  while (column < from.column + columns) {
    const width = spaceWidth(text.charAt(index), column);
    if (width === 0) break;
    index++;
    column += width;
  }
  return { index, column };
}

function indentFrom(text: string, from: Spot): { columns: number; spot: Spot } {
  const spot = skip(text, from, Number.POSITIVE_INFINITY);
  return { columns: spot.column - from.column, spot };
}

function spaceWidth(char: string, column: number): number {
  if (char === " ") return 1;
  return char === "\t" ? 4 - (column % 4) : 0;
}

function isBlankFrom(text: string, index: number): boolean {
  for (let i = index; i < text.length; i++) {
    if (!" \t\r\n".includes(text.charAt(i))) return false;
  }
  return true;
}

function bare(line: string): string {
  return line.replace(/\r?\n$/, "");
}

function fenceIn(rest: string): Fence | undefined {
  const match = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})([^\r\n]*)\r?\n?$/.exec(rest);
  if (match === null) return undefined;
  const [, indent = "", marker = "", info = ""] = match;
  return { type: "fence", marker, info: info.trimEnd(), indent: indent.length };
}

function isHeading(rest: string): boolean {
  return /^ {0,3}#{1,6}(?:[ \t\r\n]|$)/.test(rest);
}

function isUnderline(rest: string): boolean {
  return /^ {0,3}(?:=+|-+)[ \t]*\r?\n?$/.test(rest);
}

function isRule(rest: string): boolean {
  return /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})\r?\n?$/.test(rest);
}

/** The closing mark of display maths that begins here and does not end on the same line. */
function mathsIn(rest: string): string | undefined {
  const opener = /^ {0,3}(\$\$|\\\[)/.exec(rest);
  if (opener === null) return undefined;
  const close = opener[1] === "$$" ? "$$" : "\\]";
  return rest.includes(close, opener[0].length) ? undefined : close;
}

function separatorCells(text: string): number {
  const line = bare(text).trim();
  if (!/[|:]/.test(line)) return 0;
  if (!/^\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?$/.test(line)) return 0;
  return cellsOf(line).length;
}
