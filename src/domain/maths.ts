import { letterOf, symbolOf, toSubscript, toSuperscript } from "#domain/maths-symbols";

/**
 * Maths as a chat can show it: in Unicode where that says exactly the same (`x^2` is x², `\le` is
 * ≤), otherwise its source as code. Never raw: a chat would take its `_` and `*` for emphasis.
 *
 * @param source LaTeX without its delimiters.
 * @param place `block` for maths on lines of its own.
 */
export function drawMaths(source: string, place: "inline" | "block"): string {
  const unicode = toUnicodeMaths(source);
  if (unicode !== undefined && !isBlockMark.test(unicode)) return unicode;
  return place === "block" ? codeBlock(source) : inlineCode(source);
}

/** LaTeX in Unicode, or undefined where Unicode cannot say the same. */
function toUnicodeMaths(source: string): string | undefined {
  try {
    return source
      .split("\\\\")
      .map((row) => spell(new MathsReader(row).readAll()))
      .join("\n")
      .trim();
  } catch (error) {
    if (error instanceof Inexact) return undefined;
    throw error;
  }
}

/** Something Unicode has no exact form for. */
class Inexact extends Error {}

/** What at the begin of a line would make it a list, a heading or a quote. */
const isBlockMark = /^(?:[-+*#>=|]|\d+[.)])/m;

function codeBlock(source: string): string {
  const fence = "`".repeat(Math.max(3, longestTicks(source) + 1));
  return `${fence}latex\n${source}\n${fence}`;
}

function inlineCode(source: string): string {
  const fence = "`".repeat(longestTicks(source) + 1);
  const code = source.replaceAll(/\s+/g, " ");
  return fence.length > 1 ? `${fence} ${code} ${fence}` : `${fence}${code}${fence}`;
}

function longestTicks(source: string): number {
  return Math.max(0, ...Array.from(source.matchAll(/`+/g), ([ticks]) => ticks.length));
}

/**
 * How a piece behaves beside others, by TeX's classes; `compound` is several pieces that belong
 * together (a fraction a/b) and needs brackets where something would bind to a piece of it.
 */
type PieceClass =
  | "ordinary"
  | "compound"
  | "function"
  | "binary"
  | "relation"
  | "punctuation"
  | "open"
  | "close"
  | "space";

interface Piece {
  readonly class: PieceClass;
  readonly text: string;
}

class MathsReader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  readAll(): readonly Piece[] {
    const pieces = this.#readUntil("");
    if (this.#at < this.#source.length) throw new Inexact();
    return pieces;
  }

  #readUntil(end: string): readonly Piece[] {
    const pieces: Piece[] = [];
    for (;;) {
      this.#skipSpace();
      const char = this.#source.charAt(this.#at);
      if (char === end) return pieces;
      if (char === "" || char === "}") throw new Inexact();
      if (char === "^" || char === "_") pieces.push(this.#script(pieces.pop()));
      else pieces.push(...this.#next());
    }
  }

  /** The next piece, or the pieces of the next group. */
  #next(): readonly Piece[] {
    this.#skipSpace();
    const char = String.fromCodePoint(this.#source.codePointAt(this.#at) ?? 0);
    this.#at += char.length;
    if (char === "{") {
      const inner = this.#readUntil("}");
      this.#at++;
      return inner.length === 1 ? inner : [{ class: "compound", text: spell(inner) }];
    }
    if (char === "\\") return [this.#command()];
    return [characterPiece(char)];
  }

  #script(base: Piece | undefined): Piece {
    const isRaised = this.#source.charAt(this.#at++) === "^";
    const script = spell(this.#next()).replaceAll(" ", "");
    if (base === undefined) throw new Inexact();
    const text = isRaised ? toSuperscript(script) : toSubscript(script);
    if (text === undefined) throw new Inexact();
    const isWhole = base.class !== "compound";
    return {
      class: isWhole ? base.class : "ordinary",
      text: (isWhole ? base.text : `(${base.text})`) + text,
    };
  }

  #command(): Piece {
    const name = /^(?:[a-zA-Z]+|.)/su.exec(this.#source.slice(this.#at))?.[0] ?? "";
    this.#at += name.length;
    switch (name) {
      case "frac":
      case "dfrac":
      case "tfrac":
        return fraction(this.#argument(), this.#argument());
      case "sqrt":
        return this.#root();
      case "text":
      case "textrm":
      case "mathrm":
      case "operatorname":
        return this.#words(name);
      case "mathbb":
      case "hat":
      case "bar":
      case "overline":
      case "vec":
      case "dot":
      case "ddot":
      case "tilde":
        return this.#letter(name);
      case "left":
      case "right":
        return this.#bracket(name);
      default: {
        const symbol = symbolOf(name);
        if (symbol === undefined) throw new Inexact();
        return symbol;
      }
    }
  }

  #argument(): readonly Piece[] {
    return this.#next();
  }

  #root(): Piece {
    this.#skipSpace();
    const degree = /^\[\s*([^\]]*?)\s*\]/.exec(this.#source.slice(this.#at));
    this.#at += degree?.[0].length ?? 0;
    const sign = new Map([
      ["", "√"],
      ["2", "√"],
      ["3", "∛"],
      ["4", "∜"],
    ]).get(degree?.[1] ?? "");
    if (sign === undefined) throw new Inexact();
    const inner = this.#argument();
    const text = spell(inner);
    const isLetter = inner.every((piece) => piece.class === "ordinary") && isSingle(text);
    return { class: "ordinary", text: isLetter ? sign + text : `${sign}(${text})` };
  }

  #words(name: string): Piece {
    const argument = /^\s*\{([^{}\\$`*_]*)\}/.exec(this.#source.slice(this.#at));
    if (argument === null) throw new Inexact();
    this.#at += argument[0].length;
    const text = argument[1] ?? "";
    if (name === "operatorname") return { class: "function", text };
    return { class: "ordinary", text };
  }

  #letter(name: string): Piece {
    const letter = spell(this.#argument());
    const text = letterOf(name, letter);
    if (text === undefined) throw new Inexact();
    return { class: "ordinary", text };
  }

  #bracket(name: string): Piece {
    this.#skipSpace();
    const bracket = /^(?:[()[\]|]|\\[{}|]|\\l?r?angle)/.exec(this.#source.slice(this.#at))?.[0];
    if (bracket === undefined) throw new Inexact();
    this.#at += bracket.length;
    const piece = bracket.startsWith("\\") ? symbolOf(bracket.slice(1)) : characterPiece(bracket);
    if (piece === undefined) throw new Inexact();
    return { class: name === "left" ? "open" : "close", text: piece.text };
  }

  #skipSpace(): void {
    while (/\s/.test(this.#source.charAt(this.#at))) this.#at++;
  }
}

function characterPiece(char: string): Piece {
  if (/[\p{L}\p{N}.!/"]/u.test(char)) return { class: "ordinary", text: char };
  if (char === "'") return { class: "ordinary", text: "′" };
  if (char === "+") return { class: "binary", text: "+" };
  if (char === "-") return { class: "binary", text: "−" };
  if (char === "*") return { class: "binary", text: "∗" };
  if (/[=<>:]/.test(char)) return { class: "relation", text: char };
  if (/[,;]/.test(char)) return { class: "punctuation", text: char };
  if (/[([]/.test(char)) return { class: "open", text: char };
  if (/[)\]]/.test(char)) return { class: "close", text: char };
  // A plain bar would end a table's cell.
  if (char === "|") return { class: "ordinary", text: "∣" };
  if (char === "~") return { class: "space", text: " " };
  const symbol = /^[\p{Sm}\p{So}…]$/u.test(char);
  if (symbol) return { class: "binary", text: char };
  throw new Inexact();
}

const fractions = new Map([
  ["1/2", "½"],
  ["1/3", "⅓"],
  ["2/3", "⅔"],
  ["1/4", "¼"],
  ["3/4", "¾"],
  ["1/5", "⅕"],
  ["2/5", "⅖"],
  ["3/5", "⅗"],
  ["4/5", "⅘"],
  ["1/6", "⅙"],
  ["5/6", "⅚"],
  ["1/7", "⅐"],
  ["1/8", "⅛"],
  ["3/8", "⅜"],
  ["5/8", "⅝"],
  ["7/8", "⅞"],
  ["1/9", "⅑"],
  ["1/10", "⅒"],
]);

function fraction(above: readonly Piece[], below: readonly Piece[]): Piece {
  const text = `${operand(above)}/${operand(below)}`;
  return { class: "compound", text: fractions.get(text) ?? text };
}

/** One side of a fraction: in brackets unless it is one thing. */
function operand(pieces: readonly Piece[]): string {
  const text = spell(pieces);
  const isOne = pieces.length === 1 && pieces[0]?.class === "ordinary";
  return isOne || /^\d+$/.test(text) ? text : `(${text})`;
}

/** Writes pieces as TeX would space them. */
function spell(pieces: readonly Piece[]): string {
  let text = "";
  pieces.forEach((piece, index) => {
    const before = pieces[index - 1];
    const after = pieces[index + 1];
    text += spaceBetween(pieces[index - 2], before, piece);
    text +=
      piece.class === "compound" && (bindsTo(before) || bindsTo(after)) && needsBrackets(piece.text)
        ? `(${piece.text})`
        : piece.text;
  });
  return text;
}

function bindsTo(piece: Piece | undefined): boolean {
  if (piece === undefined) return false;
  return (
    ["ordinary", "compound", "open", "close", "function"].includes(piece.class) &&
    !/^[([{]$|^[)\]}]$/.test(piece.text)
  );
}

/** A fraction in one character, and a number or letter, bind as one. */
function needsBrackets(text: string): boolean {
  return /[/ +−=]/.test(text);
}

function spaceBetween(
  beforeLast: Piece | undefined,
  last: Piece | undefined,
  piece: Piece,
): string {
  if (last === undefined || last.class === "space" || piece.class === "space") return "";
  if (piece.class === "relation" || last.class === "relation") return " ";
  if (last.class === "punctuation") return " ";
  if (piece.class === "binary") return isOperand(last) ? " " : "";
  if (last.class === "binary") return isOperand(beforeLast) ? " " : "";
  if (last.class === "function") return piece.class === "open" ? "" : " ";
  if (piece.class === "function") return last.class === "open" ? "" : " ";
  return "";
}

/** Something a sign can stand behind and join with what follows: else it is a sign of its own. */
function isOperand(piece: Piece | undefined): boolean {
  return piece !== undefined && ["ordinary", "compound", "close", "function"].includes(piece.class);
}

function isSingle(text: string): boolean {
  return /^(?:\d+|\p{L}\p{M}*)$/u.test(text);
}
