import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ModelEvent, ModelTurn } from "#ports/model-backend";
import { profiles } from "../../../adapters/openai/profiles.ts";
import {
  createResponsesBackend,
  type ResponsesOptions,
} from "../../../adapters/openai/responses.ts";
import { systemTimers } from "../../../adapters/openai/stream.ts";
import {
  ask,
  assistantEntry,
  endOf,
  failureOf,
  type GivenFile,
  modelTurn,
  plainAssistant,
  stateAfter,
  textOf,
  turnFiles,
  userEntry,
} from "../../fakes/model-turn.ts";
import type { ScriptedItem } from "../../wire/openai-events.ts";
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
    timers: { after: systemTimers.after, sleep: (_ms, signal) => systemTimers.sleep(1, signal) },
    ...options,
  });
}

const allTools = ["code_interpreter", "file_search", "web_search", "image_generation"] as const;

/** A turn whose one message comes with files. */
function turnWith(files: readonly GivenFile[], more: Partial<ModelTurn> = {}): ModelTurn {
  const fileIds = files.map((file) => file.id);
  return modelTurn({
    hostedTools: allTools,
    transcript: [userEntry("u1", "Look", { fileIds })],
    ...turnFiles(...files),
    ...more,
  });
}

/** The same conversation, one message later. */
function later(turn: ModelTurn, events: readonly ModelEvent[], more: Partial<ModelTurn> = {}) {
  return {
    ...turn,
    transcript: [...turn.transcript, assistantEntry("a1", "OK."), userEntry("u2", "And?")],
    state: stateAfter(events, "a1"),
    ...more,
  };
}

const picture = { id: "p1", filename: "p.png", mime_type: "image/png", text: "PNG" };
const document = { id: "d1", filename: "d.pdf", mime_type: "application/pdf", text: "PDF text" };
const toSearch = { ...document, id: "s1", filename: "s.pdf", use: "search" } as const;
const table = {
  id: "t1",
  filename: "t.csv",
  mime_type: "text/csv",
  text: "a,b",
  use: "compute",
} as const;

function toolOf(index: number, type: string) {
  const tools = (server.asked[index]?.tools ?? []) as readonly { readonly type: string }[];
  return tools.find((tool) => tool.type === type);
}

