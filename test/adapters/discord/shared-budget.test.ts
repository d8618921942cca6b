import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createPacedApi } from "../../../adapters/discord/paced-api.ts";
import type { Processes } from "../../../src/ports/processes.ts";
import { CountingMetrics } from "../../fakes/counting-metrics.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import { startDiscordServer } from "../../wire/discord/discord-server.ts";
import { openNeighbours } from "../redis/neighbours.ts";
import { hasRedis, RedisServer } from "../redis/server.ts";

describe.skipIf(!hasRedis)("two processes of one Discord bot", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.remove());

  test("call no more than one may, and are never told to wait", async () => {
    const discord = await startDiscordServer();
    onTestFinished(() => discord.stop());
    const apiOf = (processes: Processes) =>
      createPacedApi({
        token: discord.token,
        apiUrl: discord.apiUrl,
        processes,
        metrics: new CountingMetrics(),
        log: silentLog,
      });
    const apis = (await openNeighbours(redis, 2)).map(apiOf);
    const busy = discord.addChannel("busy");
    const rooms = Array.from({ length: 60 }, (_, index) => discord.addChannel(`room-${index}`));
    const post = (api: (typeof apis)[number], channel: string) =>
      api.call({
        method: "POST",
        route: `/channels/${channel}/messages`,
        kind: "create",
        channel,
        body: { content: "hello" },
      });
    const posts = apis.flatMap((api) => [
      ...rooms.map(({ id }) => post(api, id)),
      ...Array.from({ length: 3 }, () => post(api, busy.id)),
    ]);
    await Promise.all(posts);
    expect(discord.seen(busy)).toHaveLength(6);
    expect(discord.requests().filter(({ status }) => status === 429)).toEqual([]);
  });
});
