import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requestTimeoutMs } from "#ports/platform";
import type { Outcome, RunHandler, RunLease } from "#ports/run-queue";
import { createRedisInstance } from "./instance.ts";
import { hasRedis, RedisServer } from "./server.ts";

/** A handler that hands out its leases, and ends them as it is told. */
class Desk {
  readonly leases: RunLease[] = [];
  readonly #ends: ((outcome: Outcome) => void)[] = [];

  readonly handler: RunHandler = (lease) => {
    this.leases.push(lease);
    return new Promise((resolve) => this.#ends.push(resolve));
  };

  async begun(count: number): Promise<RunLease> {
    await expect.poll(() => this.leases.length, { timeout: 30_000 }).toBe(count);
    return this.leases[count - 1] as RunLease;
  }

  end(outcome: Outcome): void {
    this.#ends.at(-1)?.(outcome);
  }
}

describe.skipIf(!hasRedis)("a conversation on Redis", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.remove());

  test("knows until when something of a holder that had not ended may arrive", async () => {
    const accept = (eventId: string) => ({
      eventId,
      conversationKey: "talk",
      personKey: "ada",
      payload: null,
      detail: 0,
      bounds: { waitingPerConversation: 10, perPersonPerMinute: 100 },
    });
    const options = {
      concurrency: 2,
      select: () => ({ take: [], drop: [] }),
    };
    const [asleep, desk] = [new Desk(), new Desk()];
    const first = await createRedisInstance(server);
    await first.queue.start(asleep.handler, options);
    await first.queue.accept(accept("e1"));
    expect((await asleep.begun(1)).lateUntilMs).toBeUndefined();

    const fromMs = Date.now();
    const second = await first.takeOver();
    await second.queue.start(desk.handler, options);
    const { lateUntilMs = 0 } = await desk.begun(1);
    const laterMs = 5_000 + requestTimeoutMs;
    expect(lateUntilMs).toBeGreaterThanOrEqual(fromMs + laterMs - 1_000);
    expect(lateUntilMs).toBeLessThanOrEqual(Date.now() + laterMs + 1_000);

    // Whoever goes on from there has to know as well; the next run does not.
    desk.end({ type: "retry", afterMs: 0, checkpoint: null });
    expect((await desk.begun(2)).lateUntilMs).toBe(lateUntilMs);
    desk.end({ type: "done", change: {} });
    await second.queue.accept(accept("e2"));
    expect((await desk.begun(3)).lateUntilMs).toBeUndefined();
    desk.end({ type: "done", change: {} });
    asleep.end({ type: "done", change: {} });
    await first.close();
  });
});
