/** What became of an expression. `problem` is words for who wrote it, with the place where it went wrong. */
export type Calculation =
  | {
      readonly ok: true;
      /** A decimal number, never rounded when `exact`. */
      readonly value: string;
      readonly exact: boolean;
      /** The exact result where the decimal is not: `1/3`. */
      readonly fraction?: string;
    }
  | { readonly ok: false; readonly problem: string };

/** Longest expression that is read, in characters. */
export const maxExpressionLength = 1_000;

/** Results (and steps towards them) have at most this many binary digits, about 2,400 decimal ones: that bounds the time, too. */
const maxBits = 8_000;
const maxDepth = 100;
/** Significant digits shown where the exact decimal never ends. */
const shownDigits = 20;

/**
 * Calculates an expression: `(1.10 + 2.20) * 3`, `2^200`, `15% of 80`, `round(10/3, 2)`, `sqrt(2)`.
 *
 * Numbers are exact fractions, so that `0.1 + 0.2` is `0.3` and no digit of a large integer is lost;
 * only roots, logarithms and the like fall back to double precision, and say so (`exact: false`).
 * Never throws. Functions: see {@link arithmeticFunctions}; constants: pi, tau, e.
 */
export function calculate(expression: string): Calculation {
  if (expression.length > maxExpressionLength) {
    return {
      ok: false,
      problem: `The expression has ${expression.length} characters; at most ${maxExpressionLength} are read.`,
    };
  }
  try {
    return shown(new Parser(tokensOf(expression)).read());
  } catch (error) {
    if (error instanceof Problem) return { ok: false, problem: error.message };
    throw error;
  }
}

/** An exact number, for sums that must not drift. The denominator is positive, the fraction reduced. */
export interface Fraction {
  readonly n: bigint;
  readonly d: bigint;
}

/** Reads a plain decimal number (`-12.50`, `1e3`); undefined for anything else. */
export function toFraction(text: string): Fraction | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, whole = "", part = "", exponent = "0"] = match;
  if (whole + part === "") return undefined;
  const digits = BigInt(whole + part) * (sign === "-" ? -1n : 1n);
  const shift = Number(exponent) - part.length;
  return shift >= 0
    ? { n: digits * 10n ** BigInt(shift), d: 1n }
    : reduced(digits, 10n ** BigInt(-shift));
}

export function addFractions(a: Fraction, b: Fraction): Fraction {
  return reduced(a.n * b.d + b.n * a.d, a.d * b.d);
}

export function divideFractions(a: Fraction, b: Fraction): Fraction {
  return reduced(a.n * b.d, a.d * b.n);
}

