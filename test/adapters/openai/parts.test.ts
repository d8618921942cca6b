import fc from "fast-check";
import { APIConnectionError, APIError } from "openai";
import { describe, expect, test } from "vitest";
import { BotError } from "#domain/errors";
import type { TranscriptEntry } from "#domain/thread";
import { settleCalls } from "#domain/transcript";
import { createClient } from "../../../adapters/openai/client.ts";
import {
  refusedParameter,
  remoteLoss,
  toReportedFailure,
  toTurnFailure,
} from "../../../adapters/openai/failures.ts";
import { ParameterMemory } from "../../../adapters/openai/parameters.ts";
import { chooseApi, isReasoningModel, profileOf } from "../../../adapters/openai/profiles.ts";
import { EventSource, type Timers } from "../../../adapters/openai/stream.ts";
import { callEntry, outputEntry, userEntry } from "../../fakes/model-turn.ts";

describe("which server is which", () => {
  test.each([
    [undefined, "openai", "responses"],
    ["https://api.openai.com/v1", "openai", "responses"],
    ["https://us.api.openai.com/v1", "openai", "responses"],
    ["https://my.openai.azure.com/openai/v1/", "azure", "responses"],
    ["http://demo.invalid/v1", "demo", "responses"],
    ["https://api.x.ai/v1", "xai", "responses"],
    ["https://openrouter.ai/api/v1", "openrouter", "chat"],
    ["https://api.deepseek.com", "deepseek", "chat"],
    ["http://localhost:11434/v1", "ollama", "chat"],
    ["http://192.168.1.9:1234/v1", "lmstudio", "chat"],
    ["http://gpu:8000/v1", "vllm", "chat"],
    ["http://127.0.0.1:8080/v1", "llamacpp", "chat"],
    ["https://models.example.com:8000/v1", "compatible", "chat"],
    ["https://evilapi.openai.com.example.com/v1", "compatible", "chat"],
    ["https://notapi.openai.com.evil.test/v1", "compatible", "chat"],
    ["https://fakeopenrouter.ai/v1", "compatible", "chat"],
    ["not a url", "compatible", "chat"],
  ])("%s is %s and speaks %s", (baseUrl, name, api) => {
    expect(profileOf(baseUrl).name).toBe(name);
    expect(chooseApi(baseUrl, "auto")).toBe(api);
    expect(chooseApi(baseUrl, "chat")).toBe("chat");
    expect(chooseApi(baseUrl, "responses")).toBe("responses");
  });

  test.each([
    ["gpt-5.5", true],
    ["gpt-6-astra", true],
    ["openai/gpt-5-mini", true],
    ["o3", true],
    ["o4-mini-2026", true],
    ["gpt-oss-20b", true],
    ["gpt-5-chat-latest", false],
    ["gpt-4o", false],
    ["gpt-4.1-mini", false],
    ["llama3.2:3b", false],
    ["ollama-thing", false],
  ])("%s reasons: %s", (model, expected) => {
    expect(isReasoningModel(model)).toBe(expected);
  });
});

