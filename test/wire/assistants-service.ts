import type { ServerResponse } from "node:http";
import { json, refuse, type ScriptedTurn, scriptOf, sendEvents } from "./openai-answers.ts";
import type { ScriptedItem } from "./openai-events.ts";

type Wire = { readonly [key: string]: unknown };

interface KeptRun {
  readonly id: string;
  readonly threadId: string;
  status: string;
  /** Ids of calls that wait for their output. */
  readonly openCalls: readonly string[];
}

/** What a run of the script makes beyond what {@link ScriptedTurn} can say. */
export interface RunExtras {
  /** The run ends as `expired` or `cancelled`. */
  readonly end?: "expired" | "cancelled";
  /** Added to the message: annotations and pictures, as they come on the wire. */
  readonly content?: readonly Wire[];
}

interface ServiceParts {
  readonly nextTurn: () => ScriptedTurn;
  readonly id: (kind: string) => string;
}

/**
 * The Assistants API as its documentation says (v2): a thread takes one run at a time, a run that
 * wants functions called waits for every one of its calls, and what is gone answers 404.
 */
export class AssistantsService {
  readonly assistants: Wire[] = [];
  readonly threads = new Map<string, Wire[]>();
  readonly runs = new Map<string, KeptRun>();
  readonly cancelled: string[] = [];
  readonly fileContents = new Map<string, { readonly data: Buffer; readonly type: string }>();
  /** For the next runs, one each. */
  readonly extras: RunExtras[] = [];
  /** Refuses so many runs because another is at work. */
  locks = 0;
  readonly #parts: ServiceParts;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  serve(
    response: ServerResponse,
    { method, path, body }: { readonly method: string; readonly path: string; readonly body: Wire },
  ): void {
    const [, thread = "", , run = "", action = ""] = path.split("/").slice(1) as string[];
    const route = `${method} ${path.replace(/\/(thread|run)_\d+/g, "/:$1")}`;
    switch (route) {
      case "GET /assistants":
        json(response, { object: "list", data: this.assistants, has_more: false });
        return;
      case "POST /assistants": {
        const assistant = { ...body, id: this.#parts.id("asst"), object: "assistant" };
        this.assistants.push(assistant);
        json(response, assistant);
        return;
      }
      case "POST /threads/runs": {
        const turn = this.#parts.nextTurn();
        if (turn.refuse) {
          this.#refused(response, turn);
          return;
        }
        const id = this.#parts.id("thread");
        this.threads.set(id, [...((body.thread as Wire).messages as Wire[])]);
        this.#run(response, { threadId: id, isNew: true, turn, model: body.model });
        return;
      }
      case "POST /threads/:thread/runs": {
        const messages = this.threads.get(thread);
        if (!messages) {
          refuse(response, 404, { message: `No thread found: ${thread}` });
          return;
        }
        const active = [...this.runs.values()].find(
          (one) => one.threadId === thread && isActive(one.status),
        );
        if (this.locks > 0 || active) {
          this.locks = Math.max(0, this.locks - 1);
          const message = `Thread ${thread} already has an active run ${active?.id ?? "run_0"}.`;
          refuse(response, 400, { type: "invalid_request_error", message });
          return;
        }
        const turn = this.#parts.nextTurn();
        if (turn.refuse) {
          this.#refused(response, turn);
          return;
        }
        messages.push(...((body.additional_messages ?? []) as Wire[]));
        this.#run(response, { threadId: thread, isNew: false, turn, model: body.model });
        return;
      }
      case "POST /threads/:thread/runs/:run/submit_tool_outputs": {
        this.#submit(response, run, body);
        return;
      }
      case "POST /threads/:thread/runs/:run/cancel": {
        const kept = this.runs.get(run);
        if (!kept) {
          refuse(response, 404, { message: `No run found: ${run}` });
          return;
        }
        kept.status = "cancelled";
        this.cancelled.push(run);
        json(response, { id: run, status: "cancelling" });
        return;
      }
      case "DELETE /threads/:thread":
        if (!this.threads.delete(thread)) {
          refuse(response, 404, { message: "not found" });
          return;
        }
        {
          json(response, { id: thread, deleted: true });
          return;
        }
      default:
        refuse(response, 404, { message: `no route ${route} ${action}` });
    }
  }

  sendFile(response: ServerResponse, id: string): void {
    const file = this.fileContents.get(id);
    if (!file) {
      refuse(response, 404, { message: `No such file: ${id}` });
      return;
    }
    response.writeHead(200, { "content-type": file.type });
    response.end(file.data);
  }

  #refused(response: ServerResponse, { refuse: refusal }: ScriptedTurn): void {
    if (refusal) refuse(response, refusal.status, refusal.error, refusal.headers);
  }

  #submit(response: ServerResponse, runId: string, body: Wire): void {
    const kept = this.runs.get(runId);
    if (kept?.status !== "requires_action") {
      const message = `Runs in status "${kept?.status ?? "none"}" do not accept tool outputs.`;
      refuse(response, 400, { message });
      return;
    }
    const given = ((body.tool_outputs ?? []) as Wire[]).map((one) => one.tool_call_id);
    const isWhole =
      given.length === kept.openCalls.length && kept.openCalls.every((id) => given.includes(id));
    if (!isWhole) {
      refuse(response, 400, {
        message: `Expected tool outputs for call_ids ${kept.openCalls}, got ${given}`,
      });
      return;
    }
    const turn = this.#parts.nextTurn();
    if (turn.refuse) {
      this.#refused(response, turn);
      return;
    }
    this.#run(response, { threadId: kept.threadId, isNew: false, turn, runId });
  }

  #run(
    response: ServerResponse,
    at: {
      readonly threadId: string;
      readonly isNew: boolean;
      readonly turn: ScriptedTurn;
      readonly model?: unknown;
      readonly runId?: string;
    },
  ): void {
    const { threadId, turn } = at;
    const id = at.runId ?? this.#parts.id("run");
    const extras = this.extras.shift() ?? {};
    const run = { id, object: "thread.run", thread_id: threadId, model: at.model ?? "small" };
    const script = scriptOf(turn);
    const calls = script.items.filter((item) => item.type === "call");
    const events: Wire[] = [];
    const push = (event: string, data: Wire) => events.push({ event, data });
    if (at.isNew) push("thread.created", { id: threadId, object: "thread" });
    for (const status of ["created", "queued", "in_progress"]) {
      push(`thread.run.${status}`, { ...run, status: status === "created" ? "queued" : status });
    }
    for (const item of script.items) {
      for (const [event, data] of eventsOf(item, this.#parts.id, extras)) push(event, data);
    }
    const status = endOf(turn, calls.length, extras);
    const ended = {
      ...run,
      status,
      usage: status === "requires_action" ? null : usage,
      ...(status === "requires_action"
        ? {
            required_action: {
              type: "submit_tool_outputs",
              submit_tool_outputs: { tool_calls: calls.map(toCall) },
            },
          }
        : {}),
      ...(script.end.status === "failed" ? { last_error: script.end.error } : {}),
      ...(script.end.status === "incomplete"
        ? { incomplete_details: { reason: reasonOf(script.end.reason) } }
        : {}),
    };
    if (script.end.status === "error")
      push("error", { ...script.end.error, error: script.end.error });
    else push(`thread.run.${status}`, ended);
    const openCalls = status === "requires_action" ? calls.map(({ callId }) => callId) : [];
    const isBroken = turn.fault !== undefined;
    const kept = isBroken ? "in_progress" : status;
    this.runs.set(id, { id, threadId, status: kept, openCalls });
    sendEvents(response, events, turn.fault, "[DONE]");
  }
}

const usage = {
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120,
  prompt_token_details: { cached_tokens: 40 },
  completion_tokens_details: { reasoning_tokens: 5 },
};

function isActive(status: string): boolean {
  return ["queued", "in_progress", "requires_action", "cancelling"].includes(status);
}

function endOf(turn: ScriptedTurn, calls: number, extras: RunExtras): string {
  if (extras.end) return extras.end;
  const end = turn.end?.status ?? "completed";
  if (end !== "completed") return end;
  return calls > 0 ? "requires_action" : "completed";
}

function reasonOf(reason: string): string {
  return reason === "max_output_tokens" ? "max_completion_tokens" : reason;
}

function toCall(item: Extract<ScriptedItem, { type: "call" }>): Wire {
  const { callId, name, arguments: text } = item;
  return { id: callId, type: "function", function: { name, arguments: text } };
}

function eventsOf(
  item: ScriptedItem,
  newId: (kind: string) => string,
  extras: RunExtras,
): readonly (readonly [string, Wire])[] {
  switch (item.type) {
    case "message": {
      const id = newId("msg");
      const about = { id, object: "thread.message" };
      const delta = (content: Wire): readonly [string, Wire] => [
        "thread.message.delta",
        { ...about, delta: { content: [{ index: 0, ...content }] } },
      ];
      return [
        ["thread.message.created", { ...about, status: "in_progress" }],
        ["thread.message.in_progress", { ...about, status: "in_progress" }],
        ...item.pieces.map((value) =>
          delta(
            item.refusal
              ? { type: "refusal", refusal: value }
              : { type: "text", text: { value, annotations: [] } },
          ),
        ),
        ...(extras.content ?? []).map(delta),
        ["thread.message.completed", { ...about, status: "completed" }],
      ];
    }
    case "reasoning":
      return [
        ["thread.message.delta", { id: newId("msg"), delta: { reasoning_content: item.summary } }],
      ];
    case "code": {
      const id = newId("step");
      const details = (code: Wire) => ({
        step_details: {
          type: "tool_calls",
          tool_calls: [{ index: 0, type: "code_interpreter", code_interpreter: code }],
        },
      });
      return [
        ["thread.run.step.created", { id, type: "tool_calls", step_details: { tool_calls: [] } }],
        ["thread.run.step.delta", { id, delta: details({ input: item.code }) }],
        [
          "thread.run.step.delta",
          { id, delta: details({ outputs: [{ index: 0, type: "logs", logs: item.logs }] }) },
        ],
        [
          "thread.run.step.completed",
          { id, ...details({ input: item.code, outputs: [{ type: "logs", logs: item.logs }] }) },
        ],
      ];
    }
    case "raw": {
      const { type = "tomorrow", ...data } = item.event as Wire;
      return [[`thread.${String(type)}`, data]];
    }
    default:
      return [];
  }
}
