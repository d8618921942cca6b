import { APIError, APIUserAbortError } from "openai";
import type {
  ResponseInputItem,
  ResponseStreamEvent,
  Tool,
} from "openai/resources/responses/responses";
import { describe, expect, test, vi } from "vitest";
import {
  answerOf,
  collect,
  demoClient,
  eventsOf,
  messageWith,
  streamedText,
  upload,
} from "./demo-client.ts";

const label = "**Demo brain: no model is configured.**";
const calculate: Tool = {
  type: "function",
  name: "calculate",
  description: "Calculates.",
  parameters: {},
  strict: false,
};

describe("POST /responses, streamed", () => {
  test("a text comes in the real service's order of events, numbered without a gap", async () => {
    const events = await eventsOf(demoClient(), "2+2");
    const types = events.map((event) => event.type).filter((type) => !type.endsWith("text.delta"));
    expect(types).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, i) => i));
  });

  test("the streamed text is the text of the response, and says that there is no model", async () => {
    const { text, response } = await answerOf(demoClient(), "what is 15% of 80?");
    expect(text).toBe(`${label}\n\n\`15% of 80\` = **12**`);
    expect(response.output).toMatchObject([{ type: "message", content: [{ text }] }]);
    expect(response).toMatchObject({ model: "demo", status: "completed", error: null });
    expect(response.usage?.output_tokens).toBeGreaterThan(0);
  });

  test("tokens come at the pace that is set", async () => {
    const waits: number[] = [];
    let nowMs = 0;
    const client = demoClient({
      tokensPerSecond: 50,
      now: () => nowMs,
      wait: async (ms) => {
        waits.push(ms);
        nowMs += ms;
      },
    });
    await answerOf(client, "2+2");
    expect(waits.length).toBeGreaterThan(5);
    expect(waits.every((ms) => ms === 20)).toBe(true);
    waits.length = 0;
    await answerOf(client, "slow 30");
    expect(waits.reduce((a, b) => a + b)).toBeCloseTo(30_000);
    waits.length = 0;
    const { text } = await answerOf(client, "long 30000");
    expect(waits.reduce((a, b) => a + b)).toBeCloseTo(30_000);
    expect(text).toHaveLength(30_000 + label.length + 2);
  });

  test("an abort ends the stream and the work behind it", async () => {
    let waiting = 0;
    const client = demoClient({
      wait: (_ms, signal) => {
        waiting += 1;
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            waiting -= 1;
            reject(signal.reason);
          });
        });
      },
      tokensPerSecond: 1,
    });
    const stop = new AbortController();
    const seen: string[] = [];
    const stream = await client.responses.create(
      { model: "demo", input: "2+2", stream: true },
      { signal: stop.signal },
    );
    for await (const event of stream) {
      seen.push(event.type);
      if (event.type === "response.content_part.added") stop.abort();
    }
    expect(seen.at(-1)).toBe("response.content_part.added");
    expect(waiting).toBe(0);
  });

  test("a request that was aborted before is not answered", async () => {
    const request = eventsOf(demoClient(), "2+2", {}, AbortSignal.abort());
    await expect(request).rejects.toThrow(APIUserAbortError);
  });

  test("an answer stops at max_output_tokens and says so", async () => {
    const events = await eventsOf(demoClient(), "long 3000", { max_output_tokens: 20 });
    expect(events.at(-1)).toMatchObject({
      type: "response.incomplete",
      response: {
        status: "incomplete",
        incomplete_details: { reason: "max_output_tokens" },
        usage: { output_tokens: 20 },
      },
    });
  });
});

describe("POST /responses, in one piece", () => {
  test("gives the same answer", async () => {
    const client = demoClient();
    const response = await client.responses.create({ model: "demo", input: "2^100" });
    expect(response.output_text).toBe(
      `${label}\n\n\`2^100\` = **1267650600228229401496703205376**`,
    );
  });

  test("the body that is no JSON is refused", async () => {
    const request = demoClient().post("/responses", {
      body: "{",
      headers: { "content-type": "application/json" },
    });
    await expect(request).rejects.toMatchObject({ status: 400 });
  });
});

