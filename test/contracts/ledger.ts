import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Json } from "#domain/json";
import type { Ledger } from "#ports/ledger";

/** A ledger, and ways to lose it. */
export interface LedgerInstance {
  readonly ledger: Ledger;
  /** Kills the instance (as kill -9 does) and opens another on what was durable. */
  reopen(): Promise<LedgerInstance>;
  close(): Promise<void>;
}

/** What any {@link Ledger} must do. */
export function describeLedger(name: string, create: () => Promise<LedgerInstance>): void {
  describe(`${name} as a ledger`, () => {
    let instance: LedgerInstance;
    beforeEach(async () => {
      instance = await create();
    });
    afterEach(() => instance.close());
    const apply = (change: Parameters<Ledger["apply"]>[0]) => instance.ledger.apply(change);
    const values = async (list: string) =>
      (await instance.ledger.items(list, { limit: 100 })).map(({ value }) => value);

    test("a register has a version that rises with every write, and survives a crash", async () => {
      expect(await instance.ledger.read("head")).toBeUndefined();
      await apply({ registers: [{ name: "head", value: { thread: "t1" } }] });
      await apply({ registers: [{ name: "head", value: { thread: "t2" } }] });
      instance = await instance.reopen();
      expect(await instance.ledger.read("head")).toEqual({ value: { thread: "t2" }, version: 2 });
    });

    test("null removes a register", async () => {
      await apply({ registers: [{ name: "head", value: 1 }] });
      await apply({ registers: [{ name: "head", value: null }] });
      expect(await instance.ledger.read("head")).toBeUndefined();
      expect(await apply({ registers: [{ name: "head", value: 2, ifVersion: 0 }] })).toBe(true);
    });

    test("a change under another version changes nothing at all", async () => {
      await apply({ registers: [{ name: "a", value: 1 }] });
      const change = (ifVersion: number) => ({
        registers: [
          { name: "b", value: "new" },
          { name: "a", value: "new", ifVersion },
        ],
        appends: [{ list: "log", value: "changed" }],
      });
      expect(await apply(change(0))).toBe(false);
      expect(await apply(change(2))).toBe(false);
      expect(await instance.ledger.read("b")).toBeUndefined();
      expect(await values("log")).toEqual([]);
      expect(await apply(change(1))).toBe(true);
      expect(await instance.ledger.read("a")).toEqual({ value: "new", version: 2 });
      expect(await values("log")).toEqual(["changed"]);
    });

    test("of many who change the same version at once, one succeeds", async () => {
      const results = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          apply({ registers: [{ name: "head", value: index, ifVersion: 0 }] }),
        ),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
      expect(await instance.ledger.read("head")).toEqual({
        value: results.indexOf(true),
        version: 1,
      });
    });

    test("names are found by prefix, sorted, in pages", async () => {
      const names = ["a:1", "b:", "b:1", "b:10", "b:2", "b:ü", "b%", "c:1"];
      await apply({ registers: names.map((one) => ({ name: one, value: true })) });
      expect(await instance.ledger.names("b:", { limit: 9 })).toEqual([
        "b:",
        "b:1",
        "b:10",
        "b:2",
        "b:ü",
      ]);
      expect(await instance.ledger.names("b:", { limit: 2 })).toEqual(["b:", "b:1"]);
      expect(await instance.ledger.names("b:", { after: "b:1", limit: 2 })).toEqual([
        "b:10",
        "b:2",
      ]);
      expect(await instance.ledger.names("d", { limit: 2 })).toEqual([]);
      expect(await instance.ledger.names("", { after: "b:2", limit: 9 })).toEqual(["b:ü", "c:1"]);
    });

    test("a list is read in ranges, from either end", async () => {
      await apply({ appends: ["a", "b", "c", "d", "e"].map((value) => ({ list: "l", value })) });
      const read = async (range: Parameters<Ledger["items"]>[1]) =>
        (await instance.ledger.items("l", range)).map(({ position, value }) => [position, value]);
      expect(await read({ limit: 2 })).toEqual([
        [1, "a"],
        [2, "b"],
      ]);
      expect(await read({ limit: 2, newestFirst: true })).toEqual([
        [5, "e"],
        [4, "d"],
      ]);
      expect(await read({ after: 1, before: 5, limit: 9 })).toEqual([
        [2, "b"],
        [3, "c"],
        [4, "d"],
      ]);
      expect(await read({ before: 4, limit: 2, newestFirst: true })).toEqual([
        [3, "c"],
        [2, "b"],
      ]);
    });

    test("items are replaced and removed by position, and no position is given twice", async () => {
      await apply({ appends: ["a", "b", "c"].map((value) => ({ list: "l", value })) });
      await apply({
        replaces: [
          { list: "l", position: 1, value: "A" },
          { list: "l", position: 2, value: null },
          { list: "l", position: 3, value: null },
        ],
      });
      await apply({ replaces: [{ list: "l", position: 3, value: "back?" }] });
      expect(await values("l")).toEqual(["A"]);
      instance = await instance.reopen();
      await apply({ appends: [{ list: "l", value: "d" }] });
      expect(await instance.ledger.items("l", { limit: 9 })).toEqual([
        { position: 1, value: "A" },
        { position: 4, value: "d" },
      ]);
    });

    test("positions keep rising whatever is appended and removed", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 20 }), async (steps) => {
          const { ledger } = instance;
          await ledger.apply({ removes: ["l"] });
          let last = 0;
          for (const isAppend of steps) {
            const [newest] = await ledger.items("l", { limit: 1, newestFirst: true });
            if (!isAppend) {
              const position = newest?.position ?? 1;
              await ledger.apply({ replaces: [{ list: "l", position, value: null }] });
              continue;
            }
            await ledger.apply({ appends: [{ list: "l", value: "x" }] });
            const [appended] = await ledger.items("l", { limit: 1, newestFirst: true });
            expect(appended?.position).toBe(last + 1);
            last += 1;
          }
        }),
        { numRuns: 30 },
      );
    });

    test("a ranking is read by score, from either end", async () => {
      await apply({
        ranks: [
          { ranking: "r", member: "a", score: 3 },
          { ranking: "r", member: "b", score: 1 },
          { ranking: "r", member: "c", score: 2.5 },
          { ranking: "other", member: "a", score: 9 },
        ],
      });
      await apply({
        ranks: [
          { ranking: "r", member: "b", score: 4 },
          { ranking: "r", member: "nobody", score: null },
        ],
      });
      const members = async (range: Parameters<Ledger["ranked"]>[1]) =>
        (await instance.ledger.ranked("r", range)).map(({ member }) => member);
      expect(await members({ limit: 9 })).toEqual(["c", "a", "b"]);
      expect(await members({ limit: 2, highestFirst: true })).toEqual(["b", "a"]);
      expect(await members({ from: 2.5, to: 3, limit: 9 })).toEqual(["c", "a"]);
      expect(await members({ to: 2.4, limit: 9 })).toEqual([]);
      await apply({ ranks: [{ ranking: "r", member: "a", score: null }] });
      expect(await instance.ledger.ranked("r", { limit: 9 })).toEqual([
        { member: "c", score: 2.5 },
        { member: "b", score: 4 },
      ]);
    });

    test("counts add up, field by field, also when many count at once", async () => {
      await Promise.all(
        Array.from({ length: 20 }, () =>
          apply({
            counts: [
              { counter: "usage", field: "tokens", by: 3 },
              { counter: "usage", field: "cost", by: 0.25 },
            ],
          }),
        ),
      );
      await apply({ counts: [{ counter: "usage", field: "tokens", by: -10 }] });
      expect(await instance.ledger.counts("usage")).toEqual({ tokens: 50, cost: 5 });
      expect(await instance.ledger.counts("nothing")).toEqual({});
    });

    test("whole lists, rankings and counters are removed, before the rest of the change", async () => {
      const fill = {
        appends: [{ list: "l", value: "new" }],
        ranks: [{ ranking: "r", member: "new", score: 1 }],
        counts: [{ counter: "c", field: "new", by: 1 }],
      };
      await apply({
        registers: [{ name: "l", value: "kept" }],
        appends: [{ list: "l", value: "old" }],
        ranks: [{ ranking: "r", member: "old", score: 1 }],
        counts: [{ counter: "c", field: "old", by: 1 }],
      });
      await apply({ removes: ["l", "r", "c", "never there"], ...fill });
      expect(await values("l")).toEqual(["new"]);
      expect(await instance.ledger.ranked("r", { limit: 9 })).toEqual([
        { member: "new", score: 1 },
      ]);
      expect(await instance.ledger.counts("c")).toEqual({ new: 1 });
      expect(await instance.ledger.read("l")).toMatchObject({ value: "kept" });
    });

    test("any JSON comes back as it was", async () => {
      await fc.assert(
        fc.asyncProperty(fc.jsonValue(), async (value) => {
          // The generator's -0 is not JSON: its text is 0.
          const json: Json = JSON.parse(JSON.stringify(value));
          await apply({
            registers: [{ name: "r", value: json }],
            removes: ["l"],
            appends: [{ list: "l", value: json }],
          });
          expect((await instance.ledger.read("r"))?.value).toEqual(json ?? undefined);
          expect(await values("l")).toEqual([json]);
        }),
        { numRuns: 50 },
      );
    });
  });
}
