import fc from "fast-check";
import { describe, test } from "vitest";
import { laws } from "./splitting-laws.ts";

/** Together at least this many documents; another seed by `SEED=…`. */
const documents = Number(process.env.DOCUMENTS ?? 100_000);
const seed = Number(process.env.SEED ?? 20_261_121);

describe("for any document", () => {
  test.each(laws)("$name", ({ property }) => {
    fc.assert(property, { numRuns: Math.ceil(documents / laws.length), seed });
  });
});
