import { describe, expect, test } from "vitest";
import { History, type NewChatMessage } from "../../../adapters/web/history.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { MemoryRecordStore } from "../../fakes/memory-record-store.ts";

describe("the history", () => {
  test("gives the newest page first and the older ones on the way up", async () => {
    const history = createHistory();
    for (let number = 1; number <= 5; number += 1) await history.add(said(`m-${number}`));
    const newest = await history.page({ channel: "general", root: null, limit: 2 });
    expect(idsOf(newest.messages)).toEqual(["m-4", "m-5"]);
    expect(newest.hasOlder).toBe(true);
    const before = newest.messages[0]?.order ?? 0;
    const older = await history.page({ channel: "general", root: null, limit: 3, before });
    expect(idsOf(older.messages)).toEqual(["m-1", "m-2", "m-3"]);
    expect(older.hasOlder).toBe(false);
  });

  test("keeps a message added twice once, with its first place", async () => {
    const history = createHistory();
    const first = await history.add(said("m-1"));
    await history.add(said("m-2"));
    const again = await history.add(said("m-1", { text: "other" }));
    expect(again).toEqual(first);
    const page = await history.page({ channel: "general", root: null, limit: 10 });
    expect(idsOf(page.messages)).toEqual(["m-1", "m-2"]);
  });

  test("puts a message in its place whose adding broke off half way", async () => {
    const ledger = new MemoryLedger();
    const records = new MemoryRecordStore();
    const history = createHistory({ ledger, records });
    const { apply } = ledger;
    ledger.apply = async () => {
      throw new Error("killed");
    };
    await expect(history.add(said("m-1", { root: "m-0" }))).rejects.toThrow("killed");
    ledger.apply = apply;
    const restarted = createHistory({ ledger, records });
    await restarted.add(said("m-1", { root: "m-0" }));
    await restarted.add(said("m-1", { root: "m-0" }));
    expect(await restarted.summary("general", "m-0")).toMatchObject({ replies: 1 });
  });

  test("counts the replies of a thread and says when the last came", async () => {
    const clock = { ms: 1_000 };
    const history = createHistory({ now: () => clock.ms });
    await history.add(said("m-1"));
    clock.ms = 2_000;
    await history.add(said("m-2", { root: "m-1" }));
    clock.ms = 3_000;
    const last = await history.add(said("m-3", { root: "m-1" }));
    const page = await history.page({ channel: "general", root: null, limit: 10 });
    expect(page.messages[0]?.thread).toEqual({ replies: 2, lastAtMs: 3_000 });
    await history.remove(last);
    expect(await history.summary("general", "m-1")).toEqual({ replies: 1, lastAtMs: 2_000 });
  });

  test("lists threads by their newest reply", async () => {
    const history = createHistory();
    await history.add(said("m-1"));
    await history.add(said("m-2"));
    await history.add(said("m-3", { root: "m-2" }));
    await history.add(said("m-4", { root: "m-1" }));
    expect(idsOf(await history.threads(10))).toEqual(["m-1", "m-2"]);
  });

  test("does not lose a change to another made at the same time", async () => {
    const history = createHistory();
    await history.add(said("m-1"));
    await Promise.all([
      history.change("m-1", (message) => ({ ...message, text: "changed" })),
      history.change("m-1", (message) => ({ ...message, refused: "no room" })),
    ]);
    expect(await history.message("m-1")).toMatchObject({ text: "changed", refused: "no room" });
  });

  test("goes on counting up after a restart, also when the clock stood still", async () => {
    const now = () => 5_000;
    const history = createHistory({ now });
    const first = history.stamp();
    expect(history.stamp()).toBeGreaterThan(first);
  });

  test("creates a channel once", async () => {
    const history = createHistory();
    const channel = { id: "sales", name: "sales", isDirect: false };
    expect(await history.createChannel(channel)).toBe(true);
    expect(await history.createChannel(channel)).toBe(false);
    expect(await history.channels()).toEqual([channel]);
  });
});

function createHistory(
  parts: {
    readonly ledger?: MemoryLedger;
    readonly records?: MemoryRecordStore;
    readonly now?: () => number;
  } = {},
): History {
  return new History({
    ledger: parts.ledger ?? new MemoryLedger(),
    records: parts.records ?? new MemoryRecordStore(),
    now: parts.now ?? Date.now,
  });
}

function said(id: string, change: Partial<NewChatMessage> = {}): NewChatMessage {
  return {
    id,
    channel: "general",
    root: null,
    author: { kind: "person", key: "web:ada", name: "Ada" },
    text: id,
    sentAtMs: 0,
    files: [],
    isForBot: false,
    ...change,
  };
}

function idsOf(messages: readonly { readonly id: string }[]): readonly string[] {
  return messages.map(({ id }) => id);
}
