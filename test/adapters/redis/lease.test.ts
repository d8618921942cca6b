import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { openRedis, type RedisDatabase } from "../../../adapters/redis/database.ts";
import { Inbox } from "../../../adapters/redis/inbox.ts";
import { RedisLease } from "../../../adapters/redis/lease.ts";
import { Proof } from "../../../adapters/redis/proof.ts";
import { openRedisRunQueue } from "../../../adapters/redis/run-queue.ts";
import { LeaseLost } from "../../../src/ports/run-queue.ts";
import { hasRedis, RedisServer } from "./server.ts";

/** A Redis that says what it is told to say of every lease, and notes what it is asked. */
class ToldDatabase implements RedisDatabase {
  readonly url = "";
  readonly prefix = "{bot}:";
  readonly channels = "{bot}:";
  readonly isOpen = true;
  readonly asked: string[] = [];
  connection = 1;
  says: () => Promise<string> = async () => "held";

  get client(): never {
    throw new Error("nobody needs it");
  }

  run(operation: string): Promise<unknown> {
    this.asked.push(operation);
    return this.says();
  }

  send(): Promise<unknown> {
    throw new Error("nobody needs it");
  }

  inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
    return answer;
  }

  close(): void {}
}

const begun = {
  type: "begun",
  epoch: "000000-1-me",
  attempt: 1,
  items: [],
  controls: [],
  checkpoint: undefined,
  journal: undefined,
  stopRequested: false,
  storeLostAtMs: undefined,
  takenOverAtMs: undefined,
} as const;

describe("a lease that asks whether it is the owner", () => {
  let database: ToldDatabase;
  let clock: { steadyMs: number; wallMs: number };
  const pass = (ms: number) => {
    clock = { steadyMs: clock.steadyMs + ms, wallMs: clock.wallMs + ms };
  };
  beforeEach(() => {
    database = new ToldDatabase();
    clock = { steadyMs: 5, wallMs: 1_000_000 };
  });

  function leaseOf(leaseMs: number): RedisLease {
    const now = () => clock;
    return new RedisLease({
      inbox: new Inbox(database, "{bot}:wake:", () => ["told", "news"]),
      lock: { key: "{bot}:wake:1:lock", token: "mine", ms: leaseMs },
      proof: new Proof({ database, leaseMs, now }),
      conversationKey: "talk",
      run: begun,
    });
  }

  test("is answered by Redis first, and knows it for a second at most", async () => {
    const lease = leaseOf(60_000);
    await lease.assertOwner();
    expect(database.asked).toEqual(["assert"]);
    pass(999);
    await lease.assertOwner();
    expect(database.asked).toHaveLength(1);
    pass(1);
    await lease.assertOwner();
    expect(database.asked).toHaveLength(2);
  });

  test.each(["save", "saveJournal"] as const)(
    "knows it from the answer to %s, too",
    async (write) => {
      const lease = leaseOf(60_000);
      await lease[write]({});
      await lease.assertOwner();
      expect(database.asked).toEqual([write]);
      database.says = async () => "held lapsed";
      await lease[write]({});
      await lease.assertOwner();
      expect(database.asked).toEqual([write, write, "assert"]);
    },
  );

  test("knows it while a further write is on its way", async () => {
    const lease = leaseOf(60_000);
    await lease.assertOwner();
    const answer = Promise.withResolvers<string>();
    database.says = () => answer.promise;
    const saved = lease.save({});
    await lease.assertOwner();
    expect(database.asked).toEqual(["assert", "save"]);
    answer.resolve("held");
    await saved;
  });

  test("knows it for a quarter of a short lease", async () => {
    const lease = leaseOf(2_000);
    await lease.assertOwner();
    pass(499);
    await lease.assertOwner();
    expect(database.asked).toHaveLength(1);
    pass(1);
    await lease.assertOwner();
    expect(database.asked).toHaveLength(2);
  });

  test("counts from when it asked, not from when it was answered", async () => {
    const lease = leaseOf(60_000);
    database.says = async () => {
      pass(600);
      return "held";
    };
    await lease.assertOwner();
    pass(400);
    await lease.assertOwner();
    expect(database.asked).toHaveLength(2);
  });

  test.each([
    { clock: "that runs while the process is stopped", steadyMs: 60_000, wallMs: 0 },
    { clock: "that is right when the machine wakes up", steadyMs: 0, wallMs: 60_000 },
    { clock: "that was set back", steadyMs: 0, wallMs: -60_000 },
  ])("asks again after a pause by the clock $clock", async ({ steadyMs, wallMs }) => {
    const lease = leaseOf(5_000);
    await lease.assertOwner();
    clock = { steadyMs: clock.steadyMs + steadyMs, wallMs: clock.wallMs + wallMs };
    database.says = async () => "lost";
    await expect(lease.assertOwner()).rejects.toThrow(LeaseLost);
    expect(lease.signal.reason).toBe("lease-lost");
  });

  test("asks again once the connection was lost, and when that happened before the answer", async () => {
    const lease = leaseOf(5_000);
    await lease.assertOwner();
    database.connection += 1;
    await lease.assertOwner();
    expect(database.asked).toHaveLength(2);
    pass(5_000);
    database.says = async () => {
      database.connection += 1;
      return "held";
    };
    await lease.assertOwner();
    await lease.assertOwner();
    expect(database.asked).toHaveLength(4);
  });

  test("asks again at once when it slept over the answer", async () => {
    const lease = leaseOf(5_000);
    database.says = async () => {
      pass(2_500);
      database.says = async () => "lost";
      return "held";
    };
    await expect(lease.assertOwner()).rejects.toThrow(LeaseLost);
    expect(database.asked).toHaveLength(2);
  });

  test("asks again whatever it knew when that is in doubt", async () => {
    const lease = leaseOf(5_000);
    await lease.assertOwner();
    await lease.confirm();
    expect(database.asked).toHaveLength(2);
  });

  test("knows nothing any more once a write was refused or failed", async () => {
    const lease = leaseOf(5_000);
    for (const refused of ["lost", new Error("out of reach")]) {
      database.says = async () => "held";
      await lease.assertOwner();
      database.says = async () => {
        if (typeof refused === "string") return refused;
        throw refused;
      };
      await expect(lease.saveJournal({})).rejects.toThrow();
      await expect(lease.assertOwner()).rejects.toThrow();
    }
  });

  test("believes no answer that was overtaken by a refusal", async () => {
    const lease = leaseOf(5_000);
    const answer = Promise.withResolvers<string>();
    database.says = () => answer.promise;
    const asserted = lease.assertOwner();
    database.says = async () => "lost";
    await expect(lease.save({})).rejects.toThrow(LeaseLost);
    answer.resolve("held");
    await asserted;
    await expect(lease.assertOwner()).rejects.toThrow(LeaseLost);
  });

  test("every write is fenced, whatever is known of the lease", async () => {
    const lease = leaseOf(5_000);
    await lease.assertOwner();
    database.says = async () => "lost";
    await expect(lease.save({})).rejects.toThrow(LeaseLost);
  });

  test("is not the owner once its work is over", async () => {
    const lease = leaseOf(5_000);
    await lease.assertOwner();
    lease.end();
    await expect(lease.assertOwner()).rejects.toThrow(LeaseLost);
  });

  test("asks each time once the lease had lapsed for a while", async () => {
    const lease = leaseOf(60_000);
    database.says = async () => "held lapsed";
    await lease.assertOwner();
    await lease.assertOwner();
    expect(database.asked).toHaveLength(2);
    database.says = async () => "stop lapsed";
    await lease.assertOwner();
    expect(lease.signal.reason).toBe("stopped");
  });

  test("learns of a stop from the answer", async () => {
    const lease = leaseOf(5_000);
    await lease.assertOwner();
    database.says = async () => "stop";
    await lease.assertOwner();
    expect(lease.signal.aborted).toBe(false);
    pass(1_000);
    await lease.assertOwner();
    expect(lease.signal.reason).toBe("stopped");
  });
});

