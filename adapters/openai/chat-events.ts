import type { IncompleteReason } from "#domain/run";
import type { Usage } from "#domain/usage";
import { noUsage } from "#domain/usage";
import type { ModelEvent, ModelTurn } from "#ports/model-backend";
import type { FunctionCall } from "./events.ts";
import { asNumber, asObject, asObjects, asString, type WireObject } from "./wire.ts";

/**
 * Reads the chunks of one chat completion. No input or output of its own.
 *
 * Function calls arrive in pieces, told apart by index (and by id where a server numbers them all 0);
 * they are given out with the turn's end. Thoughts, in fields of their own or in a leading `<think>`
 * block, become a reasoning step.
 */
export class ChatReader {
  readonly #turn: ModelTurn;
  readonly #calls: CallInPieces[] = [];
  readonly #thoughts: ThoughtFilter = new ThoughtFilter();
  readonly #cited = new Set<string>();
  #finishReason: string | undefined;
  #model: string | undefined;
  #usage: Usage = noUsage;
  #thinking: "not yet" | "now" | "over" = "not yet";

  constructor(turn: ModelTurn) {
    this.#turn = turn;
  }

  /** The server said why it ended: nothing that matters is missing. */
  get isFinished(): boolean {
    return this.#finishReason !== undefined;
  }

