import { expect } from "vitest";
import type { Fleet } from "./fleet.ts";
import { pause, Traffic } from "./traffic.ts";

const settling = { timeout: 120_000, interval: 50 };
const threads = ["a", "b", "c", "d", "e", "f"];

/** Redis cannot be reached for a while, in the middle of many answers, and nothing comes of it. */
export async function expectOutageHarmless(fleet: Fleet, outageMs: number): Promise<void> {
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
    await fleet.redis.kill("SIGTERM");
    await pause(outageMs);
    const refused = fleet.message("hello outage", "outage");
    await expect(fleet.anyone(0).message(refused)).rejects.toThrow("store-unavailable");
    const endedBefore = fleet.endedRuns();
    await fleet.redis.run();
    await expect.poll(() => fleet.endedRuns(), settling).toBeGreaterThan(endedBefore + 10);
    await traffic.end();
    await expect.poll(() => fleet.unsettled(), settling).toBe(0);
    traffic.expectAnswered(threads);
    expect(fleet.replies("outage")).toEqual([]);
    expect(fleet.lateWrites).toEqual([]);
    expect(fleet.names).toEqual(before);
    expect(before.every((name) => fleet.member(name).isRunning)).toBe(true);
  } finally {
    traffic.end();
  }
}
