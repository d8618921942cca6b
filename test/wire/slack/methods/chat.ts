import type { Arguments } from "../arguments.ts";
import type { SlackChannel, SlackMessage } from "../model.ts";
import { messagePayload } from "../payloads.ts";
import { limits } from "../rate-limits.ts";
import { refuse } from "../refusal.ts";
import { currentState } from "../stream-state.ts";
import { readContent } from "./content.ts";
import {
  type BotCall,
  type BotMethod,
  needScope,
  readableChannel,
  writableChannel,
} from "./method.ts";

const postMessage: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.posting,
  run(call) {
    const channel = writableChannel(call, call.args.requiredText("channel"));
    const content = readContent(call, "truncates");
    const root = readThread(call, channel);
    readUnfurls(call.args);
    const message = call.world.addMessage({
      channelId: channel.id,
      teamId: channel.teamId,
      userId: call.installation.botUserId,
      botId: call.installation.botId,
      username: readIdentity(call),
      text: content.text ?? "",
      form: content.form,
      blocks: content.blocks,
      attachments: content.attachments,
      metadata: content.metadata,
      threadTs: root?.ts,
      isBroadcast: call.args.flag("reply_broadcast"),
    });
    // What the app posts ends the status it had set.
    if (root) call.world.statuses.delete(`${channel.id} ${root.ts}`);
    call.feed.posted(message);
    return {
      channel: channel.id,
      ts: message.ts,
      message: messagePayload(call.world, message),
      ...(content.warning ? { warning: content.warning } : {}),
    };
  },
};

const update: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.tier3,
  run(call) {
    const channel = channelOfMessage(call);
    const message = ownMessage(call, channel, "cant_update_message");
    const content = readContent(call, 4000);
    for (const name of ["as_user", "link_names", "parse", "reply_broadcast", "file_ids"]) {
      call.args.has(name);
    }
    if (currentState(message, call) === "live") refuse("streaming_state_conflict");
    const previous = messagePayload(call.world, message);
    applyUpdate(message, content);
    message.edited = { userId: call.installation.botUserId, ts: call.world.ts() };
    call.world.notify(message);
    call.feed.changed(message, previous);
    return {
      channel: channel.id,
      ts: message.ts,
      text: message.text,
      message: messagePayload(call.world, message),
    };
  },
};

/**
 * Text alone leaves blocks as they were (they are still what people see); blocks or Markdown
 * replace everything, and a finished stream becomes an ordinary message.
 */
function applyUpdate(message: SlackMessage, content: ReturnType<typeof readContent>): void {
  const { stream } = message;
  message.stream = undefined;
  if (content.blocks !== undefined) message.blocks = content.blocks;
  else if (content.form === "markdown") message.blocks = undefined;
  else if (stream && stream.finalBlocks.length > 0 && content.text !== undefined) {
    // The streamed text was blocks as well; new text takes its place above the final ones.
    message.blocks = [{ type: "markdown", text: content.text }, ...stream.finalBlocks];
  }
  if (content.text !== undefined) {
    message.text = content.text;
    message.form = content.form;
  }
  if (content.attachments !== undefined) message.attachments = content.attachments;
  if (content.metadata !== undefined) message.metadata = content.metadata;
}

const remove: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.tier3,
  run(call) {
    call.args.has("as_user");
    const channel = channelOfMessage(call);
    const message = ownMessage(call, channel, "cant_delete_message");
    if (currentState(message, call) === "live") refuse("cant_delete_message");
    channel.messages.splice(channel.messages.indexOf(message), 1);
    call.feed.deleted(message);
    return { channel: channel.id, ts: message.ts };
  },
};

const postEphemeral: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.tier4,
  run(call) {
    const channel = writableChannel(call, call.args.requiredText("channel"));
    const userId = call.args.requiredText("user");
    if (!channel.members.has(userId)) refuse("user_not_in_channel");
    const content = readContent(call, "truncates");
    const root = readThread(call, channel);
    readIdentity(call);
    readUnfurls(call.args);
    const ts = call.world.ts();
    call.world.ephemerals.push({
      ts,
      channelId: channel.id,
      userId,
      threadTs: root?.ts,
      text: content.text ?? "",
      form: content.form,
      blocks: content.blocks,
    });
    return { message_ts: ts };
  },
};

const getPermalink: BotMethod = {
  scopes: [],
  limit: limits.none,
  run(call) {
    const channel = call.world.channel(call.args.requiredText("channel"));
    const ts = call.args.requiredText("message_ts");
    if (!call.world.message(channel.id, ts)) refuse("message_not_found");
    const { domain } = call.world.team(channel.teamId);
    return {
      channel: channel.id,
      permalink: `https://${domain}.slack.com/archives/${channel.id}/p${ts.replace(".", "")}`,
    };
  },
};

