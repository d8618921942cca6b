import { describe, expect, test } from "vitest";
import type { Tool, ToolContext, ToolResult } from "#domain/tool";
import { askForm } from "../../src/tools/ask-form.ts";
import { builtInTools } from "../../src/tools/built-in.ts";
import { calculateTool } from "../../src/tools/calculate.ts";
import { currentTime } from "../../src/tools/current-time.ts";
import { makeChart } from "../../src/tools/make-chart.ts";
import { publishReport } from "../../src/tools/publish-report.ts";
import { summariseTable } from "../../src/tools/summarise-table.ts";
import { outputOf, toolContext } from "../fakes/tool-context.ts";

async function call(
  tool: Tool,
  args: unknown,
  context: ToolContext = toolContext(),
): Promise<ToolResult> {
  const checked = tool.check(args);
  if (!checked.ok) throw new Error(checked.problem);
  return tool.run(checked.value, context, AbortSignal.timeout(10_000));
}

async function fileOf(result: ToolResult) {
  const [file] = (result.type === "output" && result.files) || [];
  if (!file) throw new Error("the tool made no file");
  return { ...file, text: new TextDecoder().decode(file.data) };
}

describe("every built-in function", () => {
  test.each(builtInTools.map((tool) => [tool.spec.name, tool] as const))(
    "%s is described strictly, field by field",
    (_name, { spec, title }) => {
      expect(title).not.toBe("");
      expect(spec.description.length).toBeGreaterThan(40);
      const { properties, required } = spec.parameters;
      expect(spec.parameters).toMatchObject({ type: "object", additionalProperties: false });
      expect(required).toEqual(Object.keys(properties as object));
    },
  );

  test("has a name of its own", () => {
    const names = builtInTools.map(({ spec }) => spec.name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("current_time", () => {
  test.each([
    ["Europe/Berlin", "2026-03-29", "03:30:00", "+02:00"],
    ["America/New_York", "2026-03-28", "21:30:00", "-04:00"],
    ["Asia/Kathmandu", "2026-03-29", "07:15:00", "+05:45"],
    [null, "2026-03-29", "01:30:00", "+00:00"],
  ])("in %s gives %s %s %s", async (time_zone, date, time, utc_offset) => {
    const output = JSON.parse(outputOf(await call(currentTime, { time_zone })));
    expect(output).toMatchObject({ date, time, utc_offset, utc: "2026-03-29T01:30:00.000Z" });
  });

  test("says which zones there are when it does not know one", async () => {
    const result = await call(currentTime, { time_zone: "Mars/Olympus" });
    expect(outputOf(result)).toMatch("no time zone `Mars/Olympus`");
  });
});

describe("calculate", () => {
  test("answers with the exact result", async () => {
    const output = outputOf(await call(calculateTool, { expression: "(19.99 * 3) * 1.19" }));
    expect(JSON.parse(output)).toMatchObject({ result: "71.3643", exact: true });
  });

  test("says in words what it cannot calculate", async () => {
    expect(outputOf(await call(calculateTool, { expression: "1/0" }))).toMatch("division by zero");
  });
});

describe("make_chart", () => {
  const sales = {
    type: "bar",
    title: "Sales & <returns>",
    labels: ["Q1", "Q2"],
    series: [{ name: "2025", values: [1200, -300] }],
    unit: null,
  };

  test("attaches an SVG that says in words what it shows", async () => {
    const result = await call(makeChart, sales);
    const file = await fileOf(result);
    expect(file).toMatchObject({ name: "sales-returns.svg", mimeType: "image/svg+xml" });
    expect(file.altText).toBe('Bar chart "Sales & <returns>". 2025: Q1 1,200, Q2 -300.');
    expect(file.text).toMatch(/^<svg [^>]*role="img"/);
    expect(file.text.match(/<rect [^>]*fill="#0072b2"/g)).toHaveLength(2);
    expect(file.text).not.toMatch("<returns>");
    expect(outputOf(result)).toMatch("sales-returns.svg is attached");
  });

  test("draws the same bytes for the same numbers", async () => {
    const [a, b] = [
      await fileOf(await call(makeChart, sales)),
      await fileOf(await call(makeChart, sales)),
    ];
    expect(a.text).toBe(b.text);
  });

  test.each([
    [
      "more values than labels",
      { series: [{ name: "a", values: [1, 2, 3] }] },
      "3 values for 2 labels",
    ],
    ["a pie with a negative slice", { type: "pie" }, "cannot show negative values"],
  ])("says in words that %s cannot be drawn", async (_what, change, words) => {
    const result = await call(makeChart, { ...sales, ...change });
    expect(outputOf(result)).toMatch(words);
  });
});

describe("summarise_table", () => {
  const csv = "\uFEFFmonth,amount,note\n2026-01-01,0.10,x\n2026-02-01,0.20,\n2026-03-01,1e2,x\n";

  test("gives exact facts of every column", async () => {
    const context = toolContext({
      files: { "old.csv": "a\n1\n", "sales.csv": csv, "note.txt": "" },
    });
    const output = JSON.parse(outputOf(await call(summariseTable, { file: null }, context)));
    expect(output).toEqual({
      file: "sales.csv",
      rows: 3,
      has_header: true,
      columns: [
        {
          name: "month",
          type: "date",
          filled: 3,
          empty: 0,
          distinct: 3,
          min: "2026-01-01",
          max: "2026-03-01",
        },
        {
          name: "amount",
          type: "number",
          filled: 3,
          empty: 0,
          distinct: 3,
          min: "0.1",
          max: "100",
          sum: "100.3",
          mean: "33.433333333333333333",
        },
        { name: "note", type: "text", filled: 2, empty: 1, distinct: 1, min: "x", max: "x" },
      ],
    });
  });

  test("reads the file that is asked for, by name", async () => {
    const context = toolContext({ files: { "old.csv": "a\n1\n2\n", "sales.csv": csv } });
    const output = JSON.parse(outputOf(await call(summariseTable, { file: "Old.csv" }, context)));
    expect(output.columns).toMatchObject([{ name: "a", sum: "3" }]);
  });

  test.each([
    ["nothing is attached", {}, null, "No file is attached"],
    [
      "there is no table",
      { "note.txt": "hi" },
      null,
      "No CSV file is attached. Attached: note.txt",
    ],
    ["the name is unknown", { "a.csv": "x" }, "b.csv", "There is no file `b.csv`. Attached: a.csv"],
    ["the file is empty", { "a.csv": "" }, null, "a.csv is empty"],
    ["a quote is never closed", { "a.csv": 'a,b\n"1,2\n' }, null, "cannot be read as a table"],
    [
      "the file is huge",
      { "a.csv": "1,2\n".repeat(5_200_000) },
      null,
      "a.csv is 20.8 MB; tables up to 20.0 MB are read",
    ],
  ])("says so in words when %s", async (_what, files, file, words) => {
    const result = await call(summariseTable, { file }, toolContext({ files }));
    expect(outputOf(result)).toMatch(words);
  });
});

test("reading a table stops when the call is aborted", async () => {
  const stop = new AbortController();
  const context = toolContext({ files: { "a.csv": "a,b\n".repeat(2_000_000) } });
  const running = summariseTable.run({}, context, stop.signal);
  stop.abort(new Error("stopped"));
  await expect(running).rejects.toThrow("stopped");
});

describe("publish_report", () => {
  test("puts something before everybody: it asks first, and again after a crash", () => {
    expect(publishReport).toMatchObject({ needsApproval: true, idempotent: false });
  });

  test("publishes the document with date and name", async () => {
    const result = await call(publishReport, { title: "Weekly  status", body: "All *well*.\n" });
    const file = await fileOf(result);
    expect(file.name).toBe("2026-03-29-weekly-status.md");
    expect(file.text).toBe(
      "# Weekly status\n\n*Published on 2026-03-29 for Ada.*\n\nAll *well*.\n",
    );
  });
});

describe("ask_form", () => {
  const form = {
    title: "Where to?",
    text: null,
    fields: [
      { id: "city", label: "City", choices: ["Rome", "Oslo"] },
      { id: "why", label: "Why?", choices: null },
    ],
  };

  test("asks the person", async () => {
    expect(await call(askForm, form)).toEqual({
      type: "ask",
      form: {
        title: "Where to?",
        fields: [
          { id: "city", label: "City", type: "choice", choices: ["Rome", "Oslo"] },
          { id: "why", label: "Why?", type: "text" },
        ],
      },
    });
  });

  test("hands over the answers once they are there", async () => {
    const answers = { city: "Oslo", why: "fjords" };
    const result = await call(askForm, form, toolContext({ answers }));
    expect(JSON.parse(outputOf(result))).toEqual({ answers });
  });

  test("refuses a form that no platform can show, field by field", () => {
    const fields = Array.from({ length: 6 }, (_, i) => ({ id: `f ${i}`, label: "x" }));
    expect(askForm.check({ title: "", fields })).toEqual({
      ok: false,
      problem: expect.stringMatching(/at title[\s\S]*at fields/),
    });
  });
});
