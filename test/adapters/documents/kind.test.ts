import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kindOf } from "../../../adapters/documents/kind.ts";
import { docx, paragraph, pdf, row, xlsx, zip } from "../../fakes/document-fixtures.ts";

const text = (value: string) => new TextEncoder().encode(value);
const bytes = (...values: number[]) => Uint8Array.from(values);
const latin1 = (value: string) => Uint8Array.from(Buffer.from(value, "latin1"));
const utf16 = (value: string) => Uint8Array.from(Buffer.from(`\ufeff${value}`, "utf16le"));
const png = bytes(
  ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52],
  ...[0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89],
);
const compoundFile = new Uint8Array(512);
compoundFile.set([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);

const word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const excel = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

describe("a file is what its content says", () => {
  test.each([
    ["a PDF", pdf(["x"]), "report.pdf", "pdf", "application/pdf"],
    ["a PDF called text", pdf(["x"]), "report.txt", "pdf", "application/pdf"],
    ["a picture", png, "chart.png", "image", "image/png"],
    ["a picture called PDF", png, "chart.pdf", "image", "image/png"],
    ["a Word document", docx(paragraph("x")), "letter.docx", "document", word],
    ["a Word document called Excel", docx(paragraph("x")), "letter.xlsx", "document", word],
    ["a workbook", xlsx({ One: row(1, ["x"]) }), "prices.xlsx", "sheet", excel],
    ["an archive", zip([{ name: "a.txt", data: "x" }]), "a.zip", "unsupported", "application/zip"],
    [
      "an archive called Word",
      zip([{ name: "a.txt", data: "x" }]),
      "a.docx",
      "unsupported",
      "application/zip",
    ],
    ["a text called Word", text("Hello"), "a.docx", "text", "text/plain"],
    ["an old Word document", compoundFile, "a.doc", "unsupported", "application/msword"],
    [
      "a program",
      bytes(0x4d, 0x5a, 0x90, 0, 3, 0, 0, 0, 4, 0, 0, 0, 255, 255, 0, 0),
      "a.txt",
      "unsupported",
      "application/x-msdownload",
    ],
    [
      "bytes of no kind",
      bytes(0, 1, 2, 3, 250, 251, 252),
      "a.txt",
      "unsupported",
      "application/octet-stream",
    ],
    ["rich text", text("{\\rtf1\\ansi Hello}"), "a.txt", "unsupported", "application/rtf"],
    ["nothing", bytes(), "a.pdf", "unsupported", "application/x-empty"],
    ["text", text("Hello"), "a.txt", "text", "text/plain"],
    ["text without an ending", text("Hello"), "README", "text", "text/plain"],
    [
      "text that begins like a bitmap",
      text("BMW prices have risen again."),
      "a.txt",
      "text",
      "text/plain",
    ],
    ["text in UTF-16", utf16("Grüße aus Köln"), "a.txt", "text", "text/plain"],
    [
      "text in an old encoding",
      latin1("Grüße aus Köln, schöne Grüße"),
      "a.txt",
      "text",
      "text/plain",
    ],
    ["a coloured log", text("\u001b[32mok\u001b[39m\n"), "a.log", "text", "text/plain"],
    ["CSV", text("a,b\n1,2\n"), "a.CSV", "sheet", "text/csv"],
    ["HTML", text("<!doctype html><p>x"), "a.html", "text", "text/html"],
    ["HTML without the ending", text("\n <html lang=en>"), "page", "text", "text/html"],
    ["Markdown", text("# Title"), "a.md", "text", "text/markdown"],
    ["Python", text("print(1)"), "a.py", "code", "text/x-python"],
    ["Rust", text("fn main() {}"), "main.rs", "code", "text/plain"],
    ["JSON", text("{}"), "a.json", "code", "application/json"],
    ["a drawing in XML", text("<svg xmlns='x'/>"), "a.svg", "code", "image/svg+xml"],
    ["a Dockerfile", text("FROM scratch"), "Dockerfile", "code", "text/plain"],
  ])("%s", async (_what, data, name, family, mimeType) => {
    expect(await kindOf(data, name)).toEqual({ family, mimeType });
  });

  test("also when the first bytes end within a character", async () => {
    const cut = text(`${"a".repeat(4_099)}ü`).subarray(0, 4_100);
    expect((await kindOf(cut, "a.txt")).family).toBe("text");
  });

  test("also when the first bytes end within an archive's first part", async () => {
    const noise = Array.from({ length: 8_000 }, (_, i) =>
      String.fromCharCode(33 + ((i * i * 31) % 90)),
    );
    const first = { name: "[Content_Types].xml", data: `<x>${noise.join("")}</x>` };
    const data = zip([first, { name: "word/document.xml", data: "x" }]);
    expect((await kindOf(data.subarray(0, 2_000), "a.docx")).family).toBe("document");
  });

  test("whatever the bytes and the name, without an error", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.string(), async (data, name) => {
        expect(typeof (await kindOf(data, name)).mimeType).toBe("string");
      }),
      { numRuns: 300 },
    );
  });
});
