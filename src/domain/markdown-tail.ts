import { CutPlaces, isLazy, lastFitting, mayBeHeader } from "#domain/markdown-cut";
import { draw, type Source, type SourceLine } from "#domain/markdown-draw";
import { scanInline } from "#domain/markdown-inline";
import { mayBecomeSeparator } from "#domain/markdown-lines";
import type { SplitProfile } from "#domain/markdown-profile";

/** How far an unfinished text can be shown, and what then closes its inline marks. */
export interface Tail {
  readonly to: number;
  readonly ending: string;
}

/**
 * How far the text may be shown where nothing can be taken back. Held back is what the next
 * characters may still give another meaning: an unfinished line that could become a heading, a
 * list item, a fence or a table, unfinished emphasis, code, links and maths, and the last letter
 * (a mark may follow it). Never goes back when text is added.
 *
 * Near the limit only whole lines and sentences are shown, so that the part can end at one.
 */
export function settledTail(
  source: Source,
  from: number,
  profile: SplitProfile,
  opening: number,
): number {
  const end = source.base + source.text.length;
  const structural = structuralEnd(source, from, profile);
  const inline = lastText(source, from, structural);
  const inlineEnd = Math.min(inline.unsureAt, structural);
  const letterEnd = inlineEnd === end ? beforeLastLetter(source, from, end) : inlineEnd;
  const atom = inline.atoms.find((other) => other.from < letterEnd && other.to > letterEnd);
  const to = Math.max(from, atom?.from ?? letterEnd);
  const careful = profile.appendOnly ? nearLimit({ source, from, to, profile, opening }) : to;
  return beforeMarks(source, from, careful);
}

/** Of a line nothing is shown before its text is: its marks alone mean nothing yet. */
function beforeMarks(source: Source, from: number, to: number): number {
  const { base, text, lines } = source;
  const line = lines.findLast((other) => other.from < to);
  if (line === undefined || to === line.to) return to;
  const content = text.slice(line.from + line.content - base, to - base);
  return content.trim() === "" ? Math.max(from, line.from) : to;
}

/**
 * What an unfinished text is shown as where it can be corrected later: open emphasis and code are
 * closed, links and maths that are not complete are held back.
 */
export function repairedTail(source: Source, from: number, profile: SplitProfile): Tail {
  const structural = structuralEnd(source, from, profile);
  const inline = lastText(source, from, structural);
  const end = inline.openCode === "" ? Math.min(structural, inline.openAt) : structural;
  const to = beforeMarks(source, from, end);
  const code = to > inline.openAt ? inline.openCode : "";
  const emphasis = inline.openEmphasis.filter((open) => open.at < to);
  const first = emphasis[0];
  const shown = trimmedEnd(source, from, to);
  // Behind another backtick, closing backticks would close nothing.
  if (code !== "" && source.text.charAt(shown - source.base - 1) === "`") {
    return { to: inline.openAt, ending: "" };
  }
  const ending =
    code +
    emphasis
      .map((open) => open.marker)
      .toReversed()
      .join("");
  if (ending === "") return { to, ending };
  const isEmpty = emphasis.some((open) => shown <= open.at + open.marker.length);
  return isEmpty && first !== undefined ? { to: first.at, ending: "" } : { to: shown, ending };
}

/** Where the text ends whose block structure is certain. */
function structuralEnd(source: Source, from: number, profile: SplitProfile): number {
  const { lines, text } = source;
  const last = lines.at(-1);
  if (last === undefined || text.endsWith("\n")) return finishedEnd(source, from, last, profile);
  const before = lines.at(-2);
  const line = text.slice(last.from - source.base);
  const start = Math.max(from, last.from);
  const marks = last.role === "code" ? last.content : containerMarks(line);
  const rest = line.slice(from > last.from ? from - last.from : marks);
  const isHeld =
    last.role === "code" ? /^\s*[`~]*\s*$/.test(rest) : isUndecided(rest) || isTable(last);
  const { leaf } = before ?? source.before;
  const maySeparate = leaf.type === "paragraph" && leaf.cells > 0;
  if (isHeld || (maySeparate && mayBecomeSeparator(line))) {
    return Math.min(start, finishedEnd(source, from, before, profile));
  }
  if (last.role === "maths" || last.leaf.type === "maths") return blockStart(lines, last);
  if (last.role === "code") return beforeFence(source, from);
  if (isLazy(last)) return start;
  return source.base + text.length;
}

/** Before what would close the fence if a part began with it, and before the letter it follows. */
function beforeFence(source: Source, from: number): number {
  const { base, text } = source;
  const ink = text.length - (/[`~\s]*$/.exec(text)?.[0].length ?? 0);
  return ink === text.length ? base + ink : beforeLastLetter(source, from, base + ink);
}

