import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DocumentText } from "#domain/file";
import type { FileIndex } from "#ports/file-index";
import { createFileIndex } from "../../../adapters/sqlite/file-index.ts";
import { Scratch } from "./scratch.ts";

let scratch: Scratch;
let path: string;
let index: FileIndex;

beforeEach(() => {
  scratch = new Scratch();
  path = scratch.path();
  index = createFileIndex(path);
});

afterEach(async () => {
  await index.close();
  scratch.remove();
});

const handbook = {
  pages: [
    { page: 1, text: "Welcome to the company. Everybody gets a key and a chair." },
    { page: 2, text: "The notice period during probation is two weeks, afterwards three months." },
    { page: 3, text: "Travel expenses are paid back within ten days." },
  ],
  truncated: false,
} satisfies DocumentText;

function put(name: string, text: DocumentText | string, sha256 = "1") {
  const document = typeof text === "string" ? { pages: [{ text }], truncated: false } : text;
  return index.put({ id: `file_${name}`, name, sha256 }, document);
}

async function find(query: string, files: readonly string[] = ["handbook.pdf"], limit = 5) {
  const fileIds = files.map((name) => `file_${name}`);
  return index.search({ query, fileIds, limit });
}

describe("searching", () => {
  test("a question finds the page that answers it, with file and page", async () => {
    await put("handbook.pdf", handbook);
    const [best] = await find("What is the notice period in the probation time?");
    expect(best).toMatchObject({ fileName: "handbook.pdf", fileId: "file_handbook.pdf", page: 2 });
    expect(best?.text).toContain("two weeks");
  });

  test.each([
    ["another form of the word", "expense", 3],
    ["other capitals", "TRAVEL", 3],
    ["words beside some that nobody wrote", "zebra chair xylophone", 1],
    ["the file's own name", "handbook", 1],
  ])("%s finds it, too", async (_what, query, page) => {
    await put("handbook.pdf", handbook);
    const found = await find(query);
    expect(found.map((passage) => passage.page)).toContain(page);
  });

  test("accents do not matter, and scripts without spaces are found by part of a sentence", async () => {
    await put("a", "Die Kündigungsfrist beträgt drei Monate.");
    await put("b", "試用期間中の通知期間は二週間です。");
    expect(await find("kundigungsfrist", ["a", "b"])).toMatchObject([{ fileName: "a" }]);
    expect(await find("通知期間", ["a", "b"])).toMatchObject([{ fileName: "b" }]);
  });

  test("only the files asked for are searched", async () => {
    await put("mine", "the secret recipe");
    await put("theirs", "the secret recipe of others");
    expect((await find("secret recipe", ["mine"])).map(({ fileName }) => fileName)).toEqual([
      "mine",
    ]);
    expect(await find("secret recipe", [])).toEqual([]);
    expect(await find("secret recipe", ["unknown"])).toEqual([]);
  });

  test.each([
    '"',
    'a" OR "b',
    "NEAR(chair key)",
    "text:key",
    "key*",
    "^key",
    "(",
    "-- ;",
    "",
    "🙂",
  ])("%j is words and no operator", async (query) => {
    await put("handbook.pdf", handbook);
    await expect(find(query)).resolves.toBeInstanceOf(Array);
  });

  test("words that are everywhere find something when there is nothing else", async () => {
    for (const name of ["a", "b", "c", "d"]) await put(name, "the one and the other");
    expect(await find("the", ["a", "b", "c", "d"])).toHaveLength(4);
  });

  test("a rare word decides over common ones", async () => {
    for (let file = 0; file < 20; file++) await put(`f${file}`, "the order and the invoice");
    await put("rare", "the order of the walrus");
    const all = [...Array.from({ length: 20 }, (_, file) => `f${file}`), "rare"];
    expect((await find("the order of the walrus", all, 3))[0]?.fileName).toBe("rare");
  });

  test("a sheet's passages carry its heading and its name", async () => {
    const rows = Array.from({ length: 400 }, (_, row) => `A-${row},Lamp number ${row},${row}.50`);
    const text = ["sku,name,price", ...rows].join("\n");
    await put("stock.xlsx", { pages: [{ title: "Lamps", text }], truncated: false });
    const [best] = await find("A 399", ["stock.xlsx"], 1);
    expect(best?.section).toBe("Lamps");
    expect(best?.text).toMatch(/^sku,name,price\n(.*\n)*A-399,/);
  });
});

