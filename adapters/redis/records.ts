import KeyvRedis from "@keyv/redis";
import type { KeyvStoreAdapter } from "keyv";
import type { RedisDatabase } from "./database.ts";

/** Keyv's adapter for records in Redis, on the connection that is open. */
export function createRedisRecords(database: RedisDatabase): KeyvStoreAdapter {
  return new KeyvRedis(database.client, {
    namespace: `${database.prefix}record`,
    keyPrefixSeparator: ":",
    // An outage must not read as "no such record".
    throwOnErrors: true,
  });
}
