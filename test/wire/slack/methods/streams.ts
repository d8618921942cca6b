import { countTables, faultsOfBlocks } from "../blocks.ts";
import { type JsonObject, objectsAt, textAt } from "../json.ts";
import { type MessageStream, type TaskCard, weightedBytes } from "../message-stream.ts";
import type { SlackChannel, SlackMessage } from "../model.ts";
import { messagePayload } from "../payloads.ts";
import { limits } from "../rate-limits.ts";
import { refuse } from "../refusal.ts";
import { renderBlocks } from "../rendering.ts";
import { currentState } from "../stream-state.ts";
import { ownMessage, readIdentity } from "./chat.ts";
import { readMetadata } from "./content.ts";
import { type BotCall, type BotMethod, writableChannel } from "./method.ts";
import { isSessionStatus, setSession } from "./sessions.ts";

const mostMarkdownCharacters = 12_000;
/** Per field of a task or plan chunk, as documented. */
const mostFieldCharacters = 256;
const mostTasks = 50;

const startStream: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.tier2,
  run(call) {
    if (!call.world.team(call.installation.teamId).hasStreaming) refuse("unknown_method");
    const channel = writableChannel(call, call.args.requiredText("channel"));
    if (channel.refusesStreams) refuse("channel_type_not_supported");
    const root = readRoot(call, channel);
    const recipientId = readRecipient(call, channel);
    const displayMode = call.args.text("task_display_mode") ?? "timeline";
    if (displayMode !== "timeline" && displayMode !== "plan") {
      return refuse("invalid_arguments", `unknown task_display_mode: ${displayMode}`);
    }
    const stream: MessageStream = {
      recipientId,
      startedAtMs: call.world.clock.now(),
      displayMode,
      state: "live",
      text: "",
      firstText: undefined,
      planTitle: undefined,
      tasks: new Map(),
      blocks: [],
      finalBlocks: [],
    };
    const filled = withChunks(call, stream, readChunks(call));
    const message = call.world.addMessage({
      channelId: channel.id,
      teamId: channel.teamId,
      userId: call.installation.botUserId,
      botId: call.installation.botId,
      username: readIdentity(call),
      text: "",
      form: "markdown",
      threadTs: root.ts,
      stream: filled,
    });
    call.world.statuses.delete(`${channel.id} ${root.ts}`);
    if (call.settings.isAgent) {
      setSession(call.world, { channelId: channel.id, threadTs: root.ts, status: "processing" });
    }
    call.feed.posted(message);
    return { channel: channel.id, ts: message.ts };
  },
};

const appendStream: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.tier4,
  run(call) {
    const { channel, message, stream } = readStream(call);
    const chunks = readChunks(call);
    if (chunks.length === 0) refuse("no_text");
    message.stream = withChunks(call, stream, chunks);
    call.world.notify(message);
    return { channel: channel.id, ts: message.ts };
  },
};

const stopStream: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.tier2,
  run(call) {
    const { channel, message, stream } = readStream(call);
    const chunks = readChunks(call);
    const finalBlocks = call.args.objects("blocks", "invalid_blocks_format") ?? [];
    const metadata = readMetadata(call);
    const status = call.args.text("session_status") ?? "active";
    if (!isSessionStatus(status)) return refuse("invalid_status");
    const faults = faultsOfBlocks(finalBlocks, "message");
    if (faults.length > 0) refuse("invalid_blocks", ...faults);
    const previous = messagePayload(call.world, message);
    const filled = withChunks(call, { ...stream, finalBlocks }, chunks);
    message.stream = { ...filled, state: "stopped" };
    message.text = filled.text;
    if (metadata) message.metadata = metadata;
    call.world.notify(message);
    if (call.settings.isAgent && message.threadTs) {
      setSession(call.world, { channelId: channel.id, threadTs: message.threadTs, status });
    }
    call.feed.changed(message, previous);
    return {
      channel: channel.id,
      ts: message.ts,
      message: messagePayload(call.world, message),
    };
  },
};

/** chat.startStream, chat.appendStream and chat.stopStream. */
export const streamMethods: Readonly<Record<string, BotMethod>> = {
  "chat.startStream": startStream,
  "chat.appendStream": appendStream,
  "chat.stopStream": stopStream,
};

function readRoot(call: BotCall, channel: SlackChannel): SlackMessage {
  const ts = call.args.text("thread_ts");
  const root = ts ? call.world.message(channel.id, ts) : undefined;
  if (!root || root.subtype === "tombstone") return refuse("invalid_thread_ts");
  if (root.threadTs !== undefined && root.threadTs !== root.ts) return refuse("invalid_thread_ts");
  return root;
}

