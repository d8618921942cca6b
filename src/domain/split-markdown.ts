import { chooseCut } from "#domain/markdown-cut";
import {
  type Addition,
  closingSize,
  type Drawing,
  draw,
  openingSize,
  type Source,
  type SourceLine,
} from "#domain/markdown-draw";
import { type BlockState, readLine, startOfDocument } from "#domain/markdown-lines";
import { profileOf, type SplitProfile, smallestLimit } from "#domain/markdown-profile";
import { repairedTail, settledTail } from "#domain/markdown-tail";

/** What one message shows of a text. */
export interface Part {
  /** The range of the source: the parts' ranges join without gap or overlap. */
  readonly from: number;
  readonly to: number;
  /** What is shown; stands alone and fits. Blank only where the source is blank for a whole part. */
  readonly text: string;
  /** Where it differs from the source; see {@link sourceOf}. */
  readonly additions: readonly Addition[];
}

/**
 * Splits Markdown into parts that each fit one message and stand alone: fences are closed and
 * opened again, table headers repeated, list items and quotes opened again with the right number;
 * links, code, maths, `<...>` and letters are cut only when one alone is larger than the limit.
 *
 * @param to the most UTF-16 units a part may have, or a platform's profile.
 */
export function splitMarkdown(text: string, to: number | SplitProfile): readonly Part[] {
  const splitter = createSplitter(typeof to === "number" ? profileOf(to) : to);
  return [...splitter.push(text), ...splitter.finish()];
}

/** The source of a part, from what it shows. */
export function sourceOf(part: Part): string {
  let source = "";
  let at = 0;
  for (const addition of part.additions) {
    source += part.text.slice(at, addition.at) + addition.instead;
    at = addition.at + addition.length;
  }
  return source + part.text.slice(at);
}

/**
 * Splits a text that is still growing. What is finished never changes, and does not depend on how
 * the text was cut into deltas: the parts are those of {@link splitMarkdown} on the whole text,
 * unless cuts were forced. A delta costs no more in a long text than in a short one.
 */
export interface MarkdownSplitter {
  /** Takes more text; gives the parts this finished. */
  push(delta: string): readonly Part[];
  /** Ends the text; gives the parts that were left. Nothing may be pushed after. */
  finish(): readonly Part[];
  /**
   * Ends the open part now, before its limit (a stream has to rotate): where what is settled
   * ends, or exactly at `at` (a place remembered from an earlier attempt). Gives what this
   * finished: nothing if nothing of the open part is settled.
   */
  cut(at?: number): readonly Part[];
  /** Where the open part begins. */
  readonly openFrom: number;
  /** The open part as it can be shown now where it can be corrected later: its marks are closed. */
  readonly open: Part;
  /**
   * What can be shown of the open part where nothing can be taken back. Its text only grows, and
   * the finished part begins with it. A fence in it is not closed.
   */
  readonly settled: Part;
}

/** A splitter at the begin of a text. Throws a RangeError for a limit below {@link smallestLimit}. */
export function createSplitter(profile: SplitProfile): MarkdownSplitter {
  return new Splitter(profile);
}

class Splitter implements MarkdownSplitter {
  readonly #profile: SplitProfile;
  /** Where the open part begins, and its complete lines (the first may have begun before). */
  #from = 0;
  #base = 0;
  #complete = "";
  #lines: SourceLine[] = [];
  /** The block structure before the first of these lines, and after the last. */
  #before: BlockState = startOfDocument;
  #state: BlockState = startOfDocument;
  /** The unfinished last line, and where it begins. */
  #line = "";
  #lineFrom = 0;
  /** Half of a pair that the next delta completes: a high surrogate or a carriage return. */
  #half = "";
  /** The size of the open part's source, and what is added, at most, where it begins. */
  #size = 0;
  #opening = 0;
  #unfinished: { readonly text: string; readonly line: SourceLine } | undefined;

  constructor(profile: SplitProfile) {
    if (!(profile.limit >= smallestLimit)) {
      throw new RangeError(`the limit is ${profile.limit}; the smallest is ${smallestLimit}`);
    }
    this.#profile = profile;
  }

  get openFrom(): number {
    return this.#from;
  }

