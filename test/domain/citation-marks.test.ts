import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CitationReader } from "#domain/citation-marks";

const sources = new Map([
  ["12-3", { title: "handbook.pdf", page: 2 }],
  ["7-0", { title: "prices.csv" }],
]);

/** The text as a person reads it, sources in brackets. */
function read(pieces: readonly string[]): string {
  const reader = new CitationReader(sources);
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]
    .map((piece) => (piece.type === "text" ? piece.text : `[${piece.source.title}]`))
    .join("");
}

const table = [
  ["a mark becomes its source", "Two weeks【12-3】.", "Two weeks[handbook.pdf]."],
  ["several marks in one bracket", "So【12-3, 7-0】", "So[handbook.pdf][prices.csv]"],
  ["a mark in the style of the hosted search", "So【12-3†source】", "So[handbook.pdf]"],
  ["a mark of a source nobody searched is left out", "So【99-1】.", "So."],
  ["other text in such brackets stays", "【注意】 read this", "【注意】 read this"],
  ["a bracket that never closes stays", "a 【 and no more", "a 【 and no more"],
  ["a bracket that closes too late stays", `【${"x".repeat(200)}】`, `【${"x".repeat(200)}】`],
  ["two in a row", "【12-3】【7-0】", "[handbook.pdf][prices.csv]"],
] as const;

describe("citation marks", () => {
  test.each(table)("%s", (_rule, text, shown) => {
    expect(read([text])).toBe(shown);
  });

  test("it does not matter how the text arrives", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...table),
        fc.array(fc.nat(220), { maxLength: 8 }),
        ([, text, shown], cuts) => {
          const places = [0, ...cuts.map((cut) => cut % (text.length + 1)), text.length].sort(
            (a, b) => a - b,
          );
          const pieces = places.slice(1).map((to, index) => text.slice(places[index], to));
          expect(read(pieces)).toBe(shown);
        },
      ),
    );
  });
});
