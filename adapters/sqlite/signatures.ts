/** Keeps the best of many by their score; never holds more than twice as many as are wanted. */
export class Best {
  readonly #limit: number;
  #items: { readonly row: number; readonly score: number }[] = [];
  #floor = Number.NEGATIVE_INFINITY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(row: number, score: number): void {
    if (score <= this.#floor) return;
    this.#items.push({ row, score });
    if (this.#items.length >= 2 * this.#limit) this.#cut();
  }

  /** Best first; of equal ones the first that was added. */
  rows(): readonly number[] {
    this.#cut();
    return this.#items.map(({ row }) => row);
  }

  #cut(): void {
    this.#items = this.#items.sort((a, b) => b.score - a.score).slice(0, this.#limit);
    if (this.#items.length === this.#limit) this.#floor = this.#items.at(-1)?.score ?? this.#floor;
  }
}

/** What is left of a vector when each component is one bit: its sign. */
export interface Signature {
  /** Eight components a byte, the first in the lowest bit; set where it is above zero. */
  readonly signs: Uint8Array;
  /** Makes the product of a vector with the signs an estimate of the cosine. */
  readonly scale: number;
}

/** How many bytes the signs of so many components take: always whole words of four. */
export function signBytes(components: number): number {
  return Math.ceil(components / 32) * 4;
}

/** The signature of a vector, whatever its length is. */
export function signatureOf(components: Int8Array): Signature {
  const signs = new Uint8Array(signBytes(components.length));
  let sum = 0;
  let squares = 0;
  for (const [place, value] of components.entries()) {
    if (value > 0) signs[place >> 3] = (signs[place >> 3] ?? 0) | (1 << (place & 7));
    sum += Math.abs(value);
    squares += value * value;
  }
  return { signs, scale: sum === 0 ? 0 : Math.sqrt(squares) / sum };
}

/**
 * Ranks signatures by how near their vectors probably are to a query. Only the vectors lose anything:
 * the query keeps its components, and each sign counts as much as the query's component does. That and
 * the scale are the estimator of RaBitQ (Gao and Long, SIGMOD 2024), without its rotation.
 */
export class SignatureQuery {
  /** For each byte of signs, what each of its values adds. */
  readonly #sums: Float32Array;
  readonly #bytes: number;

  constructor(query: Float32Array) {
    this.#bytes = signBytes(query.length);
    this.#sums = new Float32Array(this.#bytes * 256);
    for (let byte = 0; byte < this.#bytes; byte += 1) {
      const eight = query.subarray(byte * 8, byte * 8 + 8);
      this.#sums[byte * 256] = -eight.reduce((sum, value) => sum + value, 0);
      for (let value = 1; value < 256; value += 1) {
        const lowest = value & -value;
        const without = this.#sums[byte * 256 + (value ^ lowest)] ?? 0;
        this.#sums[byte * 256 + value] = without + 2 * (eight[31 - Math.clz32(lowest)] ?? 0);
      }
    }
  }

  /** Signatures one after the other, each of as many bytes as the query's; scores of the same order. */
  scores(signs: Uint8Array, scales: Float32Array): Float32Array {
    const sums = this.#sums;
    const bytes = this.#bytes;
    const scores = new Float32Array(scales.length);
    for (let at = 0; at < scores.length; at += 1) {
      const from = at * bytes;
      // Four sums that do not wait for each other: this is most of what a search costs.
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let byte = 0; byte < bytes; byte += 4) {
        const of = byte * 256;
        a += sums[of + (signs[from + byte] ?? 0)] ?? 0;
        b += sums[of + 256 + (signs[from + byte + 1] ?? 0)] ?? 0;
        c += sums[of + 512 + (signs[from + byte + 2] ?? 0)] ?? 0;
        d += sums[of + 768 + (signs[from + byte + 3] ?? 0)] ?? 0;
      }
      scores[at] = (a + b + c + d) * (scales[at] ?? 0);
    }
    return scores;
  }
}
