import { createDemoFetch, demoBaseUrl } from "../../adapters/demo/demo-fetch.ts";
import { createAssistantsBackend } from "../../adapters/openai/assistants.ts";
import { createChatBackend } from "../../adapters/openai/chat-completions.ts";
import type { OnCall } from "../../adapters/openai/client.ts";
import { createEmbedder } from "../../adapters/openai/embedder.ts";
import { chooseApi } from "../../adapters/openai/profiles.ts";
import { createResponsesBackend } from "../../adapters/openai/responses.ts";
import { createTranscriber } from "../../adapters/openai/transcriber.ts";
import packageJson from "../../package.json" with { type: "json" };
import type { Config } from "../config.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Log } from "../ports/log.ts";
import { noTracer, type Tracer } from "../ports/metrics.ts";
import type { ModelBackend } from "../ports/model-backend.ts";
import type { Transcriber } from "../ports/transcriber.ts";

const demoModel = "demo";

/** The model that is asked where none is chosen. */
export function defaultModelOf({ model }: Config): string {
  return model.type === "demo" ? demoModel : model.model;
}

/** Tells where time goes, to whoever collects it. */
export async function createTracer(config: Config, parts: AsyncDisposableStack): Promise<Tracer> {
  const endpoint = config.observability.otlpEndpoint;
  if (endpoint === undefined) return noTracer;
  // Its packages are many: they are loaded by those who use them.
  const { createTracer: create } = await import("../../adapters/opentelemetry/tracer.ts");
  const provider = config.model.type === "demo" ? demoModel : providerOf(config.model.baseUrl);
  const tracer = create({ endpoint, provider, version: packageJson.version });
  parts.defer(() => tracer.stop());
  return tracer;
}

function providerOf(baseUrl: string | undefined): string {
  return baseUrl === undefined ? "openai" : (URL.parse(baseUrl)?.hostname ?? "openai");
}

/** The driver of the API that was chosen, or that the server is known for. */
export function createBackend(
  { model, limits }: Config,
  { onCall, log }: { readonly onCall: OnCall; readonly log: Log },
): ModelBackend {
  const common = { onCall, idleTimeoutMs: limits.streamIdleMs };
  if (model.type === "demo") {
    return createResponsesBackend({
      ...common,
      apiKey: "none",
      baseUrl: demoBaseUrl,
      fetch: createDemoFetch(),
      log,
    });
  }
  const server = { ...common, ...serverOf(model) };
  switch (chooseApi(model.baseUrl, model.api)) {
    case "responses":
      return createResponsesBackend({
        ...server,
        background: model.background,
        compactThresholdTokens: limits.contextTokens,
        log,
      });
    case "chat":
      return createChatBackend(server);
    case "assistants":
      return createAssistantsBackend(server);
  }
}

export function transcriberOf({ model }: Config, onCall: OnCall): Transcriber | undefined {
  if (model.type === "demo" || model.transcriptionModel === undefined) return undefined;
  return createTranscriber({ ...serverOf(model), model: model.transcriptionModel, onCall });
}

/** The client insists on a key; servers that ask for none ignore it. */
function serverOf({ apiKey, baseUrl }: Extract<Config["model"], { readonly type: "openai" }>) {
  return { apiKey: apiKey ?? "none", ...(baseUrl === undefined ? {} : { baseUrl }) };
}

export function embedderOf({ model }: Config, onCall: OnCall): Embedder | undefined {
  if (model.type === "demo" || model.embeddingsModel === undefined) return undefined;
  return createEmbedder({ ...serverOf(model), model: model.embeddingsModel, onCall });
}
