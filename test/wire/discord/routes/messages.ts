import {
  ChannelType,
  MessageFlags,
  MessageReferenceType,
  MessageType,
} from "discord-api-types/v10";
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../../slack/json.ts";
import { checkMessage } from "../message-rules.ts";
import type { DiscordAttachment, DiscordChannel, DiscordMessage } from "../model.ts";
import type { UploadedPart } from "../multipart.ts";
import { emojiPayload, messagePayload, userPayload } from "../payloads.ts";
import { limits } from "../rate-limits.ts";
import { FormProblems, refuse } from "../refusal.ts";
import { nothing, ok, param, type Route, type RouteRequest, type ServerParts } from "./route.ts";

const hourMs = 60 * 60 * 1000;
/** What boosts add to the size of files, by tier, in MiB; the first two add nothing. */
const boostedMebibytes = [0, 0, 50, 100] as const;
/** Flags a bot may set when it creates a message. */
const createFlags =
  MessageFlags.SuppressEmbeds |
  MessageFlags.SuppressNotifications |
  MessageFlags.IsVoiceMessage |
  MessageFlags.IsComponentsV2;

/** Messages of channels: read, create, edit, delete, react, typing. */
export const messageRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/channels/:channel/messages",
    limit: limits.read,
    handle: (request) => ok(listMessages(request)),
  },
  {
    method: "GET",
    path: "/channels/:channel/messages/:message",
    limit: limits.read,
    handle: (request) => {
      const channel = textChannel(request);
      request.world.demand(channel, "ReadMessageHistory");
      const message = request.world.message(channel.id, param(request, "message"));
      return ok(messagePayload(request.world, message, request.portal));
    },
  },
  {
    method: "POST",
    path: "/channels/:channel/messages",
    limit: limits.create,
    handle: (request) => ok(create(request)),
  },
  {
    method: "PATCH",
    path: "/channels/:channel/messages/:message",
    limit: limits.edit,
    handle: (request) => ok(edit(request)),
  },
  {
    method: "DELETE",
    path: "/channels/:channel/messages/:message",
    limit: limits.remove,
    handle: (request) => {
      const { world, feed } = request;
      const channel = textChannel(request);
      const message = world.message(channel.id, param(request, "message"));
      if (message.authorId !== world.bot.id) world.demand(channel, "ManageMessages");
      refuseArchived(channel);
      world.deleteMessage(message);
      feed.deleted(message);
      return nothing;
    },
  },
  {
    method: "POST",
    path: "/channels/:channel/typing",
    limit: limits.typing,
    handle: (request) => {
      const channel = textChannel(request);
      demandSend(request, channel);
      request.world.startTyping(channel.id, request.world.bot.id);
      return nothing;
    },
  },
  {
    method: "PUT",
    path: "/channels/:channel/messages/:message/reactions/:emoji/@me",
    limit: limits.react,
    handle: (request) => {
      const { world, feed } = request;
      const { channel, message, emoji } = reactionOf(request);
      world.demand(channel, "ReadMessageHistory");
      refuseArchived(channel);
      const known = message.reactions.get(emoji);
      if (!known) {
        world.demand(channel, "AddReactions");
        if (message.reactions.size >= 20) refuse("tooManyReactions");
      }
      const users = known ?? new Set<string>();
      if (users.has(world.bot.id)) return nothing;
      users.add(world.bot.id);
      message.reactions.set(emoji, users);
      feed.reacted(message, { userId: world.bot.id, emoji, isRemoved: false });
      return nothing;
    },
  },
  {
    method: "DELETE",
    path: "/channels/:channel/messages/:message/reactions/:emoji/:user",
    limit: limits.react,
    handle: (request) => {
      const { world, feed } = request;
      const { channel, message, emoji } = reactionOf(request);
      const named = param(request, "user");
      const userId = named === "@me" ? world.bot.id : named;
      if (userId !== world.bot.id) world.demand(channel, "ManageMessages");
      refuseArchived(channel);
      const users = message.reactions.get(emoji);
      if (!users?.delete(userId)) return nothing;
      if (users.size === 0) message.reactions.delete(emoji);
      feed.reacted(message, { userId, emoji, isRemoved: true });
      return nothing;
    },
  },
  {
    method: "GET",
    path: "/channels/:channel/messages/:message/reactions/:emoji",
    limit: limits.read,
    handle: (request) => {
      const { message, emoji } = reactionOf(request);
      const users = [...(message.reactions.get(emoji) ?? [])];
      return ok(users.map((id) => userPayload(request.world.user(id))));
    },
  },
];

/** A channel the bot sees and that holds messages. */
export function textChannel(request: RouteRequest): DiscordChannel {
  const channel = request.world.channel(param(request, "channel"));
  request.world.demand(channel);
  const holdsNone =
    channel.type === ChannelType.GuildForum || channel.type === ChannelType.GuildCategory;
  if (holdsNone) refuse("wrongChannelType");
  return channel;
}

/** Refuses what cannot be done in an archived thread (50083). */
export function refuseArchived(channel: DiscordChannel): void {
  if (channel.thread?.isArchived) refuse("archivedThread");
}

