import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FileStore } from "#ports/file-store";

/** A file store, and ways to lose it. */
export interface FileStoreInstance {
  readonly files: FileStore;
  /** Drops the instance without notice and opens another on the same data. */
  reopen(): Promise<FileStoreInstance>;
  close(): Promise<void>;
}

/** What any {@link FileStore} must do. */
export function describeFileStore(name: string, create: () => Promise<FileStoreInstance>): void {
  describe(`${name} as a file store`, () => {
    let instance: FileStoreInstance;
    beforeEach(async () => {
      instance = await create();
    });
    afterEach(() => instance.close());

    test("what was put is read whole and as a stream, by another instance too", async () => {
      const data = pattern(200_000);
      await instance.files.put("file_1", stream(data, 1_000), data.length);
      instance = await instance.reopen();
      expect(Buffer.from(await instance.files.read("file_1")).equals(data)).toBe(true);
      const opened = Buffer.from(
        await new Response(await instance.files.open("file_1")).arrayBuffer(),
      );
      expect(opened.equals(data)).toBe(true);
    });

    test("size, hash and the first bytes are told, however the bytes arrive", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 0, max: 10_000 }),
          fc.integer({ min: 1, max: 5_000 }),
          async (size, chunkSize) => {
            const data = pattern(size);
            const put = await instance.files.put("file_1", stream(data, chunkSize), 10_000);
            expect(put.bytes).toBe(size);
            expect(put.sha256).toBe(createHash("sha256").update(data).digest("hex"));
            expect(Buffer.from(put.head).equals(data.subarray(0, 4_100))).toBe(true);
          },
        ),
        { numRuns: 20 },
      );
    });

    test("a file of exactly the limit is kept; one byte more is refused and nothing stays", async () => {
      await instance.files.put("fits", stream(pattern(1_000), 300), 1_000);
      await expect(
        instance.files.put("too-large", stream(pattern(1_001), 300), 1_000),
      ).rejects.toMatchObject({ code: "file-too-large", detail: "The limit is 1000 bytes." });
      await expect(instance.files.read("too-large")).rejects.toMatchObject({ code: "not-found" });
    });

    test("an endless source is cancelled at the limit", async () => {
      const cancelled = Promise.withResolvers<void>();
      const endless = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(300)),
        cancel: () => cancelled.resolve(),
      });
      await expect(instance.files.put("endless", endless, 1_000)).rejects.toMatchObject({
        code: "file-too-large",
      });
      await cancelled.promise;
    });

    test("a source that breaks leaves nothing, and what was there before stays", async () => {
      await instance.files.put("file_1", stream(pattern(10), 10), 100);
      const broken = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(pattern(50)),
        pull: (controller) => controller.error(new Error("connection reset")),
      });
      await expect(instance.files.put("file_1", broken, 100)).rejects.toThrow("connection reset");
      expect(await instance.files.read("file_1")).toHaveLength(10);
    });

    test("putting again replaces", async () => {
      await instance.files.put("file_1", stream(pattern(10), 10), 100);
      await instance.files.put("file_1", stream(pattern(20), 10), 100);
      expect(await instance.files.read("file_1")).toHaveLength(20);
    });

    test("a file that was removed, or never was, is not found", async () => {
      await instance.files.put("file_1", stream(pattern(10), 10), 100);
      await instance.files.remove("file_1");
      await instance.files.remove("file_1");
      for (const id of ["file_1", "never"]) {
        await expect(instance.files.open(id)).rejects.toMatchObject({ code: "not-found" });
        await expect(instance.files.read(id)).rejects.toMatchObject({ code: "not-found" });
      }
    });

    test("reading may end early", async () => {
      const data = pattern(1_000_000);
      await instance.files.put("file_1", stream(data, 100_000), data.length);
      const reader = (await instance.files.open("file_1")).getReader();
      await reader.read();
      await reader.cancel();
      await instance.files.remove("file_1");
      await expect(instance.files.open("file_1")).rejects.toMatchObject({ code: "not-found" });
    });

    test.each(["../file", "a/b", ".", "..", "", "a\0b", "a.partial", "x".repeat(300)])(
      "an id that could lead elsewhere is no id: %j",
      async (id) => {
        await expect(instance.files.put(id, stream(pattern(1), 1), 10)).rejects.toThrow();
        await expect(instance.files.read(id)).rejects.toMatchObject({ code: "not-found" });
      },
    );
  });
}

function pattern(size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
}

function stream(data: Buffer, chunkSize: number): ReadableStream<Uint8Array> {
  let from = 0;
  return new ReadableStream({
    pull(controller) {
      if (from >= data.length) return controller.close();
      controller.enqueue(new Uint8Array(data.subarray(from, from + chunkSize)));
      from += chunkSize;
    },
  });
}
