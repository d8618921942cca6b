import { numbers } from "./random.ts";

/** Directions that matter, the first the most; in all others vectors differ little. */
const directions = 48;
const fields = 20;

/**
 * Vectors of length one that look like those a model makes of texts: subjects in fields, passages in
 * subjects, and all of them to one side. The same ones in every run.
 */
export class Embeddings {
  readonly #components: number;
  readonly #scratch: Float32Array;
  readonly #random = numbers(7);
  readonly #axes: readonly Float32Array[];
  readonly #side: Float32Array;
  readonly #subjects: readonly Float32Array[];

  /** `side` is how far they all lie to one side: with 0.4 the mean cosine of two is about 0.1, with 1.6 about 0.65. */
  constructor(shape: { components: number; subjects: number; side: number }) {
    this.#components = shape.components;
    this.#scratch = new Float32Array(shape.components);
    const nothing = () => new Float32Array(this.#components);
    this.#axes = Array.from({ length: directions }, (_, at) =>
      add(nothing(), this.#any(), (at + 1) ** -0.4),
    );
    this.#side = add(nothing(), this.#any(), shape.side);
    const centres = Array.from({ length: fields }, () => add(nothing(), this.#meaning(), 0.8));
    this.#subjects = Array.from({ length: shape.subjects }, (_, at) =>
      add(add(nothing(), this.#meaning(), 0.6), centres[at % fields] ?? nothing(), 1),
    );
  }

  /** One of a passage about this subject. */
  passage(subject: number): Float32Array {
    return this.#about(subject, 0.6);
  }

  /** One of a question about any subject. */
  question(): Float32Array {
    return this.#about(Math.floor(this.#random() * this.#subjects.length), 0.9);
  }

  /** The one thing that is left for the garbage collector is what is given out. */
  #about(subject: number, spread: number): Float32Array {
    const vector = new Float32Array(this.#components);
    add(vector, this.#meaning(), spread);
    add(vector, this.#any(), 0.25);
    add(vector, this.#subjects[subject] ?? vector, 1);
    return toUnit(add(vector, this.#side, 1));
  }

  /** Good until the next one is asked for. */
  #meaning(): Float32Array {
    const vector = this.#scratch.fill(0);
    for (const axis of this.#axes) add(vector, axis, this.#normal());
    return toUnit(vector);
  }

  /** Good until the next one is asked for. */
  #any(): Float32Array {
    const vector = this.#scratch;
    for (let at = 0; at < vector.length; at += 1) vector[at] = this.#normal();
    return toUnit(vector);
  }

  /** Around zero, most within one (Box and Muller). */
  #normal(): number {
    const far = Math.sqrt(-2 * Math.log(1 - this.#random()));
    return far * Math.cos(2 * Math.PI * this.#random());
  }
}

/** The cosine of two vectors of length one. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let product = 0;
  for (let at = 0; at < a.length; at += 1) product += (a[at] ?? 0) * (b[at] ?? 0);
  return product;
}

function add(to: Float32Array, vector: Float32Array, much: number): Float32Array {
  for (let at = 0; at < to.length; at += 1) to[at] = (to[at] ?? 0) + (vector[at] ?? 0) * much;
  return to;
}

function toUnit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(cosine(vector, vector));
  for (let at = 0; at < vector.length; at += 1) vector[at] = (vector[at] ?? 0) / length;
  return vector;
}
