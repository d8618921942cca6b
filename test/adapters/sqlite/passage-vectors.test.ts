import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { FileIndexStore } from "../../../adapters/sqlite/file-index-store.ts";
import { Best, SignatureQuery, signatureOf } from "../../../adapters/sqlite/signatures.ts";
import { cosine, Embeddings } from "../../../bench/embeddings.ts";
import { Scratch } from "./scratch.ts";

const model = "small";
const pagesOfAFile = 40;

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

const idsOf = (files: number) => Array.from({ length: files }, (_, at) => `file_${at}`);

/** Pages of these numbers, one passage each. */
function put(store: FileIndexStore, id: string, first: number, pages = pagesOfAFile) {
  const numbered = Array.from({ length: pages }, (_, at) => ({
    page: first + at,
    text: `number ${first + at}`,
  }));
  store.put({ id, name: id, sha256: String(first) }, { pages: numbered, truncated: false });
}

/** Gives the passages that have no vector theirs, by their pages; how many there were. */
function embed(
  store: FileIndexStore,
  fileIds: readonly string[],
  vectorOf: (page: number) => Float32Array | undefined,
): number {
  for (let made = 0; ; ) {
    const { passages } = store.unembedded(model, fileIds, 64);
    if (passages.length === 0) return made;
    const vectors = passages.flatMap(({ row, text }) => {
      const values = vectorOf(Number(text.split(" ")[1]));
      return values ? [{ row, values }] : [];
    });
    store.embed(model, vectors);
    made += vectors.length;
  }
}

/** The pages nearest to a vector, by meaning alone. */
function near(
  store: FileIndexStore,
  values: Float32Array,
  { fileIds, limit = 100 }: { readonly fileIds: readonly string[]; readonly limit?: number },
) {
  const found = store.search({ query: "zebra", fileIds, limit, vector: { model, values } });
  return found.map(({ page }) => page);
}

describe.each([
  ["around the origin", 0.4],
  ["all to one side", 1.6],
])("ten thousand vectors %s", (_where, side) => {
  const files = 250;
  const ids = idsOf(files);
  const made = new Embeddings({ components: 256, subjects: files, side });
  const vectors = Array.from({ length: files * pagesOfAFile }, (_, page) =>
    made.passage(Math.floor(page / pagesOfAFile)),
  );
  let path: string;
  let store: FileIndexStore;
  beforeAll(() => {
    path = scratch.path();
    store = new FileIndexStore(path);
    for (const [at, id] of ids.entries()) put(store, id, at * pagesOfAFile);
    embed(store, ids, (page) => vectors[page]);
  }, 120_000);
  afterAll(() => store.close());

  test("the nearest are those that comparing all of them finds", () => {
    const questions = Array.from({ length: 20 }, () => made.question());
    const shares = questions.map((question) => {
      const scores = vectors.map((vector) => cosine(vector, question));
      const exact = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
      const found = near(store, question, { fileIds: ids });
      return [10, 100].map((first) => {
        const wanted = new Set<unknown>(exact.slice(0, first));
        return found.slice(0, first).filter((page) => wanted.has(page)).length / first;
      });
    });
    const mean = (at: number) => shares.reduce((sum, of) => sum + (of[at] ?? 0), 0) / 20;
    expect(mean(0)).toBeGreaterThanOrEqual(0.99);
    expect(mean(1)).toBeGreaterThanOrEqual(0.97);
  });

  test("an index of before there were signatures makes them of its vectors", () => {
    const questions = Array.from({ length: 5 }, () => made.question());
    const before = questions.map((question) => near(store, question, { fileIds: ids }));
    store.close();
    const database = new DatabaseSync(path);
    database.exec("drop table signatures; pragma user_version = 1");
    database.close();
    store = new FileIndexStore(path);
    expect(store.unembedded(model, ids, 0)).toMatchObject({ count: 0 });
    expect(questions.map((question) => near(store, question, { fileIds: ids }))).toEqual(before);
  });
});