/** Outside direct messages a stream is live for one named person. */
function readRecipient(call: BotCall, channel: SlackChannel): string | undefined {
  const userId = call.args.text("recipient_user_id");
  const teamId = call.args.text("recipient_team_id");
  if (channel.type !== "im") {
    if (!userId) return refuse("missing_recipient_user_id");
    if (!teamId) return refuse("missing_recipient_team_id");
  }
  if (!userId) return [...channel.members].find((id) => id !== call.installation.botUserId);
  const user = call.world.users.get(userId);
  if (!user) return refuse("user_not_found");
  if (teamId && user.teamId !== teamId) return refuse("team_not_found");
  return userId;
}

function readStream(call: BotCall): {
  readonly channel: SlackChannel;
  readonly message: SlackMessage;
  readonly stream: MessageStream;
} {
  const channel = call.world.channel(call.args.requiredText("channel"));
  const message = ownMessage(call, channel, "message_not_owned_by_app");
  const state = currentState(message, call);
  if (state === "stopped-by-user") return refuse("stopped_by_user");
  if (state !== "live" || !message.stream) return refuse("message_not_in_streaming_state");
  return { channel, message, stream: message.stream };
}

/** The call's content as chunks; Markdown beside chunks is refused. */
function readChunks({ args }: BotCall): readonly JsonObject[] {
  const markdown = args.text("markdown_text");
  const chunks = args.objects("chunks", "invalid_chunks");
  if (markdown !== undefined && chunks !== undefined) {
    return refuse("invalid_arguments", "markdown_text and chunks cannot be used together");
  }
  if (markdown !== undefined) return [{ type: "markdown_text", text: markdown }];
  return chunks ?? [];
}

/** The stream with these chunks taken in, or a refusal that leaves it as it was. */
function withChunks(
  call: BotCall,
  before: MessageStream,
  chunks: readonly JsonObject[],
): MessageStream {
  const stream: MessageStream = { ...before, tasks: new Map(before.tasks) };
  let isFirstText = true;
  for (const chunk of chunks) {
    switch (chunk.type) {
      case "markdown_text": {
        const text = textAt(chunk, "text");
        if (text === undefined) return refuse("invalid_chunks", "markdown_text has no text");
        if (text.length > mostMarkdownCharacters) return refuse("msg_too_long");
        const isAppended = isFirstText && before.text !== "";
        stream.text += isAppended && call.settings.losesLeadingWhitespace ? text.trimStart() : text;
        isFirstText = false;
        break;
      }
      case "task_update":
        takeTask(stream, chunk);
        break;
      case "plan_update":
        stream.planTitle = field(chunk, "title");
        break;
      case "blocks":
        stream.blocks = [...stream.blocks, ...objectsAt(chunk, "blocks")];
        break;
      default:
        return refuse("invalid_chunks", `unknown chunk type: ${String(chunk.type)}`);
    }
  }
  const faults = faultsOfBlocks(stream.blocks, "message");
  if (faults.length > 0) refuse("invalid_blocks", ...faults);
  if (stream.tasks.size > mostTasks) refuse("msg_blocks_too_long");
  const blocks = [...stream.blocks, ...stream.finalBlocks];
  if (countTables(blocks, stream.text) > 1) refuse("invalid_attachments", "only_one_table_allowed");
  const bytes = weightedBytes(stream) + Buffer.byteLength(renderBlocks(blocks));
  if (bytes > call.settings.mostStreamBytes) refuse("msg_too_long");
  if (stream.firstText === undefined && stream.text !== "") stream.firstText = stream.text;
  return stream;
}

/** Title and status replace, details are appended, sources are added. */
function takeTask(stream: MessageStream, chunk: JsonObject): void {
  const id = field(chunk, "id");
  const title = field(chunk, "title");
  const status = field(chunk, "status");
  if (!["pending", "in_progress", "complete", "error"].includes(status)) {
    refuse("invalid_chunks", `unknown task status: ${status}`);
  }
  const known: TaskCard | undefined = stream.tasks.get(id);
  const output = optionalField(chunk, "output");
  stream.tasks.set(id, {
    id,
    title,
    status,
    details: (known?.details ?? "") + (optionalField(chunk, "details") ?? ""),
    // A heading at its beginning makes the output come out empty.
    output: output === undefined ? (known?.output ?? "") : output.startsWith("#") ? "" : output,
    sources: [...(known?.sources ?? []), ...objectsAt(chunk, "sources")],
  });
}

function field(chunk: JsonObject, name: string): string {
  const value = optionalField(chunk, name);
  if (!value) return refuse("invalid_chunks", `missing required field: ${name}`);
  return value;
}

function optionalField(chunk: JsonObject, name: string): string | undefined {
  const value = textAt(chunk, name);
  if (value !== undefined && value.length > mostFieldCharacters) {
    return refuse("invalid_chunks", `${name} has more than ${mostFieldCharacters} characters`);
  }
  return value;
}
