import { mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { TableFile } from "#ports/data-engine";
import { createDocumentReader } from "../../../adapters/documents/document-reader.ts";
import {
  createDuckdbEngine,
  type DuckdbEngineOptions,
  isDuckdbHere,
} from "../../../adapters/duckdb/engine.ts";
import { row, xlsx, zip } from "../../fakes/document-fixtures.ts";

const documents = createDocumentReader({
  timeoutMs: 30_000,
  maxMemoryBytes: 256_000_000,
  maxCharacters: 100_000,
  maxSheetCharacters: 200_000,
});
const usual: DuckdbEngineOptions = {
  timeoutMs: 30_000,
  maxMemoryBytes: 200_000_000,
  readSheets: documents.readSheets.bind(documents),
};
const engine = createDuckdbEngine(usual);
const never = new AbortController().signal;
const bytes = (text: string) => new TextEncoder().encode(text);
/** Where a process can see what others are: by way of /proc. */
const onLinux = process.platform === "linux";

function csv(text: string | Uint8Array, file = "sales.csv", name = "sales"): TableFile {
  return { name, file, format: "csv", data: typeof text === "string" ? bytes(text) : text };
}

const sales = csv("month,region,amount\nJan,north,120\nFeb,north,190.5\nJan,south,90\n");

function ask(sql: string, files: readonly TableFile[] = [sales], by = engine) {
  return by.query({ files, sql, maxRows: 100, maxCharacters: 20_000 }, never);
}

async function rowsOf(sql: string, files?: readonly TableFile[]) {
  const answer = await ask(sql, files);
  if (!answer.ok) throw new Error(answer.problem);
  return answer.rows;
}

async function problemOf(sql: string, files?: readonly TableFile[], by = engine) {
  const answer = await ask(sql, files, by);
  if (answer.ok) throw new Error(`answered: ${JSON.stringify(answer.rows).slice(0, 300)}`);
  return answer.problem;
}

test("the engine is here: its package came for this machine", () => {
  expect(isDuckdbHere()).toBe(true);
});

describe("a table is asked", () => {
  test("by its name, and by its file's", async () => {
    const sums = "SELECT month, sum(amount) AS total FROM sales GROUP BY ALL ORDER BY total";
    expect(await ask(sums)).toEqual({
      ok: true,
      columns: [
        { name: "month", type: "VARCHAR" },
        { name: "total", type: "DOUBLE" },
      ],
      rows: [
        ["Feb", 190.5],
        ["Jan", 210],
      ],
      isCut: false,
      notes: [],
    });
    expect(await rowsOf("SELECT count(*) FROM 'sales.csv'")).toEqual([[3]]);
  });

  test("with whatever names its columns have", async () => {
    const odd = csv('"order","a ""b"" c","x;drop table sales","ü b"\n1,2,3,4\n');
    expect(
      await rowsOf('SELECT "a ""b"" c", "x;drop table sales", "ü b" FROM sales', [odd]),
    ).toEqual([[2, 3, 4]]);
  });

  test("with what its values are: dates, large numbers, nothing, lists", async () => {
    const data = csv("day,id\n2024-01-31,9007199254740993\n,2\n");
    expect(
      await rowsOf("SELECT day, id, [id], 1.10::DECIMAL(4,2), 'nan'::DOUBLE FROM sales", [data]),
    ).toEqual([
      ["2024-01-31", "9007199254740993", ["9007199254740993"], 1.1, "NaN"],
      [null, 2, ["2"], 1.1, "NaN"],
    ]);
  });

  test.each([
    [
      "semicolons and decimal commas",
      "a;b\n1;12,5\n2;1.300,25\n",
      [
        [1, 12.5],
        [2, 1300.25],
      ],
    ],
    [
      "tabs",
      "a\tb\n1\tx\n2\ty\n",
      [
        [1, "x"],
        [2, "y"],
      ],
    ],
    [
      "Latin letters",
      Buffer.from("a,b\n1,Gr\xfc\xdfe\n2,y\n", "latin1"),
      [
        [1, "Grüße"],
        [2, "y"],
      ],
    ],
    ["a mark in front", "\ufeffa,b\n1,x\n", [[1, "x"]]],
    [
      "UTF-16",
      Buffer.from("\ufeffa,b\n1,Grüße\n2,y\n", "utf16le"),
      [
        [1, "Grüße"],
        [2, "y"],
      ],
    ],
    ["lines that look like comments", "a\n#1\n#2\n", [["#1"], ["#2"]]],
  ])("with %s", async (_what, text, rows) => {
    const answer = await ask("SELECT * FROM sales", [csv(text)]);
    expect(answer).toMatchObject({ ok: true, rows });
  });

  test("with rows of different lengths, which is said, and nothing left out", async () => {
    expect(await ask("SELECT * FROM sales", [csv("a,b\n1,x\n2\n3,y,z\n")])).toMatchObject({
      ok: true,
      columns: [{ name: "a", type: "BIGINT" }, { name: "b" }, { name: "column 3" }],
      rows: [
        [1, "x", null],
        [2, null, null],
        [3, "y", "z"],
      ],
      notes: [expect.stringContaining("sales.csv is irregular")],
    });
  });

  test("all of which is looked at before a column is called whole numbers", async () => {
    const many = Array.from({ length: 25_000 }, (_, i) => `${i}\n`).join("");
    expect(
      await rowsOf("SELECT max(n), sum(n % 1) FROM sales", [csv(`n\n${many}30000.5\n`)]),
    ).toEqual([[30_000.5, 0.5]]);
  });

  test("or is no table, which is said", async () => {
    expect(await problemOf("FROM sales", [csv('a,b\n"unclosed,2\nz,3\n')])).toContain(
      "sales.csv cannot be read as a table",
    );
  });

  test("sheet by sheet, where it is a workbook", async () => {
    const data = xlsx({
      Boats: row(1, ["Boat", "Price"]) + row(2, ["Sloop, big", 12.5]) + row(3, ["Cutter", 3]),
      "Old ships": row(1, ["Name"]) + row(2, ["none"]),
    });
    const book: TableFile = { name: "book", file: "Book.xlsx", format: "workbook", data };
    expect(await rowsOf("SELECT sum(Price) FROM book_boats", [book])).toEqual([[15.5]]);
    const described = await engine.describe([book, sales], never);
    expect(described).toMatchObject({
      ok: true,
      tables: [
        { name: "book_boats", file: "Book.xlsx", sheet: "Boats", rows: 2 },
        { name: "book_old_ships", sheet: "Old ships", rows: 1, sample: [["none"]] },
        { name: "sales", rows: 3, columns: [{ name: "month" }, {}, { type: "DOUBLE" }] },
      ],
    });
  });

  test("and a mistake comes back with what helps to mend it", async () => {
    expect(await problemOf("SELECT amont FROM sales")).toMatch(/amont.*[\s\S]*"amount"/);
    expect(await problemOf("SELEC 1")).toContain("syntax error");
    expect(await problemOf("PIVOT sales ON region USING sum(amount)")).toContain("IN ('a', 'b')");
    expect(await problemOf("SELECT 1", [csv("  \n")])).toBe("sales.csv is empty.");
  });

  test("and no more is told than may be", async () => {
    const answer = await ask("SELECT range, repeat('x', 5000) AS long FROM range(1000000)");
    expect(answer).toMatchObject({ ok: true, isCut: true });
    if (!answer.ok) throw new Error(answer.problem);
    expect(answer.rows.length).toBeGreaterThan(5);
    expect(JSON.stringify(answer.rows).length).toBeLessThan(20_000);
    expect(answer.rows[0]?.[1]).toMatch(/^x{1000}… \(5000 characters\)$/);
  });
});

describe("nothing is reached but the tables:", () => {
  const outside = /nothing else: no files, no network|Only statements that read|does not exist/;
  const attempts = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('https://example.com/a.csv')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM glob('/*')",
    "SELECT getenv('PATH')",
    "COPY sales TO '/tmp/out.csv'",
    "ATTACH '/tmp/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "PRAGMA memory_limit = '100GB'",
    "CREATE TABLE copy AS FROM sales",
    "CALL enable_logging()",
  ];
  test(`with none of ${attempts.length} attempts`, async () => {
    const problems = await Promise.all(attempts.map((sql) => problemOf(sql)));
    for (const [index, sql] of attempts.entries()) {
      expect.soft(problems[index], sql).toMatch(outside);
    }
  });

  test("several statements in one", async () => {
    expect(await problemOf("SELECT 1; SELECT 2")).toContain("One statement is answered at a time");
  });

  test("not by the name of a file either, whatever is in it", async () => {
    const names = ["../../etc/passwd", "/etc/passwd", "a'); DROP TABLE sales; --.csv", 'x".csv'];
    const files = names.map((file, i) => csv(`n\n${i}\n`, file, `t${i}`));
    const columns = names.map((file) => `(SELECT n FROM "${file.replaceAll('"', '""')}")`);
    expect(await rowsOf(`SELECT ${columns.join(", ")}`, files)).toEqual([[0, 1, 2, 3]]);
  });

  test("and nothing stays on the disk", async () => {
    const scratchFolder = mkdtempSync(join(tmpdir(), "bobbin-scratch-"));
    const here = createDuckdbEngine({ ...usual, scratchFolder });
    expect(await ask("FROM sales", [sales], here)).toMatchObject({ ok: true });
    await problemOf("SELEC", [sales], here);
    expect(readdirSync(scratchFolder)).toEqual([]);
    rmdirSync(scratchFolder);
  });
});

