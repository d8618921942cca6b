import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Cut, Holder, Part } from "#ports/processes";
import { openRedis, type RedisDatabase } from "../../../adapters/redis/database.ts";
import { type OfficeTimes, RedisOffices } from "../../../adapters/redis/offices.ts";
import { hasRedis, RedisServer } from "./server.ts";

/** Quicker than it is, with leases long enough for a busy machine. */
const times: OfficeTimes = {
  leaseMs: 4_000,
  lookMs: 40,
  marginMs: 500,
  settledMs: 200,
  pauseMs: 2_000,
  unfitMs: 60_000,
  backOffMs: 40,
  mostBackOffMs: 200,
};
const never: OfficeTimes = { ...times, settledMs: 3_600_000 };
const patience = { timeout: 20_000, interval: 20 } as const;

let bots = 0;

describe.skipIf(!hasRedis)("offices on one Redis", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.remove());

  function bot() {
    bots += 1;
    const name = `bot${bots}`;
    /** By part: whoever has begun and not ended, as it happens. */
    const said: string[] = [];
    let members = 0;
    const join = async (
      options: {
        readonly cut?: Cut;
        readonly times?: OfficeTimes;
        readonly begin?: (part: Part) => Promise<void>;
      } = {},
    ) => {
      members += 1;
      const self = `process-${members}`;
      const database = await openRedis({ url: server.url, name });
      onTestFinished(() => database.close());
      const parts = new Map<number, Part>();
      const wanted = { cut: options.cut ?? { size: 4, parts: 4 } };
      const holder: Holder = {
        cut: async () => wanted.cut,
        begin: async (part) => {
          await options.begin?.(part);
          parts.set(part.index, part);
          said.push(`${self} begins ${part.index}`);
        },
        end: async ({ index }) => {
          if (parts.delete(index)) said.push(`${self} ends ${index}`);
        },
      };
      const offices = new RedisOffices({
        database,
        name: "door",
        self,
        holder,
        times: options.times ?? times,
      });
      onTestFinished(() => offices.close());
      const has = () => [...parts.keys()].toSorted();
      return { offices, database, has, parts, wanted };
    };
    return { join, said };
  }

  /** A process that can be killed: from now on it says nothing. */
  function silence(database: RedisDatabase) {
    database.close();
  }

  const counted = (...members: readonly { has(): readonly number[] }[]) =>
    members.map((one) => one.has().length);
  const all = (...members: readonly { has(): readonly number[] }[]) =>
    members.flatMap((one) => one.has()).toSorted();

  test("one part is one process's, and another's once it is left", async () => {
    const { join, said } = bot();
    const one = { cut: { size: 1, parts: 1 } };
    const [ours, theirs] = [await join(one), await join(one)];
    await ours.offices.open();
    await theirs.offices.open();
    expect(said).toEqual(["process-1 begins 0"]);
    await ours.offices.close();
    await expect
      .poll(() => said, patience)
      .toEqual(["process-1 begins 0", "process-1 ends 0", "process-2 begins 0"]);
    expect(theirs.parts.get(0)?.isHeld).toBe(true);
  });

  test("one process has all, and two that begin together half each", async () => {
    const { join, said } = bot();
    const both = Promise.withResolvers<void>();
    let begun = 0;
    const begin = () => {
      begun += 1;
      if (begun === 2) both.resolve();
      return both.promise;
    };
    const first = await join({ times: never, begin });
    const second = await join({ times: never, begin });
    await Promise.all([first.offices.open(), second.offices.open()]);
    await expect.poll(() => all(first, second), patience).toEqual([0, 1, 2, 3]);
    expect(counted(first, second)).toEqual([2, 2]);
    // Nothing was handed over for that.
    expect(said.filter((words) => words.includes("ends"))).toEqual([]);
    await second.offices.close();
    await expect.poll(() => first.has(), patience).toEqual([0, 1, 2, 3]);
  });

  test("a newcomer is handed over its share, a part at a time, and no more", async () => {
    const { join, said } = bot();
    const first = await join();
    await first.offices.open();
    await expect.poll(() => first.has(), patience).toHaveLength(4);
    const second = await join();
    await second.offices.open();
    await expect.poll(() => counted(first, second), patience).toEqual([2, 2]);
    const third = await join();
    await third.offices.open();
    await expect.poll(() => counted(first, second, third).toSorted(), patience).toEqual([1, 1, 2]);
    expect(all(first, second, third)).toEqual([0, 1, 2, 3]);
    // Three parts changed hands, each ended before another began it.
    expect(said.filter((words) => words.includes("ends"))).toHaveLength(3);
    const open = new Set<string>();
    for (const words of said) {
      const [, verb, part] = words.split(" ");
      if (part === undefined) throw new Error("it is always said of a part");
      expect(open.has(part)).toBe(verb === "ends");
      if (verb === "ends") open.delete(part);
      else open.add(part);
    }
  });

  test("what a killed process had others have once its time is over", async () => {
    const { join } = bot();
    const first = await join();
    const second = await join();
    await Promise.all([first.offices.open(), second.offices.open()]);
    await expect.poll(() => counted(first, second), patience).toEqual([2, 2]);
    const lost = [...first.parts.values()];
    silence(first.database);
    await expect.poll(() => second.has(), patience).toEqual([0, 1, 2, 3]);
    // By then the first one knew it by its own clock, and has ended.
    expect(lost.map(({ isHeld }) => isHeld)).toEqual([false, false]);
    await expect.poll(() => first.has(), patience).toEqual([]);
  });

  test("who could not begin hears of it, and leaves it to others", async () => {
    const { join, said } = bot();
    const failing = await join({
      begin: async () => {
        throw new Error("no connection");
      },
    });
    await expect(failing.offices.open()).rejects.toThrow("no connection");
    const other = await join();
    await other.offices.open();
    await expect.poll(() => other.has(), patience).toHaveLength(4);
    expect(said.some((words) => words.startsWith("process-1"))).toBe(false);
  });

  test("who fails later on leaves the rest to others, and tries again when it is alone", async () => {
    const { join } = bot();
    const state = { isBroken: false, tries: 0 };
    const failing = await join({
      begin: async () => {
        state.tries += 1;
        if (state.isBroken) throw new Error("no connection");
      },
    });
    const other = await join();
    await other.offices.open();
    await expect.poll(() => other.has(), patience).toHaveLength(4);
    state.isBroken = true;
    await failing.offices.open().catch(() => undefined);
    // It is handed over a part, fails, and the other has it back.
    await expect.poll(() => state.tries, patience).toBeGreaterThan(0);
    await expect.poll(() => other.has(), patience).toEqual([0, 1, 2, 3]);
    await other.offices.close();
    state.isBroken = false;
    await expect.poll(() => failing.has(), patience).toEqual([0, 1, 2, 3]);
  });

  test("all cut alike, and anew only where nobody has anything", async () => {
    const { join } = bot();
    const first = await join({ cut: { size: 2, parts: 2 } });
    const second = await join({ cut: { size: 9, parts: 3 } });
    await first.offices.open();
    await second.offices.open();
    await expect.poll(() => counted(first, second), patience).toEqual([1, 1]);
    const cuts = [...first.parts.values(), ...second.parts.values()].map(({ of }) => of);
    expect(cuts).toEqual([
      { size: 2, parts: 2 },
      { size: 2, parts: 2 },
    ]);
    await first.offices.close();
    await expect.poll(() => second.has(), patience).toEqual([0, 1]);
    expect(second.parts.get(0)?.of).toEqual({ size: 2, parts: 2 });
    await second.offices.close();
    const third = await join({ cut: { size: 9, parts: 3 } });
    await third.offices.open();
    await expect.poll(() => third.has(), patience).toEqual([0, 1, 2]);
    expect(third.parts.get(0)?.of).toEqual({ size: 9, parts: 3 });
  });

  test("what is given up is begun again as it is to be cut then", async () => {
    const { join, said } = bot();
    const only = await join({ cut: { size: 1, parts: 1 } });
    await only.offices.open();
    only.wanted.cut = { size: 3, parts: 3 };
    only.parts.get(0)?.giveUp();
    await expect.poll(() => only.has(), patience).toEqual([0, 1, 2]);
    expect(only.parts.get(2)?.of).toEqual({ size: 3, parts: 3 });
    expect(said.slice(0, 2)).toEqual(["process-1 begins 0", "process-1 ends 0"]);
  });

  test("what was lost while it slept is begun anew", async () => {
    const { join, said } = bot();
    const only = await join({
      cut: { size: 1, parts: 1 },
      times: { ...times, leaseMs: 3_000, lookMs: 300 },
    });
    await only.offices.open();
    const before = only.parts.get(0);
    // Nothing of this process happens for longer than its lease.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
    expect(before?.isHeld).toBe(false);
    await expect
      .poll(() => said, patience)
      .toEqual(["process-1 begins 0", "process-1 ends 0", "process-1 begins 0"]);
    expect(only.parts.get(0)?.isHeld).toBe(true);
    expect(before?.isHeld).toBe(false);
  });

  test("a part that is lost while it begins is ended, and nothing waits for it", async () => {
    const { join } = bot();
    const abort = new AbortController();
    const hanging = await join({
      cut: { size: 1, parts: 1 },
      begin: ({ isHeld }) =>
        new Promise((_resolve, reject) => {
          expect(isHeld).toBe(true);
          abort.signal.addEventListener("abort", () => reject(new Error("ended")));
        }),
    });
    const opening = hanging.offices.open().catch(String);
    const other = await join({ cut: { size: 1, parts: 1 } });
    await other.offices.open();
    silence(hanging.database);
    await expect.poll(() => other.has(), patience).toEqual([0]);
    abort.abort();
    expect(await opening).toContain("ended");
  });
});