describe.skipIf(!hasRedis)("a connection to Redis", () => {
  test("has another number once it was lost, and once there is a new one", async () => {
    const server = await RedisServer.start();
    const database = await openRedis({ url: server.url });
    onTestFinished(async () => {
      database.close();
      await server.remove();
    });
    const first = database.connection;
    await database.send(["PING"]);
    expect(database.connection).toBe(first);
    await server.kill();
    await vi.waitFor(() => expect(database.connection).not.toBe(first), { timeout: 30_000 });
    await server.run();
    await vi.waitFor(() => database.send(["PING"]), { timeout: 30_000 });
    const second = database.connection;
    expect(second).not.toBe(first);
    await database.send(["PING"]);
    expect(database.connection).toBe(second);
    database.close();
    expect(database.connection).not.toBe(second);
  });
});

describe.skipIf(!hasRedis)("a lease in Redis", () => {
  test("that has lapsed is held again by who asks, and said to have lapsed from then on", async () => {
    const server = await RedisServer.start();
    const database = await openRedis({ url: server.url });
    const queue = await openRedisRunQueue({ database });
    onTestFinished(async () => {
      await queue.close();
      database.close();
      await server.remove();
    });
    await queue.accept({
      eventId: "e1",
      conversationKey: "talk",
      personKey: "ada",
      payload: null,
      detail: 0,
      bounds: { waitingPerConversation: 10, perPersonPerMinute: 10 },
    });
    const inbox = new Inbox(database, `${database.prefix}wake:`, () => ["told", "news"]);
    const lock = { key: `${database.prefix}wake:1:lock`, token: "mine", ms: 60_000 };
    const select = () => ({ take: ["e1"], drop: [] });
    const run = await inbox.begin({ conversationKey: "talk", owner: "me", jobId: "1", select });
    const holder = { conversationKey: "talk", epoch: run?.epoch ?? "", lock };
    await database.send(["SET", lock.key, lock.token, "PX", "60000"]);
    expect((await inbox.assert(holder)).hasLapsed).toBe(false);
    await database.send(["DEL", lock.key]);
    expect((await inbox.assert(holder)).hasLapsed).toBe(true);
    expect(await database.send(["GET", lock.key])).toBe("mine");
    expect((await inbox.saveJournal(holder, {})).hasLapsed).toBe(true);
    await database.send(["SET", lock.key, "another's"]);
    await expect(inbox.assert(holder)).rejects.toBeInstanceOf(LeaseLost);
    await expect(inbox.save(holder, {}, undefined)).rejects.toBeInstanceOf(LeaseLost);
    await expect(inbox.saveJournal(holder, {})).rejects.toBeInstanceOf(LeaseLost);
  });
});
