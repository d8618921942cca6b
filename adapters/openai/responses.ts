import { APIError, type OpenAI } from "openai";
import type { ResponseCreateParamsStreaming } from "openai/resources/responses/responses";
import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import type { TranscriptEntry } from "#domain/thread";
import { entriesAfter, filesOfPeople, settleCalls } from "#domain/transcript";
import { noUsage } from "#domain/usage";
import type { Log } from "#ports/log";
import type {
  BackendState,
  Capabilities,
  Cursor,
  ModelBackend,
  ModelEvent,
  ModelTurn,
} from "#ports/model-backend";
import type { AbortReason } from "#ports/run-queue";
import { type ClientOptions, createClient, retried } from "./client.ts";
import { type ReaderState, ResponseReader } from "./events.ts";
import { cut, gone, isCut, isServerTrouble, remoteLoss, toTurnFailure } from "./failures.ts";
import {
  allOrThrow,
  deleteRemoteFiles,
  effectiveUse,
  fromRemoteFiles,
  harvestFiles,
  isEmptyRemote,
  noRemoteFiles,
  prepareFiles,
  type RemoteFileOptions,
  type RemoteFiles,
  toRemoteFiles,
} from "./files.ts";
import { listModels } from "./models.ts";
import { ParameterMemory } from "./parameters.ts";
import { type EndpointProfile, isReasoningModel, profileOf } from "./profiles.ts";
import { includesOf, toReplayed, toResponsesBody } from "./request.ts";
import {
  fromKept,
  type Kept,
  type Plan,
  reachableFiles,
  repaired,
  repairNotice,
  sourceOf,
  toKept,
} from "./response-state.ts";
import { EventSource, joinTexts, systemTimers, type Timers } from "./stream.ts";
import { UploadMemory } from "./upload-memory.ts";
import { asNumber, asObject, asString, asStrings } from "./wire.ts";

export interface ResponsesOptions extends ClientOptions {
  /** What the server can do. Default: by its base URL. */
  readonly profile?: EndpointProfile;
  /**
   * Whether answers are made in the background, where they outlive the connection. `auto`: for turns
   * with hosted tools or a reasoning model. Never on servers that cannot.
   */
  readonly background?: "auto" | "on" | "off";
  /** False: nothing is kept at the service, and every turn carries the whole transcript. */
  readonly store?: boolean;
  /** A stream that says nothing for so long is cut. Default 90 s. */
  readonly idleTimeoutMs?: number;
  /** How often an answer that can no longer be streamed is asked for. Default 2 s. */
  readonly pollIntervalMs?: number;
  /** The service shortens a conversation from here on, where it can. Default 100,000 tokens. */
  readonly compactThresholdTokens?: number;
  /** The most text of one document in a request. Default 200,000 characters. */
  readonly maxDocumentCharacters?: number;
  /** Bigger files that code made are named, not delivered. Default 50 MB. */
  readonly maxProducedBytes?: number;
  readonly now?: () => number;
  readonly timers?: Timers;
  readonly log?: Log;
}

/**
 * The driver for the Responses API, and for the servers that speak it.
 *
 * Where the server keeps responses, a turn goes on from the last one and sends only what that does
 * not cover; otherwise (or once the server refused or ignored it) the whole transcript is sent.
 * `createResponsesBackend` opens no connection; the first turn does.
 */
export function createResponsesBackend(options: ResponsesOptions): ModelBackend {
  return new ResponsesBackend(options);
}

/** The driver's name in states, cursors and replayed items. */
const backendName = "responses";

/** A response is kept at least 30 days; well before, the conversation is seeded anew. */
const maxStateAgeMs = 25 * 86_400_000;
/** How often one turn may be set up again because something remote was gone. */
const maxRepairs = 4;
/** Connections in a row that bring nothing, before the response is polled instead. */
const maxFruitlessConnections = 3;
/** Polls in a row that may fail. */
const maxFailedPolls = 5;
/** A cursor costs something to make and to store: not one per token. */
const cursorIntervalMs = 500;
const cancelTimeoutMs = 10_000;
/** Aborts after which somebody else takes the turn up. */
const handOvers: readonly AbortReason[] = ["shutdown", "lease-lost"];

/** A response being followed. */
interface Following {
  readonly turn: ModelTurn;
  readonly reader: ResponseReader;
  readonly heads: readonly string[];
  readonly remote: RemoteFiles;
  readonly background: boolean;
  readonly store: boolean;
  readonly signal: AbortSignal;
  /** Anything was given out: what fails from now on cannot be begun anew. */
  isShown: boolean;
}

