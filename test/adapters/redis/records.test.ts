import { describe, expect, test } from "vitest";
import { createRecordStore } from "../../../adapters/keyv/record-store.ts";
import { openRedis } from "../../../adapters/redis/database.ts";
import { createRedisRecords } from "../../../adapters/redis/records.ts";
import { describeRecordStore, type RecordStoreInstance } from "../../contracts/record-store.ts";
import { hasRedis, RedisServer } from "./server.ts";

describe.skipIf(!hasRedis)("with redis-server", () => {
  describeRecordStore("Keyv on Redis", async () => recordsOn(await RedisServer.start()));
});

test.skipIf(!hasRedis)("records of two bots on one Redis do not meet", async () => {
  const server = await RedisServer.start();
  const [one, other] = await Promise.all(
    ["one", "other"].map((name) => openRedis({ url: server.url, name })),
  );
  if (!one || !other) throw new Error("not opened");
  await createRecordStore(createRedisRecords(one)).write("settings", 1);
  expect(await createRecordStore(createRedisRecords(other)).read("settings")).toBeUndefined();
  expect(await one.send(["EXISTS", `${one.prefix}record:settings`])).toBe(1);
  one.close();
  other.close();
  await server.remove();
});

async function recordsOn(server: RedisServer): Promise<RecordStoreInstance> {
  const database = await openRedis({ url: server.url });
  return {
    records: createRecordStore(createRedisRecords(database)),
    reopen: async () => {
      database.close();
      return recordsOn(server);
    },
    cutOff: () => server.kill(),
    close: async () => {
      database.close();
      await server.remove();
    },
  };
}
