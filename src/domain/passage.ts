import type { DocumentText } from "#domain/file";

/** A piece of a document, small enough to be one hit of a search. */
export interface Passage {
  readonly page?: number;
  /** The sheet, chapter or section it stands in, where the document says so. */
  readonly section?: string;
  readonly text: string;
}

/** A passage that a search found, best first. */
export interface FoundPassage extends Passage {
  /** Names this passage of this file for as long as the file is indexed: `12-3`. */
  readonly mark: string;
  readonly fileId: string;
  readonly fileName: string;
}

/** About a third of a printed page: enough to understand a passage alone, small enough to quote ten. */
export const maxPassageCharacters = 1_600;
/** What is said across a cut is found from either side. */
const overlapCharacters = 160;
/** A table's first line is repeated in each of its passages, unless it is no heading. */
const maxHeadingCharacters = 400;

/** Cuts a document into passages: never across pages, at the end of a paragraph, line or sentence where one is near. */
export function toPassages({ pages }: DocumentText): readonly Passage[] {
  return pages.flatMap(({ page, title, text }) => {
    const place = {
      ...(page === undefined ? {} : { page }),
      ...(title === undefined ? {} : { section: title }),
    };
    const pieces = title === undefined ? cut(text, overlapCharacters) : cutTable(text);
    return pieces.map((piece) => ({ ...place, text: piece }));
  });
}

/** Each piece of a sheet begins with the sheet's heading, so that its columns have names. */
function cutTable(text: string): readonly string[] {
  const [heading = ""] = text.split("\n", 1);
  const pieces = cut(text, 0);
  if (heading.length > maxHeadingCharacters) return pieces;
  return pieces.map((piece, index) => (index === 0 ? piece : `${heading}\n${piece}`));
}

function cut(text: string, overlap: number): readonly string[] {
  const pieces: string[] = [];
  let from = 0;
  while (from < text.length) {
    const to = cutBefore(text, from, from + maxPassageCharacters);
    const piece = text.slice(from, to).trim();
    if (piece !== "") pieces.push(piece);
    if (to >= text.length) break;
    from = overlap === 0 ? to : beginOfWord(text, to - overlap, to);
  }
  return pieces;
}

/** Where a piece best ends: what separates most, in the later half of what fits. */
function cutBefore(text: string, from: number, limit: number): number {
  if (limit >= text.length) return text.length;
  const earliest = from + maxPassageCharacters / 2;
  for (const separator of ["\n\n", "\n", ". ", " "]) {
    const at = text.lastIndexOf(separator, limit - separator.length);
    if (at >= earliest) return at + separator.length;
  }
  // Nothing to cut at: not within a character of two units, either.
  return isLowSurrogate(text.charCodeAt(limit)) ? limit - 1 : limit;
}

function beginOfWord(text: string, from: number, latest: number): number {
  const space = text.slice(from, latest).search(/\s/);
  return space === -1 ? latest : from + space + 1;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
