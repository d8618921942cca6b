import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ModelEvent, ModelTurn } from "#ports/model-backend";
import { profiles } from "../../../adapters/openai/profiles.ts";
import {
  createResponsesBackend,
  type ResponsesOptions,
} from "../../../adapters/openai/responses.ts";
import { systemTimers } from "../../../adapters/openai/stream.ts";
import {
  allOf,
  ask,
  assistantEntry,
  callEntry,
  endOf,
  failureOf,
  modelTurn,
  outputEntry,
  plainAssistant,
  stateAfter,
  textOf,
  turnFiles,
  userEntry,
} from "../../fakes/model-turn.ts";
import { eventByEvent } from "../../wire/event-by-event.ts";
import type { ScriptedTurn } from "../../wire/openai-answers.ts";
import { OpenAIServer } from "../../wire/openai-server.ts";

let server: OpenAIServer;

beforeEach(async () => {
  server = await new OpenAIServer().listen();
});

afterEach(async () => {
  await server.close();
});

function backendWith(options: Partial<ResponsesOptions> = {}) {
  return createResponsesBackend({
    apiKey: "test-key",
    baseUrl: server.url,
    profile: profiles.openai,
    // Longer than a busy machine ever pauses.
    idleTimeoutMs: 30_000,
    timers: { after: systemTimers.after, sleep: (_ms, signal) => systemTimers.sleep(1, signal) },
    ...options,
  });
}

function saying(...pieces: readonly string[]): ScriptedTurn {
  return { items: [{ type: "message", pieces }] };
}

/** A second turn of a conversation whose first one is `u1`, `a1`. */
function secondTurn(first: readonly ModelEvent[], more: Partial<ModelTurn> = {}): ModelTurn {
  return modelTurn({
    runId: "run_2",
    transcript: [
      userEntry("u1", "Hello"),
      assistantEntry("a1", textOf(first)),
      userEntry("u2", "Again"),
    ],
    state: stateAfter(first, "a1"),
    ...more,
  });
}

const noSignal = new AbortController().signal;

