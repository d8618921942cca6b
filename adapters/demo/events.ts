import type { Act, Citation, Fault, Plan } from "./plan.ts";
import type { Container, DemoState } from "./state.ts";
import { asObject, asObjects, asString, asStrings, errorBody, type WireObject } from "./wire.ts";

/** One moment of an answer. `tokens` is how long it takes to come to it. */
export type Beat =
  | { readonly type: "event"; readonly event: WireObject; readonly tokens: number }
  /** What goes wrong with the connection; the answer itself goes on behind it. */
  | { readonly type: "fault"; readonly fault: "cut" | "reset" | "hang" };

/** What an answer is made from. */
export interface Writing {
  readonly id: string;
  readonly request: WireObject;
  readonly plan: Extract<Plan, { type: "answer" }>;
  readonly inputTokens: number;
  readonly state: DemoState;
}

/** The model's name in every response: no price table knows it. */
export const modelName = "demo";

/**
 * Plays an answer in the order of events of the real service, and ends with the finished response.
 * Items are added to `output` as they are done, so that whoever asks in between sees them.
 */
export function* play(
  writing: Writing,
  output: WireObject[],
): Generator<Beat, WireObject, undefined> {
  const { plan, request } = writing;
  const composer = new Composer(writing, output);
  if (request.background === true) {
    const response = responseOf(writing, "queued", []);
    yield event(0, "response.created", { response });
    yield event(0, "response.queued", { response });
  } else {
    yield event(0, "response.created", { response: responseOf(writing, "in_progress", []) });
  }
  yield event(0, "response.in_progress", { response: responseOf(writing, "in_progress", []) });
  const limit =
    typeof request.max_output_tokens === "number" ? request.max_output_tokens : Infinity;
  const breakAt = plan.fault ? tokensIn(plan.acts) / 2 : Infinity;
  for (const act of plan.acts) {
    const end = yield* composer.perform(act, { breakAt, limit });
    if (end) return yield* close(writing, end, output, composer.tokens);
  }
  return yield* close(writing, { status: "completed" }, output, composer.tokens);
}

/** A response as it stands, with every field the real one has that somebody may look at. */
export function responseOf(
  { id, request, inputTokens, state }: Writing,
  status: string,
  output: readonly WireObject[],
  more: { readonly tokens?: number; readonly error?: WireObject; readonly reason?: string } = {},
): WireObject {
  const isOver = status !== "in_progress" && status !== "queued";
  return {
    id,
    object: "response",
    created_at: state.seconds(),
    status,
    background: request.background === true,
    completed_at: status === "completed" ? state.seconds() : null,
    error: more.error ?? null,
    incomplete_details: more.reason ? { reason: more.reason } : null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    metadata: request.metadata ?? {},
    model: modelName,
    output,
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    reasoning: request.reasoning ?? { effort: null, summary: null },
    service_tier: "default",
    store: request.store !== false,
    temperature: request.temperature ?? 1,
    text: request.text ?? { format: { type: "text" } },
    tool_choice: request.tool_choice ?? "auto",
    tools: request.tools ?? [],
    top_p: request.top_p ?? 1,
    truncation: "disabled",
    usage: isOver
      ? {
          input_tokens: inputTokens,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: more.tokens ?? 0,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: inputTokens + (more.tokens ?? 0),
        }
      : null,
  };
}

type End =
  | { readonly status: "completed" }
  | { readonly status: "incomplete"; readonly reason: string }
  | {
      readonly status: "failed";
      readonly error: { readonly code: string; readonly message: string };
    };

function* close(
  writing: Writing,
  end: End,
  output: readonly WireObject[],
  tokens: number,
): Generator<Beat, WireObject, undefined> {
  switch (end.status) {
    case "completed": {
      const response = responseOf(writing, "completed", output, { tokens });
      yield event(0, "response.completed", { response });
      return response;
    }
    case "incomplete": {
      const response = responseOf(writing, "incomplete", output, { tokens, reason: end.reason });
      yield event(0, "response.incomplete", { response });
      return response;
    }
    case "failed": {
      // On the wire the error is nested, whatever the type declarations say, and comes first.
      const { code, message } = end.error;
      const error = errorBody({ status: 500, type: code, code, message });
      yield event(0, "error", { error });
      const response = responseOf(writing, "failed", output, { tokens, error: end.error });
      yield event(0, "response.failed", { response });
      return response;
    }
  }
}

interface Bounds {
  /** Tokens after which the plan's fault strikes. */
  readonly breakAt: number;
  /** Tokens after which the answer is incomplete. */
  readonly limit: number;
}

/** Turns acts into items and their events, counting items and tokens. */
class Composer {
  readonly #writing: Writing;
  readonly #output: WireObject[];
  /** Files made in this answer, by path. */
  readonly #made = new Map<string, { readonly id: string; readonly containerId: string }>();
  #container: Container | undefined;
  #hasFailed = false;
  tokens = 0;

  constructor(writing: Writing, output: WireObject[]) {
    this.#writing = writing;
    this.#output = output;
  }

