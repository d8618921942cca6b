import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { IncomingMessage } from "#domain/message";
import type { ModelTurn } from "#ports/model-backend";
import { createAssistantLibrary } from "../../adapters/yaml/assistant-library.ts";
import { allTools } from "../fakes/all-tools.ts";
import { decodePng } from "../fakes/png.ts";
import { ScriptedBackend, type ScriptStep } from "../fakes/scripted-backend.ts";
import { ada, grace, placeOf, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

const patience = { timeout: 20_000 };
const examples = join(import.meta.dirname, "../../examples/tools");
const library = createAssistantLibrary({ folder: undefined, maxFileBytes: 1_000_000 });

/** What a model does, by the words of the last message, and by what a tool gave. */
function model(asked: (said: string) => readonly ScriptStep[]) {
  return new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    if (last?.type === "tool-output") return [{ type: "say", text: `It says: ${last.output}` }];
    return asked(last?.type === "user" ? last.text : "");
  });
}

async function start(backend: ScriptedBackend, template: string) {
  await world.start({
    backend,
    library,
    tools: await allTools(examples),
    searches: true,
    handOverChannels: [{ platform: "fake", channel: "support" }],
  });
  const { file } = (await library.templates()).find(({ name }) => name === template) ?? {};
  for (const command of [`create from ${template}`, `use ${file?.name}`]) {
    const answer = await world.say(`/assistant ${command}`, { role: "manager" });
    expect(answer).toMatchObject({ status: "command", answer: { ok: true } });
  }
}

let answered = 0;
/** Says something and waits for the run to end; gives the reply. */
async function ask(text: string, more: Partial<IncomingMessage> = {}, thread = "talk") {
  answered += 1;
  const expected = answered;
  expect(await world.say(text, { place: placeOf(thread), ...more })).toMatchObject({
    status: "accepted",
  });
  await vi.waitFor(() => expect(world.metrics.runs).toHaveLength(expected), patience);
  const view = world.screen.messages().at(-1)?.view;
  if (!view) throw new Error("nothing is shown");
  return view;
}
beforeEach(() => {
  answered = 0;
});

const functionsOf = (turn: ModelTurn | undefined) => turn?.functions.map(({ name }) => name).sort();

test("every tool an example names is one there is", async () => {
  const there = new Set([
    ...(await allTools(examples)).map(({ spec }) => spec.name),
    "code_interpreter",
  ]);
  for (const { name, file } of await library.templates()) {
    const named = file.tools === "all" ? [] : file.tools;
    expect(
      named.filter((tool) => !there.has(tool)),
      name,
    ).toEqual([]);
  }
});

describe("customer service, a conversation for each person", () => {
  const orders = (said: string): readonly ScriptStep[] => {
    if (said.includes("person")) {
      const arguments_ = { reason: "Asked for one", summary: said };
      return [{ type: "call", name: "hand_over", arguments: arguments_ }];
    }
    const [order, email] = said.split(" ");
    if (order?.startsWith("A-") && email) {
      return [{ type: "call", name: "order_status", arguments: { order, email } }];
    }
    return [{ type: "call", name: "stock", arguments: { name: said } }];
  };

  test("tells an order only to who placed it, and what is in stock", async () => {
    const backend = model(orders);
    await start(backend, "customer-service");
    const own = await ask("A-1042 ada@example.com");
    expect(own.text).toContain('"state":"sent"');
    expect(own.text).not.toContain("ada@example.com");
    expect(functionsOf(backend.turns[0])).toEqual([
      "ask_form",
      "calculate",
      "current_time",
      "file_search",
      "hand_over",
      "order_status",
      "stock",
    ]);
    expect((await ask("A-1042 eve@example.com")).text).toContain("Nothing fits");
    expect((await ask("lamp")).text).toContain('"name":"Floor lamp","left":"0"');
  });

  test("hands one customer over and goes on with the others", async () => {
    const backend = model(orders);
    await start(backend, "customer-service");
    const scoped = await world.say("/assistant scope person", { role: "manager" });
    expect(scoped).toMatchObject({ answer: { ok: true } });
    await ask("I want a person");
    expect(world.screen.notes).toMatchObject([{ channel: "support" }]);
    expect(await world.say("Hello?", { author: ada })).toEqual({ status: "handed-over" });
    expect((await ask("lamp", { author: grace })).text).toContain("Desk lamp");
    expect(JSON.stringify(backend.turns.at(-1)?.transcript)).not.toContain("I want a person");
  });
});

