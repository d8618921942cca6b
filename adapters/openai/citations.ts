import type { Source } from "#domain/run-event";

/** What settled text consists of. */
export type TextPiece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "citation"; readonly source: Source };

/** What may be rewritten in a text, and so has to be held back until it is settled. */
export interface Rewrites {
  /** `([host](url))` links that an annotation will turn into a citation. */
  readonly webLinks: boolean;
  /** `sandbox:/mnt/data/...` links, which lead nowhere outside the container. */
  readonly sandboxLinks: boolean;
  /** File citations, whose marks belong before the white space at the end of the text so far. */
  readonly fileMarks: boolean;
}

/** An annotation of a text part, as far as it matters to the text. Offsets count UTF-16 units of the raw text. */
export type Annotation =
  | { readonly type: "file"; readonly source: Source; readonly index: number }
  | { readonly type: "web"; readonly source: Source; readonly start: number; readonly end: number };

/** A settler's state as plain data, so that it can be taken up in another process. */
export interface SettlerState {
  /** Raw text up to here is settled. */
  readonly settled: number;
  /** Raw text after it that came already. */
  readonly pending: string;
  readonly annotations: readonly Annotation[];
  /** How many annotations came in all. */
  readonly seen: number;
  /** Addresses of links that were given out as they were. */
  readonly links: readonly string[];
}

