import { describe, expect, test } from "vitest";
import { renderReport } from "../../bench/report.ts";
import { findScript, gatesOf, tokensOf, toWords } from "../../bench/script.ts";
import { median, percentile } from "../../bench/statistics.ts";

describe("the bench's figures", () => {
  test.each([
    ["of an odd number is the one in the middle", [3, 1, 2], 2],
    ["of an even number is the mean of the two in the middle", [4, 1, 2, 3], 2.5],
    ["of one is that one", [7], 7],
  ])("a median %s", (_words, sample, middle) => {
    expect(median(sample)).toBe(middle);
  });

  test("a percentile is one of the sample, by nearest rank", () => {
    const sample = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(sample, 0.5)).toBe(50);
    expect(percentile(sample, 0.99)).toBe(99);
    expect(percentile([], 0.5)).toBeNaN();
  });

  test("a script survives the way through a message", () => {
    const script = {
      id: "r7",
      characters: 240,
      everyMs: 2,
      tokensPerWrite: 5,
      isGated: true,
      isPlain: false,
    };
    expect(findScript(`@Bobbin ${toWords(script)}`)).toEqual(script);
    expect(findScript("an ordinary message")).toBeUndefined();
  });

  test.each([1, 120, 3_000, 30_000])("%i characters are as long in tokens", (characters) => {
    const tokens = tokensOf(characters);
    expect(tokens.join("")).toHaveLength(characters);
    expect(gatesOf(tokens.length).at(-1)).toBe(tokens.length);
  });

  test("the report says against its goals what was measured, and only that", () => {
    const report = renderReport(
      {
        floor: [{ cpuPerReply: 2 }, { cpuPerReply: 1 }, { cpuPerReply: 9 }],
        bobbin: [{ cpuPerReply: 3 }, { cpuPerReply: 8 }, { cpuPerReply: 3.2 }],
      },
      ["Medians."],
    );
    expect(report).toMatch(
      /CPU a reply \(ms\) +\| +2\.00 \| +3\.20 \| +1\.60 times \| at most 1\.5 times: missed/,
    );
    expect(report).toMatch(/replies a second +\| +\| +\| +\|/);
    expect(report).not.toContain("Stored threads");
  });
});
