import type { EnvelopedEvent } from "@slack/bolt";
import type { JsonObject } from "./json.ts";
import type { SlackChannel, SlackFile, SlackMessage, SlackUser } from "./model.ts";
import type { World } from "./world.ts";

/** An event inside its envelope. */
export type EventBody = JsonObject & { readonly type: string };

/** A message as the Web API gives it. */
export function messagePayload(world: World, message: SlackMessage): JsonObject {
  const replies = message.threadTs === message.ts ? world.replies(message) : [];
  const root = message.threadTs ? world.message(message.channelId, message.threadTs) : undefined;
  return {
    type: "message",
    ...(message.subtype ? { subtype: message.subtype } : {}),
    user: message.userId,
    ts: message.ts,
    ...(message.botId
      ? {
          bot_id: message.botId,
          app_id: appIdOf(world, message),
          bot_profile: botProfile(world, message),
        }
      : { client_msg_id: message.clientMessageId }),
    ...(message.username ? { username: message.username } : {}),
    text: message.stream?.text ?? message.text,
    team: world.users.get(message.userId)?.teamId ?? message.teamId,
    ...(message.stream
      ? {
          streaming_state: {
            live: "in_progress",
            stopped: "completed",
            "stopped-by-user": "completed",
            expired: "errored",
          }[message.stream.state],
        }
      : {}),
    blocks: blocksOf(message),
    ...(message.attachments ? { attachments: message.attachments } : {}),
    ...(message.files.length > 0
      ? {
          files: message.files.map((file) => filePayload(world, file)),
          upload: false,
          display_as_bot: false,
        }
      : {}),
    ...(message.edited ? { edited: { user: message.edited.userId, ts: message.edited.ts } } : {}),
    ...(message.reactions.size > 0
      ? {
          reactions: [...message.reactions].map(([name, users]) => ({
            name,
            users,
            count: users.length,
          })),
        }
      : {}),
    ...(message.threadTs ? { thread_ts: message.threadTs } : {}),
    ...(root && root !== message ? { parent_user_id: root.userId } : {}),
    ...(root && message.isBroadcast ? { root: messagePayload(world, root) } : {}),
    ...(message.threadTs === message.ts && replies.length > 0
      ? {
          reply_count: replies.length,
          reply_users_count: new Set(replies.map(({ userId }) => userId)).size,
          latest_reply: replies.at(-1)?.ts,
          reply_users: [...new Set(replies.map(({ userId }) => userId))],
          is_locked: false,
          subscribed: false,
        }
      : {}),
    ...(message.metadata ? { metadata: message.metadata } : {}),
  };
}

/** A file as messages and files.info carry it. */
export function filePayload(world: World, file: SlackFile, isFull = false): JsonObject {
  if (file.mode === "tombstone" || file.mode === "hidden_by_limit") {
    return { id: file.id, mode: file.mode };
  }
  if (file.needsFileInfo && !isFull) {
    return { id: file.id, mode: "file_access", file_access: "check_file_info" };
  }
  const fileType = file.name.split(".").at(-1)?.toLowerCase() ?? "binary";
  const url = `${world.origin}/files-pri/${file.teamId}-${file.id}`;
  const name = encodeURIComponent(file.name.toLowerCase().replaceAll(" ", "_"));
  return {
    id: file.id,
    created: Math.floor(file.createdMs / 1000),
    timestamp: Math.floor(file.createdMs / 1000),
    name: file.name,
    title: file.title,
    mimetype: file.mimeType,
    filetype: fileType,
    pretty_type: fileType.toUpperCase(),
    user: file.userId,
    user_team: file.teamId,
    editable: file.mode === "snippet",
    size: file.bytes.byteLength,
    mode: file.mode,
    is_external: file.mode === "external",
    external_type: "",
    is_public: true,
    public_url_shared: false,
    display_as_bot: false,
    username: "",
    url_private: `${url}/${name}`,
    url_private_download: `${url}/download/${name}`,
    media_display_type: "unknown",
    permalink: `${world.origin}/files/${file.userId}/${file.id}/${name}`,
    permalink_public: `${world.origin}/${file.teamId}-${file.id}-public`,
    is_starred: false,
    has_rich_preview: false,
    file_access: "visible",
    ...(file.altText === undefined ? {} : { alt_txt: file.altText }),
    channels: [...file.channelIds],
    groups: [],
    ims: [],
  };
}

/** A person's or the bot's message as the `message` event; `event_ts` is the message's own. */
export function messageEvent(
  world: World,
  message: SlackMessage,
  channel: SlackChannel,
): EventBody {
  return {
    ...messagePayload(world, message),
    type: "message",
    channel: channel.id,
    channel_type: channel.type,
    event_ts: message.ts,
    ...connectFields(world, message, channel),
  };
}

/** The twin of {@link messageEvent} when the bot is mentioned in a channel. */
export function appMentionEvent(
  world: World,
  message: SlackMessage,
  { channel, withFiles }: { readonly channel: SlackChannel; readonly withFiles: boolean },
): EventBody {
  const { subtype: _subtype, files, ...payload } = messagePayload(world, message);
  return {
    ...payload,
    ...(withFiles && files !== undefined ? { files } : {}),
    type: "app_mention",
    channel: channel.id,
    event_ts: message.ts,
    ...connectFields(world, message, channel),
  };
}

