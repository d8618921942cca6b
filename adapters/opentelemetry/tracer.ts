import { setTimeout } from "node:timers/promises";
import {
  type Attributes,
  context,
  type Span as OtelSpan,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import type { Span, SpanAttributes, SpanName, Tracer } from "#ports/metrics";

/** How a tracer is made. */
export interface TracerOptions {
  /** The base address of an OTLP collector, without `/v1/traces`. */
  readonly endpoint: string;
  /** OpenTelemetry's name for who runs the models (`openai`), or the server's host. */
  readonly provider: string;
  readonly version: string;
}

/** A tracer that has to be stopped, so that its last spans are sent. */
export interface OpenTelemetryTracer extends Tracer {
  /** Sends what is left; resolves even when the collector is gone. */
  stop(): Promise<void>;
}

/**
 * Spans by OpenTelemetry's GenAI conventions (status: development), as of semantic conventions 1.41:
 * `invoke_agent <assistant>`, `chat <model>`, `execute_tool <tool>`.
 * https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
 */
export function createTracer({ endpoint, provider, version }: TracerOptions): OpenTelemetryTracer {
  const tracerProvider = new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": "bobbin", "service.version": version }),
    spanProcessors: [
      new BatchSpanProcessor(
        new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, timeoutMillis: stopTimeoutMs }),
      ),
    ],
  });
  const tracer = tracerProvider.getTracer("bobbin", version);
  const spans = new WeakMap<Span, OtelSpan>();

  return {
    span(name, attributes, parent) {
      const parentSpan = parent && spans.get(parent);
      const otelSpan = tracer.startSpan(
        titleOf(name, attributes),
        {
          kind: name === "turn" ? SpanKind.CLIENT : SpanKind.INTERNAL,
          attributes: {
            "gen_ai.operation.name": operations[name],
            "gen_ai.provider.name": provider,
            ...toAttributes(attributes),
          },
        },
        parentSpan ? trace.setSpan(context.active(), parentSpan) : context.active(),
      );
      const span: Span = {
        set: (more) => void otelSpan.setAttributes(toAttributes(more)),
        fail: (code) => {
          otelSpan.setAttribute("error.type", code);
          otelSpan.setStatus({ code: SpanStatusCode.ERROR });
        },
        end: () => otelSpan.end(),
      };
      spans.set(span, otelSpan);
      return span;
    },
    stop: () =>
      Promise.race([
        tracerProvider.shutdown().catch(() => undefined),
        setTimeout(stopTimeoutMs, undefined, { ref: false }),
      ]),
  };
}

/** A collector that does not answer must not hold up the end of the process. */
const stopTimeoutMs = 2_000;

const operations: { readonly [name in SpanName]: string } = {
  run: "invoke_agent",
  turn: "chat",
  step: "execute_tool",
};

function titleOf(name: SpanName, { assistant, model, tool }: SpanAttributes): string {
  const subject = { run: assistant, turn: model, step: tool }[name];
  return subject === undefined ? operations[name] : `${operations[name]} ${subject}`;
}

const attributeNames: { readonly [name in keyof SpanAttributes]-?: string } = {
  run: "bobbin.run.id",
  thread: "gen_ai.conversation.id",
  conversation: "bobbin.conversation.key",
  platform: "bobbin.platform",
  assistant: "gen_ai.agent.name",
  assistantId: "gen_ai.agent.id",
  assistantVersion: "gen_ai.agent.version",
  attempt: "bobbin.attempt",
  turn: "bobbin.turn",
  backend: "bobbin.backend",
  model: "gen_ai.request.model",
  responseModel: "gen_ai.response.model",
  promptTokens: "gen_ai.usage.input_tokens",
  completionTokens: "gen_ai.usage.output_tokens",
  cachedTokens: "gen_ai.usage.cache_read.input_tokens",
  reasoningTokens: "gen_ai.usage.reasoning.output_tokens",
  costUsd: "bobbin.cost_usd",
  tool: "gen_ai.tool.name",
  call: "gen_ai.tool.call.id",
  status: "bobbin.status",
};

function toAttributes(attributes: SpanAttributes): Attributes {
  const result: Attributes = {};
  for (const [key, value] of Object.entries(attributes)) {
    const name = (attributeNames as { readonly [key: string]: string | undefined })[key];
    if (name === undefined || value === undefined) continue;
    // The convention has versions as strings.
    result[name] = key === "assistantVersion" ? String(value) : value;
  }
  return result;
}
