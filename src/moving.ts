import { messageOf } from "#domain/errors";
import { isObject, type Json } from "#domain/json";
import type { FileStore } from "#ports/file-store";
import type { Portable } from "#ports/portable";

/** Everything one Bobbin keeps. */
export interface Kept {
  readonly portable: Portable;
  readonly files: FileStore;
}

/** What was moved. */
export interface Moved {
  readonly lines: number;
  readonly files: number;
}

const format = "bobbin-export";
const version = 1;
/** Bytes of a file in one line. */
const partBytes = 768 * 1_024;
/** Lines handed over before the first of them is waited for: they share one write to disk. */
const linesAtOnce = 500;

/**
 * Everything as JSON lines: a head, what the engine keeps, the files in parts, and an end that counts
 * them, so that a file that was cut short is known as one.
 */
export async function* exportLines(
  { portable, files }: Kept,
  fileIds: readonly string[],
  at: Date,
): AsyncGenerator<string> {
  yield toLine({ kind: format, version, at: at.toISOString() });
  let lines = 0;
  for await (const line of portable.exportLines()) {
    yield toLine(line);
    lines++;
  }
  for (const id of fileIds) {
    yield toLine({ kind: "file", id });
    for await (const data of partsOf(await files.open(id)))
      yield toLine({ kind: "file-part", data });
    yield toLine({ kind: "file-end", id });
  }
  yield toLine({ kind: "end", lines, files: fileIds.length });
}

/**
 * Takes in what {@link exportLines} gave, line by line. Throws an Error in words, naming the line, on
 * the first that is wrong and when the end is missing; what was taken in until then is of no use.
 */
export async function importLines(lines: AsyncIterable<string>, into: Kept): Promise<Moved> {
  const reader = new Reader(into);
  for await (const text of lines) await reader.take(text);
  return reader.end();
}

/** Reads an export: knows where in it a line stands. */
class Reader {
  readonly #into: Kept;
  #number = 0;
  #lines = 0;
  #files = 0;
  #pending: Promise<void>[] = [];
  #file: FileInParts | undefined;
  #isComplete = false;

  constructor(into: Kept) {
    this.#into = into;
  }

  async take(text: string): Promise<void> {
    this.#number++;
    if (text.trim() === "") return;
    const line = this.#parse(text);
    try {
      if (this.#number === 1) checkHead(line);
      else if (this.#isComplete) throw new Error("something stands after the end");
      else await this.#takeOne(line);
    } catch (error) {
      throw new Error(`line ${this.#number}: ${messageOf(error)}`, { cause: error });
    }
  }

  async end(): Promise<Moved> {
    if (this.#number === 0) throw new Error("the file is empty");
    if (!this.#isComplete) throw new Error(`the file ends early, after line ${this.#number}`);
    return { lines: this.#lines, files: this.#files };
  }

  async #takeOne(line: Fields): Promise<void> {
    switch (line.kind) {
      case "file":
        if (this.#file) throw new Error(`${this.#file.id} has no end`);
        this.#file = new FileInParts(stringIn(line, "id"), this.#into.files);
        return;
      case "file-part":
        if (!this.#file) throw new Error("a part without a file");
        return this.#file.add(Buffer.from(stringIn(line, "data"), "base64"));
      case "file-end":
        if (this.#file?.id !== line.id) throw new Error("the end of a file that did not begin");
        await this.#file?.end();
        this.#file = undefined;
        this.#files++;
        return;
      case "end":
        return this.#takeEnd(line);
      default:
        return this.#takeKept(line as Json);
    }
  }

  async #takeKept(line: Json): Promise<void> {
    this.#lines++;
    const taken = this.#into.portable.importLine(line);
    // Waited for together below; until then a rejection must not count as unhandled.
    taken.catch(() => undefined);
    this.#pending.push(taken);
    if (this.#pending.length >= linesAtOnce) await this.#settle();
  }

  async #takeEnd(line: Fields): Promise<void> {
    await this.#settle();
    if (this.#file) throw new Error(`${this.#file.id} has no end`);
    if (line.lines !== this.#lines || line.files !== this.#files) {
      throw new Error(
        `${this.#lines} lines and ${this.#files} files came, but ${String(line.lines)} and ${String(line.files)} were sent`,
      );
    }
    this.#isComplete = true;
  }

  async #settle(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    await Promise.all(pending);
  }

  #parse(text: string): Fields {
    try {
      const value: unknown = JSON.parse(text);
      if (isObject(value)) return value;
    } catch {
      // Said below: what a parser says quotes what it could not read.
    }
    throw new Error(`line ${this.#number} is no JSON object`);
  }
}

type Fields = { readonly [name: string]: unknown };

/** A file that comes in parts and goes into the store as one stream. */
class FileInParts {
  readonly id: string;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stored: Promise<unknown>;

  constructor(id: string, files: FileStore) {
    this.id = id;
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    this.#writer = writable.getWriter();
    this.#stored = files.put(id, readable, Number.MAX_SAFE_INTEGER);
    this.#stored.catch(() => undefined);
  }

  /** Waits until the store has taken it, or has failed. */
  async add(data: Uint8Array): Promise<void> {
    await Promise.race([this.#writer.write(data), this.#stored]);
  }

  async end(): Promise<void> {
    await Promise.all([this.#writer.close(), this.#stored]);
  }
}

async function* partsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  for await (const chunk of stream) {
    for (let from = 0; from < chunk.byteLength; from += partBytes) {
      const part = chunk.subarray(from, from + partBytes);
      yield Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString("base64");
    }
  }
}

function checkHead(line: Fields): void {
  if (line.kind !== format) throw new Error("this is no export of Bobbin");
  if (line.version !== version) {
    throw new Error(`the export has version ${String(line.version)}; this Bobbin reads ${version}`);
  }
}

function stringIn(line: Fields, name: string): string {
  const value = line[name];
  if (typeof value === "string") return value;
  throw new Error(`${name} is missing`);
}

function toLine(value: Json): string {
  return JSON.stringify(value);
}
