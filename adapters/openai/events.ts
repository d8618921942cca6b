import type { StepStatus } from "#domain/run";
import type { Source } from "#domain/run-event";
import type { Usage } from "#domain/usage";
import type { ModelEvent } from "#ports/model-backend";
import {
  type Annotation,
  type Rewrites,
  type SettlerState,
  type TextPiece,
  TextSettler,
} from "./citations.ts";
import { type TurnFailure, toReportedFailure } from "./failures.ts";
import {
  hasOwnStep,
  type ResponseResult,
  reportedError,
  resultOf,
  shorten,
  shownOf,
  stepOf,
  toUsage,
} from "./response-items.ts";
import { asNumber, asObject, asObjects, asString, type WireObject } from "./wire.ts";

/** A function call the model made. */
export interface FunctionCall {
  readonly callId: string;
  readonly name: string;
  readonly arguments: string;
}

/** A file in a code interpreter's container that the answer names. */
export interface CitedFile {
  readonly containerId: string;
  readonly fileId: string;
  readonly name: string;
}

/** How a response ended, and what there is to do before the turn's end is said. */
export interface ResponseEnd {
  readonly result: ResponseResult;
  readonly model: string | undefined;
  readonly usage: Usage;
  readonly calls: readonly FunctionCall[];
  /** Items only this API understands: reasoning, commentary, compaction. */
  readonly items: readonly WireObject[];
  readonly containerIds: readonly string[];
  readonly citedFiles: readonly CitedFile[];
  /** Addresses (https or data) of pictures that code drew. */
  readonly imageUrls: readonly string[];
}

/** Where a reader is, as plain data: with it another process reads on, none twice. */
export interface ReaderState {
  readonly responseId: string | null;
  readonly sequence: number | null;
  readonly hasText: boolean;
  readonly items: readonly ItemState[];
  /** What was found in a file, by the service's id of it. */
  readonly quotes: { readonly [fileId: string]: string };
}

interface ItemState {
  readonly key: string;
  readonly id: string | null;
  readonly type: string;
  readonly isAnswer: boolean;
  readonly isDone: boolean;
  /** The step that shows it was begun. */
  readonly isShown: boolean;
  /** Characters of the step's input and output that were given out. */
  readonly input: number;
  readonly output: number;
  readonly parts: readonly { readonly index: number; readonly text: SettlerState }[];
}

export interface ReaderOptions {
  /** Makes step ids unique within the run. */
  readonly turn: number;
  readonly rewrites: Rewrites;
  /** The source behind a file the service names by its own id. */
  readonly sourceOf: (remoteFileId: string | undefined, name: string) => Source;
  readonly state?: ReaderState;
}

/**
 * Reads the events of one response and says what they mean to a run. No input or output of its own:
 * the same events give the same answer, whether they come in one stream, in several, or as the final
 * response of a poll. What was given out once is never given out again.
 *
 * Function calls are given out only when the response completed: a call of a response that failed or
 * was cut off must not be executed.
 */
