/** Something inside a paragraph that must not be cut: `from` inclusive, `to` exclusive. */
export interface Atom {
  readonly type: "code" | "link" | "angle" | "maths" | "address";
  readonly from: number;
  readonly to: number;
}

/** Emphasis that is still open: where its marker stands and what it is. */
export interface OpenEmphasis {
  readonly at: number;
  readonly marker: string;
}

/** What stands inside a piece of text. */
export interface Inline {
  /** In order, none inside another. */
  readonly atoms: readonly Atom[];
  /** Where the first thing begins that later text may still make an atom; `to` if there is none. */
  readonly openAt: number;
  /** Where the next such thing begins, inside the first. */
  readonly nextOpenAt: number;
  /** Where the last marks begin if they are the end of the text: what follows may change them. */
  readonly unsureAt: number;
  /** The backticks of a code span that begins at `openAt`, else empty. */
  readonly openCode: string;
  /** Emphasised ranges, markers included; they may nest. Better not cut, but they can be. */
  readonly emphasis: readonly { readonly from: number; readonly to: number }[];
  readonly openEmphasis: readonly OpenEmphasis[];
}

/**
 * Finds what must not be cut in the paragraph text `[from, to)`: code spans, links and images,
 * `<...>`, maths, web addresses. Reads nothing beyond `to`: what may go on there is open.
 */
export function scanInline(text: string, from: number, to: number): Inline {
  return new InlineScanner(text, from, to).scan();
}

interface Bracket {
  readonly at: number;
  readonly atoms: number;
}

interface Emphasis {
  readonly at: number;
  readonly char: string;
  length: number;
}

class InlineScanner {
  readonly #text: string;
  readonly #from: number;
  readonly #to: number;
  #at: number;
  #atoms: Atom[] = [];
  #openAt: number;
  #nextOpenAt: number;
  #openCode = "";
  #unsureAt: number;
  readonly #brackets: Bracket[] = [];
  readonly #openEmphasis: Emphasis[] = [];
  readonly #emphasis: { from: number; to: number }[] = [];
  /** Marks that were looked for up to the end in vain: not looked for again. */
  readonly #absent = new Set<string>();

  constructor(text: string, from: number, to: number) {
    this.#text = text;
    this.#from = from;
    this.#to = to;
    this.#at = from;
    this.#openAt = to;
    this.#nextOpenAt = to;
    this.#unsureAt = to;
  }

