import { expect } from "vitest";
import type { Fleet } from "./fleet.ts";
import { pause, Traffic } from "./traffic.ts";

const settling = { timeout: 120_000, interval: 50 };
const threads = ["a", "b", "c", "d", "e", "f"];

/**
 * Redis cannot be reached for a while, or answers nobody (`hangs`), in the middle of many answers, and
 * nothing comes of it.
 */
export async function expectOutageHarmless(
  fleet: Fleet,
  outage: { readonly ms: number; readonly hangs?: boolean },
): Promise<void> {
  const { redis } = fleet;
  const before = [await fleet.add(), await fleet.add()];
  let next = 0;
  const chance = () => (next++ % 2) / 2;
  const traffic = new Traffic(fleet, {
    threads,
    receiver: () => fleet.anyone(chance()),
    random: Math.random,
    kinds: ["long", "hello", "long", "count_up"],
    thinkMs: 10,
  });
  try {
    await expect.poll(() => fleet.endedRuns(), settling).toBeGreaterThan(2 * threads.length);
    if (outage.hangs) redis.freeze();
    else await redis.kill("SIGTERM");
    await pause(outage.ms);
    const refused = fleet.message("hello outage", "outage");
    await expect(fleet.anyone(0).message(refused)).rejects.toThrow("store-unavailable");
    const endedBefore = fleet.endedRuns();
    if (outage.hangs) redis.thaw();
    else await redis.run();
    await expect.poll(() => fleet.endedRuns(), settling).toBeGreaterThan(endedBefore + 10);
    await traffic.end();
    await expect.poll(() => fleet.unsettled(), settling).toBe(0);
    traffic.expectAnswered(threads);
    // What a Redis that hangs was asked it does when it goes on, whoever has stopped to wait for it.
    if (!outage.hangs) expect(fleet.replies("outage")).toEqual([]);
    expect(fleet.lateWrites).toEqual([]);
    expect(fleet.names).toEqual(before);
    expect(before.every((name) => fleet.member(name).isRunning)).toBe(true);
  } finally {
    traffic.end();
  }
}
