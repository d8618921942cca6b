import { type Atom, scanInline } from "#domain/markdown-inline";
import {
  type BlockState,
  beginsBlock,
  type Container,
  cellsOf,
  type Fence,
  type Line,
  type Prefix,
} from "#domain/markdown-lines";
import type { SplitProfile } from "#domain/markdown-profile";
import type { Table } from "#domain/table-drawing";

/** A line and where it stands in the whole text; `to` is past its line ending. */
export interface SourceLine extends Line {
  readonly from: number;
  readonly to: number;
}

/** The piece of the source that is still of interest, and its lines. `base` is where it begins. */
export interface Source {
  /** The block structure before its first line. */
  readonly before: BlockState;
  readonly base: number;
  readonly text: string;
  readonly lines: readonly SourceLine[];
}

/** Something shown that the source does not have, or has differently. */
export interface Addition {
  /** Where it stands in the shown text. */
  readonly at: number;
  readonly length: number;
  /** What the source has in its place; empty for what was only added. */
  readonly instead: string;
}

/** What is shown of a range of the source, and how it differs from it. */
export interface Drawing {
  readonly text: string;
  readonly additions: readonly Addition[];
}

export interface DrawRange {
  readonly from: number;
  readonly to: number;
  /** What comes after this is not shown; `to` when absent. */
  readonly shownTo?: number;
  /** True: an open fence is closed, so that the text stands alone. */
  readonly close: boolean;
  /** What closes the inline marks that are open where the text ends. */
  readonly ending?: string;
}

/**
 * Draws a range of the source so that it stands alone: containers, fence and table that were open
 * where it begins are opened again, a fence that is open where it ends is closed, and what the
 * profile cannot show is drawn differently. A frame that would take more than half of the limit
 * is left out.
 */
export function draw(source: Source, range: DrawRange, profile: SplitProfile): Drawing {
  return new Painter(source, range, profile).paint(range);
}

/** The size of what {@link draw} adds, at most, where a part begins after this line. */
export function openingSize(line: BlockState, profile: SplitProfile): number {
  const { leaf, containers } = line;
  const depth = profile.measure(continuing(containers));
  if (leaf.type === "fence") return profile.measure(`${leaf.marker}${leaf.info}\n`) + depth * 2;
  if (leaf.type === "table") return profile.measure(leaf.header + leaf.separator) + 2 + depth * 3;
  return depth;
}

/** The size of what {@link draw} adds where a part ends after this line, or inside the next. */
export function closingSize(line: Line, profile: SplitProfile): number {
  if (line.leaf.type !== "fence") return 0;
  return profile.measure(continuing(line.containers) + line.leaf.marker) + line.leaf.indent;
}

class Painter {
  readonly #source: Source;
  readonly #from: number;
  /** Where what is shown ends. */
  readonly #to: number;
  readonly #profile: SplitProfile;
  readonly #additions: Addition[] = [];
  #text = "";
  /** How far the source has been shown or replaced. */
  #done: number;
  /** True once the containers that were open at the begin are open in what is shown, too. */
  #begun = false;
  /** The fence that is open in what is shown. */
  #fence: { readonly fence: Fence; readonly containers: readonly Container[] } | undefined;
  /** The block of the table whose header is shown. */
  #table = -1;
  /** Maths of the current block, in order. */
  #maths: readonly { readonly from: number; readonly to: number; readonly text: string }[] = [];
  #mathsTo = 0;
  /** Columns by which an item's lines move because its number is written wider. */
  readonly #shifts = new Map<number, number>();

  constructor(source: Source, range: DrawRange, profile: SplitProfile) {
    this.#source = source;
    this.#from = range.from;
    this.#to = range.shownTo ?? range.to;
    this.#profile = profile;
    this.#done = range.from;
  }

