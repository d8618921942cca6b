import { BotError, explain, isOutage, sentence } from "#domain/errors";
import type { RunEvent } from "#domain/run-event";
import { LeaseLost } from "#ports/run-queue";
import { askModel } from "./ask-model.ts";
import { readAttachments } from "./attachments.ts";
import { reachedBudget } from "./caps.ts";
import type { RunAnswer } from "./checkpoint.ts";
import type { RunEnvironment } from "./environment.ts";
import { indexFiles } from "./file-search.ts";
import type { RunWork } from "./run-work.ts";
import { settleCalls } from "./tool-calls.ts";

/**
 * How an attempt left. `ended`: a `run-end` was told. `parked`: a person must decide something.
 * `interrupted`: another attempt goes on from the checkpoint. `cut-off`: so does it once the store can be
 * reached again; nothing is said of it, for nothing has failed that will not be done.
 */
export type RunEnding =
  | { readonly type: "ended" }
  | { readonly type: "parked"; readonly untilMs: number }
  | { readonly type: "interrupted" }
  | { readonly type: "cut-off"; readonly error: unknown };

/** Why a run's signal is aborted: its lease's reasons, and the run's own. */
export type RunAbort =
  | "stopped"
  | "deleted"
  | "deadline"
  | "replaced"
  | "held"
  | "shutdown"
  | "lease-lost";

/**
 * Answers what was asked: reads the files, asks the model, runs the tools it wants, asks again.
 *
 * Never throws. Tells `work` what happens, in order, and ends with `run-end` unless the attempt was
 * parked or interrupted. Goes on where the checkpoint in `work` says.
 */
export async function executeRun(
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<RunEnding> {
  const { ended } = work.state;
  if (ended) {
    work.end = ended.end;
    return { type: "ended" };
  }
  try {
    return await answer(work, environment, signal);
  } catch (error) {
    if (error instanceof LeaseLost) return { type: "interrupted" };
    if (isOutage(error)) return { type: "cut-off", error };
    if (signal.aborted) return endOfAbort(work, signal);
    const { log } = environment;
    log.error({ run: work.task.runId, err: error }, "run failed");
    work.tell(failed(error, work.task.runId));
    return { type: "ended" };
  }
}

async function answer(
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<RunEnding> {
  await readAttachments(work, environment, signal);
  if (!work.state.answered) await indexFiles(work, environment, signal);
  while (!work.state.answered) {
    const calls = await settleCalls(work, environment, signal);
    if (calls.type === "parked") return calls;
    if (signal.aborted) return endOfAbort(work, signal);

    const budget = await reachedBudget(work, environment);
    if (budget) {
      work.tell({ type: "notice", notice: { kind: "warning", text: budget.words } });
      work.tell({ type: "run-end", status: "incomplete", reason: budget.reason });
      return { type: "ended" };
    }

    const failure = await askModel(work, environment, signal);
    if (signal.aborted) return endOfAbort(work, signal);
    if (failure) {
      const message = sentence(failure.code, failure.detail);
      work.tell({ type: "run-end", status: "failed", error: { code: failure.code, message } });
      return { type: "ended" };
    }
  }
  endOfAnswer(work, work.state.answered);
  return { type: "ended" };
}

function endOfAnswer(work: RunWork, answered: RunAnswer): void {
  if (answered.status === "completed") {
    work.tell({ type: "run-end", status: "completed" });
    return;
  }
  const { reason } = answered;
  work.tell({ type: "notice", notice: { kind: "warning", text: incompleteWords[reason] } });
  work.tell({ type: "run-end", status: "incomplete", reason });
}

const incompleteWords = {
  max_completion_tokens: "The answer reached the length allowed for one run. *Continue* goes on.",
  max_prompt_tokens: "The run read as much as one run is allowed to. *Continue* goes on.",
  content_filter: "The rest of the answer was held back by the model's content filter.",
  cap_reached: "The spending limit is reached.",
} as const;

function endOfAbort(work: RunWork, signal: AbortSignal): RunEnding {
  const reason = signal.reason as RunAbort;
  switch (reason) {
    case "held":
    case "shutdown":
    case "lease-lost":
      return { type: "interrupted" };
    case "deadline":
      work.tell({
        type: "run-end",
        status: "expired",
        error: { code: "deadline", message: sentence("deadline") },
      });
      return { type: "ended" };
    case "replaced":
      work.tell({ type: "notice", notice: { kind: "info", text: "Replaced by a newer message." } });
      work.tell({ type: "run-end", status: "cancelled" });
      return { type: "ended" };
    case "stopped":
    case "deleted":
      work.tell({ type: "notice", notice: { kind: "info", text: "Stopped." } });
      work.tell({ type: "run-end", status: "cancelled" });
      return { type: "ended" };
  }
}

function failed(error: unknown, runId: string): RunEvent {
  const code = error instanceof BotError ? error.code : "unknown";
  return { type: "run-end", status: "failed", error: { code, message: explain(error, runId) } };
}
