import { BotError, type BotErrorCode, isTransient } from "#domain/errors";
import type { IncompleteReason } from "#domain/run";
import type { TranscriptEntry } from "#domain/thread";
import { noUsage } from "#domain/usage";
import type { Span } from "#ports/metrics";
import type { ModelEvent, ModelTurn, TurnEnd } from "#ports/model-backend";
import { chargeTurn } from "./caps.ts";
import { toolName } from "./catalogue.ts";
import type { PendingCall } from "./checkpoint.ts";
import { citePassages } from "./cite-passages.ts";
import { summarise } from "./compaction.ts";
import { filesOf, readHistory, tokensOf } from "./context.ts";
import type { RunEnvironment } from "./environment.ts";
import { readFileText, storeProducedFile } from "./run-files.ts";
import type { RunWork } from "./run-work.ts";

/** Why a turn could not be had, after the retries that could help. */
export interface TurnFailure {
  readonly code: BotErrorCode;
  readonly detail?: string;
}

type Failure = Extract<TurnEnd["result"], { status: "failed" }>;

/** What one request to the model brought. */
interface Reception {
  text: string;
  readonly calls: PendingCall[];
  shown: boolean;
  end: TurnEnd | undefined;
}

/** A resumable turn's place is stored at most this often. */
const cursorSaveMs = 1000;

/**
 * Asks the model for one turn, and stores what it said and wants before returning: calls to run, or
 * that the run is answered. Returns only what went wrong for good.
 */
