import { BotError } from "#domain/errors";
import { isObject, type Json } from "#domain/json";

/** The fields of a line somebody hands in; what is missing or of another type is named. */
export class LineFields {
  readonly #line: { readonly [name: string]: Json | undefined };

  constructor(line: Json) {
    if (!isObject(line)) {
      throw new BotError("bad-input", { detail: "A line is not a JSON object." });
    }
    this.#line = line;
  }

  has(name: string): boolean {
    return this.#line[name] !== undefined;
  }

  value(name: string): Json {
    const value = this.#line[name];
    if (value === undefined) throw this.#wrong(name, "is missing");
    return value;
  }

  json(name: string): string {
    return JSON.stringify(this.value(name));
  }

  text(name: string): string {
    const value = this.value(name);
    if (typeof value !== "string") throw this.#wrong(name, "is not a text");
    return value;
  }

  textOrNull(name: string): string | null {
    return this.value(name) === null ? null : this.text(name);
  }

  number(name: string): number {
    const value = this.value(name);
    if (typeof value !== "number") throw this.#wrong(name, "is not a number");
    return value;
  }

  numberOrNull(name: string): number | null {
    return this.value(name) === null ? null : this.number(name);
  }

  flag(name: string): boolean {
    const value = this.value(name);
    if (typeof value !== "boolean") throw this.#wrong(name, "is not true or false");
    return value;
  }

  oneOf(name: string, known: readonly string[]): string {
    const value = this.text(name);
    if (!known.includes(value)) throw this.#wrong(name, `is none of ${known.join(", ")}`);
    return value;
  }

  #wrong(name: string, what: string): BotError {
    return new BotError("bad-input", {
      detail: `In a line of the kind "${String(this.#line.kind)}", "${name}" ${what}.`,
    });
  }
}

/** The store refuses the values of a line. */
export function misfit(kind: string, cause?: unknown): BotError {
  return new BotError("bad-input", {
    detail: `A line of the kind "${kind}" does not fit.`,
    ...(cause === undefined ? {} : { cause }),
  });
}

export function unknownKind(kind: string): BotError {
  return new BotError("bad-input", { detail: `A line is of the unknown kind "${kind}".` });
}