  scan(): Inline {
    while (this.#at < this.#to) this.#at = this.#afterNext();
    for (const bracket of this.#brackets) this.#open(bracket.at);
    return {
      atoms: this.#atoms,
      openAt: this.#openAt,
      nextOpenAt: this.#nextOpenAt,
      unsureAt: this.#unsureAt,
      openCode: this.#openCode,
      emphasis: this.#emphasis,
      openEmphasis: this.#openEmphasis.map(({ at, char, length }) => ({
        at,
        marker: char.repeat(length),
      })),
    };
  }

  /** Takes note of what stands at the current place; gives the place after it. */
  #afterNext(): number {
    switch (this.#text.charAt(this.#at)) {
      case "\\":
        return this.#backslash();
      case "`":
        return this.#code();
      case "$":
        return this.#dollars();
      case "<":
        return this.#angle();
      case "!":
        return this.#bang();
      case "[":
        return this.#openBracket(1);
      case "]":
        return this.#closeBracket();
      case "*":
      case "_":
      case "~":
        return this.#emphasise();
      case "h":
        return this.#address();
      default:
        return this.#at + 1;
    }
  }

  #backslash(): number {
    const next = this.#peek(1);
    if (next === "") this.#open(this.#at);
    if (next === "(") return this.#delimited("\\)");
    if (next === "[") return this.#delimited("\\]");
    return this.#at + 2;
  }

  #dollars(): number {
    if (this.#peek(1) === "$") return this.#delimited("$$");
    if (this.#peek(1) === "") this.#open(this.#at);
    return this.#at + 1;
  }

  /** Maths with a two-character opener, up to the first `close`. */
  #delimited(close: string): number {
    const end = this.#find(close, this.#at + 2);
    if (end !== -1) return this.#atom("maths", end + 2);
    this.#open(this.#at);
    return this.#at + 2;
  }

  #code(): number {
    const ticks = this.#run("`");
    const end = this.#closingTicks(ticks);
    if (end === -1) {
      if (this.#open(this.#at)) this.#openCode = ticks;
      return this.#at + ticks.length;
    }
    // A closing run at the very end may still grow and then closes nothing.
    if (end === this.#to) this.#open(this.#at);
    return this.#atom("code", end);
  }

  #closingTicks(ticks: string): number {
    if (this.#absent.has(ticks)) return -1;
    for (let i = this.#at + ticks.length; i < this.#to; i++) {
      if (this.#text.charAt(i) !== "`") continue;
      let end = i;
      while (end < this.#to && this.#text.charAt(end) === "`") end++;
      if (end - i === ticks.length) return end;
      i = end;
    }
    this.#absent.add(ticks);
    return -1;
  }

  #angle(): number {
    const next = this.#peek(1);
    if (next !== "" && !/[a-z/!?@#:]/i.test(next)) return this.#at + 1;
    for (let i = this.#at + 1; i < this.#to; i++) {
      const char = this.#text.charAt(i);
      if (char === ">") return this.#atom("angle", i + 1);
      if (char === "<" || char === "\n") return this.#at + 1;
    }
    this.#open(this.#at);
    return this.#at + 1;
  }

  #bang(): number {
    const next = this.#peek(1);
    if (next === "[") return this.#openBracket(2);
    if (next === "") this.#open(this.#at);
    return this.#at + 1;
  }

  #openBracket(length: number): number {
    this.#brackets.push({ at: this.#at, atoms: this.#atoms.length });
    return this.#at + length;
  }

  #closeBracket(): number {
    const bracket = this.#brackets.pop();
    const after = this.#at + 1;
    if (bracket === undefined) return after;
    const next = this.#peek(1);
    if (next === "") this.#open(bracket.at);
    const end = next === "(" ? this.#closingParenthesis(after) : after;
    if (end === -1) {
      this.#open(bracket.at);
      return after;
    }
    this.#atoms.length = bracket.atoms;
    this.#at = bracket.at;
    return this.#atom("link", end);
  }

  /** Past the `)` that ends a link's target, `from` if it is none, -1 if it is still open. */
  #closingParenthesis(from: number): number {
    let depth = 0;
    for (let i = from; i < this.#to; i++) {
      const char = this.#text.charAt(i);
      if (char === "\\") i++;
      else if (char === "\n") return from;
      else if (char === "(") depth++;
      else if (char === ")" && --depth === 0) return i + 1;
    }
    return -1;
  }

  #address(): number {
    const start = this.#text.slice(this.#at, Math.min(this.#to, this.#at + 8));
    if (/\w/.test(this.#peek(-1))) return this.#at + 1;
    if (!/^https?:\/\//.test(start)) {
      const isCut = this.#at + start.length === this.#to;
      const mayBecome = ["http://", "https://"].some((scheme) => scheme.startsWith(start));
      if (isCut && mayBecome) this.#open(this.#at);
      return this.#at + 1;
    }
    let end = this.#at;
    while (end < this.#to && !/[\s<>)\]]/.test(this.#text.charAt(end))) end++;
    if (end === this.#to) this.#open(this.#at);
    while (/[?!.,:;*_~'"]/.test(this.#text.charAt(end - 1))) end--;
    return this.#atom("address", end);
  }

  #emphasise(): number {
    const char = this.#text.charAt(this.#at);
    const run = this.#run(char);
    const end = this.#at + run.length;
    if (end === this.#to) this.#unsureAt = this.#at;
    const before = this.#peek(-1);
    const after = this.#peek(run.length);
    const inWord = char === "_" && isLetter(before) && isLetter(after);
    const canClose = before !== "" && !/\s/.test(before) && !inWord;
    if (char === "~" && run.length !== 2) return end;
    const canOpen = !/\s/.test(after) && !inWord;
    const left = canClose ? this.#closeEmphasis(char, run.length) : run.length;
    if (canOpen && left > 0) this.#openEmphasis.push({ at: end - left, char, length: left });
    return end;
  }

  /** Ends what such a run can end; gives how much of the run is left. */
  #closeEmphasis(char: string, length: number): number {
    let left = length;
    while (left > 0) {
      const index = this.#openEmphasis.findLastIndex((open) => open.char === char);
      const open = this.#openEmphasis[index];
      if (open === undefined) return left;
      const used = Math.min(open.length, left);
      left -= used;
      open.length -= used;
      this.#emphasis.push({ from: open.at, to: this.#at + length - left });
      this.#openEmphasis.length = open.length > 0 ? index + 1 : index;
    }
    return 0;
  }

  #atom(type: Atom["type"], to: number): number {
    this.#atoms.push({ type, from: this.#at, to });
    return to;
  }

  /** Notes that something may begin there; true if nothing before it is open. */
  #open(at: number): boolean {
    const isFirst = at < this.#openAt;
    if (isFirst) {
      this.#nextOpenAt = this.#openAt;
      this.#openAt = at;
      this.#openCode = "";
    } else if (at > this.#openAt) {
      this.#nextOpenAt = Math.min(this.#nextOpenAt, at);
    }
    return isFirst;
  }

  #find(mark: string, from: number): number {
    if (this.#absent.has(mark)) return -1;
    const at = this.#text.indexOf(mark, from);
    if (at !== -1 && at + mark.length <= this.#to) return at;
    this.#absent.add(mark);
    return -1;
  }

  #run(char: string): string {
    let end = this.#at;
    while (end < this.#to && this.#text.charAt(end) === char) end++;
    return this.#text.slice(this.#at, end);
  }

  /** The character so far away, or nothing outside the range. */
  #peek(distance: number): string {
    const at = this.#at + distance;
    return at >= this.#from && at < this.#to ? this.#text.charAt(at) : "";
  }
}

function isLetter(char: string): boolean {
  return /[\p{L}\p{N}]/u.test(char);
}