describe("searching by meaning", () => {
  const model = "small";
  /** Gives passages vectors by their text. */
  async function embed(files: readonly string[], vectorOf: (text: string) => readonly number[]) {
    const ids = files.map((name) => `file_${name}`);
    const { passages } = await index.unembedded(model, ids, 100);
    const vectors = passages.map(({ row, text }) => ({
      row,
      values: Float32Array.from(vectorOf(text)),
    }));
    await index.embed(model, vectors);
    return passages.length;
  }
  const near = (query: string, values: readonly number[], name = model) =>
    index.search({
      query,
      fileIds: ["file_handbook.pdf"],
      limit: 3,
      vector: { model: name, values: Float32Array.from(values) },
    });
  const aboutKeys = (text: string) => (text.includes("key") ? [1, 0.1] : [0, 1]);

  test("finds what is near though no word is the same, and what has the word as well", async () => {
    await put("handbook.pdf", handbook);
    expect(await embed(["handbook.pdf"], aboutKeys)).toBe(3);
    expect((await near("access card", [1, 0]))[0]).toMatchObject({ page: 1 });
    expect(
      (await near("travel", [1, 0]))
        .map(({ page }) => page)
        .slice(0, 2)
        .sort(),
    ).toEqual([1, 3]);
  });

  test("knows which passages have no vector yet, also after a change and a removal", async () => {
    await put("handbook.pdf", handbook);
    await put("other", "something else");
    await embed(["handbook.pdf", "other"], aboutKeys);
    expect(await index.unembedded(model, ["file_handbook.pdf"], 9)).toMatchObject({ count: 0 });
    await put("handbook.pdf", "A new key.", "2");
    expect(await index.unembedded(model, ["file_handbook.pdf"], 9)).toMatchObject({
      count: 1,
      passages: [{ text: "A new key." }],
    });
    await index.remove("file_other");
    expect(await near("nothing of it", [0, 1])).toEqual([]);
  });

  test("drops the vectors of another model, and passes over what is of another length", async () => {
    await put("handbook.pdf", handbook);
    await embed(["handbook.pdf"], aboutKeys);
    expect(await near("zebra", [1, 0, 0])).toEqual([]);
    expect(await near("zebra", [1, 0], "large")).toEqual([]);
    expect(await index.unembedded(model, ["file_handbook.pdf"], 9)).toMatchObject({ count: 3 });
  });
});

describe("keeping", () => {
  test("what is known of a file is said", async () => {
    await put("handbook.pdf", { ...handbook, truncated: true });
    await index.refuse({ id: "file_x", name: "x", sha256: "9" }, "x is damaged.");
    expect(await put("empty", "  \n ")).toMatchObject({ status: "failed" });
    const states = await index.states(["file_handbook.pdf", "file_x", "file_unknown"]);
    expect([...states]).toEqual([
      ["file_handbook.pdf", { status: "indexed", sha256: "1", passages: 3, truncated: true }],
      ["file_x", { status: "failed", sha256: "9", why: "x is damaged." }],
    ]);
  });

  test("a changed file takes the place of the old one", async () => {
    await put("handbook.pdf", "the old text about giraffes");
    await put("handbook.pdf", "the new text about penguins", "2");
    expect(await find("giraffes")).toEqual([]);
    expect(await find("penguins")).toHaveLength(1);
    expect((await index.states(["file_handbook.pdf"])).get("file_handbook.pdf")?.sha256).toBe("2");
  });

  test("a file that is removed is found no more, and nothing of it stays on disk", async () => {
    await put("other", "something else entirely");
    await put("handbook.pdf", "the password is Xylophonist77");
    await index.remove("file_handbook.pdf");
    expect(await find("Xylophonist77")).toEqual([]);
    expect((await index.states(["file_handbook.pdf"])).size).toBe(0);
    await index.close();
    expect(readFileSync(path).toString("latin1").toLowerCase()).not.toContain("xylophonist");
    index = createFileIndex(path);
    expect(await find("entirely", ["other"])).toHaveLength(1);
  });

  test("a damaged index is begun anew", async () => {
    await put("handbook.pdf", handbook);
    await index.close();
    writeFileSync(path, "this is no database at all, ".repeat(500));
    index = createFileIndex(path);
    expect(await index.states(["file_handbook.pdf"])).toEqual(new Map());
    await put("handbook.pdf", handbook);
    expect(await find("probation")).toHaveLength(1);
  });

  test("an index that cannot be opened says so and harms nobody", async () => {
    const broken = createFileIndex(join(path, "missing", "search.sqlite"));
    await expect(broken.states(["a"])).rejects.toMatchObject({ code: "store-unavailable" });
    await broken.close();
  });
});