const addReaction: BotMethod = {
  scopes: ["reactions:write"],
  limit: limits.tier3,
  run(call) {
    const { message, name } = reactionTarget(call);
    const users = message.reactions.get(name) ?? [];
    if (users.includes(call.installation.botUserId)) refuse("already_reacted");
    message.reactions.set(name, [...users, call.installation.botUserId]);
    call.feed.reaction("reaction_added", { userId: call.installation.botUserId, name, message });
    return {};
  },
};

const removeReaction: BotMethod = {
  scopes: ["reactions:write"],
  limit: limits.tier3,
  run(call) {
    const { message, name } = reactionTarget(call);
    const users = message.reactions.get(name) ?? [];
    if (!users.includes(call.installation.botUserId)) refuse("no_reaction");
    const left = users.filter((id) => id !== call.installation.botUserId);
    if (left.length > 0) message.reactions.set(name, left);
    else message.reactions.delete(name);
    call.feed.reaction("reaction_removed", { userId: call.installation.botUserId, name, message });
    return {};
  },
};

const getReactions: BotMethod = {
  scopes: ["reactions:read"],
  limit: limits.tier3,
  run(call) {
    call.args.has("full");
    const channel = readableChannel(call, call.args.requiredText("channel"), "read");
    const message = call.world.message(channel.id, call.args.requiredText("timestamp"));
    if (!message) return refuse("message_not_found");
    return { type: "message", channel: channel.id, message: messagePayload(call.world, message) };
  },
};

/** chat.* but for streams, and reactions.*. */
export const chatMethods: Readonly<Record<string, BotMethod>> = {
  "chat.postMessage": postMessage,
  "chat.update": update,
  "chat.delete": remove,
  "chat.postEphemeral": postEphemeral,
  "chat.getPermalink": getPermalink,
  "reactions.add": addReaction,
  "reactions.remove": removeReaction,
  "reactions.get": getReactions,
};

/** The root a call replies to; undefined at channel level. */
export function readThread(
  { args, world }: BotCall,
  channel: SlackChannel,
): SlackMessage | undefined {
  const ts = args.text("thread_ts");
  args.has("reply_broadcast");
  if (!ts) return undefined;
  if (!/^\d{9,}\.\d{6}$/.test(ts)) return refuse("invalid_thread_ts");
  const root = world.message(channel.id, ts);
  if (!root) return refuse("thread_not_found");
  // The documentation says never to use a reply's ts; here it is refused outright.
  if (root.threadTs !== undefined && root.threadTs !== root.ts)
    return refuse("cannot_reply_to_message");
  return root;
}

/** A name or icon of its own needs chat:write.customize; gives the name. */
export function readIdentity({ args, installation }: BotCall): string | undefined {
  const username = args.text("username");
  for (const name of ["username", "icon_emoji", "icon_url"]) {
    if (args.text(name)) needScope(installation, "chat:write.customize");
  }
  args.has("as_user");
  return username;
}

function readUnfurls(args: Arguments): void {
  for (const name of ["unfurl_links", "unfurl_media", "mrkdwn", "link_names", "parse"])
    args.has(name);
}

function channelOfMessage(call: BotCall): SlackChannel {
  const channel = call.world.channel(call.args.requiredText("channel"));
  const isMember = channel.members.has(call.installation.botUserId);
  if (!isMember && channel.type !== "channel") refuse("channel_not_found");
  return channel;
}

/** The app's own message a call names by `ts`. */
export function ownMessage(call: BotCall, channel: SlackChannel, ifForeign: string): SlackMessage {
  const message = call.world.message(channel.id, call.args.requiredText("ts"));
  if (!message || message.subtype === "tombstone") return refuse("message_not_found");
  if (message.userId !== call.installation.botUserId) refuse(ifForeign);
  return message;
}

function reactionTarget(call: BotCall): { readonly message: SlackMessage; readonly name: string } {
  const channel = call.world.channel(call.args.requiredText("channel"));
  if (!channel.members.has(call.installation.botUserId)) {
    refuse(channel.type === "channel" ? "not_in_channel" : "channel_not_found");
  }
  const name = call.args.requiredText("name").replaceAll(":", "");
  if (!/^[a-z0-9_+'-]+$/.test(name)) refuse("invalid_name");
  const message = call.world.message(channel.id, call.args.requiredText("timestamp"));
  if (!message) return refuse("message_not_found");
  return { message, name };
}
