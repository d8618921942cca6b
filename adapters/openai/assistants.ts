import { APIError, type OpenAI, toFile } from "openai";
import { BotError } from "#domain/errors";
import type { StoredFile } from "#domain/file";
import type { ToolOutputEntry, TranscriptEntry } from "#domain/thread";
import { documentBlock, entriesAfter, filesOfPeople, settleCalls } from "#domain/transcript";
import { noUsage } from "#domain/usage";
import type {
  BackendState,
  Capabilities,
  ModelBackend,
  ModelEvent,
  ModelTurn,
} from "#ports/model-backend";
import { AssistantsReader } from "./assistants-events.ts";
import {
  ownFileMessages,
  runBody,
  type ThreadPart,
  toThreadMessages,
} from "./assistants-request.ts";
import { type ClientOptions, createClient, retried } from "./client.ts";
import { toTurnFailure } from "./failures.ts";
import { effectiveUse, isViewableImage, textPart } from "./files.ts";
import { listModels } from "./models.ts";
import { ParameterMemory } from "./parameters.ts";
import { EventSource, joinTexts, systemTimers, type Timers } from "./stream.ts";
import { asObject, asString, asStrings } from "./wire.ts";

export interface AssistantsOptions extends ClientOptions {
  /** A stream that says nothing for so long is cut. Default 90 s. */
  readonly idleTimeoutMs?: number;
  /** The most text of one document in a message. Default 100,000 characters. */
  readonly maxDocumentCharacters?: number;
  readonly now?: () => number;
  readonly timers?: Timers;
}

/** How long a run that still holds the thread is waited for, and how often it is looked at. */
const lockWaitMs = 30_000;
const lockPollMs = 500;
/** Larger files of a run are named, not delivered. */
const maxProducedBytes = 50_000_000;

/** What the driver keeps in a {@link BackendState}. */
interface Kept {
  readonly threadId: string;
  /** A run that waits for the outputs of its calls. */
  readonly openRunId: string | null;
  readonly uploads: { readonly [fileId: string]: string };
  /** The assistant's own files the thread began with. */
  readonly ownFiles: readonly string[];
}

/**
 * The driver for servers that still speak the Assistants API (threads, messages, runs). OpenAI's own
 * ended on 2026-08-26: it is refused with the reason. The assistant at the server is a mere handle;
 * model, instructions and tools go with every run, from ours.
 */
export function createAssistantsBackend(options: AssistantsOptions): ModelBackend {
  const host = URL.parse(options.baseUrl ?? "https://api.openai.com/v1")?.hostname;
  if (host === "api.openai.com") {
    throw new BotError("bad-input", {
      detail:
        "OPENAI_API=assistants cannot be used with api.openai.com: OpenAI ended its Assistants API on 2026-08-26. Use OPENAI_API=responses there, or set OPENAI_BASE_URL to a server that still has it.",
    });
  }
  return new AssistantsBackend(options);
}

class AssistantsBackend implements ModelBackend {
  readonly name = "assistants";
  readonly capabilities: Capabilities = {
    hostedTools: ["code_interpreter", "file_search"],
    images: true,
    documents: false,
    compaction: true,
    resume: false,
  };
  readonly #client: OpenAI;
  readonly #options: Required<
    Pick<AssistantsOptions, "idleTimeoutMs" | "maxDocumentCharacters" | "now" | "timers">
  >;
  readonly #refused = new ParameterMemory();
  #assistant: Promise<string> | undefined;

