import KeyvRedis from "@keyv/redis";
import type { KeyvStoreAdapter } from "keyv";
import type { RedisDatabase } from "./database.ts";

/** Keyv's adapter for records in Redis, on the connection that is open. */
export function createRedisRecords(database: RedisDatabase): KeyvStoreAdapter {
  return new PatientRecords(database);
}

/** Waits for an answer as long as everything else does that is asked of Redis. */
class PatientRecords extends KeyvRedis<unknown> {
  readonly #database: RedisDatabase;

  constructor(database: RedisDatabase) {
    super(database.client, {
      namespace: `${database.prefix}record`,
      keyPrefixSeparator: ":",
      // An outage must not read as "no such record".
      throwOnErrors: true,
    });
    this.#database = database;
  }

  override get<Value>(key: string) {
    return this.#database.inTime(super.get<Value>(key));
  }

  override getMany<Value>(keys: string[]) {
    return this.#database.inTime(super.getMany<Value>(keys));
  }

  override set(key: string, value: string, ttl?: number) {
    return this.#database.inTime(super.set(key, value, ttl));
  }

  override delete(key: string) {
    return this.#database.inTime(super.delete(key));
  }
}
