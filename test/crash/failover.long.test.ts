import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis, RedisServer } from "../adapters/redis/server.ts";
import { DiscordCrashWorld } from "./discord-crash-world.ts";
import { SlackCrashWorld } from "./slack-crash-world.ts";

/** One of them is several messages long. */
const lengths = [700, 700, 2_500];

async function redisForTest(): Promise<RedisServer> {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.remove());
  return redis;
}

describe.skipIf(!hasRedis)("a store that has lost its last moments", () => {
  test.each(["native", "update"] as const)(
    "leaves no conversation in Slack stuck, and nothing is answered twice (%s)",
    async (streaming) => {
      const redis = await redisForTest();
      await using world = await SlackCrashWorld.open({ transport: "socket", streaming, redis });
      await world.start();
      const known = lengths.map((characters) => world.ask(characters));
      await world.untilInMidStream(known);
      redis.snapshot();
      const unknown = lengths.map((characters) => world.ask(characters));
      await world.untilComplete([...known, ...unknown]);
      const lost = lengths.map((characters) => world.ask(characters));
      await world.untilInMidStream(lost);

      await redis.goBack();
      await world.untilSettled();
      for (const one of [...known, ...unknown]) expect(world.read(one)).toBe(one.answer);
      // What was lost before it was answered is not answered any more; Slack tells nothing twice.
      for (const one of lost) expect(one.answer.startsWith(world.read(one))).toBe(true);

      const again = [...known, ...unknown, ...lost].map((one) => world.ask(700, one));
      await world.untilAnswered(again);
      await world.untilSettled();
      for (const one of again) expect(world.read(one)).toBe(one.answer);
      expect(world.slack.complaints).toEqual([]);
    },
    400_000,
  );

  test("leaves no conversation in Discord stuck, and what it lost is read again and answered once", async () => {
    const redis = await redisForTest();
    await using world = await DiscordCrashWorld.open(redis);
    await world.start();
    const known = lengths.map((characters) => world.ask(characters));
    await world.untilInMidReply(known);
    redis.snapshot();
    const unknown = lengths.map((characters) => world.ask(characters));
    await world.untilComplete([...known, ...unknown]);
    const lost = lengths.map((characters) => world.ask(characters));
    await world.untilInMidReply(lost);

    await redis.goBack();
    await world.untilSettled();
    for (const one of [...known, ...unknown]) expect(world.read(one)).toBe(one.answer);
    await world.kill();
    await world.start();
    await world.untilComplete([...known, ...unknown, ...lost]);
    await world.untilSettled();

    const again = [...known, ...unknown, ...lost].map((one) => world.ask(700, one));
    await world.untilComplete(again);
    await world.untilSettled();
    for (const one of again) expect(world.read(one)).toBe(one.answer);
    expect(world.discord.complaints).toEqual([]);
  }, 400_000);
});
