import { charactersOf, countTables, faultsOfBlocks } from "../blocks.ts";
import type { JsonObject } from "../json.ts";
import { refuse } from "../refusal.ts";
import type { BotCall } from "./method.ts";

/** What a call wants a message to say. */
export interface MessageContent {
  /** Undefined when the call said nothing about it. */
  readonly text: string | undefined;
  readonly form: "mrkdwn" | "markdown";
  readonly blocks: readonly JsonObject[] | undefined;
  readonly attachments: readonly JsonObject[] | undefined;
  readonly metadata: JsonObject | undefined;
  readonly warning: string | undefined;
}

/** The sum over all blocks an ordinary message may have; measured, not documented. */
const mostBlockCharacters = 13_200;
const mostMarkdownCharacters = 12_000;

/** Reads text, blocks, markdown_text, attachments and metadata, with every limit on them. */
export function readContent(call: BotCall, mostText: number | "truncates"): MessageContent {
  const { args } = call;
  const markdown = args.text("markdown_text");
  const text = args.text("text");
  const blocks = args.objects("blocks", "invalid_blocks_format");
  const attachments = args.objects("attachments", "invalid_attachments");
  const metadata = readMetadata(call);
  if (markdown !== undefined && (text || blocks)) refuse("markdown_text_conflict");
  if (markdown !== undefined && markdown.length > mostMarkdownCharacters) refuse("msg_too_long");
  if ((attachments?.length ?? 0) > 100) refuse("too_many_attachments");
  checkBlocks(blocks ?? [], markdown ?? "");
  if (mostText !== "truncates" && text !== undefined && text.length > mostText) {
    refuse("msg_too_long");
  }
  if (!markdown && !text && (blocks?.length ?? 0) === 0 && (attachments?.length ?? 0) === 0) {
    refuse("no_text");
  }
  if (!markdown && !text)
    call.complain("a message has blocks and no text: its notification is empty");
  const isTruncated = (text?.length ?? 0) > 40_000;
  return {
    text: markdown ?? (isTruncated ? text?.slice(0, 40_000) : text),
    form: markdown === undefined ? "mrkdwn" : "markdown",
    blocks,
    attachments,
    metadata,
    warning: isTruncated ? "message_truncated" : undefined,
  };
}

/** Blocks of a message, together with Markdown beside them. */
export function checkBlocks(blocks: readonly JsonObject[], markdown: string): void {
  const faults = faultsOfBlocks(blocks, "message");
  if (faults.length > 0) refuse("invalid_blocks", ...faults);
  if (countTables(blocks, markdown) > 1) refuse("invalid_attachments", "only_one_table_allowed");
  if (charactersOf(blocks) > mostBlockCharacters) refuse("msg_blocks_too_long");
}

/** Message metadata: an event type and a flat payload. */
export function readMetadata({ args }: Pick<BotCall, "args">): JsonObject | undefined {
  const metadata = args.object("metadata", "invalid_metadata_format");
  if (!metadata || Object.keys(metadata).length === 0) return metadata;
  if (typeof metadata.event_type !== "string" || typeof metadata.event_payload !== "object") {
    refuse("invalid_metadata_schema");
  }
  if (JSON.stringify(metadata).length > 8000) refuse("metadata_too_large");
  return metadata;
}
