import type { Portable } from "#ports/portable";
import { channelOf } from "./bulletin.ts";
import { openRedis, type RedisDatabase } from "./database.ts";
import { inWords } from "./in-words.ts";
import { createRedisPortable } from "./portable.ts";
import { toList, toTexts } from "./replies.ts";

/** Everything of this bot in Redis, for whoever moves it. */
export interface RedisData {
  readonly portable: Portable;
  readonly isAtWork: () => Promise<boolean>;
  readonly isEmpty: () => Promise<boolean>;
  readonly clear: () => Promise<void>;
  readonly close: () => void;
}

/** Noted by processes of themselves and of Redis: that is no data. */
const ownNames = ["server", "lost-at", "files-folder"];

/** Opens it without taking part. Throws an Error in words when that Redis is not there or does not let us in. */
export async function openRedisData(url: string): Promise<RedisData> {
  const database = await inWords(url, () => openRedis({ url }));
  return {
    portable: createRedisPortable(database),
    isAtWork: async () => {
      const reply = toList(await database.send(["PUBSUB", "NUMSUB", channelOf(database)]));
      return Number(reply[1]) > 0;
    },
    isEmpty: async () => {
      for await (const keys of keysOf(database)) {
        if (keys.some((key) => !ownNames.includes(key.slice(database.prefix.length)))) return false;
      }
      return true;
    },
    clear: async () => {
      for await (const keys of keysOf(database)) {
        if (keys.length > 0) await database.send(["UNLINK", ...keys]);
      }
    },
    close: () => database.close(),
  };
}

async function* keysOf(database: RedisDatabase): AsyncGenerator<readonly string[]> {
  for (let cursor = "0"; ; ) {
    const command = ["SCAN", cursor, "MATCH", `${database.prefix}*`, "COUNT", "500"];
    const reply = toList(await database.send(command));
    yield toTexts(reply[1]);
    cursor = String(reply[0]);
    if (cursor === "0") return;
  }
}