/** The envelope of one event for one installation. */
export function eventEnvelope(
  world: World,
  event: EventBody,
  at: {
    readonly teamId: string;
    readonly botUserId: string;
    readonly token: string;
    readonly isShared: boolean;
  },
): EnvelopedEvent<EventBody> {
  return {
    token: at.token,
    team_id: at.teamId,
    context_team_id: at.teamId,
    api_app_id: world.appId,
    event,
    type: "event_callback",
    event_id: world.id("Ev"),
    event_time: Math.floor(world.clock.now() / 1000),
    authorizations: [
      {
        enterprise_id: null,
        team_id: at.teamId,
        user_id: at.botUserId,
        is_bot: true,
        is_enterprise_install: false,
      },
    ],
    is_ext_shared_channel: at.isShared,
    event_context: `4-${Buffer.from(JSON.stringify({ aid: world.appId, tid: at.teamId })).toString("base64url")}`,
  };
}

/** A user as users.info gives it; the address only to who may read it. */
export function userPayload(user: SlackUser, canReadEmail: boolean): JsonObject {
  return {
    id: user.id,
    team_id: user.teamId,
    name: user.name,
    deleted: user.isDeleted,
    real_name: user.realName,
    tz: user.timeZone,
    tz_label: user.timeZone,
    tz_offset: 3600,
    profile: {
      real_name: user.realName,
      real_name_normalized: user.realName,
      display_name: user.name,
      display_name_normalized: user.name,
      ...(canReadEmail && !user.isBot ? { email: user.email } : {}),
      ...(user.botId ? { bot_id: user.botId } : {}),
      team: user.teamId,
    },
    is_admin: user.isAdmin,
    is_owner: user.isOwner,
    is_primary_owner: false,
    is_restricted: user.isGuest,
    is_ultra_restricted: false,
    is_bot: user.isBot,
    is_app_user: false,
    updated: 1_700_000_000,
  };
}

/** A conversation as conversations.info gives it. */
export function channelPayload(channel: SlackChannel, forUserId: string): JsonObject {
  const common = {
    id: channel.id,
    created: 1_700_000_000,
    is_archived: channel.isArchived,
    is_im: channel.type === "im",
    is_mpim: channel.type === "mpim",
    is_channel: channel.type === "channel",
    is_group: channel.type === "group",
    is_private: channel.type !== "channel",
    is_org_shared: false,
    is_ext_shared: channel.isShared,
    is_shared: channel.isShared,
    context_team_id: channel.teamId,
    is_member: channel.members.has(forUserId),
  };
  if (channel.type === "im") {
    const other = [...channel.members].find((id) => id !== forUserId);
    return { ...common, user: other, is_user_deleted: false };
  }
  return {
    ...common,
    name: channel.name,
    name_normalized: channel.name,
    num_members: channel.members.size,
    topic: { value: channel.topic, creator: "", last_set: 0 },
    purpose: { value: "", creator: "", last_set: 0 },
  };
}

/** A fresh view of a message's blocks: what the app gave, or the rich text Slack makes itself. */
function blocksOf(message: SlackMessage): readonly JsonObject[] {
  const { stream } = message;
  if (stream) {
    const text = stream.text === "" ? [] : [{ type: "markdown", text: stream.text }];
    return [...text, ...stream.blocks, ...stream.finalBlocks];
  }
  if (message.blocks && message.blocks.length > 0) return message.blocks;
  if (message.text === "") return [];
  if (message.form === "markdown") return [{ type: "markdown", text: message.text }];
  return [
    {
      type: "rich_text",
      block_id: `b${message.ts.slice(-5)}`,
      elements: [{ type: "rich_text_section", elements: richText(message.text) }],
    },
  ];
}

function richText(text: string): readonly JsonObject[] {
  return text.split(/(<@[UW][A-Z0-9]+(?:\|[^>]*)?>)/).flatMap((piece): readonly JsonObject[] => {
    const mention = /^<@([UW][A-Z0-9]+)/.exec(piece);
    if (mention) return [{ type: "user", user_id: mention[1] }];
    return piece === "" ? [] : [{ type: "text", text: piece }];
  });
}

function botProfile(world: World, message: SlackMessage): JsonObject {
  return {
    id: message.botId,
    deleted: false,
    name: world.nameOf(message.userId),
    updated: 1_700_000_000,
    app_id: appIdOf(world, message),
    team_id: message.teamId,
  };
}

function appIdOf(world: World, message: SlackMessage): string {
  const isOurs = [...world.installations.values()].some(({ botId }) => botId === message.botId);
  return isOurs ? world.appId : "A0OTHERAPP";
}

/** What a message of another organisation carries besides. */
function connectFields(world: World, message: SlackMessage, channel: SlackChannel): JsonObject {
  const userTeam = world.users.get(message.userId)?.teamId ?? channel.teamId;
  if (userTeam === channel.teamId && !channel.isShared) return {};
  return { user_team: userTeam, source_team: userTeam };
}
