import type { IncompleteReason } from "#domain/run";
import type { Source } from "#domain/run-event";
import { noUsage, type Usage } from "#domain/usage";
import type { ModelEvent, ModelTurn, TurnEnd } from "#ports/model-backend";
import { TextSettler } from "./citations.ts";
import { toReportedFailure } from "./failures.ts";
import { asNumber, asObject, asObjects, asString, type WireObject } from "./wire.ts";

/** A file the run made, still at the service. */
export interface RemoteOutput {
  readonly id: string;
  readonly name: string | undefined;
  readonly isImage: boolean;
}

/**
 * Reads the events of one stream of an Assistants run. No input or output of its own.
 *
 * A run that wants functions called ends its stream in `requires_action`; one that expired, failed or
 * was cancelled says so. Marks of file search become the citations that come with them.
 */
export class AssistantsReader {
  readonly #turn: ModelTurn;
  readonly #nameOf: (remoteId: string) => string | undefined;
  readonly #texts = new Map<string, TextSettler>();
  readonly #steps = new Map<string, { started: boolean; hasInput: boolean }>();
  readonly outputs = new Map<string, RemoteOutput>();
  threadId: string | undefined;
  runId: string | undefined;
  #model: string | undefined;
  #usage: Usage = noUsage;
  #isThinking = false;
  /** How the run left this stream; undefined while it goes on. */
  result: TurnEnd["result"] | "requires_action" | undefined;
  calls: readonly { readonly callId: string; readonly name: string; readonly arguments: string }[] =
    [];

  constructor(turn: ModelTurn, nameOf: (remoteId: string) => string | undefined) {
    this.#turn = turn;
    this.#nameOf = nameOf;
  }

  feed(raw: unknown): readonly ModelEvent[] {
    const event = asObject(raw);
    const data = asObject(event?.data) ?? {};
    const name = asString(event?.event) ?? "";
    if (name === "thread.created") this.threadId = asString(data.id);
    if (name === "thread.message.delta") return this.#message(asString(data.id) ?? "", data);
    if (name === "thread.message.completed") return this.#endMessage(asString(data.id) ?? "");
    if (name.startsWith("thread.run.step.")) return this.#step(name, data);
    if (name.startsWith("thread.run.")) this.#run(name.slice("thread.run.".length), data);
    return [];
  }

