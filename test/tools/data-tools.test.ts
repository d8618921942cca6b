import { describe, expect, test } from "vitest";
import type { ChartSpec } from "#domain/chart-spec";
import type { Tool, ToolContext } from "#domain/tool";
import type { ChartPainter, PaintedChart } from "#ports/chart-painter";
import type { DataEngine, QueryAnswer, TableFile, TableQuery } from "#ports/data-engine";
import { createDrawChart } from "../../src/tools/draw-chart.ts";
import { createQueryData } from "../../src/tools/query-data.ts";
import { outputOf, toolContext } from "../fakes/tool-context.ts";

/** Answers every query alike, and notes what it was asked. */
class FakeEngine implements DataEngine {
  readonly queries: TableQuery[] = [];
  answer: QueryAnswer = {
    ok: true,
    columns: [
      { name: "month", type: "VARCHAR" },
      { name: "total", type: "DOUBLE" },
    ],
    rows: [["Jan", 3]],
    isCut: false,
    notes: [],
  };

  async query(query: TableQuery): Promise<QueryAnswer> {
    this.queries.push(query);
    return this.answer;
  }

  async describe(files: readonly TableFile[]) {
    const tables = files.map(({ name, file }) => ({
      name,
      file,
      rows: 1,
      columns: [{ name: "n", type: "BIGINT" }],
      sample: [[1]],
    }));
    return { ok: true, tables, notes: [] } as const;
  }
}

class FakePainter implements ChartPainter {
  readonly painted: ChartSpec[] = [];
  answer: PaintedChart = { ok: true, png: new Uint8Array([1]), width: 1, height: 1 };

  async paint(spec: ChartSpec): Promise<PaintedChart> {
    this.painted.push(spec);
    return this.answer;
  }
}

const signal = new AbortController().signal;

async function call(tool: Tool, args: unknown, context: ToolContext) {
  const checked = tool.check(args);
  if (!checked.ok) throw new Error(checked.problem);
  return tool.run(checked.value, context, signal);
}

const files = { "Sales 2024.csv": "n\n1\n", "notes.txt": "x", "order.csv": "n\n2\n" };

describe("query_data", () => {
  const queryWith = (engine: DataEngine) => createQueryData(engine, { maxFileBytes: 1_000 });

  test("tells the tables first, the newest first, by names that need no quotes", async () => {
    const output = outputOf(
      await call(queryWith(new FakeEngine()), { sql: null }, toolContext({ files })),
    );
    expect(JSON.parse(output)).toEqual({
      tables: [
        {
          name: "t_order",
          file: "order.csv",
          rows: 1,
          columns: { n: "BIGINT" },
          first_rows: [[1]],
        },
        {
          name: "sales_2024",
          file: "Sales 2024.csv",
          rows: 1,
          columns: { n: "BIGINT" },
          first_rows: [[1]],
        },
      ],
    });
  });

  test.each([
    ["SELECT * FROM sales_2024", ["Sales 2024.csv"]],
    ['select * from "SALES 2024.csv" join T_ORDER using (n)', ["order.csv", "Sales 2024.csv"]],
    ["SELECT 1", []],
  ])("reads only what a statement names: %s", async (sql, read) => {
    const engine = new FakeEngine();
    await call(queryWith(engine), { sql }, toolContext({ files }));
    expect(engine.queries[0]?.files.map(({ file }) => file)).toEqual(read);
  });

  test("of two files with one name the newer has it", async () => {
    const engine = new FakeEngine();
    const twice = toolContext({ files: { "a.csv": "old", "A.CSV": "new" } });
    await call(queryWith(engine), { sql: "FROM a, a_2" }, twice);
    const [newest, older] = engine.queries[0]?.files ?? [];
    expect([newest?.name, older?.name]).toEqual(["a", "a_2"]);
    expect(new TextDecoder().decode(newest?.data)).toBe("new");
  });

  test("says when there is more than it tells", async () => {
    const engine = new FakeEngine();
    engine.answer = {
      ...engine.answer,
      isCut: true,
      notes: ["sales.csv is irregular."],
    } as QueryAnswer;
    const output = outputOf(
      await call(queryWith(engine), { sql: "FROM t_order" }, toolContext({ files })),
    );
    expect(JSON.parse(output)).toEqual({
      columns: { month: "VARCHAR", total: "DOUBLE" },
      rows: [["Jan", 3]],
      cut: "Only the first 1 rows are shown: there are more.",
      notes: ["sales.csv is irregular."],
    });
  });

  test.each([
    ["../../etc/cleaned.csv", "etc-cleaned.csv"],
    ["cleaned Sales.xlsx", "cleaned-sales.csv"],
    ["..", "table.csv"],
  ])("attaches the whole result under a name that is none of a path: %s", async (asked, name) => {
    const engine = new FakeEngine();
    const csv = { data: new Uint8Array([1, 2]), rows: 12 };
    engine.answer = { ...engine.answer, csv } as QueryAnswer;
    const result = await call(
      queryWith(engine),
      { sql: "FROM t_order", save_as: asked },
      toolContext({ files }),
    );
    expect(engine.queries[0]?.csvMaxBytes).toBe(1_000);
    expect(result).toMatchObject({ files: [{ name, mimeType: "text/csv", data: csv.data }] });
    expect(outputOf(result)).toContain(`"attached":"${name} with 12 rows"`);
  });

  test("says what was wrong, and which tables there are", async () => {
    const engine = new FakeEngine();
    engine.answer = { ok: false, problem: "Table with name x does not exist!" };
    const output = outputOf(
      await call(queryWith(engine), { sql: "FROM x" }, toolContext({ files })),
    );
    expect(output).toContain("Attached tables: t_order (order.csv), sales_2024 (Sales 2024.csv).");
    const nothing = toolContext({ files: { "notes.txt": "x" } });
    expect(outputOf(await call(queryWith(engine), { sql: "FROM x" }, nothing))).toBe(
      "No CSV or Excel file is attached to this conversation. Attached: notes.txt.",
    );
  });

  test("reads no more than 100 MB for one question", async () => {
    const big = { files, readFile: async () => new Uint8Array(60_000_000) };
    const sql = "FROM t_order, sales_2024";
    const engine = new FakeEngine();
    expect(outputOf(await call(queryWith(engine), { sql }, toolContext(big)))).toContain(
      "These files are 120.0 MB and more; up to 100.0 MB are read for one question.",
    );
    expect(engine.queries).toEqual([]);
  });
});

