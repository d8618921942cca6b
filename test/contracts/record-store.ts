import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Json } from "#domain/json";
import type { RecordStore } from "#ports/record-store";

/** A record store, and ways to lose it. */
export interface RecordStoreInstance {
  readonly records: RecordStore;
  /** Kills the instance (as kill -9 does) and opens another on what was durable. */
  reopen(): Promise<RecordStoreInstance>;
  /** Makes the store unreachable. */
  cutOff(): Promise<void>;
  close(): Promise<void>;
}

/** What any {@link RecordStore} must do. */
export function describeRecordStore(
  name: string,
  create: () => Promise<RecordStoreInstance>,
): void {
  describe(`${name} as a record store`, () => {
    let instance: RecordStoreInstance;
    beforeEach(async () => {
      instance = await create();
    });
    afterEach(() => instance.close());

    test("what was written is read, after a crash too", async () => {
      await instance.records.write("assistant:a:1", { name: "Helper", tools: [] });
      instance = await instance.reopen();
      expect(await instance.records.read("assistant:a:1")).toEqual({ name: "Helper", tools: [] });
    });

    test("a record that was never written, or was removed, is undefined", async () => {
      expect(await instance.records.read("nothing")).toBeUndefined();
      await instance.records.write("a", 1);
      await instance.records.remove("a");
      await instance.records.remove("a");
      expect(await instance.records.read("a")).toBeUndefined();
    });

    test("the last write counts", async () => {
      await Promise.all([1, 2, 3].map((value) => instance.records.write("a", value)));
      expect(await instance.records.read("a")).toBe(3);
    });

    test("many are read in the order of their keys, with holes and repeats", async () => {
      await instance.records.write("a", "A");
      await instance.records.write("b", null);
      await instance.records.write("c", "");
      expect(await instance.records.readMany(["c", "x", "a", "b", "a"])).toEqual([
        "",
        undefined,
        "A",
        null,
        "A",
      ]);
      expect(await instance.records.readMany([])).toEqual([]);
    });

    test("any key and any JSON come back as they were", async () => {
      const keys = fc.string({ minLength: 1, unit: "grapheme" });
      await fc.assert(
        fc.asyncProperty(keys, fc.jsonValue(), async (key, value) => {
          // The generator's -0 is not JSON: its text is 0.
          const json: Json = JSON.parse(JSON.stringify(value));
          await instance.records.write(key, json);
          expect(await instance.records.read(key)).toEqual(json);
          expect(await instance.records.readMany([key])).toEqual([json]);
        }),
        { numRuns: 60 },
      );
    });

    test("an outage is an error, never a missing record", async () => {
      await instance.records.write("a", 1);
      await instance.cutOff();
      const unavailable = { name: "BotError", code: "store-unavailable" };
      await expect(instance.records.read("a")).rejects.toMatchObject(unavailable);
      await expect(instance.records.readMany(["a"])).rejects.toMatchObject(unavailable);
      await expect(instance.records.write("a", 2)).rejects.toMatchObject(unavailable);
      await expect(instance.records.remove("a")).rejects.toMatchObject(unavailable);
    });
  });
}
