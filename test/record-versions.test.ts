import { expect, test } from "vitest";
import { createVersionedRecords, type Migration } from "../src/record-versions.ts";
import { MemoryRecordStore } from "./fakes/memory-record-store.ts";

const older: readonly Migration[] = [(_key, record) => record];
const newer: readonly Migration[] = [
  ...older,
  (key, record) => (key.startsWith("page/") ? { lines: [record] } : record),
];

test("what an older version wrote is migrated when it is read, one or many", async () => {
  const store = new MemoryRecordStore();
  await createVersionedRecords(store, older).write("page/1", "said");
  await createVersionedRecords(store, older).write("settings", 1);
  const records = createVersionedRecords(store, newer);
  expect(await records.read("page/1")).toEqual({ lines: ["said"] });
  expect(await records.readMany(["settings", "page/1", "none"])).toEqual([
    1,
    { lines: ["said"] },
    undefined,
  ]);
});

test("a record from before versions were written is version 0", async () => {
  const store = new MemoryRecordStore();
  await store.write("page/1", "said");
  expect(await createVersionedRecords(store, newer).read("page/1")).toEqual({ lines: ["said"] });
});

test("what was migrated and written again is not migrated a second time", async () => {
  const records = createVersionedRecords(new MemoryRecordStore(), newer);
  await records.write("page/1", { lines: ["said", "more"] });
  expect(await records.read("page/1")).toEqual({ lines: ["said", "more"] });
  await records.remove("page/1");
  expect(await records.read("page/1")).toBeUndefined();
});

test("what a newer version wrote is out of reach, in words, and not taken for something else", async () => {
  const store = new MemoryRecordStore();
  await createVersionedRecords(store, newer).write("page/1", { lines: [] });
  await expect(createVersionedRecords(store, older).read("page/1")).rejects.toMatchObject({
    code: "store-unavailable",
    detail: "A record has version 2; this Bobbin reads up to 1.",
  });
});
