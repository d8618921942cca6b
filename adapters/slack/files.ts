import { BotError } from "#domain/errors";
import { isObject, type Json } from "#domain/json";
import type { Attachment } from "#domain/message";
import type { ReplyFile } from "#domain/run-event";
import type { SlackApi } from "./api.ts";
import { failureOf, refusalOf } from "./failures.ts";
import type { SlackTarget } from "./inbound.ts";
import { escaped } from "./markdown.ts";

const mostAltText = 1_000;
const uploadTimeoutMs = 60_000;

/** A file as an event carries it. */
export interface SlackFileObject {
  readonly id: string;
  readonly name?: string;
  readonly mimetype?: string;
  readonly size?: number;
  readonly mode?: string;
  readonly url_private?: string;
  readonly url_private_download?: string;
  readonly file_access?: string;
  readonly alt_txt?: string;
}

/** What is kept of an attachment until it is fetched. */
interface FileSource {
  /** The workspace whose token opens it. */
  readonly team: string | null;
  readonly url: string | null;
  readonly mode: string;
}

/** Somebody's file as plain data. */
export function attachmentOf(file: SlackFileObject, team: string): Attachment {
  const source: FileSource = {
    team,
    url: file.url_private_download ?? file.url_private ?? null,
    mode: file.file_access === "check_file_info" ? "check_file_info" : (file.mode ?? "hosted"),
  };
  return {
    id: file.id,
    name: file.name ?? file.id,
    ...(file.mimetype ? { mimeType: file.mimetype } : {}),
    ...(file.size === undefined ? {} : { bytes: file.size }),
    ...(file.alt_txt ? { description: file.alt_txt } : {}),
    source: { ...source } satisfies Json,
  };
}

/** Fetches what a person attached. Throws a BotError `file-unavailable` with the reason in words. */
export async function openAttachment(
  file: Attachment,
  {
    api,
    apiUrl,
    signal,
  }: { readonly api: SlackApi; readonly apiUrl: string | undefined; readonly signal: AbortSignal },
): Promise<ReadableStream<Uint8Array>> {
  const found = await withInfo(file, api);
  const { url, mode } = found.source;
  if (mode === "tombstone") throw unavailable(`${file.name} was deleted.`);
  if (mode === "hidden_by_limit") {
    throw unavailable(`${file.name} is hidden, because the workspace keeps no older files.`);
  }
  if (url === null) throw unavailable(`Slack does not say where ${file.name} is.`);
  // The token goes to nobody but Slack (or whatever stands in for it).
  const isSlack = isSlackHost(url, apiUrl);
  const response = await fetch(url, {
    headers: isSlack ? { authorization: `Bearer ${await api.token()}` } : {},
    redirect: isSlack ? "manual" : "follow",
    signal,
  }).catch((error: unknown) => {
    throw unavailable(`${file.name} could not be fetched.`, error);
  });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw unavailable(`Slack answered ${response.status} for ${file.name}.`);
  }
  const type = response.headers.get("content-type") ?? "";
  const isHtmlFile = found.mimeType?.startsWith("text/html") || /\.html?$/i.test(file.name);
  if (type.startsWith("text/html") && !isHtmlFile) {
    await response.body.cancel();
    throw unavailable(
      `Slack showed its sign-in page instead of ${file.name}: my app lacks the permission files:read.`,
    );
  }
  return response.body;
}

async function withInfo(
  file: Attachment,
  api: SlackApi,
): Promise<{ readonly source: FileSource; readonly mimeType: string | undefined }> {
  const source = sourceOf(file.source);
  if (source && source.mode !== "check_file_info") return { source, mimeType: file.mimeType };
  try {
    const result = await api.call("files.info", { file: file.id }, { isRepeatable: true });
    const full = attachmentOf(result.file as SlackFileObject, teamOf(file) ?? "");
    const found = sourceOf(full.source);
    if (found) return { source: found, mimeType: full.mimeType };
    throw unavailable(`Slack does not say where ${file.name} is.`);
  } catch (error) {
    if (error instanceof BotError) throw error;
    const code = refusalOf(error);
    const why =
      code === "missing_scope" ? "my app lacks the permission files:read" : (code ?? "no answer");
    throw unavailable(`Slack does not give me ${file.name} (${why}).`, error);
  }
}

/** The workspace a file was attached in; undefined for one that was kept before it was noted. */
export function teamOf({ source }: Attachment): string | undefined {
  return sourceOf(source)?.team ?? undefined;
}

function sourceOf(source: Json): FileSource | undefined {
  if (!isObject(source)) return undefined;
  const { team, url, mode } = source;
  if (typeof mode !== "string") return undefined;
  const textOr = (value: Json | undefined) => (typeof value === "string" ? value : null);
  return { team: textOr(team), url: textOr(url), mode };
}

function isSlackHost(url: string, apiUrl: string | undefined): boolean {
  const { protocol, hostname, origin } = new URL(url);
  if (apiUrl !== undefined && origin === new URL(apiUrl).origin) return true;
  return protocol === "https:" && (hostname === "slack.com" || hostname.endsWith(".slack.com"));
}

function unavailable(detail: string, cause?: unknown): BotError {
  return new BotError("file-unavailable", { detail, cause });
}

