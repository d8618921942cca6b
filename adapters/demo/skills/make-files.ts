import { type Chart, chartProblem, describeChart, drawChart } from "#domain/chart";
import { factsOf, numbersOf, type Table } from "#domain/table";
import type { MadeFile, Plan } from "../plan.ts";
import { newestTable } from "./file-facts.ts";
import { count, inline, type Skill, say } from "./skill.ts";

/** `make files`, `chart a=1, b=2`: files made in the code interpreter's container. */
export const makeFiles: Skill = ({ text }, turn) => {
  const wantsTable =
    /^(?:make|create|produce)\s+(?:me\s+)?(?:a\s+|the\s+|some\s+)?(?:files?|summary|chart)(?:\s+(?:of|from)\s+["'`]?(.+?)["'`]?)?[.!]?$/i.exec(
      text,
    );
  const values = /^(?:make\s+(?:a\s+)?)?(?:(bar|line|pie)\s+)?chart\s*:?\s+(.*=.*)$/is.exec(text);
  if (!wantsTable && !values) return undefined;
  if (!turn.hosted.includes("code_interpreter")) {
    return say("Making files needs the code interpreter, which is not on for this assistant.");
  }
  if (values) return chartOfValues(values[2] ?? "", values[1]);
  const newest = newestTable(turn, wantsTable?.[1]);
  if (!newest) {
    return say(
      "I see no CSV file to make something of. Attach one, or try `chart Mon=3, Tue=5, Wed=2`.",
    );
  }
  const { file, table } = newest;
  const chart = chartOf(file.name, table);
  const made: MadeFile[] = [
    { name: "summary.csv", data: bytes(summaryCsv(table)) },
    ...(chart ? [{ name: "chart.svg", data: bytes(drawChart(chart)) }] : []),
  ];
  return answering({
    source: `${file.name}: ${count(table.rows.length, "row")}, ${count(table.names.length, "column")}`,
    made,
    text: [
      `I summarised ${inline(file.name)} in [summary.csv](sandbox:/mnt/data/summary.csv).`,
      chart
        ? `A chart is attached, too: ${inline(describeChart(chart), 400)}`
        : "There was no column of numbers to draw a chart of.",
    ].join(" "),
  });
};

function chartOfValues(list: string, type = "bar"): Plan {
  const pairs = list
    .split(/[,;\n]/)
    .map((pair) => /^\s*(.+?)\s*=\s*(-?\d+(?:\.\d+)?)\s*$/.exec(pair));
  const bad = pairs.findIndex((pair) => !pair);
  if (bad !== -1) {
    return say(`Entry ${bad + 1} is not \`name=number\`. Try \`chart Mon=3, Tue=5, Wed=2\`.`);
  }
  const chart: Chart = {
    type: type.toLowerCase() === "pie" ? "pie" : type.toLowerCase() === "line" ? "line" : "bar",
    title: "Chart",
    labels: pairs.map((pair) => pair?.[1] ?? ""),
    series: [{ name: "value", values: pairs.map((pair) => Number(pair?.[2])) }],
  };
  const problem = chartProblem(chart);
  if (problem) return say(`I drew nothing. ${problem}`);
  return answering({
    source: `the message: ${count(pairs.length, "value")}`,
    made: [{ name: "chart.svg", data: bytes(drawChart(chart)) }],
    text: `Here is [chart.svg](sandbox:/mnt/data/chart.svg). ${inline(describeChart(chart), 400)}`,
  });
}

function answering({
  source,
  made,
  text,
}: {
  readonly source: string;
  readonly made: readonly MadeFile[];
  readonly text: string;
}): Plan {
  const written = made.map(
    ({ name, data }) => `wrote /mnt/data/${name} (${count(data.byteLength, "byte")})`,
  );
  return {
    type: "answer",
    acts: [
      {
        type: "compute",
        code: `# The demo brain runs no Python: it did this itself.\n# read ${source.replace(/\s+/g, " ")}\n${written.map((line) => `# ${line}`).join("\n")}`,
        logs: `${written.join("\n")}\n`,
        files: made,
      },
      { type: "say", text },
    ],
  };
}

function summaryCsv(table: Table): string {
  const head = [
    "column",
    "type",
    "filled",
    "empty",
    "distinct",
    "sum",
    "mean",
    "least",
    "greatest",
  ];
  const rows = factsOf(table).columns.map((one) => [
    one.name,
    one.type,
    String(one.filled),
    String(one.empty),
    String(one.distinct),
    one.sum ?? "",
    one.mean ?? "",
    one.min ?? "",
    one.max ?? "",
  ]);
  return `${[head, ...rows].map((row) => row.map(csvCell).join(",")).join("\n")}\n`;
}

function csvCell(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The first column of numbers, against the first column that names something. */
function chartOf(fileName: string, table: Table): Chart | undefined {
  const { columns } = factsOf(table);
  const index = columns.findIndex(({ type }) => type === "number");
  const numbers = numbersOf(table, index);
  if (index === -1 || !numbers) return undefined;
  const naming = columns.findIndex(({ type }) => type === "text" || type === "date");
  const points = numbers.flatMap((value, row) => {
    const label = table.rows[row]?.[naming]?.trim() || `row ${row + 1}`;
    return value ? [{ label, value: Number(value.n) / Number(value.d) }] : [];
  });
  const shown = points.slice(0, 60);
  const more =
    points.length > shown.length ? ` (first ${shown.length} of ${points.length} rows)` : "";
  const chart: Chart = {
    type: columns[naming]?.type === "date" || shown.length > 20 ? "line" : "bar",
    title: `${columns[index]?.name ?? "values"} in ${fileName}${more}`,
    labels: shown.map(({ label }) => label),
    series: [{ name: columns[index]?.name ?? "values", values: shown.map(({ value }) => value) }],
  };
  return chartProblem(chart) ? undefined : chart;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
