import { createHash, randomBytes } from "node:crypto";
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { BotError } from "#domain/errors";
import type { FileStore } from "#ports/file-store";

/** As many first bytes as recognising a file's type takes (`file-type` asks for 4100). */
const headBytes = 4_100;
/** What a process that was killed in mid-upload left behind is removed after this long. */
const abandonedAfterMs = 24 * 60 * 60_000;
const partialSuffix = ".partial";

/** Keeps each file under its id in a directory, which is created when missing. */
export async function createDiskFileStore(
  directory: string,
  now: () => number = Date.now,
): Promise<FileStore> {
  await mkdir(directory, { recursive: true });
  await removeAbandoned(directory, now());
  return new DiskFileStore(directory);
}

class DiskFileStore implements FileStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async put(
    id: string,
    data: ReadableStream<Uint8Array>,
    maxBytes: number,
  ): Promise<{ readonly bytes: number; readonly sha256: string; readonly head: Uint8Array }> {
    const path = this.#path(id);
    const partial = `${path}.${randomBytes(6).toString("hex")}${partialSuffix}`;
    try {
      const facts = await writeDurably(partial, data, maxBytes);
      await rename(partial, path);
      await syncDirectory(this.#directory);
      return facts;
    } catch (error) {
      await rm(partial, { force: true });
      throw explain(error);
    }
  }

  async open(id: string): Promise<ReadableStream<Uint8Array>> {
    const file = await this.#find(id, (path) => open(path));
    return Readable.toWeb(file.createReadStream());
  }

  async read(id: string): Promise<Uint8Array> {
    return this.#find(id, (path) => readFile(path));
  }

  async remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  async #find<T>(id: string, use: (path: string) => Promise<T>): Promise<T> {
    try {
      return await use(this.#path(id));
    } catch (error) {
      throw explain(error);
    }
  }

  /** Ids are names of files: nothing in them may lead elsewhere. */
  #path(id: string): string {
    if (!/^[A-Za-z0-9_-]{1,200}$/.test(id)) {
      throw new BotError("not-found", {
        detail: "A file's id is made of letters, digits, - and _.",
      });
    }
    return join(this.#directory, id);
  }
}

async function writeDurably(
  path: string,
  data: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly bytes: number; readonly sha256: string; readonly head: Uint8Array }> {
  await using file = await open(path, "wx");
  const hash = createHash("sha256");
  const head: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early, by the limit or a failure, cancels the stream.
  for await (const chunk of data) {
    if (bytes < headBytes) head.push(chunk.slice(0, headBytes - bytes));
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      throw new BotError("file-too-large", { detail: `The limit is ${inWords(maxBytes)}.` });
    }
    hash.update(chunk);
    await writeAll(file, chunk);
  }
  await file.sync();
  return { bytes, sha256: hash.digest("hex"), head: Buffer.concat(head) };
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.byteLength; ) {
    written += (await file.write(chunk, written)).bytesWritten;
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path);
  await directory.sync();
}

async function removeAbandoned(directory: string, nowMs: number): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.endsWith(partialSuffix)) continue;
    const path = join(directory, name);
    const { mtimeMs } = await stat(path);
    if (mtimeMs < nowMs - abandonedAfterMs) await rm(path, { force: true });
  }
}

function inWords(bytes: number): string {
  return bytes < 1_000_000 ? `${bytes} bytes` : `${Math.floor(bytes / 100_000) / 10} MB`;
}

/** The disk's errors in the words of the bot; anything else, such as the source's, as it is. */
function explain(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
      return new BotError("not-found", { cause: error });
    case "ENOSPC":
    case "EDQUOT":
    case "EIO":
    case "EROFS":
    case "EACCES":
    case "EMFILE":
      return new BotError("store-unavailable", { cause: error });
    default:
      return error;
  }
}