describe("more passages than are compared one by one", () => {
  const files = 20;
  const ids = idsOf(files);
  /** Each file in a direction of its own, its later pages a little less. */
  const vectorOf = (page: number, components = 40) => {
    const file = Math.floor(page / pagesOfAFile);
    return new Float32Array(components).map((_, at) =>
      at === file ? 1 : at === 39 ? (page % pagesOfAFile) / 100 : -0.001,
    );
  };
  const pagesOf = (file: number) =>
    Array.from({ length: pagesOfAFile }, (_, place) => file * pagesOfAFile + place);
  let store: FileIndexStore;
  beforeEach(() => {
    store = new FileIndexStore(scratch.path());
    for (const [at, id] of ids.entries()) put(store, id, at * pagesOfAFile);
    embed(store, ids, vectorOf);
  });
  afterEach(() => store.close());

  test("a file's passages are found in their order, among all and among a few files far apart", () => {
    const first = pagesOf(7).slice(0, 20);
    expect(near(store, vectorOf(280), { fileIds: ids, limit: 20 })).toEqual(first);
    const few = ["file_0", "file_7", "file_19"];
    expect(near(store, vectorOf(280), { fileIds: few, limit: 20 })).toEqual(first);
  });

  test("what was removed is found no more, and what took a file's place is", () => {
    store.remove("file_3");
    put(store, "file_4", 100_000, 3);
    expect(near(store, vectorOf(120), { fileIds: ids, limit: 40 })).not.toContain(120);
    expect(store.unembedded(model, ids, 9)).toMatchObject({
      count: 3,
      passages: [{ text: "number 100000" }, { text: "number 100001" }, { text: "number 100002" }],
    });
    expect(near(store, vectorOf(160), { fileIds: ids, limit: 40 })).not.toContain(160);
    expect(embed(store, ids, () => vectorOf(120))).toBe(3);
    const found = near(store, vectorOf(120), { fileIds: ids, limit: 3 });
    expect(found).toEqual([100_000, 100_001, 100_002]);
  });

  test("vectors of another length are passed over, and not asked for again", () => {
    put(store, "file_5", 200_000, 70);
    const { passages } = store.unembedded(model, ["file_5"], 10);
    store.embed(
      model,
      passages.map(({ row }) => ({ row, values: vectorOf(200) })),
    );
    expect(embed(store, ids, () => vectorOf(0, 48))).toBe(60);
    expect(store.unembedded(model, ids, 9)).toEqual({ count: 0, passages: [] });
    const found = near(store, vectorOf(0, 48), { fileIds: ids, limit: 100 });
    expect(found.sort()).toEqual(Array.from({ length: 60 }, (_, at) => 200_010 + at));
  });

  test("those of another model are gone", () => {
    store.unembedded("large", ids, 0);
    expect(near(store, vectorOf(0), { fileIds: ids })).toEqual([]);
  });
});

describe("signatures", () => {
  test.each([1, 8, 13, 24])("the product with %i signs is scaled to the cosine", (components) => {
    const query = Float32Array.from({ length: components }, (_, at) => at - 4.5);
    const stored = Int8Array.from({ length: components }, (_, at) => (at % 3) * 40 - 50);
    const other = stored.map((value) => -value);
    const signatures = [signatureOf(stored), signatureOf(other)];
    const signs = Uint8Array.from(signatures.flatMap((one) => [...one.signs]));
    const scales = Float32Array.from(signatures, ({ scale }) => scale);
    const product = query.reduce((sum, value, at) => sum + value * Math.sign(stored[at] ?? 0), 0);
    const length = Math.hypot(...stored);
    const scale = length / stored.reduce((sum, value) => sum + Math.abs(value), 0);
    const [one, two] = new SignatureQuery(query).scores(signs, scales);
    expect(one).toBeCloseTo(product * scale, 4);
    expect(two).toBeCloseTo(-product * scale, 4);
  });

  test("a vector of nothing is near to nothing", () => {
    expect(signatureOf(new Int8Array(9)).scale).toBe(0);
  });

  test("the best stay, in order, whatever order they come in", () => {
    const best = new Best(3);
    for (const row of [5, 1, 9, 7, 3, 8, 2, 6, 4, 0]) best.add(row, row / 2);
    expect(best.rows()).toEqual([9, 8, 7]);
  });
});
