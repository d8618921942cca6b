import { BotError, explain } from "#domain/errors";
import type { FileStatus, FileUse, StoredFile } from "#domain/file";
import type { Attachment, IncomingMessage, QuotedMessage } from "#domain/message";
import type { UserEntry } from "#domain/thread";
import type { FileKind } from "#ports/document-reader";
import type { IndexState } from "#ports/file-index";
import { toJson } from "./checkpoint.ts";
import type { RunEnvironment } from "./environment.ts";
import { indexFile } from "./file-search.ts";
import { names, stableId } from "./names.ts";
import { orAborted } from "./or-aborted.ts";
import { withinReach } from "./run-files.ts";
import type { RunWork } from "./run-work.ts";

/** Larger documents are searched rather than read whole, where the assistant can search. */
const searchFromBytes = 1_000_000;

/** Where the bot searches itself, a document of more passages (about 20,000 characters) is searched, too. */
const shownPassages = 12;

/** Reading a document has limits of its own; this one is for the line of those that wait to be read. */
const indexTimeoutMs = 600_000;

/** Writing down a long recording takes its time. */
const transcribeTimeoutMs = 120_000;

/** A platform that takes longer than this for one file will not deliver it. */
const fetchTimeoutMs = 60_000;

/**
 * Turns the messages to answer into transcript entries: fetches their files once, checks and stores
 * them. A file that cannot be read is a sentence to the person and to the model, never a failed run.
 */
