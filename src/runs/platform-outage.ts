import { isPlatformOutage } from "#domain/errors";
import type { Platform, Reply } from "#ports/platform";
import type { Outcome, RunLease } from "#ports/run-queue";
import type { RunEnvironment } from "./environment.ts";
import type { RunWork } from "./run-work.ts";

const soonestMs = 1_000;
const latestMs = 30_000;
/** What could not be shown for so long is given up: people no longer wait for it, but for what is behind it. */
const mostMs = 24 * 60 * 60_000;

/** True: nothing can be shown, so nothing is begun; a stop is heard all the same. */
export function mustWait(platform: Platform | undefined, lease: RunLease): boolean {
  return platform?.canShow?.() === false && !lease.stopRequested;
}

/** Leaves a run as it was found. */
export function waitForPlatform(lease: RunLease, { now }: RunEnvironment): Outcome {
  const acceptedAtMs = lease.items[0]?.acceptedAtMs ?? now();
  return { type: "retry", afterMs: pauseMs(now() - acceptedAtMs) };
}

/** Brings a reply to rest that goes on later. False: what was shown last could not be. */
export async function isSettled(reply: Reply): Promise<boolean> {
  try {
    await reply.settle();
    return true;
  } catch (error) {
    if (!isPlatformOutage(error)) throw error;
    return false;
  }
}

/** Goes on in another attempt: also with an end that has been reached, and only has to be shown. */
export function goOnLater(work: RunWork, { now }: RunEnvironment): Outcome {
  const { end } = work;
  if (end && !work.state.ended) work.update({ ended: { end, atMs: now() } });
  const sinceMs = work.state.ended?.atMs ?? work.lease.items[0]?.acceptedAtMs ?? now();
  return { type: "retry", afterMs: pauseMs(now() - sinceMs), checkpoint: work.toJson() };
}

/** False once it was stopped while it waited, or has waited for long enough. */
export function mayEndLater(work: RunWork, { now }: RunEnvironment): boolean {
  const { ended } = work.state;
  if (!ended) return true;
  const isStopped = work.lease.stopRequested && ended.end.status !== "cancelled";
  return !isStopped && now() - ended.atMs < mostMs;
}

/** The longer it has lasted, the longer it may last. */
function pauseMs(lastedMs: number): number {
  return Math.min(latestMs, Math.max(soonestMs, lastedMs / 10));
}
