import { afterAll, beforeAll, describe, test } from "vitest";
import { describeRunQueue } from "../../contracts/run-queue.ts";
import { checkRunQueueLaws } from "../../contracts/run-queue-laws.ts";
import { createRedisInstance } from "./instance.ts";
import { hasRedis, RedisServer } from "./server.ts";

describe.skipIf(!hasRedis)("with redis-server", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.remove());

  describeRunQueue("Redis", () => createRedisInstance(server));

  test("whatever happens, every message is answered once and in order", () =>
    checkRunQueueLaws(() => createRedisInstance(server), 20, 40));
});
