/** One piece of a model's scripted output. */
export type ScriptedItem =
  | {
      readonly type: "message";
      /** In the pieces it is streamed in. */
      readonly pieces: readonly string[];
      /** Sent after the piece of that index. */
      readonly annotations?: readonly { readonly after: number; readonly annotation: object }[];
      readonly phase?: "commentary" | "final_answer";
      readonly refusal?: boolean;
    }
  | {
      readonly type: "call";
      readonly callId: string;
      readonly name: string;
      readonly arguments: string;
    }
  | {
      readonly type: "code";
      readonly code: string;
      readonly logs: string;
      readonly containerId: string;
      readonly imageUrls?: readonly string[];
    }
  | {
      readonly type: "file-search";
      readonly queries: readonly string[];
      readonly results: readonly object[];
    }
  | { readonly type: "web-search"; readonly query: string; readonly urls: readonly string[] }
  | { readonly type: "image"; readonly base64: string; readonly prompt: string }
  | { readonly type: "reasoning"; readonly summary: string; readonly encrypted?: string }
  /** An event as it is, for what no release of an SDK knows. */
  | { readonly type: "raw"; readonly event: object };

/** How a scripted response ends. */
export type ScriptedEnd =
  | { readonly status: "completed" }
  | { readonly status: "incomplete"; readonly reason: string }
  | {
      readonly status: "failed";
      readonly error: { readonly code: string; readonly message: string };
    }
  /** HTTP 200 and then an `error` event in the nested form that really is on the wire. */
  | {
      readonly status: "error";
      readonly error: { readonly code: string; readonly message: string };
    };

type Wire = { readonly [key: string]: unknown };

export interface ScriptedResponse {
  readonly items: readonly ScriptedItem[];
  readonly end: ScriptedEnd;
}

/** A response as the service would stream and keep it. */
export interface BuiltResponse {
  readonly events: readonly Wire[];
  /** What retrieving it gives once it has ended. */
  readonly final: Wire;
}

/** The events of a response in the order of real recordings, numbered, and its final form. */
export function buildResponse(base: Wire, script: ScriptedResponse): BuiltResponse {
  const events: Wire[] = [];
  const output: Wire[] = [];
  const push = (event: Wire) => events.push({ ...event, sequence_number: events.length });
  const shell = { ...base, object: "response", output: [], error: null, incomplete_details: null };
  push({ type: "response.created", response: { ...shell, status: "in_progress" } });
  push({ type: "response.in_progress", response: { ...shell, status: "in_progress" } });
  for (const item of script.items) {
    if (item.type === "raw") {
      push({ ...item.event });
      continue;
    }
    const index = output.length;
    const built = buildItem(item, `${String(base.id)}_item_${index}`, index);
    for (const event of built.events) push({ output_index: index, ...event });
    output.push(built.item);
  }
  const final: Wire = { ...shell, output, usage, ...endingOf(script.end) };
  if (script.end.status === "error")
    push({ type: "error", error: { type: "x", ...script.end.error } });
  else push({ type: `response.${script.end.status}`, response: final });
  return { events, final };
}

/** The usage every scripted response reports. */
export const usage = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 40 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 5 },
  total_tokens: 120,
};

function endingOf(end: ScriptedEnd): Wire {
  switch (end.status) {
    case "completed":
      return { status: "completed" };
    case "incomplete":
      return { status: "incomplete", incomplete_details: { reason: end.reason } };
    case "failed":
    case "error":
      return { status: "failed", error: end.error };
  }
}

