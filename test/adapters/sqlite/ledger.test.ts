import type { Database } from "../../../adapters/sqlite/database.ts";
import { createSqliteLedger } from "../../../adapters/sqlite/ledger.ts";
import { describeLedger, type LedgerInstance } from "../../contracts/ledger.ts";
import { Scratch } from "./scratch.ts";

describeLedger("SQLite", async () => {
  const scratch = new Scratch();
  return ledgerOn(scratch.open(), scratch);
});

function ledgerOn(database: Database, scratch: Scratch): LedgerInstance {
  return {
    ledger: createSqliteLedger(database),
    reopen: async () => ledgerOn(scratch.kill(database), scratch),
    close: async () => scratch.remove(),
  };
}
