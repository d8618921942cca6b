import type { Source } from "#domain/run-event";

/** What stands in a text: words, or where they come from. */
export type CitedPiece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "source"; readonly source: Source };

const opening = "【";
const closing = "】";
/** A mark is short; what is longer between such brackets is somebody's text. */
const maxMarkCharacters = 120;
const markPattern = /^\d+-\d+(?:†[^】]*)?$/;

/** How a passage is cited: the model is shown this, and copies it. */
export function citationMark(id: string): string {
  return `${opening}${id}${closing}`;
}

/**
 * Takes citation marks out of a text that arrives in pieces, and says which source each stands for.
 * What may still become a mark is held back. A mark of a source that is not known is left out, since
 * nobody can read it; other text between such brackets stays.
 */
export class CitationReader {
  readonly #sources: ReadonlyMap<string, Source>;
  #pending = "";

  /** Sources by the id in their mark. */
  constructor(sources: ReadonlyMap<string, Source>) {
    this.#sources = sources;
  }

  push(text: string): readonly CitedPiece[] {
    this.#pending += text;
    const pieces: CitedPiece[] = [];
    for (;;) {
      const from = this.#pending.indexOf(opening);
      if (from === -1) return [...pieces, ...this.#take(this.#pending.length)];
      pieces.push(...this.#take(from));
      const to = this.#pending.indexOf(closing);
      if (to === -1 && this.#pending.length <= maxMarkCharacters) return pieces;
      const sources = to === -1 ? undefined : this.#sourcesOf(this.#pending.slice(1, to));
      if (sources === undefined) {
        pieces.push(...this.#take(1));
        continue;
      }
      this.#pending = this.#pending.slice(to + 1);
      pieces.push(...sources.map((source) => ({ type: "source", source }) as const));
    }
  }

  /** What was held back, when nothing more comes. */
  end(): readonly CitedPiece[] {
    return this.#take(this.#pending.length);
  }

  #take(length: number): readonly CitedPiece[] {
    const text = this.#pending.slice(0, length);
    this.#pending = this.#pending.slice(length);
    return text === "" ? [] : [{ type: "text", text }];
  }

  /** The sources of a mark, which may name several; undefined when it is no mark. */
  #sourcesOf(inside: string): readonly Source[] | undefined {
    const ids = inside.split(/[,;]/).map((id) => id.trim());
    if (!ids.every((id) => markPattern.test(id))) return undefined;
    return ids.flatMap((id) => this.#sources.get(id.split("†")[0] ?? id) ?? []);
  }
}
