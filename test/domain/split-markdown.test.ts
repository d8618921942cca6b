import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { slackStreamProfile } from "#domain/markdown-profile";
import { splitMarkdown } from "#domain/split-markdown";
import { tablesIn } from "#domain/tables-in";
import { laws } from "./splitting-laws.ts";

test.each([
  ["leaves text that fits alone", "short", 20, ["short"]],
  [
    "cuts after the last line break that fits",
    "one two\nthree four\nfive",
    22,
    ["one two\nthree four\n", "five"],
  ],
  [
    "reopens a code block in its language",
    "```ts\nlet a = 1\nlet b = 2\n```",
    24,
    ["```ts\nlet a = 1\n```", "```ts\nlet b = 2\n```"],
  ],
])("splitMarkdown %s", (_rule, text, limit, shown) => {
  expect(splitMarkdown(text, limit).map((part) => part.text)).toEqual(shown);
});

test("a table's rows are shared out when one part may hold no more of them", () => {
  const rows = Array.from({ length: 7 }, (_, at) => `| ${at} |\n`).join("");
  const parts = splitMarkdown(`| n |\n| - |\n${rows}\nDone.`, {
    ...slackStreamProfile,
    rowsPerTable: 3,
  });
  expect(parts.map(({ text }) => text.match(/\d/g)?.length ?? 0)).toEqual([3, 3, 1]);
  for (const { text } of parts) expect(text).toMatch(/^\| n \|\n\| - \|\n/);
});

test("tables are found with their cells, wherever they stand by themselves", () => {
  const text =
    "Prices:\n| a | b |\n|--|--|\n| 1 | x\\|y |\n| 2 |\n\nAnd\n\n```\n| c |\n| - |\n```\n";
  const found = tablesIn(text);
  expect(found.map(({ header, rows }) => [header, rows])).toEqual([
    [
      ["a", "b"],
      [
        ["1", "x|y"],
        ["2", ""],
      ],
    ],
  ]);
  expect(found.map(({ from, to }) => text.slice(from, to))).toEqual([
    "| a | b |\n|--|--|\n| 1 | x\\|y |\n| 2 |\n",
  ]);
});

describe("for any document", () => {
  test.each(laws)("$name", ({ property }) => {
    fc.assert(property, { numRuns: 60, seed: 7 });
  });
});
