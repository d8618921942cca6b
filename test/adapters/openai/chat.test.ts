import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ChatOptions, createChatBackend } from "../../../adapters/openai/chat-completions.ts";
import { ChatReader } from "../../../adapters/openai/chat-events.ts";
import { profiles } from "../../../adapters/openai/profiles.ts";
import {
  ask,
  assistantEntry,
  callEntry,
  endOf,
  failureOf,
  modelTurn,
  outputEntry,
  plainAssistant,
  textOf,
  turnFiles,
  userEntry,
} from "../../fakes/model-turn.ts";
import { OpenAIServer } from "../../wire/openai-server.ts";

let server: OpenAIServer;

beforeEach(async () => {
  server = await new OpenAIServer().listen();
});

afterEach(async () => {
  await server.close();
});

function backendWith(options: Partial<ChatOptions> = {}) {
  return createChatBackend({
    apiKey: "test-key",
    baseUrl: server.url,
    profile: profiles.ollama,
    ...options,
  });
}

/** What a server's chunks come to. */
function read(
  chunks: readonly object[],
  turn = modelTurn(),
): {
  readonly reader: ChatReader;
  readonly events: readonly ReturnType<ChatReader["feed"]>[number][];
} {
  const reader = new ChatReader(turn);
  const events = chunks.flatMap((chunk) => reader.feed(chunk));
  return { reader, events: [...events, ...reader.finish()] };
}

function delta(delta: object, finish: string | null = null) {
  return { choices: [{ index: 0, delta, finish_reason: finish }] };
}

function callsOf(events: readonly object[]) {
  return events.filter((event) => "type" in event && event.type === "tool-call");
}

describe("files that are searched", () => {
  const fileSearch = { name: "file_search", description: "Searches", parameters: {} };
  const file = { id: "f1", filename: "long.pdf", text: "pages and pages", use: "search" } as const;

  test("are named instead of shown where the bot searches itself, and shown where nobody does", async () => {
    const shown: string[] = [];
    for (const functions of [[fileSearch], []]) {
      await ask(
        backendWith(),
        modelTurn({
          functions,
          ...turnFiles(file),
          transcript: [userEntry("u1", "What does it say?", { fileIds: ["f1"] })],
        }),
      );
      shown.push(JSON.stringify(server.asked.at(-1)?.messages));
    }
    expect(shown[0]).toContain("[long.pdf can be searched with file search]");
    expect(shown[0]).not.toContain("pages and pages");
    expect(shown[1]).toContain("pages and pages");
  });
});