const webMarker = / ?\(?\[| ?\($| $/;
/** Also what may become one with the next piece. */
const sandboxMarker = /!?\[|!$|sandbox:|s(a(n(d(b(o(x)?)?)?)?)?)?$/;

/** How far text may run on behind a web link before it is given out without its annotation. */
const maxCharactersBehindLink = 300;

/** Longest marker or link that is waited for; longer ones are text. */
const maxMarkerLength = 2500;

/**
 * Gives out the text of one part as soon as nobody can rewrite it any more, with citations where
 * they stand. What is held back is only ever the tail from a possible marker on, so that text flows
 * while it is written, and the cost of a token does not grow with the text.
 *
 * - Markers of file search (`【4:0†report.pdf】`) become citations; other `【】` are text.
 * - Links into the code interpreter's sandbox lose their address: the file itself is delivered.
 * - Web links inside `( )` become citations once their annotation has come.
 * - A file citation stands at its index, or at the next end of a word when the text ran ahead of it.
 */
export class TextSettler {
  readonly #rewrites: Rewrites;
  readonly #sourceOfMarker: (name: string) => Source;
  #settled: number;
  #pending: string;
  #annotations: Annotation[];
  #seen: number;
  #links: string[];

  constructor(
    rewrites: Rewrites,
    sourceOfMarker: (name: string) => Source,
    state: SettlerState = { settled: 0, pending: "", annotations: [], seen: 0, links: [] },
  ) {
    this.#rewrites = rewrites;
    this.#sourceOfMarker = sourceOfMarker;
    this.#settled = state.settled;
    this.#pending = state.pending;
    this.#annotations = [...state.annotations];
    this.#seen = state.seen;
    this.#links = [...state.links];
  }

  /** How much raw text came. */
  get received(): number {
    return this.#settled + this.#pending.length;
  }

  /** How many annotations came. */
  get annotationsSeen(): number {
    return this.#seen;
  }

  push(delta: string): readonly TextPiece[] {
    if (this.#isPlain(delta)) {
      this.#settled += delta.length;
      return [{ type: "text", text: delta }];
    }
    this.#pending += delta;
    return this.#settle(false);
  }

  annotate(annotation: Annotation | undefined): readonly TextPiece[] {
    this.#seen += 1;
    if (annotation === undefined) return [];
    this.#annotations.push(annotation);
    return this.#settle(false);
  }

  /** The part is complete: gives out the rest. */
  end(): readonly TextPiece[] {
    return this.#settle(true);
  }

  get state(): SettlerState {
    return {
      settled: this.#settled,
      pending: this.#pending,
      annotations: [...this.#annotations],
      seen: this.#seen,
      links: [...this.#links],
    };
  }

  /** The common case: nothing is held back, and nothing in it begins what may be rewritten. */
  #isPlain(delta: string): boolean {
    return (
      delta !== "" &&
      this.#pending === "" &&
      this.#annotations.length === 0 &&
      this.#markerIn(delta) === -1
    );
  }

  #settle(isFinal: boolean): readonly TextPiece[] {
    const pieces: TextPiece[] = [];
    let text = "";
    const flush = () => {
      if (text !== "") pieces.push({ type: "text", text });
      text = "";
    };
    const cite = (source: Source) => {
      flush();
      pieces.push({ type: "citation", source });
    };
    for (;;) {
      this.#placeOvertaken();
      const begin = this.#markerIn(this.#pending);
      const plain = begin === -1 ? this.#pending.length : begin;
      for (const piece of this.#plain(plain, isFinal && begin === -1)) {
        if (piece.type === "text") text += piece.text;
        else cite(piece.source);
      }
      if (begin === -1) break;
      const marker = this.#readMarker(isFinal);
      if (marker === "open") break;
      if (marker.source !== undefined) cite(marker.source);
      text += marker.text;
      this.#advance(marker.length);
    }
    if (isFinal) for (const source of this.#unplaced()) cite(source);
    flush();
    return pieces;
  }

  /** Web annotations whose text is out already: nothing to replace, unless its link stands there. */
  #placeOvertaken(): void {
    if (this.#annotations.length === 0) return;
    this.#annotations = this.#annotations.flatMap((one): Annotation[] => {
      if (one.type === "file" || one.end > this.#settled) return [one];
      if (this.#links.includes(one.source.url ?? "")) return [];
      return [{ type: "file", source: one.source, index: one.end }];
    });
  }

  /** What no text was left for, once the part is complete. */
  #unplaced(): readonly Source[] {
    const rest = this.#annotations.filter((one) => !this.#links.includes(one.source.url ?? ""));
    this.#annotations = [];
    return rest.map((one) => one.source);
  }

  /** Where in a text something begins that may be rewritten; -1: nowhere. */
  #markerIn(text: string): number {
    const { webLinks, sandboxLinks, fileMarks } = this.#rewrites;
    let begin = text.indexOf("【");
    if (webLinks) begin = earlier(begin, text.search(webMarker));
    if (webLinks || sandboxLinks) begin = earlier(begin, text.search(sandboxMarker));
    if (fileMarks) begin = earlier(begin, text.search(/\s+$/));
    return begin;
  }

  /** Gives out plain text, with the file citations that belong into it. */
  *#plain(length: number, isLast: boolean): Generator<TextPiece> {
    let left = length;
    for (;;) {
      const annotation = this.#annotations.find((one) => one.type === "file");
      if (annotation === undefined) break;
      const at = this.#placeOf(annotation.index - this.#settled, left);
      if (at === undefined && !isLast) break;
      const cut = at ?? left;
      if (cut > 0) yield { type: "text", text: this.#pending.slice(0, cut) };
      this.#advance(cut);
      left -= cut;
      this.#annotations.splice(this.#annotations.indexOf(annotation), 1);
      yield { type: "citation", source: annotation.source };
    }
    if (left > 0) yield { type: "text", text: this.#pending.slice(0, left) };
    this.#advance(left);
  }

  /** Where in the next `length` characters a citation goes; undefined: further on. */
  #placeOf(offset: number, length: number): number | undefined {
    if (offset >= 0) return offset <= length ? offset : undefined;
    const end = this.#pending.slice(0, length).search(/[\s。、，]/);
    return end === -1 ? undefined : end;
  }

  #advance(length: number): void {
    this.#pending = this.#pending.slice(length);
    this.#settled += length;
  }

  /** Reads the marker the pending text begins with. */
  #readMarker(isFinal: boolean): Marker | "open" {
    const pending = this.#pending;
    if (/^\s+$/.test(pending) && !isFinal) return "open";
    if (pending.startsWith("【")) return this.#fileMarker(isFinal);
    const link = linkAt(pending);
    if (link === "open") return isFinal ? asText(pending, pending.length) : "open";
    if (link === undefined) return this.#bareSandbox(isFinal);
    if (link.url.startsWith("sandbox:")) return sandboxLink(link);
    if (this.#rewrites.webLinks) return this.#webLink(link, isFinal);
    return asText(pending, link.length);
  }

  #fileMarker(isFinal: boolean): Marker | "open" {
    const whole = /^【\d*(?::\d*)?†([^】\n]{0,200})】/.exec(this.#pending);
    if (whole !== null) {
      const name = whole[1] ?? "";
      const isNamed = name !== "" && name !== "source";
      return {
        length: whole[0].length,
        text: "",
        ...(isNamed ? { source: this.#sourceOfMarker(name) } : {}),
      };
    }
    const isBegun = /^【\d*(?::\d*)?(†[^】\n]{0,200})?$/.test(this.#pending);
    return isBegun && !isFinal ? "open" : asText(this.#pending, 1);
  }

  #bareSandbox(isFinal: boolean): Marker | "open" {
    const pending = this.#pending;
    const bare = /^sandbox:[^\s()[\]"'`<>【]*/.exec(pending);
    if (bare !== null) {
      if (bare[0].length === pending.length && !isFinal) return "open";
      return { length: bare[0].length, text: baseName(bare[0]) };
    }
    const isBegun = /^( ?\(?|!|s[andbox]{0,6})$/.test(pending) && pending !== "";
    return isBegun && !isFinal ? "open" : asText(pending, 1);
  }

  #webLink(link: Link, isFinal: boolean): Marker | "open" {
    const end = this.#settled + link.length;
    const cited = this.#annotations.find(
      (one) =>
        one.type === "web" &&
        ((one.start < end && one.end > this.#settled) || one.source.url === link.url),
    );
    if (cited !== undefined) {
      this.#annotations.splice(this.#annotations.indexOf(cited), 1);
      return { length: link.length, text: "", source: cited.source };
    }
    const isDue = this.#pending.length - link.length > maxCharactersBehindLink;
    if (!isFinal && !isDue) return "open";
    this.#links.push(link.url);
    return asText(this.#pending, link.length);
  }
}

interface Marker {
  readonly length: number;
  /** What stands in its place. */
  readonly text: string;
  readonly source?: Source;
}

function asText(pending: string, length: number): Marker {
  return { length, text: pending.slice(0, length) };
}

interface Link {
  readonly length: number;
  readonly before: string;
  readonly isImage: boolean;
  readonly label: string;
  readonly url: string;
}

/** A Markdown link at the beginning, with the space and parenthesis around it; `open`: it may become one. */
function linkAt(text: string): Link | "open" | undefined {
  const whole = /^( ?)(\(?)(!?)\[([^\]\n]{0,300})\]\(([^\s()]*(?:\([^\s()]*\)[^\s()]*)*)\)/.exec(
    text,
  );
  if (whole !== null) {
    const [all, space = "", parenthesis = "", mark = "", label = "", url = ""] = whole;
    const isClosed = parenthesis === "" || text[all.length] === ")";
    if (parenthesis !== "" && text.length === all.length) return "open";
    return {
      length: all.length + (parenthesis !== "" && isClosed ? 1 : 0),
      before: parenthesis !== "" && !isClosed ? `${space}(` : space,
      isImage: mark === "!",
      label,
      url,
    };
  }
  if (text.length > maxMarkerLength) return undefined;
  return /^ ?\(?!?\[([^\]\n]{0,300}(\](\([^\s]*)?)?)?$/.test(text) ? "open" : undefined;
}

/** The file is delivered beside the answer, so only its name stays. */
function sandboxLink(link: Link): Marker {
  const name = baseName(link.url);
  if (link.isImage) return { length: link.length, text: link.before };
  const label = link.label.includes(name) || name === "" ? link.label : `${link.label} (${name})`;
  return { length: link.length, text: `${link.before}${label}` };
}

function baseName(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** The earlier of two places in a text; -1 is nowhere. */
function earlier(one: number, other: number): number {
  if (one === -1 || other === -1) return Math.max(one, other);
  return Math.min(one, other);
}
