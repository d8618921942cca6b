import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { openRedis } from "../../../adapters/redis/database.ts";
import { Inbox } from "../../../adapters/redis/inbox.ts";
import { openRedisRunQueue } from "../../../adapters/redis/run-queue.ts";
import { BotError } from "../../../src/domain/errors.ts";
import type { RunHandler } from "../../../src/ports/run-queue.ts";
import { hasRedis, RedisServer } from "./server.ts";

const patient = { timeout: 30_000 };

const message = (eventId: string) => ({
  eventId,
  conversationKey: "talk",
  personKey: "ada",
  payload: null,
  detail: 0,
  bounds: { waitingPerConversation: 10, perPersonPerMinute: 100 },
});

describe.skipIf(!hasRedis)("a queue whose Redis", () => {
  let server: RedisServer;
  beforeEach(async () => {
    server = await RedisServer.start();
  });
  afterEach(() => server.remove());

  async function work(handler: RunHandler) {
    const database = await openRedis({ url: server.url });
    const queue = await openRedisRunQueue({ database, sweepMs: 20, crashBackoffMs: 1 });
    onTestFinished(async () => {
      await queue.close();
      database.close();
    });
    await queue.start(handler, {
      concurrency: 2,
      select: () => ({ take: [], drop: [] }),
    });
    return { database, queue };
  }

  test("fails again and again under a run blames no message for it", async () => {
    const attempts: number[] = [];
    const { queue } = await work(async ({ attempt }) => {
      attempts.push(attempt);
      if (attempts.length < 6) throw new BotError("store-unavailable");
      return { type: "done", change: {} };
    });
    await queue.accept(message("e1"));
    await expect.poll(() => attempts, patient).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test("took a message whose wake-up was lost has it answered all the same", async () => {
    const answered: string[] = [];
    const { database } = await work(async ({ items }) => {
      answered.push(...items.map(({ eventId }) => eventId));
      return { type: "done", change: {} };
    });
    // As by a process that is killed between the two.
    await new Inbox(database, "", () => ["told", "news"]).accept(message("e1"));
    await database.send(["ZADD", `${database.prefix}due`, "0", "talk"]);
    await expect.poll(() => answered, patient).toEqual(["e1"]);
  });

  test("is gone when it has to stop does not keep it from stopping", async () => {
    let hasBegun = false;
    const { queue } = await work(async ({ signal }) => {
      hasBegun = true;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return { type: "retry", afterMs: 0, checkpoint: null };
    });
    await queue.accept(message("e1"));
    await expect.poll(() => hasBegun, patient).toBe(true);
    await server.kill();
    await queue.stop(0);
    await queue.close();
  });
});
