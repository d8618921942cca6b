import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Bulletin, type Notice } from "../../../adapters/redis/bulletin.ts";
import { openRedis } from "../../../adapters/redis/database.ts";
import { openRedisRunQueue } from "../../../adapters/redis/run-queue.ts";
import { hasRedis, RedisServer } from "./server.ts";

const patient = { timeout: 30_000 };

describe.skipIf(!hasRedis)("what processes tell each other of a queue", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.remove());

  async function open(self: string): Promise<{ bulletin: Bulletin; heard: Notice[] }> {
    const database = await openRedis({ url: server.url });
    const bulletin = new Bulletin(database, self);
    const heard: Notice[] = [];
    await bulletin.listen((notice) => heard.push(notice));
    onTestFinished(() => {
      bulletin.close();
      database.close();
    });
    return { bulletin, heard };
  }

  test("is heard by the others; changes only by those who follow them", async () => {
    const [teller, worker, gateway] = await Promise.all(["a", "b", "c"].map(open));
    if (!teller || !worker || !gateway) throw new Error("there are no three");
    gateway.bulletin.follow();
    await expect
      .poll(() => {
        teller.bulletin.tell({ type: "changed", conversationKey: "talk" });
        return gateway.heard;
      }, patient)
      .toContainEqual({ type: "changed", conversationKey: "talk" });
    teller.bulletin.tell({ type: "stop", conversationKey: "talk" });
    const stop = { type: "stop", conversationKey: "talk" };
    await expect.poll(() => gateway.heard, patient).toContainEqual(stop);
    await expect.poll(() => worker.heard, patient).toContainEqual(stop);
    expect(worker.heard).toEqual([stop]);
    expect(teller.heard).toEqual([]);
  });

  test("is a courtesy: where nobody may be told any more, messages are accepted and answered", async () => {
    const own = await RedisServer.start();
    const database = await openRedis({ url: own.url });
    const queue = await openRedisRunQueue({ database });
    onTestFinished(async () => {
      await queue.close();
      database.close();
      await own.remove();
    });
    await database.send(["ACL", "SETUSER", "default", "resetchannels"]);
    const accepted = await queue.accept({
      eventId: "e1",
      conversationKey: "talk",
      personKey: "ada",
      payload: null,
      detail: 0,
      bounds: { waitingPerConversation: 10, perPersonPerMinute: 10 },
    });
    expect(accepted).toEqual({ status: "accepted", position: 0 });
    const answered: string[] = [];
    await queue.start(
      async ({ items }) => {
        answered.push(...items.map(({ eventId }) => eventId));
        return { type: "done", change: {} };
      },
      { concurrency: 1, select: () => ({ take: ["e1"], drop: [] }) },
    );
    await expect.poll(() => answered, patient).toEqual(["e1"]);
    const idle = { waiting: [], running: 0 };
    await expect.poll(() => queue.inspect("talk"), patient).toMatchObject(idle);
  });
});
