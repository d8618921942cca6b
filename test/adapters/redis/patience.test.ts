import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { openRedis } from "../../../adapters/redis/database.ts";
import { Patience } from "../../../adapters/redis/patience.ts";
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
  test("is an outage, and answers again afterwards", async () => {
    const server = await RedisServer.start();
    const database = await openRedis({ url: server.url });
    onTestFinished(async () => {
      database.close();
      await server.remove();
    });
    server.freeze();
    await expect(database.send(["PING"])).rejects.toMatchObject({ code: "store-unavailable" });
    server.thaw();
    await vi.waitFor(() => database.send(["PING"]), { timeout: 60_000 });
  });
});