describe("what takes too much is stopped, and the next question answered:", () => {
  const hasty = createDuckdbEngine({ ...usual, timeoutMs: 1_500 });
  test.each([
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE (a.range * b.range) % 7 = 3",
    // DuckDB does not heed an interrupt in here: its process is ended.
    "SELECT levenshtein(repeat('ab', 300000), repeat('ba', 300000))",
  ])("%s", async (sql) => {
    expect(await problemOf(sql, [sales], hasty)).toContain(
      "The query took longer than 1.5 seconds",
    );
    expect(await rowsOf("SELECT 1")).toEqual([[1]]);
  });

  test.each([
    ["SELECT list(range) FROM range(1000000000)", true],
    // DuckDB does not count these: its process is watched.
    ["SELECT length(repeat('x', 4000000000))", onLinux],
  ])("%s", async (sql, isSeen) => {
    const problem = await problemOf(sql);
    if (isSeen) expect(problem).toContain("needs more memory than it may have");
    expect(await rowsOf("SELECT 1")).toEqual([[1]]);
  });

  test("a question nobody waits for any more", async () => {
    const stop = new AbortController();
    const endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a <> b";
    const asked = engine.query(
      { files: [sales], sql: endless, maxRows: 1, maxCharacters: 100 },
      stop.signal,
    );
    stop.abort(new Error("stopped"));
    await expect(asked).rejects.toThrow("stopped");
  });

  test("a workbook that unpacks to gigabytes", async () => {
    const bomb = zip([
      { name: "[Content_Types].xml", data: "<Types/>" },
      { name: "xl/workbook.xml", data: new Uint8Array(300_000_000) },
    ]);
    const book: TableFile = { name: "book", file: "bomb.xlsx", format: "workbook", data: bomb };
    expect(await problemOf("FROM book", [book])).toMatch(/bomb\.xlsx unpacks to more than \d+ MB/);
  });

  test("a workbook with a huge sheet", async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => row(i + 1, [`${i}`, "some words here"]));
    const data = xlsx({ Big: rows.join("") });
    const book: TableFile = { name: "book", file: "big.xlsx", format: "workbook", data };
    expect(await problemOf("FROM book", [book])).toContain("big.xlsx holds more than");
  });
});

