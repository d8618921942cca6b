import { createServer, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { createTracer } from "../../../adapters/opentelemetry/tracer.ts";
import type { SpanAttributes } from "../../../src/ports/metrics.ts";
import { listenOnLoopback } from "../../wire/loopback.ts";

interface SentSpan {
  readonly name: string;
  readonly kind: number;
  readonly spanId: string;
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly status: { readonly code?: number };
  readonly attributes: readonly {
    readonly key: string;
    readonly value: { readonly stringValue?: string; readonly intValue?: number };
  }[];
}

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A collector on loopback that keeps what it is sent. */
async function collector() {
  const bodies: string[] = [];
  const paths: string[] = [];
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      paths.push(request.url ?? "");
      bodies.push(body);
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  const port = await listenOnLoopback(server);
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bodies,
    paths,
    spans: (): readonly SentSpan[] =>
      bodies.flatMap((body) =>
        JSON.parse(body).resourceSpans.flatMap(
          (resource: { scopeSpans: { spans: SentSpan[] }[] }) =>
            resource.scopeSpans.flatMap((scope) => scope.spans),
        ),
      ),
  };
}

function attributesOf(span: SentSpan | undefined): { [key: string]: unknown } {
  return Object.fromEntries(
    (span?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]),
  );
}

test("a run, its turn and its step arrive as one trace with the GenAI conventions' names", async () => {
  const to = await collector();
  const tracer = createTracer({ endpoint: to.endpoint, provider: "openai", version: "1.2.3" });
  const run = tracer.span("run", {
    run: "run_1",
    thread: "thread_1",
    assistant: "Helper",
    assistantId: "asst_1",
    assistantVersion: 4,
  });
  const turn = tracer.span("turn", { model: "gpt-5", turn: 1 }, run);
  turn.set({ responseModel: "gpt-5-2025-08-07", promptTokens: 12, cachedTokens: 4 });
  turn.end();
  const step = tracer.span("step", { tool: "clock", call: "call_1" }, run);
  step.fail("timeout");
  step.end();
  run.end();
  await tracer.stop();

  expect(to.paths).toEqual(["/v1/traces"]);
  const spans = new Map(to.spans().map((span) => [span.name, span]));
  const sentRun = spans.get("invoke_agent Helper");
  const sentTurn = spans.get("chat gpt-5");
  const sentStep = spans.get("execute_tool clock");
  expect(sentTurn?.parentSpanId).toBe(sentRun?.spanId);
  expect(sentStep?.parentSpanId).toBe(sentRun?.spanId);
  expect(sentStep?.traceId).toBe(sentRun?.traceId);
  expect(attributesOf(sentRun)).toEqual({
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.provider.name": "openai",
    "gen_ai.agent.name": "Helper",
    "gen_ai.agent.id": "asst_1",
    "gen_ai.agent.version": "4",
    "gen_ai.conversation.id": "thread_1",
    "bobbin.run.id": "run_1",
  });
  expect(attributesOf(sentTurn)).toMatchObject({
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2025-08-07",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.cache_read.input_tokens": 4,
  });
  expect(sentTurn?.kind).toBe(3);
  expect(attributesOf(sentStep)).toMatchObject({
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "clock",
    "gen_ai.tool.call.id": "call_1",
    "error.type": "timeout",
  });
  expect(sentStep?.status.code).toBe(2);
  expect(to.bodies[0]).toContain('"service.name"');
  expect(to.bodies[0]).toContain("1.2.3");
});

test("an attribute that is not in the list never leaves the process", async () => {
  const to = await collector();
  const tracer = createTracer({ endpoint: to.endpoint, provider: "openai", version: "1" });
  const careless = { run: "run_1", text: "my salary is 12345" } as SpanAttributes;
  const span = tracer.span("run", careless);
  span.set(careless);
  span.end();
  await tracer.stop();
  expect(to.spans()).toHaveLength(1);
  expect(to.bodies.join()).not.toContain("12345");
});

test("stopping resolves though no collector answers", async () => {
  const tracer = createTracer({ endpoint: "http://127.0.0.1:9", provider: "openai", version: "1" });
  tracer.span("run", {}).end();
  await expect(tracer.stop()).resolves.toBeUndefined();
});
