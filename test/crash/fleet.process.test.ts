import { afterEach, describe, expect, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { Fleet } from "./fleet.ts";
import { expectOutageHarmless } from "./outage.ts";
import { pause, Traffic } from "./traffic.ts";

/** While a sync of its file is under way, Redis may acknowledge for so long what it has not written. */
const mostUnwrittenMs = 3_000;

describe.skipIf(!hasRedis)("several processes of a bot on one Redis", () => {
  let fleet: Fleet | undefined;

  afterEach(async () => {
    await fleet?.end();
    fleet = undefined;
  });

  test("an outage of Redis longer than a lease loses, doubles and breaks nothing", async () => {
    fleet = await Fleet.open({ lockMs: 1_500, checkMs: 500 });
    await expectOutageHarmless(fleet, { ms: 3_000 });
  });

  test("a failover that loses the last second leaves no conversation stuck and answers nothing twice", async () => {
    fleet = await Fleet.open({ lockMs: 1_500, checkMs: 500 });
    const { redis } = fleet;
    const threads = ["a", "b", "c", "d", "e", "f", "g", "h"];
    await Promise.all([fleet.add(), fleet.add()]);
    let next = 0;
    const traffic = new Traffic(fleet, {
      threads,
      receiver: () => (fleet as Fleet).anyone((next++ % 2) / 2),
      random: Math.random,
      kinds: ["long", "hello", "hello"],
      thinkMs: 10,
    });
    const settling = { timeout: 60_000, interval: 20 };
    try {
      await expect.poll(() => fleet?.endedRuns(), settling).toBeGreaterThan(3 * threads.length);
      const kept = traffic.acknowledged();
      redis.snapshot();
      const endedBefore = fleet.endedRuns();
      await pause(1_000);
      await expect.poll(() => fleet?.endedRuns(), settling).toBeGreaterThan(endedBefore + 5);
      await redis.goBack();
      await traffic.end();
      for (const thread of threads) {
        await fleet.anyone(0.5).message(fleet.message(`hello ${thread}after`, thread));
      }
      for (const thread of threads) {
        await expect
          .poll(() => fleet?.replies(thread).map((text) => text.trim()), settling)
          .toContain(`You said hello ${thread}after.`);
      }
      await expect.poll(() => fleet?.unsettled(), settling).toBe(0);
      // Whatever was on its way into Redis by the snapshot is there; later ones may be lost, none is doubled.
      traffic.expectAnsweredOnce(kept);
    } finally {
      traffic.end();
    }
  });

  test("a Redis that is killed in mid-traffic leaves no conversation stuck and has nothing answered twice", async () => {
    fleet = await Fleet.open({ lockMs: 1_500, checkMs: 500 });
    const killed = fleet;
    const threads = ["a", "b", "c", "d", "e", "f", "g", "h"];
    await Promise.all([killed.add(), killed.add()]);
    let next = 0;
    const traffic = new Traffic(killed, {
      threads,
      receiver: () => killed.anyone((next++ % 2) / 2),
      random: Math.random,
      kinds: ["long", "hello", "hello"],
      thinkMs: 10,
    });
    const settling = { timeout: 60_000, interval: 20 };
    try {
      await expect.poll(() => killed.endedRuns(), settling).toBeGreaterThan(3 * threads.length);
      const kept = new Set(traffic.acknowledged());
      await pause(mostUnwrittenMs);
      await killed.redis.kill("SIGKILL");
      const acknowledged = new Set(traffic.acknowledged());
      await killed.redis.run();
      const endedBefore = killed.endedRuns();
      await expect.poll(() => killed.endedRuns(), settling).toBeGreaterThan(endedBefore + 10);
      await traffic.end();
      await expect.poll(() => killed.unsettled(), settling).toBe(0);
      const since = traffic.acknowledged().filter((message) => !acknowledged.has(message));
      traffic.expectAnsweredOnce([...kept, ...since]);
      const lost = traffic.unanswered();
      console.info(`${lost} of ${traffic.sent.length} messages were lost`);
      expect(killed.lateWrites).toEqual([]);
    } finally {
      traffic.end();
    }
  });

  test("three processes replaced one by one hand over in mid-reply, and no message waits for a lease", async () => {
    // Whoever waited for this lease would come too late for every deadline below.
    fleet = await Fleet.open({ lockMs: 600_000, checkMs: 1_000 });
    const rolled = fleet;
    const threads = ["a", "b", "c", "d", "e", "f"];
    const first = [await rolled.add(), await rolled.add(), await rolled.add()];
    const traffic = new Traffic(rolled, {
      threads,
      receiver: () => rolled.anyone(Math.random()),
      random: Math.random,
      kinds: ["long", "long", "hello"],
      thinkMs: 10,
    });
    const settling = { timeout: 60_000, interval: 20 };
    try {
      for (const name of first) {
        const ended = rolled.endedRuns();
        await expect.poll(() => rolled.endedRuns(), settling).toBeGreaterThan(ended + 10);
        await rolled.add();
        await rolled.stop(name, 0);
      }
      await traffic.end();
      await expect.poll(() => rolled.unsettled(), settling).toBe(0);
      traffic.expectAnswered(threads);
      expect(rolled.lateWrites).toEqual([]);
      // Some of it was begun by one and ended by another.
      expect(rolled.began.length).toBeGreaterThan(traffic.sent.length);
    } finally {
      traffic.end();
    }
  });
});
