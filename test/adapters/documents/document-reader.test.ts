import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import {
  createDocumentReader,
  type DocumentReaderOptions,
} from "../../../adapters/documents/document-reader.ts";
import { docx, paragraph, pdf, row, xlsx, zip } from "../../fakes/document-fixtures.ts";

const usual: DocumentReaderOptions = {
  timeoutMs: 15_000,
  maxMemoryBytes: 256_000_000,
  maxCharacters: 100_000,
};
/** Where a process can see what others are: by way of /proc. */
const onLinux = process.platform === "linux";
const never = new AbortController().signal;
const bytes = (text: string) => new TextEncoder().encode(text);

async function read(
  name: string,
  data: Uint8Array,
  options: Partial<DocumentReaderOptions> = {},
  signal = never,
) {
  const reader = createDocumentReader({ ...usual, ...options });
  const kind = await reader.kindOf(data.subarray(0, 4_100), name);
  return reader.read(data, kind, name, signal);
}

describe("the text of", () => {
  test("a PDF comes page by page", async () => {
    expect(await read("a.pdf", pdf(["Boats\nand ships", "Prices (2026)"]))).toEqual({
      pages: [
        { page: 1, text: "Boats\nand ships" },
        { page: 2, text: "Prices (2026)" },
      ],
      truncated: false,
    });
  });

  test("a Word document has its tables, and nothing of its pictures", async () => {
    const table = `<w:tbl><w:tr><w:tc>${paragraph("Boat")}</w:tc><w:tc>${paragraph("Price")}</w:tc></w:tr><w:tr><w:tc>${paragraph("Sloop")}</w:tc><w:tc>${paragraph("12")}</w:tc></w:tr></w:tbl>`;
    const { pages } = await read("a.docx", docx(paragraph("Our &amp; your boats") + table));
    expect(pages[0]?.text).toBe("Our & your boats\n\nBoat    Price\nSloop   12");
  });

  test("a workbook is CSV, sheet by sheet", async () => {
    const data = xlsx({
      Boats: row(1, ["Boat", "Price"]) + row(2, ["Sloop, big", 12.5]),
      Ships: row(1, ["none"]),
    });
    expect((await read("a.xlsx", data)).pages).toEqual([
      { title: "Boats", text: 'Boat,Price\n"Sloop, big",12.5' },
      { title: "Ships", text: "none" },
    ]);
  });

  test("a web page is what a person reads there", async () => {
    const html =
      "<!doctype html><head><title>T</title></head><h1>Boats</h1><script>alert(1)</script><p>See <a href='http://x.test/a'>here</a>";
    expect((await read("a.html", bytes(html))).pages).toEqual([
      { text: "Boats\n\nSee here [http://x.test/a]" },
    ]);
  });

  test.each([
    ["a.csv", bytes("boat;price\nSloop;12\n"), "boat;price\nSloop;12\n"],
    ["a.py", bytes("print('ü')\n"), "print('ü')\n"],
    ["marked.txt", Uint8Array.from(Buffer.from("\ufeffGrüße", "utf8")), "Grüße"],
    ["wide.txt", Uint8Array.from(Buffer.from("\ufeffGrüße", "utf16le")), "Grüße"],
    [
      "old.txt",
      Uint8Array.from(Buffer.from("Schöne Grüße aus Köln", "latin1")),
      "Schöne Grüße aus Köln",
    ],
  ])("%s is kept as it is", async (name, data, text) => {
    expect(await read(name, data)).toEqual({ pages: [{ text }], truncated: false });
  });

  test("a scan says that there is none", async () => {
    expect((await read("scan.pdf", pdf(["", ""]))).pages).toEqual([
      { text: "[scan.pdf has 2 pages, but no text; it may consist of pictures.]" },
    ]);
  });
});