describe("going on from what the service keeps", () => {
  test("only what the last response does not cover is sent, with the instructions", async () => {
    const backend = backendWith();
    const first = await ask(backend, modelTurn());
    await ask(backend, secondTurn(first));
    const [, second] = server.asked;
    expect(second).toMatchObject({
      previous_response_id: "resp_1",
      instructions: "Be brief.",
      store: true,
    });
    expect(second).not.toHaveProperty("conversation");
    expect(JSON.stringify(second?.input)).toContain("Again");
    expect(JSON.stringify(second?.input)).not.toContain("Hello");
  });

  test("round after round of calls, each output is sent once", async () => {
    const backend = backendWith();
    const call = (callId: string): ScriptedTurn => ({
      items: [{ type: "call", callId, name: "lookup", arguments: "{}" }],
    });
    server.script(call("call_1"), call("call_2"), saying("Both found."));
    const transcript = [userEntry("u1", "Hello")];
    let turn = modelTurn({ transcript });
    for (const callId of ["call_1", "call_2"]) {
      const events = await ask(backend, turn);
      const entries = [callEntry(callId), outputEntry(callId, `output of ${callId}`)];
      turn = modelTurn({
        turn: turn.turn + 1,
        transcript: [...turn.transcript, ...entries],
        state: stateAfter(events, `entry-${callId}`),
      });
    }
    expect(textOf(await ask(backend, turn))).toBe("Both found.");
    expect(server.asked).toHaveLength(3);
    expect(server.asked[2]?.input).toEqual([
      { type: "function_call_output", call_id: "call_2", output: "output of call_2" },
    ]);
  });

  test("a response the service does not know any more is made up for from the transcript", async () => {
    const backend = backendWith();
    const first = await ask(backend, modelTurn());
    server.responses.clear();
    server.script(saying("Good as new."));
    const second = await ask(backend, secondTurn(first));
    expect(textOf(second)).toBe("Good as new.");
    expect(endOf(second).result.status).toBe("completed");
    const seeded = server.asked.at(-1);
    expect(seeded).not.toHaveProperty("previous_response_id");
    expect(JSON.stringify(seeded?.input)).toMatch(/Hello.*OK\..*Again/);
  });

  test("a service that ignores the id is noticed before it answers out of context", async () => {
    const backend = backendWith();
    const first = await ask(backend, modelTurn());
    server.ignoresState = true;
    server.script(saying("Who are you?"), saying("Hello again, Ada."));
    const second = await ask(backend, secondTurn(first));
    expect(textOf(second)).toBe("Hello again, Ada.");
    expect(JSON.stringify(server.asked.at(-1)?.input)).toContain("Hello");
    await ask(backend, secondTurn(first));
    expect(server.asked).toHaveLength(4);
    expect(server.asked[3]).not.toHaveProperty("previous_response_id");
  });

  test.each([
    ["the model changed", { assistant: { ...plainAssistant, model: "large" } }],
    [
      "only the last messages are wanted",
      {
        assistant: {
          ...plainAssistant,
          truncation_strategy: { type: "last_messages", last_messages: 3 } as const,
        },
      },
    ],
  ])("everything is sent when %s", async (_why, more) => {
    const backend = backendWith();
    const first = await ask(backend, modelTurn());
    await ask(backend, secondTurn(first, more));
    expect(server.asked[1]).not.toHaveProperty("previous_response_id");
    expect(JSON.stringify(server.asked[1]?.input)).toContain("Hello");
  });

  test("everything is sent when a covered message is not there any more", async () => {
    const backend = backendWith();
    const first = await ask(backend, modelTurn());
    const turn = secondTurn(first);
    await ask(backend, { ...turn, transcript: turn.transcript.filter((one) => one.id !== "a1") });
    expect(server.asked[1]).not.toHaveProperty("previous_response_id");
  });

  test("everything is sent when the state is nearly as old as the service keeps it", async () => {
    let now = Date.now();
    const backend = backendWith({ now: () => now });
    const first = await ask(backend, modelTurn());
    now += 26 * 86_400_000;
    await ask(backend, secondTurn(first));
    expect(server.asked[1]).not.toHaveProperty("previous_response_id");
  });

  test("a stopped, failed or cut answer is not left behind at the service", async () => {
    const backend = backendWith();
    server.script(
      { ...saying("a", "b", "c"), fault: { type: "cut", after: 6 } },
      { ...saying("Half"), end: { status: "incomplete", reason: "max_output_tokens" } },
    );
    await ask(backend, modelTurn());
    await ask(backend, modelTurn());
    await vi.waitFor(() => expect(server.responses.size).toBe(0));
  });

  test("forgetting deletes every response of the conversation, and its files", async () => {
    const backend = backendWith();
    const files = turnFiles({ id: "f1", filename: "a.txt", text: "alpha", use: "search" });
    const tools = { hostedTools: ["file_search"] as const, ...files };
    const first = await ask(
      backend,
      modelTurn({ transcript: [userEntry("u1", "Hello", { fileIds: ["f1"] })], ...tools }),
    );
    const second = await ask(backend, secondTurn(first, tools));
    // Another model begins a chain of its own.
    const third = await ask(
      backend,
      modelTurn({
        assistant: { ...plainAssistant, model: "large" },
        transcript: [
          ...secondTurn(first).transcript,
          assistantEntry("a2", "OK."),
          userEntry("u3", "?"),
        ],
        state: stateAfter(second, "a2"),
        ...tools,
      }),
    );
    expect(server.responses.size).toBe(3);
    expect(server.files.size).toBe(1);
    expect(server.vectorStores.size).toBe(1);
    await backend.forget(stateAfter(third, "a3"));
    expect(server.responses.size).toBe(0);
    expect(server.files.size).toBe(0);
    expect(server.vectorStores.size).toBe(0);
  });

  test("forgetting says when the service could not be reached", async () => {
    const backend = backendWith();
    const state = stateAfter(await ask(backend, modelTurn()), "a1");
    await server.close();
    await expect(backend.forget(state)).rejects.toMatchObject({ code: "model-unreachable" });
    server = await new OpenAIServer().listen();
  }, 30_000);
});

