import { afterEach, describe, expect, test, vi } from "vitest";
import type { Json } from "#domain/json";
import type { Ledger } from "#ports/ledger";
import type { Portable } from "#ports/portable";
import type { RecordStore } from "#ports/record-store";
import type { RunQueue } from "#ports/run-queue";
import { Desk } from "./desk.ts";

/** A whole engine: queue, ledger and records, and the way out of it and into it. */
export interface PortableInstance {
  readonly queue: RunQueue;
  readonly ledger: Ledger;
  readonly records: RecordStore;
  readonly portable: Portable;
  close(): Promise<void>;
}

/**
 * What any {@link Portable} must do. `create` opens an empty engine each time; `createTarget` opens the one
 * that everything is moved to, where that is another.
 */
export function describePortable(
  name: string,
  create: () => Promise<PortableInstance>,
  createTarget = create,
): void {
  describe(`${name} as something that can be moved`, () => {
    const opened: PortableInstance[] = [];
    const open = async (createOne = create) => {
      const instance = await createOne();
      opened.push(instance);
      return instance;
    };
    afterEach(async () => {
      for (const instance of opened.splice(0)) await instance.close();
    });

    const accept = async (queue: RunQueue, eventId: string, conversationKey: string) => {
      const { status } = await queue.accept({
        eventId,
        conversationKey,
        personKey: "ada",
        payload: { text: eventId },
        detail: 1,
        bounds: { waitingPerConversation: 5_000, perPersonPerMinute: 5_000 },
      });
      return status;
    };
    const later = Date.now() + 600_000;

    /** A store in which everything there is stands in every state it can have. */
    async function fill({ queue, ledger, records }: PortableInstance): Promise<void> {
      const desk = new Desk();
      await desk.open(queue);
      await accept(queue, "answered", "idle");
      (await desk.next()).finish({ type: "done", change: {} });
      await accept(queue, "poison", "poisoned");
      const poison = await desk.next();
      await poison.lease.save("tried");
      poison.finish({ type: "failed", code: "interrupted-often", change: {} });
      await accept(queue, "asked", "parked");
      const asked = await desk.next();
      await asked.lease.saveJournal({ shown: ["m1"] });
      asked.finish({ type: "parked", untilMs: later, checkpoint: { question: "sure?" } });
      await vi.waitFor(async () => expect((await queue.inspect("parked")).parked).toBe(1));
      await accept(queue, "after the question", "parked");
      await accept(queue, "running", "interrupted");
      const running = await desk.next();
      await running.lease.save("half", { appends: [{ list: "steps", value: 1 }] });
      await queue.amend({
        eventId: "running",
        changeId: "x1",
        change: { type: "edited", payload: "edited" },
      });
      await queue.cancel("interrupted", "current");
      await queue.control({
        eventId: "decision",
        conversationKey: "interrupted",
        payload: "yes",
        to: "run",
      });
      await queue.control({
        eventId: "new thread",
        conversationKey: "interrupted",
        payload: "new",
        to: "conversation",
      });
      await queue.amend({ eventId: "gone", changeId: "x2", change: { type: "deleted" } });
      await ledger.apply({
        registers: [
          { name: "head", value: 1 },
          { name: "none", value: false },
        ],
        appends: ["a", "b", "c"].map((value) => ({ list: "l", value })),
        ranks: [{ ranking: "r", member: "m", score: 1.5 }],
        counts: [{ counter: "c", field: "f", by: 0.1 }],
      });
      await ledger.apply({
        registers: [{ name: "head", value: 2 }],
        replaces: [
          { list: "l", position: 1, value: null },
          { list: "l", position: 3, value: null },
        ],
      });
      await records.write("record", { deep: [null, "ü"] });
    }

    test("waiting, interrupted and parked work goes on elsewhere as if nothing had been", async () => {
      const from = await open();
      await fill(from);
      const { queue, portable } = await open(createTarget);
      await take(portable, await linesOf(from.portable));

      for (const eventId of ["answered", "poison", "asked", "running", "gone"]) {
        expect(await accept(queue, eventId, "elsewhere")).toBe("duplicate");
      }
      const repeated = { eventId: "gone", changeId: "x1", change: { type: "deleted" } as const };
      expect(await queue.amend(repeated)).toMatchObject({ state: "running" });

      const desk = new Desk();
      await desk.open(queue);
      const interrupted = await desk.next();
      expect(interrupted.lease).toMatchObject({
        conversationKey: "interrupted",
        attempt: 2,
        checkpoint: "half",
        stopRequested: true,
        items: [{ eventId: "running", amendment: { type: "edited", payload: "edited" } }],
        controls: [{ eventId: "decision", payload: "yes" }],
      });
      interrupted.finish({ type: "done", change: {} });
      expect((await desk.next()).events()).toEqual(["new thread"]);
      expect((await queue.inspect("parked")).parked).toBe(1);
      await queue.control({
        eventId: "approval",
        conversationKey: "parked",
        payload: null,
        to: "run",
      });
      const parked = await desk.next();
      expect(parked.lease).toMatchObject({
        attempt: 1,
        checkpoint: { question: "sure?" },
        journal: { shown: ["m1"] },
        items: [{ eventId: "asked", personKey: "ada", payload: { text: "asked" } }],
      });
      parked.finish({ type: "done", change: {} });
      expect((await desk.next()).events()).toEqual(["after the question"]);
    });

    test("the ledger and the records are the same elsewhere", async () => {
      const from = await open();
      await fill(from);
      const { ledger, records, portable } = await open(createTarget);
      await take(portable, await linesOf(from.portable));
      expect(await ledger.read("head")).toEqual({ value: 2, version: 2 });
      expect(await ledger.read("none")).toEqual({ value: false, version: 1 });
      expect(await ledger.counts("c")).toEqual({ f: 0.1 });
      expect(await ledger.ranked("r", { limit: 9 })).toEqual([{ member: "m", score: 1.5 }]);
      await ledger.apply({ appends: [{ list: "l", value: "d" }] });
      expect(await ledger.items("l", { limit: 9 })).toEqual([
        { position: 2, value: "b" },
        { position: 4, value: "d" },
      ]);
      expect(await records.read("record")).toEqual({ deep: [null, "ü"] });
    });

    test("what was taken in is given out again unchanged, taking it in twice as well", async () => {
      const from = await open();
      await fill(from);
      const lines = await linesOf(from.portable);
      const to = await open(createTarget);
      await take(to.portable, lines);
      expect(sorted(await linesOf(to.portable))).toEqual(sorted(lines));
      await take(to.portable, lines);
      expect(sorted(await linesOf(to.portable))).toEqual(sorted(lines));
    });

    test("what a conversation was made to forget is not kept among what was set aside", async () => {
      const { queue, portable } = await open();
      const desk = new Desk();
      await desk.open(queue);
      for (const conversationKey of ["talk", "other"]) {
        await accept(queue, `poison in ${conversationKey}`, conversationKey);
        (await desk.next()).finish({ type: "failed", code: "interrupted-often", change: {} });
      }
      await accept(queue, "forget", "talk");
      (await desk.next()).finish({ type: "done", change: {}, forgetsSetAside: true });
      await vi.waitFor(async () => expect((await queue.inspect()).running).toBe(0));
      const setAside = (await linesOf(portable)).filter(
        (line) => JSON.parse(JSON.stringify(line)).kind === "set-aside",
      );
      expect(setAside).toMatchObject([{ conversationKey: "other", eventId: "poison in other" }]);
    });

    test("more than a page of everything comes out, in order", async () => {
      const from = await open();
      const count = 1_201;
      const indexes = Array.from({ length: count }, (_, index) => index);
      await Promise.all(indexes.map((index) => accept(from.queue, `e${index}`, "long")));
      await from.ledger.apply({
        appends: indexes.map((value) => ({ list: "long", value })),
        registers: indexes.map((value) => ({ name: `r${value}`, value })),
      });
      const to = await open(createTarget);
      await take(to.portable, await linesOf(from.portable));
      const { waiting } = await to.queue.inspect("long");
      expect(waiting.map(({ eventId }) => eventId)).toEqual(indexes.map((index) => `e${index}`));
      expect(await to.ledger.items("long", { limit: count + 1 })).toHaveLength(count);
      expect(await to.ledger.names("r", { limit: count + 1 })).toHaveLength(count);
    });

    test.each<[Json, string]>([
      [{ kind: "soup" }, 'A line is of the unknown kind "soup".'],
      ["soup", "A line is not a JSON object."],
      [{ kind: "record", value: 1 }, 'In a line of the kind "record", "key" is missing.'],
      [
        { kind: "rank", ranking: "r", member: "m", score: "1" },
        'In a line of the kind "rank", "score" is not a number.',
      ],
      [
        { kind: "register", name: "r", value: 1, version: 1.5 },
        'A line of the kind "register" does not fit.',
      ],
    ])("a line that is wrong is named: %j", async (line, detail) => {
      const { portable } = await open();
      await expect(portable.importLine(line)).rejects.toMatchObject({ code: "bad-input", detail });
    });
  });
}

async function linesOf(portable: Portable): Promise<readonly Json[]> {
  const lines: Json[] = [];
  // As text, as it would lie in a file.
  for await (const line of portable.exportLines()) lines.push(JSON.parse(JSON.stringify(line)));
  return lines;
}

async function take(portable: Portable, lines: readonly Json[]): Promise<void> {
  await Promise.all(lines.map((line) => portable.importLine(line)));
}

function sorted(lines: readonly Json[]): readonly string[] {
  return lines.map((line) => JSON.stringify(line)).sort();
}