describe("limits", () => {
  test.each([
    ["a.txt", bytes("x".repeat(200)), 100],
    ["a.pdf", pdf(["x".repeat(80), "y".repeat(80), "z"]), 100],
    ["a.xlsx", xlsx({ One: row(1, ["x".repeat(80)]), Two: row(1, ["y".repeat(80)]) }), 100],
    ["a.docx", docx(paragraph("x".repeat(200))), 100],
  ])("cut the text of %s short, and say so", async (name, data, maxCharacters) => {
    const { pages, truncated } = await read(name, data, { maxCharacters });
    expect(truncated).toBe(true);
    expect(pages.map((page) => page.text).join("")).toHaveLength(maxCharacters);
  });

  test("leave out the pages after the last that is read", async () => {
    const { pages, truncated } = await read("a.pdf", pdf(["1", "2", "3"]), { maxPages: 2 });
    expect(pages.map(({ text }) => text)).toEqual(["1", "2"]);
    expect(truncated).toBe(true);
  });

  test("end what takes too long, naming the limit", async () => {
    await expect(read("slow.pdf", pdf(["x"]), { timeoutMs: 1 })).rejects.toMatchObject({
      code: "file-broken",
      detail: "slow.pdf takes longer than 0.001 seconds to read.",
    });
  });

  test("let documents wait for their turn, and all get one", async () => {
    const reader = createDocumentReader({ ...usual, concurrency: 1 });
    const kind = await reader.kindOf(pdf(["x"]), "a.pdf");
    const read = (text: string) => reader.read(pdf([text]), kind, `${text}.pdf`, never);
    const texts = await Promise.all(["one", "two", "three"].map(read));
    expect(texts.map(({ pages }) => pages[0]?.text)).toEqual(["one", "two", "three"]);
  });
});

describe("stopping", () => {
  test.runIf(onLinux)("ends the parser", async () => {
    const stop = new AbortController();
    const reading = read(
      "a.html",
      bytes(`<!doctype html>${"<div>".repeat(300_000)}`),
      {},
      stop.signal,
    );
    await vi.waitFor(() => expect(children()).not.toEqual([]), { timeout: 5_000 });
    stop.abort(new Error("stopped"));
    await expect(reading).rejects.toThrow("stopped");
    await vi.waitFor(() => expect(children()).toEqual([]), { timeout: 5_000 });
  });

  test("lets who waits leave the line", async () => {
    const reader = createDocumentReader({ ...usual, concurrency: 1 });
    const kind = await reader.kindOf(pdf(["x"]), "a.pdf");
    const stop = new AbortController();
    const first = reader.read(pdf(["one"]), kind, "one.pdf", never);
    const second = reader.read(pdf(["two"]), kind, "two.pdf", stop.signal);
    const third = reader.read(pdf(["three"]), kind, "three.pdf", never);
    stop.abort(new Error("stopped"));
    await expect(second).rejects.toThrow("stopped");
    expect((await first).pages[0]?.text).toBe("one");
    expect((await third).pages[0]?.text).toBe("three");
  });
});

