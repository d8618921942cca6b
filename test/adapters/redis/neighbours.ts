import { onTestFinished } from "vitest";
import { openRedis } from "../../../adapters/redis/database.ts";
import { openRedisProcesses, type RedisProcesses } from "../../../adapters/redis/processes.ts";
import type { RedisServer } from "./server.ts";

let names = 0;

/** So many processes of one bot, as far as they know of each other; of a bot of their own. */
export async function openNeighbours(
  server: RedisServer,
  count: number,
): Promise<readonly RedisProcesses[]> {
  names += 1;
  const name = `bot${names}`;
  return Promise.all(
    Array.from({ length: count }, async () => {
      const database = await openRedis({ url: server.url, name });
      const processes = await openRedisProcesses(database);
      onTestFinished(() => {
        processes.close();
        database.close();
      });
      return processes;
    }),
  );
}