test("the data analyst says what a table holds, draws it, and gives a cleaned one back", async () => {
  const sums = "SELECT month, sum(amount) AS total FROM sales GROUP BY month ORDER BY month";
  const encoding = {
    x: { field: "month", type: "ordinal" },
    y: { field: "total", type: "quantitative", title: "Sales (EUR)" },
  };
  const calls: { readonly [said: string]: readonly [name: string, args: object] } = {
    "What is in it?": ["query_data", {}],
    "Which month was best?": ["query_data", { sql: sums }],
    "Draw it": [
      "draw_chart",
      { title: "Sales", alt_text: "Two months", spec: { mark: "bar", encoding }, sql: sums },
    ],
    "Clean it": [
      "query_data",
      { sql: "SELECT DISTINCT * FROM sales ORDER BY ALL", save_as: "Clean sales" },
    ],
  };
  const backend = model((said) => {
    const [, call] = Object.entries(calls).find(([words]) => said.includes(words)) ?? [];
    if (!call) throw new Error(`nobody knows what to do with ${said}`);
    return [{ type: "call", name: call[0], arguments: { ...call[1] } }];
  });
  await start(backend, "data-analyst");
  const table = "month,amount,note\nJan,3,=1+1\nFeb,4,\nJan,3,=1+1\n";
  const read = await ask("What is in it?", { attachments: [world.attach("sales.csv", table)] });
  expect(read.text).toContain('"columns":{"month":"VARCHAR","amount":"BIGINT","note":"VARCHAR"}');
  expect(functionsOf(backend.turns[0])).toEqual([
    "ask_form",
    "calculate",
    "draw_chart",
    "file_search",
    "publish_report",
    "query_data",
    "summarise_table",
  ]);
  const found = await ask("Which month was best?");
  expect(found.text).toContain('"rows":[["Feb",4],["Jan",6]]');
  const drawn = await ask("Draw it");
  expect(drawn.files).toMatchObject([
    { name: "sales.png", mimeType: "image/png", altText: "Sales. Two months" },
  ]);
  expect(decodePng(await world.files.read(drawn.files[0]?.id ?? "")).width).toBeGreaterThan(500);
  const cleaned = await ask("Clean it");
  expect(cleaned.files).toMatchObject([{ name: "clean-sales.csv", mimeType: "text/csv" }]);
  const file = await world.files.read(cleaned.files[0]?.id ?? "");
  expect(new TextDecoder().decode(file)).toBe("month,amount,note\r\nFeb,4,\r\nJan,3,'=1+1\r\n");
});

test("the maths tutor shows a quiz and reads the answers", async () => {
  const questions = [
    { question_text: "2 + 2?", question_type: "MULTIPLE_CHOICE", choices: ["3", "4"] },
    { question_text: "Why?", question_type: "FREE_RESPONSE" },
  ];
  const quiz = { title: "Sums", questions };
  const backend = model(() => [{ type: "call", name: "display_quiz", arguments: quiz }]);
  await start(backend, "maths-tutor");
  await world.say("quiz me");
  await vi.waitFor(() => expect(world.lastView().requests).toHaveLength(1), patience);
  const [request] = world.lastView().requests;
  await world.bot.decide({
    requestId: request?.id ?? "",
    by: ada,
    role: "person",
    decision: { type: "answer", answers: { q1: "4", q2: "" } },
  });
  await vi.waitFor(() => expect(world.metrics.runs).toHaveLength(1), patience);
  expect(world.lastView().text).toContain('"name":"Ada"');
  expect(world.lastView().text).toContain('{"question_text":"Why?","answer":null}');
  expect(backend.turns[0]?.instructions).toContain("## Rules");
});
