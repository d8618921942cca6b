import { z } from "zod";
import { type Chart, chartLimits, chartProblem, describeChart, drawChart } from "#domain/chart";
import { defineTool } from "./define-tool.ts";
import { fileNameOf } from "./file-name.ts";

/** A chart as an SVG file, from numbers at hand. */
export const makeChart = defineTool({
  name: "make_chart",
  title: "Drawing a chart",
  description:
    "Draws a bar, line or pie chart from the numbers given and attaches it to the reply as an SVG file. A pie takes one series without negative values.",
  schema: z.object({
    type: z.enum(["bar", "line", "pie"]),
    title: z.string().min(1).max(120),
    labels: z
      .array(z.string().max(80))
      .min(1)
      .max(chartLimits.labels)
      .describe("One for each value, in order."),
    series: z
      .array(
        z.object({
          name: z.string().min(1).max(80),
          values: z.array(z.number()).min(1).max(chartLimits.labels),
        }),
      )
      .min(1)
      .max(chartLimits.series),
    unit: z.string().max(20).optional().describe("Written beside the numbers, like `EUR`."),
  }),
  idempotent: true,
  timeoutMs: 10_000,
  run({ unit, ...rest }) {
    const chart: Chart = unit ? { ...rest, unit } : rest;
    const problem = chartProblem(chart);
    if (problem) return `No chart was drawn: ${problem}`;
    const altText = describeChart(chart);
    const name = `${fileNameOf(chart.title, "chart")}.svg`;
    return {
      type: "output",
      output: `${name} is attached to the reply. It shows: ${altText}`,
      files: [
        {
          name,
          mimeType: "image/svg+xml",
          data: new TextEncoder().encode(drawChart(chart)),
          altText,
        },
      ],
    };
  },
});
