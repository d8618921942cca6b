import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { AssistantsService } from "./assistants-service.ts";
import { closeAtOnce, listenOnLoopback } from "./loopback.ts";
import {
  json,
  refuse,
  type ScriptedTurn,
  type StreamFault,
  scriptOf,
  sendEvents,
} from "./openai-answers.ts";
import { type BuiltResponse, buildChat, buildResponse } from "./openai-events.ts";

type Wire = { readonly [key: string]: unknown };

/** A request as it really came. */
export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Undefined for bodies that are not JSON. */
  readonly body: Wire | undefined;
  readonly raw: Buffer;
  /** Resolves when the connection is over: true when the client went before the answer was complete. */
  readonly abandoned: Promise<boolean>;
}

interface KeptResponse {
  readonly built: BuiltResponse;
  readonly background: boolean;
  readonly resumeFaults: (StreamFault | "too-old" | "unavailable")[];
  /** Call ids that the next request has to answer. */
  readonly openCalls: readonly string[];
  polls: number;
  isCancelled: boolean;
}

interface KeptFile {
  readonly id: string;
  readonly name: string;
  readonly data: Buffer;
  readonly purpose: string;
}

interface KeptContainerFile {
  readonly id: string;
  readonly path: string;
  readonly source: "assistant" | "user";
  readonly data: Buffer;
}

/**
 * A model service on loopback that does what it is told, for drivers with the real SDK over real
 * sockets. It is as strict as the real one where that protects: every call must be answered exactly
 * once, a response to go on from must be there, and an unknown id is refused.
 */