function buildItem(
  script: Exclude<ScriptedItem, { readonly type: "raw" }>,
  id: string,
  index: number,
): { readonly events: readonly Wire[]; readonly item: Wire } {
  const added = (item: Wire): Wire => ({
    type: "response.output_item.added",
    item: { ...item, status: "in_progress" },
  });
  const done = (item: Wire): Wire => ({ type: "response.output_item.done", item });
  switch (script.type) {
    case "message": {
      const text = script.pieces.join("");
      const annotations = (script.annotations ?? []).map((one) => one.annotation);
      const part = script.refusal
        ? { type: "refusal", refusal: text }
        : { type: "output_text", text, annotations };
      const item = {
        id,
        type: "message",
        role: "assistant",
        status: "completed",
        content: [part],
        ...(script.phase === undefined ? {} : { phase: script.phase }),
      };
      const at = { item_id: id, content_index: 0 };
      const kind = script.refusal ? "refusal" : "output_text";
      const deltas = script.pieces.flatMap((delta, piece) => [
        { type: `response.${kind}.delta`, ...at, delta },
        ...(script.annotations ?? [])
          .filter((one) => one.after === piece)
          .map((one) => ({
            type: "response.output_text.annotation.added",
            ...at,
            annotation: one.annotation,
          })),
      ]);
      return {
        item,
        events: [
          added({ ...item, content: [] }),
          { type: "response.content_part.added", ...at, part: { ...part, text: "" } },
          ...deltas,
          { type: `response.${kind}.done`, ...at, text },
          { type: "response.content_part.done", ...at, part },
          done(item),
        ],
      };
    }
    case "call": {
      const item = {
        id,
        type: "function_call",
        status: "completed",
        call_id: script.callId,
        name: script.name,
        arguments: script.arguments,
      };
      return {
        item,
        events: [
          added({ ...item, arguments: "" }),
          {
            type: "response.function_call_arguments.delta",
            item_id: id,
            delta: script.arguments,
          },
          {
            type: "response.function_call_arguments.done",
            item_id: id,
            arguments: script.arguments,
          },
          done(item),
        ],
      };
    }
    case "code": {
      const images = (script.imageUrls ?? []).map((url) => ({ type: "image", url }));
      const item = {
        id,
        type: "code_interpreter_call",
        status: "completed",
        code: script.code,
        container_id: script.containerId,
        outputs: [{ type: "logs", logs: script.logs }, ...images],
      };
      const half = Math.ceil(script.code.length / 2);
      const delta = (text: string) => ({
        type: "response.code_interpreter_call_code.delta",
        item_id: id,
        delta: text,
      });
      return {
        item,
        events: [
          added({ ...item, code: "", outputs: null }),
          { type: "response.code_interpreter_call.in_progress", item_id: id },
          delta(script.code.slice(0, half)),
          delta(script.code.slice(half)),
          {
            type: "response.code_interpreter_call_code.done",
            item_id: id,
            code: script.code,
          },
          { type: "response.code_interpreter_call.interpreting", item_id: id },
          { type: "response.code_interpreter_call.completed", item_id: id },
          done(item),
        ],
      };
    }
    case "file-search": {
      const item = {
        id,
        type: "file_search_call",
        status: "completed",
        queries: script.queries,
        results: script.results,
      };
      return {
        item,
        events: [
          added({ ...item, queries: [], results: null }),
          { type: "response.file_search_call.searching", item_id: id },
          { type: "response.file_search_call.completed", item_id: id },
          done(item),
        ],
      };
    }
    case "web-search": {
      const sources = script.urls.map((url) => ({ type: "url", url }));
      const action = { type: "search", query: script.query, sources };
      const item = { id, type: "web_search_call", status: "completed", action };
      return { item, events: [added(item), done(item)] };
    }
    case "image": {
      const item = {
        id,
        type: "image_generation_call",
        status: "completed",
        result: script.base64,
        revised_prompt: script.prompt,
        output_format: "png",
      };
      return { item, events: [added({ ...item, result: null }), done(item)] };
    }
    case "reasoning": {
      const item = {
        id,
        type: "reasoning",
        summary: script.summary === "" ? [] : [{ type: "summary_text", text: script.summary }],
        ...(script.encrypted === undefined ? {} : { encrypted_content: script.encrypted }),
      };
      const delta = {
        type: "response.reasoning_summary_text.delta",
        item_id: id,
        output_index: index,
        summary_index: 0,
        delta: script.summary,
      };
      return {
        item,
        events: [
          added({ ...item, summary: [] }),
          ...(script.summary === "" ? [] : [delta]),
          done(item),
        ],
      };
    }
  }
}

/** The chunks of a chat completion that says and calls the same. */
export function buildChat(model: string, script: ScriptedResponse): readonly Wire[] {
  const chunks: Wire[] = [];
  const push = (delta: Wire, finish: string | null = null) =>
    chunks.push({
      id: "chatcmpl-1",
      object: "chat.completion.chunk",
      created: 1,
      model,
      choices: [{ index: 0, delta, finish_reason: finish }],
    });
  let calls = 0;
  push({ role: "assistant", content: "" });
  for (const item of script.items) {
    if (item.type === "message") {
      for (const piece of item.pieces) push(item.refusal ? { refusal: piece } : { content: piece });
    } else if (item.type === "call") {
      const half = Math.ceil(item.arguments.length / 2);
      const call = (more: Wire) => push({ tool_calls: [{ index: calls, ...more }] });
      call({ id: item.callId, type: "function", function: { name: item.name, arguments: "" } });
      call({ function: { arguments: item.arguments.slice(0, half) } });
      call({ function: { arguments: item.arguments.slice(half) } });
      calls += 1;
    } else if (item.type === "reasoning") {
      push({ reasoning_content: item.summary });
    } else if (item.type === "raw") {
      chunks.push({ ...item.event });
    }
  }
  const { end } = script;
  if (end.status === "error" || end.status === "failed") {
    chunks.push({ error: end.error });
    return chunks;
  }
  if (end.status === "incomplete")
    push({}, end.reason === "content_filter" ? end.reason : "length");
  else push({}, calls > 0 ? "tool_calls" : "stop");
  chunks.push({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    model,
    choices: [],
    usage: {
      prompt_tokens: usage.input_tokens,
      completion_tokens: usage.output_tokens,
      total_tokens: usage.total_tokens,
      prompt_tokens_details: usage.input_tokens_details,
      completion_tokens_details: usage.output_tokens_details,
    },
  });
  return chunks;
}