describe("what a conversation goes on from", () => {
  test("previous_response_id remembers everything since the beginning", async () => {
    const client = demoClient();
    const first = await answerOf(client, "2+2");
    const second = await answerOf(client, "help", { previous_response_id: first.response.id });
    const { text } = await answerOf(client, "what did I say?", {
      previous_response_id: second.response.id,
    });
    expect(text).toBe(`${label}\n\nI was given 2 earlier messages:\n\n1. 2+2\n1. help`);
  });

  test("an id of before a restart is refused as an expired one is", async () => {
    const { response } = await answerOf(demoClient(), "2+2");
    const request = eventsOf(demoClient(), "2+2", { previous_response_id: response.id });
    await expect(request).rejects.toMatchObject({
      status: 400,
      code: "previous_response_not_found",
      param: "previous_response_id",
    });
    await expect(demoClient().responses.retrieve(response.id)).rejects.toMatchObject({
      status: 404,
    });
  });

  test("what was not to be stored cannot be gone on from", async () => {
    const client = demoClient();
    const { response } = await answerOf(client, "2+2", { store: false });
    await expect(
      eventsOf(client, "x", { previous_response_id: response.id }),
    ).rejects.toMatchObject({ code: "previous_response_not_found" });
  });

  test("a call without its output is refused, and so is an output without its call", async () => {
    const client = demoClient();
    const { response } = await answerOf(client, 'call calculate {"expression":"2+2"}', {
      tools: [calculate],
    });
    const open = eventsOf(client, "hello", { previous_response_id: response.id });
    await expect(open).rejects.toThrow(/No tool output found for function call call_/);
    const stray = eventsOf(client, [
      { type: "function_call_output", call_id: "call_x", output: "4" },
    ]);
    await expect(stray).rejects.toThrow(/No tool call found/);
  });

  test("a deleted response is gone", async () => {
    const client = demoClient();
    const { response } = await answerOf(client, "2+2");
    await client.responses.delete(response.id);
    await expect(client.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 });
    await expect(
      eventsOf(client, "x", { previous_response_id: response.id }),
    ).rejects.toMatchObject({ status: 400 });
  });
});

describe("functions", () => {
  const two = 'call calculate {"expression":"2+2"}\ncall calculate {"expression":"3*3"}';

  test("several lines are called in parallel, and the answer says what each returned", async () => {
    const client = demoClient();
    const events = await eventsOf(client, two, { tools: [calculate] });
    const types = events.map((event) => event.type);
    const perCall = [
      "response.output_item.added",
      "response.function_call_arguments.done",
      "response.output_item.done",
    ];
    const ofCalls = types.slice(types.indexOf("response.output_item.done") + 1);
    expect(ofCalls.filter((type) => !type.endsWith(".delta"))).toEqual([
      ...perCall,
      ...perCall,
      "response.completed",
    ]);
    expect(streamedText(events)).toBe(
      `${label}\n\nI call \`calculate\` and \`calculate\`, as you asked.`,
    );
    const last = events.at(-1) as Extract<ResponseStreamEvent, { type: "response.completed" }>;
    const calls = last.response.output.flatMap((item) =>
      item.type === "function_call" ? [item] : [],
    );
    expect(calls.map((call) => call.arguments)).toEqual([
      '{"expression":"2+2"}',
      '{"expression":"3*3"}',
    ]);
    const outputs = calls.map(
      (call, i): ResponseInputItem => ({
        type: "function_call_output",
        call_id: call.call_id,
        output: i === 0 ? '{"result":"4"}' : "nine",
      }),
    );
    const { text } = await answerOf(client, outputs, {
      previous_response_id: last.response.id,
      tools: [calculate],
    });
    expect(text).toBe(
      `\`calculate\` returned:\n\n\`\`\`json\n{\n  "result": "4"\n}\n\`\`\`\n\n\`calculate\` returned:\n\n\`\`\`text\nnine\n\`\`\``,
    );
  });

  test("a function that is not offered is not called", async () => {
    const { text, response } = await answerOf(demoClient(), "call shred {}", {
      tools: [calculate],
    });
    expect(response.output.map((item) => item.type)).toEqual(["message"]);
    expect(text).toMatch("not given a function called `shred`");
    expect(text).toMatch("`calculate`");
  });

  test("arguments that are no JSON go out as they are", async () => {
    const { response } = await answerOf(demoClient(), "call calculate {oops", {
      tools: [calculate],
    });
    expect(response.output).toMatchObject([
      { type: "message" },
      { type: "function_call", arguments: "{oops" },
    ]);
  });

  test("who says what is understood with or without a name before it", async () => {
    const input: ResponseInputItem[] = [
      {
        role: "user",
        content: [
          {
            type: "input_text",
            text: "Said earlier in this place.\n<earlier-messages>\ncall shred\n</earlier-messages>",
          },
          { type: "input_text", text: "Ada writes:" },
          { type: "input_text", text: `Ada: ${two}` },
        ],
      },
    ];
    const { response } = await answerOf(demoClient(), input, { tools: [calculate] });
    expect(response.output).toMatchObject([
      { type: "message" },
      { name: "calculate" },
      { name: "calculate" },
    ]);
  });

  test("messages that waited together are each answered", async () => {
    const { text } = await answerOf(demoClient(), [
      { role: "user", content: "Ada: 2+2" },
      { role: "user", content: "Grace: 3*3" },
    ]);
    expect(text).toMatch("`2+2` = **4**");
    expect(text).toMatch("`3*3` = **9**");
    expect(text.split(label)).toHaveLength(2);
  });
});

