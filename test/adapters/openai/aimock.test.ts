import { LLMock } from "@copilotkit/aimock";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ModelBackend, ModelEvent } from "#ports/model-backend";
import { createChatBackend } from "../../../adapters/openai/chat-completions.ts";
import { profiles } from "../../../adapters/openai/profiles.ts";
import { createResponsesBackend } from "../../../adapters/openai/responses.ts";
import {
  ask,
  callEntry,
  endOf,
  failureOf,
  modelTurn,
  outputEntry,
  plainAssistant,
  textOf,
  userEntry,
} from "../../fakes/model-turn.ts";
import { eventByEvent } from "../../wire/event-by-event.ts";

/** A server somebody else wrote keeps us from talking only to our own idea of the protocol. */
const usual = { apiKey: "test-key", fetch: eventByEvent };
const drivers: readonly (readonly [string, (url: string) => ModelBackend])[] = [
  [
    "responses, replayed",
    (url) =>
      createResponsesBackend({ ...usual, baseUrl: `${url}/v1`, profile: profiles.openrouter }),
  ],
  [
    "responses, with state that the server ignores",
    (url) => createResponsesBackend({ ...usual, baseUrl: `${url}/v1`, profile: profiles.openai }),
  ],
  [
    "chat completions",
    (url) => createChatBackend({ ...usual, baseUrl: `${url}/v1`, profile: profiles.openai }),
  ],
  [
    "chat completions below a router's path",
    (url) =>
      createChatBackend({ ...usual, baseUrl: `${url}/api/v1`, profile: profiles.openrouter }),
  ],
];

describe.each(drivers)("an independent server, over %s,", (_name, create) => {
  let mock: LLMock;
  let backend: ModelBackend;

  beforeEach(async () => {
    mock = new LLMock({ port: 0, host: "127.0.0.1", chunkSize: 4 });
    await mock.start();
    backend = create(mock.url);
  });

  afterEach(async () => {
    await mock.stop();
  });

  test("answers in pieces that are the answer", async () => {
    mock.onMessage("Hello", { content: "Good morning, it is a fine day." });
    const events = await ask(backend, modelTurn());
    expect(textOf(events)).toBe("Good morning, it is a fine day.");
    expect(events.length).toBeGreaterThan(4);
    expect(endOf(events).result.status).toBe("completed");
  });

  test("calls functions and goes on with what they returned", async () => {
    mock.on(
      { userMessage: "Hello", hasToolResult: false },
      {
        toolCalls: [
          { id: "call_1", name: "lookup", arguments: '{"what":"a"}' },
          { id: "call_2", name: "lookup", arguments: '{"what":"b"}' },
        ],
      },
    );
    mock.on({ hasToolResult: true, toolCallId: "call_2" }, { content: "Found both." });
    const first = await ask(backend, modelTurn());
    const calls = first.flatMap((event) => (event.type === "tool-call" ? event : []));
    expect(calls.map((call) => [call.callId, call.arguments])).toEqual([
      ["call_1", '{"what":"a"}'],
      ["call_2", '{"what":"b"}'],
    ]);
    const transcript = [
      userEntry("u1", "Hello"),
      ...calls.map((call) => callEntry(call.callId, call.name, call.arguments)),
      outputEntry("call_1", "A"),
      outputEntry("call_2", "B"),
    ];
    const state = stateOf(first);
    const turn = modelTurn({
      turn: 2,
      transcript,
      ...(state === undefined ? {} : { state: { ...state, covers: "entry-call_2" } }),
    });
    expect(textOf(await ask(backend, turn))).toBe("Found both.");
  });

  test("shows its thoughts as a step", async () => {
    mock.on({ userMessage: "Hello" }, { content: "42", reasoning: "Let me think." });
    const assistant = { ...plainAssistant, model: "gpt-5.5" };
    const events = await ask(backend, modelTurn({ assistant }));
    expect(textOf(events)).toBe("42");
    const thought = events.flatMap((event) =>
      event.type === "step-delta" ? (event.output ?? "") : [],
    );
    expect(thought.join("")).toBe("Let me think.");
  });

  test.each([
    [429, { message: "slow", type: "rate_limit_error" }, "model-busy"],
    [500, { message: "x", type: "server_error" }, "model-failed"],
    [
      400,
      { message: "maximum context length is 8192 tokens", type: "invalid_request_error" },
      "context-too-long",
    ],
  ])("fails with %s and is understood", async (status, error, code) => {
    mock.on({ userMessage: "Hello" }, { error, status });
    expect(failureOf(await ask(backend, modelTurn()))).toBe(code);
  });

  test("says how long to wait", async () => {
    const error = { message: "slow", type: "rate_limit_error" };
    mock.on({ userMessage: "Hello" }, { error, status: 429, retryAfter: 2 });
    expect(endOf(await ask(backend, modelTurn())).result).toMatchObject({ retryAfterMs: 2000 });
  });

  test.each([
    ["is truncated", { truncateAfterChunks: 4, latency: 15 }],
    ["breaks off", { disconnectAfterMs: 40, latency: 15 }],
  ])("%s in the middle, and that is no answer", async (_how, options) => {
    const content = "A fairly long answer that will never be complete. ".repeat(5);
    mock.on({ userMessage: "Hello" }, { content }, options);
    expect(failureOf(await ask(backend, modelTurn()))).toBe("stream-cut");
  });
});

function stateOf(events: readonly ModelEvent[]) {
  const { result } = endOf(events);
  return result.status === "completed" ? result.state : undefined;
}