describe("running in the background", () => {
  const thinker = { ...plainAssistant, model: "gpt-5.5" };
  const words = Array.from({ length: 30 }, (_, i) => `word${i} `);
  const whole = words.join("");

  test.each([
    ["auto", "a plain model", {}, undefined],
    ["auto", "a reasoning model", { assistant: thinker }, true],
    ["auto", "hosted tools", { hostedTools: ["web_search"] as const }, true],
    ["on", "a plain model", {}, true],
    ["off", "a reasoning model", { assistant: thinker }, undefined],
  ] as const)("with %s, %s: %#", async (background, _what, more, expected) => {
    await ask(backendWith({ background }), modelTurn(more));
    expect(server.asked[0]?.background).toBe(expected);
    expect(server.asked[0]?.store).toBe(true);
  });

  test("never on a server that cannot", async () => {
    const backend = backendWith({ background: "on", profile: profiles.lmstudio });
    expect(backend.capabilities.resume).toBe(false);
    await ask(backend, modelTurn({ assistant: thinker }));
    expect(server.asked[0]).not.toHaveProperty("background");
  });

  test.each(["cut", "reset", "malformed", "hang"] as const)(
    "a connection that breaks (%s) costs no character and doubles none",
    async (type) => {
      server.script({
        ...saying(...words),
        fault: { type, after: 12 },
        resumeFaults: [{ type, after: 4 }, { type: "cut", after: 0 }, "unavailable"],
      });
      const backend = backendWith(type === "hang" ? { idleTimeoutMs: 1_000 } : {});
      const events = await ask(backend, modelTurn({ assistant: thinker }));
      expect(textOf(events)).toBe(whole);
      expect(endOf(events).result.status).toBe("completed");
      const resumed = server.requestsTo("GET", /^\/responses\/resp_1$/);
      expect(resumed[0]?.query.get("starting_after")).toBe("11");
      expect(resumed[1]?.query.get("starting_after")).toBe("15");
      expect(server.asked).toHaveLength(1);
    },
  );

  test("a service that repeats what it had sent is not repeated", async () => {
    server.repeatsItself = true;
    server.script({ ...saying(...words), fault: { type: "cut", after: 12 } });
    expect(textOf(await ask(backendWith(), modelTurn({ assistant: thinker })))).toBe(whole);
  });

  test("an answer that can no longer be streamed is asked for until it is there", async () => {
    server.script({
      ...saying(...words),
      fault: { type: "cut", after: 12 },
      resumeFaults: ["too-old"],
      pollsUntilDone: 3,
    });
    const events = await ask(backendWith(), modelTurn({ assistant: thinker }));
    expect(textOf(events)).toBe(whole);
    expect(server.requestsTo("GET", /resp_1/)).toHaveLength(5);
  });

  test("a stop cancels the response at the service", async () => {
    server.script({ ...saying(...words), fault: { type: "hang", after: 12 } });
    await stopAfterText(backendWith(), "stopped");
    await vi.waitFor(() => expect(server.requestsTo("POST", /resp_1\/cancel$/)).toHaveLength(1));
  });

  test.each(["shutdown", "lease-lost"])("a %s leaves the response running", async (reason) => {
    server.script({ ...saying(...words), fault: { type: "hang", after: 12 } });
    await stopAfterText(backendWith(), reason);
    // The next request arrives after whatever the driver sent.
    await ask(backendWith(), modelTurn());
    expect(server.requestsTo("POST", /cancel$/)).toHaveLength(0);
    expect(server.responses.has("resp_1")).toBe(true);
  });

  async function stopAfterText(backend: ReturnType<typeof backendWith>, reason: unknown) {
    const controller = new AbortController();
    for await (const event of backend.stream(
      modelTurn({ assistant: thinker }),
      controller.signal,
    )) {
      if (event.type === "text-delta") controller.abort(reason);
    }
  }

  test("another process goes on from any cursor, and misses and doubles nothing", async () => {
    const search = {
      type: "file-search",
      queries: ["q"],
      results: [{ file_id: "file_x", filename: "a.txt", score: 0.5, text: "found" }],
    } as const;
    server.script({
      items: [
        { type: "reasoning", summary: "Thinking hard." },
        search,
        { type: "code", code: "print(1)\nprint(2)", logs: "1\n2", containerId: "cntr_1" },
        { type: "message", pieces: ["On ", "it."], phase: "commentary" },
        {
          type: "message",
          pieces: [...words.slice(0, 5), "Get [it](sand", "box:/mnt/data/a.csv)", " now."],
          annotations: [
            {
              after: 2,
              annotation: {
                type: "file_citation",
                file_id: "file_x",
                filename: "a.txt",
                index: 17,
              },
            },
          ],
        },
        { type: "message", pieces: ["Good", "bye."] },
        { type: "call", callId: "call_1", name: "lookup", arguments: "{}" },
      ],
    });
    let now = 0;
    // Every event is half a second after the one before, so that each gives a cursor.
    const clock = { now: () => (now += 1000), background: "on" as const, fetch: eventByEvent };
    const turn = modelTurn({ hostedTools: ["code_interpreter", "file_search"] });
    const events = await ask(backendWith(clock), turn);
    expect(textOf(events)).toBe(
      "word0 word1 word2[a.txt] word3 word4 Get it (a.csv) now.\n\nGoodbye.",
    );
    const cursors = events.filter((event) => event.type === "cursor");
    expect(cursors.length).toBeGreaterThan(20);
    for (const cursor of cursors) {
      const position = events.indexOf(cursor);
      const stored = JSON.parse(JSON.stringify(cursor.cursor)) as typeof cursor.cursor;
      const another = backendWith({ background: "on", fetch: eventByEvent });
      const resumed = another.resume?.(turn, stored, noSignal);
      const rest = resumed === undefined ? [] : await allOf(resumed);
      expect(shown(rest)).toEqual(shown(events.slice(position)));
      // And the same when it is only there to be fetched.
      const kept = server.responses.get("resp_1");
      kept?.resumeFaults.push("too-old");
      const polled = another.resume?.(turn, stored, noSignal);
      expect(summary(polled === undefined ? [] : await allOf(polled))).toEqual(
        summary(events.slice(position)),
      );
    }
  });

  test("a response that is not there to be taken up is a failure that can be retried", async () => {
    const controller = new AbortController();
    server.script({ ...saying(...words), fault: { type: "hang", after: 12 } });
    let cursor: Extract<ModelEvent, { type: "cursor" }> | undefined;
    const turn = modelTurn({ assistant: thinker });
    for await (const event of backendWith().stream(turn, controller.signal)) {
      if (event.type === "cursor") cursor = event;
      if (event.type === "text-delta") controller.abort("shutdown");
    }
    server.responses.clear();
    if (cursor === undefined) throw new Error("no cursor");
    const resumed = backendWith().resume?.(turn, cursor.cursor, noSignal);
    expect(failureOf(resumed === undefined ? [] : await allOf(resumed))).toBe("model-failed");
  });

  test("a response somebody else cancelled is a failure, said in words", async () => {
    server.script({
      ...saying(...words),
      fault: { type: "cut", after: 12 },
      resumeFaults: ["too-old"],
    });
    const backend = backendWith();
    const events: ModelEvent[] = [];
    for await (const event of backend.stream(modelTurn({ assistant: thinker }), noSignal)) {
      events.push(event);
      const kept = server.responses.get("resp_1");
      if (kept !== undefined) kept.isCancelled = true;
    }
    expect(endOf(events).result).toMatchObject({
      status: "failed",
      detail: "The answer was cancelled at the service.",
    });
  });

  /** All that a person or the core gets to see. */
  function shown(events: readonly ModelEvent[]): readonly ModelEvent[] {
    return events.filter((event) => event.type !== "cursor").map(withoutTimes);
  }

  /** The same however it was cut into pieces. */
  function summary(events: readonly ModelEvent[]) {
    const steps: { [id: string]: string } = {};
    for (const event of events) {
      if (event.type === "step-start") steps[event.step.id] = `${event.step.title}:`;
      if (event.type === "step-delta") {
        steps[event.id] = `${steps[event.id] ?? ""}${event.input ?? ""}|${event.output ?? ""}`;
        steps[event.id] = (steps[event.id] ?? "").replaceAll("|", "");
      }
      if (event.type === "step-end") steps[event.id] = `${steps[event.id] ?? ""}.`;
    }
    return {
      text: textOf(events),
      steps,
      rest: events
        .filter((event) => ["tool-call", "turn-end", "file"].includes(event.type))
        .map(withoutTimes),
    };
  }

  function withoutTimes(event: ModelEvent): ModelEvent {
    return JSON.parse(JSON.stringify(event), (key, value) =>
      ["createdAtMs", "usedAtMs"].includes(key) ? 0 : value,
    );
  }
});

