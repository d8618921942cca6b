import { describe, expect, test } from "vitest";
import { sweep } from "../src/retention.ts";
import { silentLog } from "./fakes/silent-log.ts";

const dayMs = 24 * 60 * 60 * 1_000;
const nowMs = Date.UTC(2026, 10, 21);
const daysAgo = (ms: number) => (nowMs - ms) / dayMs;

/** What a sweep asked for, in days before now. */
async function swept(days?: number) {
  const forgotten: number[] = [];
  const pruned: { readonly events: number; readonly setAside: number }[] = [];
  const count = await sweep({
    threads: {
      forgetOlderThan: async (beforeMs) => {
        forgotten.push(daysAgo(beforeMs));
        return 7;
      },
    },
    queue: {
      prune: async ({ eventsBeforeMs, setAsideBeforeMs }) => {
        pruned.push({ events: daysAgo(eventsBeforeMs), setAside: daysAgo(setAsideBeforeMs) });
        return 0;
      },
    },
    days,
    now: () => nowMs,
    log: silentLog,
  });
  return { count, forgotten, pruned };
}

describe("the daily sweep", () => {
  test("deletes what is older than RETENTION_DAYS, and says how many conversations that was", async () => {
    expect(await swept(90)).toMatchObject({ forgotten: [90], count: 7 });
  });

  test("deletes nothing that was said when nothing is said of how long to keep it", async () => {
    expect(await swept()).toMatchObject({ forgotten: [], count: 0 });
  });

  test("keeps what was set aside as long as what was said", async () => {
    expect((await swept(90)).pruned).toMatchObject([{ setAside: 90 }]);
    expect((await swept()).pruned).toMatchObject([{ setAside: daysAgo(0) }]);
  });

  test.each([
    ["a month", undefined, 30],
    ["a month", 90, 30],
    ["no longer than what was said is kept", 7, 7],
  ])("remembers what was delivered for %s (%s)", async (_words, days, remembered) => {
    expect((await swept(days)).pruned).toMatchObject([{ events: remembered }]);
  });
});