/** Negative, zero or positive, as a sort wants it. */
export function compareFractions(a: Fraction, b: Fraction): number {
  const difference = a.n * b.d - b.n * a.d;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The decimal of a fraction: all digits where it ends, 20 significant ones where it does not. */
export function showFraction(value: Fraction): string {
  return exactDecimal(value) ?? significant(value, shownDigits);
}

type Value = Fraction | number;

class Problem extends Error {}

type Token =
  | { readonly type: "number"; readonly at: number; readonly value: Fraction }
  | { readonly type: "name"; readonly at: number; readonly text: string }
  | { readonly type: "sign"; readonly at: number; readonly text: string }
  | { readonly type: "end"; readonly at: number; readonly text: "" };

const aliases: { readonly [sign: string]: string } = {
  "×": "*",
  "·": "*",
  "÷": "/",
  "−": "-",
  "–": "-",
  "**": "^",
};

function tokensOf(expression: string): readonly Token[] {
  const tokens: Token[] = [];
  const pattern =
    /\s+|((?:\d[\d_]*)?\.?\d[\d_]*\.?(?:[eE][+-]?\d+)?)|([a-zA-Zπ][a-zA-Z0-9]*)|(\*\*|[-+*/^%!(),×·÷−–=])/gu;
  let at = 0;
  while (at < expression.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(expression);
    if (!match || match.index !== at) {
      const seen = String.fromCodePoint(expression.codePointAt(at) ?? 0);
      throw new Problem(`I cannot read \`${seen}\` at position ${at + 1}.`);
    }
    const [whole, number, name, sign] = match;
    if (number !== undefined) {
      const value = toFraction(number.replaceAll("_", ""));
      if (!value) throw new Problem(`\`${number}\` at position ${at + 1} is not a number.`);
      tokens.push({ type: "number", at, value: bounded(value) });
    } else if (name !== undefined) {
      tokens.push({ type: "name", at, text: name === "π" ? "pi" : name.toLowerCase() });
    } else if (sign !== undefined) {
      // `2 + 2 =` is how people write it; anywhere else an equation is not an expression.
      const isLast = expression.slice(at + 1).trim() === "";
      if (sign !== "=" || !isLast) tokens.push({ type: "sign", at, text: aliases[sign] ?? sign });
    }
    at += whole.length;
  }
  tokens.push({ type: "end", at, text: "" });
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  read(): Value {
    if (this.#peek().type === "end") throw new Problem("The expression is empty.");
    const value = this.#sum();
    const rest = this.#peek();
    if (rest.type !== "end") throw this.#unexpected(rest);
    return value;
  }

  #sum(): Value {
    let left = this.#product();
    for (;;) {
      if (this.#take("+")) left = add(left, this.#product());
      else if (this.#take("-")) left = add(left, negate(this.#product()));
      else return left;
    }
  }

  #product(): Value {
    let left = this.#unary();
    for (;;) {
      if (this.#take("*") || this.#takeName("of")) left = multiply(left, this.#unary());
      else if (this.#take("/")) left = divide(left, this.#unary());
      else if (this.#takeName("mod") || this.#takeModulo()) left = modulo(left, this.#unary());
      else return left;
    }
  }

  #unary(): Value {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new Problem(`It is nested deeper than ${maxDepth} levels.`);
    try {
      if (this.#take("-")) return negate(this.#unary());
      if (this.#take("+")) return this.#unary();
      return this.#power();
    } finally {
      this.#depth -= 1;
    }
  }

  #power(): Value {
    const base = this.#postfix();
    // To the right, and binding tighter than a sign before it: -2^2 is -4, 2^3^2 is 512.
    return this.#take("^") ? power(base, this.#unary()) : base;
  }

  #postfix(): Value {
    let value = this.#primary();
    for (;;) {
      if (this.#take("!")) value = factorial(value);
      else if (this.#isPercent() && this.#take("%")) value = divide(value, whole(100n));
      else return value;
    }
  }

  #primary(): Value {
    const token = this.#peek();
    this.#next += 1;
    if (token.type === "number") return token.value;
    if (token.type === "name") return this.#named(token);
    if (token.type === "sign" && token.text === "(") {
      const value = this.#sum();
      this.#expect(")");
      return value;
    }
    throw this.#unexpected(token);
  }

  #named(token: Token & { readonly type: "name" }): Value {
    const constant = constants.get(token.text);
    if (constant !== undefined) return constant;
    const apply = functions.get(token.text);
    if (!apply) {
      throw new Problem(
        `I do not know \`${token.text}\` at position ${token.at + 1}. Known: ${arithmeticFunctions.join(", ")}, ${[...constants.keys()].join(", ")}.`,
      );
    }
    this.#expect("(");
    const values: Value[] = [];
    if (!this.#take(")")) {
      do values.push(this.#sum());
      while (this.#take(","));
      this.#expect(")");
    }
    if (values.length < apply.min || values.length > apply.max) {
      throw new Problem(`\`${token.text}\` takes ${countOf(apply)}, not ${values.length}.`);
    }
    return apply.run(values);
  }

  /** `%` is a percent sign, except where an operand follows: `7 % 3` is a remainder. */
  #isPercent(): boolean {
    const after = this.#tokens[this.#next + 1];
    if (!after) return true;
    if (after.type === "number") return false;
    if (after.type === "name") return after.text === "of" || after.text === "mod";
    return after.text !== "(";
  }

  #takeModulo(): boolean {
    return !this.#isPercent() && this.#take("%");
  }

  #take(sign: string): boolean {
    const token = this.#peek();
    if (token.type !== "sign" || token.text !== sign) return false;
    this.#next += 1;
    return true;
  }

  #takeName(name: string): boolean {
    const token = this.#peek();
    if (token.type !== "name" || token.text !== name) return false;
    this.#next += 1;
    return true;
  }

  #expect(sign: string): void {
    if (this.#take(sign)) return;
    const token = this.#peek();
    if (token.type === "end") throw new Problem(`A \`${sign}\` is missing at the end.`);
    throw this.#unexpected(token);
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { type: "end", at: 0, text: "" };
  }

  #unexpected(token: Token): Problem {
    if (token.type === "end") return new Problem("The expression ends too early.");
    const seen = token.type === "number" ? showFraction(token.value) : token.text;
    return new Problem(`I did not expect \`${seen}\` at position ${token.at + 1}.`);
  }
}

interface ArithmeticFunction {
  readonly min: number;
  readonly max: number;
  readonly run: (values: readonly Value[]) => Value;
}

const constants: ReadonlyMap<string, Value> = new Map([
  ["pi", Math.PI],
  ["tau", Math.PI * 2],
  ["e", Math.E],
]);

const functions: ReadonlyMap<string, ArithmeticFunction> = new Map([
  ["abs", one((x) => (isNegative(x) ? negate(x) : x))],
  ["sqrt", one((x) => root(x, 2n))],
  ["cbrt", one((x) => root(x, 3n))],
  [
    "root",
    { min: 2, max: 2, run: ([x = zero, n = zero]) => root(x, integer(n, "a root's degree")) },
  ],
  ["round", { min: 1, max: 2, run: ([x = zero, places = zero]) => round(x, places) }],
  ["floor", one((x) => toWhole(x, floorOf, Math.floor))],
  ["ceil", one((x) => toWhole(x, (f) => -floorOf({ n: -f.n, d: f.d }), Math.ceil))],
  ["trunc", one((x) => toWhole(x, (f) => f.n / f.d, Math.trunc))],
  ["min", many((values) => values.reduce((a, b) => (compare(a, b) <= 0 ? a : b)))],
  ["max", many((values) => values.reduce((a, b) => (compare(a, b) >= 0 ? a : b)))],
  ["sum", many((values) => values.reduce(add))],
  ["mean", many((values) => divide(values.reduce(add), whole(BigInt(values.length))))],
  ["median", many(median)],
  ["gcd", many((values) => values.map((v) => integer(v, "gcd")).reduce(gcd))],
  ["lcm", many((values) => values.map((v) => integer(v, "lcm")).reduce(lcm))],
  ["factorial", one(factorial)],
  ["exp", one((x) => finite(Math.exp(toNumber(x))))],
  ["ln", one((x) => logarithm(x))],
  ["log", { min: 1, max: 2, run: ([x = zero, base = whole(10n)]) => logarithm(x, base) }],
  ["log2", one((x) => logarithm(x, whole(2n)))],
  ["sin", one((x) => finite(Math.sin(toNumber(x))))],
  ["cos", one((x) => finite(Math.cos(toNumber(x))))],
  ["tan", one((x) => finite(Math.tan(toNumber(x))))],
  ["asin", one((x) => finite(Math.asin(toNumber(x))))],
  ["acos", one((x) => finite(Math.acos(toNumber(x))))],
  ["atan", one((x) => finite(Math.atan(toNumber(x))))],
  ["degrees", one((x) => finite((toNumber(x) * 180) / Math.PI))],
  ["radians", one((x) => finite((toNumber(x) * Math.PI) / 180))],
]);

/** The names of the functions an expression may use. */
export const arithmeticFunctions: readonly string[] = [...functions.keys()];

const zero: Fraction = { n: 0n, d: 1n };

function one(run: (x: Value) => Value): ArithmeticFunction {
  return { min: 1, max: 1, run: ([x = zero]) => run(x) };
}

function many(run: (values: readonly Value[]) => Value | bigint): ArithmeticFunction {
  return {
    min: 1,
    max: 1_000,
    run: (values) => {
      const value = run(values);
      return typeof value === "bigint" ? whole(value) : value;
    },
  };
}

function countOf({ min, max }: ArithmeticFunction): string {
  if (min === max) return min === 1 ? "one value" : `${min} values`;
  return max >= 1_000 ? "at least one value" : `${min} to ${max} values`;
}

function whole(n: bigint): Fraction {
  return { n, d: 1n };
}

function add(a: Value, b: Value): Value {
  if (typeof a === "number" || typeof b === "number") return finite(toNumber(a) + toNumber(b));
  return bounded(addFractions(a, b));
}

function negate(a: Value): Value {
  return typeof a === "number" ? -a : { n: -a.n, d: a.d };
}

function multiply(a: Value, b: Value): Value {
  if (typeof a === "number" || typeof b === "number") return finite(toNumber(a) * toNumber(b));
  return bounded(reduced(a.n * b.n, a.d * b.d));
}

function divide(a: Value, b: Value): Value {
  if (isZero(b)) throw new Problem("A division by zero has no result.");
  if (typeof a === "number" || typeof b === "number") return finite(toNumber(a) / toNumber(b));
  return bounded(divideFractions(a, b));
}

/** The remainder has the divisor's sign, as in mathematics: -7 mod 3 is 2. */
function modulo(a: Value, b: Value): Value {
  const quotient = divide(a, b);
  const floor =
    typeof quotient === "number" ? finite(Math.floor(quotient)) : whole(floorOf(quotient));
  return add(a, negate(multiply(b, floor)));
}

function power(base: Value, exponent: Value): Value {
  if (typeof base === "number" || typeof exponent === "number") {
    return finite(toNumber(base) ** toNumber(exponent));
  }
  if (exponent.d !== 1n) return power(root(base, exponent.d), whole(exponent.n));
  const times = exponent.n < 0n ? -exponent.n : exponent.n;
  if (exponent.n < 0n && base.n === 0n) throw new Problem("A division by zero has no result.");
  const isUnit = base.d === 1n && base.n >= -1n && base.n <= 1n;
  if (!isUnit && times * BigInt(Math.max(bits(base.n), bits(base.d)) - 1) > BigInt(maxBits)) {
    throw tooLarge();
  }
  // 1, 0 and -1 stay small whatever the exponent, but BigInt would refuse to be given a huge one.
  const count = isUnit ? times % 2n || (times === 0n ? 0n : 2n) : times;
  const raised = { n: base.n ** count, d: base.d ** count };
  return bounded(exponent.n < 0n ? reduced(raised.d, raised.n) : raised);
}

function root(x: Value, degree: bigint): Value {
  if (degree < 1n || degree > 1_000n) {
    throw new Problem(`A root's degree is a whole number from 1 to 1000, not ${degree}.`);
  }
  if (isNegative(x)) {
    if (degree % 2n === 0n) throw new Problem("An even root of a negative number is not real.");
    return negate(root(negate(x), degree));
  }
  if (typeof x !== "number") {
    const n = integerRoot(x.n, degree);
    const d = integerRoot(x.d, degree);
    if (n ** degree === x.n && d ** degree === x.d) return { n, d };
  }
  const value = toNumber(x);
  return finite(degree === 2n ? Math.sqrt(value) : value ** (1 / Number(degree)));
}

/** The largest integer whose power is not above x, by Newton's method. */
function integerRoot(x: bigint, degree: bigint): bigint {
  if (x < 2n) return x;
  let guess = 1n << (BigInt(bits(x)) / degree + 1n);
  for (;;) {
    const next = ((degree - 1n) * guess + x / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}

function factorial(x: Value): Value {
  const n = integer(x, "a factorial");
  if (n < 0n || n > 900n) {
    throw new Problem(`A factorial is taken of whole numbers from 0 to 900, not of ${n}.`);
  }
  let product = 1n;
  for (let i = 2n; i <= n; i++) product *= i;
  return bounded(whole(product));
}

function round(x: Value, places: Value): Value {
  const count = integer(places, "the number of places");
  if (count < -1_000n || count > 1_000n) {
    throw new Problem(`Numbers are rounded to at most 1000 places, not ${count}.`);
  }
  const exact = typeof x === "number" ? toFraction(String(x)) : x;
  if (!exact) throw tooLarge();
  const scale = 10n ** (count < 0n ? -count : count);
  const scaled = count < 0n ? reduced(exact.n, exact.d * scale) : reduced(exact.n * scale, exact.d);
  // Half away from zero, as people round.
  const magnitude = { n: (scaled.n < 0n ? -scaled.n : scaled.n) * 2n + scaled.d, d: scaled.d * 2n };
  const rounded = floorOf(magnitude) * (scaled.n < 0n ? -1n : 1n);
  return count < 0n ? whole(rounded * scale) : reduced(rounded, scale);
}

function toWhole(x: Value, exact: (f: Fraction) => bigint, inexact: (x: number) => number): Value {
  return typeof x === "number" ? finite(inexact(x)) : whole(exact(x));
}

function median(values: readonly Value[]): Value {
  const sorted = [...values].sort(compare);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? zero;
  return sorted.length % 2 ? high : divide(add(sorted[middle - 1] ?? zero, high), whole(2n));
}

function logarithm(x: Value, base?: Value): Value {
  if (isNegative(x) || isZero(x)) throw new Problem("A logarithm needs a number above zero.");
  if (!base) return finite(Math.log(toNumber(x)));
  if (isNegative(base) || isZero(base) || compare(base, whole(1n)) === 0) {
    throw new Problem("A logarithm's base is a number above zero that is not one.");
  }
  const approximate = finite(Math.log(toNumber(x)) / Math.log(toNumber(base)));
  // log(1000) is 3, not 2.9999999999999996.
  const near = whole(BigInt(Math.round(approximate)));
  const isSmall = Math.abs(approximate) < 1_000;
  if (isSmall && typeof x !== "number" && typeof base !== "number") {
    const raised = power(base, near);
    if (typeof raised !== "number" && compareFractions(raised, x) === 0) return near;
  }
  return approximate;
}

function integer(x: Value, of: string): bigint {
  if (typeof x === "number" ? !Number.isInteger(x) : x.d !== 1n) {
    throw new Problem(
      `${of} needs whole numbers, not ${typeof x === "number" ? x : showFraction(x)}.`,
    );
  }
  return typeof x === "number" ? BigInt(x) : x.n;
}

function compare(a: Value, b: Value): number {
  if (typeof a === "number" || typeof b === "number") return toNumber(a) - toNumber(b);
  return compareFractions(a, b);
}

function isNegative(x: Value): boolean {
  return typeof x === "number" ? x < 0 : x.n < 0n;
}

function isZero(x: Value): boolean {
  return typeof x === "number" ? x === 0 : x.n === 0n;
}

function toNumber(x: Value): number {
  return typeof x === "number" ? x : finite(Number(significant(x, 25)));
}

function finite(x: number): number {
  if (Number.isNaN(x)) throw new Problem("There is no real result.");
  if (!Number.isFinite(x)) throw tooLarge();
  return x;
}

function bounded(x: Fraction): Fraction {
  if (bits(x.n) > maxBits || bits(x.d) > maxBits) throw tooLarge();
  return x;
}

function tooLarge(): Problem {
  return new Problem("The result is too large to be written out.");
}

function bits(x: bigint): number {
  return (x < 0n ? -x : x).toString(16).length * 4;
}

function reduced(n: bigint, d: bigint): Fraction {
  const divisor = gcd(n, d) * (d < 0n ? -1n : 1n);
  return { n: n / divisor, d: d / divisor };
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y) [x, y] = [y, x % y];
  return x;
}

function lcm(a: bigint, b: bigint): bigint {
  if (a === 0n || b === 0n) return 0n;
  const product = (a / gcd(a, b)) * b;
  return product < 0n ? -product : product;
}

function floorOf({ n, d }: Fraction): bigint {
  return n >= 0n || n % d === 0n ? n / d : n / d - 1n;
}

function shown(value: Value): Calculation {
  if (typeof value === "number") {
    const text = String(Number(value.toPrecision(15)));
    return { ok: true, value: text === "-0" ? "0" : text, exact: false };
  }
  const exact = exactDecimal(value);
  if (exact !== undefined) return { ok: true, value: exact, exact: true };
  const fraction = `${value.n}/${value.d}`;
  const rounded = { ok: true, value: significant(value, shownDigits), exact: false } as const;
  return fraction.length <= 60 ? { ...rounded, fraction } : rounded;
}

/** All digits, when the decimal ends and is of a length somebody would read. */
function exactDecimal({ n, d }: Fraction): string | undefined {
  let rest = d;
  let twos = 0;
  let fives = 0;
  for (; rest % 2n === 0n; rest /= 2n) twos += 1;
  for (; rest % 5n === 0n; rest /= 5n) fives += 1;
  const places = Math.max(twos, fives);
  if (rest !== 1n || places > 1_000) return undefined;
  const digits = ((n < 0n ? -n : n) * 10n ** BigInt(places)) / d;
  const padded = digits.toString().padStart(places + 1, "0");
  const cut = padded.length - places;
  const text = places ? `${padded.slice(0, cut)}.${padded.slice(cut)}` : padded;
  return n < 0n ? `-${text}` : text;
}

/** Rounded (half away from zero) to a number of significant digits. */
function significant({ n, d }: Fraction, count: number): string {
  if (n === 0n) return "0";
  const magnitude = n < 0n ? -n : n;
  // One or two digits more than asked for, then cut to size.
  const shift = count + 1 - (magnitude.toString().length - d.toString().length);
  const scaled =
    shift >= 0 ? (magnitude * 10n ** BigInt(shift)) / d : magnitude / (d * 10n ** BigInt(-shift));
  const raw = scaled.toString();
  const surplus = raw.length - count;
  const rounded = surplus > 0 ? (scaled / 10n ** BigInt(surplus - 1) + 5n) / 10n : scaled;
  let digits = rounded.toString();
  let exponent = Math.max(surplus, 0) - shift + digits.length - 1;
  digits = digits.replace(/0+$/, "") || "0";
  const sign = n < 0n ? "-" : "";
  if (exponent < -7 || exponent >= 30) {
    const rest = digits.slice(1);
    return `${sign}${digits[0]}${rest && `.${rest}`}e${exponent < 0 ? "" : "+"}${exponent}`;
  }
  if (exponent < 0) {
    digits = digits.padStart(digits.length - exponent, "0");
    exponent = 0;
  }
  const head = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const tail = digits.slice(exponent + 1);
  return `${sign}${head}${tail && `.${tail}`}`;
}
