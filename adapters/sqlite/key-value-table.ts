import type { Database } from "./database.ts";

/** The table of records: texts by key, written in the shared transaction. */
export function createKeyValueTable(database: Database): KeyValueTable {
  return {
    get(key) {
      const row = database.prepare("select value from records where key = ?").get(key);
      return row && String(row.value);
    },
    set: (key, value) =>
      database.writeOne(() => {
        database
          .prepare(
            `insert into records (key, value) values (?, ?)
             on conflict do update set value = excluded.value`,
          )
          .run(key, value);
      }),
    delete: (key) =>
      database.writeOne(
        () => database.prepare("delete from records where key = ?").run(key).changes > 0,
      ),
    clear: () =>
      database.writeOne(() => {
        database.prepare("delete from records").run();
      }),
  };
}

/** Texts by key. Writes are durable when they resolve. */
export interface KeyValueTable {
  get(key: string): string | undefined;
  set(key: string, value: string): Promise<void>;
  /** False when there was none. */
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
}