export class ResponseReader {
  readonly #options: ReaderOptions;
  readonly #items = new Map<string, Item>();
  readonly #quotes: Map<string, string>;
  #responseId: string | null;
  #previousResponseId: string | null | undefined;
  #sequence: number | null;
  #hasText: boolean;
  #end: ResponseEnd | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#responseId = options.state?.responseId ?? null;
    this.#sequence = options.state?.sequence ?? null;
    this.#hasText = options.state?.hasText ?? false;
    this.#quotes = new Map(Object.entries(options.state?.quotes ?? {}));
    for (const saved of options.state?.items ?? []) {
      this.#items.set(saved.key, this.#restore(saved));
    }
  }

  get responseId(): string | undefined {
    return this.#responseId ?? undefined;
  }

  /** What the server says the response goes on from; undefined until it said anything. */
  get previousResponseId(): string | null | undefined {
    return this.#previousResponseId;
  }

  /** The last event's number, for going on after it. */
  get sequence(): number | undefined {
    return this.#sequence ?? undefined;
  }

  /** Set by the terminal event. */
  get end(): ResponseEnd | undefined {
    return this.#end;
  }

  get state(): ReaderState {
    return {
      responseId: this.#responseId,
      sequence: this.#sequence,
      hasText: this.#hasText,
      items: [...this.#items.values()].map(saved),
      quotes: Object.fromEntries(this.#quotes),
    };
  }

  feed(raw: unknown): readonly ModelEvent[] {
    const event = asObject(raw);
    const type = asString(event?.type);
    if (event === undefined || type === undefined || this.#end !== undefined) return [];
    this.#sequence = asNumber(event.sequence_number) ?? this.#sequence;
    switch (type) {
      case "response.created":
      case "response.queued":
      case "response.in_progress":
        this.#noteResponse(asObject(event.response));
        return [];
      case "response.output_item.added":
        return this.#begin(event);
      case "response.output_text.delta":
      case "response.refusal.delta":
        return this.#textDelta(event);
      case "response.output_text.annotation.added":
        return this.#annotate(event);
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        return this.#show(this.#itemOf(event, "reasoning"), { output: asString(event.delta) });
      case "response.reasoning_summary_part.added":
        return this.#paragraph(this.#itemOf(event, "reasoning"));
      case "response.code_interpreter_call_code.delta":
        return this.#show(this.#itemOf(event, "code_interpreter_call"), {
          input: asString(event.delta),
        });
      case "response.function_call_arguments.delta":
        this.#itemOf(event, "function_call").arguments += asString(event.delta) ?? "";
        return [];
      case "response.output_item.done":
        return this.#finish(this.#itemOf(event, typeOf(event.item)), asObject(event.item) ?? {});
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        return this.#close(asObject(event.response) ?? {}, type.slice("response.".length));
      case "error":
        this.#fail(toReportedFailure(reportedError(asObject(event.error) ?? event)));
        return [];
      default:
        return [];
    }
  }

  /** A response that was fetched instead of streamed; nothing happens until it has ended. */
  feedResponse(response: unknown): readonly ModelEvent[] {
    const whole = asObject(response) ?? {};
    const status = asString(whole.status);
    if (status === undefined || status === "queued" || status === "in_progress") return [];
    return this.#close(whole, status);
  }

  #noteResponse(response: WireObject | undefined): void {
    this.#responseId = asString(response?.id) ?? this.#responseId;
    if (response === undefined || this.#previousResponseId !== undefined) return;
    this.#previousResponseId = asString(response.previous_response_id) ?? null;
  }

  #begin(event: WireObject): readonly ModelEvent[] {
    const wire = asObject(event.item) ?? {};
    const item = this.#itemOf(event, typeOf(wire));
    item.id = asString(wire.id) ?? item.id;
    if (item.type === "message") item.isAnswer = wire.phase !== "commentary";
    item.wire ??= wire;
    // Reasoning is shown once there is something to read: most of it stays hidden.
    return hasOwnStep(item.type) ? this.#show(item, {}) : [];
  }

  #textDelta(event: WireObject): readonly ModelEvent[] {
    const item = this.#itemOf(event, "message");
    const delta = asString(event.delta) ?? "";
    if (delta === "") return [];
    if (!item.isAnswer) return this.#show(item, { output: delta });
    return this.#toEvents(item, this.#partOf(item, asNumber(event.content_index) ?? 0).push(delta));
  }

  #annotate(event: WireObject): readonly ModelEvent[] {
    const item = this.#itemOf(event, "message");
    if (!item.isAnswer) return [];
    const wire = asObject(event.annotation) ?? {};
    const part = this.#partOf(item, asNumber(event.content_index) ?? 0);
    return this.#toEvents(item, part.annotate(this.#toAnnotation(item, wire)));
  }

  #toAnnotation(item: Item, wire: WireObject): Annotation | undefined {
    switch (asString(wire.type)) {
      case "file_citation": {
        const fileId = asString(wire.file_id);
        const source = this.#options.sourceOf(fileId, asString(wire.filename) ?? "file");
        const quote = this.#quotes.get(fileId ?? "");
        return {
          type: "file",
          source: quote === undefined ? source : { ...source, quote },
          index: asNumber(wire.index) ?? 0,
        };
      }
      case "url_citation": {
        const url = asString(wire.url) ?? "";
        const title = asString(wire.title) ?? "";
        return {
          type: "web",
          source: { title: title === "" ? url : title, url },
          start: asNumber(wire.start_index) ?? 0,
          end: asNumber(wire.end_index) ?? 0,
        };
      }
      case "container_file_citation": {
        const fileId = asString(wire.file_id);
        const containerId = asString(wire.container_id);
        if (fileId === undefined || containerId === undefined) return undefined;
        const known = item.citedFiles.some((file) => file.fileId === fileId);
        const name = asString(wire.filename) ?? fileId;
        if (!known) item.citedFiles.push({ containerId, fileId, name });
        return undefined;
      }
      default:
        return undefined;
    }
  }

  /** Everything of an item that was not given out yet. May be called again. */
  #finish(item: Item, wire: WireObject): readonly ModelEvent[] {
    item.wire = wire;
    item.id = asString(wire.id) ?? item.id;
    if (item.isDone) return [];
    item.isDone = true;
    switch (item.type) {
      case "message":
        return this.#finishMessage(item, wire);
      case "function_call":
        return [];
      case "reasoning":
        return this.#finishReasoning(item, wire);
      case "compaction":
        return [];
      default:
        return this.#finishStep(item, wire);
    }
  }

  #finishMessage(item: Item, wire: WireObject): readonly ModelEvent[] {
    if (item.parts.size === 0 && item.output === 0) item.isAnswer = wire.phase !== "commentary";
    const events: ModelEvent[] = [];
    for (const [index, content] of asObjects(wire.content).entries()) {
      const text = asString(content.text) ?? asString(content.refusal) ?? "";
      if (!item.isAnswer) {
        events.push(...this.#show(item, { output: text.slice(item.output) }));
        continue;
      }
      const part = this.#partOf(item, index);
      // Citations first: then they still find their place in text that is fetched in one piece.
      for (const annotation of asObjects(content.annotations).slice(part.annotationsSeen)) {
        events.push(...this.#toEvents(item, part.annotate(this.#toAnnotation(item, annotation))));
      }
      const rest = text.slice(part.received);
      if (rest !== "") events.push(...this.#toEvents(item, part.push(rest)));
    }
    for (const part of item.parts.values()) events.push(...this.#toEvents(item, part.end()));
    if (item.isShown) events.push(this.#stepEnd(item, "completed"));
    return events;
  }

  #finishReasoning(item: Item, wire: WireObject): readonly ModelEvent[] {
    const summaries = asObjects(wire.summary).flatMap((part) => asString(part.text) ?? []);
    const texts = asObjects(wire.content).flatMap((part) => asString(part.text) ?? []);
    const whole = (summaries.length > 0 ? summaries : texts).join("\n\n");
    const events = [...this.#show(item, { output: whole.slice(item.output) })];
    if (item.isShown) events.push(this.#stepEnd(item, "completed"));
    return events;
  }

  #finishStep(item: Item, wire: WireObject): readonly ModelEvent[] {
    const shown = shownOf(item.type, wire);
    for (const result of asObjects(wire.results)) {
      const fileId = asString(result.file_id);
      const text = asString(result.text);
      if (fileId === undefined || text === undefined || this.#quotes.has(fileId)) continue;
      this.#quotes.set(fileId, shorten(text, 200));
    }
    const failed = ["failed", "incomplete"].includes(asString(wire.status) ?? "");
    const events: ModelEvent[] = [
      ...this.#show(item, {
        input: shown.input.slice(item.input),
        output: shown.output.slice(item.output),
      }),
      this.#stepEnd(item, failed ? "failed" : "completed"),
    ];
    const image = item.type === "image_generation_call" ? asString(wire.result) : undefined;
    if (image !== undefined && image !== "") {
      const format = asString(wire.output_format) ?? "png";
      events.push({
        type: "file",
        file: {
          name: `image-${this.#options.turn}-${item.key}.${format}`,
          mimeType: format === "svg" ? "image/svg+xml" : `image/${format}`,
          data: new Uint8Array(Buffer.from(image, "base64")),
          altText: shorten(asString(wire.revised_prompt) ?? "A generated image", 500),
        },
      });
    }
    return events;
  }

  #close(response: WireObject, status: string): readonly ModelEvent[] {
    this.#noteResponse(response);
    const events: ModelEvent[] = [];
    for (const [index, wire] of asObjects(response.output).entries()) {
      const item = this.#itemOfOutput(index, wire);
      if (item !== undefined) events.push(...this.#finish(item, wire));
    }
    for (const item of this.#items.values()) {
      if (item.isDone) continue;
      for (const part of item.parts.values()) events.push(...this.#toEvents(item, part.end()));
      if (item.isShown)
        events.push(this.#stepEnd(item, status === "completed" ? "completed" : "failed"));
      item.isDone = true;
    }
    this.#end = this.#toEnd(response, resultOf(response, status));
    for (const call of this.#end.calls) events.push({ type: "tool-call", ...call });
    return events;
  }

  #fail(result: TurnFailure): void {
    this.#end = this.#toEnd({}, result);
  }

  #toEnd(response: WireObject, result: ResponseEnd["result"]): ResponseEnd {
    const items = [...this.#items.values()];
    const ofType = (type: string) => items.filter((item) => item.type === type);
    const isWhole = result.status === "completed";
    return {
      result,
      model: asString(response.model),
      usage: toUsage(response, {
        web: ofType("web_search_call").filter(isSearch).length,
        file: ofType("file_search_call").length,
      }),
      calls: isWhole ? ofType("function_call").flatMap(toCall) : [],
      items: items
        .filter(isReplayed)
        .map((item) => item.wire)
        .filter((wire) => wire !== undefined),
      containerIds: [
        ...new Set(
          ofType("code_interpreter_call").flatMap(
            (item) => asString(item.wire?.container_id) ?? [],
          ),
        ),
      ],
      citedFiles: items.flatMap((item) => item.citedFiles),
      imageUrls: ofType("code_interpreter_call").flatMap((item) =>
        asObjects(item.wire?.outputs).flatMap((output) =>
          output.type === "image" ? (asString(output.url) ?? []) : [],
        ),
      ),
    };
  }

  /** The item an event belongs to; made on the spot for servers that do not announce it. */
  #itemOf(event: WireObject, type: string): Item {
    const id = asString(event.item_id) ?? asString(asObject(event.item)?.id);
    const index = asNumber(event.output_index);
    const key = index === undefined ? (id ?? type) : String(index);
    const known = this.#items.get(key);
    if (known !== undefined) return known;
    return this.#add(key, id, type);
  }

  /**
   * The item of a final output. Ids are compared first: some servers number their events in another
   * way than their output. Undefined: its kind was streamed and this one cannot be told apart.
   */
  #itemOfOutput(index: number, wire: WireObject): Item | undefined {
    const type = typeOf(wire);
    const id = asString(wire.id);
    const items = [...this.#items.values()];
    const byId = id === undefined ? undefined : items.find((item) => item.id === id);
    if (byId !== undefined) return byId;
    const byIndex = this.#items.get(String(index));
    if (byIndex?.type === type) return byIndex;
    if (byIndex === undefined && !items.some((item) => item.type === type)) {
      return this.#add(String(index), id, type);
    }
    const isNew = id !== undefined && items.every((item) => item.id !== null);
    return byIndex === undefined && isNew ? this.#add(String(index), id, type) : undefined;
  }

  #add(key: string, id: string | undefined, type: string): Item {
    const item = new Item(key, id ?? null, type);
    this.#items.set(key, item);
    return item;
  }

  #partOf(item: Item, index: number): TextSettler {
    const known = item.parts.get(index);
    if (known !== undefined) return known;
    const part = this.#settler();
    item.parts.set(index, part);
    return part;
  }

  #settler(state?: SettlerState): TextSettler {
    const { rewrites, sourceOf } = this.#options;
    return new TextSettler(rewrites, (name) => sourceOf(undefined, name), state);
  }

  #toEvents(item: Item, pieces: readonly TextPiece[]): readonly ModelEvent[] {
    const events: ModelEvent[] = [];
    for (const piece of pieces) {
      if (piece.type === "citation") {
        events.push(piece);
        continue;
      }
      // A second message of the same response begins a paragraph of its own.
      const isNewParagraph = this.#hasText && item.output === 0;
      item.output += piece.text.length;
      this.#hasText = true;
      events.push({ type: "text-delta", text: isNewParagraph ? `\n\n${piece.text}` : piece.text });
    }
    return events;
  }

  #paragraph(item: Item): readonly ModelEvent[] {
    return item.output === 0 ? [] : this.#show(item, { output: "\n\n" });
  }

  /** Begins the item's step if need be, and adds to what it shows. */
  #show(
    item: Item,
    more: { readonly input?: string | undefined; readonly output?: string | undefined },
  ): ModelEvent[] {
    const input = more.input ?? "";
    const output = more.output ?? "";
    const isEmpty = input === "" && output === "";
    if (isEmpty && (item.isShown || !hasOwnStep(item.type))) return [];
    const events: ModelEvent[] = [];
    const id = this.#stepId(item);
    if (!item.isShown) {
      item.isShown = true;
      events.push({ type: "step-start", step: { id, ...stepOf(item.type, item.wire) } });
    }
    if (isEmpty) return events;
    item.input += input.length;
    item.output += output.length;
    events.push({
      type: "step-delta",
      id,
      ...(input === "" ? {} : { input }),
      ...(output === "" ? {} : { output }),
    });
    return events;
  }

  #stepEnd(item: Item, status: StepStatus): ModelEvent {
    return { type: "step-end", id: this.#stepId(item), status };
  }

  #stepId(item: Item): string {
    return `turn-${this.#options.turn}-item-${item.key}`;
  }

  #restore(state: ItemState): Item {
    const item = new Item(state.key, state.id, state.type);
    item.isAnswer = state.isAnswer;
    item.isDone = state.isDone;
    item.isShown = state.isShown;
    item.input = state.input;
    item.output = state.output;
    for (const part of state.parts) item.parts.set(part.index, this.#settler(part.text));
    return item;
  }
}