describe("a hostile or broken file is a sentence", () => {
  const noise = Uint8Array.from({ length: 5_000 }, (_, index) => (index * 7_919) % 256);
  const small = { maxMemoryBytes: 128_000_000 };
  const memory = "needs more than 128 MB of memory to read.";
  const unread = "is damaged, or not what its beginning says.";
  test.each([
    ["empty.txt", new Uint8Array(), "file-broken", "is empty."],
    [
      "noise.pdf",
      Buffer.concat([bytes("%PDF-1.7\n"), noise]),
      "file-broken",
      "is damaged: it is not a readable PDF.",
    ],
    [
      "cut.pdf",
      pdf(["Hello"]).subarray(0, 100),
      "file-broken",
      "is damaged: it is not a readable PDF.",
    ],
    [
      "bomb.pdf",
      pdf(["x"], {
        content: deflateSync(Buffer.from("BT /F1 12 Tf (aaaa) Tj ET ".repeat(8_000_000))),
      }),
      "file-broken",
      memory,
    ],
    [
      "bomb.docx",
      docx(paragraph("x"), [
        { name: "word/styles.xml", data: Buffer.alloc(200_000_000, 32), declaredBytes: 10 },
      ]),
      "file-too-large",
      "unpacks to more than 32 MB, which is more than I read.",
    ],
    ["deep.docx", docx("<w:p>".repeat(200_000)), "file-broken", memory],
    ["half.docx", docx("<w:p><"), "file-broken", unread],
    [
      "other.docx",
      zip([
        { name: "[Content_Types].xml", data: "x" },
        { name: "word/a.xml", data: "x" },
      ]),
      "file-broken",
      unread,
    ],
    [
      "locked.docx",
      zip([{ name: "word/document.xml", data: "x", isEncrypted: true }]),
      "file-unsupported",
      "is protected with a password.",
    ],
    [
      "cut.docx",
      docx(paragraph("x")).subarray(0, 500),
      "file-broken",
      "is damaged: its archive cannot be unpacked.",
    ],
    [
      "far.xlsx",
      xlsx({ One: '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' }),
      "file-broken",
      memory,
    ],
    [
      "bomb.xlsx",
      xlsx({ One: "" }, [{ name: "xl/sharedStrings.xml", data: Buffer.alloc(200_000_000, 32) }]),
      "file-too-large",
      "unpacks to more than 32 MB, which is more than I read.",
    ],
    [
      "deep.html",
      bytes(`<!doctype html>${"<div>".repeat(1_000_000)}`),
      "file-broken",
      "takes longer than 1.5 seconds to read.",
    ],
    [
      "noise.csv",
      Buffer.concat([bytes("a,b\n".repeat(2_000)), noise]),
      "file-broken",
      "begins like text/csv, but there is something else in it.",
    ],
    [
      "noise.py",
      Buffer.concat([bytes("a = 1\n".repeat(2_000)), noise]),
      "file-broken",
      "begins like text/x-python, but there is something else in it.",
    ],
    [
      "archive.zip",
      zip([{ name: "a.txt", data: "x" }]),
      "file-unsupported",
      "is application/zip, which has no text I can read.",
    ],
  ])("%s", async (name, data, code, sentence) => {
    const options = name === "deep.html" ? { ...small, timeoutMs: 1_500 } : small;
    const reading = read(name, Uint8Array.from(data), options);
    await expect(reading).rejects.toMatchObject({ code, detail: `${name} ${sentence}` });
  });

  test("a PDF that claims a thousand million pages has those it has", async () => {
    const { pages } = await read("endless.pdf", pdf(["Hello"], { pageCount: 1_000_000_000 }));
    expect(pages).toEqual([{ page: 1, text: "Hello" }]);
  });

  test("the reader goes on after one that killed its parser", async () => {
    const reader = createDocumentReader({ ...usual, ...small, concurrency: 1 });
    const far = xlsx({ One: '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' });
    const sheet = await reader.kindOf(far, "far.xlsx");
    await expect(reader.read(far, sheet, "far.xlsx", never)).rejects.toThrow();
    const fine = xlsx({ One: row(1, ["fine"]) });
    expect((await reader.read(fine, sheet, "fine.xlsx", never)).pages[0]?.text).toBe("fine");
  });
});

test.runIf(onLinux)("the parser knows none of the environment's secrets", async () => {
  process.env.OPENAI_API_KEY = "sk-not-for-parsers";
  const stop = new AbortController();
  const reading = read(
    "a.html",
    bytes(`<!doctype html>${"<div>".repeat(300_000)}`),
    {},
    stop.signal,
  );
  const environment = await vi.waitFor(
    () => {
      const [child] = children();
      const program = readFileSync(`/proc/${child}/cmdline`, "utf8");
      expect(program).toContain("worker.ts");
      return readFileSync(`/proc/${child}/environ`, "utf8");
    },
    { timeout: 5_000 },
  );
  expect(environment).not.toContain("sk-not-for-parsers");
  stop.abort(new Error("stopped"));
  await expect(reading).rejects.toThrow("stopped");
  delete process.env.OPENAI_API_KEY;
});

test("a document read again is not parsed again", async () => {
  const reader = createDocumentReader(usual);
  const kind = await reader.kindOf(pdf(["x"]), "a.pdf");
  const first = await reader.read(pdf(["Boats"]), kind, "a.pdf", never);
  expect(await reader.read(pdf(["Boats"]), kind, "a.pdf", never)).toBe(first);
  expect(await reader.read(pdf(["Ships"]), kind, "a.pdf", never)).not.toEqual(first);
});

/** The processes this one has started. */
function children(): readonly string[] {
  const list = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
  return list.split(" ").filter((id) => id !== "");
}
