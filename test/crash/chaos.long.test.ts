import { expect, test } from "vitest";
import { CrashWorld } from "./crash-world.ts";
import { pause, randomFrom, Traffic } from "./traffic.ts";

const kills = Number(process.env.CHAOS_KILLS ?? 120);
const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const threads = ["a", "b", "c", "d", "e", "f"];

test(`${kills} random kills lose, double and disorder nothing (seed ${seed})`, async () => {
  const world = new CrashWorld();
  const random = randomFrom(seed);
  await world.start();
  const traffic = new Traffic(world, {
    threads,
    receiver: () => world.bot,
    random,
    kinds: ["hello", "long", "count_up", "hello"],
    thinkMs: 50,
  });

  /** True once all that was sent is acknowledged and the store itself has nothing left to do. */
  const isSettled = async (): Promise<boolean> =>
    traffic.isAcknowledged && (await world.bot.unsettled()) === 0;

  try {
    let inARow = 0;
    for (let kill = 0; kill < kills; kill++) {
      // Now and then the recovery itself is killed, but never twice: a message hit three times over
      // is set aside, which is another promise.
      inARow = inARow < 1 && random() < 0.3 ? inARow + 1 : 0;
      if (inARow === 0) {
        traffic.isPaused = true;
        await expect.poll(isSettled, { timeout: 60_000 }).toBe(true);
        traffic.isPaused = false;
      }
      await pause(random() * 650);
      await world.kill();
      await world.start();
    }
    await traffic.end();
    await expect.poll(isSettled, { timeout: 120_000 }).toBe(true);
    traffic.expectAnswered(threads);
    console.log(`${kills} kills, ${traffic.sent.length} messages, seed ${seed}`);
  } finally {
    traffic.end();
    await world.end();
  }
});
