import { afterAll, beforeAll, describe } from "vitest";
import { openRedis } from "../../../adapters/redis/database.ts";
import { createRedisLedger } from "../../../adapters/redis/ledger.ts";
import { describeLedger, type LedgerInstance } from "../../contracts/ledger.ts";
import { hasRedis, RedisServer } from "./server.ts";

describe.skipIf(!hasRedis)("with redis-server", () => {
  let server: RedisServer;
  let names = 0;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.remove());

  describeLedger("Redis", () => {
    names += 1;
    return ledgerOn(server.url, `bot${names}`);
  });
});

async function ledgerOn(url: string, name: string): Promise<LedgerInstance> {
  const database = await openRedis({ url, name });
  return {
    ledger: createRedisLedger(database),
    reopen: async () => {
      database.close();
      return ledgerOn(url, name);
    },
    close: async () => database.close(),
  };
}
