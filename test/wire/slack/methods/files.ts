import { isObject, textAt } from "../json.ts";
import type { SlackFile } from "../model.ts";
import { filePayload } from "../payloads.ts";
import { limits } from "../rate-limits.ts";
import { refuse } from "../refusal.ts";
import { readThread } from "./chat.ts";
import { checkBlocks } from "./content.ts";
import { type BotCall, type BotMethod, writableChannel } from "./method.ts";

/** A ticket for one upload: made by getUploadURLExternal, filled by a POST, ended by complete. */
export interface UploadTicket {
  readonly fileId: string;
  readonly teamId: string;
  readonly userId: string;
  readonly fileName: string;
  readonly length: number;
  readonly altText: string | undefined;
  bytes: Uint8Array | undefined;
  isComplete: boolean;
}

/** What a workspace lets apps upload. */
export interface UploadPolicy {
  refusal: string | undefined;
}

/** files.*, with the tickets they hand from step to step. */
export function fileMethods(
  tickets: Map<string, UploadTicket>,
  policy: UploadPolicy,
): Readonly<Record<string, BotMethod>> {
  const getUploadUrl: BotMethod = {
    scopes: ["files:write"],
    limit: limits.tier4,
    run(call) {
      const fileName = call.args.requiredText("filename");
      const length = call.args.integer("length") ?? 0;
      const altText = call.args.text("alt_txt");
      const isSnippet = call.args.text("snippet_type") !== undefined;
      if (isSnippet && length > 1_048_576) refuse("snippet_too_large");
      if (length <= 0) refuse("missing_argument");
      if (length > 1_073_741_824) refuse("file_upload_size_restricted");
      if (altText !== undefined && altText.length > 1000) refuse("alt_txt_too_large");
      if (policy.refusal) refuse(policy.refusal);
      if (!altText) call.complain(`${fileName} is uploaded without alt text`);
      const fileId = call.world.id("F");
      tickets.set(fileId, {
        fileId,
        teamId: call.installation.teamId,
        userId: call.installation.botUserId,
        fileName,
        length,
        altText,
        bytes: undefined,
        isComplete: false,
      });
      return { upload_url: `${call.world.origin}/upload/v1/${fileId}`, file_id: fileId };
    },
  };

  const complete: BotMethod = {
    scopes: ["files:write"],
    limit: limits.tier4,
    run(call) {
      const asked = call.args.objects("files") ?? refuse("invalid_arguments", "files");
      const channelId = call.args.text("channel_id") ?? call.args.text("channels")?.split(",")[0];
      const comment = call.args.text("initial_comment");
      const blocks = call.args.objects("blocks", "invalid_blocks");
      checkBlocks(blocks ?? [], "");
      const ready = asked.map((file) => {
        const ticket = tickets.get(textAt(file, "id") ?? "");
        // Complete can be called once for a file; then its ticket is gone.
        if (!ticket?.bytes || ticket.isComplete) return refuse("file_not_found");
        if (ticket.teamId !== call.installation.teamId) return refuse("access_denied");
        return { ticket, bytes: ticket.bytes, title: textAt(file, "title") };
      });
      const channel = channelId === undefined ? undefined : writableChannel(call, channelId);
      const root = channel ? readThread(call, channel) : undefined;
      call.args.has("thread_ts");
      const files: SlackFile[] = ready.map(({ ticket, bytes, title }) => {
        ticket.isComplete = true;
        return call.world.addFile({
          id: ticket.fileId,
          teamId: ticket.teamId,
          userId: ticket.userId,
          name: ticket.fileName,
          bytes,
          altText: ticket.altText,
          title: title ?? ticket.fileName,
        });
      });
      if (channel)
        shareFiles(call, { channelId: channel.id, rootTs: root?.ts, files, comment, blocks });
      return { files: files.map((file) => filePayload(call.world, file)) };
    },
  };

  const info: BotMethod = {
    scopes: ["files:read"],
    limit: limits.tier4,
    run(call) {
      const file = call.world.files.get(call.args.requiredText("file"));
      if (!file || !canSee(call, file)) return refuse("file_not_found");
      if (file.mode === "tombstone") return refuse("file_deleted");
      return { file: filePayload(call.world, file, true), comments: [] };
    },
  };

  const remove: BotMethod = {
    scopes: ["files:write"],
    limit: limits.tier3,
    run(call) {
      const file = call.world.files.get(call.args.requiredText("file"));
      if (!file) return refuse("file_not_found");
      if (file.userId !== call.installation.botUserId) return refuse("cant_delete_file");
      call.world.files.delete(file.id);
      return {};
    },
  };

  return {
    "files.getUploadURLExternal": getUploadUrl,
    "files.completeUploadExternal": complete,
    "files.info": info,
    "files.delete": remove,
  };
}

/** True when the bot sits in a channel the file was shared in. */
export function canSee(call: Pick<BotCall, "world" | "installation">, file: SlackFile): boolean {
  if (file.userId === call.installation.botUserId) return true;
  return [...file.channelIds].some((id) =>
    call.world.channels.get(id)?.members.has(call.installation.botUserId),
  );
}

function shareFiles(
  call: BotCall,
  share: {
    readonly channelId: string;
    readonly rootTs: string | undefined;
    readonly files: readonly SlackFile[];
    readonly comment: string | undefined;
    readonly blocks: ReturnType<BotCall["args"]["objects"]>;
  },
): void {
  const channel = call.world.channel(share.channelId);
  const message = call.world.addMessage({
    channelId: channel.id,
    teamId: channel.teamId,
    userId: call.installation.botUserId,
    botId: call.installation.botId,
    subtype: "file_share",
    text: share.comment ?? "",
    // The comment wins over blocks.
    blocks: share.comment ? undefined : share.blocks,
    threadTs: share.rootTs,
    files: share.files,
  });
  call.feed.posted(message);
}

/** The bytes of an upload: the body itself, or the one file of a form. */
export async function uploadedBytes(request: {
  readonly body: Uint8Array;
  readonly contentType: string;
}): Promise<Uint8Array | undefined> {
  if (!request.contentType.startsWith("multipart/form-data")) return request.body;
  const form = await new Response(Buffer.from(request.body), {
    headers: { "content-type": request.contentType },
  }).formData();
  for (const value of form.values()) {
    if (isObject(value) && value instanceof Blob) return new Uint8Array(await value.arrayBuffer());
  }
  return undefined;
}
