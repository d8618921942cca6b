import { describe, expect, test } from "vitest";
import { BotError } from "#domain/errors";
import type { EndedReply, Platform } from "#ports/platform";
import { alone } from "#ports/processes";
import type { Outcome } from "#ports/run-queue";
import {
  LateLooks,
  lookAgainLater,
  pendingLooks,
  withoutAnswer,
} from "../../src/runs/late-looks.ts";
import { FakePlatform } from "../fakes/fake-platform.ts";
import { lateRun } from "../fakes/late-run.ts";
import { MemoryLedger } from "../fakes/memory-ledger.ts";
import { MemoryProcesses } from "../fakes/memory-processes.ts";
import { silentLog } from "../fakes/silent-log.ts";

const lateUntilMs = 100_000;
const change = { registers: [{ name: "head", value: "new" }] } as const;
const done: Outcome = { type: "done", change };

/** A platform that says what it was asked to look at, and can fail. */
class Looking extends FakePlatform {
  readonly looks: EndedReply[] = [];
  failure: Error | undefined;
  /** What happens while it looks. */
  meanwhile: (() => Promise<void>) | undefined;

  override async lookAgain(ended: EndedReply): Promise<void> {
    this.looks.push(ended);
    await this.meanwhile?.();
    if (this.failure) throw this.failure;
  }
}

async function world() {
  const ledger = new MemoryLedger();
  const clock = { nowMs: 50_000 };
  const platform = new Looking();
  const parts = {
    ledger,
    platforms: new Map<string, Platform>([["fake", platform]]),
    log: silentLog,
    now: () => clock.nowMs,
  };
  const outcome = lookAgainLater(done, lateRun({ lateUntilMs, nowMs: clock.nowMs }));
  if (outcome.type !== "done") throw new Error("it is not over");
  expect(outcome.change.registers).toContainEqual(change.registers[0]);
  await ledger.apply(outcome.change);
  const kept = async () => (await ledger.ranked("late-looks", { limit: 10 })).length;
  return { ledger, clock, platform, parts, kept };
}

test("a run nobody slept through leaves nothing to look at", () => {
  expect(lookAgainLater(done, lateRun({ nowMs: 0 }))).toBe(done);
});

test("a reply of a run that was taken over is looked at once, when nothing can come any more", async () => {
  const { clock, platform, parts, kept } = await world();
  const looks = new LateLooks({ ...parts, processes: alone });
  await looks.lookAtDue();
  expect(platform.looks).toEqual([]);
  clock.nowMs = lateUntilMs;
  await looks.lookAtDue();
  await looks.lookAtDue();
  expect(platform.looks).toHaveLength(1);
  const [ended] = platform.looks;
  expect(ended).toMatchObject({ to: { runId: "run1" }, view: { text: "all" }, sinceMs: 5 });
  expect(ended?.journal.saved.map(({ id }) => id)).toEqual(["m1"]);
  expect([...(ended?.inherited ?? [])]).toEqual(["m1"]);
  expect(ended?.isOwnIntent(ended.journal.intentId(3, 1))).toBe(true);
  expect(ended?.isOwnIntent("abd.0.0")).toBe(false);
  await expect(ended?.journal.before({ index: 1 } as never)).rejects.toThrow("taken over");
  expect(await kept()).toBe(0);
});

test("of several processes one looks", async () => {
  const { clock, platform, parts } = await world();
  clock.nowMs = lateUntilMs;
  const all = new MemoryProcesses();
  const several = [1, 2, 3].map(() => new LateLooks({ ...parts, processes: all.join() }));
  await Promise.all(several.map((looks) => looks.lookAtDue()));
  expect(platform.looks).toHaveLength(1);
});

test("what could not be looked at is tried again, and given up in the end", async () => {
  const { clock, platform, parts, kept } = await world();
  const looks = new LateLooks({ ...parts, processes: alone });
  platform.failure = new BotError("reply-impossible");
  clock.nowMs = lateUntilMs;
  await looks.lookAtDue();
  await looks.lookAtDue();
  expect(platform.looks).toHaveLength(1);
  for (let times = 0; times < 20; times += 1) {
    clock.nowMs += 60_000;
    await looks.lookAtDue();
  }
  expect(platform.looks).toHaveLength(11);
  expect(await kept()).toBe(0);
});

describe("a reply that is forgotten while it is looked at", () => {
  async function forgottenMeanwhile(failure?: Error) {
    const all = await world();
    const { ledger, clock, platform, parts } = all;
    clock.nowMs = lateUntilMs;
    platform.failure = failure;
    platform.meanwhile = async () => {
      for (const look of await pendingLooks("talk", ledger)) {
        const { register, rank } = withoutAnswer(look);
        await ledger.apply({ registers: [register], ranks: [rank] });
      }
    };
    await new LateLooks({ ...parts, processes: alone }).lookAtDue();
    platform.meanwhile = undefined;
    platform.failure = undefined;
    return all;
  }

  test.each([
    { name: "was put right", failure: undefined },
    { name: "could not be looked at", failure: new BotError("reply-impossible") },
  ])("and $name is looked at as one that is gone", async ({ failure }) => {
    const { ledger, platform, parts, kept } = await forgottenMeanwhile(failure);
    expect(platform.looks.map(({ view }) => view.text)).toEqual(["all"]);
    const [left] = await pendingLooks("talk", ledger);
    expect(left?.note.view).toMatchObject({ text: "", removed: true });
    await new LateLooks({ ...parts, processes: alone }).lookAtDue();
    expect(platform.looks.map(({ view }) => view.text)).toEqual(["all", ""]);
    expect(platform.looks.at(-1)?.view.removed).toBe(true);
    expect(await kept()).toBe(0);
    expect(await pendingLooks("talk", ledger)).toEqual([]);
  });
});

test("of a reply that was removed no word is kept", () => {
  const view = { removed: true, revision: 4 };
  const outcome = lookAgainLater(done, lateRun({ lateUntilMs, nowMs: 0, view }));
  expect(JSON.stringify(outcome)).toContain('"revision":4');
  expect(JSON.stringify(outcome)).not.toContain('"all"');
});

test("a run that waits for a person is begun again by then, and draws itself anew", () => {
  const parked: Outcome = { type: "parked", untilMs: 1_000_000, checkpoint: null };
  const at = (nowMs: number) => lookAgainLater(parked, lateRun({ lateUntilMs, nowMs }));
  expect(at(50_000)).toEqual({ ...parked, untilMs: lateUntilMs });
  expect(at(lateUntilMs)).toBe(parked);
});
