import type { OpenAI } from "openai";
import type { ChatCompletionCreateParamsStreaming } from "openai/resources/chat/completions";
import { BotError } from "#domain/errors";
import type { StoredFile } from "#domain/file";
import { filesOfPeople, settleCalls } from "#domain/transcript";
import { noUsage } from "#domain/usage";
import type { Capabilities, ModelBackend, ModelEvent, ModelTurn } from "#ports/model-backend";
import { ChatReader } from "./chat-events.ts";
import { toChatBody } from "./chat-request.ts";
import { type ClientOptions, createClient } from "./client.ts";
import { toTurnFailure } from "./failures.ts";
import {
  effectiveUse,
  imagePart,
  isViewableImage,
  searchesItself,
  searchNote,
  textPart,
} from "./files.ts";
import { listModels } from "./models.ts";
import { ParameterMemory } from "./parameters.ts";
import { type EndpointProfile, profileOf } from "./profiles.ts";
import type { InlinePart } from "./request.ts";
import { EventSource, joinTexts, systemTimers, type Timers } from "./stream.ts";

export interface ChatOptions extends ClientOptions {
  /** What the server can do. Default: by its base URL. */
  readonly profile?: EndpointProfile;
  /** A stream that says nothing for so long is cut. Default 90 s. */
  readonly idleTimeoutMs?: number;
  /** The most text of one document in a request. Default 100,000 characters. */
  readonly maxDocumentCharacters?: number;
  readonly now?: () => number;
  readonly timers?: Timers;
}

/**
 * The driver for Chat Completions, which every compatible server has. It keeps nothing at the
 * server: each turn carries the whole transcript, documents as text and pictures as data.
 */
export function createChatBackend(options: ChatOptions): ModelBackend {
  return new ChatBackend(options);
}

class ChatBackend implements ModelBackend {
  readonly name = "chat";
  readonly capabilities: Capabilities;
  readonly #client: OpenAI;
  readonly #profile: EndpointProfile;
  readonly #idleTimeoutMs: number;
  readonly #maxDocumentCharacters: number;
  readonly #now: () => number;
  readonly #timers: Timers;
  readonly #refused = new ParameterMemory();

  constructor(options: ChatOptions) {
    const profile = options.profile ?? profileOf(options.baseUrl);
    this.#profile = profile;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 90_000;
    this.#maxDocumentCharacters = options.maxDocumentCharacters ?? 100_000;
    this.#now = options.now ?? Date.now;
    this.#timers = options.timers ?? systemTimers;
    this.#client = createClient({
      ...options,
      headersTimeoutMs: options.headersTimeoutMs ?? (profile.local ? 300_000 : this.#idleTimeoutMs),
    });
    this.capabilities = {
      hostedTools: [],
      images: profile.images,
      documents: false,
      compaction: false,
      resume: false,
    };
  }

  stream(turn: ModelTurn, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    return this.#ask(turn, signal);
  }

  /** Nothing is kept. */
  async forget(): Promise<void> {}

  models(): Promise<readonly string[]> {
    return listModels(this.#client);
  }

  async *#ask(turn: ModelTurn, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    try {
      const entries = settleCalls(turn.transcript);
      const body = toChatBody({
        turn,
        profile: this.#profile,
        entries,
        parts: await this.#partsOf(turn, filesOfPeople(entries)),
      });
      const answer = await this.#refused.send(body, (sent) => this.#create(sent, signal));
      const reader = new ChatReader(turn);
      const options = { idleTimeoutMs: this.#idleTimeoutMs, timers: this.#timers, signal };
      const source = new EventSource(answer, options);
      try {
        for (;;) {
          const chunks = await source.next();
          if (chunks === undefined) break;
          for (const event of joinTexts(chunks.flatMap((chunk) => reader.feed(chunk)))) yield event;
        }
      } catch (error) {
        // All that was missing is the usage, which some servers send late or never.
        if (!reader.isFinished) throw error;
      } finally {
        source.close({ isComplete: false });
      }
      if (signal.aborted) return;
      // A body that ends without a reason for it was cut, however cleanly.
      if (!reader.isFinished) throw new BotError("stream-cut");
      yield* reader.finish();
    } catch (error) {
      if (signal.aborted) return;
      const result = toTurnFailure(error, this.#now);
      yield { type: "turn-end", usage: noUsage, model: turn.assistant.model, result };
    }
  }

  #create(body: ChatCompletionCreateParamsStreaming, signal: AbortSignal): Promise<Response> {
    return this.#client.chat.completions.create(body, { signal }).asResponse();
  }

  async #partsOf(
    turn: ModelTurn,
    shown: readonly string[],
  ): Promise<ReadonlyMap<string, InlinePart>> {
    const parts = new Map<string, InlinePart>();
    for (const id of new Set([...turn.assistant.file_ids, ...shown])) {
      const file = turn.files.get(id);
      if (file === undefined) continue;
      parts.set(id, await this.#partOf(file, turn));
    }
    return parts;
  }

  async #partOf(file: StoredFile, turn: ModelTurn): Promise<InlinePart> {
    if (isViewableImage(file.mime_type)) {
      if (this.#profile.images) return imagePart(file, turn);
    } else {
      const isKept = searchesItself(turn) && turn.assistant.file_ids.includes(file.id);
      if (isKept || effectiveUse(file, turn) === "search") return searchNote(file);
    }
    return textPart(file, turn, this.#maxDocumentCharacters);
  }
}
