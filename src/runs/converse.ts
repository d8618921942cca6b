import { BotError, isOutage, isPlatformOutage, sentence } from "#domain/errors";
import type { RunEvent } from "#domain/run-event";
import type { Reply } from "#ports/platform";
import { LeaseLost, type Outcome, type RunHandler, type RunLease } from "#ports/run-queue";
import { beginWork, toTask } from "./begin-run.ts";
import type { RunEnd } from "./checkpoint.ts";
import { commitRun, runAtHand } from "./commit-run.ts";
import { toControl, toQueuedMessage } from "./controls.ts";
import type { RunEnvironment } from "./environment.ts";
import { executeRun, type RunAbort, type RunEnding } from "./execute-run.ts";
import { forgetConversation, forgetOlder, forgetPerson } from "./forget.ts";
import { handedOver, keepMissed } from "./hand-over.ts";
import { createJournal } from "./journal.ts";
import { lookAgainLater } from "./late-looks.ts";
import { goOnLater, isSettled, mayEndLater, mustWait, waitForPlatform } from "./platform-outage.ts";
import type { RunWork } from "./run-work.ts";
import { reviseMessage, startNewThread } from "./thread-changes.ts";

/** The runs at work in this process, by conversation. */
export type LiveRuns = Map<string, RunWork>;

/**
 * After this many attempts that ended without a word, the next one only says that it was given up.
 * The queue runs the last of them alone, so that nobody else is blamed for what it does.
 */
const maxAttempts = 3;
/** A run whose answer is stored only has to be shown and committed: it gets as many attempts again. */
const maxAttemptsOnceAnswered = 2 * maxAttempts;

/**
 * The handler of the run queue: takes a conversation from its begun lease to its outcome. A message
 * is answered; a control item changes the thread.
 */
export function createConversation(
  environment: RunEnvironment,
  shared: {
    readonly live: LiveRuns;
    /** How many messages were replaced by the ones a run takes. */
    readonly replacedIn: (conversationKey: string) => number;
  },
): RunHandler {
  return async (lease) => {
    const [first] = lease.items;
    if (first?.kind === "control") {
      const control = toControl(first.payload);
      switch (control.type) {
        case "new-thread":
          return startNewThread(lease, environment);
        case "forget":
          return forgetConversation(lease, environment);
        case "forget-person":
          return forgetPerson(lease, environment, control.personKey);
        case "forget-older":
          return forgetOlder(lease, environment, control.beforeMs);
        case "revise":
          return reviseMessage(lease, environment, control);
        case "again":
          break;
      }
    }
    const [isTheirs, task] = await Promise.all([
      isHandedOver(lease, environment),
      toTask(lease, environment, shared.replacedIn(lease.conversationKey)),
    ]);
    if (isTheirs) return leaveToPerson(lease, environment);
    if (!task) return { type: "done", change: {} };
    const platform = environment.platforms.get(task.place.platform);
    if (mustWait(platform, lease)) return waitForPlatform(lease, environment);
    const work = beginWork(task, lease, environment);
    shared.live.set(lease.conversationKey, work);
    try {
      return await converse(work, environment);
    } finally {
      shared.live.delete(lease.conversationKey);
      work.span.end();
    }
  };
}

/** Whether a person took over after these messages had got in line: they are theirs now. */
async function isHandedOver(lease: RunLease, { ledger }: RunEnvironment): Promise<boolean> {
  if (lease.items[0]?.kind !== "message" || lease.checkpoint !== undefined) return false;
  return (await handedOver(ledger, lease.conversationKey)) !== undefined;
}

async function leaveToPerson(lease: RunLease, { ledger }: RunEnvironment): Promise<Outcome> {
  for (const { payload } of lease.items) {
    await keepMissed(ledger, lease.conversationKey, toQueuedMessage(payload).message);
  }
  return { type: "done", change: {} };
}

async function converse(work: RunWork, environment: RunEnvironment): Promise<Outcome> {
  const { task, lease } = work;
  const platform = environment.platforms.get(task.place.platform);
  if (!platform) return setAside(work, environment, "reply-impossible");
  const journal = createJournal(task, lease);
  const reply = platform.openReply(work.replyTarget, journal);
  const outcome = await answerIn(reply, work, environment);
  return lookAgainLater(outcome, { work, journal, nowMs: environment.now() });
}

