import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoredFile } from "#domain/file";
import type { FileIndex } from "#ports/file-index";
import { createDocumentReader } from "../../adapters/documents/document-reader.ts";
import { createFileIndex } from "../../adapters/sqlite/file-index.ts";
import { indexFile } from "../../src/runs/file-search.ts";
import { docx, paragraph, pdf, row, xlsx, zip } from "../fakes/document-fixtures.ts";
import { MemoryFileStore } from "../fakes/memory-file-store.ts";
import { silentLog } from "../fakes/silent-log.ts";

const path = join(tmpdir(), `bobbin-kinds-${process.pid}.sqlite`);
const files = new MemoryFileStore();
const documents = createDocumentReader({
  timeoutMs: 30_000,
  maxMemoryBytes: 256_000_000,
  maxCharacters: 100_000,
});
let fileIndex: FileIndex;
beforeAll(() => {
  fileIndex = createFileIndex(path);
});
afterAll(async () => {
  await fileIndex.close();
  for (const ending of ["", "-wal", "-shm"]) rmSync(path + ending, { force: true });
});

const text = (words: string) => new TextEncoder().encode(words);

/** Stores a file as an attachment is, and reads it into the index. */
async function take(name: string, data: Uint8Array) {
  const id = `file_${name}`;
  await files.put(id, new Blob([data as Uint8Array<ArrayBuffer>]).stream(), 10_000_000);
  const { mimeType } = await documents.kindOf(data.subarray(0, 4_100), name);
  const stored: StoredFile = {
    id,
    object: "file",
    created_at: 1,
    filename: name,
    bytes: data.length,
    mime_type: mimeType,
    purpose: "user_upload",
    use: "look",
    sha256: name,
    alt_text: null,
  };
  const needed = { fileIndex, files, documents, log: silentLog };
  return indexFile(stored, needed, AbortSignal.timeout(60_000));
}

async function find(query: string, name: string) {
  const [best] = await fileIndex.search({ query, fileIds: [`file_${name}`], limit: 1 });
  return best;
}

describe("each kind of file is found by what it says, where it says it", () => {
  test.each([
    ["a.pdf", pdf(["Boats and ships", "The notice period is two weeks"]), { page: 2 }],
    ["a.docx", docx(paragraph("The notice period is two weeks")), {}],
    [
      "a.xlsx",
      xlsx({
        Boats: row(1, ["Boat"]),
        Rules: row(1, ["Rule"]) + row(2, ["notice period: 2 weeks"]),
      }),
      { section: "Rules" },
    ],
    ["a.csv", text("rule,value\nnotice period,two weeks\n"), {}],
    ["a.html", text("<!doctype html><p>The notice <b>period</b> is two weeks</p>"), {}],
    ["a.md", text("# Rules\n\nThe notice period is two weeks."), {}],
    ["a.py", text("# the notice period\nNOTICE_WEEKS = 2\n"), {}],
  ])("%s", async (name, data, place) => {
    expect(await take(name, data)).toMatchObject({ status: "indexed" });
    const best = await find("notice period", name);
    expect(best).toMatchObject({ fileName: name, ...place });
    expect(best?.text).toMatch(/notice/i);
  });
});

describe("a hostile file is refused in words, and the others are found", () => {
  const bomb = zip([
    { name: "[Content_Types].xml", data: "<Types/>" },
    { name: "word/document.xml", data: new Uint8Array(200_000_000) },
  ]);
  test.each([
    ["bomb.docx", bomb, /unpacks to more than/],
    ["broken.pdf", text("%PDF-1.7 and then nothing of it"), /damaged/],
    ["../../etc/passwd.exe", new Uint8Array([0x4d, 0x5a, 0, 1, 2, 3]), /no text I can read/],
  ])("%s", async (name, data, why) => {
    expect(await take(name, data)).toMatchObject({
      status: "failed",
      why: expect.stringMatching(why),
    });
    expect(await find("notice period", name)).toBeUndefined();
  });

  test("a document of too many pages is read as far as allowed, and that is known", async () => {
    const endless = pdf(Array.from({ length: 1_050 }, (_, page) => `notice on page ${page + 1}`));
    expect(await take("endless.pdf", endless)).toMatchObject({
      status: "indexed",
      truncated: true,
    });
  });

  test("a formula in a table stays text", async () => {
    await take("evil.csv", text('name,value\nnotice,"=HYPERLINK(""http://evil"")"\n'));
    expect((await find("notice", "evil.csv"))?.text).toContain("=HYPERLINK");
  });
});