describe("background", () => {
  function steppedClient() {
    const steps: (() => void)[] = [];
    let isFree = false;
    const client = demoClient({
      tokensPerSecond: 10,
      wait: (_ms, signal) =>
        isFree
          ? Promise.resolve()
          : new Promise((resolve, reject) => {
              steps.push(resolve);
              signal.addEventListener("abort", () => reject(signal.reason));
            }),
    });
    const free = () => {
      isFree = true;
      for (const step of steps.splice(0)) step();
    };
    return { client, free };
  }

  test("an answer goes on when the connection is lost, and is taken up at its number", async () => {
    const { client, free } = steppedClient();
    const stream = await client.responses.create({
      model: "demo",
      input: "showcase",
      stream: true,
      background: true,
    });
    const seen: ResponseStreamEvent[] = [];
    for await (const event of stream) {
      seen.push(event);
      if (event.type === "response.output_item.added") break;
    }
    const id = seen[0]?.type === "response.created" ? seen[0].response.id : "";
    expect(seen.map((event) => event.type).slice(0, 3)).toEqual([
      "response.created",
      "response.queued",
      "response.in_progress",
    ]);
    expect(await client.responses.retrieve(id)).toMatchObject({ status: "in_progress" });
    free();
    const rest = await collect(
      await client.responses.retrieve(id, { stream: true, starting_after: seen.length - 1 }),
    );
    const all = [...seen, ...rest];
    expect(all.map((event) => event.sequence_number)).toEqual(all.map((_, i) => i));
    const last = all.at(-1);
    expect(last).toMatchObject({
      type: "response.completed",
      response: { id, output: [{ content: [{ text: streamedText(all) }] }] },
    });
  });

  test("a cancelled one stops and stays cancelled", async () => {
    const { client } = steppedClient();
    const begun = await client.responses.create({
      model: "demo",
      input: "showcase",
      background: true,
    });
    expect(begun.status).toBe("in_progress");
    expect(await client.responses.cancel(begun.id)).toMatchObject({ status: "cancelled" });
    expect(await client.responses.retrieve(begun.id)).toMatchObject({ status: "cancelled" });
    const rest = await collect(await client.responses.retrieve(begun.id, { stream: true }));
    expect(rest.some((event) => event.type === "response.completed")).toBe(false);
  });

  test("after five minutes it can be fetched, but no longer streamed", async () => {
    let nowMs = 0;
    const client = demoClient({ now: () => nowMs });
    const { id } = await client.responses.create({ model: "demo", input: "2+2", background: true });
    nowMs = 300_001;
    await expect(client.responses.retrieve(id, { stream: true })).rejects.toThrow(
      /more than 5 minutes old/,
    );
    expect(await client.responses.retrieve(id)).toMatchObject({ status: "completed" });
  });

  test("one in the foreground can be neither cancelled nor streamed again", async () => {
    const client = demoClient();
    const { response } = await answerOf(client, "2+2");
    await expect(client.responses.cancel(response.id)).rejects.toMatchObject({ status: 400 });
    await expect(client.responses.retrieve(response.id, { stream: true })).rejects.toMatchObject({
      status: 400,
    });
    expect(await client.responses.retrieve(response.id)).toMatchObject({ status: "completed" });
  });
});

