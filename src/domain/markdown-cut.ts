import type { Source, SourceLine } from "#domain/markdown-draw";
import { type Inline, scanInline } from "#domain/markdown-inline";
import { beginsBlock, mayBecomeSeparator } from "#domain/markdown-lines";

/**
 * How good a place is for a cut, best first. `weak` reads badly (a heading without its text),
 * `letter` is in the middle of a word. The rest is for what alone is larger than the limit:
 * `open` is inside something that may never be completed, `inside` breaks something in two.
 */
export type CutRank =
  /** Before a block that stands in no other, before an item of an outer list, before a line. */
  "block" | "item" | "line" | "sentence" | "word" | "weak" | "letter" | "open" | "inside";

export interface CutRequest {
  readonly source: Source;
  /** The part's begin, and the end of what may be looked at. */
  readonly from: number;
  readonly to: number;
  /** No cut before this: what came before has been shown for good. */
  readonly notBefore: number;
  /** Whether the part, cut here, stays within the limit. */
  readonly fits: (at: number) => boolean;
}

/**
 * Chooses where a part ends: the best kind of place, as late as fits. A better kind of place is
 * taken over a worse one only while it leaves the part reasonably full.
 */
export function chooseCut(request: CutRequest): number {
  const { source, from, to, notBefore, fits } = request;
  const places = new CutPlaces(source, from, to);
  const least = Math.max(notBefore, from + 1 + blankBegin(source, from, to));
  const pick = (rank: CutRank, atLeast: number) =>
    lastFitting(
      places.ranked(rank).filter((at) => at >= atLeast),
      fits,
    );

  for (const fill of [1 / 2, 1 / 4, 0]) {
    const atLeast = Math.max(least, from + (to - from) * fill);
    for (const rank of ["block", "item", "line", "sentence", "word"] as const) {
      const at = pick(rank, atLeast);
      if (at !== undefined) return at;
    }
  }
  return (
    pick("weak", least) ??
    lastFitting(places.letters(least, ["letter"]), fits) ??
    pick("open", least) ??
    lastFitting(places.letters(least, ["letter", "open"]), fits) ??
    lastFitting(places.letters(least, ["letter", "open", "inside"]), fits) ??
    lastFitting(
      places.letters(Math.max(notBefore, from + 1), ["letter", "open", "inside"]),
      fits,
    ) ??
    lastFitting(codePointStarts(source, from, to), fits) ??
    to
  );
}

/** How much white space a part would begin with: cut after it, nothing would be shown. */
function blankBegin({ base, text }: Source, from: number, to: number): number {
  const ink = text.slice(from - base, to - base).search(/\S/);
  return ink === -1 ? 0 : ink;
}

/** The places of a range where the text could be cut, in order, by rank. */
export class CutPlaces {
  readonly #source: Source;
  readonly #from: number;
  readonly #to: number;
  readonly #lines: readonly SourceLine[];
  readonly #ranked = new Map<CutRank, number[]>();
  readonly #texts: { readonly from: number; readonly to: number; readonly inline: Inline }[] = [];

  constructor(source: Source, from: number, to: number) {
    this.#source = source;
    this.#from = from;
    this.#to = to;
    this.#lines = source.lines.filter((line) => line.to > from && line.from < to);
    for (const [index, line] of this.#lines.entries()) {
      this.#readText(index);
      if (line.from > from) this.#add(this.#rankOfLineStart(index), line.from);
      this.#addPlacesInLine(line);
    }
  }

  ranked(rank: CutRank): readonly number[] {
    return this.#ranked.get(rank) ?? [];
  }

  /** Where grapheme clusters begin from `least` on, if a cut there is of one of these ranks. */
  letters(least: number, ranks: readonly CutRank[]): readonly number[] {
    return this.#letterStarts(least).filter((at) => ranks.includes(this.#rankInside(at)));
  }

  /** Where grapheme clusters begin from `least` on and nothing is broken, whatever a cut would begin. */
  wholeLetters(least: number): readonly number[] {
    return this.#letterStarts(least).filter((at) => this.isWhole(at));
  }

  /** True if a cut there breaks nothing in two. */
  isWhole(at: number): boolean {
    return this.#breakage(at) === "letter";
  }

  #letterStarts(least: number): readonly number[] {
    const { base, text, lines } = this.#source;
    const line = lines.findLast((other) => other.from < least);
    const start = Math.max(base, line?.from ?? least);
    const piece = text.slice(start - base, this.#to - base);
    return Array.from(segmenter.segment(piece), ({ index }) => index + start).filter(
      (at) => at >= least,
    );
  }

  /** The rank of a place of which nothing else is known. */
  #rankInside(at: number): "letter" | "open" | "inside" {
    return startsBlock(this.#source, at, this.#to) ? "inside" : this.#breakage(at);
  }

