import { z } from "zod";
import { type ChartSpec, chartSpecLimits } from "#domain/chart-spec";
import { isObject, type Json } from "#domain/json";
import type { Tool, ToolContext } from "#domain/tool";
import type { ChartPainter } from "#ports/chart-painter";
import type { DataEngine } from "#ports/data-engine";
import { queryAttached } from "./attached-tables.ts";
import { defineTool } from "./define-tool.ts";
import { fileNameOf } from "./file-name.ts";
import { makeChart } from "./make-chart.ts";

/** A chart as a picture, from a Vega-Lite description. Without an engine its data is in there. */
export function createDrawChart(painter: ChartPainter, engine?: DataEngine): Tool {
  const byQuery = engine
    ? " or, better, give `sql`: its result over the attached CSV and Excel files becomes the data (columns are fields; `query_data` tells the tables)"
    : "";
  const tool = defineTool({
    name: "draw_chart",
    title: "Drawing a chart",
    description: `Draws a chart from a Vega-Lite specification and posts it as a picture. Put rows into \`data.values\`${byQuery}; up to ${chartSpecLimits.rows} rows. Layers, facets, aggregates, bins, time units and field predicates work; addresses, parameters, signals and expressions are refused. Name the axes, with units.`,
    schema: z.object({
      title: z.string().trim().min(1).max(120),
      alt_text: z
        .string()
        .trim()
        .min(1)
        .max(1_000)
        .describe("What the picture shows, with the main numbers, for who cannot see it."),
      spec: z
        .union([z.record(z.string(), z.unknown()), z.string().max(2_000_000)])
        .describe(
          'A Vega-Lite specification as an object, like {"mark": "bar", "encoding": {"x": {"field": "month", "type": "ordinal", "sort": null}, "y": {"field": "total", "type": "quantitative", "title": "Sales (EUR)"}}}.',
        ),
      ...(engine ? { sql: sqlArgument } : {}),
    }),
    idempotent: true,
    timeoutMs: 120_000,
    async run(args, context, signal) {
      const { title, alt_text: altText } = args;
      const spec = toSpec(args.spec);
      if (!spec) return notDrawn("`spec` is not a JSON object.");
      const sql = "sql" in args && typeof args.sql === "string" ? args.sql : undefined;
      const rows = engine && sql ? await rowsOf(engine, sql, context, signal) : undefined;
      if (typeof rows === "string") return notDrawn(rows);
      const chart = { title, ...spec, ...(rows ? { data: { values: rows } } : {}) };
      const painted = await painter.paint(chart, signal);
      if (!painted.ok) return notDrawn(painted.problem);
      const name = `${fileNameOf(title, "chart")}.png`;
      const from = rows ? ` It was drawn from ${rows.length} rows.` : "";
      return {
        type: "output",
        output: `${name} is posted with the reply.${from}`,
        files: [
          { name, mimeType: "image/png", data: painted.png, altText: `${title}. ${altText}` },
        ],
      };
    },
  });
  return { ...tool, insteadOf: makeChart.spec.name };
}

const sqlArgument = z
  .string()
  .trim()
  .min(1)
  .max(10_000)
  .optional()
  .describe("One SELECT over the attached tables: its rows are the chart's data.");

async function rowsOf(
  engine: DataEngine,
  sql: string,
  context: ToolContext,
  signal: AbortSignal,
): Promise<readonly Json[] | string> {
  const { rows: maxRows, valueCharacters: maxCharacters } = chartSpecLimits;
  const answer = await queryAttached(engine, { sql, maxRows, maxCharacters }, context, signal);
  if (!answer.ok) return answer.problem;
  if (answer.isCut) return `The query gives more than ${maxRows} rows: aggregate first.`;
  const names = answer.columns.map(({ name }) => name);
  return answer.rows.map((row) =>
    Object.fromEntries(names.map((name, index) => [name, row[index] ?? null])),
  );
}

/** Some models write an object as text. */
function toSpec(spec: unknown): ChartSpec | undefined {
  try {
    const value: unknown = typeof spec === "string" ? JSON.parse(spec) : spec;
    return isObject(value) ? (value as ChartSpec) : undefined;
  } catch {
    return undefined;
  }
}

function notDrawn(problem: string): string {
  return `No chart was drawn: ${problem}`;
}
