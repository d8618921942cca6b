import type { Database } from "../../../adapters/sqlite/database.ts";
import { createSqliteLedger } from "../../../adapters/sqlite/ledger.ts";
import { createSqliteRunQueue } from "../../../adapters/sqlite/run-queue.ts";
import type { QueueInstance } from "../../contracts/run-queue.ts";
import { Scratch } from "./scratch.ts";

/** A queue on an empty data file, for the suites every queue must pass. */
export async function createSqliteInstance(): Promise<QueueInstance> {
  const scratch = new Scratch();
  return queueOn(scratch.open(), scratch);
}

function queueOn(database: Database, scratch: Scratch): QueueInstance {
  return {
    queue: createSqliteRunQueue({ database, crashBackoffMs: 1 }),
    ledger: createSqliteLedger(database),
    reopen: async () => queueOn(scratch.kill(database), scratch),
    takeOver: async () => queueOn(database, scratch),
    close: async () => scratch.remove(),
  };
}
