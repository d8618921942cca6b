import { expect, test } from "vitest";
import { BotError } from "#domain/errors";
import { emptyView } from "#domain/reply-view";
import type { EndedReply, Platform } from "#ports/platform";
import { alone } from "#ports/processes";
import type { Outcome } from "#ports/run-queue";
import { LateLooks, lookAgainLater } from "../../src/runs/late-looks.ts";
import { FakePlatform } from "../fakes/fake-platform.ts";
import { MemoryLedger } from "../fakes/memory-ledger.ts";
import { MemoryProcesses } from "../fakes/memory-processes.ts";
import { silentLog } from "../fakes/silent-log.ts";

type Run = Parameters<typeof lookAgainLater>[1];

const lateUntilMs = 100_000;
const change = { registers: [{ name: "head", value: "new" }] } as const;
const done: Outcome = { type: "done", change };

function runOf(lease: { readonly lateUntilMs?: number }, nowMs: number): Run {
  const segment = {
    index: 0,
    id: "m1",
    content: { type: "text", from: 0, to: 3 },
    revision: 0,
    closed: true,
  } as const;
  const work = {
    lease,
    task: { runId: "run1", place: { platform: "fake" } },
    view: { ...emptyView("run1"), text: "all" },
    state: { createdAtMs: 5 },
    replyTarget: { runId: "run1", conversationKey: "talk" },
  };
  const left = () => ({ segments: [segment], inherited: ["m1"], intentPrefix: "abc." });
  return { work, journal: { left }, nowMs } as unknown as Run;
}

/** A platform that says what it was asked to look at, and can fail. */
class Looking extends FakePlatform {
  readonly looks: EndedReply[] = [];
  failure: Error | undefined;

  override async lookAgain(ended: EndedReply): Promise<void> {
    this.looks.push(ended);
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
  const outcome = lookAgainLater(done, runOf({ lateUntilMs }, clock.nowMs));
  if (outcome.type !== "done") throw new Error("it is not over");
  expect(outcome.change.registers).toContainEqual(change.registers[0]);
  await ledger.apply(outcome.change);
  const kept = async () => (await ledger.ranked("late-looks", { limit: 10 })).length;
  return { ledger, clock, platform, parts, kept };
}

test("a run nobody slept through leaves nothing to look at", () => {
  expect(lookAgainLater(done, runOf({}, 0))).toBe(done);
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

test("a run that waits for a person is begun again by then, and draws itself anew", () => {
  const parked: Outcome = { type: "parked", untilMs: 1_000_000, checkpoint: null };
  const at = (nowMs: number) => lookAgainLater(parked, runOf({ lateUntilMs }, nowMs));
  expect(at(50_000)).toEqual({ ...parked, untilMs: lateUntilMs });
  expect(at(lateUntilMs)).toBe(parked);
});