describe("what is sent", () => {
  test("the transcript as messages, neighbours of one role together", async () => {
    const transcript = [
      userEntry("u1", "Look it up"),
      userEntry("u2", "Quickly", { author: "Grace" }),
      assistantEntry("a1", "Looking."),
      callEntry("call_1", "lookup", ""),
      callEntry("call_2", "lookup", '{"x":1}'),
      outputEntry("call_2", "two"),
      outputEntry("call_1", "one"),
      assistantEntry("a2", "Done."),
      userEntry("u3", "Thanks"),
    ];
    await ask(backendWith(), modelTurn({ transcript }));
    expect(server.asked[0]?.messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Ada writes:\n\nLook it up\n\nGrace writes:\n\nQuickly" },
      {
        role: "assistant",
        content: "Looking.",
        tool_calls: [
          { id: "call_1", type: "function", function: { name: "lookup", arguments: "{}" } },
          { id: "call_2", type: "function", function: { name: "lookup", arguments: '{"x":1}' } },
        ],
      },
      { role: "tool", tool_call_id: "call_1", content: "one" },
      { role: "tool", tool_call_id: "call_2", content: "two" },
      { role: "assistant", content: "Done." },
      { role: "user", content: "Ada writes:\n\nThanks" },
    ]);
  });

  test("summaries stand where they are, and other backends' items are left out", async () => {
    const transcript = [
      { type: "summary", id: "s1", text: "They greeted." } as const,
      { type: "backend", id: "b1", backend: "responses", item: { secret: "x" } } as const,
      userEntry("u1", "Go on"),
    ];
    await ask(backendWith(), modelTurn({ transcript }));
    const sent = JSON.stringify(server.asked[0]?.messages);
    expect(sent).toContain("Summary of the conversation before this point:\\nThey greeted.");
    expect(sent).not.toContain("secret");
  });

  test("documents as text, cut at the limit, and pictures as data", async () => {
    const transcript = [userEntry("u1", "Read", { fileIds: ["d1", "p1", "z1"] })];
    const files = turnFiles(
      { id: "d1", filename: "d.pdf", mime_type: "application/pdf", text: "0123456789abc" },
      { id: "p1", filename: "p.png", mime_type: "image/png", text: "PNG" },
      { id: "z1", filename: "z.zip", mime_type: "application/zip" },
    );
    const backend = backendWith({ maxDocumentCharacters: 10 });
    expect(backend.capabilities).toMatchObject({ documents: false, hostedTools: [] });
    await ask(backend, modelTurn({ transcript, ...files, hostedTools: ["web_search"] }));
    expect(server.asked[0]?.messages).toMatchObject([
      {},
      {
        content: [
          { type: "text", text: "Ada writes:" },
          {
            text: '<document name="d.pdf">\n0123456789\n[The document goes on; the rest was left out.]\n</document>',
          },
          { type: "image_url", image_url: { url: "data:image/png;base64,UE5H" } },
          { text: "[z.zip cannot be shown to you]" },
          { text: "Read" },
        ],
      },
    ]);
    expect(server.asked[0]).not.toHaveProperty("tools");
  });

  test("no picture to a server that sees none", async () => {
    const transcript = [userEntry("u1", "See", { fileIds: ["p1"] })];
    const files = turnFiles({ id: "p1", filename: "p.png", mime_type: "image/png" });
    await ask(backendWith({ profile: profiles.deepseek }), modelTurn({ transcript, ...files }));
    expect(JSON.stringify(server.asked[0])).toContain("[p.png cannot be shown to you]");
  });

  test.each([
    ["a local server", profiles.ollama, { max_tokens: 50 }],
    ["OpenAI itself", profiles.openai, { max_completion_tokens: 50 }],
  ])("the limit of an answer by the name that %s knows", async (_who, profile, expected) => {
    await ask(backendWith({ profile }), modelTurn({ maxCompletionTokens: 50 }));
    expect(server.asked[0]).toMatchObject(expected);
    expect(server.asked[0]).toMatchObject({ stream_options: { include_usage: true } });
  });

  test("no temperature to a reasoning model", async () => {
    const assistant = { ...plainAssistant, model: "o4-mini", temperature: 1, top_p: 1 };
    await ask(backendWith(), modelTurn({ assistant }));
    expect(server.asked[0]).not.toHaveProperty("temperature");
    expect(server.asked[0]).not.toHaveProperty("top_p");
  });
});