  feed(raw: unknown): readonly ModelEvent[] {
    const chunk = asObject(raw);
    if (chunk === undefined) return [];
    this.#model ??= asString(chunk.model);
    this.#usage = toUsage(asObject(chunk.usage)) ?? this.#usage;
    const choice = asObjects(chunk.choices)[0];
    if (choice === undefined) return [];
    const delta = asObject(choice.delta) ?? asObject(choice.message) ?? {};
    const events: ModelEvent[] = [
      ...this.#think(asString(delta.reasoning_content) ?? asString(delta.reasoning) ?? ""),
      ...this.#say(asString(delta.content) ?? ""),
      ...this.#say(asString(delta.refusal) ?? ""),
    ];
    for (const annotation of asObjects(delta.annotations)) events.push(...this.#cite(annotation));
    for (const piece of asObjects(delta.tool_calls)) this.#collect(piece);
    this.#finishReason = asString(choice.finish_reason) ?? this.#finishReason;
    return events;
  }

  /** What was held back, the calls, and the turn's end. */
  *finish(): Generator<ModelEvent> {
    yield* this.#pieces(this.#thoughts.end());
    yield* this.#endThinking();
    const reason = incompleteReason(this.#finishReason);
    const end = {
      type: "turn-end",
      usage: this.#usage,
      model: this.#model ?? this.#turn.assistant.model,
    } as const;
    if (reason !== undefined) {
      yield { ...end, result: { status: "incomplete", reason } };
      return;
    }
    for (const call of this.#finishedCalls()) yield { type: "tool-call", ...call };
    yield { ...end, result: { status: "completed" } };
  }

  /** Routers with a search of their own send their sources along; each is said once. */
  #cite(annotation: WireObject): readonly ModelEvent[] {
    const cited = asObject(annotation.url_citation) ?? annotation;
    const url = asString(cited.url);
    if (url === undefined || this.#cited.has(url)) return [];
    this.#cited.add(url);
    return [{ type: "citation", source: { title: asString(cited.title) ?? url, url } }];
  }

  #say(text: string): readonly ModelEvent[] {
    return text === "" ? [] : this.#pieces(this.#thoughts.push(text));
  }

  #pieces(pieces: readonly ThoughtPiece[]): readonly ModelEvent[] {
    return pieces.flatMap(({ isThought, text }) =>
      isThought
        ? this.#think(text)
        : [...this.#endThinking(), { type: "text-delta", text } as const],
    );
  }

  #think(text: string): readonly ModelEvent[] {
    if (text === "" || this.#thinking === "over") return [];
    const delta = { type: "step-delta", id: this.#stepId, output: text } as const;
    if (this.#thinking === "now") return [delta];
    this.#thinking = "now";
    const step = { id: this.#stepId, type: "reasoning", title: "Thinking" } as const;
    return [{ type: "step-start", step }, delta];
  }

  #endThinking(): readonly ModelEvent[] {
    if (this.#thinking !== "now") return [];
    this.#thinking = "over";
    return [{ type: "step-end", id: this.#stepId, status: "completed" }];
  }

  get #stepId(): string {
    return `turn-${this.#turn.turn}-thinking`;
  }

  #collect(piece: WireObject): void {
    const id = asString(piece.id) ?? "";
    const call = asObject(piece.function) ?? {};
    const name = asString(call.name) ?? "";
    const index = asNumber(piece.index);
    const open =
      index === undefined ? this.#calls.at(-1) : this.#calls.findLast((one) => one.index === index);
    const isAnother = open !== undefined && id !== "" && open.id !== "" && open.id !== id;
    const isFirst = open === undefined || isAnother || (index === undefined && name !== "");
    const target = isFirst
      ? { index: index ?? this.#calls.length, id: "", name: "", arguments: "" }
      : open;
    if (isFirst) this.#calls.push(target);
    target.id ||= id;
    // Some servers repeat the whole name with every piece.
    if (target.name !== name) target.name += name;
    target.arguments += argumentsOf(call.arguments);
  }

  /** Ids are made where a server sends none, or one that an earlier call of the conversation has. */
  #finishedCalls(): readonly FunctionCall[] {
    const taken = new Set(
      this.#turn.transcript.flatMap((entry) => (entry.type === "tool-call" ? entry.callId : [])),
    );
    return this.#calls
      .filter((call) => call.name !== "")
      .map((call, index) => {
        const isUsable = call.id !== "" && !taken.has(call.id);
        const { runId, turn } = this.#turn;
        const callId = isUsable ? call.id : `call_${runId}_${turn}_${index}`;
        taken.add(callId);
        return { callId, name: call.name, arguments: call.arguments };
      });
  }
}

interface CallInPieces {
  readonly index: number;
  id: string;
  name: string;
  arguments: string;
}

/** A string by the protocol; some servers send the object itself. */
function argumentsOf(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

function incompleteReason(finishReason: string | undefined): IncompleteReason | undefined {
  if (finishReason === "length") return "max_completion_tokens";
  return finishReason === "content_filter" ? "content_filter" : undefined;
}

function toUsage(usage: WireObject | undefined): Usage | undefined {
  if (usage === undefined) return undefined;
  const prompt = asNumber(usage.prompt_tokens) ?? 0;
  const completion = asNumber(usage.completion_tokens) ?? 0;
  return {
    ...noUsage,
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: asNumber(usage.total_tokens) ?? prompt + completion,
    cached_tokens: asNumber(asObject(usage.prompt_tokens_details)?.cached_tokens) ?? 0,
    reasoning_tokens: asNumber(asObject(usage.completion_tokens_details)?.reasoning_tokens) ?? 0,
  };
}

interface ThoughtPiece {
  readonly isThought: boolean;
  readonly text: string;
}

const opening = "<think>";
const closing = "</think>";

/** Takes a leading `<think>...</think>` out of a text that arrives in pieces. */
class ThoughtFilter {
  #where: "start" | "thought" | "after" | "answer" = "start";
  #pending = "";

  push(text: string): readonly ThoughtPiece[] {
    if (this.#where === "answer") return [{ isThought: false, text }];
    this.#pending += text;
    const pieces: ThoughtPiece[] = [];
    if (this.#where === "start") this.#enter();
    if (this.#where === "thought") pieces.push(...this.#leave());
    // The blank lines behind a thought do not belong to the answer.
    if (this.#where === "after") {
      this.#pending = this.#pending.trimStart();
      if (this.#pending !== "") this.#where = "answer";
    }
    if (this.#where === "answer") pieces.push(...this.end());
    return pieces;
  }

  end(): readonly ThoughtPiece[] {
    const text = this.#pending;
    this.#pending = "";
    return text === "" ? [] : [{ isThought: this.#where === "thought", text }];
  }

  #enter(): void {
    const begin = this.#pending.trimStart();
    if (begin.startsWith(opening)) {
      this.#where = "thought";
      this.#pending = begin.slice(opening.length);
    } else if (!opening.startsWith(begin)) {
      this.#where = "answer";
    }
  }

  #leave(): readonly ThoughtPiece[] {
    const end = this.#pending.indexOf(closing);
    if (end !== -1) {
      const text = this.#pending.slice(0, end);
      this.#pending = this.#pending.slice(end + closing.length);
      this.#where = "after";
      return text === "" ? [] : [{ isThought: true, text }];
    }
    const keep = partialEnd(this.#pending, closing);
    const text = this.#pending.slice(0, this.#pending.length - keep);
    this.#pending = this.#pending.slice(this.#pending.length - keep);
    return text === "" ? [] : [{ isThought: true, text }];
  }
}

/** How many characters at the end of a text may be the beginning of a mark. */
function partialEnd(text: string, mark: string): number {
  for (let length = Math.min(text.length, mark.length - 1); length > 0; length -= 1) {
    if (text.endsWith(mark.slice(0, length))) return length;
  }
  return 0;
}
