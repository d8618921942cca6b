import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, openDatabase } from "../../../adapters/sqlite/database.ts";

/** Data files that go away together. */
export class Scratch {
  readonly #folder = mkdtempSync(join(tmpdir(), "bobbin-data-"));
  readonly #open: Database[] = [];
  #files = 0;

  path(): string {
    this.#files += 1;
    return join(this.#folder, `${this.#files}.sqlite`);
  }

  open(path = this.path()): Database {
    const database = openDatabase(path);
    this.#open.push(database);
    return database;
  }

  /**
   * What kill -9 at this instant would leave: the bytes in the files, without what is not committed.
   * The old handle is closed after that, so whoever still has it fails.
   */
  kill(database: Database): Database {
    const path = this.path();
    for (const suffix of ["", "-wal"]) {
      if (existsSync(database.path + suffix)) copyFileSync(database.path + suffix, path + suffix);
    }
    database.close();
    return this.open(path);
  }

  remove(): void {
    for (const database of this.#open) database.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
