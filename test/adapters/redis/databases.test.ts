import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Json } from "#domain/json";
import { Bulletin, type Notice } from "../../../adapters/redis/bulletin.ts";
import { openRedis } from "../../../adapters/redis/database.ts";
import { openRedisProcesses } from "../../../adapters/redis/processes.ts";
import { openRedisRunQueue } from "../../../adapters/redis/run-queue.ts";
import { openRedisData } from "../../../adapters/redis/shared-data.ts";
import { hasRedis, RedisServer } from "./server.ts";

const patient = { timeout: 30_000 };

describe.skipIf(!hasRedis)("bots in two databases of one Redis", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.remove());

  /** A process of the bot in a database. */
  async function open(number: number) {
    const database = await openRedis({ url: `${server.url}/${number}` });
    const bulletin = new Bulletin(database, `${number}-${Math.random()}`);
    const told: (Notice | Json)[] = [];
    await bulletin.listen((notice) => told.push(notice));
    const processes = await openRedisProcesses(database);
    processes.hear("news", { told: (words) => told.push(words) });
    onTestFinished(() => {
      bulletin.close();
      processes.close();
      database.close();
    });
    const tell = async (word: string) => {
      bulletin.tell({ type: "stop", conversationKey: word });
      processes.tell("news", word);
      // Commands of one connection are carried out in order: it has been told.
      await database.send(["PING"]);
    };
    return { told, tell };
  }

  /** A queue of the bot in a database, at which the lines are shown. */
  async function openQueue(number: number) {
    const database = await openRedis({ url: `${server.url}/${number}` });
    const queue = await openRedisRunQueue({ database });
    const changed: string[] = [];
    queue.onChange((conversationKey) => changed.push(conversationKey));
    onTestFinished(async () => {
      await queue.close();
      database.close();
    });
    const accept = (conversationKey: string) =>
      queue.accept({
        eventId: conversationKey,
        conversationKey,
        personKey: "ada",
        payload: null,
        detail: 0,
        bounds: { waitingPerConversation: 10, perPersonPerMinute: 10 },
      });
    return { changed, accept };
  }

  test("hear nothing of each other, not even a stop of a conversation that both have", async () => {
    const [ours, another, theirs] = await Promise.all([open(0), open(0), open(1)]);
    await expect
      .poll(async () => {
        await another.tell("first");
        return ours.told;
      }, patient)
      .toEqual(expect.arrayContaining(["first", { type: "stop", conversationKey: "first" }]));
    await theirs.tell("theirs");
    await another.tell("last");
    await expect
      .poll(() => ours.told, patient)
      .toEqual(expect.arrayContaining(["last", { type: "stop", conversationKey: "last" }]));
    expect(JSON.stringify(ours.told)).not.toContain("theirs");
    expect(theirs.told).toEqual([]);
  });

  test("hear of each other's lines as little, and those of one database do", async () => {
    const [ours, another, theirs] = await Promise.all([4, 4, 5].map(openQueue));
    let first = 0;
    // It hears once it has subscribed.
    await expect
      .poll(async () => {
        first += 1;
        await another?.accept(`first ${first}`);
        return ours?.changed.length;
      }, patient)
      .toBeGreaterThan(0);
    await theirs?.accept("theirs");
    await another?.accept("last");
    await expect.poll(() => ours?.changed, patient).toContain("last");
    expect(ours?.changed).not.toContain("theirs");
    expect(theirs?.changed).toEqual(["theirs"]);
  });

  test("do not keep each other from being moved", async () => {
    await open(2);
    const [ours, theirs] = await Promise.all(
      [2, 3].map((number) => openRedisData(`${server.url}/${number}`)),
    );
    onTestFinished(() => {
      ours?.close();
      theirs?.close();
    });
    expect(await ours?.isAtWork()).toBe(true);
    expect(await theirs?.isAtWork()).toBe(false);
  });
});