describe("files that people send", () => {
  test("a picture is looked at", async () => {
    await ask(backendWith(), turnWith([picture]));
    const data = Buffer.from("PNG").toString("base64");
    expect(JSON.stringify(server.asked[0]?.input)).toContain(
      `"type":"input_image","image_url":"data:image/png;base64,${data}"`,
    );
  });

  test("a document is uploaded once, for 30 days, and read as a file", async () => {
    const backend = backendWith();
    const turn = turnWith([document]);
    const first = await ask(backend, turn);
    await ask(backend, later(turn, first));
    expect(server.files.get("file_1")).toMatchObject({ name: "d.pdf", purpose: "user_data" });
    const raw = server.requestsTo("POST", /^\/files$/)[0]?.raw.toString() ?? "";
    expect(raw).toContain("PDF text");
    expect(raw).toMatch(/expires_after\[seconds\]"\r\n\r\n2592000/);
    expect(server.requestsTo("POST", /^\/files$/)).toHaveLength(1);
    expect(JSON.stringify(server.asked[0]?.input)).toContain('"input_file","file_id":"file_1"');
  });

  test("a document that is to be searched goes into the conversation's store, shown as a step", async () => {
    const backend = backendWith();
    const turn = turnWith([toSearch]);
    const first = await ask(backend, turn);
    expect(first[0]).toMatchObject({ type: "step-start", step: { title: "Indexing s.pdf" } });
    expect(toolOf(0, "file_search")).toEqual({ type: "file_search", vector_store_ids: ["vs_1"] });
    expect(JSON.stringify(server.asked[0]?.input)).toContain("s.pdf can be searched");
    const second = await ask(backend, later(turn, first));
    expect(toolOf(1, "file_search")).toEqual({ type: "file_search", vector_store_ids: ["vs_1"] });
    expect(second.some((event) => event.type === "step-start")).toBe(false);
    expect(server.requestsTo("POST", /vector_stores/)).toHaveLength(2);
  });

  test("a document that cannot be indexed is looked at, and the person is told", async () => {
    server.failsIndexing = true;
    const events = await ask(backendWith(), turnWith([toSearch]));
    expect(events).toContainEqual({
      type: "notice",
      text: "s.pdf could not be indexed, so I look at it directly.",
    });
    expect(JSON.stringify(server.asked[0]?.input)).toContain('"input_file"');
  });

  test("without files there is nothing to search, so the tool is left out", async () => {
    await ask(backendWith(), modelTurn({ hostedTools: ["file_search"] }));
    expect(toolOf(0, "file_search")).toBeUndefined();
  });

  test("a table goes to the code interpreter", async () => {
    await ask(backendWith(), turnWith([table]));
    expect(toolOf(0, "code_interpreter")).toEqual({
      type: "code_interpreter",
      container: { type: "auto", file_ids: ["file_1"] },
    });
    expect(JSON.stringify(server.asked[0]?.input)).toContain("t.csv is in the code interpreter's");
  });

  test("without the tools they ask for, files are looked at", async () => {
    await ask(backendWith(), turnWith([toSearch, table], { hostedTools: [] }));
    const input = JSON.stringify(server.asked[0]?.input);
    expect(input.split('"input_file"')).toHaveLength(3);
  });

  test("what no model reads is given as text, or named", async () => {
    const files = [
      { id: "z1", filename: "z.zip", mime_type: "application/zip" },
      { id: "e1", filename: "e.msg", mime_type: "application/vnd.ms-outlook", text: "Dear Ada" },
    ];
    await ask(backendWith(), turnWith(files));
    const input = JSON.stringify(server.asked[0]?.input);
    expect(input).toContain("z.zip cannot be shown to you");
    expect(input).toContain("Dear Ada");
  });

  test("a file that is gone from our store is said to be gone", async () => {
    const transcript = [userEntry("u1", "Look", { fileIds: ["gone"] })];
    await ask(backendWith(), modelTurn({ transcript }));
    expect(JSON.stringify(server.asked[0]?.input)).toContain("[A file is no longer available]");
  });

  test("the assistant's own files come first, and once", async () => {
    const backend = backendWith();
    const assistant = { ...plainAssistant, file_ids: ["d1"] };
    const turn = modelTurn({ assistant, ...turnFiles(document) });
    const first = await ask(backend, turn);
    await ask(backend, later(turn, first));
    expect(JSON.stringify(server.asked[0]?.input)).toMatch(
      /belong to this assistant.*input_file.*Hello/,
    );
    expect(JSON.stringify(server.asked[1]?.input)).not.toContain("input_file");
  });

  test("a turn that is asked again does not upload again", async () => {
    const backend = backendWith();
    server.script({ refuse: { status: 503 } });
    await ask(backend, turnWith([document]));
    expect(failureOf(await ask(backend, turnWith([document])))).toBeUndefined();
    expect(server.requestsTo("POST", /^\/files$/)).toHaveLength(1);
  });

  test("servers without files are given text", async () => {
    await ask(backendWith({ profile: profiles.xai }), turnWith([document, picture]));
    const input = JSON.stringify(server.asked[0]?.input);
    expect(input).toContain("PDF text");
    expect(input).toContain("input_image");
    expect(server.asked[0]).not.toHaveProperty("tools");
  });
});

describe("what the service lost", () => {
  test("an expired upload is made again, and the conversation seeded anew", async () => {
    const backend = backendWith();
    const turn = turnWith([document]);
    const first = await ask(backend, turn);
    server.files.clear();
    server.responses.clear();
    expect(textOf(await ask(backend, later(turn, first)))).toBe("OK.");
    expect([...server.files.values()].map((file) => file.name)).toEqual(["d.pdf"]);
  });

  test("an expired store is rebuilt, and the person is told", async () => {
    const backend = backendWith();
    const turn = turnWith([toSearch]);
    const first = await ask(backend, turn);
    server.vectorStores.clear();
    const events = await ask(backend, later(turn, first));
    expect(events).toContainEqual({
      type: "notice",
      text: "The file search store had expired and was rebuilt.",
    });
    expect(textOf(events)).toBe("OK.");
    expect(server.vectorStores.size).toBe(1);
  });

  test("an expired container is replaced by a fresh one with the same files", async () => {
    server.addContainerFile("cntr_1", made("x.txt", "x", "user"));
    server.script({ items: [code("cntr_1")] });
    const backend = backendWith();
    const turn = turnWith([table]);
    const first = await ask(backend, turn);
    server.containers.clear();
    const events = await ask(backend, later(turn, first));
    expect(events.filter((event) => event.type === "notice")).toHaveLength(1);
    expect(toolOf(2, "code_interpreter")).toMatchObject({ container: { file_ids: ["file_1"] } });
  });

  test("a container that was not used for long is not counted on", async () => {
    let now = Date.now();
    server.addContainerFile("cntr_1", made("x.txt", "x", "user"));
    server.script({ items: [code("cntr_1")] });
    const backend = backendWith({ now: () => now });
    const turn = turnWith([table]);
    const first = await ask(backend, turn);
    now += 18 * 60_000;
    await ask(backend, later(turn, first));
    expect(toolOf(1, "code_interpreter")).toMatchObject({ container: { type: "auto" } });
  });

  test("a living container is used on, and gets what is new", async () => {
    server.addContainerFile("cntr_1", made("x.txt", "x", "user"));
    server.script({ items: [code("cntr_1")] });
    const backend = backendWith();
    const turn = turnWith([table]);
    const first = await ask(backend, turn);
    const another = { ...table, id: "t2", filename: "t2.csv" };
    const next = later(turn, first, turnFiles(table, another));
    await ask(backend, {
      ...next,
      transcript: [...next.transcript, userEntry("u3", "This too", { fileIds: ["t2"] })],
    });
    expect(toolOf(1, "code_interpreter")).toMatchObject({ container: "cntr_1" });
    const names = [...(server.containers.get("cntr_1")?.values() ?? [])].map((file) => file.path);
    expect(names).toContain("/mnt/data/t2.csv");
    expect(names).not.toContain("/mnt/data/t.csv");
  });
});

describe("files that the model made", () => {
  test("named or not, each is delivered once", async () => {
    server.addContainerFile("cntr_1", made("named.csv", "1,2"));
    server.addContainerFile("cntr_1", made("unnamed.png", "PNG"));
    server.addContainerFile("cntr_1", made("upload.csv", "given", "user"));
    const link = "[the table](sandbox:/mnt/data/named.csv)";
    const annotation = {
      type: "container_file_citation",
      container_id: "cntr_1",
      file_id: "cfile_named.csv",
      filename: "named.csv",
      start_index: 17,
      end_index: 44,
    };
    const items: readonly ScriptedItem[] = [
      code("cntr_1"),
      { type: "message", pieces: ["See ", link, "."], annotations: [{ after: 1, annotation }] },
    ];
    server.script({ items }, { items });
    const backend = backendWith();
    const turn = turnWith([table]);
    const events = await ask(backend, turn);
    expect(textOf(events)).toBe("See the table (named.csv).");
    expect(filesOf(events)).toEqual([
      ["named.csv", "text/csv", "1,2"],
      ["unnamed.png", "image/png", "PNG"],
    ]);
    // The container lives on, and so do its files.
    server.addContainerFile("cntr_1", made("new.txt", "new"));
    expect(filesOf(await ask(backend, later(turn, events)))).toEqual([
      ["new.txt", "text/plain", "new"],
    ]);
  });

  test("a picture that was only drawn is delivered, one that is also a file is not doubled", async () => {
    const url = (text: string) => `data:image/png;base64,${Buffer.from(text).toString("base64")}`;
    server.addContainerFile("cntr_1", made("plot.png", "PLOT"));
    server.script({ items: [{ ...code("cntr_1"), imageUrls: [url("PLOT"), url("OTHER")] }] });
    expect(filesOf(await ask(backendWith(), turnWith([table])))).toEqual([
      ["plot.png", "image/png", "PLOT"],
      ["figure-2.png", "image/png", "OTHER"],
    ]);
  });

  test("a generated image is a file, with its prompt for who cannot see it", async () => {
    const base64 = Buffer.from("IMAGE").toString("base64");
    server.script({ items: [{ type: "image", base64, prompt: "A red fox" }, say("")] });
    const events = await ask(backendWith(), modelTurn({ hostedTools: allTools }));
    expect(filesOf(events)).toEqual([["image-1-0.png", "image/png", "IMAGE"]]);
    expect(events.find((event) => event.type === "file")).toMatchObject({
      file: { altText: "A red fox" },
    });
    expect(textOf(events)).toBe("");
  });

  test("a container that is gone is said, and the answer still counts", async () => {
    const annotation = {
      type: "container_file_citation",
      container_id: "cntr_gone",
      file_id: "cfile_1",
      filename: "a.csv",
      start_index: 0,
      end_index: 0,
    };
    server.script({
      items: [{ type: "message", pieces: ["Done."], annotations: [{ after: 0, annotation }] }],
    });
    const events = await ask(backendWith(), modelTurn({ hostedTools: allTools }));
    expect(events).toContainEqual({
      type: "notice",
      text: "a.csv had expired before I could fetch it.",
    });
    expect(endOf(events).result.status).toBe("completed");
  });

  test("a file that is too big is named, with its size and the limit", async () => {
    server.addContainerFile("cntr_1", made("big.bin", "x".repeat(2_000_001)));
    server.script({ items: [code("cntr_1")] });
    const backend = backendWith({ maxProducedBytes: 1_000_000 });
    const events = await ask(backend, turnWith([table]));
    expect(events).toContainEqual({
      type: "notice",
      text: "big.bin is 3 MB; I deliver files up to 1 MB.",
    });
  });

  test("a failed answer delivers nothing: it will be asked again", async () => {
    server.addContainerFile("cntr_1", made("a.csv", "1"));
    server.script({
      items: [code("cntr_1")],
      end: { status: "failed", error: { code: "server_error", message: "x" } },
    });
    const events = await ask(backendWith(), turnWith([table]));
    expect(filesOf(events)).toEqual([]);
    expect(failureOf(events)).toBe("model-failed");
  });
});

describe("what hosted tools did", () => {
  test("code and its logs, queries and what they found, are steps", async () => {
    server.script({
      items: [
        { type: "code", code: "print(6*7)", logs: "42", containerId: "cntr_1" },
        {
          type: "file-search",
          queries: ["whales", "sea"],
          results: [
            { file_id: "file_9", filename: "sea.txt", score: 0.876, text: "Whales  sing." },
          ],
        },
        { type: "web-search", query: "weather", urls: ["https://a.test"] },
        say("42."),
      ],
    });
    const events = await ask(backendWith(), modelTurn({ hostedTools: allTools }));
    expect(stepsOf(events)).toEqual({
      "Running code": ["print(6*7)", "42", "completed"],
      "Searching the files": ["whales\nsea", "sea.txt (0.88)\nWhales sing.", "completed"],
      "Searching the web": ["weather", "https://a.test", "completed"],
    });
    expect(endOf(events).usage).toMatchObject({ web_searches: 1, file_searches: 1 });
    expect(server.asked[0]?.include).toEqual([
      "code_interpreter_call.outputs",
      "file_search_call.results",
      "web_search_call.action.sources",
    ]);
  });

  test("a file citation names our file, with the passage", async () => {
    const turn = turnWith([toSearch]);
    server.script({
      items: [
        {
          type: "file-search",
          queries: ["sky"],
          results: [{ file_id: "file_2", filename: "s.pdf", text: "The sky is blue." }],
        },
        {
          type: "message",
          pieces: ["Blue", "."],
          annotations: [
            {
              after: 1,
              annotation: { type: "file_citation", file_id: "file_2", filename: "s.pdf", index: 5 },
            },
          ],
        },
      ],
    });
    const events = await ask(backendWith(), turn);
    expect(events).toContainEqual({
      type: "citation",
      source: { title: "s.pdf", fileId: "s1", quote: "The sky is blue." },
    });
    expect(textOf(events)).toBe("Blue.[s.pdf]");
  });

  test("a web citation takes the place of its link", async () => {
    const link = " ([a.test](https://a.test/x?utm_source=openai))";
    const annotation = {
      type: "url_citation",
      url: "https://a.test/x?utm_source=openai",
      title: "Weather",
      start_index: 10,
      end_index: 9 + link.length,
    };
    server.script({
      items: [
        {
          type: "message",
          pieces: ["It rains.", link, " Take an umbrella."],
          annotations: [{ after: 1, annotation }],
        },
      ],
    });
    const events = await ask(backendWith(), modelTurn({ hostedTools: ["web_search"] }));
    expect(textOf(events)).toBe("It rains.[Weather] Take an umbrella.");
  });

  test("commentary is a step, and two answers are two paragraphs", async () => {
    server.script({
      items: [
        { type: "message", pieces: ["I will look."], phase: "commentary" },
        say("First."),
        say("Second."),
      ],
    });
    const events = await ask(backendWith(), modelTurn());
    expect(textOf(events)).toBe("First.\n\nSecond.");
    expect(stepsOf(events)).toEqual({ Thinking: ["", "I will look.", "completed"] });
  });
});

function say(text: string): ScriptedItem {
  return { type: "message", pieces: [text] };
}

function code(containerId: string) {
  return { type: "code", code: "run()", logs: "", containerId } as const;
}

function made(name: string, text: string, source: "assistant" | "user" = "assistant") {
  return { id: `cfile_${name}`, path: `/mnt/data/${name}`, source, data: Buffer.from(text) };
}

function filesOf(events: readonly ModelEvent[]) {
  return events.flatMap((event) =>
    event.type === "file"
      ? [[event.file.name, event.file.mimeType, Buffer.from(event.file.data).toString()]]
      : [],
  );
}

/** Input, output and end of each step, by its title. */
function stepsOf(events: readonly ModelEvent[]) {
  const titles = new Map<string, string>();
  const steps: { [title: string]: [string, string, string] } = {};
  for (const event of events) {
    if (event.type === "step-start") {
      titles.set(event.step.id, event.step.title);
      steps[event.step.title] = ["", "", ""];
    }
    const step = "id" in event ? steps[titles.get(event.id) ?? ""] : undefined;
    if (step === undefined) continue;
    if (event.type === "step-delta") {
      step[0] += event.input ?? "";
      step[1] += event.output ?? "";
    }
    if (event.type === "step-end") step[2] = event.status;
  }
  return steps;
}
