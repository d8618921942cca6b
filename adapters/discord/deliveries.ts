import { BotError } from "#domain/errors";
import type { ReplyView } from "#domain/reply-view";
import type { ReplyFile } from "#domain/run-event";
import { failureOf, isForbidden, isTooLarge, refusalOf } from "./failures.ts";
import { escaped } from "./markdown.ts";
import { firstFileIndex, type Messages } from "./messages.ts";
import type { OutgoingFile } from "./slots.ts";

/** Discord takes ten files in a message (docs.discord.com/developers/resources/message). */
const mostFiles = 10;
/** … and 25 MiB in one request, wherever a single file may not be larger than that anyway. */
const mostRequestBytes = 25 * 1024 * 1024;
const complaintIndex = 2_000;

/** What delivering needs. */
export interface DeliveryParts {
  readonly messages: Messages;
  readonly open: (file: ReplyFile) => Promise<ReadableStream<Uint8Array>>;
  /** The most one file may have where the reply stands. */
  readonly limitBytes: number;
}

interface Placed {
  readonly index: number;
  readonly file: ReplyFile;
}

/** Delivers the files of a finished reply after its text, each once; what cannot be delivered is said. */
export async function deliverFiles(view: ReplyView, parts: DeliveryParts): Promise<void> {
  const { messages, limitBytes } = parts;
  const problems: string[] = [];
  const fitting: Placed[] = [];
  for (const [place, file] of view.files.entries()) {
    const reason = file.bytes > limitBytes ? tooLarge(limitBytes, file.bytes) : undefined;
    if (reason) problems.push(complaint(file, reason));
    else fitting.push({ index: firstFileIndex + place, file });
  }
  for (const batch of batchesOf(fitting, Math.max(limitBytes, mostRequestBytes))) {
    problems.push(...(await deliver(batch, view, parts)));
  }
  if (problems.length === 0) return;
  const at = view.text.length;
  const draft = {
    index: complaintIndex,
    content: { type: "text", from: at, to: at } as const,
    closed: true,
    text: problems.join("\n").slice(0, 1_900),
  };
  await messages.put(draft, view.revision);
}

async function deliver(
  batch: readonly Placed[],
  view: ReplyView,
  parts: DeliveryParts,
): Promise<readonly string[]> {
  const { messages, limitBytes } = parts;
  const [first] = batch;
  if (!first) return [];
  if (messages.has(first.index)) {
    await messages.close(first.index);
    return [];
  }
  const problems: string[] = [];
  const ready: { readonly placed: Placed; readonly file: OutgoingFile }[] = [];
  for (const placed of batch) {
    try {
      ready.push({ placed, file: await read(placed.file, parts) });
    } catch (error) {
      const detail = error instanceof BotError ? error.detail : undefined;
      problems.push(complaint(placed.file, detail ?? "its bytes are gone."));
    }
  }
  if (ready.length === 0) return problems;
  try {
    const draft = {
      index: first.index,
      content: { type: "file", fileId: first.file.id } as const,
      closed: true,
      text: "",
      files: ready.map(({ file }) => file),
    };
    await messages.put(draft, view.revision);
    return problems;
  } catch (error) {
    if (failureOf(error)?.type !== "refused") throw error;
    if (isTooLarge(error) && ready.length > 1) {
      for (const { placed } of ready) problems.push(...(await deliver([placed], view, parts)));
      return problems;
    }
    return [
      ...problems,
      ...ready.map(({ placed }) => complaint(placed.file, why(error, limitBytes))),
    ];
  }
}

async function read(file: ReplyFile, { open }: DeliveryParts): Promise<OutgoingFile> {
  const bytes = await new Response(await open(file)).bytes();
  if (bytes.byteLength === 0) throw new BotError("upload-failed", { detail: "it is empty." });
  const { name, mimeType, altText } = file;
  return { name, bytes, mimeType, altText: altText || name };
}

/** As many files together as one message takes. */
function batchesOf(files: readonly Placed[], mostBytes: number): readonly (readonly Placed[])[] {
  const batches: Placed[][] = [];
  let bytes = 0;
  for (const placed of files) {
    const last = batches.at(-1);
    bytes += placed.file.bytes;
    if (last && last.length < mostFiles && bytes <= mostBytes) {
      last.push(placed);
      continue;
    }
    batches.push([placed]);
    bytes = placed.file.bytes;
  }
  return batches;
}

function why(error: unknown, limitBytes: number): string {
  if (isTooLarge(error)) return tooLarge(limitBytes);
  const code = refusalOf(error);
  if (isForbidden(code)) return "I lack the right Attach Files here.";
  return `Discord refused it (${code}).`;
}

function tooLarge(limitBytes: number, bytes?: number): string {
  const size = bytes === undefined ? "it is too large" : `it has ${mebibytes(bytes)}`;
  return `${size}, and this server takes ${mebibytes(limitBytes)} a file.`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1).replace(/\.0$/, "")} MB`;
}

function complaint({ name }: ReplyFile, reason: string): string {
  return `⚠️ I could not deliver ${escaped(name)}: ${reason}`;
}
