import type { Json } from "#domain/json";

/**
 * Records by key: assistants, settings, transcript pages, runs, files' descriptions.
 * Durable when a write resolves; never scanned; throws a BotError `store-unavailable` when it cannot
 * be reached, so that an outage is never read as "no such record".
 */
export interface RecordStore {
  read(key: string): Promise<Json | undefined>;
  /** In the order of the keys. */
  readMany(keys: readonly string[]): Promise<readonly (Json | undefined)[]>;
  write(key: string, value: Json): Promise<void>;
  remove(key: string): Promise<void>;
}
