import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Json } from "#domain/json";
import type { SharedLimit } from "#ports/processes";
import { SharedCounts } from "#ports/shared-counts";
import { openNeighbours } from "./neighbours.ts";
import { hasRedis, RedisServer } from "./server.ts";

const refilled = (change: Partial<Extract<SharedLimit, { type: "refilled" }>> = {}) =>
  ({ type: "refilled", key: "calls", capacity: 4, perSecond: 0.01, ...change }) as const;
const windowed = (change: Partial<Extract<SharedLimit, { type: "windowed" }>> = {}) =>
  ({ type: "windowed", key: "calls", calls: 3, windowMs: 60_000, ...change }) as const;

describe.skipIf(!hasRedis)("processes on one Redis", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.remove());

  async function two() {
    const [first, second] = await openNeighbours(server, 2);
    if (!first || !second) throw new Error("there are no two");
    const spends = async (by: typeof first, limits: readonly SharedLimit[]) => {
      const spent = await by.spend?.(limits);
      if (!spent) throw new Error("nothing is shared");
      return spent;
    };
    return { first, second, spends };
  }

  test("of two that claim the same, one has it, and keeps it for the time", async () => {
    const { first, second } = await two();
    expect(await first.claim("greeting", 60_000)).toBe(true);
    expect(await second.claim("greeting", 60_000)).toBe(false);
    expect(await first.claim("greeting", 60_000)).toBe(true);
    expect(await second.claim("other", 20)).toBe(true);
    await expect.poll(() => first.claim("other", 60_000)).toBe(true);
  });

  test("what one tells the others hear, and not itself", async () => {
    const { first, second } = await two();
    const heard: Json[] = [];
    const own: Json[] = [];
    const stop = second.hear("news", { told: (words) => heard.push(words) });
    first.hear("news", { told: (words) => own.push(words) });
    await expect
      .poll(() => {
        first.tell("news", { of: "lace" });
        return heard;
      })
      .toContainEqual({ of: "lace" });
    stop();
    first.tell("news", { of: "silk" });
    first.tell("gossip", { of: "yarn" });
    second.tell("news", { of: "wool" });
    await expect.poll(() => own).toContainEqual({ of: "wool" });
    expect(own).toEqual([{ of: "wool" }]);
    expect(heard).not.toContainEqual({ of: "silk" });
  });

  test("who lost the connection is told that something may have been missed", async () => {
    const own = await RedisServer.start();
    try {
      const [one] = await openNeighbours(own, 1);
      let missed = 0;
      one?.hear("news", {
        told: () => undefined,
        missed: () => {
          missed += 1;
        },
      });
      await own.kill();
      await own.run();
      await expect.poll(() => missed, { timeout: 20_000 }).toBeGreaterThan(0);
    } finally {
      await own.remove();
    }
  });

  test("a refilled limit is spent once by all, of all its parts or of none", async () => {
    const { first, second, spends } = await two();
    const both = [refilled(), refilled({ key: "room", capacity: 3 })];
    const wholeLeft = async (by: typeof first) => {
      const spent = await spends(by, both);
      return spent.isGranted ? spent.left.map(Math.floor) : "refused";
    };
    expect(await wholeLeft(first)).toEqual([3, 2]);
    expect(await wholeLeft(second)).toEqual([2, 1]);
    expect(await spends(first, both)).toMatchObject({ isGranted: true });
    const short = await spends(second, both);
    expect(short).toMatchObject({ isGranted: false, waitMs: [0, expect.any(Number)] });
    if (!short.isGranted) expect(short.waitMs[1]).toBeGreaterThan(50_000);
    // Of the calls nothing was taken for it: one is left.
    expect(await spends(second, [refilled()])).toMatchObject({ isGranted: true });
    expect(await spends(first, [refilled()])).toMatchObject({ isGranted: false });
  });

  test("a refilled limit is refilled", async () => {
    const { first, second, spends } = await two();
    const quick = [refilled({ capacity: 1, perSecond: 20 })];
    expect(await spends(first, quick)).toMatchObject({ isGranted: true });
    await expect.poll(async () => (await spends(second, quick)).isGranted).toBe(true);
  });

  test("a use of a window counts until so long after its end", async () => {
    const { first, second, spends } = await two();
    const quick = [windowed({ windowMs: 50 })];
    const under = await Promise.all([spends(first, quick), spends(second, quick)]);
    expect(await spends(first, quick)).toMatchObject({ isGranted: true, left: [0] });
    const refused = await spends(second, quick);
    expect(refused.isGranted).toBe(false);
    // It waits for calls under way, of which nobody knows when they end: soon it is looked again.
    if (!refused.isGranted) expect(refused.waitMs[0]).toBeLessThan(1_000);
    for (const spent of under) if (spent.isGranted) spent.done();
    await expect.poll(async () => (await spends(second, quick)).isGranted).toBe(true);
  });

  test("each knows what the others hold, until they hold nothing or fall silent", async () => {
    const { first, second } = await two();
    let nowMs = 0;
    const now = () => nowMs;
    const ours = new SharedCounts<"streams">({ processes: first, topic: "held", now });
    const theirs = new SharedCounts<"streams">({ processes: second, topic: "held", now });
    await expect
      .poll(() => {
        theirs.set({ streams: 3 });
        return ours.others("streams");
      })
      .toBe(3);
    expect(theirs.others("streams")).toBe(0);
    theirs.set({ streams: 0 });
    await expect.poll(() => ours.others("streams")).toBe(0);
    theirs.set({ streams: 2 });
    await expect.poll(() => ours.others("streams")).toBe(2);
    nowMs += 60_000;
    expect(ours.others("streams")).toBe(0);
  });
});