export class OpenAIServer {
  readonly requests: RecordedRequest[] = [];
  /** What is heard in every recording; undefined: it has no model for that. */
  spoken: string | undefined = "Hello there.";
  /** What it makes of a text; undefined: it has no model for that. */
  vectorOf: ((text: string) => readonly number[]) | undefined;
  readonly files = new Map<string, KeptFile>();
  readonly vectorStores = new Map<string, { readonly fileIds: string[] }>();
  readonly containers = new Map<string, Map<string, KeptContainerFile>>();
  readonly responses = new Map<string, KeptResponse>();
  /** True: takes `previous_response_id` and ignores it, as some servers do. */
  ignoresState = false;
  /** True: a stream that is taken up begins with what was sent last, once more. */
  repeatsItself = false;
  /** True: an attached file cannot be indexed. */
  failsIndexing = false;
  readonly #script: ScriptedTurn[] = [];
  /** Threads and runs, for servers that still have them. */
  readonly assistants = new AssistantsService({
    nextTurn: () => this.#script.shift() ?? {},
    id: (kind) => this.#id(kind),
  });
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });
  #port = 0;
  #ids = 0;

  /** Where it listens; the SDK's `baseURL`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/v1`;
  }

  async listen(): Promise<this> {
    this.#port = await listenOnLoopback(this.#server);
    return this;
  }

  close(): Promise<void> {
    return closeAtOnce(this.#server);
  }

  /** What the next requests to the model are answered with, one each; after that: `OK.` */
  script(...turns: readonly ScriptedTurn[]): void {
    this.#script.push(...turns);
  }

  /** The bodies of what asked the model, in order. */
  get asked(): readonly Wire[] {
    return this.requests
      .filter((request) => request.method === "POST" && isAsking(request.path))
      .map((request) => request.body ?? {});
  }

  /** The requests behind {@link asked}. */
  get asking(): readonly RecordedRequest[] {
    return this.requests.filter(({ method, path }) => method === "POST" && isAsking(path));
  }

  /** Requests of a method whose path fits. */
  requestsTo(method: string, path: RegExp): readonly RecordedRequest[] {
    return this.requests.filter((one) => one.method === method && path.test(one.path));
  }

  /** Puts a file into a container, as code that ran there would. */
  addContainerFile(containerId: string, file: KeptContainerFile): void {
    const files = this.containers.get(containerId) ?? new Map();
    files.set(file.id, file);
    this.containers.set(containerId, files);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const url = new URL(request.url ?? "/", "http://loopback");
    const recorded: RecordedRequest = {
      method: request.method ?? "",
      path: url.pathname.replace(/^.*?\/v1/, ""),
      query: url.searchParams,
      body: parse(raw),
      raw,
      abandoned: new Promise((resolve) => {
        response.on("close", () => resolve(!response.writableFinished));
      }),
    };
    this.requests.push(recorded);
    const route = `${recorded.method} ${recorded.path}`;
    for (const [pattern, handle] of this.#routes) {
      const found = pattern.exec(route);
      if (found === null) continue;
      return handle(response, recorded, found.slice(1));
    }
    refuse(response, 404, { message: `no route ${route}` });
  }

  readonly #routes: readonly (readonly [
    RegExp,
    (response: ServerResponse, request: RecordedRequest, ids: readonly string[]) => void,
  ])[] = [
    [/^POST \/responses$/, (response, request) => this.#createResponse(response, request)],
    [/^POST \/chat\/completions$/, (response, request) => this.#createChat(response, request)],
    [
      /^POST \/responses\/([^/]+)\/cancel$/,
      (response, _request, [id]) => this.#cancel(response, id),
    ],
    [
      /^GET \/responses\/([^/]+)$/,
      (response, request, [id]) => this.#retrieve(response, request, id),
    ],
    [
      /^DELETE \/responses\/([^/]+)$/,
      (response, _request, [id]) => remove(response, this.responses, id),
    ],
    [/^POST \/audio\/transcriptions$/, (response) => this.#transcribe(response)],
    [/^POST \/embeddings$/, (response, request) => this.#embed(response, request)],
    [
      /^(\w+) (\/(?:assistants|threads)(?:\/.*)?)$/,
      (response, request, [method = "", path = ""]) =>
        this.assistants.serve(response, { method, path, body: request.body ?? {} }),
    ],
    [
      /^GET \/files\/([^/]+)\/content$/,
      (response, _request, [id = ""]) => this.assistants.sendFile(response, id),
    ],
    [/^POST \/files$/, (response, request) => this.#createFile(response, request)],
    [/^DELETE \/files\/([^/]+)$/, (response, _request, [id]) => remove(response, this.files, id)],
    [/^POST \/vector_stores$/, (response) => this.#createVectorStore(response)],
    [
      /^POST \/vector_stores\/([^/]+)\/files$/,
      (response, request, [id]) => this.#attach(response, request, id),
    ],
    [
      /^GET \/vector_stores\/([^/]+)\/files\/([^/]+)$/,
      (response, _request, [store, file]) => this.#attached(response, store, file),
    ],
    [
      /^DELETE \/vector_stores\/([^/]+)$/,
      (response, _request, [id]) => remove(response, this.vectorStores, id),
    ],
    [
      /^POST \/containers\/([^/]+)\/files$/,
      (response, request, [id]) => this.#putIntoContainer(response, request, id),
    ],
    [
      /^GET \/containers\/([^/]+)\/files$/,
      (response, _request, [id]) => this.#listContainer(response, id),
    ],
    [
      /^GET \/containers\/([^/]+)\/files\/([^/]+)\/content$/,
      (response, _request, [id, file]) => this.#containerContent(response, id, file),
    ],
    [
      /^DELETE \/containers\/([^/]+)$/,
      (response, _request, [id]) => remove(response, this.containers, id),
    ],
    [
      /^GET \/models$/,
      (response) =>
        json(response, {
          object: "list",
          data: ["small", "large", "text-embedding-9"].map((id) => ({ id, object: "model" })),
        }),
    ],
  ];

  #createResponse(response: ServerResponse, request: RecordedRequest): void {
    const body = request.body ?? {};
    const turn = this.#script.shift() ?? {};
    if (turn.refuse !== undefined) {
      refuse(response, turn.refuse.status, turn.refuse.error, turn.refuse.headers);
      return;
    }
    const previousId =
      typeof body.previous_response_id === "string" ? body.previous_response_id : null;
    const previous = previousId === null ? undefined : this.responses.get(previousId);
    if (previousId !== null && previous === undefined && !this.ignoresState) {
      this.#script.unshift(turn);
      refuse(response, 400, {
        code: "previous_response_not_found",
        param: "previous_response_id",
        message: `Previous response with id '${previousId}' not found.`,
      });
      return;
    }
    const problem = this.#problemWith(body, previous);
    if (problem !== undefined) {
      this.#script.unshift(turn);
      refuse(response, 400, { type: "invalid_request_error", ...problem });
      return;
    }
    const id = this.#id("resp");
    const built = buildResponse(
      {
        id,
        created_at: 1,
        model: body.model,
        background: body.background === true,
        store: body.store !== false,
        previous_response_id: this.ignoresState ? null : previousId,
      },
      scriptOf(turn),
    );
    const kept: KeptResponse = {
      built,
      background: body.background === true,
      resumeFaults: [...(turn.resumeFaults ?? [])],
      openCalls: (turn.items ?? []).flatMap((item) => (item.type === "call" ? item.callId : [])),
      polls: turn.pollsUntilDone ?? 0,
      isCancelled: false,
    };
    if (body.store !== false) this.responses.set(id, kept);
    sendEvents(response, built.events, turn.fault);
  }

  /** What the real service would refuse in an input. */
  #problemWith(
    body: Wire,
    previous: KeptResponse | undefined,
  ): { readonly message: string; readonly code?: string } | undefined {
    const input = Array.isArray(body.input) ? (body.input as Wire[]) : [];
    const calls = input.filter((item) => item.type === "function_call").map((item) => item.call_id);
    const outputs = input
      .filter((item) => item.type === "function_call_output")
      .map((item) => item.call_id);
    const open = [...calls, ...(this.ignoresState ? [] : (previous?.openCalls ?? []))];
    const unanswered = open.find((id) => outputs.filter((one) => one === id).length !== 1);
    if (unanswered !== undefined) {
      return { message: `No tool output found for function call ${String(unanswered)}.` };
    }
    const unasked = outputs.find((id) => !open.includes(id));
    if (unasked !== undefined) {
      return { message: `No tool call found for function call output ${String(unasked)}.` };
    }
    for (const [kind, id] of idsIn(body)) {
      const known = {
        file: this.files,
        "vector store": this.vectorStores,
        container: this.containers,
      };
      if (!known[kind].has(id)) {
        return {
          message:
            kind === "container" ? `Container ${id} is expired.` : `${kind} ${id} not found.`,
        };
      }
    }
    return undefined;
  }

  #createChat(response: ServerResponse, request: RecordedRequest): void {
    const turn = this.#script.shift() ?? {};
    if (turn.refuse !== undefined) {
      refuse(response, turn.refuse.status, turn.refuse.error, turn.refuse.headers);
      return;
    }
    const problem = chatProblem((request.body?.messages ?? []) as readonly Wire[]);
    if (problem !== undefined) {
      refuse(response, 400, { type: "invalid_request_error", message: problem });
      return;
    }
    const chunks = buildChat(String(request.body?.model), scriptOf(turn));
    sendEvents(response, chunks, turn.fault, "[DONE]");
  }

  #retrieve(response: ServerResponse, request: RecordedRequest, id = ""): void {
    const kept = this.responses.get(id);
    if (kept === undefined) {
      refuse(response, 404, { message: `Response with id '${id}' not found.` });
      return;
    }
    if (request.query.get("stream") !== "true") {
      const isDone = kept.polls <= 0;
      kept.polls -= 1;
      const status = kept.isCancelled ? { status: "cancelled" } : {};
      json(
        response,
        isDone
          ? { ...kept.built.final, ...status }
          : { ...kept.built.final, status: "in_progress", output: [] },
      );
      return;
    }
    const fault = kept.resumeFaults.shift();
    if (fault === "too-old") {
      refuse(response, 400, {
        type: "invalid_request_error",
        message: "This response can no longer be streamed because it is more than 5 minutes old.",
      });
      return;
    }
    if (fault === "unavailable") {
      refuse(response, 503, { message: "unavailable" });
      return;
    }
    const asked = Number(request.query.get("starting_after") ?? -1);
    const after = this.repeatsItself ? asked - 3 : asked;
    const rest = kept.built.events.filter((event) => Number(event.sequence_number) > after);
    sendEvents(response, rest, fault);
  }

  #cancel(response: ServerResponse, id = ""): void {
    const kept = this.responses.get(id);
    if (kept === undefined || !kept.background) {
      refuse(response, 400, { message: "Cannot cancel a synchronous response." });
      return;
    }
    kept.isCancelled = true;
    json(response, { ...kept.built.final, status: "cancelled" });
  }

  #embed(response: ServerResponse, { body = {} }: RecordedRequest): void {
    const { vectorOf } = this;
    const input = Array.isArray(body.input) ? body.input.map(String) : [String(body.input)];
    if (!vectorOf) {
      refuse(response, 404, { message: `The model ${body.model} does not exist` });
      return;
    }
    const data = input.map((text, index) => ({
      object: "embedding",
      index,
      embedding: vectorOf(text),
    }));
    const prompt_tokens = input.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0);
    const usage = { prompt_tokens, total_tokens: prompt_tokens };
    // The order is not promised: each says its place.
    json(response, { object: "list", data: data.toReversed(), model: body.model, usage });
  }

  #transcribe(response: ServerResponse): void {
    if (this.spoken === undefined) {
      refuse(response, 404, { message: "This server transcribes nothing." });
      return;
    }
    json(response, { text: this.spoken });
  }

  #createFile(response: ServerResponse, request: RecordedRequest): void {
    const text = request.raw.toString("latin1");
    const id = this.#id("file");
    const name = /filename="([^"]*)"/.exec(text)?.[1] ?? "";
    const purpose = /name="purpose"\r\n\r\n([^\r]*)/.exec(text)?.[1] ?? "";
    this.files.set(id, { id, name, purpose, data: request.raw });
    json(response, { id, object: "file", filename: name, purpose });
  }

  #createVectorStore(response: ServerResponse): void {
    const id = this.#id("vs");
    this.vectorStores.set(id, { fileIds: [] });
    json(response, { id, object: "vector_store", status: "completed" });
  }

  #attach(response: ServerResponse, request: RecordedRequest, id = ""): void {
    const store = this.vectorStores.get(id);
    const fileId = String(request.body?.file_id);
    if (store === undefined) {
      refuse(response, 404, { message: `Vector store ${id} not found.` });
      return;
    }
    store.fileIds.push(fileId);
    json(response, { id: fileId, object: "vector_store.file", status: "in_progress" });
  }

  #attached(response: ServerResponse, _store = "", fileId = ""): void {
    const status = this.failsIndexing ? "failed" : "completed";
    json(response, { id: fileId, object: "vector_store.file", status });
  }

  #putIntoContainer(response: ServerResponse, request: RecordedRequest, id = ""): void {
    const file = this.files.get(String(request.body?.file_id));
    if (!this.containers.has(id) || file === undefined) {
      refuse(response, 404, { message: `Container ${id} not found.` });
      return;
    }
    const path = `/mnt/data/${file.name}`;
    this.addContainerFile(id, { id: this.#id("cfile"), path, source: "user", data: file.data });
    json(response, { id: file.id, object: "container.file", path });
  }

  #listContainer(response: ServerResponse, id = ""): void {
    const files = this.containers.get(id);
    if (files === undefined) {
      refuse(response, 404, { message: `Container ${id} not found.` });
      return;
    }
    const data = [...files.values()].map((file) => ({
      id: file.id,
      object: "container.file",
      path: file.path,
      source: file.source,
      bytes: file.data.byteLength,
      container_id: id,
    }));
    json(response, { object: "list", data, has_more: false });
  }

  #containerContent(response: ServerResponse, id = "", fileId = ""): void {
    const file = this.containers.get(id)?.get(fileId);
    if (file === undefined) {
      refuse(response, 404, { message: `Container ${id} not found.` });
      return;
    }
    response.writeHead(200, { "content-type": "application/octet-stream" });
    response.end(file.data);
  }

  #id(kind: string): string {
    this.#ids += 1;
    return `${kind}_${this.#ids}`;
  }
}

