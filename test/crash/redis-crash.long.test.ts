import { describe } from "vitest";
import { hasRedis, RedisServer } from "../adapters/redis/server.ts";
import { describeCrashes } from "./crash-table.ts";
import { CrashWorld } from "./crash-world.ts";

describe.skipIf(!hasRedis)("where another process goes on", () => {
  describeCrashes("Redis", async () => new CrashWorld(await RedisServer.start()));
});