async function answerIn(
  reply: Reply,
  work: RunWork,
  environment: RunEnvironment,
): Promise<Outcome> {
  const { task, lease } = work;
  if (lease.attempt > attemptsFor(work)) return giveUp(work, environment, reply);

  const waitedMs = environment.now() - (lease.items[0]?.acceptedAtMs ?? environment.now());
  if (lease.attempt === 1 && lease.checkpoint === undefined) {
    environment.metrics.runStarted(task.place.platform, waitedMs / 1000);
  }
  environment.log.info(
    { ...idsOf(work), attempt: lease.attempt, waitedMs, action: "run", status: "in_progress" },
    "run started",
  );
  const abort = watch(work, environment, reply);
  try {
    const ending = await drawRun(work, environment, { reply, signal: abort.signal });
    return await leave(work, environment, { reply, ending, signal: abort.signal });
  } catch (error) {
    // What is under way is seen to its end: the next attempt may begin at once.
    await reply.settle().catch(() => undefined);
    throw error;
  } finally {
    abort.release();
  }
}

/** Runs, folds what happens into the view, and hands each new view to the reply. */
async function drawRun(
  work: RunWork,
  environment: RunEnvironment,
  { reply, signal }: { reply: Reply; signal: AbortSignal },
): Promise<RunEnding> {
  for (const text of work.task.notices) {
    work.tell({ type: "notice", notice: { kind: "info", text } });
  }
  const beginning = keepBeginning(work);
  work.onEvent((event) => {
    if (isVisible(event)) {
      beginning.keep();
      reply.show(work.view);
    }
    // The turn is stored next: its last words do not wait for the disk.
    if (event.type === "usage") reply.hurry?.();
  });
  const ending = await executeRun(work, environment, signal);
  await beginning.kept();
  return ending;
}

/** By then the request to the model is on its way. */
const beginningKeptWithinMs = 50;

/**
 * Stores who is answered, and where the run belongs: before anything is shown that could be pressed,
 * and in any case soon. Not at once: it would hold the request to the model back for a write to disk.
 */
function keepBeginning(work: RunWork): { keep(): void; kept(): Promise<void> } {
  let kept: Promise<void> | undefined;
  const keep = () => {
    if (kept) return;
    kept = work.save(runAtHand(work));
    // It is waited for at the end; only an early failure must not count as unhandled.
    kept.catch(() => {});
  };
  const timer = setTimeout(keep, beginningKeptWithinMs);
  return {
    keep,
    async kept() {
      clearTimeout(timer);
      await kept;
    },
  };
}

function isVisible(event: RunEvent): boolean {
  return event.type !== "turn-start" && event.type !== "usage" && event.type !== "run-end";
}

/** Brings the reply to rest and says how the lease ends. */
async function leave(
  work: RunWork,
  environment: RunEnvironment,
  { reply, ending, signal }: { reply: Reply; ending: RunEnding; signal: AbortSignal },
): Promise<Outcome> {
  switch (ending.type) {
    case "interrupted":
      if (signal.reason === "lease-lost") throw new LeaseLost(work.task.conversationKey);
      await isSettled(reply);
      if (signal.reason === "held") return goOnLater(work, environment);
      return { type: "retry", afterMs: 0, checkpoint: work.toJson() };
    case "cut-off":
      throw ending.error;
    case "parked":
      reply.show(work.view);
      if (!(await isSettled(reply))) return goOnLater(work, environment);
      work.update({ isShown: true });
      logEnd(work, environment, "requires_action");
      return { type: "parked", untilMs: ending.untilMs, checkpoint: work.toJson() };
    case "ended":
      if (signal.reason === "deleted") work.remove();
      if (!(await finish(work, environment, reply))) return goOnLater(work, environment);
      return { type: "done", change: await commit(work, environment) };
  }
}

/**
 * A reply that cannot be delivered is logged and kept in the store; the conversation goes on. One that
 * only could not be written down is shown in another attempt. False: so is this one, once the platform
 * is back.
 */
