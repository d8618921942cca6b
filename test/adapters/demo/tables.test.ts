import type { ResponseFunctionToolCall, Tool } from "openai/resources/responses/responses";
import { describe, expect, test } from "vitest";
import { createDrawChart } from "../../../src/tools/draw-chart.ts";
import { createQueryData } from "../../../src/tools/query-data.ts";
import { answerOf, demoClient, messageWith, upload } from "./demo-client.ts";

const unused = () => Promise.reject(new Error("nothing is run here"));
const engine = { query: unused, describe: unused };
const dataTools = [
  createQueryData(engine, { maxFileBytes: 1 }),
  createDrawChart({ paint: unused }, engine),
];
const tools = dataTools.map(
  ({ spec }): Tool => ({
    type: "function",
    strict: false,
    ...spec,
    parameters: { ...spec.parameters },
  }),
);

/** The call that a message about an attached table leads to, with arguments the tool accepts. */
async function callFor(text: string) {
  const client = demoClient();
  const id = await upload(client, "Sales 2024.csv", 'Month,"Net ""x"" sales"\nJan,1\nFeb,2\n');
  const { response, text: said } = await answerOf(client, messageWith(text, [id]), { tools });
  const call = response.output.find(
    (item): item is ResponseFunctionToolCall => item.type === "function_call",
  );
  if (!call) return { said };
  const args = JSON.parse(call.arguments);
  const tool = dataTools.find(({ spec }) => spec.name === call.name);
  expect(tool?.check(args)).toMatchObject({ ok: true });
  return { said, name: call.name, args };
}

describe("a table that was sent", () => {
  test("is drawn by asking for a chart of one column by another", async () => {
    expect(await callFor('draw a line chart of net "x" sales by month')).toMatchObject({
      name: "draw_chart",
      args: {
        title: 'Net "x" sales by Month',
        sql: `SELECT "Month", sum("Net ""x"" sales") AS "Net ""x"" sales" FROM (SELECT *, row_number() OVER () AS "row" FROM "Sales 2024.csv") GROUP BY "Month" ORDER BY min("row")`,
        spec: { mark: "line", encoding: { x: { field: "Month" } } },
      },
    });
    const { said } = await callFor("chart of profit by month");
    expect(said).toContain("has no column called profit. Its columns: Month");
  });

  test("is told, asked and cleaned", async () => {
    expect(await callFor("tables")).toMatchObject({ name: "query_data", args: {} });
    expect(await callFor("query SELECT 1")).toMatchObject({ args: { sql: "SELECT 1" } });
    expect(await callFor("clean the table")).toMatchObject({
      args: { save_as: "cleaned Sales 2024.csv", sql: expect.stringContaining("GROUP BY") },
    });
  });

  test("is left alone where the functions are not on", async () => {
    const { text } = await answerOf(demoClient(), "tables");
    expect(text).toContain("needs the function `query_data`, which is not on");
  });
});

test("rows that come back are shown as a table", async () => {
  const client = demoClient();
  const asked = await answerOf(client, "query SELECT 1", { tools });
  const call = asked.response.output.find((item) => item.type === "function_call");
  const rows = Array.from({ length: 14 }, (_, i) => [i, "a|b", null]);
  const output = JSON.stringify({ columns: { n: "INTEGER", t: "VARCHAR", e: "INTEGER" }, rows });
  const { text } = await answerOf(
    client,
    [
      {
        type: "function_call_output",
        call_id: call?.call_id ?? "",
        output: `${output}\n\n[Attached to this reply: a.csv]`,
      },
    ],
    { tools, previous_response_id: asked.response.id },
  );
  expect(text).toContain("| n | t | e |\n| --- | --- | --- |\n| 0 | a\\|b |  |");
  expect(text).toContain("2 more rows.");
});
