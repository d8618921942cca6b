import type { KeyvStoreAdapter } from "keyv";
import { describe, expect, test } from "vitest";
import { createRecordStore } from "../../../adapters/keyv/record-store.ts";
import { createTableStore } from "../../../adapters/keyv/table-store.ts";
import type { Database } from "../../../adapters/sqlite/database.ts";
import { createKeyValueTable } from "../../../adapters/sqlite/key-value-table.ts";
import { describeRecordStore, type RecordStoreInstance } from "../../contracts/record-store.ts";
import { Scratch } from "../sqlite/scratch.ts";

describeRecordStore("Keyv on SQLite", async () => {
  const scratch = new Scratch();
  return recordsOn(scratch.open(), scratch);
});

function recordsOn(database: Database, scratch: Scratch): RecordStoreInstance {
  return {
    records: createRecordStore(createTableStore(createKeyValueTable(database))),
    reopen: async () => recordsOn(scratch.kill(database), scratch),
    cutOff: async () => database.close(),
    close: async () => scratch.remove(),
  };
}

describe("records on an adapter that", () => {
  const broken = async () => {
    throw new Error("connection refused");
  };
  const adapter = (more: Partial<KeyvStoreAdapter>): KeyvStoreAdapter => {
    const store: KeyvStoreAdapter = {
      opts: {},
      get: async () => undefined,
      set: async () => true,
      delete: async () => true,
      clear: async () => undefined,
      on: () => store,
      ...more,
    };
    return store;
  };
  const unavailable = { code: "store-unavailable" };

  test("cannot read many at once, still tell an outage from a missing record", async () => {
    const records = createRecordStore(adapter({ get: broken }));
    await expect(records.readMany(["a", "b"])).rejects.toMatchObject(unavailable);
    const empty = createRecordStore(adapter({}));
    expect(await empty.readMany(["a", "b"])).toEqual([undefined, undefined]);
  });

  test("answers a write with false, call it a failure", async () => {
    const records = createRecordStore(adapter({ set: async () => false }));
    await expect(records.write("a", 1)).rejects.toMatchObject(unavailable);
  });

  test("reports its errors as events, too, fail once", async () => {
    const listeners: ((error: Error) => void)[] = [];
    const store = adapter({
      set: async () => {
        for (const listener of listeners) listener(new Error("connection refused"));
        throw new Error("connection refused");
      },
      on: (event, listener) => {
        if (event === "error") listeners.push(listener);
        return store;
      },
    });
    await expect(createRecordStore(store).write("a", 1)).rejects.toMatchObject(unavailable);
    expect(listeners).toHaveLength(1);
  });

  test("gives damaged text, fail", async () => {
    const records = createRecordStore(adapter({ get: async <T>() => "{" as T }));
    await expect(records.read("a")).rejects.toMatchObject(unavailable);
  });
});