  constructor(options: AssistantsOptions) {
    this.#options = {
      idleTimeoutMs: options.idleTimeoutMs ?? 90_000,
      maxDocumentCharacters: options.maxDocumentCharacters ?? 100_000,
      now: options.now ?? Date.now,
      timers: options.timers ?? systemTimers,
    };
    this.#client = createClient({
      ...options,
      headersTimeoutMs: options.headersTimeoutMs ?? this.#options.idleTimeoutMs,
    });
  }

  async *stream(turn: ModelTurn, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    if (signal.aborted) return;
    const kept = toKept(turn.state);
    const uploads = new Map(Object.entries(kept?.uploads ?? {}));
    const nameOf = (remoteId: string) => {
      const own = [...uploads].find(([, remote]) => remote === remoteId)?.[0];
      return own === undefined ? undefined : turn.files.get(own)?.filename;
    };
    const reader = new AssistantsReader(turn, nameOf);
    reader.threadId = kept?.threadId;
    try {
      const answer = await this.#begin(turn, kept, uploads, signal);
      const { idleTimeoutMs, timers } = this.#options;
      const source = new EventSource(answer, { idleTimeoutMs, timers, signal });
      try {
        while (reader.result === undefined) {
          const events = await source.next();
          if (events === undefined) break;
          for (const one of joinTexts(events.flatMap((event) => reader.feed(event)))) yield one;
        }
      } finally {
        source.close({ isComplete: reader.result !== undefined });
      }
      if (signal.aborted) return await this.#cancel(reader);
      if (reader.result === undefined) throw new BotError("stream-cut");
      yield* this.#deliver(reader, signal);
      yield* reader.finish({ state: this.#stateAfter(turn, reader, uploads) });
    } catch (error) {
      await this.#cancel(reader);
      if (signal.aborted) return;
      const result = toTurnFailure(error, this.#options.now);
      yield { type: "turn-end", usage: noUsage, model: turn.assistant.model, result };
    }
  }

  async forget(state: BackendState): Promise<void> {
    const kept = toKept(state);
    if (!kept) return;
    const removals = [
      this.#client.beta.threads.delete(kept.threadId, retried),
      ...Object.values(kept.uploads).map((id) => this.#client.files.delete(id, retried)),
    ];
    for (const removal of removals) {
      await removal.catch((error: unknown) => {
        // What is gone already is what was wanted.
        if (!(error instanceof APIError) || error.status !== 404) throw error;
      });
    }
  }

  models(): Promise<readonly string[]> {
    return listModels(this.#client);
  }

  /** Goes on in the thread where it can; otherwise begins another with all that was said. */
  async #begin(
    turn: ModelTurn,
    kept: Kept | undefined,
    uploads: Map<string, string>,
    signal: AbortSignal,
  ): Promise<Response> {
    const assistantId = await this.#assistantId(turn, signal);
    const entries = settleCalls(turn.transcript);
    const after = kept && turn.state && entriesAfter(entries, turn.state.covers);
    if (kept && after && sameFiles(kept.ownFiles, turn)) {
      try {
        const going = await this.#goOn(turn, { kept, after, assistantId, uploads }, signal);
        if (going) return going;
      } catch (error) {
        if (!isLost(error)) throw error;
      }
    }
    const ids = [...turn.assistant.file_ids, ...filesOfPeople(entries)];
    const parts = await this.#partsOf(turn, ids, uploads, signal);
    const messages = [...ownFileMessages(turn, parts), ...toThreadMessages(entries, turn, parts)];
    const body = { ...runBody(turn, assistantId), thread: { messages } };
    const { threads } = this.#client.beta;
    return this.#refused.send(body, (sent) =>
      threads.createAndRun(sent as never, { signal }).asResponse(),
    );
  }

  /** Undefined: not in this thread. */
  async #goOn(
    turn: ModelTurn,
    at: {
      readonly kept: Kept;
      readonly after: readonly TranscriptEntry[];
      readonly assistantId: string;
      readonly uploads: Map<string, string>;
    },
    signal: AbortSignal,
  ): Promise<Response | undefined> {
    const { runs } = this.#client.beta.threads;
    const { threadId, openRunId } = at.kept;
    if (openRunId !== null) {
      const outputs = at.after.filter(isOutput);
      if (outputs.length === at.after.length) {
        const tool_outputs = outputs.map(({ callId, output }) => ({
          tool_call_id: callId,
          output,
        }));
        const body = { thread_id: threadId, tool_outputs, stream: true } as const;
        return runs.submitToolOutputs(openRunId, body, { signal }).asResponse();
      }
      // Something else was said meanwhile: a run that waits for its calls cannot be told.
      await runs.cancel(openRunId, { thread_id: threadId }).catch(() => undefined);
      return undefined;
    }
    const parts = await this.#partsOf(turn, filesOfPeople(at.after), at.uploads, signal);
    const body = {
      ...runBody(turn, at.assistantId),
      additional_messages: toThreadMessages(at.after, turn, parts),
    };
    const send = () =>
      this.#refused.send(body, (sent) =>
        runs.create(threadId, sent as never, { signal }).asResponse(),
      );
    const until = this.#options.now() + lockWaitMs;
    for (;;) {
      try {
        return await send();
      } catch (error) {
        if (!isLocked(error) || this.#options.now() >= until) throw error;
        await this.#options.timers.sleep(lockPollMs, signal);
      }
    }
  }

  /** One handle at the server for all of ours, found again by its name. */
  #assistantId(turn: ModelTurn, signal: AbortSignal): Promise<string> {
    this.#assistant ??= this.#findOrMakeAssistant(turn, signal).catch((error) => {
      this.#assistant = undefined;
      throw error;
    });
    return this.#assistant;
  }

  async #findOrMakeAssistant(turn: ModelTurn, signal: AbortSignal): Promise<string> {
    const { assistants } = this.#client.beta;
    const metadata = { made_by: "bobbin" };
    const known = await assistants.list({ limit: 100 }, { ...retried, signal });
    const found = known.data.find((one) => asObject(one.metadata)?.made_by === metadata.made_by);
    if (found) return found.id;
    const { model } = turn.assistant;
    const made = await assistants.create({ model, name: "Bobbin", metadata }, { signal });
    return made.id;
  }

  async #partsOf(
    turn: ModelTurn,
    ids: readonly string[],
    uploads: Map<string, string>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, ThreadPart>> {
    const parts = new Map<string, ThreadPart>();
    for (const id of ids) {
      const file = turn.files.get(id);
      if (file) parts.set(id, await this.#partOf(file, turn, uploads, signal));
    }
    return parts;
  }

  async #partOf(
    file: StoredFile,
    turn: ModelTurn,
    uploads: Map<string, string>,
    signal: AbortSignal,
  ): Promise<ThreadPart> {
    if (isViewableImage(file.mime_type)) {
      const remoteId = await this.#upload(file, turn, { uploads, purpose: "vision" }, signal);
      return { type: "image", remoteId };
    }
    const use = effectiveUse(file, turn);
    if (use !== "look") {
      const tool = use === "search" ? "file_search" : "code_interpreter";
      const remoteId = await this.#upload(file, turn, { uploads, purpose: "assistants" }, signal);
      return { type: "attachment", remoteId, tool };
    }
    const part = await textPart(file, turn, this.#options.maxDocumentCharacters);
    if (part.type !== "text") return { type: "text", text: part.type === "note" ? part.text : "" };
    return { type: "text", text: documentBlock(part.name, part.text, part.isTruncated) };
  }

  async #upload(
    file: StoredFile,
    turn: ModelTurn,
    to: { readonly uploads: Map<string, string>; readonly purpose: "vision" | "assistants" },
    signal: AbortSignal,
  ): Promise<string> {
    const known = to.uploads.get(file.id);
    if (known !== undefined) return known;
    const data = await toFile(await turn.readFile(file.id), file.filename, {
      type: file.mime_type,
    });
    const { id } = await this.#client.files.create(
      { file: data, purpose: to.purpose },
      { ...retried, signal },
    );
    to.uploads.set(file.id, id);
    return id;
  }

  /** What the run made is fetched at once: who knows how long it is kept. */
  async *#deliver(reader: AssistantsReader, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    for (const { id, name, isImage } of reader.outputs.values()) {
      try {
        const response = await this.#client.files.content(id, { ...retried, signal });
        const data = new Uint8Array(await response.arrayBuffer());
        if (data.byteLength > maxProducedBytes) throw new BotError("file-too-large");
        const type = response.headers.get("content-type")?.split(";")[0] ?? "";
        const mimeType = isImage ? "image/png" : type || "application/octet-stream";
        const fallback = isImage ? `${id}.png` : id;
        yield { type: "file", file: { name: name ?? fallback, mimeType, data } };
      } catch {
        if (signal.aborted) return;
        yield { type: "notice", text: `The file ${name ?? id} could not be fetched.` };
      }
    }
  }

  #stateAfter(
    turn: ModelTurn,
    reader: AssistantsReader,
    uploads: ReadonlyMap<string, string>,
  ): Omit<BackendState, "covers"> | undefined {
    if (reader.threadId === undefined) return undefined;
    return {
      backend: this.name,
      model: turn.assistant.model,
      createdAtMs: this.#options.now(),
      data: {
        threadId: reader.threadId,
        openRunId: reader.result === "requires_action" ? (reader.runId ?? null) : null,
        uploads: Object.fromEntries(uploads),
        ownFiles: [...turn.assistant.file_ids],
      },
    };
  }

  /** A run that nobody listens to any more would hold its thread. */
  async #cancel({ runId, threadId, result }: AssistantsReader): Promise<void> {
    if (runId === undefined || threadId === undefined || result !== undefined) return;
    const { runs } = this.#client.beta.threads;
    await runs.cancel(runId, { thread_id: threadId }).catch(() => undefined);
  }
}