  push(delta: string): readonly Part[] {
    const text = this.#half + delta;
    this.#half = /[\ud800-\udbff\r]$/.exec(text)?.[0] ?? "";
    const whole = text.slice(0, text.length - this.#half.length);
    const finished: Part[] = [];
    for (let at = 0; at < whole.length; ) {
      const lineEnd = whole.indexOf("\n", at);
      const end = lineEnd === -1 ? whole.length : lineEnd + 1;
      this.#feed(whole.slice(at, end), finished);
      at = end;
    }
    return finished;
  }

  finish(): readonly Part[] {
    const finished: Part[] = [];
    this.#feed(this.#half, finished);
    this.#half = "";
    if (this.#line !== "") this.#endLine(finished);
    while (this.#from < this.#end && this.#rest() === undefined) this.#cutOff(finished);
    const rest = this.#rest();
    if (rest !== undefined && this.#from < this.#end) finished.push(rest);
    this.#from = this.#end;
    return finished;
  }

  cut(at: number = this.#settledTo()): readonly Part[] {
    const finished: Part[] = [];
    if (at > this.#end) return finished;
    while (this.#from < at) {
      const fits = this.#drawn(this.#source(), at) !== undefined;
      this.#endPart(fits ? at : this.#chooseCut(this.#from, at), finished);
    }
    this.#cutWhileOver(finished);
    return finished;
  }

  get open(): Part {
    if (this.#profile.limit === Number.POSITIVE_INFINITY) return this.#asWritten();
    const source = this.#source();
    const { to, ending } = repairedTail(source, this.#from, this.#profile);
    const range = { from: this.#from, to: this.#end, close: true };
    const repaired = draw(source, { ...range, shownTo: to, ending }, this.#profile);
    if (this.#fits(repaired)) return { ...repaired, from: this.#from, to: this.#end };
    const at = this.#drawn(source, to) === undefined ? this.#chooseCut(this.#from) : to;
    const cut =
      this.#drawn(source, at, this.#end) ?? draw(source, { ...range, shownTo: at }, this.#profile);
    return { ...cut, from: this.#from, to: this.#end };
  }

  get settled(): Part {
    const to = this.#settledTo();
    const range = { from: this.#from, to, close: false };
    return { ...draw(this.#source(), range, this.#profile), from: this.#from, to };
  }

  /** Without a limit there is one part: whoever draws it sees to what is open in it. */
  #asWritten(): Part {
    const text = this.#complete + this.#line;
    return { from: this.#from, to: this.#end, text, additions: [] };
  }

  get #end(): number {
    return this.#lineFrom + this.#line.length;
  }

  #settledTo(): number {
    return settledTail(this.#source(), this.#from, this.#profile, this.#opening);
  }

  /** Takes a piece of one line, up to its line ending at most. */
  #feed(piece: string, finished: Part[]): void {
    const { measure, limit } = this.#profile;
    const size = measure(piece);
    if (this.#size + size <= limit) {
      this.#line += piece;
      this.#size += size;
    } else {
      for (const char of piece) this.#feedChar(char, finished);
    }
    if (piece.endsWith("\n")) this.#endLine(finished);
  }

  /** Cuts at the very character that is too much, however the text was delivered. */
  #feedChar(char: string, finished: Part[]): void {
    this.#line += char;
    this.#size += this.#profile.measure(char);
    if (char.trim() !== "") this.#cutWhileOver(finished);
  }

  #endLine(finished: Part[]): void {
    const line = { ...readLine(this.#state, this.#line), from: this.#lineFrom, to: this.#end };
    withLine(this.#lines, line, this.#from);
    this.#state = line;
    this.#complete += this.#line;
    this.#lineFrom = line.to;
    this.#line = "";
    this.#keepTables(finished);
    while (this.#isOverAtLineEnd(line)) this.#cutOff(finished);
    this.#keepRows(finished);
  }

  /** Cuts behind a row when its table may hold no more of them in one part. */
  #keepRows(finished: Part[]): void {
    const { rowsPerTable } = this.#profile;
    if (rowsPerTable === undefined || this.#state.leaf.type !== "table") return;
    const rows = this.#lines.filter(
      (line) =>
        line.to > this.#from && line.block === this.#state.block && line.role === "table-row",
    );
    if (rows.length < rowsPerTable) return;
    if (this.#rest() !== undefined) {
      this.#endPart(this.#end, finished);
      return;
    }
    this.#cutOff(finished);
    this.#keepRows(finished);
  }

  /** Cuts before a table that is one too many. */
  #keepTables(finished: Part[]): void {
    const { tablesPerPart } = this.#profile;
    if (this.#state.leaf.type !== "table" || tablesPerPart === Number.POSITIVE_INFINITY) return;
    const tables = this.#lines.filter((line) => line.to > this.#from && line.leaf.type === "table");
    const blocks = new Set(tables.map((line) => line.block));
    if (blocks.size <= tablesPerPart) return;
    const header = this.#lines.find((line) => line.block === this.#state.block);
    if (header === undefined || header.from <= this.#from) return;
    this.#endPart(Math.max(header.from, this.#notBefore()), finished);
    // What had been shown of the header is repeated.
    this.#opening = openingSize(this.#state, this.#profile);
  }

  #isOverAtLineEnd(line: SourceLine): boolean {
    if (this.#profile.limit === Number.POSITIVE_INFINITY || this.#from >= this.#end) return false;
    const isRedrawn = line.leaf.type === "table" && this.#profile.drawTable !== undefined;
    const size = this.#opening + this.#size + closingSize(line, this.#profile);
    return (isRedrawn || size > this.#profile.limit) && this.#rest() === undefined;
  }

  #cutWhileOver(finished: Part[]): void {
    while (this.#size > this.#profile.limit && this.#from < this.#end) this.#cutOff(finished);
  }

  #cutOff(finished: Part[]): void {
    this.#endPart(this.#chooseCut(this.#notBefore()), finished);
  }

  #chooseCut(notBefore: number, to = this.#end): number {
    const source = this.#source();
    const from = this.#from;
    const fits = (at: number) => this.#drawn(source, at) !== undefined;
    return chooseCut({ source, from, to, notBefore, fits });
  }

  /** What may have been shown for good before the last character came. */
  #notBefore(): number {
    if (!this.#profile.appendOnly) return this.#from;
    const source = this.#source();
    const { base, text, lines } = source;
    const last = lines.at(-1);
    if (last === undefined) return this.#from;
    const shorter = text.replace(/[\s\S]$/u, "");
    const line = shorter.slice(last.from - base);
    const unfinished = {
      ...readLine(lines.at(-2) ?? source.before, line),
      from: last.from,
      to: base + shorter.length,
    };
    const rest = line === "" ? [] : [unfinished];
    const earlier = { ...source, text: shorter, lines: [...lines.slice(0, -1), ...rest] };
    return settledTail(earlier, this.#from, this.#profile, this.#opening);
  }

  /** Finishes a part and goes on behind it. */
  #endPart(to: number, finished: Part[]): void {
    const source = this.#source();
    const range = { from: this.#from, to, close: true };
    const drawing = this.#drawn(source, to) ?? draw(source, range, this.#profile);
    finished.push({ ...drawing, from: this.#from, to });
    this.#from = to;
    const before = source.lines.findLast((line) => line.from < to);
    this.#opening = before === undefined ? 0 : openingSize(before, this.#profile);
    this.#size = this.#profile.measure(source.text.slice(to - source.base));
    this.#forget();
  }

  /** Lets go of the lines before the open part. */
  #forget(): void {
    const kept = this.#lines.findIndex((line) => line.to > this.#from);
    const forgotten = kept === -1 ? this.#lines.length : kept;
    this.#before = this.#lines[forgotten - 1] ?? this.#before;
    this.#lines = this.#lines.slice(forgotten);
    const base = this.#lines[0]?.from ?? this.#lineFrom;
    this.#complete = this.#complete.slice(base - this.#base);
    this.#base = base;
  }

  /** The last part, if all that is left fits. */
  #rest(): Part | undefined {
    const drawing = this.#drawn(this.#source(), this.#end);
    return drawing && { ...drawing, from: this.#from, to: this.#end };
  }

  /** A part that shows so much, if it fits; white space at its end may be left out for that. */
  #drawn(source: Source, shownTo: number, to = shownTo): Drawing | undefined {
    const range = { from: this.#from, to, shownTo, close: true };
    const drawing = draw(source, range, this.#profile);
    if (this.#fits(drawing)) return drawing;
    const excess = this.#profile.measure(drawing.text) - this.#profile.limit;
    const inkTo = this.#withoutSpace(source, shownTo, excess);
    if (inkTo === shownTo) return undefined;
    const trimmed = draw(source, { ...range, shownTo: inkTo }, this.#profile);
    return this.#fits(trimmed) ? trimmed : undefined;
  }

  /** Before so much white space at a part's end, or before all there is. */
  #withoutSpace(source: Source, to: number, size: number): number {
    let at = to;
    for (let left = size; left > 0 && at > this.#from; at--) {
      const char = source.text.charAt(at - source.base - 1);
      if (char.trim() !== "") return at;
      left -= this.#profile.measure(char);
    }
    return at;
  }

  #fits(drawing: Drawing): boolean {
    return this.#profile.measure(drawing.text) <= this.#profile.limit;
  }

  #source(): Source {
    const lines =
      this.#line === ""
        ? this.#lines
        : withLine([...this.#lines], this.#unfinishedLine(), this.#from);
    return { before: this.#before, base: this.#base, text: this.#complete + this.#line, lines };
  }

  #unfinishedLine(): SourceLine {
    if (this.#unfinished?.text !== this.#line || this.#unfinished.line.from !== this.#lineFrom) {
      const line = { ...readLine(this.#state, this.#line), from: this.#lineFrom, to: this.#end };
      this.#unfinished = { text: this.#line, line };
    }
    return this.#unfinished.line;
  }
}

/**
 * Adds a line; the line before a table's separator turns out to be its header, lazy no longer
 * unless the open part (`from`) began inside it.
 */
function withLine(lines: SourceLine[], line: SourceLine, from: number): SourceLine[] {
  const header = line.role === "table-separator" ? lines.pop() : undefined;
  if (header !== undefined) {
    const { containers } = header.from < from ? header : line;
    lines.push({ ...header, role: "table-header", block: line.block, containers });
  }
  lines.push(line);
  return lines;
}
