import type { Config } from "./config.ts";
import type { RunLimits } from "./runs/environment.ts";

/** What runs are bounded by, as the settings say. */
export function runLimits({ limits, files, cost }: Config): RunLimits {
  return {
    deadlineMs: limits.runDeadlineMs,
    approvalExpiryMs: limits.approvalExpiryMs,
    attemptsPerTurn: limits.attemptsPerTurn,
    retryWaitMaxMs: limits.retryWaitMaxMs,
    turnsPerRun: limits.turnsPerRun,
    contextTokens: limits.contextTokens,
    fileMaxBytes: files.maxBytes,
    filesPerMessage: files.perMessage,
    runCapUsd: cost.runMaxUsd ?? null,
    personDailyCapUsd: cost.personDailyCapUsd ?? null,
    channelMonthlyCapUsd: cost.channelMonthlyCapUsd ?? null,
  };
}