describe("a result as a file", () => {
  test("is whole, and nothing in it is computed by a spreadsheet", async () => {
    const hostile = csv(
      'name,n\n"=HYPERLINK(""http://x"",""y"")",1\n@SUM(A1),-2\n+1+1,3\n-5,4\n"a, ""b""",5\n',
    );
    const sql = `SELECT name, n AS "=n", CASE WHEN n > 2 THEN 'x' END AS e FROM sales ORDER BY n`;
    const query = { files: [hostile], sql, maxRows: 1, maxCharacters: 1_000 };
    const answer = await engine.query({ ...query, csvMaxBytes: 1_000_000 }, never);
    if (!answer.ok) throw new Error(answer.problem);
    expect(answer).toMatchObject({ isCut: true, rows: [["@SUM(A1)", -2, null]] });
    expect(answer.csv?.rows).toBe(5);
    expect(new TextDecoder().decode(answer.csv?.data).split("\r\n")).toEqual([
      "name,'=n,e",
      "'@SUM(A1),-2,",
      `"'=HYPERLINK(""http://x"",""y"")",1,`,
      "'+1+1,3,x",
      "-5,4,x",
      '"a, ""b""",5,x',
      "",
    ]);
  });

  test("is refused where it would be too large, rather than cut", async () => {
    const query = { files: [], sql: "FROM range(1000000)", maxRows: 1, maxCharacters: 1_000 };
    const answer = await engine.query({ ...query, csvMaxBytes: 1_000_000 }, never);
    expect(answer).toMatchObject({ ok: false, problem: expect.stringContaining("too large") });
  });
});
