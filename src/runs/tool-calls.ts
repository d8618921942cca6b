import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import type { PersonRequest, RunEvent, Settlement } from "#domain/run-event";
import type { TranscriptEntry } from "#domain/thread";
import type { Form, Tool, ToolContext, ToolResult } from "#domain/tool";
import type { Decision } from "#ports/bot";
import type { LedgerChange } from "#ports/ledger";
import { type PendingCall, toJson } from "./checkpoint.ts";
import type { RunEnvironment } from "./environment.ts";
import { searchFiles } from "./file-search.ts";
import { groupRequestOf, isShared, settleGroupForms } from "./group-forms.ts";
import { handOver } from "./hand-over.ts";
import { names, stableId } from "./names.ts";
import { allAnswers, type OpenRequest, withAnswers } from "./open-requests.ts";
import { orAborted } from "./or-aborted.ts";
import { answerCall, askedOf, setCall } from "./pending-calls.ts";
import { filesWithinReach, readFileText, storeProducedFile } from "./run-files.ts";
import { atHandRegister, type RunWork } from "./run-work.ts";

/** A person's decision as it lies in the conversation's inbox. */
export interface DecisionControl {
  readonly type: "decision";
  readonly requestId: string;
  readonly byKey: string;
  readonly byName: string;
  readonly decision: Decision["decision"];
}

export type CallsEnding =
  | { readonly type: "settled" }
  | { readonly type: "parked"; readonly untilMs: number };

/** More than this of a tool's output is kept from the model: it is told how much was left out. */
const maxOutputCharacters = 100_000;

/**
 * Brings every call of the last turn to an output: applies what people decided, asks where a person
 * must agree, runs what may run (in parallel), and parks the run while an answer is missing.
 * Unknown names, bad arguments, errors, time-outs and refusals are outputs the model can read.
 */