  paint({ to, close, ending = "" }: DrawRange): Drawing {
    const lines = linesBetween(this.#source.lines, this.#from, this.#to);
    for (let i = 0; i < lines.length; ) i += this.#paintFrom(lines, i);
    this.#add(ending);
    if (this.#done < to) this.#replace("", to);
    if (close) this.#closeFence();
    return { text: this.#text, additions: this.#additions };
  }

  /** Paints one line, or all lines of a block that is drawn as one; returns how many. */
  #paintFrom(lines: readonly SourceLine[], index: number): number {
    const line = lines[index];
    if (line === undefined) return 1;
    if (line.role !== "code" && line.role !== "fence-close") this.#leaveFence();
    const block = this.#blockFrom(lines, index);
    const drawn = this.#drawBlock(block);
    if (drawn !== undefined && this.#canShow(block, drawn)) {
      this.#paintBlock(block, drawn);
      return block.length;
    }
    this.#paintLine(lines, index);
    return 1;
  }

  /** The whole lines from here on that belong to the same table or maths block. */
  #blockFrom(lines: readonly SourceLine[], index: number): readonly SourceLine[] {
    const first = lines[index];
    if (first === undefined || !isDrawnWhole(first)) return [];
    const end = lines.findIndex(
      (line, i) => i >= index && (line.block !== first.block || !this.#isWhole(line)),
    );
    return lines.slice(index, end === -1 ? lines.length : end);
  }

  /** True if all of a line is shown, but for white space at its end. */
  #isWhole(line: SourceLine): boolean {
    return line.from >= this.#from && this.#slice(this.#to, line.to).trim() === "";
  }

  #drawBlock(block: readonly SourceLine[]): string | undefined {
    const first = block[0];
    const last = block.at(-1);
    if (first === undefined || last === undefined) return undefined;
    if (first.role === "maths") return this.#drawMathsBlock(block);
    if (last.leaf.type !== "table") return undefined;
    const rows = block.filter((line) => line.role === "table-row");
    const cells = rows.map((row) => this.#cellsOf(this.#contentOf(row)));
    const { header, separator } = last.leaf;
    return this.#profile.drawTable?.({
      header: this.#cellsOf(header),
      align: cellsOf(separator).map(alignmentOf),
      rows: cells,
    });
  }

  /** False for a drawing that can be made no smaller and is too large all the same. */
  #canShow(block: readonly SourceLine[], drawn: string): boolean {
    const rows = block.filter((line) => line.role === "table-row");
    return rows.length > 1 || this.#profile.measure(drawn) <= this.#profile.limit;
  }

  #cellsOf(line: string): readonly string[] {
    const { drawMaths } = this.#profile;
    if (drawMaths === undefined) return cellsOf(line);
    return cellsOf(line).map((cell) =>
      mathsIn(cell, 0, cell.length).reduceRight(
        (text, { from, to }) =>
          text.slice(0, from) + drawMaths(bare(cell.slice(from, to)), "inline") + text.slice(to),
        cell,
      ),
    );
  }

  #drawMathsBlock(block: readonly SourceLine[]): string | undefined {
    const whole = block.map((line) => this.#contentOf(line)).join("\n");
    const match = /^\s*(?:\$\$([\s\S]*)\$\$|\\\[([\s\S]*)\\\])\s*$/.exec(whole);
    if (match === null) return undefined;
    return this.#profile.drawMaths?.((match[1] ?? match[2] ?? "").trim(), "block");
  }

  #paintBlock(block: readonly SourceLine[], drawn: string): void {
    const first = block[0];
    const last = block.at(-1);
    if (first === undefined || last === undefined) return;
    this.#paintPrefixes(first);
    const to = Math.min(last.to, this.#to);
    const lineEnd = /\r?\n?$/.exec(this.#slice(this.#done, to))?.[0] ?? "";
    const between = `\n${this.#continuing(last.containers)}`;
    this.#replace(drawn.replaceAll("\n", between) + lineEnd, to);
  }

  #paintLine(lines: readonly SourceLine[], index: number): void {
    const line = lines[index];
    if (line === undefined) return;
    const to = Math.min(line.to, this.#to);
    const { fence } = line;
    const isMark = line.role === "fence-open" || line.role === "fence-close";
    const isUnframed = fence !== undefined && !this.#canFrame(fence, line.containers);
    const isOrphan = line.role === "fence-close" && this.#fence === undefined;
    if (isMark && (isUnframed || isOrphan)) {
      this.#replace("", to);
      return;
    }
    if (line.role === "code" && fence && !isUnframed) this.#openFence(fence, line.containers);
    this.#openTable(line);
    this.#paintPrefixes(line);
    if (fence === undefined) this.#findMaths(lines, index);
    else this.#paintCode(line, fence, to);
    this.#copy(to);
  }

  #paintCode(line: SourceLine, fence: Fence, to: number): void {
    const opens = line.role === "fence-open" && line.from + line.content >= this.#from;
    if (opens) this.#fence = { fence, containers: line.containers };
    if (line.role === "fence-close") this.#fence = undefined;
    if (!this.#profile.plainFences) return;
    const text = this.#slice(this.#done, to);
    const plain =
      line.role === "code"
        ? text.replaceAll("```", defused)
        : text.replace(fenceLine, (_, info: string) => plainFence + plainInfo(info));
    if (plain !== text) this.#replace(plain, to);
  }

  /** Opens a fence that began in an earlier part. */
  #openFence(fence: Fence, containers: readonly Container[]): void {
    if (this.#fence !== undefined) return;
    const written = this.#profile.plainFences ? plainInfo(fence.info) : fence.info;
    const info = this.#canFrame(fence, containers, written) ? written : "";
    // Right behind an item's marker an indentation would be taken for the item's.
    const isBehindMarker = !this.#begun && containers.at(-1)?.type === "item";
    const indent = isBehindMarker ? "" : " ".repeat(fence.indent);
    this.#add(`${this.#opening(containers)}${indent}${this.#marker(fence)}${info}\n`);
    this.#begun = true;
    this.#fence = { fence, containers };
  }

  /** Ends a fence that ended with its container. */
  #leaveFence(): void {
    if (this.#fence === undefined) return;
    this.#closeFence();
    this.#add("\n");
  }

  #closeFence(): void {
    if (this.#fence === undefined) return;
    const { fence, containers } = this.#fence;
    const lineBreak = this.#text.endsWith("\n") ? "" : "\n";
    const indent = this.#continuing(containers) + " ".repeat(fence.indent);
    this.#add(lineBreak + indent + this.#marker(fence));
    this.#fence = undefined;
  }

  /** Repeats the header of a table that began in an earlier part. */
  #openTable(line: SourceLine): void {
    if (line.role === "table-header") this.#table = line.block;
    if (line.leaf.type !== "table" || this.#table === line.block) return;
    if (this.#profile.drawTable !== undefined) return;
    this.#table = line.block;
    const { header, separator } = line.leaf;
    const prefix = this.#continuing(line.containers);
    const size = this.#profile.measure(header + separator + prefix + prefix) + 2;
    if (size > this.#profile.limit / 2) return;
    this.#add(`${this.#opening(line.containers)}${header}\n`);
    this.#begun = true;
    if (line.role === "table-separator") return;
    this.#add(`${this.#continuing(line.containers)}${separator}\n`);
  }

  /** True if the fence's marks leave at least half of the limit to what stands between them. */
  #canFrame(fence: Fence, containers: readonly Container[], info = ""): boolean {
    const prefix = this.#continuing(containers) + " ".repeat(fence.indent) + fence.marker;
    return this.#profile.measure(`${prefix}${info}\n\n${prefix}`) <= this.#profile.limit / 2;
  }

  #marker(fence: Fence): string {
    return this.#profile.plainFences ? plainFence : fence.marker;
  }

  #paintPrefixes(line: SourceLine): void {
    if (line.from < this.#from) {
      this.#add(this.#begun ? this.#continuing(line.containers) : this.#opening(line.containers));
      this.#begun = true;
      const content = Math.min(line.from + line.content, this.#to);
      if (this.#done < content) this.#replace("", content);
      this.#keepAsText(line);
      return;
    }
    if (!this.#begun && line.role === "blank") {
      this.#replace("", Math.min(line.from + line.content, this.#to));
      return;
    }
    const isFirst = !this.#begun;
    if (isFirst) this.#begun = true;
    const canOpen = isFirst && this.#canOpen(line.containers);
    let isBehindMark = false;
    for (const [index, container] of line.containers.entries()) {
      const prefix = line.prefixes[index];
      const to = Math.min(line.from + (prefix?.to ?? 0), this.#to);
      if (isBehindMark && this.#isSpaceNext(to)) {
        // Behind a marker, a child's indentation would be taken for the item's.
        if (container.type === "quote") this.#dropSpace(to);
        else if (prefix?.opened)
          this.#add(`\n${this.#continuing(line.containers.slice(0, index))}`);
      }
      isBehindMark = canOpen && container.type === "item" && needsMark(container, prefix);
      if (canOpen && needsMark(container, prefix)) {
        this.#replace(this.#mark(container, this.#isAllSigns(line)), to);
      } else if (prefix !== undefined) {
        this.#copy(to);
        const isIndent = !prefix.opened && prefix.to > prefix.from;
        this.#add(" ".repeat(isIndent ? this.#shiftOf(container) : 0));
      }
    }
    if (isFirst && !isIndented(line)) this.#dropIndent(line);
    if (isFirst && line.role === "text" && this.#continuesBlock(line)) this.#keepAsText(line);
  }

  #continuesBlock(line: SourceLine): boolean {
    const { lines, before } = this.#source;
    const previous = lines.findLast((other) => other.from < line.from) ?? before;
    return previous.block === line.block;
  }

  /** What stood in the middle of a line or paragraph must not begin a block now that it comes first. */
  #keepAsText(line: SourceLine): void {
    if (line.role === "code") return;
    if (beginsBlock(this.#slice(this.#done, line.to))) this.#add("\u200b");
  }

  /** Leaves out the indentation of a part's first line: behind a marker it would mean something. */
  #dropIndent(line: SourceLine): void {
    const to = Math.min(line.to, this.#to);
    if (this.#slice(this.#done, to).trim() !== "") this.#dropSpace(to);
  }

  #dropSpace(to: number): void {
    const space = /^[ \t]*/.exec(this.#slice(this.#done, to))?.[0] ?? "";
    if (space !== "") this.#replace("", this.#done + space.length);
  }

  /** True for a rule, say: behind a bullet of its kind it would be one rule with it. */
  #isAllSigns(line: SourceLine): boolean {
    return /^[-*\s]*$/.test(this.#contentOf(line));
  }

  #isSpaceNext(to: number): boolean {
    return /^[ \t]/.test(this.#slice(this.#done, to));
  }

  #shiftOf(container: Container): number {
    return container.type === "item" ? (this.#shifts.get(container.id) ?? 0) : 0;
  }

  #canOpen(containers: readonly Container[]): boolean {
    return this.#profile.measure(continuing(containers)) <= this.#profile.limit / 4;
  }

  /** Opens all containers in front of something that is added. */
  #opening(containers: readonly Container[]): string {
    if (this.#begun) return this.#continuing(containers);
    if (!this.#canOpen(containers)) return "";
    return containers.map((container) => this.#mark(container)).join("");
  }

  /** The mark that opens a container again, as wide as its lines expect. */
  #mark(container: Container, isBeforeSigns = false): string {
    if (container.type === "quote") return "> ";
    const bullet = isBeforeSigns ? "+" : container.sign;
    const sign = container.ordered ? `${container.number}${container.sign}` : bullet;
    const mark = `${" ".repeat(container.indent)}${sign} `.padEnd(container.width);
    this.#shifts.set(container.id, mark.length - container.width);
    return mark;
  }

  #continuing(containers: readonly Container[]): string {
    return continuing(containers, this.#shifts);
  }

  /** Finds the maths of the text block that begins on this line, so that copying draws it. */
  #findMaths(lines: readonly SourceLine[], index: number): void {
    const { drawMaths } = this.#profile;
    const line = lines[index];
    if (drawMaths === undefined || line === undefined || this.#done < this.#mathsTo) return;
    if (!isText(line)) return;
    const last = lines.findLast(
      (other, i) => i === index || (i > index && line.role === "text" && isSameText(line, other)),
    );
    this.#mathsTo = Math.min(last?.to ?? line.to, this.#to);
    const { base, text } = this.#source;
    this.#maths = mathsIn(text, this.#done - base, this.#mathsTo - base).map(({ from, to }) => ({
      from: from + base,
      to: to + base,
      text: drawMaths(bare(text.slice(from, to)), "inline"),
    }));
  }

  #contentOf(line: SourceLine): string {
    return this.#slice(line.from + line.content, line.to).replace(/\r?\n$/, "");
  }

  #slice(from: number, to: number): string {
    return this.#source.text.slice(from - this.#source.base, to - this.#source.base);
  }

  /** Shows the source up to here, with its maths drawn. */
  #copy(to: number): void {
    for (const maths of this.#maths) {
      if (maths.from < this.#done || maths.from >= to) continue;
      this.#text += this.#slice(this.#done, maths.from);
      this.#done = maths.from;
      this.#replace(maths.text, maths.to);
    }
    if (to <= this.#done) return;
    this.#text += this.#slice(this.#done, to);
    this.#done = to;
  }

  /** Shows something else instead of the source up to here. */
  #replace(text: string, to: number): void {
    this.#add(text, to > this.#done ? this.#slice(this.#done, to) : "");
    this.#done = Math.max(this.#done, to);
  }

  #add(text: string, instead = ""): void {
    if (text === "" && instead === "") return;
    this.#additions.push({ at: this.#text.length, length: text.length, instead });
    this.#text += text;
  }
}