  #breakage(at: number): "letter" | "open" | "inside" {
    const index = this.#lines.findLastIndex((other) => other.from < at);
    const line = this.#lines[index];
    const previous = this.#lines[index - 1];
    if (line !== undefined && at <= line.from + marksOf(this.#source, line)) return "inside";
    if (line && previous && at < line.to && separates(this.#source, previous, line))
      return "inside";
    const text = this.#texts.findLast((other) => at > other.from && at < other.to);
    return text === undefined ? "letter" : breakage(text.inline, at);
  }

  /** Looks at the paragraph, table row or maths block that begins with this line. */
  #readText(index: number): void {
    const line = this.#lines[index];
    const previous = this.#lines[index - 1];
    if (line === undefined || !hasInline(line) || (previous && isSameText(previous, line))) return;
    let last = line;
    for (const next of this.#lines.slice(index + 1)) {
      if (!isSameText(line, next)) break;
      last = next;
    }
    const from = Math.max(this.#from, line.from + line.content);
    const to = Math.min(last.to, this.#to);
    if (from >= to) return;
    const { base, text } = this.#source;
    const inline = moved(scanInline(text, from - base, to - base), base);
    const openAt = line.role === "maths" ? from : inline.openAt;
    this.#texts.push({ from, to, inline: { ...inline, openAt } });
  }

  #rankOfLineStart(index: number): CutRank {
    const rank = rankOfLineStart(this.#source, this.#lines, index);
    if (rank !== "line") return rank;
    const inside = this.#rankInside(this.#lines[index]?.from ?? this.#from);
    return inside === "letter" ? rank : inside;
  }

  #addPlacesInLine(line: SourceLine): void {
    const isCode = line.role === "code" || line.role === "indented-code";
    const isText = hasInline(line) && !line.role.startsWith("table");
    if (!isText && !isCode) return;
    const text = isText ? this.#texts.at(-1) : undefined;
    const isNewTable =
      this.#lines.indexOf(line) > this.#lines.length - 3 && mayBeHeader(this.#source, line);
    const end = Math.min(line.to, this.#to);
    for (let at = Math.max(this.#from, line.from + line.content) + 1; at < end; at++) {
      const place = placeBefore(this.#source.text, at - this.#source.base);
      if (place === undefined) continue;
      const inside = this.#rankInside(at);
      if (inside !== "letter") this.#add(inside, at);
      else if (line.role === "fence-open" || isNewTable) this.#add("open", at);
      else if (text === undefined || isEmphasised(text.inline, at)) this.#add("weak", at);
      else this.#add(place, at);
    }
  }

  #add(rank: CutRank, at: number): void {
    const known = this.#ranked.get(rank);
    if (known === undefined) this.#ranked.set(rank, [at]);
    else known.push(at);
  }
}

function rankOfLineStart(source: Source, lines: readonly SourceLine[], index: number): CutRank {
  const line = lines[index];
  const previous = lines[index - 1];
  if (line === undefined || previous === undefined) return "block";
  if (line.role === "underline") return "inside";
  if (previous.leaf.type === "maths" && line.role === "maths") return "line";
  // A table's header is repeated before its separator.
  if (separates(source, previous, line)) return "weak";
  if (line.role === "blank" || line.role === "fence-close") return "weak";
  if (previous.role === "fence-open" || previous.role === "table-separator") return "weak";
  const above = lines.findLast((other, i) => i < index && other.role !== "blank");
  if (above?.role === "heading" || above?.role === "underline") return "weak";
  if (line.block === previous.block)
    return line.role === "text" && beginsWithMark(source, line) ? "inside" : "line";
  if (line.containers.length === 0) return "block";
  return line.containers.length === 1 ? "item" : "line";
}

/** True for a line of a paragraph that would be something else if it came first. */
function beginsWithMark(source: Source, line: SourceLine): boolean {
  const content = source.text.slice(line.from + line.content - source.base, line.to - source.base);
  return beginsBlock(content.trimStart());
}

/**
 * True for a line that is a table's header if a separator follows. Only a leading bar says so in
 * time, and a missing mark (a lazy line); other headers have been shown when their separator comes.
 */
export function mayBeHeader(source: Source, line: SourceLine): boolean {
  if (line.leaf.type !== "paragraph" || line.leaf.cells === 0) return false;
  return isLazy(line) || source.text.charAt(line.from + line.content - source.base) === "|";
}

/** True for a line that goes on with a paragraph without the marks of the containers it is in. */
export function isLazy({ leaf, containers }: SourceLine): boolean {
  return leaf.type === "paragraph" && leaf.cells > 0 && leaf.depth < containers.length;
}

/** True for the line below a table's header, also while it is unfinished and may only become it. */
function separates(source: Source, header: SourceLine, line: SourceLine): boolean {
  if (line.role === "table-separator") return true;
  if (header.leaf.type !== "paragraph" || header.leaf.cells === 0) return false;
  const text = source.text.slice(line.from - source.base, line.to - source.base);
  return !text.endsWith("\n") && mayBecomeSeparator(text);
}

/** What ends right before this character: a sentence, a word, or nothing. */
function placeBefore(text: string, index: number): "sentence" | "word" | undefined {
  const before = text.charAt(index - 1);
  const after = text.charAt(index);
  if (isSpace(before)) {
    if (isSpace(after) || isMark(after)) return undefined;
    return /[.!?…]["'”’)\]*_]*\s+$/.test(text.slice(Math.max(0, index - 8), index))
      ? "sentence"
      : "word";
  }
  if (!isWide(before) && !isWide(after)) return undefined;
  if (isSpace(after) || isMark(after) || noBreakBefore.test(after)) return undefined;
  if (noBreakAfter.test(before)) return undefined;
  return /[。！？]/.test(before) ? "sentence" : "word";
}

/** Chinese and Japanese break between letters, but not before closing or after opening marks. */
const noBreakBefore =
  /[、。，．！？：；」』）】〉》〕・ー…ぁぃぅぇぉっゃゅょァィゥェォッャュョ.,!?:;)\]}"'”’]/;
const noBreakAfter = /[「『（【〈《〔([{"'“‘]/;

function isWide(char: string): boolean {
  return /[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uff60]/.test(char);
}

function isSpace(char: string): boolean {
  return char === " " || char === "\t" || char === "\n" || char === "\r" || char === "\u3000";
}

/** Belongs to the character before it. */
function isMark(char: string): boolean {
  return /\p{M}|\u200d|[\udc00-\udfff]/u.test(char);
}

function breakage(inline: Inline, at: number): "letter" | "open" | "inside" {
  if (inline.atoms.some((atom) => at > atom.from && at < atom.to)) return "inside";
  if (at > inline.nextOpenAt) return "inside";
  return at > inline.openAt ? "open" : "letter";
}

function isEmphasised(inline: Inline, at: number): boolean {
  return (
    inline.openEmphasis.some((open) => at > open.at) ||
    inline.emphasis.some((range) => at > range.from && at < range.to)
  );
}

function moved(inline: Inline, by: number): Inline {
  const move = <Range extends { from: number; to: number }>(range: Range) => ({
    ...range,
    from: range.from + by,
    to: range.to + by,
  });
  return {
    ...inline,
    atoms: inline.atoms.map(move),
    emphasis: inline.emphasis.map(move),
    openEmphasis: inline.openEmphasis.map((open) => ({ ...open, at: open.at + by })),
    openAt: inline.openAt + by,
    nextOpenAt: inline.nextOpenAt + by,
    unsureAt: inline.unsureAt + by,
  };
}

/** True if the text from here on, at the begin of a line, would be (or may yet become) a block mark. */
function startsBlock(source: Source, at: number, to: number): boolean {
  const before = source.text.charAt(at - source.base - 1);
  if (before === "\n" || before === "") return false;
  const rest = source.text.slice(at - source.base, Math.min(to, at + 12) - source.base);
  return isSpace(rest.charAt(0)) || beginsBlock(rest);
}

/**
 * How far a line's marks reach: its containers', and what makes it a fence or would make it one
 * (three backticks begin a fence only if no other backtick follows on the line).
 */
function marksOf({ base, text }: Source, line: SourceLine): number {
  if (line.role !== "fence-open" && line.role !== "text") return line.content;
  const content = text.slice(line.from + line.content - base, line.to - base);
  const pattern = line.role === "text" ? /^ {0,3}`{3,}[^`\n]*`/ : /^ {0,3}(?:`{3,}|~{3,})/;
  return line.content + (pattern.exec(content)?.[0].length ?? 0);
}

function hasInline(line: SourceLine): boolean {
  const { role } = line;
  return (
    role === "text" ||
    role === "heading" ||
    role === "maths" ||
    role === "fence-open" ||
    role.startsWith("table")
  );
}

/** True for lines that are read as one text: of a paragraph, of display maths. */
function isSameText(a: SourceLine, b: SourceLine): boolean {
  return (a.role === "text" || a.role === "maths") && a.role === b.role && a.block === b.block;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function codePointStarts(source: Source, from: number, to: number): readonly number[] {
  const starts: number[] = [];
  let at = from;
  for (const char of source.text.slice(from - source.base, to - source.base)) {
    if (at > from) starts.push(at);
    at += char.length;
  }
  return starts;
}

/** The last of these places that fits, taking it that a later place needs more room. */
export function lastFitting(
  places: readonly number[],
  fits: (at: number) => boolean,
): number | undefined {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = places[middle];
    if (at !== undefined && fits(at)) low = middle + 1;
    else high = middle;
  }
  return places[low - 1];
}
