import type { KeyvStoreAdapter, StoredData } from "keyv";

/** What {@link createTableStore} needs of a table of texts by key; writes are durable when they resolve. */
export interface TextTable {
  get(key: string): string | undefined;
  set(key: string, value: string): Promise<void>;
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
}

/** A Keyv storage adapter over a table in the same process. */
export function createTableStore(table: TextTable): KeyvStoreAdapter {
  const store: KeyvStoreAdapter = {
    opts: {},
    async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
      return read<Value>(table, key);
    },
    async getMany<Value>(keys: string[]): Promise<StoredData<Value | undefined>[]> {
      return keys.map((key) => read<Value>(table, key));
    },
    set: (key: string, value: string) => table.set(key, value),
    delete: (key) => table.delete(key),
    clear: () => table.clear(),
    async has(key) {
      return table.get(key) !== undefined;
    },
    // A table reports failures by throwing, never by an event.
    on: () => store,
  };
  return store;
}

/** Keyv types what it will make of the text; the store itself only knows the text. */
function read<Value>(table: TextTable, key: string): StoredData<Value> | undefined {
  return table.get(key) as StoredData<Value> | undefined;
}
