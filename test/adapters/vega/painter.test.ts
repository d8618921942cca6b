import { describe, expect, test } from "vitest";
import type { ChartSpec } from "#domain/chart-spec";
import { createVegaPainter, isVegaHere } from "../../../adapters/vega/painter.ts";
import { decodePng, inkedPixels } from "../../fakes/png.ts";

const painter = createVegaPainter();
const never = new AbortController().signal;

const values = [
  { month: "Jan", amount: 120 },
  { month: "Feb", amount: 190 },
  { month: "Mar", amount: 70 },
];
const bars: ChartSpec = {
  title: "Sales by month",
  data: { values },
  mark: "bar",
  encoding: {
    x: { field: "month", type: "nominal", sort: null },
    y: { field: "amount", type: "quantitative", title: "Amount (EUR)" },
  },
};

async function painted(spec: ChartSpec) {
  const answer = await painter.paint(spec, never);
  if (!answer.ok) throw new Error(answer.problem);
  const picture = decodePng(answer.png);
  expect([answer.width, answer.height]).toEqual([picture.width, picture.height]);
  return picture;
}

async function problemOf(spec: ChartSpec, by = painter) {
  const answer = await by.paint(spec, never);
  return answer.ok ? "it was painted" : answer.problem;
}

test("the painter is here: its packages came for this machine", () => {
  expect(isVegaHere()).toBe(true);
});

describe("a chart is painted", () => {
  test("with its bars as high as their values, and its words", async () => {
    const picture = await painted(bars);
    expect(picture.width).toBeGreaterThan(1_000);
    const blue = new Map<number, number>();
    for (let x = 0; x < picture.width; x++) {
      let height = 0;
      for (let y = 0; y < picture.height; y++) {
        const [r, g, b] = picture.pixel(x, y);
        if (r < 30 && g > 90 && g < 140 && b > 150) height += 1;
      }
      if (height > 20) blue.set(height, (blue.get(height) ?? 0) + 1);
    }
    const heights = [...blue].filter(([, columns]) => columns > 50).map(([height]) => height);
    const [jan = 0, feb = 0, mar = 0] = heights;
    expect(heights).toHaveLength(3);
    expect([jan / feb, mar / feb]).toEqual([
      expect.closeTo(120 / 190, 1),
      expect.closeTo(70 / 190, 1),
    ]);
  });

  test("with words that can be read: other words are other pixels", async () => {
    const titleInk = async (text: string) => {
      const picture = await painted({ ...bars, title: text });
      return inkedPixels(picture, { from: [0, 0], to: [picture.width, 66] });
    };
    const inks = await Promise.all([".", "iiii", "MMMM", "Grüße Ωж MMMM"].map(titleInk));
    const [dot = 0, thin = 0, bold = 0, long = 0] = inks;
    expect(dot).toBeGreaterThan(0);
    expect(thin).toBeGreaterThan(dot * 3);
    expect(bold).toBeGreaterThan(thin * 1.5);
    expect(long).toBeGreaterThan(bold * 1.5);
  });

  test.each<[string, ChartSpec]>([
    [
      "in layers",
      {
        data: { values },
        layer: [
          { mark: "bar", encoding: bars.encoding },
          { data: { values: [{ y: 100 }] }, mark: "rule", encoding: { y: { datum: 100 } } },
        ],
      },
    ],
    ["filtered by a predicate", { ...bars, transform: [{ filter: { field: "amount", gt: 100 } }] }],
    [
      "with a condition",
      {
        ...bars,
        encoding: {
          ...(bars.encoding as object),
          color: { condition: { test: { field: "amount", gt: 100 }, value: "red" }, value: "grey" },
        },
      },
    ],
    [
      "as a line over time",
      {
        data: {
          values: [
            { d: "2024-01-01", v: 1 },
            { d: "2024-03-01", v: 3 },
          ],
        },
        mark: "line",
        encoding: { x: { field: "d", type: "temporal" }, y: { field: "v", type: "quantitative" } },
      },
    ],
    [
      "as a pie",
      {
        data: { values },
        mark: { type: "arc" },
        encoding: {
          theta: { field: "amount", type: "quantitative" },
          color: { field: "month", type: "nominal" },
        },
      },
    ],
  ])("%s", async (_how, spec) => {
    expect(inkedPixels(await painted(spec))).toBeGreaterThan(1_000);
  });
});

