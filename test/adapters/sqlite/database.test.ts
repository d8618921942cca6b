import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Database, openDatabase } from "../../../adapters/sqlite/database.ts";
import { createSqliteLedger } from "../../../adapters/sqlite/ledger.ts";
import { Scratch } from "./scratch.ts";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

const put = (database: Database, name: string) => () => {
  database.prepare("insert into registers (name, value, version) values (?, '1', 1)").run(name);
};
const names = (database: Database) => createSqliteLedger(database).names("", { limit: 99 });

describe("opening the data file", () => {
  test("a second process is refused with the path and what to do, and let in once the first is killed", async () => {
    const path = scratch.path();
    const child = spawn(process.execPath, [
      fileURLToPath(new URL("./hold-data-file.ts", import.meta.url)),
      path,
    ]);
    await once(child.stdout, "data");
    expect(() => openDatabase(path)).toThrow(
      `${path} is in use by another process: stop that one first, or set DATA_DIR to another folder`,
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await names(scratch.open(path))).toEqual(["durable"]);
  });

  test("the folder is made when it is missing", () => {
    const path = `${scratch.path()}.folder/deep/bobbin.sqlite`;
    scratch.open(path);
    expect(existsSync(path)).toBe(true);
  });

  test("a file a newer version wrote is refused", () => {
    const path = scratch.path();
    scratch.open(path).close();
    const other = new DatabaseSync(path);
    other.exec("pragma user_version = 999");
    other.close();
    expect(() => openDatabase(path)).toThrow(/written by a newer version.*step 999.*DATA_DIR/);
  });

  test("a file that is something else is refused", () => {
    const path = scratch.path();
    writeFileSync(path, "not a database, but certainly long enough to look like one ".repeat(99));
    expect(() => openDatabase(path)).toThrow(`${path} is damaged or no data file of this program`);
  });

  test("what was written is there when it is opened again", async () => {
    const database = scratch.open();
    await database.write(put(database, "a"));
    database.close();
    expect(await names(scratch.open(database.path))).toEqual(["a"]);
  });

  test("closing commits what is open", async () => {
    const database = scratch.open();
    const written = database.write(put(database, "a"));
    database.close();
    await written;
    expect(await names(scratch.open(database.path))).toEqual(["a"]);
  });
});

describe("writing", () => {
  test("the writes of one turn are durable together, and not before their promises resolve", async () => {
    const database = scratch.open();
    const order: string[] = [];
    const first = database.write(put(database, "a")).then(() => order.push("a"));
    const second = database.write(put(database, "b")).then(() => order.push("b"));
    expect(await names(scratch.kill(database))).toEqual([]);
    await Promise.all([first, second]);
    expect(order).toEqual(["a", "b"]);

    const other = scratch.open();
    await Promise.all([other.write(put(other, "a")), other.write(put(other, "b"))]);
    expect(await names(scratch.kill(other))).toEqual(["a", "b"]);
  });

  test("a write that fails is undone alone", async () => {
    const database = scratch.open();
    const results = await Promise.allSettled([
      database.write(put(database, "a")),
      database.write(() => {
        put(database, "half")();
        throw new Error("changed my mind");
      }),
      database.write(put(database, "a")),
      database.write(put(database, "b")),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    expect(results[1]).toMatchObject({ reason: { message: "changed my mind" } });
    expect(await names(scratch.kill(database))).toEqual(["a", "b"]);
  });

  test("a single statement that fails is undone alone, and whole", async () => {
    const database = scratch.open();
    const insert = "insert into registers (name, value, version) values (?, '1', 1), (?, '1', 1)";
    const results = await Promise.allSettled([
      database.writeOne(put(database, "a")),
      database.writeOne(() => database.prepare(insert).run("half", "a")),
      database.writeOne(put(database, "b")),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await names(scratch.kill(database))).toEqual(["a", "b"]);
  });

  test.each(["write", "writeOne"] as const)(
    "a full disk fails the writes that did not fit, and later ones work again (%s)",
    async (write) => {
      const database = scratch.open();
      await database.write(put(database, "a"));
      const { page_count: pages } = database.prepare("pragma page_count").get() ?? {};
      database.prepare(`pragma max_page_count = ${Number(pages)}`).get();
      const huge = () =>
        database[write](() => {
          database
            .prepare("insert into records (key, value) values ('huge', ?)")
            .run("x".repeat(99_999));
        });
      await expect(huge()).rejects.toMatchObject({ code: "store-unavailable" });
      await database.write(put(database, "b"));
      database.prepare("pragma max_page_count = 1000000").get();
      await huge();
      expect(await names(scratch.kill(database))).toEqual(["a", "b"]);
    },
  );

  test("what was deleted cannot be found in the file any more", async () => {
    const database = scratch.open();
    const secrets = Array.from({ length: 50 }, (_, index) => `secret-${index}-`.repeat(99));
    const insert = "insert into records (key, value) values (?, ?)";
    await database.write(() => {
      for (const secret of secrets) database.prepare(insert).run(secret.slice(0, 20), secret);
    });
    await database.write(() => database.prepare("delete from records").run());
    database.close();
    expect(readFileSync(database.path).includes("secret-")).toBe(false);
  });

  test("a closed file is unavailable", async () => {
    const database = scratch.open();
    database.close();
    await expect(database.write(put(database, "a"))).rejects.toMatchObject({
      code: "store-unavailable",
    });
  });
});

describe("a backup", () => {
  test("is complete, opens like the original, and replaces an older one", async () => {
    const database = scratch.open();
    const copy = scratch.path();
    await database.write(put(database, "a"));
    await database.backup(copy);
    const unfinished = database.write(put(database, "b"));
    await database.backup(copy);
    await unfinished;
    await database.write(put(database, "c"));
    expect(await names(scratch.open(copy))).toEqual(["a", "b"]);
    expect(existsSync(`${copy}.partial`)).toBe(false);
  });

  test("to where nothing can be written fails and leaves nothing", async () => {
    const database = scratch.open();
    await expect(database.backup("/proc/backup.sqlite")).rejects.toMatchObject({
      code: "store-unavailable",
    });
    await database.write(put(database, "a"));
  });
});
