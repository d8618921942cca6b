import { SnowflakeUtil } from "discord.js";
import { describe, expect, test } from "vitest";
import { Marks, type Since } from "../../../adapters/discord/marks.ts";
import { everything, type ShardSet } from "../../../adapters/discord/shard-sets.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { silentLog } from "../../fakes/silent-log.ts";

const hourMs = 3_600_000;
const startMs = Date.UTC(2025, 4, 5, 8);

/** The id of something that was said so many hours after the start. */
const saidAt = (hours: number) =>
  String(SnowflakeUtil.generate({ timestamp: startMs + hours * hourMs }));
/** When reading back begins, in hours after the start; half a minute of tolerance is none. */
const hoursOf = (id: string) => Math.round((SnowflakeUtil.timestampFrom(id) - startMs) / hourMs);
/** A server of a shard, of two and of three. */
const guildOn = (two: number, three: number) => {
  const rest = [0, 1, 2, 3, 4, 5].find((one) => one % 2 === two && one % 3 === three) ?? 0;
  return String(BigInt(600 + rest) << 22n);
};

function scene() {
  const ledger = new MemoryLedger();
  const clock = { hours: 0 };
  const open = (set: ShardSet, isOurs = () => true) =>
    new Marks({
      set,
      ledger,
      mayWrite: isOurs,
      log: silentLog,
      now: () => startMs + clock.hours * hourMs,
    });
  /** A process that hears a set, deals with what was said at a time, and ends. */
  const hears = async (set: ShardSet, hours: number) => {
    const marks = open(set);
    const { since } = await marks.begin();
    clock.hours = hours;
    marks.hold(saidAt(hours))();
    await marks.end();
    return since;
  };
  const setOf = (index: number, shardCount: number): ShardSet => ({
    index,
    sets: shardCount,
    shardCount,
  });
  return { ledger, clock, open, hears, setOf };
}

const backTo = (since: Since | undefined, guilds: readonly (string | null)[]) =>
  guilds.map((guild) => since && hoursOf(since.of(guild)));

describe("marks", () => {
  test("of one process are its own, however many shards there are", async () => {
    const { hears } = scene();
    expect(await hears(everything(undefined), 1)).toBeUndefined();
    const since = await hears(everything(4), 2);
    expect(backTo(since, ["1", null])).toEqual([1, 1]);
  });

  test("of sets are each its own", async () => {
    const { hears, setOf } = scene();
    expect(await hears(setOf(0, 2), 1)).toBeUndefined();
    expect(await hears(setOf(1, 2), 5)).toBeUndefined();
    expect(backTo(await hears(setOf(0, 2), 6), ["1"])).toEqual([1]);
    expect(backTo(await hears(setOf(1, 2), 7), ["1"])).toEqual([5]);
    expect(backTo(await hears(setOf(0, 2), 8), ["1"])).toEqual([6]);
  });

  test("hold for each server when they are divided anew", async () => {
    const { ledger, hears, setOf } = scene();
    await hears(everything(undefined), 1);
    expect(backTo(await hears(setOf(0, 2), 2), [guildOn(0, 0), null])).toEqual([1, 1]);
    await hears(setOf(1, 2), 9);
    const guilds = [guildOn(0, 1), guildOn(1, 1)];
    expect(backTo(await hears(setOf(1, 3), 10), guilds)).toEqual([2, 9]);
    // Also for a set that is begun when others have come further.
    expect(backTo(await hears(setOf(0, 3), 11), [guildOn(1, 0), null])).toEqual([9, 2]);
    expect(backTo(await hears(setOf(1, 3), 12), guilds)).toEqual([10, 10]);
    // The third set was never begun: it is as far as all were before.
    const since = await hears(everything(undefined), 13);
    expect(backTo(since, [guildOn(0, 0), guildOn(0, 1), guildOn(0, 2)])).toEqual([11, 12, 2]);
    expect(backTo(await hears(setOf(0, 2), 14), [guildOn(0, 0)])).toEqual([13]);
    // What was put aside is not kept twice.
    expect(await ledger.names("discord/mark", { limit: 99 })).toEqual(["discord/mark/4/0"]);
  });

  test("hold for each server until all is read that was missed", async () => {
    const { clock, hears, open, setOf } = scene();
    await hears(setOf(0, 2), 2);
    await hears(setOf(1, 2), 9);
    clock.hours = 10;
    const killed = open(setOf(1, 3));
    const { since } = await killed.begin();
    const release = killed.hold(since?.earliest ?? "");
    killed.hold(saidAt(10))();
    const settled = saidAt(9.9);
    await killed.settle(settled);
    const again = open(setOf(1, 3));
    const guilds = [guildOn(0, 1), guildOn(1, 1)];
    expect(backTo((await again.begin()).since, guilds)).toEqual([2, 9]);
    expect(again.isSettled(settled)).toBe(true);
    release();
    await killed.write();
    expect(backTo((await open(setOf(1, 3)).begin()).since, guilds)).toEqual([10, 10]);
  });

  test("are not divided anew by who has lost the set", async () => {
    const { ledger, hears, open, setOf } = scene();
    await hears(setOf(0, 2), 1);
    const late = open(everything(undefined), () => false);
    await expect(late.begin()).rejects.toThrow("lost");
    const names = await ledger.names("discord/sets", { limit: 9 });
    expect(await Promise.all(names.map((name) => ledger.read(name)))).toMatchObject([
      { value: { sets: 2 } },
    ]);
  });
});
