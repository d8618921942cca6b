import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ModelEvent, ModelTurn } from "#ports/model-backend";
import {
  type AssistantsOptions,
  createAssistantsBackend,
} from "../../../adapters/openai/assistants.ts";
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
afterEach(() => server.close());

function backendWith(options: Partial<AssistantsOptions> = {}) {
  return createAssistantsBackend({ apiKey: "test-key", baseUrl: server.url, ...options });
}

const lookup = { name: "lookup", description: "Looks up", parameters: { type: "object" } };
const call = { type: "call", callId: "call_a", name: "lookup", arguments: "{}" } as const;
const paths = () =>
  server.requests
    .filter(({ method }) => method === "POST")
    .map(({ path }) => path.replace(/_\d+/g, ""));

/** What the next turn begins with: the state the last one left, over what is said. */
function following(
  events: readonly ModelEvent[],
  covers: string,
  transcript: ModelTurn["transcript"],
  more: Partial<ModelTurn> = {},
): ModelTurn {
  const { result } = endOf(events);
  if (result.status !== "completed" || !result.state) throw new Error("nothing was kept");
  return modelTurn({ turn: 2, transcript, state: { ...result.state, covers }, ...more });
}

describe("a conversation", () => {
  test("stays in its thread: only what is new is sent, and no second assistant is made", async () => {
    const backend = backendWith();
    const first = await ask(backend, modelTurn());
    const transcript = [
      userEntry("u1", "Hello"),
      assistantEntry("a1", "OK."),
      userEntry("u2", "And?"),
    ];
    await ask(backend, following(first, "a1", transcript));
    expect(paths()).toEqual(["/assistants", "/threads/runs", "/threads/thread/runs"]);
    const sent = JSON.stringify(server.asked[1]);
    expect(sent).toContain("And?");
    expect(sent).not.toContain("Hello");
    expect(server.asked[1]).toMatchObject({ model: "small", instructions: "Be brief." });
    await ask(backendWith(), modelTurn());
    expect(server.assistants.assistants).toHaveLength(1);
  });

  test("hands in what a function gave, and the same run goes on", async () => {
    server.script({ items: [call] }, { items: [{ type: "message", pieces: ["Fine."] }] });
    const backend = backendWith();
    const first = await ask(backend, modelTurn({ functions: [lookup] }));
    const transcript = [userEntry("u1", "Hello"), callEntry("call_a"), outputEntry("call_a", "42")];
    const next = following(first, "entry-call_a", transcript, { functions: [lookup] });
    expect(textOf(await ask(backend, next))).toBe("Fine.");
    expect(paths().at(-1)).toBe("/threads/thread/runs/run/submit_tool_outputs");
    expect(server.asked[1]).toMatchObject({
      tool_outputs: [{ tool_call_id: "call_a", output: "42" }],
      stream: true,
    });
  });

  test("that is gone there is told anew from ours", async () => {
    const backend = backendWith();
    const first = await ask(backend, modelTurn());
    server.assistants.threads.clear();
    const transcript = [
      userEntry("u1", "Hello"),
      assistantEntry("a1", "OK."),
      userEntry("u2", "And?"),
    ];
    const events = await ask(backend, following(first, "a1", transcript));
    expect(textOf(events)).toBe("OK.");
    expect(server.assistants.threads.size).toBe(1);
    expect(JSON.stringify([...server.assistants.threads.values()])).toMatch(/Hello.*And\?/);
  });

  test("whose run expired while its function worked is told anew, with what it gave", async () => {
    server.script({ items: [call] });
    const backend = backendWith();
    const first = await ask(backend, modelTurn({ functions: [lookup] }));
    for (const run of server.assistants.runs.values()) run.status = "expired";
    const transcript = [userEntry("u1", "Hello"), callEntry("call_a"), outputEntry("call_a", "42")];
    const events = await ask(backend, following(first, "entry-call_a", transcript));
    expect(textOf(events)).toBe("OK.");
    expect(JSON.stringify(server.asked.at(-1))).toContain("lookup was called and gave: 42");
  });

  test("another run is at work in is waited for", async () => {
    const backend = backendWith();
    const first = await ask(backend, modelTurn());
    server.assistants.locks = 2;
    const transcript = [
      userEntry("u1", "Hello"),
      assistantEntry("a1", "OK."),
      userEntry("u2", "And?"),
    ];
    expect(textOf(await ask(backend, following(first, "a1", transcript)))).toBe("OK.");
    expect(paths().filter((path) => path === "/threads/thread/runs")).toHaveLength(3);
  });

  test("a stopped answer's run is cancelled there", async () => {
    const pieces = Array.from({ length: 20 }, (_, at) => `word${at} `);
    server.script({ items: [{ type: "message", pieces }], fault: { type: "hang", after: 12 } });
    const controller = new AbortController();
    for await (const event of backendWith().stream(modelTurn(), controller.signal)) {
      if (event.type === "text-delta") controller.abort("stopped");
    }
    expect(server.assistants.cancelled).toHaveLength(1);
  });

  test("is deleted there when it is forgotten, also when it is gone already", async () => {
    const backend = backendWith();
    const { result } = endOf(await ask(backend, modelTurn()));
    if (result.status !== "completed" || !result.state) throw new Error("nothing was kept");
    await backend.forget({ ...result.state, covers: "a1" });
    expect(server.assistants.threads.size).toBe(0);
    await backend.forget({ ...result.state, covers: "a1" });
  });
});