  /** What was held back, the calls, and the turn's end. `state`: what is kept when it went well. */
  *finish(state: object): Generator<ModelEvent> {
    for (const id of [...this.#texts.keys()]) yield* this.#endMessage(id);
    yield* this.#endThinking();
    const end = {
      type: "turn-end",
      usage: this.#usage,
      model: this.#model ?? this.#turn.assistant.model,
    } as const;
    if (this.result === "requires_action" || this.result?.status === "completed") {
      for (const call of this.calls) yield { type: "tool-call", ...call };
      yield { ...end, result: { status: "completed", ...state } };
      return;
    }
    yield { ...end, result: this.result ?? { status: "failed", code: "stream-cut" } };
  }

  #run(name: string, data: WireObject): void {
    this.runId = asString(data.id) ?? this.runId;
    this.threadId = asString(data.thread_id) ?? this.threadId;
    this.#model = asString(data.model) ?? this.#model;
    this.#usage = toUsage(asObject(data.usage)) ?? this.#usage;
    switch (name) {
      case "requires_action":
        this.calls = callsIn(data);
        this.result = "requires_action";
        return;
      case "completed":
        this.result = { status: "completed" };
        return;
      case "incomplete":
        this.result = {
          status: "incomplete",
          reason: incompleteReason(asString(asObject(data.incomplete_details)?.reason)),
        };
        return;
      case "failed":
        this.result = toReportedFailure(asObject(data.last_error) ?? null);
        return;
      case "expired":
        this.result = { status: "failed", code: "model-failed", detail: "The run expired there." };
        return;
      case "cancelled":
        this.result = { status: "failed", code: "model-failed", detail: "It was cancelled there." };
    }
  }

  #message(id: string, data: WireObject): readonly ModelEvent[] {
    const delta = asObject(data.delta) ?? {};
    const events: ModelEvent[] = [...this.#think(asString(delta.reasoning_content) ?? "")];
    for (const part of asObjects(delta.content)) {
      const text = asObject(part.text);
      const image = asString(asObject(part.image_file)?.file_id);
      const cited = asObjects(text?.annotations).flatMap((one) => this.#annotation(one));
      if (image !== undefined) this.#produced({ id: image, name: undefined, isImage: true });
      const said = asString(text?.value) ?? asString(part.refusal) ?? "";
      if (said !== "" || cited.length > 0) events.push(...this.#endThinking());
      events.push(...this.#sayCited(id, said, cited));
    }
    return events;
  }

  /** A citation stands where its mark stood, or behind the text when the mark came before it. */
  #sayCited(id: string, text: string, cited: readonly Cited[]): readonly ModelEvent[] {
    const events: ModelEvent[] = [];
    const late: Cited[] = [];
    let rest = text;
    const cite = ({ source }: Cited) =>
      events.push(...this.#endMessage(id), { type: "citation", source });
    for (const one of cited) {
      const at = one.mark === "" ? -1 : rest.indexOf(one.mark);
      if (at === -1) {
        late.push(one);
        continue;
      }
      events.push(...this.#say(id, rest.slice(0, at)));
      cite(one);
      rest = rest.slice(at + one.mark.length);
    }
    events.push(...this.#say(id, rest));
    for (const one of late) cite(one);
    return events;
  }

  #say(id: string, text: string): readonly ModelEvent[] {
    if (text === "") return [];
    const settler = this.#texts.get(id) ?? this.#newSettler();
    this.#texts.set(id, settler);
    return settler.push(text).map(toEvent);
  }

  #endMessage(id: string): readonly ModelEvent[] {
    const settler = this.#texts.get(id);
    this.#texts.delete(id);
    return settler?.end().map(toEvent) ?? [];
  }

  #newSettler(): TextSettler {
    const rewrites = { webLinks: false, sandboxLinks: true, fileMarks: false };
    return new TextSettler(rewrites, (name) => ({ title: name }));
  }

  #annotation(annotation: WireObject): readonly Cited[] {
    const mark = asString(annotation.text) ?? "";
    const made = asString(asObject(annotation.file_path)?.file_id);
    if (made !== undefined) {
      this.#produced({ id: made, name: mark.split("/").at(-1) || undefined, isImage: false });
    }
    const cited = asString(asObject(annotation.file_citation)?.file_id);
    if (cited === undefined) return [];
    const quote = asString(asObject(annotation.file_citation)?.quote);
    const source = { title: this.#nameOf(cited) ?? cited, ...(quote ? { quote } : {}) };
    return [{ mark, source }];
  }

  #produced(output: RemoteOutput): void {
    if (!this.outputs.has(output.id)) this.outputs.set(output.id, output);
  }

  #step(name: string, data: WireObject): readonly ModelEvent[] {
    const id = asString(data.id) ?? "";
    const details = asObject(data.step_details) ?? asObject(asObject(data.delta)?.step_details);
    const events: ModelEvent[] = [];
    for (const call of asObjects(details?.tool_calls)) {
      const type = asString(call.type);
      if (type !== "code_interpreter" && type !== "file_search") continue;
      const title = type === "file_search" ? "Searching the files" : "Running code";
      const step = this.#steps.get(id) ?? { started: false, hasInput: false };
      if (!step.started) events.push({ type: "step-start", step: { id, type, title } });
      this.#steps.set(id, { ...step, started: true });
      // The whole input comes once more with the end of the step.
      if (name === "thread.run.step.delta") events.push(...this.#codeOf(id, call));
    }
    const ends = { completed: "completed", failed: "failed", cancelled: "cancelled" } as const;
    const status = ends[name.slice("thread.run.step.".length) as keyof typeof ends];
    if (status !== undefined && this.#steps.has(id)) events.push({ type: "step-end", id, status });
    return events;
  }

  #codeOf(id: string, call: WireObject): readonly ModelEvent[] {
    const code = asObject(call.code_interpreter);
    const input = asString(code?.input) ?? "";
    const events: ModelEvent[] = input === "" ? [] : [{ type: "step-delta", id, input }];
    for (const output of asObjects(code?.outputs)) {
      const logs = asString(output.logs);
      if (logs) events.push({ type: "step-delta", id, output: logs });
      const image = asString(asObject(output.image)?.file_id);
      if (image !== undefined) this.#produced({ id: image, name: undefined, isImage: true });
    }
    return events;
  }

  #think(text: string): readonly ModelEvent[] {
    if (text === "") return [];
    const id = `turn-${this.#turn.turn}-thinking`;
    const delta = { type: "step-delta", id, output: text } as const;
    if (this.#isThinking) return [delta];
    this.#isThinking = true;
    return [{ type: "step-start", step: { id, type: "reasoning", title: "Thinking" } }, delta];
  }

  #endThinking(): readonly ModelEvent[] {
    if (!this.#isThinking) return [];
    this.#isThinking = false;
    const id = `turn-${this.#turn.turn}-thinking`;
    return [{ type: "step-end", id, status: "completed" }];
  }
}

/** A citation and the mark it stands for. */
interface Cited {
  readonly mark: string;
  readonly source: Source;
}

function toEvent(piece: ReturnType<TextSettler["push"]>[number]): ModelEvent {
  return piece.type === "text"
    ? { type: "text-delta", text: piece.text }
    : { type: "citation", source: piece.source };
}

function callsIn(run: WireObject) {
  const action = asObject(asObject(run.required_action)?.submit_tool_outputs);
  return asObjects(action?.tool_calls).map((call) => {
    const called = asObject(call.function);
    return {
      callId: asString(call.id) ?? "",
      name: asString(called?.name) ?? "",
      arguments: asString(called?.arguments) ?? "",
    };
  });
}

function incompleteReason(reason: string | undefined): IncompleteReason {
  if (reason === "max_prompt_tokens" || reason === "content_filter") return reason;
  return "max_completion_tokens";
}

function toUsage(usage: WireObject | undefined): Usage | undefined {
  if (usage === undefined) return undefined;
  const prompt = asNumber(usage.prompt_tokens) ?? 0;
  const completion = asNumber(usage.completion_tokens) ?? 0;
  const details = asObject(usage.prompt_token_details) ?? asObject(usage.prompt_tokens_details);
  return {
    ...noUsage,
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: asNumber(usage.total_tokens) ?? prompt + completion,
    cached_tokens: asNumber(details?.cached_tokens) ?? 0,
    reasoning_tokens: asNumber(asObject(usage.completion_tokens_details)?.reasoning_tokens) ?? 0,
  };
}
