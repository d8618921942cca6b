import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Log } from "#ports/log";
import type { Outcome, RunQueue } from "#ports/run-queue";
import type { Database } from "../../../adapters/sqlite/database.ts";
import { createSqliteLedger } from "../../../adapters/sqlite/ledger.ts";
import { createSqliteRunQueue } from "../../../adapters/sqlite/run-queue.ts";
import { Desk } from "../../contracts/desk.ts";
import { Scratch } from "./scratch.ts";

describe("when the disk or a handler fails", () => {
  let scratch: Scratch;
  let database: Database;
  let queue: RunQueue;
  let desk: Desk;
  let logged: string[];

  beforeEach(() => {
    scratch = new Scratch();
    database = scratch.open();
    logged = [];
    queue = createSqliteRunQueue({ database, log: logInto(logged), crashBackoffMs: 1 });
    desk = new Desk();
  });
  afterEach(() => scratch.remove());

  const accept = (eventId: string) =>
    queue.accept({
      eventId,
      conversationKey: "talk",
      personKey: "ada",
      payload: eventId,
      detail: 0,
      bounds: { waitingPerConversation: 100, perPersonPerMinute: 100 },
    });
  const setPages = (more: number) => {
    const pages = Number(database.prepare("pragma page_count").get()?.page_count) + more;
    database.prepare(`pragma max_page_count = ${pages}`).get();
  };

  test("an answer that does not fit on a full disk is stored once there is room, not worked again", async () => {
    await desk.open(queue);
    await accept("e1");
    const run = await desk.next();
    setPages(0);
    run.finish({
      type: "done",
      change: { appends: [{ list: "transcript", value: "x".repeat(99_999) }] },
    });
    await vi.waitFor(() => expect(logged).toContain("run outcome not stored"));
    setPages(1_000);
    await vi.waitFor(async () => expect((await queue.inspect("talk")).running).toBe(0));
    const items = await createSqliteLedger(database).items("transcript", { limit: 9 });
    expect(items).toHaveLength(1);
    expect(desk.leases).toHaveLength(1);
  });

  test("stopping does not wait for a disk that stays full", async () => {
    await desk.open(queue);
    await accept("e1");
    const run = await desk.next();
    setPages(0);
    run.finish({
      type: "done",
      change: { appends: [{ list: "transcript", value: "x".repeat(99_999) }] },
    });
    await vi.waitFor(() => expect(logged).toContain("run outcome not stored"));
    await queue.stop(60_000);
    expect((await queue.inspect("talk")).running).toBe(1);
  });

  test("an outcome that can never be stored counts as a crash of the run", async () => {
    await desk.open(queue);
    await accept("e1");
    const impossible = { type: "done", change: { counts: [{ counter: "c", field: "f" }] } };
    (await desk.next()).finish(impossible as unknown as Outcome);
    const again = await desk.next();
    expect(again.lease.attempt).toBe(2);
    again.finish({ type: "done", change: {} });
    await vi.waitFor(async () => expect((await queue.inspect("talk")).running).toBe(0));
  });

  test("a policy that throws is tried again", async () => {
    let calls = 0;
    await desk.open(queue, {
      select: (_key, waiting) => {
        calls += 1;
        if (calls < 3) throw new Error("a bug");
        return { take: waiting.map(({ eventId }) => eventId), drop: [] };
      },
    });
    expect((await accept("e1")).status).toBe("accepted");
    expect((await desk.next()).events()).toEqual(["e1"]);
    expect(logged).toContain("run could not begin");
  });

  test("a listener that throws harms nobody", async () => {
    const heard: string[] = [];
    queue.onChange(() => {
      throw new Error("a bug");
    });
    queue.onChange((key) => heard.push(key));
    await accept("e1");
    await vi.waitFor(() => expect(heard).toContain("talk"));
    expect(logged).toContain("queue listener failed");
  });

  test("a run that keeps crashing is begun less and less often", async () => {
    const delaysMs: number[] = [];
    queue = createSqliteRunQueue({
      database,
      crashBackoffMs: 1_000,
      now: () => 0,
      setTimer: (_run, ms) => {
        delaysMs.push(ms);
        return () => undefined;
      },
    });
    const crash = async () => {
      throw new Error("a bug");
    };
    await queue.start(crash, {
      concurrency: 1,
      select: (_key, [first]) => ({ take: first ? [first.eventId] : [], drop: [] }),
    });
    await accept("e1");
    await vi.waitFor(() => expect(delaysMs).toEqual([1_000]));
    // The clock stands still: a stop wakes the run each time.
    for (const expected of [2_000, 4_000, 8_000, 16_000, 30_000]) {
      await queue.cancel("talk", "current");
      await vi.waitFor(() =>
        expect(database.prepare("select due_ms from runs").get()?.due_ms).toBe(expected),
      );
    }
  });

  test("a closed data file is an outage in every method", async () => {
    const ledger = createSqliteLedger(database);
    database.close();
    const unavailable = { code: "store-unavailable" };
    await expect(accept("e1")).rejects.toMatchObject(unavailable);
    await expect(queue.inspect()).rejects.toMatchObject(unavailable);
    await expect(queue.cancel("talk", "all")).rejects.toMatchObject(unavailable);
    await expect(ledger.read("a")).rejects.toMatchObject(unavailable);
    await expect(ledger.items("a", { limit: 1 })).rejects.toMatchObject(unavailable);
    await expect(ledger.apply({ removes: ["a"] })).rejects.toMatchObject(unavailable);
  });
});

function logInto(events: string[]): Log {
  const log: Log = {
    debug: (_fields, event) => events.push(event),
    info: (_fields, event) => events.push(event),
    warn: (_fields, event) => events.push(event),
    error: (_fields, event) => events.push(event),
    child: () => log,
  };
  return log;
}
