import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDiskFileStore } from "../../adapters/disk/file-store.ts";
import { copyFiles, fileIdsIn } from "../../adapters/disk/files-folder.ts";
import { folderMark, markName } from "../../adapters/disk/folder-mark.ts";
import { createRecordStore } from "../../adapters/keyv/record-store.ts";
import { createTableStore } from "../../adapters/keyv/table-store.ts";
import type { RedisStore } from "../../adapters/redis/store.ts";
import { type Database, openDatabase } from "../../adapters/sqlite/database.ts";
import { createKeyValueTable } from "../../adapters/sqlite/key-value-table.ts";
import { createSqliteLedger } from "../../adapters/sqlite/ledger.ts";
import { createSqlitePortable } from "../../adapters/sqlite/portable.ts";
import { createSqliteRunQueue } from "../../adapters/sqlite/run-queue.ts";
import { dataFileName, filesFolderName, type OpenData } from "../admin.ts";
import type { Ledger } from "../ports/ledger.ts";
import type { Log } from "../ports/log.ts";
import { alone, type Processes } from "../ports/processes.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { Retention } from "../ports/retention.ts";
import type { RunQueue } from "../ports/run-queue.ts";
import { createVersionedRecords } from "../record-versions.ts";
import type { SharedData } from "../shared-admin.ts";

/** What files say, to search in; made of the files, and made again when it is not there. */
const searchFileName = "search.sqlite";

/** What keeps everything, and what is asked of the data folder. */
export interface Stores {
  readonly queue: RunQueue & Retention;
  readonly ledger: Ledger;
  readonly records: RecordStore;
  readonly files: Awaited<ReturnType<typeof createDiskFileStore>>;
  readonly processes: Processes;
  readonly searchFile: string;
  /** Copies everything to a folder; undefined when that is somebody else's business. */
  readonly backup: ((to: string) => Promise<string>) | undefined;
}

/** Everything in the data folder, for this process alone. */
export async function openOwn(
  directory: string,
  log: Log,
  parts: AsyncDisposableStack,
): Promise<Stores> {
  const { database, ...stores } = await openStores(directory);
  parts.defer(() => database.close());
  return {
    ...stores,
    queue: createSqliteRunQueue({ database, log }),
    processes: alone,
    searchFile: join(directory, searchFileName),
    backup: (to) => backUp({ database, directory, to }),
  };
}

/** Everything but files in Redis, shared with other processes. Its packages are loaded by those who use them. */
export async function openShared(options: {
  readonly directory: string;
  readonly redisUrl: string;
  readonly leaseMs: number;
  readonly log: Log;
  readonly parts: AsyncDisposableStack;
}): Promise<Stores> {
  const { directory, redisUrl, leaseMs, log, parts } = options;
  const { openRedisStore } = await import("../../adapters/redis/store.ts");
  const warn = (problem: string) => {
    log.warn({ problem }, "Redis may lose data");
    process.stderr.write(`Bobbin: the Redis of REDIS_URL may lose data: ${problem}\n`);
  };
  const store = parts.use(await openRedisStore({ url: redisUrl, leaseMs, log, warn }));
  const { queue, processes, ledger, records } = store;
  await refuseOtherFolder(store, directory);
  // Each process makes its own of the files: SQLite's is for one.
  const scratch = await mkdtemp(join(tmpdir(), "bobbin-search-"));
  parts.defer(() => rm(scratch, { recursive: true, force: true }));
  return {
    queue,
    processes,
    ledger,
    records: createVersionedRecords(createRecordStore(records)),
    files: await createDiskFileStore(join(directory, filesFolderName)),
    searchFile: join(scratch, searchFileName),
    backup: undefined,
  };
}

/** Redis and the files, for an admin's commands. */
export async function openSharedData(directory: string, redisUrl: string): Promise<SharedData> {
  const { openRedisData } = await import("../../adapters/redis/shared-data.ts");
  return {
    ...(await openRedisData(redisUrl)),
    files: await createDiskFileStore(join(directory, filesFolderName)),
    fileIds: () => fileIdsIn(join(directory, filesFolderName)),
  };
}

/** Each process keeps files in a folder of its own only by mistake: the others would not find them. */
async function refuseOtherFolder(store: RedisStore, directory: string): Promise<void> {
  const mark = await folderMark(directory);
  const kept = await store.agreeOn("files-folder", mark);
  if (kept === mark) return;
  throw new Error(
    `DATA_DIR (${directory}) is not the folder in which the other processes on this Redis keep files: mount that one in all of them. If this one takes its place, write ${kept} into ${join(directory, markName)}`,
  );
}

/** What keeps everything, on one open data file. */
async function openStores(directory: string) {
  const database = openDatabase(join(directory, dataFileName));
  return {
    database,
    ledger: createSqliteLedger(database),
    records: createVersionedRecords(
      createRecordStore(createTableStore(createKeyValueTable(database))),
    ),
    files: await createDiskFileStore(join(directory, filesFolderName)),
  };
}

/** The same, for an admin's commands. */
export async function openData(directory: string): Promise<OpenData> {
  const { database, files } = await openStores(directory);
  return {
    portable: createSqlitePortable(database),
    files,
    fileIds: () => fileIdsIn(join(directory, filesFolderName)),
    backup: (to) => backUp({ database, directory, to }),
    close: () => database.close(),
  };
}

/** Copies a data folder that is open. Files come second: the data file names none that is not there yet. */
async function backUp(what: {
  readonly database: Database;
  readonly directory: string;
  readonly to: string;
}): Promise<string> {
  const { database, directory, to } = what;
  await mkdir(to, { recursive: true });
  if ((await readdir(to)).length > 0) throw new Error(`${to} is not empty`);
  await database.backup(join(to, dataFileName));
  const copied = await copyFiles(join(directory, filesFolderName), join(to, filesFolderName));
  return `Backed up everything, with ${copied} file${copied === 1 ? "" : "s"}, to ${to}`;
}