export async function settleCalls(
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<CallsEnding> {
  if (work.state.calls.length === 0) return { type: "settled" };
  applyDecisions(work);
  expireRequests(work, environment);
  await settleGroupForms(work, environment);
  await askPeople(work, environment);
  await runCalls(work, environment, signal);
  if (signal.aborted) return { type: "settled" };

  const waiting = work.view.requests;
  if (waiting.length > 0) {
    const untilMs = Math.min(...waiting.map(({ expiresAtMs }) => expiresAtMs));
    return { type: "parked", untilMs };
  }
  work.mark();
  work.update({ calls: [], entries: [...work.state.entries, ...outputsOf(work)] });
  await work.save();
  return { type: "settled" };
}

/** Every call gets exactly one output: the transcript never holds an orphan. */
export function outputsOf(work: RunWork): readonly TranscriptEntry[] {
  return work.state.calls.map(({ callId, state }) => ({
    type: "tool-output",
    id: `${work.task.runId}/output/${callId}`,
    callId,
    output: state.type === "answered" ? state.output : "The run ended before this was done.",
    fileIds: state.type === "answered" ? state.fileIds : [],
    ...(state.type === "answered" && state.personKeys ? { personKeys: state.personKeys } : {}),
  }));
}

function applyDecisions(work: RunWork): void {
  for (const { payload } of work.controls) {
    const control = payload as unknown as DecisionControl;
    if (control.type !== "decision") continue;
    const call = work.state.calls.find(
      ({ state }) => state.type === "waiting" && state.requestId === control.requestId,
    );
    // A form to everyone is settled by what lies in its register: this only woke the run.
    if (!call || groupRequestOf(work, call)) continue;
    const { decision, requestId, byKey, byName } = control;
    switch (decision.type) {
      case "approve":
        setCall(work, call, { type: "cleared" });
        work.tell(settled({ requestId, outcome: "approved", byName }));
        break;
      case "answer":
        setCall(work, call, {
          type: "cleared",
          asked: withAnswers(
            askedOf(call),
            [{ personKey: byKey, personName: byName, answers: decision.answers }],
            "answered",
          ),
        });
        work.tell(settled({ requestId, outcome: "answered", byName }));
        break;
      case "decline": {
        const reason = decision.reason ? ` Their reason: ${decision.reason}` : "";
        answerCall(work, call, {
          output: `${byName} declined this.${reason}`,
          status: "cancelled",
        });
        work.tell(settled({ requestId, outcome: "declined", byName }));
        break;
      }
      case "finish":
        break;
    }
  }
}

function expireRequests(work: RunWork, { now }: RunEnvironment): void {
  for (const call of work.state.calls) {
    const { state } = call;
    if (state.type !== "waiting" || groupRequestOf(work, call)) continue;
    const request = work.view.requests.find(({ id }) => id === state.requestId);
    if (request && request.expiresAtMs > now()) continue;
    answerCall(work, call, {
      output: "Nobody answered in time, so this was not done.",
      status: "cancelled",
    });
    work.tell(settled({ requestId: state.requestId, outcome: "expired" }));
  }
}

/** Asks for agreement where it is needed, and stores the questions before they are shown. */
async function askPeople(work: RunWork, environment: RunEnvironment): Promise<void> {
  const change: { registers: { name: string; value: Json }[] } = { registers: [] };
  for (const call of work.state.calls) {
    const tool = environment.tools.get(call.name);
    const interrupted = call.state.type === "started" && tool?.idempotent === false;
    const needsConsent = call.state.type === "asked" && tool?.needsApproval === true;
    if (!tool || !(interrupted || needsConsent)) continue;
    if (!tool.check(parseArguments(call.arguments)).ok) continue;
    const title = interrupted
      ? `"${tool.title}" was interrupted and may have been done already. Run it again?`
      : tool.title;
    const request: PersonRequest = {
      type: "approval",
      ...requestBasics(work, call, environment, interrupted ? "again" : "approval"),
      title,
      arguments: call.arguments,
    };
    change.registers.push(registerOf(work, request));
    setCall(work, call, { type: "waiting", requestId: request.id });
    work.tell({ type: "approval-request", request });
  }
  const [first] = work.view.requests;
  if (!first || change.registers.length === 0) return;
  await work.save({ registers: [...change.registers, atHandRegister(work, first.id)] });
}

async function runCalls(
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const runnable = work.state.calls.filter(
    ({ state }) => state.type === "asked" || state.type === "cleared" || state.type === "started",
  );
  if (runnable.length === 0) return;
  answerImpossible(work, environment, runnable);

  const running = new Map<string, Promise<{ call: PendingCall; tool: Tool; done: ToolDone }>>();
  let startsEffects = false;
  for (const call of current(work, runnable)) {
    const tool = environment.tools.get(call.name);
    if (!tool) continue;
    const asked = askedOf(call);
    setCall(work, call, { type: "started", ...(asked ? { asked } : {}) });
    if (!tool.idempotent) startsEffects = true;
  }
  if (startsEffects) {
    // What cannot be repeated is only begun once its beginning is durable.
    work.update({ hasEffects: true });
    await work.save({ registers: [atHandRegister(work, work.view.requests[0]?.id)] });
  }
  for (const call of current(work, runnable)) {
    const tool = environment.tools.get(call.name);
    if (!tool || call.state.type !== "started") continue;
    const done = runTool(work, { call, tool }, environment, signal);
    running.set(
      call.callId,
      done.then((result) => ({ call, tool, done: result })),
    );
  }
  while (running.size > 0) {
    const { call, tool, done } = await Promise.race(running.values());
    running.delete(call.callId);
    if (signal.aborted) return;
    await takeResult(work, environment, { call, tool, done });
  }
}

/** Unknown names and arguments that fail the schema are answered without running anything. */
function answerImpossible(
  work: RunWork,
  { tools }: RunEnvironment,
  calls: readonly PendingCall[],
): void {
  for (const call of calls) {
    const tool = tools.get(call.name);
    if (!tool) {
      const known = [...tools.keys()].join(", ") || "none";
      const output = `There is no function "${call.name}". Known functions: ${known}.`;
      answerCall(work, call, { output, status: "failed" });
      continue;
    }
    const checked = tool.check(parseArguments(call.arguments));
    if (checked.ok) continue;
    const output = `The arguments do not fit: ${checked.problem}`;
    answerCall(work, call, { output, status: "failed" });
  }
}

type ToolDone =
  | { readonly type: "result"; readonly result: ToolResult }
  | { readonly type: "failed"; readonly output: string };

async function runTool(
  work: RunWork,
  { call, tool }: { call: PendingCall; tool: Tool },
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<ToolDone> {
  const startedAtMs = environment.now();
  const span = environment.tracer.span("step", { tool: call.name, call: call.callId }, work.span);
  const end = (outcome: "completed" | "failed" | "timeout") => {
    environment.metrics.toolEnded(call.name, outcome, (environment.now() - startedAtMs) / 1000);
    if (outcome !== "completed") span.fail(outcome);
    span.end();
  };
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), tool.timeoutMs);
  const limit = AbortSignal.any([signal, timeout.signal]);
  try {
    const checked = tool.check(parseArguments(call.arguments));
    if (!checked.ok) return { type: "failed", output: checked.problem };
    const context = await toolContext(work, call, environment, limit);
    // A tool that ignores its signal is left behind rather than waited for.
    const result = await orAborted(tool.run(checked.value, context, limit), limit);
    end("completed");
    return { type: "result", result };
  } catch (error) {
    if (timeout.signal.aborted) {
      end("timeout");
      return {
        type: "failed",
        output: `"${call.name}" took longer than ${tool.timeoutMs / 1000} seconds and was stopped.`,
      };
    }
    end("failed");
    environment.log.warn({ run: work.task.runId, tool: call.name, err: error }, "tool failed");
    return { type: "failed", output: `"${call.name}" failed: ${wordsOf(error)}` };
  } finally {
    clearTimeout(timer);
  }
}

