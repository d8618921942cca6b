import { describe, expect, test } from "vitest";
import type { ModelEvent, ModelTurn } from "#ports/model-backend";
import { createDemoFetch, demoBaseUrl } from "../../../adapters/demo/demo-fetch.ts";
import { createResponsesBackend } from "../../../adapters/openai/responses.ts";
import {
  ask,
  assistantEntry,
  callEntry,
  endOf,
  failureOf,
  modelTurn,
  outputEntry,
  textOf,
  turnFiles,
  userEntry,
} from "../../fakes/model-turn.ts";

/** The driver as it comes, over the demo brain: what is tried without a key is what runs with one. */
function demoBackend() {
  return createResponsesBackend({
    apiKey: "demo",
    baseUrl: demoBaseUrl,
    fetch: createDemoFetch({ tokensPerSecond: Number.POSITIVE_INFINITY }),
  });
}

const hostedTools = demoBackend().capabilities.hostedTools;

function saying(text: string, more: Partial<ModelTurn> = {}): ModelTurn {
  const fileIds = [...(more.files?.keys() ?? [])];
  return modelTurn({ hostedTools, transcript: [userEntry("u1", text, { fileIds })], ...more });
}

function filesOf(events: readonly ModelEvent[]): readonly string[] {
  return events.flatMap((event) => (event.type === "file" ? event.file.name : []));
}

describe("the demo brain under the driver", () => {
  test("answers, and says what it is", async () => {
    const text = textOf(await ask(demoBackend(), saying("what is 2+2*3")));
    expect(text).toContain("no model");
    expect(text).toContain("8");
  });

  test("makes a file, which is delivered", async () => {
    expect(filesOf(await ask(demoBackend(), saying("chart a=1, b=2")))).toEqual(["chart.svg"]);
  });

  test("sums up a table", async () => {
    const table = {
      id: "t1",
      filename: "t.csv",
      mime_type: "text/csv",
      use: "compute" as const,
      text: "name,amount\na,40\nb,2\n",
    };
    const events = await ask(demoBackend(), saying("sum of amount", turnFiles(table)));
    expect(textOf(events)).toContain("42");
  });

  test("finds a passage and cites our file", async () => {
    const text = "The sea is deep.\n\nWhales sing at night.\n\nThe end.";
    const file = { id: "s1", filename: "sea.txt", use: "search" as const, text };
    const events = await ask(demoBackend(), saying("search whales", turnFiles(file)));
    expect(events).toContainEqual({
      type: "citation",
      source: expect.objectContaining({ title: "sea.txt", fileId: "s1" }),
    });
  });

  test("calls a function by name and reads what it returned", async () => {
    const backend = demoBackend();
    const functions = [
      {
        name: "lookup",
        description: "Looks something up.",
        parameters: {
          type: "object",
          properties: { what: { type: "string" } },
          required: ["what"],
        },
      },
    ];
    const first = await ask(backend, saying('call lookup {"what":"tea"}', { functions }));
    const [call] = first.flatMap((event) => (event.type === "tool-call" ? event : []));
    expect(JSON.parse(call?.arguments ?? "null")).toEqual({ what: "tea" });
    const { result } = endOf(first);
    if (call === undefined || result.status !== "completed" || result.state === undefined) {
      throw new Error("no call");
    }
    const said = textOf(first);
    const events = await ask(
      backend,
      modelTurn({
        turn: 2,
        functions,
        hostedTools,
        transcript: [
          userEntry("u1", 'call lookup {"what":"tea"}'),
          ...(said === "" ? [] : [assistantEntry("a1", said)]),
          callEntry(call.callId, call.name, call.arguments),
          outputEntry(call.callId, "Tea is a drink."),
        ],
        state: { ...result.state, covers: `entry-${call.callId}` },
      }),
    );
    expect(textOf(events)).toContain("Tea is a drink.");
  });

  test.each([
    ["fail 429", "model-busy"],
    ["fail 500", "model-failed"],
  ])("%s fails as %s", async (text, code) => {
    expect(failureOf(await ask(demoBackend(), saying(text)))).toBe(code);
  });

  test("a stream it cuts is taken up again without anybody noticing", async () => {
    const events = await ask(demoBackend(), saying("fail cut"));
    expect(textOf(events)).toContain("This is the end of it.");
    expect(endOf(events).result.status).toBe("completed");
  });

  test("a long answer comes whole", async () => {
    const text = textOf(await ask(demoBackend(), saying("long 30000")));
    expect(text.length).toBeGreaterThan(25_000);
  });

  test("what it remembers is forgotten, and made up for from the transcript", async () => {
    const backend = demoBackend();
    const first = await ask(backend, saying("My tea is green"));
    const { result } = endOf(first);
    if (result.status !== "completed" || result.state === undefined) throw new Error("no state");
    const state = { ...result.state, covers: "a1" };
    await backend.forget(state);
    const transcript = [
      userEntry("u1", "My tea is green"),
      assistantEntry("a1", textOf(first)),
      userEntry("u2", "what did I say?"),
    ];
    const answer = await ask(backend, modelTurn({ hostedTools, transcript, state }));
    expect(textOf(answer)).toContain("My tea is green");
  });
});