describe("failing on request", () => {
  test.each([
    ["429", { status: 429, code: "rate_limit_exceeded" }],
    ["500", { status: 500, code: "server_error" }],
    ["503", { status: 503 }],
    ["quota", { status: 429, code: "insufficient_quota" }],
    ["auth", { status: 401, code: "invalid_api_key" }],
    ["context_length", { status: 400, code: "context_length_exceeded" }],
  ])("fail %s is refused before anything is shown", async (how, error) => {
    const failure = await eventsOf(demoClient(), `fail ${how}`).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(APIError);
    expect(failure).toMatchObject(error);
  });

  test("a rate limit says when to come back", async () => {
    const failure = await eventsOf(demoClient(), "fail 429").catch((error: unknown) => error);
    expect(failure).toMatchObject({ headers: expect.any(Headers) });
    expect((failure as APIError).headers?.get("retry-after")).toBe("2");
  });

  test("fail … once succeeds at the second attempt", async () => {
    const client = demoClient();
    await expect(eventsOf(client, "Ada: fail 500 once")).rejects.toMatchObject({ status: 500 });
    const { text } = await answerOf(client, "Ada: fail 500 once");
    expect(text).toMatch("worked at attempt 2, after `fail 500` once");
  });

  test("fail cut ends in the middle without an end", async () => {
    const events = await eventsOf(demoClient(), "fail cut");
    expect(events.at(-1)?.type).toBe("response.output_text.delta");
    expect(streamedText(events)).toMatch(label);
  });

  test("fail reset breaks the connection as the runtime does", async () => {
    const failure = await eventsOf(demoClient(), "fail reset").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TypeError);
    expect(failure).toMatchObject({ message: "terminated", cause: { code: "UND_ERR_SOCKET" } });
  });

  test("fail hang says no more until it is aborted", async () => {
    const stop = new AbortController();
    const stream = await demoClient().responses.create(
      { model: "demo", input: "fail hang", stream: true },
      { signal: stop.signal },
    );
    const seen: ResponseStreamEvent[] = [];
    const reading = (async () => {
      for await (const event of stream) seen.push(event);
    })();
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(20));
    stop.abort();
    await reading;
    expect(seen.at(-1)?.type).toBe("response.output_text.delta");
  });

  test("in the background only the connection is lost, not the answer", async () => {
    const client = demoClient();
    const cut = await eventsOf(client, "fail cut", { background: true });
    const id = cut[0]?.type === "response.created" ? cut[0].response.id : "";
    const rest = await collect(
      await client.responses.retrieve(id, { stream: true, starting_after: cut.length - 1 }),
    );
    expect(rest.at(-1)?.type).toBe("response.completed");
    expect(streamedText([...cut, ...rest])).toMatch(/ten\. This is the end of it\.$/);
  });

  test("fail content_filter ends incomplete", async () => {
    const events = await eventsOf(demoClient(), "fail content filter");
    expect(events.at(-1)).toMatchObject({
      type: "response.incomplete",
      response: { incomplete_details: { reason: "content_filter" } },
    });
  });

  test.each([
    ["error", "server_error"],
    ["stream_quota", "insufficient_quota"],
  ])("fail %s is an error event in the middle of the stream", async (how, code) => {
    const failure = await eventsOf(demoClient(), `fail ${how}`).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(APIError);
    expect(failure).toMatchObject({ code });
  });

  test.each(["fail quota", "fail 500 once", "fail cut", "slow 600", "long 200000"])(
    "an earlier message that was not answered (%s) does not spoil the next",
    async (earlier) => {
      const { text } = await answerOf(demoClient(), [
        { role: "user", content: earlier },
        { role: "user", content: "2+2" },
      ]);
      expect(text).toBe(`${label}\n\n\`2+2\` = **4**`);
    },
  );

  test("fail alone lists every way", async () => {
    const { text } = await answerOf(demoClient(), "fail");
    for (const how of [
      "429",
      "500",
      "quota",
      "cut",
      "reset",
      "hang",
      "content_filter",
      "context_length",
    ]) {
      expect(text).toMatch(`fail ${how}`);
    }
  });
});