describe("how a run ends", () => {
  test.each([
    ["expired", "The run expired there."],
    ["cancelled", "It was cancelled there."],
  ] as const)("%s is a failure with words", async (end, detail) => {
    server.assistants.extras.push({ end });
    expect(endOf(await ask(backendWith(), modelTurn())).result).toMatchObject({
      status: "failed",
      code: "model-failed",
      detail,
    });
  });

  test("failed tells why", async () => {
    server.script({
      end: { status: "failed", error: { code: "rate_limit_exceeded", message: "slow down" } },
    });
    expect(failureOf(await ask(backendWith(), modelTurn()))).toBe("model-busy");
  });
});

describe("what a run makes", () => {
  test("is delivered: files it links, pictures, code and citations", async () => {
    server.assistants.fileContents.set("file-csv", {
      data: Buffer.from("a,b"),
      type: "text/csv",
    });
    server.assistants.fileContents.set("file-png", {
      data: Buffer.from("png"),
      type: "application/octet-stream",
    });
    server.script({
      items: [
        { type: "code", code: "print(1)", logs: "1", containerId: "" },
        { type: "message", pieces: ["Two weeks"] },
      ],
    });
    server.assistants.extras.push({
      content: [
        {
          type: "text",
          text: {
            value: "【4:0†source】. See ",
            annotations: [
              {
                type: "file_citation",
                text: "【4:0†source】",
                file_citation: { file_id: "file-unknown" },
              },
            ],
          },
        },
        {
          type: "text",
          text: {
            value: "[the table](sandbox:/mnt/data/table.csv).",
            annotations: [
              {
                type: "file_path",
                text: "sandbox:/mnt/data/table.csv",
                file_path: { file_id: "file-csv" },
              },
            ],
          },
        },
        { type: "image_file", image_file: { file_id: "file-png" } },
        { type: "image_file", image_file: { file_id: "file-gone" } },
      ],
    });
    const events = await ask(backendWith(), modelTurn());
    expect(
      events
        .flatMap((event) =>
          event.type === "text-delta" ? event.text : event.type === "citation" ? "[1]" : "",
        )
        .join(""),
    ).toBe("Two weeks[1]. See the table (table.csv).");
    expect(events).toEqual(
      expect.arrayContaining([
        { type: "citation", source: { title: "file-unknown" } },
        expect.objectContaining({
          type: "step-start",
          step: expect.objectContaining({ type: "code_interpreter" }),
        }),
        expect.objectContaining({ type: "step-delta", input: "print(1)" }),
        expect.objectContaining({ type: "step-delta", output: "1" }),
        expect.objectContaining({ type: "step-end", status: "completed" }),
        {
          type: "file",
          file: { name: "table.csv", mimeType: "text/csv", data: new Uint8Array([97, 44, 98]) },
        },
        expect.objectContaining({
          type: "file",
          file: expect.objectContaining({ name: "file-png.png", mimeType: "image/png" }),
        }),
        { type: "notice", text: "The file file-gone could not be fetched." },
      ]),
    );
    expect(events.filter(({ type }) => type === "step-delta")).toHaveLength(2);
  });

  test("files people sent go where they are used, each once", async () => {
    const backend = backendWith();
    const files = turnFiles(
      { id: "f1", filename: "table.csv", text: "a,b", use: "compute" },
      { id: "f2", filename: "note.txt", text: "read me" },
      { id: "f3", filename: "p.png", mime_type: "image/png", text: "png" },
    );
    const turn = modelTurn({
      ...files,
      hostedTools: ["code_interpreter"],
      assistant: plainAssistant,
      transcript: [userEntry("u1", "Look", { fileIds: ["f1", "f2", "f3"] })],
    });
    const first = await ask(backend, turn);
    const [message] = [...server.assistants.threads.values()][0] ?? [];
    expect(message).toMatchObject({
      attachments: [{ tools: [{ type: "code_interpreter" }] }],
      content: [{ type: "text", text: expect.stringContaining("read me") }, { type: "image_file" }],
    });
    expect(server.asked[0]).toMatchObject({ tools: [{ type: "code_interpreter" }] });
    expect([...server.files.values()].map(({ purpose }) => purpose)).toEqual([
      "assistants",
      "vision",
    ]);
    const again = [
      ...turn.transcript,
      assistantEntry("a1", "OK."),
      userEntry("u2", "More", { fileIds: ["f1"] }),
    ];
    await ask(
      backend,
      following(first, "a1", again, { ...files, hostedTools: ["code_interpreter"] }),
    );
    expect(server.files.size).toBe(2);
  });
});