export async function readAttachments(
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<void> {
  if (work.state.asked.length > 0) return;
  const asked: UserEntry[] = [];
  for (const message of work.task.messages) {
    const storing = environment.attachments.store(message, work.task.conversationKey);
    const statuses = await orAborted(storing, signal);
    for (const status of statuses) {
      if (status.detail === undefined) continue;
      work.tell({ type: "notice", notice: { kind: "warning", text: refusalOf(status) } });
    }
    asked.push(toUserEntry(message, statuses));
  }
  work.update({ asked });
}

/** Fetches messages' files into our own store, once each, however many ask for them. */
export interface AttachmentStore {
  /** Says for each file what became of it. Never throws. */
  store(message: IncomingMessage, conversationKey: string): Promise<readonly FileStatus[]>;
}

export function createAttachmentStore(
  environment: Omit<RunEnvironment, "attachments">,
): AttachmentStore {
  const underWay = new Map<string, Promise<readonly FileStatus[]>>();
  return {
    store(message, conversationKey) {
      if (message.attachments.length === 0) return Promise.resolve([]);
      const key = `${message.eventId}/${message.attachments.length}`;
      const known = underWay.get(key);
      if (known) return known;
      const work = storeAttachments(message, conversationKey, environment);
      underWay.set(key, work);
      return work.finally(() => underWay.delete(key));
    },
  };
}

async function storeAttachments(
  message: IncomingMessage,
  conversationKey: string,
  environment: Omit<RunEnvironment, "attachments">,
): Promise<readonly FileStatus[]> {
  const { limits } = environment;
  const wanted = message.attachments.slice(0, limits.filesPerMessage);
  const surplus = message.attachments.slice(limits.filesPerMessage);
  const statuses = await Promise.all(
    wanted.map((attachment) => storeAttachment(attachment, message, conversationKey, environment)),
  );
  return [
    ...statuses,
    ...surplus.map(
      ({ name }): FileStatus => ({
        name,
        status: "refused",
        detail: `A message may carry ${limits.filesPerMessage} files; this one had ${message.attachments.length}.`,
      }),
    ),
  ];
}

async function storeAttachment(
  attachment: Attachment,
  message: IncomingMessage,
  conversationKey: string,
  environment: Omit<RunEnvironment, "attachments">,
): Promise<FileStatus> {
  const { records, ledger, log } = environment;
  const id = stableId("file", message.eventId, attachment.id);
  try {
    const known = await records.read(names.record.file(id));
    if (known !== undefined) {
      const states = await environment.fileIndex?.states([id]).catch(() => undefined);
      return { name: attachment.name, fileId: id, ...statusOf(states?.get(id)) };
    }
    const stored = await fetchAttachment(id, attachment, message, environment);
    const index = await indexNow(stored, environment);
    const file = isLong(index) && stored.use === "look" ? { ...stored, use: "search" } : stored;
    await records.write(names.record.file(id), toJson(file));
    await ledger.apply(withinReach(conversationKey, stored));
    return { name: attachment.name, fileId: id, ...statusOf(index) };
  } catch (error) {
    log.warn({ event: message.eventId, file: id, err: error }, "attachment refused");
    const detail =
      error instanceof BotError ? (error.detail ?? explain(error, "")) : "It could not be fetched.";
    return { name: attachment.name, status: "refused", detail };
  }
}

/** A file that is not in the index yet is no worse a file: the run tries again. */
async function indexNow(
  file: StoredFile,
  environment: Omit<RunEnvironment, "attachments">,
): Promise<IndexState | undefined> {
  try {
    return await indexFile(file, environment, AbortSignal.timeout(indexTimeoutMs));
  } catch (error) {
    environment.log.warn({ file: file.id, err: error }, "file not indexed");
    return undefined;
  }
}

function isLong(index: IndexState | undefined): boolean {
  return index?.status === "indexed" && index.passages > shownPassages;
}

function statusOf(index: IndexState | undefined): Pick<FileStatus, "status" | "detail"> {
  if (!index) return { status: "stored" };
  if (index.status === "failed") return { status: "stored", detail: index.why };
  if (!index.truncated) return { status: "indexed" };
  return { status: "indexed", detail: "It is longer than I read: its end is left out." };
}

async function fetchAttachment(
  id: string,
  attachment: Attachment,
  message: IncomingMessage,
  environment: Omit<RunEnvironment, "attachments">,
): Promise<StoredFile> {
  const { platforms, files, documents, limits, now } = environment;
  if ((attachment.bytes ?? 0) > limits.fileMaxBytes) {
    throw tooLarge(attachment.name, attachment.bytes ?? 0, limits.fileMaxBytes);
  }
  const platform = platforms.get(message.place.platform);
  if (!platform) throw new BotError("file-unavailable");
  const data = await platform.openFile(attachment, AbortSignal.timeout(fetchTimeoutMs));
  const stored = await files.put(id, data, limits.fileMaxBytes);
  if (stored.bytes === 0) {
    await files.remove(id);
    throw new BotError("file-broken", { detail: `${attachment.name} is empty.` });
  }
  const kind = await documents.kindOf(stored.head, attachment.name);
  if (isRecording(kind)) {
    const { name } = attachment;
    return storeTranscript({ id, name, mimeType: kind.mimeType }, environment);
  }
  if (kind.family === "unsupported") {
    await files.remove(id);
    throw new BotError("file-unsupported", {
      detail: `${attachment.name} is ${kind.mimeType}; I read images, PDF, Word, Excel, CSV, HTML, text and code.`,
    });
  }
  return {
    id,
    object: "file",
    created_at: Math.floor(now() / 1000),
    filename: attachment.name,
    bytes: stored.bytes,
    mime_type: kind.mimeType,
    purpose: "user_upload",
    use: usualUse(kind, stored.bytes),
    sha256: stored.sha256,
    alt_text: attachment.description ?? null,
  };
}

function isRecording({ mimeType }: FileKind): boolean {
  return mimeType.startsWith("audio/");
}

/** Of a recording its words are kept, as a text like others; the sound itself is not. */
async function storeTranscript(
  { id, name, mimeType }: { readonly id: string; readonly name: string; readonly mimeType: string },
  { files, transcriber, limits, now }: Omit<RunEnvironment, "attachments">,
): Promise<StoredFile> {
  const data = await files.read(id);
  await files.remove(id);
  if (!transcriber) {
    throw new BotError("file-unsupported", {
      detail: `${name} is a recording, and nothing I work with can write down what is said in it.`,
    });
  }
  const signal = AbortSignal.timeout(transcribeTimeoutMs);
  const words = await transcriber.transcribe({ name, mimeType, data }, signal);
  if (words.trim() === "") {
    throw new BotError("file-broken", { detail: `Nothing can be heard in ${name}.` });
  }
  const text = `Transcript of the recording ${name}:\n\n${words}\n`;
  const stored = await files.put(id, new Blob([text]).stream(), limits.fileMaxBytes);
  return {
    id,
    object: "file",
    created_at: Math.floor(now() / 1000),
    filename: `${name}.txt`,
    bytes: stored.bytes,
    mime_type: "text/plain",
    purpose: "user_upload",
    use: "look",
    sha256: stored.sha256,
    alt_text: null,
  };
}

/** How a file is given to the model unless a person says otherwise. */
function usualUse(kind: FileKind, bytes: number): FileUse {
  if (kind.family === "image") return "look";
  if (kind.family === "sheet") return "compute";
  return bytes > searchFromBytes ? "search" : "look";
}

function toUserEntry(message: IncomingMessage, statuses: readonly FileStatus[]): UserEntry {
  const refused = statuses.filter(({ status }) => status === "refused");
  const text = [
    message.text,
    ...refused.map((status) => `[The attached file could not be read. ${refusalOf(status)}]`),
  ].join("\n\n");
  const quoted = quote(message.quoted ?? []);
  return {
    type: "user",
    id: message.eventId,
    personKey: message.author.key,
    author: message.author.name,
    text,
    fileIds: statuses.flatMap(({ fileId }) => (fileId ? [fileId] : [])),
    ...(quoted === "" ? {} : { quoted }),
    createdAt: Math.floor(message.sentAtMs / 1000),
  };
}

/** What people said before, one line each. */
function quote(messages: readonly QuotedMessage[]): string {
  return messages
    .map(({ author, text, sentAtMs, fileNames }) => {
      const files = fileNames.length > 0 ? ` [files: ${fileNames.join(", ")}]` : "";
      return `${new Date(sentAtMs).toISOString()} ${author}: ${text}${files}`;
    })
    .join("\n");
}

function refusalOf({ name, detail }: FileStatus): string {
  return detail?.includes(name) ? detail : `${name}: ${detail ?? "It could not be read."}`;
}

function tooLarge(name: string, bytes: number, maxBytes: number): BotError {
  return new BotError("file-too-large", {
    detail: `${name} is ${megabytes(bytes)}; this assistant reads files up to ${megabytes(maxBytes)}.`,
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`;
}
