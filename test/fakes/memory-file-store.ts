import { createHash } from "node:crypto";
import { BotError } from "#domain/errors";
import type { FileStore } from "#ports/file-store";

/** The bytes of files, in memory. */
export class MemoryFileStore implements FileStore {
  readonly #files = new Map<string, Uint8Array>();

  async put(
    id: string,
    data: ReadableStream<Uint8Array>,
    maxBytes: number,
  ): Promise<{ readonly bytes: number; readonly sha256: string; readonly head: Uint8Array }> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of data) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) {
        throw new BotError("file-too-large", { detail: `The limit is ${maxBytes} bytes.` });
      }
      chunks.push(chunk);
    }
    const whole = new Uint8Array(Buffer.concat(chunks));
    this.#files.set(id, whole);
    const sha256 = createHash("sha256").update(whole).digest("hex");
    return { bytes, sha256, head: whole.slice(0, 4100) };
  }

  async open(id: string): Promise<ReadableStream<Uint8Array>> {
    return new Blob([Uint8Array.from(await this.read(id))]).stream();
  }

  async read(id: string): Promise<Uint8Array> {
    const file = this.#files.get(id);
    if (!file) throw new BotError("not-found", { detail: `There is no file ${id}.` });
    return file;
  }

  async remove(id: string): Promise<void> {
    this.#files.delete(id);
  }

  /** The ids of everything stored; for tests that look for what was left behind. */
  ids(): readonly string[] {
    return [...this.#files.keys()];
  }
}