describe("what an error means", () => {
  const apiError = (
    status: number,
    error: { readonly code?: string; readonly message?: string; readonly param?: string },
    headers: { readonly [name: string]: string } = {},
  ) => APIError.generate(status, { error }, undefined, new Headers({ "x-a": "b", ...headers }));

  test.each([
    [{ "retry-after": "2" }, 2000],
    [{ "retry-after": "1.5" }, 1500],
    [{ "retry-after-ms": "120" }, 120],
    [{ "retry-after": "Thu, 01 Jan 1970 00:00:11 GMT" }, 10_000],
    [{ "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" }, 0],
    [{ "retry-after": "soon" }, undefined],
    [{}, undefined],
  ])("%o is a wait of %s ms", (headers, expected) => {
    expect(toTurnFailure(apiError(429, {}, headers), () => 1000).retryAfterMs).toBe(expected);
  });

  test("a wait that is only told in words is understood", () => {
    const message = "Rate limit reached. Please try again in 1.5s. Visit the site.";
    expect(toReportedFailure({ code: "rate_limit_exceeded", message })).toMatchObject({
      code: "model-busy",
      retryAfterMs: 1500,
    });
  });

  test("nobody is told to wait for what waiting does not cure", () => {
    const error = apiError(429, { code: "insufficient_quota" }, { "retry-after": "20" });
    expect(toTurnFailure(error)).not.toHaveProperty("retryAfterMs");
  });

  test.each([
    [new TypeError("terminated"), "stream-cut"],
    [new SyntaxError("malformed"), "stream-cut"],
    [new APIConnectionError({ message: "Connection error." }), "model-unreachable"],
    [new BotError("file-unavailable", { detail: "d" }), "file-unavailable"],
    [new Error("?"), "model-failed"],
    ["a string", "model-failed"],
    [apiError(400, { code: "invalid_prompt" }), "model-refused"],
    [apiError(400, { code: "content_filter" }), "content-filter"],
    [apiError(400, { code: "invalid_image_format" }), "model-refused"],
    [apiError(402, {}), "model-quota"],
    [apiError(403, {}), "model-auth"],
    [apiError(409, {}), "model-busy"],
    [apiError(413, {}), "model-refused"],
    [apiError(529, { code: "overloaded_error" }), "model-busy"],
    [
      apiError(400, { message: "This model's maximum context length is 8192 tokens." }),
      "context-too-long",
    ],
  ])("%s is told as %s", (error, code) => {
    expect(toTurnFailure(error)).toMatchObject({ status: "failed", code, cause: error });
  });

  test.each([
    [{ code: "previous_response_not_found" }, "response"],
    [{ message: "No tool output found for function call call_1." }, "response"],
    [{ message: "Container is expired." }, "container"],
    [{ message: "Vector store vs_1 not found." }, "vector-store"],
    [{ message: "No such file: file-1" }, "file"],
    [{ code: "invalid_encrypted_content" }, "reasoning"],
    [{ message: "Invalid value." }, undefined],
    [{ code: "model_not_found", message: "The model does not exist." }, undefined],
  ])("%o: what was lost is %s", (error, expected) => {
    expect(remoteLoss(apiError(400, error))).toBe(expected);
  });

  test("what the service says with a 500 is not a loss", () => {
    expect(remoteLoss(apiError(500, { message: "Container not found" }))).toBeUndefined();
  });

  test.each([
    [{ code: "unsupported_parameter", param: "temperature" }, "temperature"],
    [{ code: "unsupported_value", param: "reasoning.summary" }, "reasoning.summary"],
    [{ message: "Unknown parameter: 'foo'", param: "foo" }, "foo"],
    [{ message: "Must be positive", param: "max_tokens" }, undefined],
    [{ code: "unsupported_parameter" }, undefined],
  ])("%o refuses %s", (error, expected) => {
    expect(refusedParameter(apiError(400, error))).toBe(expected);
  });

  test("refused fields are left out alone, and what matters is never left out", async () => {
    const memory = new ParameterMemory();
    const refuses = (param: string) => apiError(400, { code: "unsupported_parameter", param });
    const sent: object[] = [];
    const problems = [
      refuses("reasoning.summary"),
      refuses("include[0]"),
      refuses("tools[0].type"),
    ];
    const body = {
      model: "m",
      tools: [{}],
      include: ["a"],
      reasoning: { effort: "low", summary: "auto" },
    };
    const sending = memory.send(body, async (one) => {
      sent.push(one);
      const problem = problems.shift();
      if (problem !== undefined) throw problem;
    });
    await expect(sending).rejects.toMatchObject({ param: "tools[0].type" });
    expect(sent.at(-1)).toEqual({ model: "m", tools: [{}], reasoning: { effort: "low" } });
    await memory.send({ ...body, model: "other" }, async (one) => sent.push(one));
    expect(sent.at(-1)).toMatchObject({ include: ["a"], reasoning: { summary: "auto" } });
  });
});