export async function askModel(
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<TurnFailure | undefined> {
  const turnNumber = work.state.turns + 1;
  let resumeAt = work.state.live;
  if (!resumeAt) work.tell({ type: "turn-start", turn: turnNumber });
  let mended = false;
  let contextTokens = environment.limits.contextTokens;

  for (let attempt = 1; ; attempt++) {
    const turn = await toTurn(work, environment, { turnNumber, contextTokens, signal });
    const reception: Reception = {
      text: resumeAt?.said ?? "",
      calls: [],
      shown: resumeAt !== null,
      end: undefined,
    };
    const { backend } = environment;
    const { model } = turn.assistant;
    if (!resumeAt) await waitForModel(model, environment, signal);
    const events =
      resumeAt && backend.resume
        ? backend.resume(turn, resumeAt.cursor, signal)
        : backend.stream(turn, signal);
    const span = environment.tracer.span(
      "turn",
      { turn: turnNumber, attempt, backend: backend.name, model },
      work.span,
    );
    await receive(citePassages(events, turn.transcript), reception, { work, environment });
    endSpan(span, reception.end);
    if (signal.aborted) {
      keepPartial(work, environment, { turn, reception, signal });
      return undefined;
    }

    // A stream that just ends is a cut one, never a success.
    const end = reception.end ?? cutShort(turn);
    work.tell({ type: "usage", usage: end.usage });
    if (end.result.status === "completed") {
      await storeTurn(work, environment, { turn, reception, end, result: end.result });
      return undefined;
    }
    const { result } = end;
    if (result.status === "incomplete") {
      keepIncomplete(work, environment, { turn, reception, reason: result.reason });
    }
    await chargeTurn(work, environment, end);
    if (result.status === "incomplete") return undefined;

    const failure = result;
    noteFailure(failure, { turn, attempt }, environment);
    const tooLong = failure.code === "context-too-long";
    if (tooLong ? mended : !canRetry(failure, attempt, environment)) {
      keepPartial(work, environment, { turn, reception, signal });
      return failure;
    }
    if (tooLong) {
      mended = true;
      // Half of what was too much, however large the configured bound is.
      contextTokens = Math.floor(Math.min(contextTokens, tokensOf(turn.transcript)) / 2);
      const { left } = work.state;
      work.update({ state: null, left: turn.state ? [...left, turn.state] : left });
    } else {
      await environment.sleep(waitBefore(attempt, failure, environment), signal);
      if (signal.aborted) return undefined;
    }
    resumeAt = null;
    work.update({ live: null });
    if (reception.shown) work.tell({ type: "turn-restart" });
  }
}

/** Others, or an earlier turn, may have been told that the model is busy. */
async function waitForModel(
  model: string,
  { modelPauses, limits, sleep }: RunEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const pauseMs = Math.min(modelPauses.waitMs(model), limits.retryWaitMaxMs);
  if (pauseMs > 0) await sleep(pauseMs, signal);
}

/** Tells the log of a failure, and everybody who asks this model when it is busy. */
function noteFailure(
  failure: Failure,
  { turn, attempt }: { readonly turn: ModelTurn; readonly attempt: number },
  environment: RunEnvironment,
): void {
  const { modelPauses, log } = environment;
  const { code, cause, retryAfterMs } = failure;
  if (code === "model-busy" && canRetry(failure, 0, environment)) {
    modelPauses.busy(turn.assistant.model, retryAfterMs ?? 0);
  }
  log.warn({ run: turn.runId, turn: turn.turn, attempt, code, err: cause }, "model turn failed");
}

function endSpan(span: Span, end: TurnEnd | undefined): void {
  if (end) {
    span.set({
      responseModel: end.model,
      promptTokens: end.usage.prompt_tokens,
      completionTokens: end.usage.completion_tokens,
      cachedTokens: end.usage.cached_tokens,
      reasoningTokens: end.usage.reasoning_tokens,
    });
  }
  if (end?.result.status === "failed") span.fail(end.result.code);
  span.end();
}

async function receive(
  events: AsyncIterable<ModelEvent>,
  reception: Reception,
  { work, environment }: { work: RunWork; environment: RunEnvironment },
): Promise<void> {
  let cursorSavedAtMs = environment.now();
  for await (const event of events) {
    switch (event.type) {
      case "text-delta":
        reception.text += event.text;
        reception.shown = true;
        work.tell(event);
        break;
      case "citation":
      case "step-start":
      case "step-delta":
      case "step-end":
        reception.shown = true;
        work.tell(event);
        break;
      case "file":
        reception.shown = true;
        work.tell({
          type: "file-ready",
          file: await storeProducedFile(work, environment, event.file),
        });
        break;
      case "tool-call":
        reception.shown = true;
        reception.calls.push({
          callId: event.callId,
          name: event.name,
          arguments: event.arguments,
          state: { type: "asked" },
        });
        announceCall(work, event, environment);
        break;
      case "notice":
        work.tell({ type: "notice", notice: { kind: "info", text: event.text } });
        break;
      case "cursor":
        work.update({ live: { cursor: event.cursor, said: reception.text, view: work.view } });
        if (environment.now() - cursorSavedAtMs >= cursorSaveMs) {
          cursorSavedAtMs = environment.now();
          await work.save();
        }
        break;
      case "turn-end":
        reception.end = event;
        break;
    }
  }
}

function announceCall(
  work: RunWork,
  call: Extract<ModelEvent, { type: "tool-call" }>,
  { tools }: RunEnvironment,
): void {
  const title = tools.get(call.name)?.title ?? call.name;
  // Code is shown as code, whoever runs it.
  const code = call.name === "code_interpreter" ? codeIn(call.arguments) : undefined;
  const type = code === undefined ? "function" : "code_interpreter";
  work.tell({ type: "step-start", step: { id: call.callId, type, title } });
  work.tell({ type: "step-delta", id: call.callId, input: code ?? call.arguments });
}

function codeIn(args: string): string | undefined {
  try {
    const { code } = JSON.parse(args) as { code?: unknown };
    return typeof code === "string" ? code : undefined;
  } catch {
    return undefined;
  }
}

async function toTurn(
  work: RunWork,
  environment: RunEnvironment,
  options: { turnNumber: number; contextTokens: number; signal: AbortSignal },
): Promise<ModelTurn> {
  const { task, state } = work;
  const { backend, limits } = environment;
  const history = await historyThatFits(work, environment, options);
  const transcript = [...history, ...state.asked, ...state.entries];
  const files = await filesOf(transcript, task.assistant, environment);
  const carriedOn = state.state ?? (task.replaces ? null : (task.head?.state ?? null));
  const isUsable =
    carriedOn !== null &&
    carriedOn.backend === backend.name &&
    carriedOn.model === task.assistant.model &&
    options.contextTokens === limits.contextTokens &&
    transcript.some(({ id }) => id === carriedOn.covers);
  const { max_completion_tokens } = task.assistant;
  return {
    runId: task.runId,
    turn: options.turnNumber,
    conversationKey: task.conversationKey,
    personKey: task.asker.key,
    assistant: task.assistant,
    instructions: task.instructions,
    functions: functionsOf(work, environment),
    hostedTools: hostedToolsOf(work, environment),
    transcript,
    files,
    readFile: (id) => environment.files.read(id),
    readText: (id) => readFileText(id, files, environment, options.signal),
    ...(isUsable ? { state: carriedOn } : {}),
    ...(max_completion_tokens
      ? { maxCompletionTokens: max_completion_tokens - state.usage.completion_tokens }
      : {}),
  };
}

/** The history, with what no longer fits replaced by a summary that is asked for once and kept. */
async function historyThatFits(
  work: RunWork,
  environment: RunEnvironment,
  options: { contextTokens: number; signal: AbortSignal },
): Promise<readonly TranscriptEntry[]> {
  const history = await readHistory(work, environment, options.contextTokens);
  const { backend, limits } = environment;
  const serverShortens =
    backend.capabilities.compaction &&
    work.task.head?.state !== null &&
    options.contextTokens === limits.contextTokens;
  if (history.overflow.length === 0 || serverShortens) return history.entries;
  return summarise(work, environment, { history, signal: options.signal });
}

/** Registered functions, and those that stand in for what the backend does not host. */
function functionsOf(work: RunWork, { backend, tools }: RunEnvironment) {
  const known = work.task.assistant.tools.flatMap((tool) => {
    const isHosted =
      tool.type !== "function" && backend.capabilities.hostedTools.includes(tool.type);
    const registered = isHosted ? undefined : tools.get(toolName(tool));
    return registered ? [registered] : [];
  });
  const needless = new Set(known.map(({ insteadOf }) => insteadOf));
  return known.flatMap(({ spec }) => (needless.has(spec.name) ? [] : [spec]));
}

function hostedToolsOf(work: RunWork, { backend }: RunEnvironment) {
  return work.task.assistant.tools.flatMap((tool) =>
    tool.type !== "function" && backend.capabilities.hostedTools.includes(tool.type)
      ? [tool.type]
      : [],
  );
}

/** Stores a finished turn, before any tool it asked for begins. */
async function storeTurn(
  work: RunWork,
  environment: RunEnvironment,
  turn: {
    turn: ModelTurn;
    reception: Reception;
    end: TurnEnd;
    result: Extract<TurnEnd["result"], { status: "completed" }>;
  },
): Promise<void> {
  const items = (turn.result.items ?? []).map(
    (item, index): TranscriptEntry => ({
      type: "backend",
      id: `${turn.turn.runId}/${turn.turn.turn}/item/${index}`,
      backend: environment.backend.name,
      item,
    }),
  );
  const added = [...items, ...saidBy(turn.turn, turn.reception, false, environment)];
  const covers = added.at(-1)?.id ?? turn.turn.transcript.at(-1)?.id;
  work.mark();
  work.update({
    turns: work.state.turns + 1,
    entries: [...work.state.entries, ...added],
    calls: turn.reception.calls,
    answered: turn.reception.calls.length === 0 ? { status: "completed" } : null,
    live: null,
    state: turn.result.state && covers ? { ...turn.result.state, covers } : null,
  });
  await chargeTurn(work, environment, turn.end);
}

function saidBy(
  turn: ModelTurn,
  reception: Reception,
  partial: boolean,
  { now }: RunEnvironment,
): readonly TranscriptEntry[] {
  const said: TranscriptEntry[] = [];
  if (reception.text !== "") {
    said.push({
      type: "assistant",
      id: `${turn.runId}/${turn.turn}/text`,
      text: reception.text,
      fileIds: [],
      partial,
      createdAt: Math.floor(now() / 1000),
    });
  }
  if (partial) return said;
  for (const call of reception.calls) {
    said.push({
      type: "tool-call",
      id: `${turn.runId}/${turn.turn}/call/${call.callId}`,
      callId: call.callId,
      name: call.name,
      arguments: call.arguments,
    });
  }
  return said;
}

/** What was said before a run ends early stays in the transcript; a turn that is asked again keeps nothing. */
function keepPartial(
  work: RunWork,
  environment: RunEnvironment,
  { turn, reception, signal }: { turn: ModelTurn; reception: Reception; signal: AbortSignal },
): void {
  if (signal.reason === "shutdown" || signal.reason === "lease-lost") return;
  const said = saidBy(turn, reception, true, environment);
  work.update({ entries: [...work.state.entries, ...said], live: null });
}

/** A turn the service cut short is an answer all the same. */
function keepIncomplete(
  work: RunWork,
  environment: RunEnvironment,
  from: {
    readonly turn: ModelTurn;
    readonly reception: Reception;
    readonly reason: IncompleteReason;
  },
): void {
  const { turn, reception, reason } = from;
  const said = saidBy(turn, reception, true, environment);
  work.mark();
  work.update({
    entries: [...work.state.entries, ...said],
    live: null,
    answered: { status: "incomplete", reason },
  });
}

function cutShort(turn: ModelTurn): TurnEnd {
  return {
    type: "turn-end",
    usage: noUsage,
    model: turn.assistant.model,
    result: { status: "failed", code: "stream-cut" },
  };
}

function canRetry(failure: Failure, attempt: number, { limits }: RunEnvironment): boolean {
  if (attempt >= limits.attemptsPerTurn) return false;
  if ((failure.retryAfterMs ?? 0) > limits.retryWaitMaxMs) return false;
  return isTransient(new BotError(failure.code));
}

/** 0.5 s, 1 s, 2 s … at most 8 s, less a random quarter; never less than the server asked for. */
function waitBefore(attempt: number, failure: Failure, { limits }: RunEnvironment): number {
  const backoffMs = Math.min(500 * 2 ** (attempt - 1), 8000) * (1 - Math.random() / 4);
  return Math.min(Math.max(backoffMs, failure.retryAfterMs ?? 0), limits.retryWaitMaxMs);
}
