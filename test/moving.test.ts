import { describe, expect, test } from "vitest";
import type { Json } from "../src/domain/json.ts";
import { exportLines, importLines, type Kept } from "../src/moving.ts";
import type { Portable } from "../src/ports/portable.ts";
import { MemoryFileStore } from "./fakes/memory-file-store.ts";

interface Memory extends Kept {
  readonly kept: Json[];
}

function memory(kept: readonly Json[] = []): Memory {
  const all = [...kept];
  const portable: Portable = {
    exportLines: () => all,
    importLine: async (line) => {
      if ((line as { kind?: string }).kind === "broken") throw new Error("nobody knows this kind");
      all.push(line);
    },
  };
  return { kept: all, portable, files: new MemoryFileStore() };
}

function streamOf(data: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  return new Blob([data]).stream();
}

async function linesOf(from: Kept, ids: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportLines(from, ids, new Date(0))) lines.push(line);
  return lines;
}

async function* each(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

describe("an export", () => {
  test("that is imported gives the same again: lines in order, files byte by byte", async () => {
    const lines = Array.from({ length: 1_200 }, (_, n): Json => ({ kind: "count", value: n }));
    const from = memory(lines);
    const big = new Uint8Array(2_000_000).map((_, n) => (n * 7) % 256);
    await from.files.put("file_big", streamOf(big), 1e9);
    await from.files.put("file_empty", streamOf(new Uint8Array()), 1e9);

    const into = memory();
    const moved = await importLines(each(await linesOf(from, ["file_big", "file_empty"])), into);

    expect(moved).toEqual({ lines: 1_200, files: 2 });
    expect(into.kept).toEqual(lines);
    expect(Buffer.compare(await into.files.read("file_big"), big)).toBe(0);
    expect((await into.files.read("file_empty")).byteLength).toBe(0);
  });

  test("has no line that is too long to be read", async () => {
    const from = memory();
    await from.files.put("file_big", streamOf(new Uint8Array(5_000_000)), 1e9);
    const lengths = (await linesOf(from, ["file_big"])).map((line) => line.length);
    expect(Math.max(...lengths)).toBeLessThan(1_100_000);
  });
});

describe("an import refuses", () => {
  const head = '{"kind":"bobbin-export","version":1}';
  test.each([
    ["an empty file", [], "the file is empty"],
    ["what is no export", ['{"kind":"record"}'], "line 1: this is no export of Bobbin"],
    ["what is no JSON", [head, "hello"], "line 2 is no JSON object"],
    [
      "a newer version",
      ['{"kind":"bobbin-export","version":2}'],
      "has version 2; this Bobbin reads 1",
    ],
    ["one that was cut short", [head, '{"kind":"count"}'], "the file ends early, after line 2"],
    [
      "one with lines missing",
      [head, '{"kind":"count"}', '{"kind":"end","lines":2,"files":0}'],
      "1 lines and 0 files came, but 2 and 0 were sent",
    ],
    [
      "a line the engine refuses",
      [head, '{"kind":"broken"}', '{"kind":"end","lines":1,"files":0}'],
      "nobody knows",
    ],
    [
      "a part without a file",
      [head, '{"kind":"file-part","data":""}'],
      "line 2: a part without a file",
    ],
    [
      "a file that does not end",
      [head, '{"kind":"file","id":"a"}', '{"kind":"end","lines":0,"files":0}'],
      "line 3: a has no end",
    ],
    [
      "anything after the end",
      [head, '{"kind":"end","lines":0,"files":0}', '{"kind":"count"}'],
      "line 3: something stands after the end",
    ],
  ])("%s", async (_case, lines, words) => {
    await expect(importLines(each(lines), memory())).rejects.toThrow(words);
  });
});