async function toolContext(
  work: RunWork,
  call: PendingCall,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<ToolContext> {
  const { task } = work;
  const files = await filesWithinReach(task.conversationKey, environment);
  const known = new Map(files.map((file) => [file.id, file]));
  const asked = askedOf(call);
  return {
    runId: task.runId,
    callId: call.callId,
    conversationKey: task.conversationKey,
    personKey: task.asker.key,
    personName: task.asker.name,
    files: files.map(({ id, filename, mime_type }) => ({
      id,
      name: filename,
      mimeType: mime_type,
    })),
    readFile(id) {
      if (known.has(id)) return environment.files.read(id);
      throw new BotError("not-found", { detail: `No file "${id}" is within reach.` });
    },
    readText: (id) => readFileText(id, known, environment, signal),
    ...(environment.fileIndex
      ? { searchFiles: (query) => searchFiles(work, environment, query, signal) }
      : {}),
    handOver: (ask) => handOver(work, environment, { ...ask, callId: call.callId }),
    ...(asked ? { asked, answers: allAnswers(asked) } : {}),
    now: () => new Date(environment.now()),
  };
}

async function takeResult(
  work: RunWork,
  environment: RunEnvironment,
  { call, tool, done }: { call: PendingCall; tool: Tool; done: ToolDone },
): Promise<void> {
  if (done.type === "failed") {
    answerCall(work, call, { output: done.output, status: "failed" });
    await work.save();
    return;
  }
  if (done.result.type === "ask") {
    await askForm(work, environment, { call, tool, form: done.result.form });
    return;
  }
  const fileIds: string[] = [];
  for (const file of done.result.files ?? []) {
    const stored = await storeProducedFile(work, environment, file);
    fileIds.push(stored.id);
    work.tell({ type: "file-ready", file: stored });
  }
  answerCall(work, call, {
    output: shorten(done.result.output),
    status: "completed",
    fileIds,
  });
  work.mark();
  await work.save();
}

async function askForm(
  work: RunWork,
  environment: RunEnvironment,
  { call, tool, form }: { call: PendingCall; tool: Tool; form: Form },
): Promise<void> {
  const isGroup = form.everyone === true && isShared(work);
  const { everyone: _, ...alone } = form;
  const request: PersonRequest = {
    type: "form",
    // A tool may ask one form after another: each is a question of its own.
    ...requestBasics(work, call, environment, `form/${work.view.settlements.length}`),
    expiresAtMs: environment.now() + openForMs(form, environment.limits),
    title: form.title || tool.title,
    form: isGroup ? form : alone,
  };
  const asked = askedOf(call);
  setCall(work, call, {
    type: "waiting",
    requestId: request.id,
    ...(asked ? { asked } : {}),
  });
  work.tell({ type: "form-request", request });
  await work.save({ registers: [registerOf(work, request), atHandRegister(work, request.id)] });
}

/** The calls as they stand now, of those that could run and are not answered yet. */
function current(work: RunWork, calls: readonly PendingCall[]): readonly PendingCall[] {
  const ids = new Set(calls.map(({ callId }) => callId));
  return work.state.calls.filter(
    ({ callId, state }) => ids.has(callId) && state.type !== "answered" && state.type !== "waiting",
  );
}

/** As long as every question stands, or as the form says where that is less. */
function openForMs({ minutes }: Form, { approvalExpiryMs }: RunEnvironment["limits"]): number {
  return minutes === undefined ? approvalExpiryMs : Math.min(minutes * 60_000, approvalExpiryMs);
}

function requestBasics(
  work: RunWork,
  call: PendingCall,
  { limits, now }: RunEnvironment,
  kind: "approval" | "again" | `form/${number}`,
) {
  return {
    id: stableId("req", work.task.runId, call.callId, kind, String(work.lease.attempt)),
    callId: call.callId,
    toolName: call.name,
    expiresAtMs: now() + limits.approvalExpiryMs,
    personKey: work.task.asker.key,
  };
}

function registerOf(work: RunWork, request: PersonRequest): { name: string; value: Json } {
  const open: OpenRequest = {
    conversationKey: work.task.conversationKey,
    runId: work.task.runId,
    personKey: request.personKey,
    type: request.type,
    expiresAtMs: request.expiresAtMs,
    ...(request.type === "form" ? { asks: { title: request.title, form: request.form } } : {}),
    ...(request.type === "form" && request.form.everyone ? { group: { people: [] } } : {}),
  };
  return { name: names.request(request.id), value: toJson(open) };
}

/** The registers of a run's open questions go with it. */
export function closedRequests(work: RunWork): NonNullable<LedgerChange["registers"]> {
  const open = work.state.calls.flatMap(({ state }) =>
    state.type === "waiting" ? [state.requestId] : [],
  );
  const ids = [...work.view.settlements.map(({ requestId }) => requestId), ...open];
  return ids.map((id) => ({ name: names.request(id), value: null }));
}

function settled(settlement: Settlement): RunEvent {
  return { type: "request-settled", settlement };
}

function parseArguments(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function shorten(output: string): string {
  if (output.length <= maxOutputCharacters) return output;
  const left = output.length - maxOutputCharacters;
  return `${output.slice(0, maxOutputCharacters)}\n[${left} more characters were left out.]`;
}

function wordsOf(error: unknown): string {
  if (error instanceof BotError) return error.detail ?? error.code;
  return error instanceof Error ? error.message : "unknown error";
}
