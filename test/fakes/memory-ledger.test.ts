import { describeLedger, type LedgerInstance } from "../contracts/ledger.ts";
import { MemoryLedger } from "./memory-ledger.ts";

describeLedger("Memory", async () => {
  // There is no data outside the instance: what is durable is what it holds.
  const instance: LedgerInstance = {
    ledger: new MemoryLedger(),
    reopen: async () => instance,
    close: async () => undefined,
  };
  return instance;
});