/** One item of a response's output, as far as it was read. */
class Item {
  readonly key: string;
  readonly type: string;
  readonly parts = new Map<number, TextSettler>();
  readonly citedFiles: CitedFile[] = [];
  id: string | null;
  wire: WireObject | undefined;
  arguments = "";
  isAnswer = true;
  isDone = false;
  isShown = false;
  input = 0;
  output = 0;

  constructor(key: string, id: string | null, type: string) {
    this.key = key;
    this.id = id;
    this.type = type;
  }
}

function saved(item: Item): ItemState {
  const parts = [...item.parts].map(([index, part]) => ({ index, text: part.state }));
  return {
    key: item.key,
    id: item.id,
    type: item.type,
    isAnswer: item.isAnswer,
    isDone: item.isDone,
    isShown: item.isShown,
    input: item.input,
    output: item.output,
    parts: item.isDone ? [] : parts,
  };
}

function typeOf(item: unknown): string {
  return asString(asObject(item)?.type) ?? "other";
}

function toCall(item: Item): readonly FunctionCall[] {
  const wire = item.wire ?? {};
  const name = asString(wire.name);
  const callId = asString(wire.call_id) ?? asString(wire.id);
  if (name === undefined || callId === undefined) return [];
  const given = asString(wire.arguments) ?? "";
  return [{ callId, name, arguments: given === "" ? item.arguments : given }];
}

function isReplayed(item: Item): boolean {
  if (item.type === "message") return !item.isAnswer;
  return item.type === "reasoning" || item.type === "compaction";
}

/** Opening a page and finding in it are not billed as searches. */
function isSearch(item: Item): boolean {
  const action = asObject(item.wire?.action);
  return action === undefined || action.type === "search" || action.type === undefined;
}
