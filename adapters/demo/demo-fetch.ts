import { setTimeout as sleep } from "node:timers/promises";
import { Hono } from "hono";
import { modelName } from "./events.ts";
import { fileRoutes } from "./files.ts";
import type { Wait } from "./generation.ts";
import { DemoResponses } from "./responses.ts";
import { DemoState } from "./state.ts";
import { asObject, errorBody, Refusal, type WireError } from "./wire.ts";

/** The base URL that goes with the demo brain. Nothing is ever sent there: the host cannot exist. */
export const demoBaseUrl = "http://demo.invalid/v1";

/** What may be set about the demo brain. */
export interface DemoOptions {
  /** Default 60, about what people are used to. Infinity: everything at once. */
  readonly tokensPerSecond?: number;
  readonly now?: () => number;
  readonly wait?: Wait;
}

/**
 * What answers when no model is configured: a `fetch` to be put under the ordinary OpenAI client, so
 * that everything above it is the code that talks to the real service.
 *
 * It has the Responses API (streamed or not, in the background, resumable), files, vector stores,
 * containers and models, with their errors. Answers follow fixed rules, say at the head of each that
 * no model is configured, and never leave the process. All state is in memory: after a restart every
 * id is unknown, as an expired one is at the real service.
 */
export function createDemoFetch({
  tokensPerSecond = 60,
  now = Date.now,
  wait = (ms, signal) => sleep(ms, undefined, { signal }),
}: DemoOptions = {}): typeof globalThis.fetch {
  const state = new DemoState(now);
  const responses = new DemoResponses(state, { tokensPerSecond, wait, now });
  const app = routes(state, responses);
  return async (input, init) => {
    const signal = init?.signal ?? undefined;
    signal?.throwIfAborted();
    return app.fetch(new Request(input, init), { signal });
  };
}

interface Environment {
  Bindings: { readonly signal: AbortSignal | undefined };
}

function routes(state: DemoState, responses: DemoResponses): Hono<Environment> {
  const app = new Hono<Environment>().basePath("/v1");
  app.onError((error) => {
    if (error instanceof Refusal) return refused(error.error);
    if (error instanceof SyntaxError) {
      return refused({ status: 400, message: "We could not parse the JSON body of your request." });
    }
    throw error;
  });
  app.notFound((c) =>
    refused({
      status: 404,
      message: `Invalid URL (${c.req.method} ${c.req.path}): the demo brain does not have it.`,
    }),
  );
  app.post("/responses", async (c) => responses.create(asObject(await c.req.json()), c.env.signal));
  app.get("/responses/:id", (c) => {
    const id = c.req.param("id");
    if (c.req.query("stream") !== "true") return responses.retrieve(id);
    return responses.resume(id, Number(c.req.query("starting_after") ?? -1), c.env.signal);
  });
  app.post("/responses/:id/cancel", (c) => responses.cancel(c.req.param("id")));
  app.delete("/responses/:id", (c) => responses.remove(c.req.param("id")));
  const model = { id: modelName, object: "model", created: 0, owned_by: "nobody" };
  app.get("/models", (c) => c.json({ object: "list", data: [model] }));
  app.get("/models/:id", (c) =>
    c.req.param("id") === modelName
      ? c.json(model)
      : refused({
          status: 404,
          message: `The model '${c.req.param("id")}' does not exist.`,
          code: "model_not_found",
          param: "model",
        }),
  );
  app.route("/", fileRoutes(state));
  return app;
}

function refused(error: WireError): Response {
  return Response.json(
    { error: errorBody(error) },
    {
      status: error.status,
      headers: {
        ...error.headers,
        "x-request-id": `req_${crypto.randomUUID().replaceAll("-", "")}`,
      },
    },
  );
}