describe("settling the calls of a transcript", () => {
  const callIds = ["c1", "c2", "c3"];
  const entries = fc.array(
    fc.oneof(
      fc.constantFrom(...callIds).map((id) => callEntry(id)),
      fc.constantFrom(...callIds).map((id) => outputEntry(id, "x")),
      fc.constant(userEntry("u", "hi")),
    ),
    { maxLength: 20 },
  );

  test("every call is answered exactly once, before anything else is said", () => {
    fc.assert(
      fc.property(entries, (transcript) => {
        const settled = settleCalls(transcript);
        const open: string[] = [];
        for (const [index, entry] of settled.entries()) {
          if (entry.type === "tool-call") {
            expect(["tool-call", "tool-output"]).toContain(settled[index + 1]?.type);
            open.push(entry.callId);
          } else if (entry.type === "tool-output") {
            expect(open.shift()).toBe(entry.callId);
          } else {
            expect(open).toEqual([]);
          }
        }
        expect(open).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  test("an id that is used twice gets each call its own output", () => {
    const first = { ...outputEntry("c1", "first"), id: "o1" };
    const second = { ...outputEntry("c1", "second"), id: "o2" };
    const again = { ...callEntry("c1"), id: "again" };
    const transcript = [callEntry("c1"), first, again, second];
    expect(settleCalls(transcript)).toEqual(transcript);
  });

  test("everything else stays, in order", () => {
    fc.assert(
      fc.property(entries, (transcript) => {
        const rest = (all: readonly TranscriptEntry[]) =>
          all.filter((entry) => entry.type !== "tool-output");
        expect(rest(settleCalls(transcript))).toEqual(rest(transcript));
      }),
    );
  });
});

describe("a stream that is watched", () => {
  /** A stream whose events come when the test says so, on a clock of its own. */
  function stage() {
    let now = 0;
    let due: { atMs: number; readonly ms: number; readonly run: () => void } | undefined;
    const timers: Timers = {
      after(ms, run) {
        const alarm = { atMs: now + ms, ms, run };
        due = alarm;
        return {
          restart: () => {
            alarm.atMs = now + ms;
          },
          stop: () => {
            alarm.atMs = Number.POSITIVE_INFINITY;
          },
        };
      },
      sleep: async () => {},
    };
    let isTornDown = false;
    let body: ReadableStreamDefaultController<Uint8Array> | undefined;
    const answer = new Response(
      new ReadableStream<Uint8Array>({
        start(controller) {
          body = controller;
        },
        cancel() {
          isTornDown = true;
        },
      }),
    );
    const encoder = new TextEncoder();
    const { signal } = new AbortController();
    return {
      source: new EventSource(answer, { idleTimeoutMs: 100, timers, signal }),
      isTornDown: () => isTornDown,
      send: (text: string) => body?.enqueue(encoder.encode(text)),
      sendBytes: (bytes: Uint8Array) => body?.enqueue(bytes),
      end: () => body?.close(),
      pass(ms: number) {
        now += ms;
        if (due !== undefined && due.atMs <= now) due.run();
      },
    };
  }

  test("may take as long as it likes while something comes", async () => {
    const { source, send, pass } = stage();
    for (let i = 0; i < 5; i += 1) {
      const next = source.next();
      pass(60);
      send(`data: ${i}\n\n`);
      expect(await next).toEqual([i]);
    }
  });

  test("is cut when nothing comes", async () => {
    const { source, pass, isTornDown } = stage();
    const next = source.next();
    pass(100);
    await expect(next).rejects.toMatchObject({ code: "stream-cut" });
    expect(isTornDown()).toBe(true);
  });

  test("is not cut while what came is still being worked on", async () => {
    const { source, send, pass } = stage();
    send('data: "a"\n\n');
    expect(await source.next()).toEqual(["a"]);
    pass(1000);
    send('data: "b"\n\n');
    expect(await source.next()).toEqual(["b"]);
  });

  test("is torn down when it is left early, and not when all has been said", async () => {
    const early = stage();
    early.source.close({ isComplete: false });
    expect(early.isTornDown()).toBe(true);
    const complete = stage();
    complete.source.close({ isComplete: true });
    expect(complete.isTornDown()).toBe(false);
  });

  test("is told in the batches it comes in, whatever the network cuts in two", async () => {
    const { source, send } = stage();
    send('event: a\ndata: {"n":1}\n\ndata: {"n":2}\n\ndata: {"n"');
    expect(await source.next()).toEqual([{ n: 1 }, { n: 2 }]);
    const next = source.next();
    send(":3");
    send("}\r\n");
    send("\r\n");
    expect(await next).toEqual([{ n: 3 }]);
  });

  test("keeps a character whole that the network cuts in two", async () => {
    const { source, sendBytes } = stage();
    const bytes = new TextEncoder().encode('data: "Grüße 👋"\n\n');
    const next = source.next();
    for (const byte of bytes) sendBytes(Uint8Array.of(byte));
    expect(await next).toEqual(["Grüße 👋"]);
  });

  test("says its last event though the empty line after it is missing", async () => {
    const { source, send, end } = stage();
    send('data: "last"');
    end();
    expect(await source.next()).toEqual(["last"]);
    expect(await source.next()).toBeUndefined();
  });

  test("says nothing after the end its server announces", async () => {
    const { source, send } = stage();
    send("data: 1\n\ndata: [DONE]\n\ndata: 2\n\n");
    expect(await source.next()).toEqual([1]);
    expect(await source.next()).toBeUndefined();
  });

  test.each([
    ["an error event", 'event: error\ndata: {"code":"x","message":"no"}\n\n', APIError],
    ["an error in the data", 'data: {"error":{"message":"no"}}\n\n', APIError],
    ["data that is no JSON", "data: {\n\n", SyntaxError],
  ])("says what came before %s, then fails", async (_what, text, error) => {
    const { source, send } = stage();
    send(`data: 1\n\n${text}data: 2\n\n`);
    expect(await source.next()).toEqual([1]);
    await expect(source.next()).rejects.toBeInstanceOf(error);
    await expect(source.next()).rejects.toBeInstanceOf(error);
  });
});

describe("the calls that are counted", () => {
  test.each([
    ["POST", "https://a.test/v1/responses", "responses.create"],
    ["GET", "https://a.test/v1/responses/resp_1?stream=true", "responses.retrieve"],
    ["POST", "https://a.test/v1/responses/resp_1/cancel", "responses.cancel"],
    ["DELETE", "https://a.test/v1/responses/resp_1", "responses.delete"],
    ["POST", "https://a.test/openai/v1/chat/completions", "chat.create"],
    ["POST", "https://a.test/v1/files", "files.create"],
    ["POST", "https://a.test/v1/vector_stores/vs_1/files", "vector_stores.files.create"],
    ["GET", "https://a.test/v1/vector_stores/vs_1/files/f_1", "vector_stores.files.retrieve"],
    ["GET", "https://a.test/v1/containers/c_1/files", "containers.files.list"],
    ["GET", "https://a.test/v1/containers/c_1/files/f_1/content", "containers.files.content"],
    ["GET", "https://a.test/v1/models", "models.list"],
  ])("%s %s is %s", async (method, url, operation) => {
    const seen: string[] = [];
    const client = createClient({
      apiKey: "k",
      fetch: async () => new Response("{}"),
      onCall: (name, outcome, seconds) => {
        seen.push(`${name} ${outcome}`);
        expect(seconds).toBeGreaterThanOrEqual(0);
      },
    });
    await client.fetchWithTimeout(url, { method }, 1000, new AbortController());
    expect(seen).toEqual([`${operation} ok`]);
  });
});