describe("what goes along with a request", () => {
  test("the assistant's settings, and names that say nothing about who asks", async () => {
    const assistant = { ...plainAssistant, temperature: 0.3, top_p: 0.9 };
    await ask(backendWith(), modelTurn({ assistant, maxCompletionTokens: 5 }));
    expect(server.asked[0]).toMatchObject({
      temperature: 0.3,
      top_p: 0.9,
      max_output_tokens: 16,
      metadata: { assistant: "asst_1", assistant_version: "3", run: "run_1", turn: "1" },
      stream_options: { include_obfuscation: false },
    });
    expect(server.asked[0]?.safety_identifier).toMatch(/^[0-9a-f]{48}$/);
    expect(JSON.stringify(server.asked[0])).not.toContain("web:ada");
  });

  test("a reasoning model is not given a temperature, and asked for a summary", async () => {
    const assistant = {
      ...plainAssistant,
      model: "gpt-5.5",
      temperature: 0.3,
      reasoning_effort: "low" as const,
    };
    await ask(backendWith(), modelTurn({ assistant }));
    expect(server.asked[0]).not.toHaveProperty("temperature");
    expect(server.asked[0]?.reasoning).toEqual({ effort: "low", summary: "auto" });
  });

  test("the beginning stays the same from turn to turn, for the provider's cache", async () => {
    const backend = backendWith();
    const spec = { name: "lookup", description: "Looks up.", parameters: { type: "object" } };
    const tools = { hostedTools: ["web_search"] as const, functions: [spec] };
    const first = await ask(backend, modelTurn(tools));
    await ask(backend, secondTurn(first, tools));
    const [one, two] = server.asked;
    expect(two?.tools).toEqual(one?.tools);
    expect(two?.instructions).toEqual(one?.instructions);
    expect(two?.prompt_cache_key).toEqual(one?.prompt_cache_key);
    expect(one?.tools).toEqual([
      { type: "web_search" },
      { type: "function", ...spec, strict: false },
    ]);
  });

  test("long conversations are shortened by the service", async () => {
    await ask(backendWith(), modelTurn());
    expect(server.asked[0]?.context_management).toEqual([
      { type: "compaction", compact_threshold: 100_000 },
    ]);
  });

  test("every call to the service is counted", async () => {
    const calls: string[] = [];
    const backend = backendWith({
      onCall: (operation, outcome) => calls.push(`${operation} ${outcome}`),
    });
    server.script({ refuse: { status: 429 } });
    await ask(backend, modelTurn());
    await ask(backend, modelTurn());
    await backend.models();
    expect(calls).toEqual(["responses.create 429", "responses.create ok", "models.list ok"]);
  });
});