/** The same after a finished line: before a block that may still change as a whole. */
function finishedEnd(
  source: Source,
  from: number,
  line: SourceLine | undefined,
  profile: SplitProfile,
): number {
  const end = line?.to ?? source.base + source.text.length;
  if (line === undefined) return end;
  const isHeld =
    line.leaf.type === "maths" ||
    (line.leaf.type === "table" && profile.appendOnly && profile.drawTable !== undefined);
  if (isHeld) return blockStart(source.lines, line);
  return line.from >= from && mayBeHeader(source, line) ? line.from : end;
}

function isTable(line: SourceLine): boolean {
  return line.role.startsWith("table");
}

/** The length of what may be containers' marks at a line's begin. */
function containerMarks(text: string): number {
  return /^(?:[ \t]*(?:>|(?:[-+*]|\d{1,9}[.)])[ \t]+))*[ \t]*/.exec(text)?.[0].length ?? 0;
}

/** True for an unfinished line that is all marks so far, that opens a fence, or a table's header. */
function isUndecided(rest: string): boolean {
  return /^(?:[-+*_=\s]*|#{1,6}\s*|\d{1,9}[.)]?|`{1,2}|~{1,2}|\$|\\|(?:`{3}|~{3}|\|)[^\n]*)$/.test(
    rest,
  );
}

function blockStart(lines: readonly SourceLine[], line: SourceLine): number {
  return lines.find((other) => other.block === line.block)?.from ?? line.from;
}

/** What stands inside the paragraph the text ends in. */
function lastText(source: Source, from: number, to: number) {
  const { base, text, lines } = source;
  const last = lines.findLast((line) => line.from < to);
  const isText = last !== undefined && ["text", "heading", "fence-open"].includes(last.role);
  const isOpen =
    last !== undefined && (last.leaf.type === "paragraph" || text.charAt(to - base - 1) !== "\n");
  const first = isText && isOpen ? lines.find((line) => line.block === last.block) : undefined;
  const start = first === undefined ? to : Math.max(from, first.from + first.content);
  const inline = scanInline(text, Math.min(start, to) - base, to - base);
  // What closes an emphasis behind an open mark may turn out to stand inside code or a link.
  const sureTo = Math.min(inline.openAt, inline.unsureAt);
  const unsure = [
    ...inline.openEmphasis.map((open) => open.at),
    ...inline.emphasis.filter((range) => range.to > sureTo).map((range) => range.from),
  ];
  return {
    ...inline,
    atoms: inline.atoms.map((atom) => ({ from: atom.from + base, to: atom.to + base })),
    openAt: inline.openAt + base,
    openEmphasis: inline.openEmphasis.map((open) => ({ ...open, at: open.at + base })),
    unsureAt: Math.min(...unsure, sureTo) + base,
  };
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** A place without its last letter, and never right before white space (which a join may lose). */
function beforeLastLetter(source: Source, from: number, end: number): number {
  const { base, text, lines } = source;
  const last = lines.at(-1);
  if (last === undefined || text.endsWith("\n")) return end;
  const start = Math.max(from, last.from, end - 200);
  const letters = Array.from(segmenter.segment(text.slice(start - base, end - base)));
  const isBreak = (index: number) => !/^\s/.test(letters[index]?.segment ?? "");
  for (let i = letters.length - 1; i >= 0; i--) {
    if (isBreak(i)) return start + (letters[i]?.index ?? 0);
  }
  return start;
}

interface NearLimit {
  readonly source: Source;
  readonly from: number;
  readonly to: number;
  readonly profile: SplitProfile;
  /** What the part's begin takes. */
  readonly opening: number;
}

/** Up to this share of the limit letters are shown one by one, then only whole lines and sentences. */
const carelessShare = 0.9;

function nearLimit({ source, from, to, profile, opening }: NearLimit): number {
  const { base, text } = source;
  const { limit, measure } = profile;
  const isFarAway = (opening + measure(text.slice(from - base, to - base))) * 3 <= limit;
  if (isFarAway) return to;
  const size = (at: number) => measure(draw(source, { from, to: at, close: true }, profile).text);
  if (size(to) <= limit * carelessShare) return to;
  const places = new CutPlaces(source, from, to);
  const letters = places.wholeLetters(from);
  const edge = lastFitting(letters, (at) => size(at) <= limit * carelessShare) ?? from;
  const ends = source.lines
    .map((line) => line.to)
    .filter((at) => text.charAt(at - base - 1) === "\n" && places.isWhole(at))
    .concat(places.ranked("sentence"))
    .filter((at) => at > edge && at <= to)
    .sort((a, b) => a - b);
  return lastFitting(ends, (at) => size(at) <= limit) ?? edge;
}

function trimmedEnd(source: Source, from: number, to: number): number {
  return from + source.text.slice(from - source.base, to - source.base).trimEnd().length;
}
