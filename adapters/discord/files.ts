import { Routes } from "discord.js";
import { BotError } from "#domain/errors";
import { isObject, type Json } from "#domain/json";
import type { Attachment } from "#domain/message";
import { failureOf } from "./failures.ts";
import type { PacedApi } from "./paced-api.ts";

/** A file as a message carries it, in the fields of the REST API. */
export interface DiscordFileObject {
  readonly id: string;
  readonly filename: string;
  readonly content_type?: string;
  readonly size?: number;
  readonly url: string;
  readonly description?: string;
}

/**
 * What is kept of an attachment until it is fetched. Its link is signed and expires after a day
 * (docs.discord.com/developers/reference#signed-attachment-cdn-urls); the message has a fresh one.
 */
interface FileSource {
  readonly url: string;
  readonly channel: string;
  /** Null: the file came with an interaction and no message has it. */
  readonly message: string | null;
}

/** Somebody's file as plain data. */
export function attachmentOf(
  file: DiscordFileObject,
  at: { readonly channel: string; readonly message: string | null },
): Attachment {
  const source: FileSource = { url: file.url, ...at };
  return {
    id: file.id,
    name: file.filename,
    ...(file.content_type ? { mimeType: file.content_type } : {}),
    ...(file.size === undefined ? {} : { bytes: file.size }),
    ...(file.description ? { description: file.description } : {}),
    source: { ...source } satisfies Json,
  };
}

/** Fetches what a person attached. Throws a BotError `file-unavailable` with the reason in words. */
export async function openAttachment(
  file: Attachment,
  { api, signal }: { readonly api: PacedApi; readonly signal: AbortSignal },
): Promise<ReadableStream<Uint8Array>> {
  const source = sourceOf(file.source);
  if (!source) throw unavailable(`Discord does not say where ${file.name} is.`);
  const response = await download(file, source.url, signal);
  if (response.ok && response.body) return response.body;
  await response.body?.cancel();
  const isExpired = [401, 403, 404, 410].includes(response.status);
  if (!isExpired || source.message === null) throw refused(file, response.status);
  const fresh = await freshUrl(file, source.channel, source.message, api);
  const again = await download(file, fresh, signal);
  if (again.ok && again.body) return again.body;
  await again.body?.cancel();
  throw refused(file, again.status);
}

async function download(file: Attachment, url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal });
  } catch (error) {
    throw unavailable(`${file.name} could not be fetched.`, error);
  }
}

async function freshUrl(
  file: Attachment,
  channel: string,
  message: string,
  api: PacedApi,
): Promise<string> {
  try {
    const found = (await api.call({
      method: "GET",
      route: Routes.channelMessage(channel, message),
      kind: "read",
      channel,
      isRepeatable: true,
    })) as { readonly attachments?: readonly { readonly id: string; readonly url: string }[] };
    const attachment = found.attachments?.find(({ id }) => id === file.id);
    if (attachment) return attachment.url;
  } catch (error) {
    if (!failureOf(error)) throw error;
    throw unavailable(`The message ${file.name} came with is gone.`, error);
  }
  throw unavailable(`${file.name} was removed from its message.`);
}

function sourceOf(source: Json): FileSource | undefined {
  if (!isObject(source)) return undefined;
  const { url, channel, message } = source;
  if (typeof url !== "string" || typeof channel !== "string") return undefined;
  return { url, channel, message: typeof message === "string" ? message : null };
}

function refused(file: Attachment, status: number): BotError {
  return unavailable(`Discord answered ${status} for ${file.name}.`);
}

function unavailable(detail: string, cause?: unknown): BotError {
  return new BotError("file-unavailable", { detail, cause });
}
