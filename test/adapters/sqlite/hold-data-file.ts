// A process that opens the data file it is given, writes something, says so and stays.
import { openDatabase } from "../../../adapters/sqlite/database.ts";
import { createSqliteLedger } from "../../../adapters/sqlite/ledger.ts";

const [, , path] = process.argv;
if (!path) throw new Error("a path is needed");
const ledger = createSqliteLedger(openDatabase(path));
await ledger.apply({ registers: [{ name: "durable", value: true }] });
console.log("written");
setInterval(() => undefined, 60_000);