describe("is refused, with the reason:", () => {
  const data = { url: "https://example.com/data.csv" };
  const deep = Array.from({ length: 60 }).reduce<ChartSpec>((spec) => ({ hconcat: [spec] }), bars);
  test.each<[string, ChartSpec, RegExp]>([
    ["data from an address", { ...bars, data }, /`data.url` cannot be used: nothing is loaded/],
    ["data from a file", { ...bars, data: { url: "file:///etc/passwd" } }, /`data.url`/],
    [
      "data looked up elsewhere",
      { ...bars, transform: [{ lookup: "a", from: { data, key: "b" } }] },
      /from\.data\.url/,
    ],
    ["a picture as a mark", { ...bars, mark: "image" }, /`mark` has to be one of arc/],
    ["a picture's address", { ...bars, encoding: { url: { value: "http://x" } } }, /encoding\.url/],
    ["a link", { ...bars, encoding: { href: { value: "http://x" } } }, /no links/],
    ["data made up", { ...bars, data: { sequence: { start: 0, stop: 1e12 } } }, /not made up/],
    [
      "a computed field",
      { ...bars, transform: [{ calculate: "datum.a", as: "b" }] },
      /expressions are not run/,
    ],
    [
      "an expression as a filter",
      { ...bars, transform: [{ filter: "datum.a > 1" }] },
      /cannot be an expression/,
    ],
    [
      "one inside another predicate",
      { ...bars, transform: [{ filter: { not: { and: ["1"] } } }] },
      /cannot be an expression/,
    ],
    [
      "an expression as a label",
      { ...bars, encoding: { x: { axis: { labelExpr: "datum" } } } },
      /labelExpr/,
    ],
    [
      "an expression as a value",
      { ...bars, width: { expr: "1e9" } as never },
      /expressions are not run/,
    ],
    ["a parameter", { ...bars, params: [{ name: "a", value: 1 }] }, /does not react/],
    ["a signal", { ...bars, encoding: { x: { scale: { range: { signal: "a" } } } } }, /no signals/],
    [
      "Vega itself",
      { $schema: "https://vega.github.io/schema/vega/v6.json", marks: [] },
      /Only Vega-Lite/,
    ],
    ["Vega without saying so", { marks: [{ type: "rect" }] }, /only Vega-Lite is drawn/],
    [
      "too many rows",
      { ...bars, data: { values: Array.from({ length: 5_001 }, () => ({ a: 1 })) } },
      /5001 rows of data; a chart takes 5000/,
    ],
    [
      "too much in them",
      { ...bars, data: { values: [{ a: "x".repeat(1_100_000) }] } },
      /a chart takes 1000000/,
    ],
    [
      "too long a specification",
      { ...bars, description: "x".repeat(50_000) },
      /a chart takes 40000/,
    ],
    ["too wide a picture", { ...bars, width: 1e9 }, /`width` is 1000000000; at most 2000/],
    ["one that is nested without end", deep, /nested too deeply/],
    ["data that is no list", { ...bars, data: { values: "a,b" } }, /has to be a list of rows/],
    [
      "a field called like a prototype",
      JSON.parse('{"mark":"bar","__proto__":{"a":1}}'),
      /no such field/,
    ],
  ])("%s", async (_what, spec, words) => {
    expect(await problemOf(spec)).toMatch(words);
  });

  test("what Vega-Lite does not know", async () => {
    expect(await problemOf({ ...bars, mark: "blob" })).toMatch(/`mark` has to be one of arc/);
    expect(await problemOf({ data: { values } })).toMatch(/Vega-Lite refused it/);
  });

  test("what becomes too large only when it is drawn", async () => {
    const rows = Array.from({ length: 400 }, (_, i) => ({ ...values[0], i }));
    const wide = {
      ...bars,
      data: { values: rows },
      encoding: { ...(bars.encoding as object), column: { field: "i" } },
    };
    expect(await problemOf(wide)).toMatch(/pixels on one side; at most 6000|takes more memory/);
  });

  test("what takes too long, or too much memory, and the next one is painted", async () => {
    const hasty = createVegaPainter({ timeoutMs: 1_500 });
    const keyvals = { start: 0, stop: 1e9, step: 1 };
    const endless = { ...bars, transform: [{ impute: "amount", key: "month", keyvals, value: 0 }] };
    expect(await problemOf(endless, hasty)).toMatch(/took longer than 1.5 seconds|more memory/);
    expect(await problemOf(endless)).toMatch(/takes more memory|took longer|refused/);
    expect(await problemOf(bars)).toBe("it was painted");
  });
});