class ResponsesBackend implements ModelBackend {
  readonly name = backendName;
  readonly capabilities: Capabilities;
  readonly #client: OpenAI;
  readonly #profile: EndpointProfile;
  readonly #store: boolean;
  readonly #background: "auto" | "on" | "off";
  readonly #idleTimeoutMs: number;
  readonly #pollIntervalMs: number;
  readonly #compactThresholdTokens: number;
  readonly #now: () => number;
  readonly #timers: Timers;
  readonly #log: Log | undefined;
  readonly #fileOptions: RemoteFileOptions;
  readonly #refused = new ParameterMemory();
  readonly #uploaded = new UploadMemory();
  /** The server took `previous_response_id` and went on without it. */
  #ignoresState = false;

  constructor(options: ResponsesOptions) {
    const profile = options.profile ?? profileOf(options.baseUrl);
    this.#profile = profile;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 90_000;
    this.#client = createClient({
      ...options,
      headersTimeoutMs: options.headersTimeoutMs ?? (profile.local ? 300_000 : this.#idleTimeoutMs),
    });
    this.#store = options.store ?? profile.stateful;
    this.#background = options.background ?? "auto";
    this.#pollIntervalMs = options.pollIntervalMs ?? 2000;
    this.#compactThresholdTokens = options.compactThresholdTokens ?? 100_000;
    this.#now = options.now ?? Date.now;
    this.#timers = options.timers ?? systemTimers;
    this.#log = options.log;
    this.#fileOptions = {
      client: this.#client,
      profile,
      timers: this.#timers,
      now: this.#now,
      fetch: options.fetch ?? globalThis.fetch,
      maxDocumentCharacters: options.maxDocumentCharacters ?? 200_000,
      maxProducedBytes: options.maxProducedBytes ?? 50_000_000,
    };
    const canRunInBackground = profile.background && this.#store;
    this.capabilities = {
      hostedTools: profile.hostedTools,
      images: profile.images,
      documents: profile.files,
      compaction: profile.compaction,
      resume: canRunInBackground && this.#background !== "off",
    };
  }

  stream(turn: ModelTurn, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    return this.#ask(this.#withOwnTools(turn), signal);
  }

  resume(turn: ModelTurn, cursor: Cursor, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    return this.#takeUp(this.#withOwnTools(turn), cursor, signal);
  }

  async forget(state: BackendState): Promise<void> {
    const kept = toKept(state.data);
    this.#uploaded.forget(kept.remote);
    const chains = [...kept.heads, ...(kept.responseId === undefined ? [] : [kept.responseId])];
    await allOrThrow([
      deleteRemoteFiles(this.#client, kept.remote),
      ...chains.map((id) => this.#deleteChain(id)),
    ]);
  }

  models(): Promise<readonly string[]> {
    return listModels(this.#client);
  }

  /** Every error becomes the turn's end. */
  #failed(turn: ModelTurn, error: unknown): ModelEvent {
    const result = toTurnFailure(error, this.#now);
    return { type: "turn-end", usage: noUsage, model: turn.assistant.model, result };
  }

  #withOwnTools(turn: ModelTurn): ModelTurn {
    const hostedTools = turn.hostedTools.filter((tool) => this.#profile.hostedTools.includes(tool));
    return { ...turn, hostedTools };
  }

  async *#ask(turn: ModelTurn, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    const transcript = settleCalls(turn.transcript);
    const kept = this.#keptOf(turn);
    const remote = this.#uploaded.newest(turn, kept.remote);
    let plan = this.#firstPlan(turn, transcript, { ...kept, remote });
    for (let repairs = 0; ; repairs += 1) {
      const reader = this.#reader(turn, () => plan.remote);
      let following: Following | undefined;
      try {
        const files = yield* this.#prepare(turn, transcript, plan, signal);
        plan = { ...plan, remote: files.remote };
        this.#uploaded.remember(turn, files.remote, this.#now());
        const body = toResponsesBody({
          turn,
          profile: this.#profile,
          entries: plan.entries,
          previousResponseId: plan.previousResponseId,
          backend: backendName,
          parts: files.parts,
          resources: files.resources,
          store: this.#store,
          background: this.#runsInBackground(turn),
          compactThresholdTokens: this.#compactThresholdTokens,
          replaysItems: plan.replaysItems,
        });
        const { answer, sent } = await this.#create(body, signal);
        const isContinued = plan.previousResponseId !== undefined;
        const heads =
          isContinued || kept.responseId === undefined
            ? kept.heads
            : [...kept.heads, kept.responseId];
        following = {
          turn,
          reader,
          heads,
          remote: plan.remote,
          background: sent.background === true,
          store: this.#store,
          signal,
          isShown: false,
        };
        yield* this.#follow(following, answer, plan.previousResponseId);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const loss = error instanceof StateIgnored ? "response" : remoteLoss(error);
        if (loss === undefined || following?.isShown || repairs >= maxRepairs) {
          yield this.#failed(turn, error);
          return;
        }
        if (error instanceof StateIgnored) this.#ignoresState = true;
        this.#log?.info({ run: turn.runId, loss }, "model state was gone and is set up again");
        const notice = repairNotice(loss);
        if (notice !== undefined) yield { type: "notice", text: notice };
        plan = repaired(plan, loss, transcript);
      }
    }
  }

  #keptOf(turn: ModelTurn): Kept {
    const { state } = turn;
    if (state?.backend !== backendName)
      return { responseId: undefined, heads: [], remote: noRemoteFiles };
    return toKept(state.data);
  }

  /** Goes on from the last response where that is possible, else sends everything. */
  #firstPlan(turn: ModelTurn, transcript: readonly TranscriptEntry[], kept: Kept): Plan {
    const { state, assistant } = turn;
    const fresh: Plan = {
      previousResponseId: undefined,
      entries: transcript,
      remote: kept.remote,
      replaysItems: true,
    };
    const canContinue =
      state !== undefined &&
      kept.responseId !== undefined &&
      this.#store &&
      !this.#ignoresState &&
      state.model === assistant.model &&
      state.createdAtMs > this.#now() - maxStateAgeMs &&
      // The service remembers everything; only the last messages are asked for.
      assistant.truncation_strategy.type === "auto";
    if (!canContinue) return fresh;
    const uncovered = entriesAfter(transcript, state.covers) ?? [];
    if (uncovered.length === 0) return fresh;
    return { ...fresh, previousResponseId: kept.responseId, entries: uncovered };
  }

  #prepare(
    turn: ModelTurn,
    transcript: readonly TranscriptEntry[],
    plan: Plan,
    signal: AbortSignal,
  ) {
    const own = turn.assistant.file_ids;
    const isSeed = plan.previousResponseId === undefined;
    const shown = [...(isSeed ? own : []), ...filesOfPeople(plan.entries)];
    const reachable = reachableFiles(turn, transcript);
    return prepareFiles(this.#fileOptions, turn, { shown, reachable, remote: plan.remote }, signal);
  }

  #runsInBackground(turn: ModelTurn): boolean {
    if (!this.capabilities.resume) return false;
    if (this.#background === "on") return true;
    return turn.hostedTools.length > 0 || isReasoningModel(turn.assistant.model);
  }

  #reader(turn: ModelTurn, remote: () => RemoteFiles, state?: ReaderState): ResponseReader {
    return new ResponseReader({
      turn: turn.turn,
      rewrites: {
        webLinks: turn.hostedTools.includes("web_search"),
        sandboxLinks: turn.hostedTools.includes("code_interpreter"),
        fileMarks: turn.hostedTools.includes("file_search"),
      },
      sourceOf: (remoteId, name) => sourceOf(turn, remote(), remoteId, name),
      ...(state === undefined ? {} : { state }),
    });
  }

  /** Sends a turn; fields the server refuses for this model are left out from then on. */
  #create(
    body: ResponseCreateParamsStreaming,
    signal: AbortSignal,
  ): Promise<{
    readonly answer: Response;
    readonly sent: ResponseCreateParamsStreaming;
  }> {
    return this.#refused.send(body, async (sent) => ({
      answer: await this.#client.responses.create(sent, { signal }).asResponse(),
      sent,
    }));
  }

  /** Reads a response to its end, over as many connections as it takes, and says the turn's end. */
  async *#follow(
    following: Following,
    first: Response | undefined,
    sentPreviousId: string | undefined,
  ): AsyncGenerator<ModelEvent> {
    const { reader, background, signal } = following;
    let answer = first;
    // A stream that is taken up again must not repeat itself.
    let floor = Number.NEGATIVE_INFINITY;
    let isSettled = false;
    let fruitless = 0;
    let cursorAtMs = Number.NEGATIVE_INFINITY;
    try {
      while (reader.end === undefined) {
        const before = reader.sequence;
        let source: EventSource | undefined;
        try {
          answer ??= await this.#reopen(following, fruitless);
          if (answer === undefined) {
            yield* this.#poll(following);
            break;
          }
          if (answer !== first) floor = reader.sequence ?? floor;
          source = this.#open(answer, signal);
          while (reader.end === undefined) {
            const events = await source.next();
            if (events === undefined) break;
            const said = events.flatMap((event) =>
              isBefore(event, floor) ? [] : reader.feed(event),
            );
            const isIgnored = sentPreviousId !== undefined && reader.previousResponseId === null;
            if (isIgnored && !following.isShown) throw new StateIgnored();
            following.isShown ||= said.length > 0;
            for (const one of joinTexts(said)) yield one;
            if (!background || reader.end !== undefined) continue;
            if (reader.responseId === undefined) continue;
            if (this.#now() - cursorAtMs < cursorIntervalMs) continue;
            cursorAtMs = this.#now();
            following.isShown = true;
            yield { type: "cursor", cursor: toCursor(following) };
          }
          if (signal.aborted) return;
          if (reader.end === undefined) throw new BotError("stream-cut");
        } catch (error) {
          if (signal.aborted) return;
          if (!background || reader.responseId === undefined || !isCut(error)) throw error;
          fruitless = reader.sequence === before ? fruitless + 1 : 0;
        } finally {
          source?.close({ isComplete: reader.end !== undefined });
        }
        answer = undefined;
      }
      if (signal.aborted) return;
      yield* this.#finish(following);
      isSettled = true;
    } finally {
      if (!isSettled) this.#abandon(following);
    }
  }

  #open(answer: Response, signal: AbortSignal): EventSource {
    const options = { idleTimeoutMs: this.#idleTimeoutMs, timers: this.#timers, signal };
    return new EventSource(answer, options);
  }

  /** The stream of a background response from where it was; undefined when only polling is left. */
  async #reopen(
    { turn, reader, signal }: Following,
    fruitless: number,
  ): Promise<Response | undefined> {
    const id = reader.responseId;
    if (id === undefined) throw new BotError("stream-cut");
    // Without numbered events a stream could only be had from its beginning.
    const { sequence } = reader;
    if (sequence === undefined || fruitless >= maxFruitlessConnections) return undefined;
    if (fruitless > 0) await this.#timers.sleep(250 * 2 ** fruitless, signal);
    try {
      const query = { stream: true, include: includesOf(turn), starting_after: sequence } as const;
      return await this.#client.responses.retrieve(id, query, { signal }).asResponse();
    } catch (error) {
      // 400: "can no longer be streamed because it is more than 5 minutes old".
      if (error instanceof APIError && error.status === 400) return undefined;
      if (error instanceof APIError && error.status === 404) throw gone(error);
      if (error instanceof APIError && isServerTrouble(error)) throw cut(error);
      throw error;
    }
  }

  /** Asks for a background response until it has ended, and gives what was not given yet. */
  async *#poll({ turn, reader, signal }: Following): AsyncGenerator<ModelEvent> {
    const id = reader.responseId;
    if (id === undefined) throw new BotError("stream-cut");
    let failures = 0;
    while (reader.end === undefined && !signal.aborted) {
      try {
        const query = { include: includesOf(turn) };
        const response = await this.#client.responses.retrieve(id, query, { signal });
        failures = 0;
        yield* reader.feedResponse(response);
      } catch (error) {
        failures += 1;
        if (signal.aborted) return;
        if (error instanceof APIError && error.status === 404) throw gone(error);
        const isWorthWaiting = error instanceof APIError && isServerTrouble(error);
        if (!isWorthWaiting || failures > maxFailedPolls) throw error;
      }
      if (reader.end === undefined) await this.#timers.sleep(this.#pollIntervalMs, signal);
    }
  }

  /** Fetches what was made and says the turn's end. */
  async *#finish(following: Following): AsyncGenerator<ModelEvent> {
    const { turn, reader, signal } = following;
    const { end } = reader;
    if (end === undefined) throw new BotError("stream-cut");
    const isFailed = end.result.status === "failed";
    const remote = isFailed ? following.remote : yield* this.#harvest(following, signal);
    if (signal.aborted) return;
    const isKept = following.store && end.result.status === "completed";
    if (!isKept && following.store) this.#deleteQuietly(reader.responseId);
    yield {
      type: "turn-end",
      usage: end.usage,
      model: end.model ?? turn.assistant.model,
      result:
        end.result.status === "completed"
          ? {
              status: "completed",
              ...this.#stateOf(following, remote),
              ...itemsOf(turn, end.items),
            }
          : end.result,
    };
  }

  #harvest({ turn, reader, remote }: Following, signal: AbortSignal) {
    const { end } = reader;
    if (end === undefined) throw new BotError("stream-cut");
    const computeFileIds = reachableFiles(turn, turn.transcript).filter((id) => {
      const file = turn.files.get(id);
      return file !== undefined && effectiveUse(file, turn) === "compute";
    });
    return harvestFiles(this.#fileOptions, end, { remote, computeFileIds }, signal);
  }

  #stateOf(
    { turn, reader, heads, store }: Following,
    remote: RemoteFiles,
  ): { readonly state?: Omit<BackendState, "covers"> } {
    const responseId = store && !this.#ignoresState ? reader.responseId : undefined;
    const ignored = store && this.#ignoresState ? (reader.responseId ?? []) : [];
    const kept: Kept = { responseId, heads: heads.concat(ignored), remote };
    if (responseId === undefined && kept.heads.length === 0 && isEmptyRemote(remote)) return {};
    return {
      state: {
        backend: backendName,
        model: turn.assistant.model,
        createdAtMs: this.#now(),
        data: fromKept(kept),
      },
    };
  }

  async *#takeUp(turn: ModelTurn, cursor: Cursor, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    try {
      yield* this.#follow(this.#restored(turn, cursor, signal), undefined, undefined);
    } catch (error) {
      if (!signal.aborted) yield this.#failed(turn, error);
    }
  }

  #restored(turn: ModelTurn, cursor: Cursor, signal: AbortSignal): Following {
    const data = asObject(cursor.data);
    const state = data?.reader as ReaderState | undefined;
    if (cursor.backend !== backendName || asString(state?.responseId) === undefined) {
      throw new BotError("stream-cut");
    }
    const remote = toRemoteFiles(data?.remote);
    return {
      turn,
      reader: this.#reader(turn, () => remote, state),
      heads: asStrings(data?.heads),
      remote,
      background: true,
      store: true,
      signal,
      isShown: false,
    };
  }

  /** A response nobody follows any more goes on costing money, unless it shall be taken up again. */
  #abandon({ reader, background, store, signal }: Following): void {
    const id = reader.responseId;
    if (id === undefined || reader.end !== undefined) return;
    if (signal.aborted && handOvers.includes(signal.reason)) return;
    const deletion = () => {
      if (store) this.#deleteQuietly(id);
    };
    if (!background) {
      deletion();
      return;
    }
    this.#client.responses
      .cancel(id, { ...retried, timeout: cancelTimeoutMs })
      .then(deletion)
      .catch((error) => this.#log?.warn({ err: error }, "response could not be cancelled"));
  }

  /** An answer that does not count is not left behind. Best effort: it expires by itself. */
  #deleteQuietly(id: string | undefined): void {
    if (id === undefined) return;
    this.#client.responses
      .delete(id, { ...retried, timeout: cancelTimeoutMs })
      .catch((error) => this.#log?.debug({ err: error }, "response could not be deleted"));
  }

  /** Deletes a response and those before it: each names the one it went on from. */
  async #deleteChain(last: string): Promise<void> {
    try {
      for (let id: string | null | undefined = last; id; ) {
        const response = await this.#client.responses.retrieve(id, {}, retried);
        await this.#client.responses.delete(id, retried);
        id = asString(response.previous_response_id);
      }
    } catch (error) {
      // Deleted already, with another chain that went on from it.
      if (!(error instanceof APIError && error.status === 404)) throw error;
    }
  }
}

/** The server answered without what `previous_response_id` stands for. */
class StateIgnored extends Error {}

/** An event that was read from an earlier connection. */
function isBefore(event: unknown, floor: number): boolean {
  const sequence = asNumber(asObject(event)?.sequence_number);
  return sequence !== undefined && sequence <= floor;
}

function toCursor({ reader, heads, remote }: Following): Cursor {
  // The reader's state is plain data; its types only do not say so.
  const state = reader.state as unknown as Json;
  return {
    backend: backendName,
    data: { reader: state, heads: [...heads], remote: fromRemoteFiles(remote) },
  };
}

function itemsOf(turn: ModelTurn, items: readonly { readonly [key: string]: unknown }[]) {
  if (items.length === 0) return {};
  return { items: items.map((item) => toReplayed(turn.assistant.model, item)) };
}
