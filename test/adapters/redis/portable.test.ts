import { afterAll, beforeAll, describe } from "vitest";
import { createRecordStore } from "../../../adapters/keyv/record-store.ts";
import { createTableStore } from "../../../adapters/keyv/table-store.ts";
import { openRedis } from "../../../adapters/redis/database.ts";
import { createRedisLedger } from "../../../adapters/redis/ledger.ts";
import { createRedisPortable } from "../../../adapters/redis/portable.ts";
import { createRedisRecords } from "../../../adapters/redis/records.ts";
import { openRedisRunQueue } from "../../../adapters/redis/run-queue.ts";
import { createKeyValueTable } from "../../../adapters/sqlite/key-value-table.ts";
import { createSqliteLedger } from "../../../adapters/sqlite/ledger.ts";
import { createSqlitePortable } from "../../../adapters/sqlite/portable.ts";
import { createSqliteRunQueue } from "../../../adapters/sqlite/run-queue.ts";
import { describePortable, type PortableInstance } from "../../contracts/portable.ts";
import { Scratch } from "../sqlite/scratch.ts";
import { hasRedis, RedisServer } from "./server.ts";

describe.skipIf(!hasRedis)("with redis-server", () => {
  let server: RedisServer;
  let names = 0;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.remove());

  async function inRedis(): Promise<PortableInstance> {
    names += 1;
    const database = await openRedis({ url: server.url, name: `moved${names}` });
    const queue = await openRedisRunQueue({ database, sweepMs: 20 });
    return {
      queue,
      ledger: createRedisLedger(database),
      records: createRecordStore(createRedisRecords(database)),
      portable: createRedisPortable(database),
      async close() {
        await queue.close();
        database.close();
      },
    };
  }

  async function inFile(): Promise<PortableInstance> {
    const scratch = new Scratch();
    const database = scratch.open();
    return {
      queue: createSqliteRunQueue({ database }),
      ledger: createSqliteLedger(database),
      records: createRecordStore(createTableStore(createKeyValueTable(database))),
      portable: createSqlitePortable(database),
      close: async () => scratch.remove(),
    };
  }

  describePortable("Redis", inRedis);
  describePortable("The data file moved to Redis", inFile, inRedis);
  describePortable("Redis moved to the data file", inRedis, inFile);
});