/** A thread that began with other files of the assistant is left for another. */
function sameFiles(known: readonly string[], { assistant }: ModelTurn): boolean {
  const own = assistant.file_ids;
  return known.length === own.length && own.every((id) => known.includes(id));
}

function isOutput(entry: TranscriptEntry): entry is ToolOutputEntry {
  return entry.type === "tool-output";
}

/** Another run is at work on the thread: it is waited for. */
function isLocked(error: unknown): boolean {
  if (!(error instanceof APIError) || (error.status !== 400 && error.status !== 409)) return false;
  return /already has an active run|while a run .* is active/i.test(error.message);
}

/** The thread or its run is gone, or still held by a run: our own transcript is whole. */
function isLost(error: unknown): boolean {
  if (isLocked(error)) return true;
  if (!(error instanceof APIError)) return false;
  if (error.status === 404) return /thread|run|no route/i.test(error.message);
  return (
    error.status === 400 &&
    /(run|thread)s?\b.*(status|expired|cancel|not found|no longer)/i.test(error.message)
  );
}

function toKept(state: BackendState | undefined): Kept | undefined {
  const data = asObject(state?.data);
  const threadId = asString(data?.threadId);
  if (threadId === undefined) return undefined;
  const uploads = Object.entries(asObject(data?.uploads) ?? {}).flatMap(([id, remote]) =>
    typeof remote === "string" ? [[id, remote] as const] : [],
  );
  return {
    threadId,
    openRunId: asString(data?.openRunId) ?? null,
    uploads: Object.fromEntries(uploads),
    ownFiles: asStrings(data?.ownFiles),
  };
}
