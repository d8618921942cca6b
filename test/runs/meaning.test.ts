import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { BotError } from "#domain/errors";
import type { Embedder } from "#ports/embedder";
import { createEmbedder } from "../../adapters/openai/embedder.ts";
import { Meaning } from "../../src/runs/meaning.ts";
import { defineTool } from "../../src/tools/define-tool.ts";
import { fileSearch } from "../../src/tools/file-search.ts";
import { RememberingLog } from "../fakes/remembering-log.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { TestWorld } from "../fakes/test-world.ts";
import { OpenAIServer } from "../wire/openai-server.ts";

let world: TestWorld;
let server: OpenAIServer;
let log: RememberingLog;
beforeEach(async () => {
  world = new TestWorld();
  server = await new OpenAIServer().listen();
  server.vectorOf = meaningOf;
  log = new RememberingLog();
  runs = 0;
});
afterEach(async () => {
  await world.end();
  await server.close();
});

/** About animals, about money, about neither: what a model might make of these few words. */
function meaningOf(text: string): readonly number[] {
  const count = (words: RegExp) => text.match(words)?.length ?? 0;
  return [count(/dog|puppy|cat|pet/gi), count(/salary|paid|money|wage/gi), 0.1];
}

const handbook = "A puppy may come along on Fridays.\fThe salary is paid on the last day.";

/** Searches for what is said, and says what was found. */
const searching = () =>
  new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    if (last?.type === "tool-output") return [{ type: "say", text: last.output }];
    const query = last?.type === "user" ? last.text : "";
    return [{ type: "call", name: "file_search", arguments: { query, max_results: 1 } }];
  });

function start(model = "small", backend = searching(), tools = [fileSearch]) {
  return world.start({
    backend,
    log,
    tools,
    searches: true,
    embedder: createEmbedder({ apiKey: "test-key", baseUrl: server.url, model }),
    prices: { costOf: (name, usage) => (name === "small" ? usage.prompt_tokens / 1e6 : 0.001) },
  });
}

let runs = 0;
async function ask(text: string, file?: string): Promise<string> {
  runs += 1;
  const expected = runs;
  await world.say(text, file ? { attachments: [world.attach("handbook.txt", file)] } : {});
  await vi.waitFor(() => expect(world.metrics.runs).toHaveLength(expected), { timeout: 20_000 });
  return world.lastView().text;
}

/** How many texts were made vectors of, by request. */
const batches = () =>
  server
    .requestsTo("POST", /embeddings/)
    .map(({ body }) => (Array.isArray(body?.input) ? body.input.length : 0));

const wordsAlone = () => log.lines.filter(({ event }) => event.includes("by words alone"));

test("what is said in other words is found by meaning, with its page", async () => {
  await start();
  const found = await ask("dog", handbook);
  expect(JSON.parse(found).passages).toMatchObject([{ page: 1 }]);
  expect(JSON.parse(await ask("wage")).passages).toMatchObject([{ page: 2 }]);
  // The passages once, then each question.
  expect(batches()).toEqual([2, 1, 1]);
});

test("what it takes is counted with its person, and in the run's cost", async () => {
  await start();
  await ask("dog", handbook);
  const usage = await world.say("/assistant usage me", { role: "admin" });
  const words = usage.status === "command" ? usage.answer.text : "";
  // Two turns of ten tokens, nineteen for the passages and the word.
  expect(words).toContain("39 read");
  expect(words).toContain("less than $0.01");
});

test("where the service is down files are searched by words alone, and the log says so once", async () => {
  server.vectorOf = undefined;
  await start();
  expect(JSON.parse(await ask("puppy", handbook)).passages).toMatchObject([{ page: 1 }]);
  expect(await ask("dog")).toContain("Nothing in the files fits");
  world.pass(61_000);
  expect(JSON.parse(await ask("salary")).passages).toMatchObject([{ page: 2 }]);
  expect(wordsAlone()).toMatchObject([{ model: "small", code: "model-not-found" }]);
  server.vectorOf = meaningOf;
  world.pass(61_000);
  expect(JSON.parse(await ask("dog")).passages).toMatchObject([{ page: 1 }]);
});

test("a service that does not answer is waited for once, and then left alone", async () => {
  let asked = 0;
  const silent: Embedder = {
    model: "small",
    embed(_texts, signal) {
      asked += 1;
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new BotError("model-unreachable")));
      });
    },
  };
  const meaning = new Meaning(silent, { log, now: () => 0, questionMs: 20 });
  const work = { signal: new AbortController().signal, paid: async () => undefined };
  expect(await meaning.vectorOf("dog", work)).toBeUndefined();
  expect(await meaning.vectorOf("wage", work)).toBeUndefined();
  expect(asked).toBe(1);
  expect(wordsAlone()).toMatchObject([{ model: "small", code: "model-unreachable" }]);
});

test("another model makes its own vectors", async () => {
  await start();
  await ask("dog", handbook);
  await world.stop();
  await start("large");
  expect(JSON.parse(await ask("dog")).passages).toMatchObject([{ page: 1 }]);
  const models = server.requestsTo("POST", /embeddings/).map(({ body }) => body?.model);
  expect(models).toEqual(["small", "small", "large", "large"]);
  expect(batches()).toEqual([2, 1, 2, 1]);
});

test("many passages are sent in batches, with a line of progress", async () => {
  await start();
  const pages = Array.from({ length: 150 }, (_, page) => `Page ${page}, about nothing.`);
  await ask("dog", [...pages, "A puppy may come along."].join("\f"));
  expect(batches()).toEqual([64, 64, 23, 1]);
  expect(world.lastView().steps.map(({ title }) => title)).toContain(
    "Reading for meaning: 151 of 151 passages",
  );
});

describe("a file that a tool has made", () => {
  const writeNote = defineTool({
    name: "write_note",
    title: "Writing a note",
    description: "Writes a note.",
    schema: z.object({}),
    idempotent: true,
    timeoutMs: 10_000,
    run: () => ({
      type: "output",
      output: "note.txt is written.",
      files: [
        {
          name: "note.txt",
          mimeType: "text/plain",
          data: new TextEncoder().encode("A puppy may come along on Fridays."),
          altText: "A note",
        },
      ],
    }),
  });

  /** Has a note written, then looks for these words, all in one run. */
  async function askForNote(query: string): Promise<string> {
    const backend = new ScriptedBackend((turn) => {
      const last = turn.transcript.at(-1);
      if (last?.type !== "tool-output")
        return [{ type: "call", name: "write_note", arguments: {} }];
      if (!last.output.includes("is written")) return [{ type: "say", text: last.output }];
      return [{ type: "call", name: "file_search", arguments: { query } }];
    });
    await start("small", backend, [fileSearch, writeNote]);
    return ask("Write a note.");
  }

  test("is found by its meaning in the same run", async () => {
    expect(JSON.parse(await askForNote("dog")).passages).toMatchObject([{ file: "note.txt" }]);
    expect(batches()).toEqual([1, 1]);
  });

  test("is found by its words where the service is down", async () => {
    server.vectorOf = undefined;
    expect(JSON.parse(await askForNote("puppy")).passages).toMatchObject([{ file: "note.txt" }]);
    expect(wordsAlone()).toHaveLength(1);
  });
});