describe("draw_chart", () => {
  const chart = { title: "Sales by month", alt_text: "Rising", spec: { mark: "bar" } };

  test("posts a picture with words for who cannot see it", async () => {
    const painter = new FakePainter();
    const spec = { mark: "bar", data: { values: [{ a: 1 }] } };
    const result = await call(createDrawChart(painter), { ...chart, spec }, toolContext());
    expect(result).toMatchObject({
      output: "sales-by-month.png is posted with the reply.",
      files: [
        { name: "sales-by-month.png", mimeType: "image/png", altText: "Sales by month. Rising" },
      ],
    });
    expect(painter.painted).toEqual([{ title: "Sales by month", ...spec }]);
  });

  test("takes its data from a query, as rows with names", async () => {
    const painter = new FakePainter();
    const tool = createDrawChart(painter, new FakeEngine());
    const result = await call(tool, { ...chart, sql: "FROM t_order" }, toolContext({ files }));
    expect(painter.painted[0]?.data).toEqual({ values: [{ month: "Jan", total: 3 }] });
    expect(outputOf(result)).toContain("It was drawn from 1 rows.");
  });

  test("understands a specification written as text", async () => {
    const painter = new FakePainter();
    const spec = JSON.stringify({ mark: "line" });
    await call(createDrawChart(painter), { ...chart, spec }, toolContext());
    expect(painter.painted[0]?.mark).toBe("line");
  });

  test("says why nothing was drawn", async () => {
    const painter = new FakePainter();
    const engine = new FakeEngine();
    const tool = createDrawChart(painter, engine);
    const context = toolContext({ files });
    expect(outputOf(await call(tool, { ...chart, spec: "[" }, context))).toBe(
      "No chart was drawn: `spec` is not a JSON object.",
    );
    engine.answer = { ...engine.answer, isCut: true } as QueryAnswer;
    expect(outputOf(await call(tool, { ...chart, sql: "FROM t_order" }, context))).toContain(
      "The query gives more than 5000 rows",
    );
    engine.answer = { ok: false, problem: "It took too long." };
    expect(outputOf(await call(tool, { ...chart, sql: "FROM t_order" }, context))).toBe(
      "No chart was drawn: It took too long.",
    );
    painter.answer = { ok: false, problem: "No." };
    expect(outputOf(await call(tool, chart, context))).toBe("No chart was drawn: No.");
  });

  test("speaks of queries only where there is an engine", () => {
    const properties = (tool: Tool) => Object.keys(tool.spec.parameters.properties as object);
    expect(properties(createDrawChart(new FakePainter()))).toEqual(["title", "alt_text", "spec"]);
    expect(properties(createDrawChart(new FakePainter(), new FakeEngine()))).toContain("sql");
  });
});
