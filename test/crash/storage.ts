import { join } from "node:path";
import type { Ledger } from "#ports/ledger";
import type { RecordStore } from "#ports/record-store";
import type { RunQueue } from "#ports/run-queue";
import { createRecordStore } from "../../adapters/keyv/record-store.ts";
import { createTableStore } from "../../adapters/keyv/table-store.ts";
import { openRedis } from "../../adapters/redis/database.ts";
import { createRedisLedger } from "../../adapters/redis/ledger.ts";
import { createRedisRecords } from "../../adapters/redis/records.ts";
import { openRedisRunQueue } from "../../adapters/redis/run-queue.ts";
import { openDatabase } from "../../adapters/sqlite/database.ts";
import { createKeyValueTable } from "../../adapters/sqlite/key-value-table.ts";
import { createSqliteLedger } from "../../adapters/sqlite/ledger.ts";
import { createSqliteRunQueue } from "../../adapters/sqlite/run-queue.ts";

/** What a bot's process keeps everything in. */
export interface Storage {
  readonly queue: RunQueue;
  readonly ledger: Ledger;
  readonly records: RecordStore;
  close(): Promise<void>;
}

/** A Redis that several processes share, and how long their leases are. */
export interface SharedRedis {
  readonly url: string;
  readonly lockMs: number;
  readonly checkMs: number;
}

const crashBackoffMs = 1;

/** Everything in a data file in the folder, for one process. */
export async function openFileStorage(folder: string): Promise<Storage> {
  const database = openDatabase(join(folder, "bobbin.sqlite"));
  return {
    queue: createSqliteRunQueue({ database, crashBackoffMs }),
    ledger: createSqliteLedger(database),
    records: createRecordStore(createTableStore(createKeyValueTable(database))),
    close: async () => database.close(),
  };
}

/** Everything in Redis. */
export async function openSharedStorage({ url, ...leaseTimes }: SharedRedis): Promise<Storage> {
  const database = await openRedis({ url });
  const queue = await openRedisRunQueue({ database, leaseTimes, crashBackoffMs });
  return {
    queue,
    ledger: createRedisLedger(database),
    records: createRecordStore(createRedisRecords(database)),
    async close() {
      await queue.close();
      database.close();
    },
  };
}