/** The files of an earlier attempt were shared by it already. */
export class SharedBefore extends Error {}

interface SharedFile {
  readonly id: string;
  readonly title: string;
}

/**
 * Brings bytes to Slack; nobody sees them yet. Resolves to Slack's id of the file. By hand, because
 * the SDK's helper sends `alt_text`, which Slack does not know: it is `alt_txt`.
 */
export async function uploadBytes(
  api: SlackApi,
  file: { readonly name: string; readonly altText: string; readonly bytes: Uint8Array },
): Promise<string> {
  const { name, altText, bytes } = file;
  if (bytes.byteLength === 0) throw new BotError("upload-failed", { detail: `${name} is empty.` });
  const ticket = await api.call(
    "files.getUploadURLExternal",
    {
      filename: name,
      length: bytes.byteLength,
      alt_txt: (altText || name).slice(0, mostAltText),
    },
    { isRepeatable: true },
  );
  const response = await fetch(String(ticket.upload_url), {
    method: "POST",
    body: Uint8Array.from(bytes),
    headers: { "content-type": "application/octet-stream" },
    signal: AbortSignal.timeout(uploadTimeoutMs),
  });
  await response.body?.cancel();
  if (!response.ok) {
    throw new BotError("upload-failed", {
      detail: `Slack answered ${response.status} for ${name}.`,
    });
  }
  return String(ticket.file_id);
}

/** Shows uploaded files in one message. Throws {@link SharedBefore} when that had happened. */
export async function shareFiles(
  api: SlackApi,
  share: {
    readonly files: readonly SharedFile[];
    readonly channel: string;
    /** Undefined: in the channel itself. */
    readonly threadTs?: string;
    /** Words above the files, in `mrkdwn`. */
    readonly comment?: string;
    /** True: an earlier attempt may have done it. */
    readonly isFromBefore?: boolean;
  },
): Promise<void> {
  const { files, channel, threadTs, comment } = share;
  let isUnclear = share.isFromBefore ?? false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await api.call(
        "files.completeUploadExternal",
        {
          files,
          channel_id: channel,
          ...(threadTs === undefined ? {} : { thread_ts: threadTs }),
          ...(comment === undefined ? {} : { initial_comment: comment }),
        },
        { priority: "final" },
      );
      return;
    } catch (error) {
      // Complete works once for a file: refused after a doubt means that it had worked.
      if (isUnclear && refusalOf(error) === "file_not_found") throw new SharedBefore();
      if (failureOf(error)?.type !== "unclear" || attempt >= 3) throw error;
      isUnclear = true;
    }
  }
}

/** Delivers files of replies: a ticket, the bytes, and one message for all of them. */
export class Uploads {
  readonly #open: (file: ReplyFile) => Promise<ReadableStream<Uint8Array>>;

  constructor(open: (file: ReplyFile) => Promise<ReadableStream<Uint8Array>>) {
    this.#open = open;
  }

  /** The same, with files of the adapter's own. */
  with(own: readonly { readonly file: ReplyFile; readonly data: Uint8Array }[]): Uploads {
    return new Uploads(async (file) => {
      const found = own.find((one) => one.file.id === file.id);
      return found ? new Blob([Uint8Array.from(found.data)]).stream() : this.#open(file);
    });
  }

  /** Brings the bytes to Slack; nobody sees them yet. Resolves to Slack's id of the file. */
  async upload(api: SlackApi, file: ReplyFile): Promise<string> {
    const bytes = await new Response(await this.#open(file)).bytes();
    return uploadBytes(api, { name: file.name, altText: file.altText, bytes });
  }

  /** Shows uploaded files in one message. Throws {@link SharedBefore} when that had happened. */
  share(
    api: SlackApi,
    share: {
      readonly files: readonly SharedFile[];
      readonly target: SlackTarget;
      /** True: an earlier attempt may have done it. */
      readonly isFromBefore: boolean;
    },
  ): Promise<void> {
    const { files, target, isFromBefore } = share;
    return shareFiles(api, {
      files,
      channel: target.channel,
      threadTs: target.threadTs,
      isFromBefore,
    });
  }

  /** Why a file could not be delivered, in Slack's `mrkdwn`. */
  explain(error: unknown, file: { readonly name: string }): string {
    const name = escaped(file.name);
    const code = refusalOf(error);
    if (code !== undefined) return `I could not deliver ${name}: ${uploadReasonOf(code)}.`;
    const detail = error instanceof BotError && error.detail ? escaped(error.detail) : undefined;
    return `I could not deliver ${name}. ${detail ?? ""}`.trim();
  }
}

/** Why Slack refused a file, in words. */
export function uploadReasonOf(code: string | undefined): string {
  return code === undefined ? "Slack did not answer" : (uploadReasons[code] ?? code);
}

const uploadReasons: { readonly [code: string]: string } = {
  missing_scope: "my app lacks the permission files:write",
  file_type_not_allowed: "this workspace does not allow files of this kind",
  file_uploads_disabled: "this workspace does not allow uploads",
  file_uploads_except_images_disabled: "this workspace allows only images",
  file_upload_size_restricted: "it is larger than this workspace allows",
  storage_limit_reached: "the workspace has no room left",
};