function demandSend(request: ServerParts, channel: DiscordChannel): void {
  const { world } = request;
  world.demand(channel, channel.thread ? "SendMessagesInThreads" : "SendMessages");
  const isLocked = channel.thread?.isLocked && channel.thread.isArchived;
  if (isLocked && !world.may(channel, world.bot.id, "ManageThreads")) refuse("lockedThread");
  if (channel.type !== ChannelType.DM) return;
  const [recipient = ""] = channel.recipientIds;
  if (!world.user(recipient).acceptsDirectMessages) refuse("cannotSendToUser");
}

function listMessages(request: RouteRequest): unknown {
  const { world, query, portal } = request;
  const channel = textChannel(request);
  const limit = Number(query.get("limit") ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
    const problems = new FormProblems();
    problems.add("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
    problems.refuseIfAny();
  }
  // Who may not read the history gets an empty list, not a refusal.
  if (!world.may(channel, world.bot.id, "ReadMessageHistory")) return [];
  const all = channel.messages.filter(({ ephemeralFor }) => !ephemeralFor);
  const after = query.get("after");
  const before = query.get("before");
  const around = query.get("around");
  const chosen =
    after !== null
      ? all.filter(({ id }) => BigInt(id) > BigInt(after)).slice(0, limit)
      : before !== null
        ? all.filter(({ id }) => BigInt(id) < BigInt(before)).slice(-limit)
        : around !== null
          ? aroundId(all, around, limit)
          : all.slice(-limit);
  return chosen.toReversed().map((message) => messagePayload(world, message, portal));
}

function aroundId(
  all: readonly DiscordMessage[],
  around: string,
  limit: number,
): readonly DiscordMessage[] {
  const index = all.findIndex(({ id }) => BigInt(id) >= BigInt(around));
  const start = Math.max(0, (index < 0 ? all.length : index) - Math.floor(limit / 2));
  return all.slice(start, start + limit);
}

function create(request: RouteRequest): unknown {
  const channel = textChannel(request);
  demandSend(request, channel);
  return messagePayload(request.world, createIn(request, channel), request.portal);
}

/** Creates the bot's message in a channel it may write to; a repeated nonce gives the first one back. */
export function createIn(
  request: RouteRequest,
  channel: DiscordChannel,
  options: { readonly body?: JsonObject; readonly id?: string } = {},
): DiscordMessage {
  const { world, feed, policy } = request;
  const body = options.body ?? request.body;
  checkMessage(body, {
    form: "create",
    fileCount: request.files.length,
    complain: request.complain,
  });
  if (objectsAt(body, "embeds").length > 0) world.demand(channel, "EmbedLinks");
  if (request.files.length > 0) world.demand(channel, "AttachFiles");
  const nonce = nonceOf(body);
  if (body.enforce_nonce === true && nonce !== undefined) {
    const known = channel.messages.find(
      (one) =>
        one.authorId === world.bot.id &&
        String(one.nonce) === String(nonce) &&
        one.createdAtMs > world.clock.now() - policy.nonceMs,
    );
    if (known) return known;
  }
  const content = (textAt(body, "content") ?? "").trim();
  if (policy.blockedWords.some((word) => content.includes(word))) refuse("blockedByAutoMod");
  const reference = referenceOf(request, channel, body);
  unarchive(request, channel);
  const flags = (typeof body.flags === "number" ? body.flags : 0) & createFlags;
  const message = world.addMessage({
    ...(options.id === undefined ? {} : { id: options.id }),
    channelId: channel.id,
    authorId: world.bot.id,
    type:
      reference?.type === MessageReferenceType.Default ? MessageType.Reply : MessageType.Default,
    content,
    flags,
    embeds: objectsAt(body, "embeds"),
    components: objectsAt(body, "components"),
    attachments: takeFiles(request, channel, body),
    nonce,
    reference,
  });
  world.mention(message, isObject(body.allowed_mentions) ? body.allowed_mentions : undefined);
  channel.thread?.members.add(world.bot.id);
  feed.posted(message);
  return message;
}

/** Sending un-archives a thread, which is told before the message. */
export function unarchive(
  request: Pick<ServerParts, "feed" | "world">,
  channel: DiscordChannel,
): void {
  if (!channel.thread?.isArchived) return;
  channel.thread.isArchived = false;
  channel.thread.archivedAtMs = request.world.clock.now();
  request.feed.channel("THREAD_UPDATE", channel);
}

function nonceOf(body: JsonObject): string | number | undefined {
  const { nonce } = body;
  return typeof nonce === "string" || typeof nonce === "number" ? nonce : undefined;
}

function referenceOf(
  request: RouteRequest,
  channel: DiscordChannel,
  body: JsonObject,
): DiscordMessage["reference"] {
  const given = objectAt(body, "message_reference");
  const messageId = textAt(given, "message_id");
  if (messageId === undefined) return undefined;
  const type =
    given.type === MessageReferenceType.Forward
      ? MessageReferenceType.Forward
      : MessageReferenceType.Default;
  const channelId = textAt(given, "channel_id") ?? channel.id;
  const source = request.world.channel(channelId);
  if (!request.world.may(source, request.world.bot.id, "ReadMessageHistory")) {
    refuse("cannotReplyUnread");
  }
  const exists = source.messages.some(({ id, ephemeralFor }) => id === messageId && !ephemeralFor);
  if (exists) return { type, channelId, messageId };
  if (given.fail_if_not_exists === false) return undefined;
  const problems = new FormProblems();
  problems.add("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message");
  problems.refuseIfAny();
  return undefined;
}

/** The uploaded files as attachments, with the alt texts the body gives them. */
export function takeFiles(
  request: Pick<RouteRequest, "files" | "world" | "policy">,
  channel: DiscordChannel,
  body: JsonObject,
): readonly DiscordAttachment[] {
  const { world, files, policy } = request;
  const guild = world.guildOf(channel);
  const boostedBytes = boostedMebibytes[guild?.premiumTier ?? 0] * 1024 * 1024;
  const most = Math.max(policy.maxFileBytes, boostedBytes);
  if (files.some(({ bytes }) => bytes.byteLength > most)) refuse("tooLarge");
  const described = objectsAt(body, "attachments");
  return files.map((file: UploadedPart) => {
    const description = described.find((one) => String(one.id) === file.index);
    const attachment: DiscordAttachment = {
      id: world.id(),
      fileName: textAt(description, "filename") ?? file.fileName,
      contentType: file.contentType,
      bytes: file.bytes,
      description: textAt(description, "description"),
      durationSeconds: undefined,
      waveform: undefined,
      isEphemeral: false,
      createdAtMs: world.clock.now(),
    };
    world.attachments.set(attachment.id, { ...attachment, channelId: channel.id });
    return attachment;
  });
}

function edit(request: RouteRequest): unknown {
  const { world, policy } = request;
  const channel = textChannel(request);
  const message = world.message(channel.id, param(request, "message"));
  if (message.authorId !== world.bot.id) refuse("notTheAuthor");
  if (message.type === MessageType.ThreadStarterMessage) refuse("systemMessage");
  refuseArchived(channel);
  if ((message.flags & MessageFlags.IsVoiceMessage) !== 0) refuse("voiceMessageEdit");
  if (world.clock.now() - message.createdAtMs > hourMs) {
    if (policy.oldMessageEdits <= 0) refuse("oldMessageEdits");
    policy.oldMessageEdits -= 1;
  }
  applyEdit(request, message);
  return messagePayload(world, message, request.portal);
}

/** Brings a message to what an edit's body says and tells of it. */
export function applyEdit(
  request: RouteRequest,
  message: DiscordMessage,
  options: { readonly body?: JsonObject; readonly onlyUsers?: boolean } = {},
): void {
  const { world, feed } = request;
  const body = options.body ?? request.body;
  checkMessage(body, {
    form: "edit",
    fileCount: request.files.length,
    flags: message.flags,
    complain: request.complain,
  });
  const channel = world.channel(message.channelId);
  const keeps = Array.isArray(body.attachments)
    ? message.attachments.filter(({ id }) =>
        objectsAt(body, "attachments").some((one) => String(one.id) === id),
      )
    : message.attachments;
  const editable = MessageFlags.SuppressEmbeds | MessageFlags.IsComponentsV2;
  const asked = typeof body.flags === "number" ? body.flags & editable : message.flags & editable;
  // Components V2 can be set by an edit and never be taken away.
  const lasting =
    message.flags & (MessageFlags.IsComponentsV2 | ~(editable | MessageFlags.Loading));
  const next = {
    ...(body.content === undefined ? {} : { content: (textAt(body, "content") ?? "").trim() }),
    ...(body.embeds === undefined ? {} : { embeds: objectsAt(body, "embeds") }),
    ...(body.components === undefined ? {} : { components: objectsAt(body, "components") }),
    attachments: [...keeps, ...takeFiles(request, channel, body)],
    flags: lasting | asked,
  };
  const content = next.content ?? message.content;
  const lists = [next.embeds ?? message.embeds, next.components ?? message.components];
  const isEmpty = content === "" && lists.every(({ length }) => length === 0);
  if (isEmpty && next.attachments.length === 0) refuse("emptyMessage");
  world.changeMessage(message, next);
  const allowed = isObject(body.allowed_mentions) ? body.allowed_mentions : undefined;
  world.mention(message, allowed, { isEdit: true, onlyUsers: options.onlyUsers ?? false });
  feed.changed(message);
}

function reactionOf(request: RouteRequest): {
  readonly channel: DiscordChannel;
  readonly message: DiscordMessage;
  readonly emoji: string;
} {
  const channel = textChannel(request);
  const message = request.world.message(channel.id, param(request, "message"));
  const emoji = param(request, "emoji");
  const { id, name } = emojiPayload(emoji);
  if (id === null && !/\p{Extended_Pictographic}|\p{Emoji_Presentation}|\u20e3/u.test(name)) {
    refuse("unknownEmoji");
  }
  return { channel, message, emoji };
}