test("files the assistant keeps stand at the begin of its threads, and new ones begin another", async () => {
  const backend = backendWith();
  const files = turnFiles(
    { id: "f1", filename: "handbook.pdf", text: "pages", use: "search" },
    { id: "f2", filename: "rules.txt", text: "be kind" },
  );
  const hostedTools = ["file_search"] as const;
  const assistant = { ...plainAssistant, file_ids: ["f1", "f2"] };
  const first = await ask(backend, modelTurn({ ...files, hostedTools, assistant }));
  expect([...server.assistants.threads.values()][0]?.[0]).toMatchObject({
    content: [{ text: expect.stringMatching(/belong to this assistant.*be kind/s) }],
    attachments: [{ tools: [{ type: "file_search" }] }],
  });
  const transcript = [
    userEntry("u1", "Hello"),
    assistantEntry("a1", "OK."),
    userEntry("u2", "And?"),
  ];
  const more = { ...files, hostedTools, assistant };
  await ask(backend, following(first, "a1", transcript, more));
  expect(server.assistants.threads.size).toBe(1);
  const fewer = { ...more, assistant: { ...assistant, file_ids: ["f1"] } };
  await ask(backend, following(first, "a1", transcript, fewer));
  expect(server.assistants.threads.size).toBe(2);
  expect(server.files.size).toBe(1);
});

test.each([undefined, "https://api.openai.com/v1"])(
  "OpenAI itself is refused with the reason (%s)",
  (baseUrl) => {
    expect(() =>
      createAssistantsBackend({ apiKey: "k", ...(baseUrl === undefined ? {} : { baseUrl }) }),
    ).toThrow(/ended its Assistants API on 2026-08-26/);
  },
);
