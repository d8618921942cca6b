import type { Log } from "#ports/log";
import type { Retention } from "#ports/retention";
import type { ThreadControl } from "#ports/thread-control";

const dayMs = 24 * 60 * 60 * 1_000;
/** How long a repeat of a message is known as one: longer than any platform delivers again. */
const rememberedDays = 30;

/** What the daily sweep works on. */
export interface SweepParts {
  readonly threads: Pick<ThreadControl, "forgetOlderThan">;
  readonly queue: Retention;
  /** Undefined: conversations are kept for ever. */
  readonly days: number | undefined;
  readonly now: () => number;
  readonly log: Log;
}

/**
 * Deletes what is older than RETENTION_DAYS, and forgets event ids no platform will deliver again.
 * Resolves to how many conversations held something to be deleted; each does it in its own order.
 */
export async function sweep({ threads, queue, days, now, log }: SweepParts): Promise<number> {
  const nowMs = now();
  const conversations =
    days === undefined ? 0 : await threads.forgetOlderThan(nowMs - days * dayMs);
  const pruned = await queue.prune({
    eventsBeforeMs: nowMs - Math.min(rememberedDays, days ?? rememberedDays) * dayMs,
    setAsideBeforeMs: days === undefined ? 0 : nowMs - days * dayMs,
  });
  log.info({ action: "retention", conversations, pruned }, "old data swept");
  return conversations;
}
