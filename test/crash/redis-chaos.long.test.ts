import { describe, expect, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { Fleet } from "./fleet.ts";
import { expectOutageHarmless } from "./outage.ts";
import { pause, randomFrom, Traffic } from "./traffic.ts";

const leastMessages = Number(process.env.CHAOS_MESSAGES ?? 3_000);
const leastRounds = Number(process.env.CHAOS_ROUNDS ?? 22);
const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const size = 3;
const threads = Array.from({ length: 30 }, (_, index) => `t${index}-`);
const lease = { lockMs: 3_000, checkMs: 1_000 };
const takeoverMs = lease.lockMs + 2 * lease.checkMs;
const settling = { timeout: 120_000, interval: 100 };

describe.skipIf(!hasRedis)("several processes on one Redis", () => {
  test(`random kills, pauses and restarts of Redis lose, double and disorder nothing (seed ${seed})`, async () => {
    const random = randomFrom(seed);
    // What people do depends on the machine's pace: it must not change what is done to the processes.
    const chance = randomFrom(seed + 1);
    const fleet = await Fleet.open({ ...lease, redis: ["--appendfsync", "always"] });
    let isAlways = true;
    const done = { kill: 0, "kill of all": 0, freeze: 0, "restart of Redis": 0 };
    await Promise.all(Array.from({ length: size }, () => fleet.add()));
    const traffic = new Traffic(fleet, {
      threads,
      receiver: () => fleet.anyone(chance()),
      random: chance,
      kinds: [...Array(14).fill("hello"), "long", "count_up"],
      thinkMs: 100,
    });

    const victim = () => fleet.names[Math.floor(random() * fleet.names.length)] ?? "";
    const disruptions = {
      async kill() {
        await fleet.kill(victim());
        await fleet.add();
      },
      async "kill of all"() {
        await Promise.all(fleet.names.map((name) => fleet.kill(name)));
        await Promise.all(Array.from({ length: size }, () => fleet.add()));
      },
      /** Asleep until everything it held has gone to others. */
      async freeze() {
        const member = fleet.member(victim());
        member.freeze();
        await pause(takeoverMs + 1_000);
        member.thaw();
      },
      /** What must survive a kill -9 of Redis at any instant is synced always; a polite end loses nothing anyway. */
      async "restart of Redis"() {
        await fleet.redis.kill(isAlways ? "SIGKILL" : "SIGTERM");
        isAlways = random() < 0.5;
        await fleet.redis.run(["--appendfsync", isAlways ? "always" : "everysec"]);
      },
    };
    const deck = [
      ...Array(4).fill("kill"),
      "kill of all",
      ...Array(2).fill("freeze"),
      ...Array(3).fill("restart of Redis"),
    ] as readonly (keyof typeof disruptions)[];
    const disrupt = async () => {
      const what = deck[Math.floor(random() * deck.length)] ?? "kill";
      await disruptions[what]();
      done[what] += 1;
    };

    const isSettled = async (): Promise<boolean> =>
      traffic.isAcknowledged && (await fleet.unsettled()) === 0;
    /** A message hit three times over is set aside, which is another promise. */
    const settle = async () => {
      traffic.isPaused = true;
      await expect.poll(isSettled, settling).toBe(true);
      traffic.isPaused = false;
    };

    try {
      for (let round = 0; round < leastRounds || traffic.sent.length < leastMessages; round++) {
        await pause(500 + random() * 2_000);
        await disrupt();
        // Now and then the recovery itself is disrupted.
        if (random() < 0.3) {
          await pause(random() * takeoverMs);
          await disrupt();
        }
        await pause(1_000);
        await settle();
      }
      await traffic.end();
      await expect.poll(isSettled, settling).toBe(true);

      traffic.expectAnswered(threads);
      expect(new Set(fleet.began.map(({ epoch }) => epoch)).size).toBe(fleet.began.length);
      // At most what was on its way when a process fell asleep.
      const late = Map.groupBy(fleet.lateWrites, (write) => JSON.stringify(write));
      for (const [write, times] of late) expect(times.length, write).toBeLessThanOrEqual(1);
      console.info(
        `${traffic.sent.length} messages, ${fleet.began.length} leases, ${fleet.lateWrites.length} late writes`,
        done,
        `seed ${seed}`,
      );
    } finally {
      traffic.end();
      await fleet.end();
    }
  });

  test.each([
    ["a minute without Redis", { ms: 60_000 }],
    ["a Redis that answers nobody for longer than a lease", { ms: 20_000, hangs: true }],
  ])("%s loses, doubles and breaks nothing", async (_words, outage) => {
    const fleet = await Fleet.open({ lockMs: 5_000, checkMs: 2_000 });
    try {
      await expectOutageHarmless(fleet, outage);
    } finally {
      await fleet.end();
    }
  });
});