async function finish(work: RunWork, environment: RunEnvironment, reply: Reply): Promise<boolean> {
  try {
    await reply.finish(work.view);
    return true;
  } catch (error) {
    if (isPlatformOutage(error) && mayEndLater(work, environment)) {
      environment.log.warn({ ...idsOf(work), err: error }, "reply waits for its platform");
      return false;
    }
    if (!(error instanceof BotError) || isOutage(error)) throw error;
    environment.log.error({ ...idsOf(work), code: error.code, err: error }, "reply not delivered");
    return true;
  }
}

async function commit(work: RunWork, environment: RunEnvironment) {
  const end = work.end ?? { type: "run-end", status: "failed" };
  const change = await commitRun(work, environment, end);
  const seconds = work.workedMs() / 1000;
  environment.metrics.runEnded(work.task.place.platform, end.status, seconds);
  const { usage, cost } = work.state;
  work.span.set({
    status: end.status,
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    ...(cost === null ? {} : { costUsd: cost }),
  });
  if (end.error) work.span.fail(end.error.code);
  logEnd(work, environment, end.status);
  return change;
}

function attemptsFor(work: RunWork): number {
  return work.state.answered ? maxAttemptsOnceAnswered : maxAttempts;
}

/** After several crashes the person is told, and the conversation goes on without this message. */
async function giveUp(work: RunWork, environment: RunEnvironment, reply: Reply): Promise<Outcome> {
  const message = sentence("interrupted-often");
  work.tell({ type: "run-end", status: "failed", error: { code: "interrupted-often", message } });
  // If even these words bring the process down, the next attempt stays silent.
  if (work.lease.attempt === attemptsFor(work) + 1) await finish(work, environment, reply);
  return setAside(work, environment, "interrupted-often");
}

async function setAside(
  work: RunWork,
  environment: RunEnvironment,
  code: "interrupted-often" | "reply-impossible",
): Promise<Outcome> {
  environment.log.error({ ...idsOf(work), code, attempt: work.lease.attempt }, "run set aside");
  const end: RunEnd = {
    type: "run-end",
    status: "failed",
    error: { code, message: sentence(code) },
  };
  work.end = end;
  return { type: "failed", code, change: await commit(work, environment) };
}

/** One signal for everything that can end a run early; `release` lets go of timers and listeners. */
function watch(
  work: RunWork,
  { limits, log }: RunEnvironment,
  reply: Reply,
): { readonly signal: AbortSignal; release(): void } {
  const { lease } = work;
  const controller = new AbortController();
  const abort = (reason: RunAbort) => controller.abort(reason);
  const leaseAborted = () => abort(lease.signal.reason as RunAbort);
  const remainingMs = Math.max(0, limits.deadlineMs - work.workedMs());
  const deadline = setTimeout(() => abort("deadline"), remainingMs);
  lease.signal.addEventListener("abort", leaseAborted, { once: true });
  lease.onAmended((item) => {
    log.info({ ...idsOf(work), action: item.amendment?.type }, "message changed while running");
    if (item.amendment?.type === "deleted") return abort("deleted");
    const { amendment } = item;
    if (amendment) reply.show(work.offerNewVersion(toQueuedMessage(amendment.payload).message));
  });
  for (const { amendment } of lease.items) {
    // Edited in an earlier attempt, after the words were taken.
    const isLate = amendment?.type === "edited" && work.state.asked.length > 0;
    if (isLate) work.offerNewVersion(toQueuedMessage(amendment.payload).message);
  }
  work.onHold(() => abort("held"));
  if (lease.signal.aborted) leaseAborted();
  else if (lease.stopRequested) abort("stopped");
  return {
    signal: controller.signal,
    release() {
      clearTimeout(deadline);
      lease.signal.removeEventListener("abort", leaseAborted);
    },
  };
}

function idsOf({ task }: RunWork) {
  return { conversation: task.conversationKey, run: task.runId };
}

function logEnd(work: RunWork, { log }: RunEnvironment, status: string): void {
  const { usage, cost, turns } = work.state;
  const ms = Math.round(work.workedMs());
  log.info(
    { ...idsOf(work), action: "run", status, ms, turns, tokens: usage.total_tokens, cost },
    "run ended",
  );
}