describe("without anything kept at the service", () => {
  const replaying = () => backendWith({ store: false });

  test("everything is sent each time, in order, and no state", async () => {
    const backend = replaying();
    const first = await ask(backend, modelTurn());
    expect(endOf(first).result).toEqual({ status: "completed" });
    await ask(
      backend,
      modelTurn({
        transcript: [
          userEntry("u1", "Hello"),
          callEntry("call_1", "lookup", '{"x":1}'),
          outputEntry("call_1", "found"),
          assistantEntry("a1", "It is 1."),
          userEntry("u2", "Thanks"),
        ],
      }),
    );
    const body = server.asked[1];
    expect(body).toMatchObject({ store: false });
    for (const field of ["previous_response_id", "conversation", "background", "metadata"]) {
      expect(body).not.toHaveProperty(field);
    }
    expect(body?.input).toMatchObject([
      { role: "user" },
      { type: "function_call", call_id: "call_1" },
      { type: "function_call_output", call_id: "call_1" },
      { role: "assistant" },
      { role: "user" },
    ]);
  });

  test("the model's own thoughts go back to it, and to no other model", async () => {
    const backend = replaying();
    const thinker = { ...plainAssistant, model: "gpt-5.5" };
    server.script({
      items: [
        { type: "reasoning", summary: "", encrypted: "sealed" },
        { type: "message", pieces: ["Looking."], phase: "commentary" },
        { type: "message", pieces: ["Done."], phase: "final_answer" },
      ],
    });
    const first = await ask(backend, modelTurn({ assistant: thinker }));
    expect(server.asked[0]?.include).toEqual(["reasoning.encrypted_content"]);
    expect(textOf(first)).toBe("Done.");
    const { result } = endOf(first);
    const items = result.status === "completed" ? (result.items ?? []) : [];
    const transcript = [
      userEntry("u1", "Hello"),
      ...items.map(
        (item, i) => ({ type: "backend", id: `b${i}`, backend: "responses", item }) as const,
      ),
      assistantEntry("a1", "Done."),
      userEntry("u2", "And?"),
    ];
    await ask(backend, modelTurn({ assistant: thinker, transcript }));
    expect(server.asked[1]?.input).toMatchObject([
      { role: "user" },
      { type: "reasoning", encrypted_content: "sealed" },
      { type: "message", phase: "commentary" },
      { role: "assistant", content: "Done.", phase: "final_answer" },
      { role: "user" },
    ]);
    await ask(backend, modelTurn({ transcript }));
    expect(JSON.stringify(server.asked[2])).not.toContain("sealed");
  });

  test("thoughts the service cannot read any more are left out", async () => {
    const item = {
      model: "small",
      item: { type: "reasoning", id: "rs", summary: [], encrypted_content: "x" },
    };
    const transcript = [
      userEntry("u1", "Hello"),
      { type: "backend", id: "b", backend: "responses", item } as const,
      userEntry("u2", "And?"),
    ];
    const error = { code: "invalid_encrypted_content", message: "could not be verified" };
    server.script({ refuse: { status: 400, error } }, saying("Fine."));
    expect(textOf(await ask(replaying(), modelTurn({ transcript })))).toBe("Fine.");
    expect(JSON.stringify(server.asked[1])).not.toContain("encrypted_content");
  });

  test("what the service compacted is not sent again", async () => {
    const item = {
      model: "small",
      item: { type: "compaction", id: "cmp", encrypted_content: "x" },
    };
    const transcript = [
      userEntry("u1", "Old news"),
      { type: "backend", id: "b", backend: "responses", item } as const,
      assistantEntry("a1", "As I said."),
      userEntry("u2", "And?"),
    ];
    await ask(replaying(), modelTurn({ transcript }));
    expect(server.asked[0]?.input).toMatchObject([
      { type: "compaction" },
      { role: "assistant" },
      { role: "user" },
    ]);
  });
});
