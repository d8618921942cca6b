import { randomBytes } from "node:crypto";
import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import type { Attachment } from "#domain/message";
import type { FileStore } from "#ports/file-store";
import type { Ledger } from "#ports/ledger";
import type { RecordStore } from "#ports/record-store";
import type { ChatFile, ChatMessage } from "./wire.ts";

const unsentRanking = "web/unsent-uploads";
const unsentLifetimeMs = 24 * 60 * 60 * 1000;
const maxFileNameCharacters = 200;

/** What uploads need. */
export interface UploadsParts {
  readonly files: FileStore;
  readonly records: RecordStore;
  readonly ledger: Ledger;
  readonly maxFileBytes: number;
  readonly now: () => number;
}

/** Files people upload: first on their own, then sent with a message. */
export class Uploads {
  readonly #parts: UploadsParts;

  constructor(parts: UploadsParts) {
    this.#parts = parts;
  }

  /** Streams a file into the store. Throws a BotError `file-too-large` with the limit in words. */
  async take(upload: {
    readonly name: string;
    readonly mimeType: string;
    readonly data: ReadableStream<Uint8Array>;
  }): Promise<ChatFile> {
    const { files, records, ledger, maxFileBytes, now } = this.#parts;
    const id = `up-${randomBytes(12).toString("hex")}`;
    // Known as unsent before its bytes are there: whatever breaks off is cleared away later.
    await ledger.apply({ ranks: [{ ranking: unsentRanking, member: id, score: now() }] });
    const { bytes } = await files.put(id, upload.data, maxFileBytes);
    const name = fileNameOf(upload.name);
    const file: ChatFile = { id, name, mimeType: upload.mimeType, bytes, altText: "" };
    await records.write(recordKey(id), { ...file } satisfies Json);
    return file;
  }

  /** An uploaded file that waits to be sent. Throws a BotError `not-found`. */
  async find(id: string): Promise<ChatFile> {
    const record = await this.#parts.records.read(recordKey(id));
    if (!isChatFile(record)) {
      throw new BotError("not-found", { detail: "That upload is gone. Please attach it again." });
    }
    return record;
  }

  /** From now on the files belong to a message. */
  async sent(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#parts.ledger.apply({
      ranks: ids.map((member) => ({ ranking: unsentRanking, member, score: null })),
    });
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.#parts.files.remove(id);
      await this.#parts.records.remove(recordKey(id));
    }
  }

  /** Deletes what was uploaded a day ago and never sent. */
  async clearUnsent(): Promise<number> {
    const to = this.#parts.now() - unsentLifetimeMs;
    const old = await this.#parts.ledger.ranked(unsentRanking, { to, limit: 100 });
    const ids = old.map(({ member }) => member);
    await this.remove(ids);
    await this.sent(ids);
    return ids.length;
  }

  /** An attachment's bytes. Throws a BotError `file-unavailable`. */
  async open(file: Attachment): Promise<ReadableStream<Uint8Array>> {
    try {
      return await this.#parts.files.open(uploadIdOf(file.source) ?? file.id);
    } catch (error) {
      if (!(error instanceof BotError) || error.code !== "not-found") throw error;
      throw new BotError("file-unavailable", {
        detail: `${file.name} is not there any more.`,
        cause: error,
      });
    }
  }
}

/** A message's file as the bot keeps it: plain data, fetched by its id. */
export function attachmentOf(file: ChatFile): Attachment {
  return {
    id: file.id,
    name: file.name,
    mimeType: file.mimeType,
    bytes: file.bytes,
    ...(file.altText ? { description: file.altText } : {}),
    source: { upload: file.id },
  };
}

/** The file of a message, whoever wrote it. */
export function fileOf(message: ChatMessage, fileId: string): ChatFile | undefined {
  return message.files.find((file) => file.id === fileId);
}

/**
 * The head of an answer that hands a file over. Whatever is in it, it runs nowhere: images are shown
 * by `<img>` alone, everything else is a download, and a file opened on its own is in a sandbox.
 */
export function fileHeaders(file: ChatFile): { readonly [name: string]: string } {
  return {
    "Content-Type": shownAs(file.mimeType),
    "Content-Length": String(file.bytes),
    "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.name)}`,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=3600",
  };
}

/** Types an `<img>` shows without running anything; the rest travels as bytes. */
function shownAs(mimeType: string): string {
  const plain = mimeType.split(";")[0]?.trim().toLowerCase() ?? "";
  const images = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/svg+xml",
  ];
  return images.includes(plain) ? plain : "application/octet-stream";
}

/** The last part of a name, without what a file system or a header could stumble over. */
function fileNameOf(name: string): string {
  const last = name.split(/[\\/]/).at(-1) ?? "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go
  const clean = last.replace(/[\u0000-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, "").trim();
  return clean.slice(0, maxFileNameCharacters) || "file";
}

function uploadIdOf(source: Json): string | undefined {
  if (typeof source !== "object" || source === null || !("upload" in source)) return undefined;
  return typeof source.upload === "string" ? source.upload : undefined;
}

function recordKey(id: string): string {
  return `web:upload:${id}`;
}

function isChatFile(record: Json | undefined): record is Json & ChatFile {
  return typeof record === "object" && record !== null && "id" in record && "bytes" in record;
}
