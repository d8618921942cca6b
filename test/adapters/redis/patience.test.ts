import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createRecordStore } from "../../../adapters/keyv/record-store.ts";
import { openRedis, type RedisDatabase } from "../../../adapters/redis/database.ts";
import { Patience } from "../../../adapters/redis/patience.ts";
import { createRedisRecords } from "../../../adapters/redis/records.ts";
import { openRedisRunQueue } from "../../../adapters/redis/run-queue.ts";
import { WakeUps } from "../../../adapters/redis/wake-ups.ts";
import { hasRedis, RedisServer } from "./server.ts";

describe("waiting for answers", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("what comes comes, what fails fails", async () => {
    const patience = new Patience(5);
    await expect(patience.of(Promise.resolve("here"))).resolves.toBe("here");
    await expect(patience.of(Promise.reject(new Error("no")))).rejects.toThrow("no");
  });

  test("what does not come is given up, and what was asked later is waited for", async () => {
    const patience = new Patience(5);
    const first = patience.of(new Promise(() => undefined));
    const given = expect(first).rejects.toThrow("no answer within 5 seconds");
    vi.advanceTimersByTime(4_000);
    const late = Promise.withResolvers<string>();
    const second = patience.of(late.promise);
    vi.advanceTimersByTime(2_000);
    await given;
    late.resolve("late");
    await expect(second).resolves.toBe("late");
  });

  test("no timer runs while nothing is waited for", async () => {
    const patience = new Patience(5);
    await patience.of(Promise.resolve());
    vi.advanceTimersByTime(1_000);
    expect(vi.getTimerCount()).toBe(0);
    const next = patience.of(new Promise(() => undefined));
    const given = expect(next).rejects.toThrow("no answer");
    vi.advanceTimersByTime(6_000);
    await given;
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe.skipIf(!hasRedis)("a Redis that hangs", () => {
  const outage = { code: "store-unavailable" };
  const leaseTimes = { lockMs: 5_000, checkMs: 2_000 };
  let server: RedisServer;
  let database: RedisDatabase;

  beforeEach(async () => {
    server = await RedisServer.start();
    database = await openRedis({ url: server.url });
    onTestFinished(async () => {
      database.close();
      await server.remove();
    });
  });

  test("is an outage for whatever is asked of it, and answers again afterwards", async () => {
    const records = createRecordStore(createRedisRecords(database));
    const wakeUps = new WakeUps(database, leaseTimes, undefined);
    await wakeUps.add("before");
    await records.write("kept", 1);
    server.freeze();
    await Promise.all([
      expect(database.send(["PING"])).rejects.toMatchObject(outage),
      expect(records.read("kept")).rejects.toMatchObject(outage),
      expect(records.readMany(["kept"])).rejects.toMatchObject(outage),
      expect(records.write("kept", 2)).rejects.toMatchObject(outage),
      expect(records.remove("other")).rejects.toMatchObject(outage),
      expect(wakeUps.add("meanwhile")).rejects.toMatchObject(outage),
      expect(openRedis({ url: server.url })).rejects.toMatchObject(outage),
    ]);
    server.thaw();
    await vi.waitFor(() => database.send(["PING"]), { timeout: 60_000 });
    // What was given up had been sent.
    expect(await records.read("kept")).toBe(2);
  });

  test("does not hold a process that has nothing at hand", async () => {
    const queue = await openRedisRunQueue({ database, leaseTimes });
    onTestFinished(() => queue.close());
    await queue.start(async () => ({ type: "done", change: {} }), {
      concurrency: 2,
      select: (_key, waiting) => ({ take: waiting.map(({ eventId }) => eventId), drop: [] }),
    });
    server.freeze();
    await queue.stop(600_000);
    server.thaw();
  });
});
