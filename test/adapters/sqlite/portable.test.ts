import { createRecordStore } from "../../../adapters/keyv/record-store.ts";
import { createTableStore } from "../../../adapters/keyv/table-store.ts";
import { createKeyValueTable } from "../../../adapters/sqlite/key-value-table.ts";
import { createSqliteLedger } from "../../../adapters/sqlite/ledger.ts";
import { createSqlitePortable } from "../../../adapters/sqlite/portable.ts";
import { createSqliteRunQueue } from "../../../adapters/sqlite/run-queue.ts";
import { describePortable } from "../../contracts/portable.ts";
import { Scratch } from "./scratch.ts";

describePortable("SQLite", async () => {
  const scratch = new Scratch();
  const database = scratch.open();
  return {
    queue: createSqliteRunQueue({ database }),
    ledger: createSqliteLedger(database),
    records: createRecordStore(createTableStore(createKeyValueTable(database))),
    portable: createSqlitePortable(database),
    close: async () => scratch.remove(),
  };
});