const plainFence = "```";
const fenceLine = /(?:`{3,}|~{3,})([^\r\n]*)/;
/** Three backticks that a reader sees as such and no parser takes for a fence. */
const defused = "``\u200b`";

/** The language of a fence, where no more than that is understood. */
function plainInfo(info: string): string {
  return /^\s*([\w+#.-]+)/.exec(info)?.[1] ?? "";
}

/** What a line inside these containers begins with. */
function continuing(
  containers: readonly Container[],
  shifts?: ReadonlyMap<number, number>,
): string {
  return containers
    .map((container) =>
      container.type === "quote"
        ? "> "
        : " ".repeat(container.width + (shifts?.get(container.id) ?? 0)),
    )
    .join("");
}

function linesBetween(
  lines: readonly SourceLine[],
  from: number,
  to: number,
): readonly SourceLine[] {
  const first = lines.findIndex((line) => line.to > from);
  if (first === -1 || from >= to) return [];
  const end = lines.findIndex((line, i) => i >= first && line.from >= to);
  return lines.slice(first, end === -1 ? lines.length : end);
}

/**
 * True where a part's first line has to say what its items are: by the marker in place of the
 * indentation, or by another number than the one written.
 */
function needsMark(container: Container, prefix: Prefix | undefined): boolean {
  if (prefix === undefined) return true;
  if (container.type === "quote") return false;
  return !prefix.opened || (container.ordered && Number(container.written) !== container.number);
}

/** True for a line whose indentation is code. */
function isIndented(line: Line): boolean {
  return line.role === "code" || line.role === "indented-code";
}

function isDrawnWhole(line: Line): boolean {
  return line.role === "maths" || line.role.startsWith("table");
}

function isText(line: Line): boolean {
  return line.role === "text" || line.role === "heading" || line.role.startsWith("table");
}

function isSameText(a: SourceLine, b: SourceLine): boolean {
  return b.role === "text" && a.block === b.block;
}

/** The maths between two places of a text, delimiters included. */
function mathsIn(text: string, from: number, to: number): readonly Atom[] {
  return scanInline(text, from, to).atoms.filter((atom) => atom.type === "maths");
}

/** Maths without its delimiters, each of two characters. */
function bare(maths: string): string {
  return maths.slice(2, -2).trim();
}

function alignmentOf(separator: string): Table["align"][number] {
  if (separator.startsWith(":") && separator.endsWith(":")) return "center";
  return separator.endsWith(":") ? "right" : "left";
}
