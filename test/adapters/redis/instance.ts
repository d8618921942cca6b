import { openRedis, type RedisDatabase } from "../../../adapters/redis/database.ts";
import { createRedisLedger } from "../../../adapters/redis/ledger.ts";
import { thisMoment } from "../../../adapters/redis/proof.ts";
import { openRedisRunQueue, type RedisRunQueue } from "../../../adapters/redis/run-queue.ts";
import type { QueueInstance } from "../../contracts/run-queue.ts";
import type { RedisServer } from "./server.ts";

let names = 0;

/** A queue under a name of its own on a server. */
export async function createRedisInstance(server: RedisServer): Promise<QueueInstance> {
  names += 1;
  return openInstance(server.url, `bot${names}`, []);
}

async function openInstance(
  url: string,
  name: string,
  opened: { readonly database: RedisDatabase; readonly queue: RedisRunQueue }[],
): Promise<QueueInstance> {
  const database = await openRedis({ url, name });
  const lockMs = 5_000;
  let sleptMs = 0;
  const queue = await openRedisRunQueue({
    database,
    sweepMs: 20,
    crashBackoffMs: 1,
    leaseTimes: { lockMs, checkMs: 20 },
    now: () => ({ steadyMs: thisMoment().steadyMs + sleptMs, wallMs: Date.now() }),
  });
  opened.push({ database, queue });
  return {
    queue,
    ledger: createRedisLedger(database),
    reopen: async () => {
      await queue.close();
      database.close();
      await lapse(url, name);
      return openInstance(url, name, opened);
    },
    takeOver: async () => {
      // It goes on with what it has, and takes nothing of what lapses.
      queue.stop(600_000).catch(() => undefined);
      sleptMs += lockMs;
      await lapse(url, name);
      return openInstance(url, name, opened);
    },
    close: async () => {
      for (const one of opened) {
        await one.queue.close();
        one.database.close();
      }
    },
  };
}

/** Does at once what time does: every lock lapses, BullMQ gives back what was held, all is overdue. */
async function lapse(url: string, name: string): Promise<void> {
  const database = await openRedis({ url, name });
  const jobs = `${database.prefix}wake:`;
  const held = await database.client.lRange(`${jobs}active`, 0, -1);
  await Promise.all(held.map((jobId) => database.client.del(`${jobs}${jobId}:lock`)));
  for (const jobId of held) {
    await database.client.lRem(`${jobs}active`, 1, jobId);
    await database.client.rPush(`${jobs}wait`, jobId);
  }
  if (held.length > 0) await database.client.zAdd(`${jobs}marker`, { score: 0, value: "0" });
  const due = await database.client.zRange(`${database.prefix}due`, 0, -1);
  for (const conversationKey of due) {
    await database.client.zAdd(`${database.prefix}due`, { score: 0, value: conversationKey });
  }
  database.close();
}
