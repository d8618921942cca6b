import { describe, expect, test } from "vitest";
import { delimiterOf, factsOf, numbersOf, toTable } from "../../src/domain/table.ts";

describe("factsOf", () => {
  test.each([
    ["plain numbers", ["1", "2.5", "-3"], { type: "number", sum: "0.5", min: "-3", max: "2.5" }],
    ["grouped thousands", ["1,234.50", "999"], { type: "number", sum: "2233.5" }],
    ["decimal commas", ["1.234,50", "0,5"], { type: "number", sum: "1235" }],
    ["money", ["$1.10", "-€2", "3 £"], { type: "number", sum: "2.1" }],
    ["gaps", ["1", "", " 2 "], { type: "number", sum: "3", filled: 2, empty: 1, mean: "1.5" }],
    ["numbers with a word among them", ["1", "two"], { type: "text", min: "1", max: "two" }],
    ["dates", ["2026-02-01", "2025-12-31"], { type: "date", min: "2025-12-31", max: "2026-02-01" }],
    ["impossible dates", ["2026-13-01", "2026-02-01"], { type: "text" }],
    ["yes and no", ["yes", "No"], { type: "boolean", distinct: 2 }],
    ["nothing", ["", " "], { type: "empty", empty: 2 }],
  ])("a column of %s", (_what, cells, facts) => {
    const table = toTable([["name"], ...cells.map((cell) => [cell])]);
    expect(factsOf(table).columns).toEqual([expect.objectContaining({ name: "name", ...facts })]);
  });

  test("a first row of numbers is data, not a header", () => {
    expect(
      factsOf(
        toTable([
          ["1", "2"],
          ["3", "4"],
        ]),
      ),
    ).toMatchObject({
      rowCount: 2,
      hasHeader: false,
      columns: [
        { name: "column 1", sum: "4" },
        { name: "column 2", sum: "6" },
      ],
    });
  });

  test("short rows leave cells empty, long rows make columns", () => {
    const facts = factsOf(toTable([["a"], ["1", "2"], []]));
    expect(facts.columns).toMatchObject([
      { name: "a", empty: 1 },
      { name: "column 2", empty: 1 },
    ]);
  });
});

test("numbersOf keeps rows and gaps", () => {
  const table = toTable([
    ["a", "b"],
    ["1", "x"],
    ["", "y"],
  ]);
  expect(numbersOf(table, 0)).toEqual([{ n: 1n, d: 1n }, undefined]);
  expect(numbersOf(table, 1)).toBeUndefined();
});

test.each([
  [",", "a,b\n1,2\n"],
  [";", "a;b\n1,5;2,5\n3,5;4,5\n"],
  ["\t", "a\tb, c\n1\t2\n"],
  ["|", "a|b\n1|2\n"],
  [",", '"a;b;c",d\n"e;f;g",h\n'],
  [",", "one column\nof text\n"],
])("the delimiter is %j in %j", (delimiter, text) => {
  expect(delimiterOf(text)).toBe(delimiter);
});