describe("what comes back", () => {
  test.each([
    [
      "interleaved by index",
      [
        { index: 0, id: "call_a", function: { name: "one", arguments: '{"a"' } },
        { index: 1, id: "call_b", function: { name: "two", arguments: '{"b"' } },
        { index: 0, function: { arguments: ":1}" } },
        { index: 1, function: { arguments: ":2}" } },
      ],
    ],
    [
      "all numbered 0, told apart by id",
      [
        { index: 0, id: "call_a", function: { name: "one", arguments: '{"a":1}' } },
        { index: 0, id: "call_b", function: { name: "two", arguments: '{"b":2}' } },
      ],
    ],
    [
      "without an index",
      [
        { id: "call_a", function: { name: "one", arguments: '{"a":1}' } },
        { id: "call_b", function: { name: "two", arguments: '{"b":' } },
        { function: { arguments: "2}" } },
      ],
    ],
    [
      "with the name repeated in every piece",
      [
        { index: 0, id: "call_a", function: { name: "one", arguments: "" } },
        { index: 0, id: "call_a", function: { name: "one", arguments: '{"a":1}' } },
        { index: 1, id: "call_b", function: { name: "two", arguments: '{"b":2}' } },
      ],
    ],
    [
      "as objects where the protocol says text",
      [
        { index: 0, id: "call_a", function: { name: "one", arguments: { a: 1 } } },
        { index: 1, id: "call_b", function: { name: "two", arguments: { b: 2 } } },
      ],
    ],
  ])("calls in pieces, %s", (_how, pieces) => {
    const chunks = pieces.map((piece) => delta({ tool_calls: [piece] }));
    const { events } = read([...chunks, delta({}, "tool_calls")]);
    expect(callsOf(events)).toEqual([
      { type: "tool-call", callId: "call_a", name: "one", arguments: '{"a":1}' },
      { type: "tool-call", callId: "call_b", name: "two", arguments: '{"b":2}' },
    ]);
  });

  test("calls without an id, or with one that was used before, get one of their own", () => {
    const turn = modelTurn({ transcript: [callEntry("call_0"), outputEntry("call_0", "x")] });
    const pieces = [
      { index: 0, id: "call_0", function: { name: "one", arguments: "{}" } },
      { index: 1, id: "", function: { name: "two", arguments: "{}" } },
    ];
    const { events } = read([delta({ tool_calls: pieces }), delta({}, "stop")], turn);
    expect(callsOf(events)).toMatchObject([
      { callId: "call_run_1_1_0" },
      { callId: "call_run_1_1_1" },
    ]);
  });

  test("an answer counts although the usage never comes", async () => {
    server.script({ fault: { type: "cut", after: 4 } });
    const events = await ask(backendWith(), modelTurn());
    expect(textOf(events)).toBe("OK.");
    expect(endOf(events)).toMatchObject({
      usage: { total_tokens: 0 },
      result: { status: "completed" },
    });
  });

  test("an error in the middle of a stream that began well is an error", async () => {
    server.script({
      items: [{ type: "message", pieces: ["Well"] }],
      end: { status: "error", error: { code: "server_error", message: "x" } },
    });
    expect(failureOf(await ask(backendWith(), modelTurn()))).toBe("model-failed");
  });

  test.each([
    ["in one piece", ["<think>Hm.</think>\n\nYes."]],
    ["cut anywhere", [..."<think>Hm.</think>\n\nYes."]],
    ["after a line break", ["\n<think>Hm.", "</think>", "\n", "Yes."]],
  ])("a thought in the text, %s, is a step", (_how, pieces) => {
    const chunks = pieces.map((content) => delta({ content }));
    const { events } = read([...chunks, delta({}, "stop")]);
    expect(textOf(events)).toBe("Yes.");
    const thought = events.flatMap((event) => (event.type === "step-delta" ? event.output : []));
    expect(thought.join("")).toBe("Hm.");
    expect(events.filter((event) => event.type === "step-end")).toHaveLength(1);
  });

  test.each(["<b>Yes</b>", "a <think>b</think>", "<thin", "<"])("%s is text", (content) => {
    const { events } = read([...content].map((piece) => delta({ content: piece })));
    expect(textOf(events)).toBe(content);
  });

  test("thoughts in a field of their own are a step, by either name", () => {
    for (const name of ["reasoning_content", "reasoning"]) {
      const { events } = read([delta({ [name]: "Hm." }), delta({ content: "Yes." }, "stop")]);
      expect(events.map((event) => event.type)).toEqual([
        "step-start",
        "step-delta",
        "step-end",
        "text-delta",
        "turn-end",
      ]);
    }
  });

  test("a router's web sources are cited once", () => {
    const annotation = {
      type: "url_citation",
      url_citation: { url: "https://a.test", title: "A" },
    };
    const { events } = read([
      delta({ content: "Rain.", annotations: [annotation] }),
      delta({ annotations: [annotation] }, "stop"),
    ]);
    expect(textOf(events)).toBe("Rain.[A]");
  });

  test("there is nothing to forget", async () => {
    const state = { backend: "chat", covers: "", model: "m", createdAtMs: 0, data: null };
    await expect(backendWith().forget(state)).resolves.toBeUndefined();
    expect(server.requests).toEqual([]);
  });
});