  perform(act: Act, bounds: Bounds): Generator<Beat, End | undefined, undefined> {
    switch (act.type) {
      case "say":
        return this.#say(act, bounds);
      case "reason":
        return this.#reason(act.summary);
      case "call":
        return this.#call(act);
      case "search":
        return this.#search(act);
      case "compute":
        return this.#compute(act);
      case "draw":
        return this.#draw(act);
    }
  }

  *#say(
    { text, citations = [] }: Extract<Act, { type: "say" }>,
    { breakAt, limit }: Bounds,
  ): Generator<Beat, End | undefined, undefined> {
    const item = { id: this.#newId("msg"), type: "message", role: "assistant" };
    const part = { type: "output_text", annotations: [], logprobs: [], text: "" };
    const at = { ...this.#at(item.id), content_index: 0 };
    yield this.#added({ ...item, status: "in_progress", content: [] });
    yield event(0, "response.content_part.added", { ...at, part });
    const waiting = [...this.#annotations(text, citations)];
    const annotations: WireObject[] = [];
    let written = "";
    let end: End | undefined;
    for (const delta of piecesOf(text)) {
      if (this.tokens >= limit) {
        end = { status: "incomplete", reason: "max_output_tokens" };
        break;
      }
      written += delta;
      this.tokens += 1;
      yield event(1, "response.output_text.delta", { ...at, delta, logprobs: [] });
      while ((waiting[0]?.end ?? Infinity) <= written.length) {
        const next = waiting.shift();
        if (!next) break;
        yield event(0, "response.output_text.annotation.added", {
          ...at,
          annotation_index: annotations.length,
          annotation: next.annotation,
        });
        annotations.push(next.annotation);
      }
      if (this.tokens < breakAt || this.#hasFailed) continue;
      this.#hasFailed = true;
      const broken = endOf(this.#writing.plan.fault);
      if (broken.type === "fault") yield broken;
      else {
        end = broken.end;
        break;
      }
    }
    if (end?.status === "failed") return end;
    const whole = { ...part, annotations, text: written };
    yield event(0, "response.output_text.done", { ...at, text: written, logprobs: [] });
    yield event(0, "response.content_part.done", { ...at, part: whole });
    yield this.#done({ ...item, status: end ? "incomplete" : "completed", content: [whole] });
    return end;
  }

  *#reason(summary: string): Generator<Beat, undefined, undefined> {
    const id = this.#newId("rs");
    const at = { ...this.#at(id), summary_index: 0 };
    yield this.#added({ id, type: "reasoning", summary: [] });
    yield event(0, "response.reasoning_summary_part.added", {
      ...at,
      part: { type: "summary_text", text: "" },
    });
    for (const delta of piecesOf(summary)) {
      this.tokens += 1;
      yield event(1, "response.reasoning_summary_text.delta", { ...at, delta });
    }
    const part = { type: "summary_text", text: summary };
    yield event(0, "response.reasoning_summary_text.done", { ...at, text: summary });
    yield event(0, "response.reasoning_summary_part.done", { ...at, part });
    yield this.#done({ id, type: "reasoning", summary: [part] });
  }

  *#call(act: Extract<Act, { type: "call" }>): Generator<Beat, undefined, undefined> {
    const item = {
      id: this.#newId("fc"),
      type: "function_call",
      call_id: this.#newId("call"),
      name: act.name,
    };
    const at = this.#at(item.id);
    yield this.#added({ ...item, status: "in_progress", arguments: "" });
    for (const delta of piecesOf(act.arguments)) {
      this.tokens += 1;
      yield event(1, "response.function_call_arguments.delta", { ...at, delta });
    }
    yield event(0, "response.function_call_arguments.done", {
      ...at,
      name: act.name,
      arguments: act.arguments,
    });
    yield this.#done({ ...item, status: "completed", arguments: act.arguments });
  }

  *#search(act: Extract<Act, { type: "search" }>): Generator<Beat, undefined, undefined> {
    const item = { id: this.#newId("fs"), type: "file_search_call", queries: [act.query] };
    const at = this.#at(item.id);
    yield this.#added({ ...item, status: "in_progress", results: null });
    yield event(1, "response.file_search_call.in_progress", at);
    yield event(10, "response.file_search_call.searching", at);
    yield event(0, "response.file_search_call.completed", at);
    const results = act.passages.map(({ fileId, fileName, text, score }) => ({
      attributes: {},
      file_id: fileId ?? "",
      filename: fileName,
      score,
      text,
    }));
    yield this.#done({
      ...item,
      status: "completed",
      results: this.#includes("file_search_call.results") ? results : null,
    });
  }

  *#compute(act: Extract<Act, { type: "compute" }>): Generator<Beat, undefined, undefined> {
    const container = this.#reachContainer();
    const item = {
      id: this.#newId("ci"),
      type: "code_interpreter_call",
      container_id: container.id,
    };
    const at = this.#at(item.id);
    yield this.#added({ ...item, status: "in_progress", code: "", outputs: null });
    yield event(1, "response.code_interpreter_call.in_progress", at);
    for (const delta of piecesOf(act.code)) {
      this.tokens += 1;
      yield event(1, "response.code_interpreter_call_code.delta", { ...at, delta });
    }
    yield event(0, "response.code_interpreter_call_code.done", { ...at, code: act.code });
    yield event(0, "response.code_interpreter_call.interpreting", at);
    for (const { name, data } of act.files) {
      const path = `/mnt/data/${name}`;
      const file = this.#writing.state.addContainerFile(container, {
        path,
        source: "assistant",
        data,
      });
      this.#made.set(path, { id: file.id, containerId: container.id });
    }
    yield event(10, "response.code_interpreter_call.completed", at);
    const outputs = [{ type: "logs", logs: act.logs }];
    yield this.#done({
      ...item,
      status: "completed",
      code: act.code,
      outputs: this.#includes("code_interpreter_call.outputs") ? outputs : null,
    });
  }

  *#draw(act: Extract<Act, { type: "draw" }>): Generator<Beat, undefined, undefined> {
    const item = { id: this.#newId("ig"), type: "image_generation_call" };
    const at = this.#at(item.id);
    yield this.#added({ ...item, status: "in_progress", result: null });
    yield event(1, "response.image_generation_call.in_progress", at);
    yield event(1, "response.image_generation_call.generating", at);
    yield event(30, "response.image_generation_call.completed", at);
    yield this.#done({
      ...item,
      status: "completed",
      output_format: "png",
      revised_prompt: `A pattern computed from the words: ${act.prompt}`,
      result: Buffer.from(act.png).toString("base64"),
    });
  }

  /** The container the request names, or a new one with the files it lists. */
  #reachContainer(): Container {
    if (this.#container) return this.#container;
    const { request, state } = this.#writing;
    const tool = asObjects(request.tools).find((one) => one.type === "code_interpreter");
    const named = state.container(asString(tool?.container));
    this.#container = named ?? state.addContainer("auto");
    if (named) return named;
    for (const id of asStrings(asObject(tool?.container).file_ids)) {
      const file = state.files.get(id);
      if (!file) continue;
      const path = `/mnt/data/${file.name}`;
      state.addContainerFile(this.#container, { path, source: "user", data: file.data });
    }
    return this.#container;
  }

  #annotations(text: string, citations: readonly Citation[]) {
    const files = citations.map(({ index, fileId, fileName }) => ({
      end: index,
      annotation: { type: "file_citation", file_id: fileId, filename: fileName, index },
    }));
    // The range of a container file's citation is the link's address alone.
    const links = [...text.matchAll(/sandbox:(\/mnt\/data\/[^)\s]+)/g)].flatMap((link) => {
      const [address, path = ""] = link;
      const made = this.#made.get(path);
      if (!made) return [];
      const end = link.index + address.length;
      const annotation = {
        type: "container_file_citation",
        container_id: made.containerId,
        file_id: made.id,
        filename: path.slice(path.lastIndexOf("/") + 1),
        start_index: link.index,
        end_index: end,
      };
      return [{ end, annotation }];
    });
    return [...files, ...links].sort((a, b) => a.end - b.end);
  }

  #includes(what: string): boolean {
    return asStrings(this.#writing.request.include).includes(what);
  }

  #newId(prefix: string): string {
    return this.#writing.state.newId(prefix);
  }

  #at(itemId: string) {
    return { item_id: itemId, output_index: this.#output.length };
  }

  #added(item: WireObject): Beat {
    return event(0, "response.output_item.added", { output_index: this.#output.length, item });
  }

  #done(item: WireObject): Beat {
    this.#output.push(item);
    return event(0, "response.output_item.done", { output_index: this.#output.length - 1, item });
  }
}

function endOf(
  fault: Fault | undefined,
): Extract<Beat, { type: "fault" }> | { readonly type: "end"; readonly end: End | undefined } {
  switch (fault) {
    case undefined:
      return { type: "end", end: undefined };
    case "cut":
    case "reset":
    case "hang":
      return { type: "fault", fault };
    case "content_filter":
      return { type: "end", end: { status: "incomplete", reason: "content_filter" } };
    case "error": {
      const message = "The server had an error while answering: you asked for it.";
      return { type: "end", end: { status: "failed", error: { code: "server_error", message } } };
    }
    case "stream_quota": {
      const message = "You exceeded your current quota: you asked for it.";
      return {
        type: "end",
        end: { status: "failed", error: { code: "insufficient_quota", message } },
      };
    }
  }
}

/** How many tokens the texts of these acts are. */
export function tokensIn(acts: readonly Act[]): number {
  return acts.reduce((sum, act) => sum + (act.type === "say" ? piecesOf(act.text).length : 0), 0);
}

/** About what a model's tokens look like: words with the space before them, long ones in pieces. */
function piecesOf(text: string): readonly string[] {
  return text.match(/\s*[^\s]{1,12}|\s+$/gu) ?? [];
}

/** How many tokens a text is, roughly: nothing here is billed. */
export function tokenCount(text: string): number {
  return Math.ceil(text.length / 4);
}

function event(tokens: number, type: string, fields: WireObject): Beat {
  return { type: "event", event: { type, ...fields }, tokens };
}
