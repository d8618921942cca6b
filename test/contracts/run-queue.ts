import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Json } from "#domain/json";
import type { Ledger } from "#ports/ledger";
import type { Retention } from "#ports/retention";
import {
  type InboxItem,
  LeaseLost,
  type NewMessage,
  type Outcome,
  type QueueOptions,
  type RunQueue,
} from "#ports/run-queue";
import { Desk } from "./desk.ts";

/** One instance of a queue, with the ledger of the same engine, and ways to lose it. */
export interface QueueInstance {
  readonly queue: RunQueue & Retention;
  readonly ledger: Ledger;
  /** Kills the instance (as kill -9 does) and opens another on what was durable. */
  reopen(): Promise<QueueInstance>;
  /** Another instance on the same data, to which the leases of this one, still living, have lapsed. */
  takeOver(): Promise<QueueInstance>;
  /** Lets go of everything, the instances that were reopened included. */
  close(): Promise<void>;
}

/** What any {@link RunQueue} must do. */
export function describeRunQueue(name: string, create: () => Promise<QueueInstance>): void {
  describe(`${name} as a run queue`, () => {
    let instance: QueueInstance;
    let desk: Desk;

    beforeEach(async () => {
      instance = await create();
      desk = new Desk();
    });
    afterEach(() => instance.close());

    const accept = async (eventId: string, more: Partial<NewMessage> = {}) =>
      (await instance.queue.accept(message(eventId, more))).status;

    /** Kills the instance and starts another at a new desk. */
    async function restart(options: Partial<QueueOptions> = {}): Promise<void> {
      instance = await instance.reopen();
      desk = new Desk();
      await desk.open(instance.queue, options);
    }

    /** Waits until everything that could begin has begun: a message elsewhere has come through, at any desk. */
    async function settle(...desks: readonly Desk[]): Promise<void> {
      const eventId = `probe-${probes++}`;
      await instance.queue.accept(message(eventId, { conversationKey: eventId }));
      const run = await Promise.any([desk, ...desks].map((one) => one.leaseOf(eventId)));
      run.finish(done());
      await vi.waitFor(async () => {
        expect((await instance.queue.inspect(eventId)).running).toBe(0);
      });
    }

    describe("accepting", () => {
      test("an accepted message comes to the handler as it was given", async () => {
        await desk.open(instance.queue);
        expect(await accept("e1", { payload: { text: "hello", files: [1, null] } })).toBe(
          "accepted",
        );
        const { lease } = await desk.next();
        expect(lease.conversationKey).toBe("talk");
        expect(lease.attempt).toBe(1);
        expect(lease.controls).toEqual([]);
        expect(lease.checkpoint).toBeUndefined();
        expect(lease.journal).toBeUndefined();
        expect(lease.stopRequested).toBe(false);
        expect(lease.items).toEqual([
          {
            eventId: "e1",
            kind: "message",
            personKey: "ada",
            payload: { text: "hello", files: [1, null] },
            acceptedAtMs: expect.any(Number),
          },
        ]);
      });

      test("a repeat is a duplicate while it waits, while it runs and when it is answered", async () => {
        expect(await accept("e1")).toBe("accepted");
        expect(await accept("e1")).toBe("duplicate");
        await desk.open(instance.queue);
        const run = await desk.next();
        expect(await accept("e1")).toBe("duplicate");
        run.finish(done());
        await idle(instance.queue);
        expect(await accept("e1")).toBe("duplicate");
        await settle();
        expect(desk.answered("talk")).toEqual(["e1"]);
      });

      test("a repeat is a duplicate after a crash", async () => {
        await accept("e1");
        instance = await instance.reopen();
        expect(await accept("e1")).toBe("duplicate");
      });

      test("many at once are accepted once each", async () => {
        const results = await Promise.all(
          Array.from({ length: 40 }, (_, index) => accept(`e${index % 20}`)),
        );
        expect(results.filter((result) => result === "accepted")).toHaveLength(20);
        expect((await instance.queue.inspect("talk")).waiting).toHaveLength(20);
      });

      test("a repeat that knows more completes what waits, and one that knows less does not", async () => {
        await accept("e1", { payload: "text", detail: 0 });
        await accept("e1", { payload: "text and files", detail: 2 });
        await accept("e1", { payload: "text and a file", detail: 1 });
        await desk.open(instance.queue);
        expect((await desk.next()).payloads()).toEqual(["text and files"]);
      });

      test("a repeat that knows more changes nothing once a run has begun", async () => {
        await desk.open(instance.queue);
        await accept("e1", { payload: "text", detail: 0 });
        await desk.next();
        await accept("e1", { payload: "text and files", detail: 2 });
        await restart();
        expect((await desk.next()).payloads()).toEqual(["text"]);
      });

      test("a full conversation refuses, keeps nothing of it, and takes it later", async () => {
        const bounds = { waitingPerConversation: 2, perPersonPerMinute: 100 };
        await accept("e1", { bounds });
        await accept("e2", { bounds });
        expect(await accept("e3", { bounds })).toBe("conversation-full");
        expect(await accept("e2", { bounds })).toBe("duplicate");
        expect(await accept("x1", { bounds, conversationKey: "other" })).toBe("accepted");
        await instance.queue.cancel("talk", "queued");
        expect(await accept("e3", { bounds })).toBe("accepted");
      });

      test("the message that runs does not count as waiting", async () => {
        const bounds = { waitingPerConversation: 1, perPersonPerMinute: 100 };
        await desk.open(instance.queue);
        await accept("e1", { bounds });
        await desk.next();
        expect(await accept("e2", { bounds })).toBe("accepted");
        expect(await accept("e3", { bounds })).toBe("conversation-full");
      });

      test("a person who writes too fast is refused in every conversation; others are not", async () => {
        const bounds = { waitingPerConversation: 100, perPersonPerMinute: 2 };
        await accept("e1", { bounds });
        await accept("e2", { bounds, conversationKey: "other" });
        expect(await accept("e3", { bounds, conversationKey: "third" })).toBe("person-too-fast");
        expect(await accept("e4", { bounds, personKey: "grace" })).toBe("accepted");
        expect((await instance.queue.inspect("third")).waiting).toEqual([]);
      });
    });

    describe("order", () => {
      test("a conversation is answered in order of arrival, one at a time", async () => {
        await desk.open(instance.queue);
        for (const eventId of ["e1", "e2", "e3"]) await accept(eventId);
        for (const eventId of ["e1", "e2", "e3"]) {
          const run = await desk.next();
          expect(run.events()).toEqual([eventId]);
          await settle();
          expect(desk.openRuns("talk")).toBe(1);
          run.finish(done());
        }
      });

      test("conversations run side by side, up to the limit", async () => {
        await desk.open(instance.queue, { concurrency: 2 });
        for (const key of ["a", "b", "c"]) await accept(`in-${key}`, { conversationKey: key });
        const first = await desk.next();
        await desk.next();
        expect(desk.leases).toHaveLength(2);
        first.finish(done());
        expect((await desk.next()).lease.conversationKey).toBe("c");
      });

      test("a conversation with many messages does not starve the others", async () => {
        for (let index = 0; index < 5; index += 1) await accept(`e${index}`);
        await accept("x1", { conversationKey: "other" });
        await desk.open(instance.queue, { concurrency: 1 });
        (await desk.next()).finish(done());
        (await desk.next()).finish(done());
        await vi.waitFor(() => expect(desk.answered("other")).toEqual(["x1"]));
        expect(desk.answered("talk").length).toBeLessThanOrEqual(2);
      });

      test("a message hears how many stand before it: the run at hand, parked or not, and what waits", async () => {
        const positionOf = async (eventId: string) => {
          const answer = await instance.queue.accept(message(eventId));
          return answer.status === "accepted" ? answer.position : undefined;
        };
        expect(await positionOf("e1")).toBe(0);
        expect(await positionOf("e2")).toBe(1);
        await desk.open(instance.queue);
        const run = await desk.next();
        expect(await positionOf("e3")).toBe(2);
        run.finish({ type: "parked", untilMs: Date.now() + 60_000, checkpoint: null });
        await parked(instance.queue);
        expect(await positionOf("e4")).toBe(3);
        expect(await positionOf("e4")).toBeUndefined();
      });

      test("the policy decides what a run takes and what it replaces", async () => {
        for (const eventId of ["e1", "e2", "e3", "e4"]) await accept(eventId);
        await desk.open(instance.queue, {
          select: (_key, waiting) => ({
            take: waiting.slice(1, 3).map(({ eventId }) => eventId),
            drop: waiting.slice(0, 1).map(({ eventId }) => eventId),
          }),
        });
        const run = await desk.next();
        expect(run.events()).toEqual(["e2", "e3"]);
        expect(await accept("e1")).toBe("duplicate");
        expect(waitingOf(await instance.queue.inspect("talk"))).toEqual(["e4"]);
      });

      test("a policy that takes nothing does not stop the line", async () => {
        await accept("e1");
        await desk.open(instance.queue, { select: () => ({ take: [], drop: [] }) });
        expect((await desk.next()).events()).toEqual(["e1"]);
      });
    });

    describe("crashes", () => {
      test("what waits survives, in order", async () => {
        for (const eventId of ["e1", "e2", "e3"]) await accept(eventId);
        await restart();
        for (let index = 0; index < 3; index += 1) (await desk.next()).finish(done());
        await idle(instance.queue);
        expect(desk.answered("talk")).toEqual(["e1", "e2", "e3"]);
      });

      test("an interrupted run begins again with the same messages, whatever came meanwhile", async () => {
        const takeTwo: Partial<QueueOptions> = {
          select: (_key, waiting) => ({
            take: waiting.slice(0, 2).map(({ eventId }) => eventId),
            drop: [],
          }),
        };
        for (const eventId of ["e1", "e2", "e3"]) await accept(eventId);
        await desk.open(instance.queue, takeTwo);
        const before = (await desk.next()).lease;
        await before.save({ step: 1 });
        await before.save({ step: 2 });
        await before.saveJournal({ shown: ["m1"] });
        await accept("e4");
        await restart(takeTwo);
        const { lease } = await desk.next();
        expect(lease.items.map(({ eventId }) => eventId)).toEqual(["e1", "e2"]);
        expect(lease.checkpoint).toEqual({ step: 2 });
        expect(lease.journal).toEqual({ shown: ["m1"] });
        expect(lease.attempt).toBe(2);
        expect(lease.epoch > before.epoch).toBe(true);
      });

      test("interrupted conversations come before those that only wait", async () => {
        await desk.open(instance.queue, { concurrency: 1 });
        await accept("e1", { conversationKey: "interrupted" });
        await desk.next();
        await accept("e2", { conversationKey: "waiting" });
        await restart({ concurrency: 1 });
        expect((await desk.next()).lease.conversationKey).toBe("interrupted");
      });

      test("what is done stays done", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        (await desk.next()).finish(done());
        await idle(instance.queue);
        await restart();
        await settle();
        expect(desk.answered("talk")).toEqual([]);
      });

      test("runs that were interrupted often go one at a time", async () => {
        await desk.open(instance.queue);
        for (const key of ["a", "b"]) await accept(`in-${key}`, { conversationKey: key });
        await desk.next();
        await desk.next();
        await restart();
        await desk.next();
        await desk.next();
        await restart();
        const first = await desk.next();
        expect(first.lease.attempt).toBe(3);
        await settle();
        expect(desk.leases.filter((run) => run.isOpen)).toEqual([first]);
        first.finish(done());
        const second = await desk.next();
        expect(second.lease.attempt).toBe(3);
        expect(second.lease.conversationKey).not.toBe(first.lease.conversationKey);
      });

      test("a handler that throws has the run again, counted as a crash", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const first = await desk.next();
        await first.lease.save("saved");
        first.crash(new Error("a bug"));
        const { lease } = await desk.next();
        expect(lease.attempt).toBe(2);
        expect(lease.checkpoint).toBe("saved");
        expect(lease.items.map(({ eventId }) => eventId)).toEqual(["e1"]);
      });
    });

    describe("fencing", () => {
      test("a lease that was taken over can write nothing, and is told", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const old = await desk.next();
        await old.lease.save("old");
        await expect(old.lease.assertOwner()).resolves.toBeUndefined();
        const other = await instance.takeOver();
        const otherDesk = new Desk();
        await otherDesk.open(other.queue);
        const { lease } = await otherDesk.next();
        expect(lease.checkpoint).toBe("old");
        expect(lease.epoch > old.lease.epoch).toBe(true);

        await expect(old.lease.assertOwner()).rejects.toThrow(LeaseLost);
        await expect(old.lease.save("late")).rejects.toThrow(LeaseLost);
        await expect(old.lease.saveJournal("late")).rejects.toThrow(LeaseLost);
        expect(old.lease.signal.reason).toBe("lease-lost");
        old.finish(done({ registers: [{ name: "answered-by", value: "old" }] }));
        await lease.save("new", { registers: [{ name: "answered-by", value: "new" }] });
        await settle(otherDesk);
        expect(await instance.ledger.read("answered-by")).toMatchObject({ value: "new" });
        expect((await other.queue.inspect("talk")).running).toBe(1);
      });

      test("a lease can write nothing once its handler has returned", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const run = await desk.next();
        run.finish({ type: "parked", untilMs: Date.now() + 60_000, checkpoint: "parked" });
        await parked(instance.queue);
        await expect(run.lease.save("late")).rejects.toThrow(LeaseLost);
        await expect(run.lease.assertOwner()).rejects.toThrow(LeaseLost);
      });

      test("the epoch rises with every lease", async () => {
        await desk.open(instance.queue);
        const epochs: string[] = [];
        for (let index = 0; index < 40; index += 1) {
          await accept(`e${index}`);
          const run = await desk.next();
          epochs.push(run.lease.epoch);
          run.finish(done());
        }
        expect(epochs).toEqual([...epochs].sort());
        expect(new Set(epochs).size).toBe(40);
      });
    });

    describe("outcomes", () => {
      test("done applies its change together with the end of the run", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const run = await desk.next();
        run.finish(done({ appends: [{ list: "transcript", value: "hello" }] }));
        await idle(instance.queue);
        expect(await instance.ledger.items("transcript", { limit: 9 })).toMatchObject([
          { value: "hello" },
        ]);
      });

      test("a checkpoint is stored together with its change", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        await (await desk.next()).lease.save("step", {
          counts: [{ counter: "usage", field: "tokens", by: 7 }],
        });
        await restart();
        expect((await desk.next()).lease.checkpoint).toBe("step");
        expect(await instance.ledger.counts("usage")).toEqual({ tokens: 7 });
      });

      test("the next run knows nothing of the one before", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const first = await desk.next();
        await first.lease.save("mine");
        await first.lease.saveJournal("mine");
        await instance.queue.cancel("talk", "current");
        await instance.queue.control(control("c1", "run"));
        first.finish(done());
        await accept("e2");
        const { lease } = await desk.next();
        expect(lease.checkpoint).toBeUndefined();
        expect(lease.journal).toBeUndefined();
        expect(lease.stopRequested).toBe(false);
        expect(lease.signal.aborted).toBe(false);
        expect(lease.controls).toEqual([]);
        expect(lease.attempt).toBe(1);
      });

      test("retry has the same run again, not counted as a crash", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        await accept("e2");
        (await desk.next()).finish({ type: "retry", afterMs: 1, checkpoint: "so far" });
        const { lease } = await desk.next();
        expect(lease.attempt).toBe(1);
        expect(lease.items.map(({ eventId }) => eventId)).toEqual(["e1"]);
        expect(lease.checkpoint).toBe("so far");
      });

      test("a retry that is not due yet holds its line, over a crash too", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        (await desk.next()).finish({ type: "retry", afterMs: 60_000, checkpoint: null });
        await accept("e2");
        await settle();
        await restart();
        await settle();
        expect(desk.openRuns("talk")).toBe(0);
      });

      test("failed sets the items aside and the conversation goes on", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        await accept("e2");
        (await desk.next()).finish({
          type: "failed",
          code: "interrupted-often",
          change: { registers: [{ name: "apology", value: true }] },
        });
        expect((await desk.next()).events()).toEqual(["e2"]);
        expect(await instance.ledger.read("apology")).toMatchObject({ value: true });
        expect(await accept("e1")).toBe("duplicate");
      });
    });

    describe("parking", () => {
      const later = () => Date.now() + 600_000;

      test("a parked run holds its line, but no worker", async () => {
        await desk.open(instance.queue, { concurrency: 1 });
        await accept("e1");
        (await desk.next()).finish({ type: "parked", untilMs: later(), checkpoint: "asked" });
        await parked(instance.queue);
        await accept("e2");
        await settle();
        expect(desk.answered("talk")).toEqual([]);
        const state = await instance.queue.inspect("talk");
        expect(state).toMatchObject({ running: 0, parked: 1 });
        expect(waitingOf(state)).toEqual(["e2"]);
      });

      test("it wakes when it is due", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        (await desk.next()).finish({
          type: "parked",
          untilMs: Date.now() + 20,
          checkpoint: "asked",
        });
        const { lease } = await desk.next();
        expect(lease.checkpoint).toBe("asked");
        expect(lease.attempt).toBe(1);
      });

      test("it wakes when it became due while nobody worked", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        (await desk.next()).finish({ type: "parked", untilMs: later(), checkpoint: 1 });
        await parked(instance.queue);
        await accept("e2", { conversationKey: "short" });
        const short = await desk.next();
        const stopped = instance.queue.stop(60_000);
        short.finish({ type: "parked", untilMs: Date.now() + 1, checkpoint: 2 });
        await stopped;
        await restart();
        expect((await desk.leaseOf("short")).lease.checkpoint).toBe(2);
        await settle();
        expect(desk.openRuns("talk")).toBe(0);
      });

      test("a decision wakes it, before the messages that wait", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        (await desk.next()).finish({ type: "parked", untilMs: later(), checkpoint: "asked" });
        await parked(instance.queue);
        await accept("e2");
        expect(await instance.queue.control(control("c1", "run", "yes"))).toBe("accepted");
        expect(await instance.queue.control(control("c1", "run", "yes"))).toBe("duplicate");
        const { lease, finish } = await desk.next();
        expect(lease.items.map(({ eventId }) => eventId)).toEqual(["e1"]);
        expect(lease.controls).toMatchObject([{ eventId: "c1", kind: "control", payload: "yes" }]);
        expect(lease.checkpoint).toBe("asked");
        finish(done());
        expect((await desk.next()).events()).toEqual(["e2"]);
      });

      test("a decision survives a crash, before and after it was given", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        (await desk.next()).finish({ type: "parked", untilMs: later(), checkpoint: "asked" });
        await parked(instance.queue);
        instance = await instance.reopen();
        await instance.queue.control(control("c1", "run", "yes"));
        await restart();
        expect((await desk.next()).lease.controls).toMatchObject([{ eventId: "c1" }]);
        await restart();
        expect((await desk.next()).lease.controls).toMatchObject([{ eventId: "c1" }]);
      });

      test("a decision is consumed by the outcome", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        (await desk.next()).finish({ type: "parked", untilMs: later(), checkpoint: 1 });
        await parked(instance.queue);
        await instance.queue.control(control("c1", "run"));
        (await desk.next()).finish({ type: "parked", untilMs: later(), checkpoint: 2 });
        await parked(instance.queue);
        await settle();
        expect(desk.openRuns("talk")).toBe(0);
        await instance.queue.control(control("c2", "run"));
        expect((await desk.next()).lease.controls).toMatchObject([{ eventId: "c2" }]);
      });

      test("a decision that comes while the run is being parked wakes it at once", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const first = await desk.next();
        const early = instance.queue.control(control("c1", "run"));
        first.finish({ type: "parked", untilMs: later(), checkpoint: "asked" });
        await early;
        const { lease } = await desk.next();
        expect(lease.controls).toMatchObject([{ eventId: "c1" }]);
        expect(lease.checkpoint).toBe("asked");
      });

      test("a decision for a run that is over is taken and forgotten", async () => {
        await desk.open(instance.queue);
        expect(await instance.queue.control(control("c1", "run"))).toBe("accepted");
        await accept("e1");
        const { lease, finish } = await desk.next();
        expect(lease.controls).toEqual([]);
        finish({ type: "parked", untilMs: later(), checkpoint: null });
        await parked(instance.queue);
        await settle();
        expect(desk.openRuns("talk")).toBe(0);
      });
    });

    describe("controls of a conversation", () => {
      test("run between runs, before waiting messages, one per lease", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const first = await desk.next();
        await accept("e2");
        await instance.queue.control(control("c1", "conversation", "new"));
        await instance.queue.control(control("c2", "conversation", "retry"));
        first.finish(done());
        const second = await desk.next();
        expect(second.lease.items).toMatchObject([
          { eventId: "c1", kind: "control", payload: "new" },
        ]);
        expect(second.lease.controls).toEqual([]);
        second.finish(done());
        const third = await desk.next();
        expect(third.events()).toEqual(["c2"]);
        third.finish(done());
        expect((await desk.next()).events()).toEqual(["e2"]);
      });

      test("run alone in an idle conversation, once, and survive a crash", async () => {
        expect(await instance.queue.control(control("c1", "conversation"))).toBe("accepted");
        expect(await instance.queue.control(control("c1", "conversation"))).toBe("duplicate");
        await restart();
        await desk.next();
        await restart();
        const run = await desk.next();
        expect(run.events()).toEqual(["c1"]);
        expect(run.lease.attempt).toBe(2);
        run.finish(done());
        await settle();
        expect(desk.answered("talk")).toEqual(["c1"]);
      });

      test("are not shown among what waits, and not removed with it", async () => {
        await accept("e1");
        await instance.queue.control(control("c1", "conversation"));
        expect(waitingOf(await instance.queue.inspect())).toEqual(["e1"]);
        expect(await instance.queue.cancel("talk", "all")).toEqual({
          current: false,
          queued: ["e1"],
        });
        await desk.open(instance.queue);
        expect((await desk.next()).events()).toEqual(["c1"]);
      });
    });

    describe("cancelling", () => {
      test("the run at hand is told, and what waits goes on", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        await accept("e2");
        const run = await desk.next();
        expect(await instance.queue.cancel("talk", "current")).toEqual({
          current: true,
          queued: [],
        });
        expect(run.lease.signal.reason).toBe("stopped");
        run.finish(done());
        expect((await desk.next()).events()).toEqual(["e2"]);
      });

      test("with nothing at hand there is nothing to stop", async () => {
        expect(await instance.queue.cancel("talk", "current")).toEqual({
          current: false,
          queued: [],
        });
      });

      test("a stop survives a crash", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        await desk.next();
        await instance.queue.cancel("talk", "current");
        await restart();
        expect((await desk.next()).lease.stopRequested).toBe(true);
      });

      test("a stop wakes a parked run, over a crash too", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const untilMs = Date.now() + 600_000;
        (await desk.next()).finish({ type: "parked", untilMs, checkpoint: "asked" });
        await parked(instance.queue);
        instance = await instance.reopen();
        expect(await instance.queue.cancel("talk", "current")).toMatchObject({ current: true });
        await restart();
        const { lease } = await desk.next();
        expect(lease.stopRequested).toBe(true);
        expect(lease.checkpoint).toBe("asked");
      });

      test("a stop that comes while the run is being parked wakes it at once", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const run = await desk.next();
        const stopped = instance.queue.cancel("talk", "current");
        run.finish({ type: "parked", untilMs: Date.now() + 600_000, checkpoint: "asked" });
        await stopped;
        expect((await desk.next()).lease.stopRequested).toBe(true);
      });

      test("a run that was told of the stop and waits again is not woken by it again", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const again = { type: "retry", afterMs: 600_000, checkpoint: null } as const;
        (await desk.next()).finish(again);
        await settle();
        await instance.queue.cancel("talk", "current");
        const told = await desk.next();
        expect(told.lease.stopRequested).toBe(true);
        told.finish(again);
        await settle();
        await settle();
        expect(desk.openRuns("talk")).toBe(0);
        await instance.queue.cancel("talk", "current");
        expect((await desk.next()).lease.stopRequested).toBe(true);
      });

      test("what waits is removed for good, and named in order", async () => {
        await desk.open(instance.queue);
        for (const eventId of ["e1", "e2", "e3"]) await accept(eventId);
        const run = await desk.next();
        expect(await instance.queue.cancel("talk", "queued")).toEqual({
          current: false,
          queued: ["e2", "e3"],
        });
        expect(run.lease.signal.aborted).toBe(false);
        expect(await accept("e2")).toBe("duplicate");
        run.finish(done());
        await restart();
        await settle();
        expect(desk.answered("talk").filter((eventId) => eventId !== "e1")).toEqual([]);
      });

      test("everything: the run at hand and what waits", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        await accept("e2");
        const run = await desk.next();
        expect(await instance.queue.cancel("talk", "all")).toEqual({
          current: true,
          queued: ["e2"],
        });
        expect(run.lease.signal.reason).toBe("stopped");
      });
    });

    describe("edits and deletions", () => {
      const edit = (eventId: string, changeId: string, payload: Json = "new") =>
        instance.queue.amend({ eventId, changeId, change: { type: "edited", payload } });
      const remove = (eventId: string, changeId: string) =>
        instance.queue.amend({ eventId, changeId, change: { type: "deleted" } });

      test("of a waiting message replace or remove it", async () => {
        await accept("e1", { payload: "old" });
        await accept("e2");
        expect(await edit("e1", "x1")).toEqual({ state: "waiting", conversationKey: "talk" });
        expect(await remove("e2", "x2")).toEqual({ state: "waiting", conversationKey: "talk" });
        expect(await accept("e2")).toBe("duplicate");
        await desk.open(instance.queue);
        const run = await desk.next();
        expect(run.payloads()).toEqual(["new"]);
        expect(run.lease.items[0]?.amendment).toBeUndefined();
        run.finish(done());
        await settle();
        expect(desk.answered("talk")).toEqual(["e1"]);
      });

      test("a late repeat does not undo an edit", async () => {
        await accept("e1", { payload: "old" });
        await edit("e1", "x1");
        await accept("e1", { payload: "old, with files", detail: 3 });
        await desk.open(instance.queue);
        expect((await desk.next()).payloads()).toEqual(["new"]);
      });

      test("of the message that is being answered are told to its run", async () => {
        await desk.open(instance.queue);
        await accept("e1", { payload: "old" });
        const { lease } = await desk.next();
        expect(await edit("e1", "x1")).toEqual({ state: "running", conversationKey: "talk" });
        const told: InboxItem[] = [];
        lease.onAmended((item) => told.push(item));
        expect(await remove("e1", "x2")).toEqual({ state: "running", conversationKey: "talk" });
        await vi.waitFor(() =>
          expect(told).toMatchObject([
            { eventId: "e1", payload: "old", amendment: { type: "edited", payload: "new" } },
            { eventId: "e1", amendment: { type: "deleted" } },
          ]),
        );
      });

      test("of the message that is being answered survive a crash", async () => {
        await desk.open(instance.queue);
        await accept("e1", { payload: "old" });
        await desk.next();
        await edit("e1", "x1");
        await restart();
        expect((await desk.next()).lease.items).toMatchObject([
          { payload: "old", amendment: { type: "edited", payload: "new" } },
        ]);
      });

      test("of an answered message say so", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        (await desk.next()).finish(done());
        await idle(instance.queue);
        expect(await edit("e1", "x1")).toEqual({ state: "answered", conversationKey: "talk" });
      });

      test("a deletion that comes first keeps the message out; an edit that comes first does not", async () => {
        expect(await remove("e1", "x1")).toEqual({ state: "unknown" });
        expect(await edit("e2", "x2")).toEqual({ state: "unknown" });
        instance = await instance.reopen();
        expect(await accept("e1")).toBe("duplicate");
        expect(await accept("e2")).toBe("accepted");
        expect(await edit("e1", "x3")).toEqual({ state: "unknown" });
      });

      test("a repeated change does nothing and answers as the first did", async () => {
        await accept("e1", { payload: "old" });
        await edit("e1", "x1", "first");
        await edit("e1", "x2", "second");
        await desk.open(instance.queue);
        const run = await desk.next();
        expect(await edit("e1", "x1", "first")).toEqual({
          state: "waiting",
          conversationKey: "talk",
        });
        expect(run.payloads()).toEqual(["second"]);
        run.finish(done());
        await idle(instance.queue);
        instance = await instance.reopen();
        expect(await edit("e1", "x1", "first")).toMatchObject({ state: "waiting" });
      });
    });

    describe("stopping and showing", () => {
      test("stop lets running work end within the grace period and begins nothing new", async () => {
        await desk.open(instance.queue, { concurrency: 1 });
        await accept("e1");
        await accept("e2");
        const run = await desk.next();
        const stopped = instance.queue.stop(60_000);
        expect(await accept("e3")).toBe("accepted");
        expect(run.lease.signal.aborted).toBe(false);
        run.finish(done());
        await stopped;
        expect(desk.leases).toHaveLength(1);
        await restart();
        expect((await desk.next()).events()).toEqual(["e2"]);
      });

      test("stop aborts what runs longer and keeps its checkpoint, not counted as a crash", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const run = await desk.next();
        run.lease.signal.addEventListener("abort", () =>
          run.finish({ type: "retry", afterMs: 0, checkpoint: "half" }),
        );
        await instance.queue.stop(1);
        expect(run.lease.signal.reason).toBe("shutdown");
        await restart();
        const { lease } = await desk.next();
        expect(lease.attempt).toBe(1);
        expect(lease.checkpoint).toBe("half");
      });

      test("a handler that throws because of the shutdown is not counted as a crash", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        const run = await desk.next();
        run.lease.signal.addEventListener("abort", () => run.crash(new Error("aborted")));
        await instance.queue.stop(1);
        await restart();
        expect((await desk.next()).lease.attempt).toBe(1);
      });

      test("the line can be seen, as a whole and by conversation", async () => {
        await accept("e1");
        await accept("x1", { conversationKey: "other", personKey: "grace" });
        await accept("e2");
        const all = await instance.queue.inspect();
        expect(waitingOf(all)).toEqual(["e1", "x1", "e2"]);
        expect(all.waiting[1]).toMatchObject({ conversationKey: "other", personKey: "grace" });
        expect(all.oldestMs).toBeGreaterThanOrEqual(0);
        expect(waitingOf(await instance.queue.inspect("talk"))).toEqual(["e1", "e2"]);
        expect(await instance.queue.inspect("nobody")).toEqual({
          waiting: [],
          running: 0,
          parked: 0,
          oldestMs: 0,
        });
        await desk.open(instance.queue);
        await desk.next();
        expect(await instance.queue.inspect("talk")).toMatchObject({ running: 1, parked: 0 });
      });

      test("listeners hear of every line that changes, until they leave", async () => {
        const heard = new Set<string>();
        const leave = instance.queue.onChange((key) => heard.add(key));
        await accept("e1");
        await vi.waitFor(() => expect(heard).toContain("talk"));
        heard.clear();
        await desk.open(instance.queue);
        const run = await desk.next();
        await vi.waitFor(() => expect(heard).toContain("talk"));
        heard.clear();
        run.finish(done());
        await vi.waitFor(() => expect(heard).toContain("talk"));
        leave();
        heard.clear();
        await accept("e2");
        await settle();
        expect(heard).toEqual(new Set());
      });

      test("what is old is forgotten, what is in line is not", async () => {
        await desk.open(instance.queue);
        await accept("e1");
        (await desk.next()).finish(done());
        await accept("e2");
        await desk.next();
        await accept("e3");
        await instance.queue.amend({
          eventId: "gone",
          changeId: "x1",
          change: { type: "deleted" },
        });
        const prune = (atMs: number) =>
          instance.queue.prune({ eventsBeforeMs: atMs, setAsideBeforeMs: atMs });
        expect(await prune(Date.now() - 60_000)).toBe(0);
        expect(await prune(Date.now() + 60_000)).toBeGreaterThanOrEqual(2);
        expect(await accept("e2")).toBe("duplicate");
        expect(await accept("e3")).toBe("duplicate");
        expect(await accept("e1")).toBe("accepted");
        expect(await accept("gone")).toBe("accepted");
      });
    });
  });
}

let probes = 0;

function message(eventId: string, more: Partial<NewMessage> = {}): NewMessage {
  return {
    eventId,
    conversationKey: "talk",
    personKey: "ada",
    payload: eventId,
    detail: 0,
    bounds: { waitingPerConversation: 1_000, perPersonPerMinute: 1_000 },
    ...more,
  };
}

function control(eventId: string, to: "run" | "conversation", payload: Json = null) {
  return { eventId, conversationKey: "talk", payload, to };
}

function done(change: (Outcome & { type: "done" })["change"] = {}): Outcome {
  return { type: "done", change };
}

function waitingOf(state: { waiting: readonly { eventId: string }[] }): readonly string[] {
  return state.waiting.map(({ eventId }) => eventId);
}

async function idle(queue: RunQueue): Promise<void> {
  await vi.waitFor(async () => {
    expect(await queue.inspect()).toMatchObject({ waiting: [], running: 0 });
  });
}

async function parked(queue: RunQueue): Promise<void> {
  await vi.waitFor(async () => expect((await queue.inspect("talk")).parked).toBe(1));
}
