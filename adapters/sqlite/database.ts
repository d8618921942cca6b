import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { BotError } from "#domain/errors";
import { migrations } from "./schema.ts";

/** The one open handle on the data file, shared by everything that keeps something in it. */
export interface Database {
  readonly path: string;
  /** False once it was closed: nothing can be read or written any more. */
  readonly isOpen: boolean;
  /** A prepared statement; the same SQL gives the same one. */
  prepare(sql: string): StatementSync;
  /**
   * Runs `work` at once, in the transaction all writes of this turn of the event loop share, and
   * resolves with its result once that transaction is on disk. When `work` throws, only its own
   * writes are undone and the promise is rejected with what it threw. Rejects with a BotError
   * `store-unavailable` when the disk refuses. `work` must be synchronous.
   */
  write<T>(work: () => T): Promise<T>;
  /**
   * The same for work that changes something by one statement and cannot fail after it: SQLite undoes
   * a statement that fails by itself.
   */
  writeOne<T>(work: () => T): Promise<T>;
  /**
   * Reads at once; sees also what this turn has written and not yet committed. Rejects with a
   * BotError `store-unavailable` when the file cannot be read.
   */
  read<T>(work: () => T): Promise<T>;
  /** Writes a complete copy to another file, while everything goes on. An existing file is replaced. */
  backup(toPath: string): Promise<void>;
  /** Commits what is open and closes the file. */
  close(): void;
}

/** How long a new process waits for the lock of one that is just ending. */
const lockTimeoutMs = 200;

/**
 * Opens (or creates) the data file for this process alone, and brings its tables up to date.
 * Throws an Error that names the path and the remedy when another process has it, when it is not
 * ours, or when a newer version wrote it.
 */
export function openDatabase(path: string): Database {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
  let handle: DatabaseSync | undefined;
  try {
    handle = new DatabaseSync(path, { timeout: lockTimeoutMs });
    // The lock mode comes first: WAL then needs no shared memory, and the lock is held until the end.
    handle.exec("pragma locking_mode = exclusive");
    handle.exec("pragma journal_mode = wal");
    handle.exec("pragma synchronous = full");
    handle.exec("pragma cache_size = -8000");
    // Most writes stand in a savepoint; what undoes it would be copied to a file, page by page.
    handle.exec("pragma temp_store = memory");
    // What somebody had forgotten must not stay in the pages that became free.
    handle.exec("pragma secure_delete = on");
    handle.exec("pragma journal_size_limit = 16777216");
    migrate(handle, path);
    return new SqliteDatabase(handle, path);
  } catch (error) {
    handle?.close();
    throw explainOpening(error, path);
  }
}

function migrate(handle: DatabaseSync, path: string): void {
  // Taking the write lock even when there is nothing to do makes a second process fail here.
  handle.exec("begin exclusive");
  const version = Number(handle.prepare("pragma user_version").get()?.user_version ?? 0);
  if (version > migrations.length) {
    throw new Error(
      `${path} was written by a newer version of this program (its tables are at step ${version}, ` +
        `this version knows ${migrations.length}): start that version, or set DATA_DIR to another folder`,
    );
  }
  for (const step of migrations.slice(version)) handle.exec(step);
  handle.exec(`pragma user_version = ${migrations.length}`);
  handle.exec("commit");
}

function explainOpening(error: unknown, path: string): unknown {
  switch (resultCode(error)) {
    case sqliteCodes.busy:
    case sqliteCodes.locked:
      return new Error(
        `${path} is in use by another process: stop that one first, or set DATA_DIR to another folder`,
        { cause: error },
      );
    case sqliteCodes.notADatabase:
    case sqliteCodes.corrupt:
      return new Error(
        `${path} is damaged or no data file of this program: restore a backup, or set DATA_DIR to another folder`,
        { cause: error },
      );
    case sqliteCodes.cannotOpen:
    case sqliteCodes.readOnly:
      return new Error(`${path} cannot be written: check that its folder belongs to this user`, {
        cause: error,
      });
    default:
      return error;
  }
}

