import { afterEach, describe, expect, test } from "vitest";
import { openRedis } from "../../../adapters/redis/database.ts";
import { inspectSafety } from "../../../adapters/redis/safety.ts";
import { hasRedis, RedisServer } from "./server.ts";

describe.skipIf(!hasRedis)("the settings of a Redis", () => {
  let server: RedisServer | undefined;
  afterEach(() => server?.remove());

  async function inspect(settings: readonly string[]) {
    server = await RedisServer.start(settings);
    const database = await openRedis({ url: server.url });
    try {
      return await inspectSafety(database);
    } finally {
      database.close();
    }
  }

  test("that keep everything are fine", async () => {
    expect(await inspect([])).toEqual({ refusals: [], warnings: [] });
  });

  test("that throw keys away are refused", async () => {
    expect(await inspect(["--maxmemory-policy", "allkeys-lru"])).toMatchObject({
      refusals: [expect.stringContaining("maxmemory-policy is allkeys-lru")],
    });
  });

  test("that keep nothing on disk are refused", async () => {
    expect(await inspect(["--appendonly", "no"])).toMatchObject({
      refusals: [expect.stringContaining("keeps nothing on disk")],
    });
  });

  test("that keep only snapshots, or leave syncing to the system, are warned about", async () => {
    expect(await inspect(["--appendonly", "no", "--save", "3600 1"])).toEqual({
      refusals: [],
      warnings: [expect.stringContaining("appendonly is no")],
    });
    await server?.remove();
    expect(await inspect(["--appendfsync", "no"])).toEqual({
      refusals: [],
      warnings: [expect.stringContaining("appendfsync is no")],
    });
  });
});

test.skipIf(!hasRedis)("an address nobody listens at is an outage, told at once", async () => {
  const server = await RedisServer.start();
  await server.kill();
  await expect(openRedis({ url: server.url })).rejects.toMatchObject({
    code: "store-unavailable",
  });
  await server.remove();
});
