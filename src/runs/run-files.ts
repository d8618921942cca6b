import { BotError, explain } from "#domain/errors";
import type { DocumentText, StoredFile } from "#domain/file";
import type { ReplyFile } from "#domain/run-event";
import type { ToolFile } from "#domain/tool";
import type { LedgerChange } from "#ports/ledger";
import { toJson } from "./checkpoint.ts";
import type { RunEnvironment } from "./environment.ts";
import { names, stableId } from "./names.ts";
import type { RunWork } from "./run-work.ts";

/**
 * Stores a file that a tool or the service made, and puts it within reach of the conversation.
 * The same file made again by a repeated turn takes the same place.
 */
export async function storeProducedFile(
  work: RunWork,
  { files, records, ledger, now }: RunEnvironment,
  file: ToolFile,
): Promise<ReplyFile> {
  const nth = String(work.view.files.length);
  const id = stableId("file", work.task.runId, String(work.state.turns), nth, file.name);
  const stored = await files.put(id, toStream(file.data), Number.MAX_SAFE_INTEGER);
  const record: StoredFile = {
    id,
    object: "file",
    created_at: Math.floor(now() / 1000),
    filename: file.name,
    bytes: stored.bytes,
    mime_type: file.mimeType,
    purpose: "assistants_output",
    use: file.mimeType.startsWith("image/") ? "look" : "compute",
    sha256: stored.sha256,
    alt_text: file.altText ?? null,
  };
  await records.write(names.record.file(id), toJson(record));
  await ledger.apply(withinReach(work.task.conversationKey, record));
  return {
    id,
    name: file.name,
    mimeType: file.mimeType,
    bytes: stored.bytes,
    altText: file.altText ?? file.name,
  };
}

/** Ranks a file among its conversation's by age; saying so twice changes nothing. */
export function withinReach(conversationKey: string, file: StoredFile): LedgerChange {
  return {
    ranks: [
      { ranking: names.files(conversationKey), member: file.id, score: file.created_at },
      { ranking: names.filesByAge, member: file.id, score: file.created_at },
    ],
  };
}

/** The files within reach of a conversation, oldest first. */
export async function filesWithinReach(
  conversationKey: string,
  { ledger, records }: Pick<RunEnvironment, "ledger" | "records">,
): Promise<readonly StoredFile[]> {
  const ranked = await ledger.ranked(names.files(conversationKey), {
    limit: 100,
    highestFirst: true,
  });
  const files = await readFiles(
    ranked.map(({ member }) => member),
    { records },
  );
  return [...files].reverse();
}

/** Descriptions of files by id; those that are gone are left out. */
export async function readFiles(
  ids: readonly string[],
  { records }: Pick<RunEnvironment, "records">,
): Promise<readonly StoredFile[]> {
  const found = await records.readMany(ids.map(names.record.file));
  return found.filter((file) => file !== undefined).map((file) => file as unknown as StoredFile);
}

/** The text of a file, each page under its number; undefined where it has none. */
export async function readFileText(
  id: string,
  known: ReadonlyMap<string, StoredFile>,
  { files, documents }: Pick<RunEnvironment, "files" | "documents">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const file = known.get(id);
  if (!file) return undefined;
  const data = await files.read(id);
  const kind = await documents.kindOf(data.subarray(0, 4100), file.filename);
  if (kind.family === "image" || kind.family === "unsupported") return undefined;
  try {
    return inOnePiece(await documents.read(data, kind, file.filename, signal));
  } catch (error) {
    if (!(error instanceof BotError)) throw error;
    return `[${file.filename} could not be read: ${explain(error, "")}]`;
  }
}

function inOnePiece({ pages, truncated }: DocumentText): string {
  const parts = pages.map(({ page, title, text }) => {
    const heading = page === undefined ? title : `Page ${page}`;
    return heading === undefined ? text : `[${heading}]\n${text}`;
  });
  if (truncated) parts.push("[The rest was left out: the document is longer than I read.]");
  return parts.join("\n\n");
}

/** Bytes at hand as a stream. */
export function toStream(data: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(data);
      controller.close();
    },
  });
}
