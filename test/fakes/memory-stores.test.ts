import { describeLedger, type LedgerInstance } from "../contracts/ledger.ts";
import { describeRecordStore, type RecordStoreInstance } from "../contracts/record-store.ts";
import { MemoryLedger } from "./memory-ledger.ts";
import { MemoryRecordStore } from "./memory-record-store.ts";

/** What is kept outlives the one who keeps it, as a file does. */
function ledgerInstance(ledger: MemoryLedger): LedgerInstance {
  return {
    ledger,
    reopen: async () => ledgerInstance(ledger),
    close: async () => {},
  };
}

function recordsInstance(records: MemoryRecordStore): RecordStoreInstance {
  return {
    records,
    reopen: async () => recordsInstance(records),
    cutOff: async () => {
      records.isDown = true;
    },
    close: async () => {},
  };
}

describeLedger("memory", async () => ledgerInstance(new MemoryLedger()));
describeRecordStore("memory", async () => recordsInstance(new MemoryRecordStore()));