function isAsking(path: string): boolean {
  return (
    path === "/responses" ||
    path === "/chat/completions" ||
    /^\/threads(\/[^/]+)?\/runs(\/[^/]+\/submit_tool_outputs)?$/.test(path)
  );
}

/** Every id a request names that has to exist. */
function idsIn(body: Wire): readonly (readonly ["file" | "vector store" | "container", string])[] {
  const text = JSON.stringify([body.input, body.tools]);
  const all = (pattern: RegExp) => [...text.matchAll(pattern)].map((found) => found[0]);
  return [
    ...all(/\bfile_\d+\b/g).map((id) => ["file", id] as const),
    ...all(/\bvs_\d+\b/g).map((id) => ["vector store", id] as const),
    ...all(/\bcntr_\w+\b/g).map((id) => ["container", id] as const),
  ];
}

/** "An assistant message with 'tool_calls' must be followed by tool messages", and nothing between. */
function chatProblem(messages: readonly Wire[]): string | undefined {
  let open: unknown[] = [];
  for (const message of messages) {
    if (message.role === "tool") {
      if (!open.includes(message.tool_call_id)) return "a tool message without its call";
      open = open.filter((id) => id !== message.tool_call_id);
      continue;
    }
    if (open.length > 0) break;
    if (Array.isArray(message.tool_calls))
      open = (message.tool_calls as Wire[]).map((call) => call.id);
  }
  if (open.length === 0) return undefined;
  return `tool_call_ids did not have response messages: ${open.join(", ")}`;
}

function parse(raw: Buffer): Wire | undefined {
  try {
    return JSON.parse(raw.toString());
  } catch {
    return undefined;
  }
}

function remove(
  response: ServerResponse,
  kept: { has(id: string): boolean; delete(id: string): boolean },
  id = "",
): void {
  if (!kept.delete(id)) refuse(response, 404, { message: `${id} not found` });
  else json(response, { id, deleted: true });
}