/** Primary result codes (https://www.sqlite.org/rescode.html). */
const sqliteCodes = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

/** The primary result code of an error SQLite raised; undefined for any other error. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}

/** A batch: the writes of one turn. */
interface Batch {
  readonly committed: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class SqliteDatabase implements Database {
  readonly path: string;
  readonly #handle: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #batch: Batch | undefined;

  constructor(handle: DatabaseSync, path: string) {
    this.#handle = handle;
    this.path = path;
  }

  get isOpen(): boolean {
    return this.#handle.isOpen;
  }

  prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#handle.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  write<T>(work: () => T): Promise<T> {
    return this.writeOne(() => this.#guarded(work));
  }

  writeOne<T>(work: () => T): Promise<T> {
    let batch: Batch;
    let result: T;
    try {
      batch = this.#openBatch();
      result = work();
    } catch (error) {
      const failure = unavailable(error);
      if (!this.#isInTransaction()) this.#abandonBatch(failure);
      return Promise.reject(failure);
    }
    return batch.committed.then(() => result);
  }

  async read<T>(work: () => T): Promise<T> {
    try {
      return work();
    } catch (error) {
      throw unavailable(error);
    }
  }

  async backup(toPath: string): Promise<void> {
    // The copy gets its name only when it is complete and on disk.
    const partial = `${toPath}.partial`;
    rmSync(partial, { force: true });
    try {
      this.#commit();
      this.prepare("vacuum into ?").run(partial);
      syncFile(partial);
      renameSync(partial, toPath);
      syncFile(dirname(toPath));
    } catch (error) {
      rmSync(partial, { force: true });
      throw unavailable(error);
    }
  }

  close(): void {
    if (!this.#handle.isOpen) return;
    this.#commit();
    this.#statements.clear();
    this.#handle.close();
  }

  #openBatch(): Batch {
    if (this.#batch) return this.#batch;
    this.prepare("begin immediate").run();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Every write hangs on this promise; a batch whose writes all failed has nobody to tell.
    promise.catch(() => undefined);
    this.#batch = { committed: promise, resolve, reject };
    setImmediate(() => this.#commit());
    return this.#batch;
  }

  #guarded<T>(work: () => T): T {
    this.prepare("savepoint work").run();
    try {
      const result = work();
      this.prepare("release work").run();
      return result;
    } catch (error) {
      if (this.#isInTransaction()) {
        this.prepare("rollback to work").run();
        this.prepare("release work").run();
      }
      throw error;
    }
  }

  #isInTransaction(): boolean {
    return this.#handle.isOpen && this.#handle.isTransaction;
  }

  /** SQLite has given up the whole transaction (disk full): what else was in it has failed as well. */
  #abandonBatch(failure: unknown): void {
    this.#batch?.reject(failure);
    this.#batch = undefined;
  }

  #commit(): void {
    const batch = this.#batch;
    if (!batch) return;
    this.#batch = undefined;
    try {
      this.prepare("commit").run();
    } catch (error) {
      if (this.#isInTransaction()) this.prepare("rollback").run();
      batch.reject(unavailable(error));
      return;
    }
    batch.resolve();
  }
}

function syncFile(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Failures of the disk or the file in the words of the bot; anything else is passed on as it is. */
function unavailable(error: unknown): unknown {
  switch (resultCode(error)) {
    case sqliteCodes.busy:
    case sqliteCodes.locked:
    case sqliteCodes.readOnly:
    case sqliteCodes.ioError:
    case sqliteCodes.corrupt:
    case sqliteCodes.full:
    case sqliteCodes.cannotOpen:
    case sqliteCodes.notADatabase:
      return new BotError("store-unavailable", { cause: error });
    default:
      return isClosed(error) ? new BotError("store-unavailable", { cause: error }) : error;
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_INVALID_STATE";
}