describe("files, vector stores and containers", () => {
  test("an uploaded file comes back byte for byte, until it is deleted", async () => {
    const client = demoClient();
    const id = await upload(client, "a.txt", "hällo");
    expect(await client.files.retrieve(id)).toMatchObject({
      filename: "a.txt",
      bytes: 6,
      purpose: "user_data",
    });
    expect(await (await client.files.content(id)).text()).toBe("hällo");
    expect((await collect(await client.files.list())).map((file) => file.id)).toEqual([id]);
    await client.files.delete(id);
    await expect(client.files.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });

  test("a vector store takes files in, and says when they can be searched", async () => {
    const client = demoClient();
    const good = await upload(client, "a.txt", "hello");
    const bad = await upload(client, "b.bin", "\0\0");
    const store = await client.vectorStores.create({ file_ids: [good] });
    expect(store).toMatchObject({ status: "in_progress", file_counts: { total: 1 } });
    const attached = await client.vectorStores.files.create(store.id, { file_id: bad });
    expect(attached.status).toBe("in_progress");
    const [a, b] = await Promise.all(
      [good, bad].map((id) =>
        client.vectorStores.files.retrieve(id, { vector_store_id: store.id }),
      ),
    );
    expect(a).toMatchObject({ status: "completed", last_error: null });
    expect(b).toMatchObject({ status: "failed", last_error: { code: "unsupported_file" } });
    expect(await client.vectorStores.retrieve(store.id)).toMatchObject({
      status: "completed",
      file_counts: { completed: 1, failed: 1 },
    });
    await client.vectorStores.files.delete(bad, { vector_store_id: store.id });
    await client.vectorStores.delete(store.id);
    await expect(client.vectorStores.retrieve(store.id)).rejects.toMatchObject({ status: 404 });
  });

  test("a container is lost after twenty minutes without use", async () => {
    let nowMs = 0;
    const client = demoClient({ now: () => nowMs });
    const container = await client.containers.create({ name: "c" });
    const file_id = await upload(client, "a.csv", "n\n1\n");
    const copy = await client.containers.files.create(container.id, { file_id });
    expect(copy).toMatchObject({ path: "/mnt/data/a.csv", source: "user", bytes: 4 });
    nowMs = 20 * 60_000;
    expect(await collect(await client.containers.files.list(container.id))).toHaveLength(1);
    nowMs += 20 * 60_000 + 1;
    await expect(client.containers.files.list(container.id)).rejects.toMatchObject({ status: 404 });
  });

  test("a response refuses ids that are not known any more", async () => {
    const client = demoClient();
    const id = await upload(client, "a.txt", "x");
    await client.files.delete(id);
    await expect(eventsOf(client, messageWith("facts", [id]))).rejects.toThrow(
      /No such File object/,
    );
    const tools: Tool[] = [{ type: "file_search", vector_store_ids: ["vs_x"] }];
    await expect(eventsOf(client, "x", { tools })).rejects.toMatchObject({ status: 404 });
  });

  test("there is one model, and it is called demo", async () => {
    const client = demoClient();
    expect((await collect(await client.models.list())).map((model) => model.id)).toEqual(["demo"]);
    await expect(client.models.retrieve("gpt-5.5")).rejects.toMatchObject({
      code: "model_not_found",
    });
  });

  test("what the demo brain does not have is said by name", async () => {
    await expect(demoClient().embeddings.create({ model: "x", input: "y" })).rejects.toThrow(
      "POST /v1/embeddings",
    );
  });
});

test("a message that sends its file along is answered with the file's facts", async () => {
  const client = demoClient();
  const id = await upload(client, "sales.csv", "month,amount\nJan,0.10\nFeb,0.20\n");
  const { text } = await answerOf(client, messageWith("what is in here?", [id]));
  expect(text).toMatch(label);
  expect(text).toMatch("**sales.csv**: 31 bytes, a table of 2 rows and 2 columns.");
  expect(text).toMatch("| amount | number | 2 | 2 | 0.3 | 0.15 | 0.1 | 0.2 |");
});
