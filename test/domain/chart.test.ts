import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Chart, chartProblem, describeChart, drawChart } from "../../src/domain/chart.ts";

const pie: Chart = {
  type: "pie",
  title: "Votes",
  labels: ["yes", "no", "none"],
  series: [{ name: "votes", values: [3, 1, 0] }],
};

describe("drawChart", () => {
  test("a pie has one slice for each value above zero, with its share", () => {
    const svg = drawChart(pie);
    expect(svg.match(/<path /g)).toHaveLength(2);
    expect(svg).toMatch(">75%<");
    expect(svg).toMatch(">none (0)<");
  });

  test("a pie of one value is a whole circle", () => {
    const svg = drawChart({ ...pie, series: [{ name: "votes", values: [0, 5, 0] }] });
    expect(svg).toMatch(/<circle [^>]*r="160"/);
  });

  test("a line passes through every value, higher for more", () => {
    const svg = drawChart({ ...pie, type: "line" });
    const points = /points="([^"]+)"/
      .exec(svg)?.[1]
      ?.split(" ")
      .map((point) => Number(point.split(",")[1]));
    expect(points).toHaveLength(3);
    expect(points).toEqual([...(points ?? [])].sort((a, b) => a - b));
  });

  test("whatever the data, the drawing is well-formed, inside its frame and free of markup from outside", () => {
    const chart = fc
      .record({
        type: fc.constantFrom("bar", "line", "pie"),
        title: fc.string({ unit: "binary" }),
        labels: fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 16 }),
        values: fc.array(
          fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 }),
          { minLength: 16, maxLength: 16 },
        ),
      })
      .map(
        ({ type, title, labels, values }): Chart => ({
          type,
          title,
          labels,
          series: [
            {
              name: "<script>",
              values: values
                .slice(0, labels.length)
                .map((v) => (type === "pie" ? Math.abs(v) + 1 : Math.abs(v) < 1e-9 ? 0 : v)),
            },
          ],
        }),
      );
    fc.assert(
      fc.property(chart, (one) => {
        expect(chartProblem(one)).toBeUndefined();
        const svg = drawChart(one);
        expect(svg).not.toMatch(/<script|NaN|Infinity|undefined/);
        const ys = [...svg.matchAll(/ (?:y|cy|y1)="(-?[\d.e+-]+)"/g)].map(([, y]) => Number(y));
        expect(ys.every((y) => y >= -1 && y <= 1_000)).toBe(true);
        const bare = svg.replace(/>[^<>]*</g, "><").match(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g) ?? [];
        const open = bare.filter((tag) => !tag.startsWith("</") && !tag.endsWith("/>")).length;
        expect(open).toBe(bare.filter((tag) => tag.startsWith("</")).length);
      }),
      { numRuns: 300 },
    );
  });
});

test.each([
  ["no labels", { labels: [] }, "needs labels"],
  ["too many slices", { labels: Array.from({ length: 17 }, String) }, "a pie chart takes 16"],
  ["uneven series", { series: [{ name: "v", values: [1] }] }, "`v` has 1 values for 3 labels"],
  [
    "an infinite value",
    { series: [{ name: "v", values: [1, 2, Number.POSITIVE_INFINITY] }] },
    "from 1e-9 to 1e15",
  ],
  ["a negative slice", { series: [{ name: "v", values: [1, 2, -1] }] }, "negative"],
  ["only zeros", { series: [{ name: "v", values: [0, 0, 0] }] }, "above zero"],
  [
    "two pies",
    {
      series: [
        { name: "v", values: [1, 1, 1] },
        { name: "w", values: [1, 1, 1] },
      ],
    },
    "one series, not 2",
  ],
])("a chart with %s is refused in words", (_what, change, words) => {
  expect(chartProblem({ ...pie, ...change })).toMatch(words);
});

test("many values are described by their range", () => {
  const labels = Array.from({ length: 30 }, (_, i) => `d${i}`);
  const chart: Chart = {
    type: "line",
    title: "T",
    labels,
    series: [{ name: "t", values: labels.map((_, i) => i * 1000) }],
    unit: "m",
  };
  expect(describeChart(chart)).toBe(
    'Line chart "T". t: 30 values from 0 m (d0) to 29,000 m (d29).',
  );
});
