import { createHmac } from "node:crypto";
import {
  type APIAttachment,
  type APIChannel,
  type APIGuild,
  type APIGuildMember,
  type APIMessage,
  type APIReaction,
  type APIRole,
  type APIUser,
  ApplicationFlags,
  ChannelType,
  type GatewayGuildCreateDispatchData,
  type GatewayMessageCreateDispatchData,
  GuildSystemChannelFlags,
  InteractionType,
  Locale,
  MessageFlags,
  type RoleFlags,
} from "discord-api-types/v10";
import type {
  DiscordAttachment,
  DiscordChannel,
  DiscordGuild,
  DiscordMember,
  DiscordMessage,
  DiscordRole,
  DiscordUser,
} from "./model.ts";
import type { World } from "./world.ts";

/** How long an attachment's link is good (docs.discord.com, signed attachment URLs). */
export const attachmentLinkMs = 24 * 60 * 60 * 1000;

/** Which privileged intents the portal has switched on. */
export interface PrivilegedIntents {
  readonly messageContent: boolean;
  readonly guildMembers: boolean;
  readonly presences: boolean;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function userPayload(user: DiscordUser): APIUser {
  return {
    id: user.id,
    username: user.username,
    discriminator: user.isBot ? "0001" : "0",
    global_name: user.globalName,
    avatar: null,
    ...(user.isBot ? { bot: true } : {}),
  };
}

/** A member without its user, as messages and reactions carry it. */
export function memberFields(member: DiscordMember): Omit<APIGuildMember, "user"> {
  return {
    nick: member.nick,
    avatar: null,
    roles: [...member.roleIds],
    joined_at: iso(member.joinedAtMs),
    premium_since: null,
    deaf: false,
    mute: false,
    flags: 0,
    pending: false,
    communication_disabled_until: null,
    banner: null,
  } as unknown as Omit<APIGuildMember, "user">;
}

export function memberPayload(world: World, member: DiscordMember): APIGuildMember {
  return { ...memberFields(member), user: userPayload(world.user(member.userId)) };
}

export function rolePayload(role: DiscordRole): APIRole {
  return {
    id: role.id,
    name: role.name,
    color: 0,
    colors: { primary_color: 0, secondary_color: null, tertiary_color: null },
    hoist: false,
    icon: null,
    unicode_emoji: null,
    position: role.position,
    permissions: String(role.permissions),
    managed: false,
    mentionable: role.isMentionable,
    flags: 0 as RoleFlags,
  };
}

export function channelPayload(world: World, channel: DiscordChannel): APIChannel {
  const { thread } = channel;
  const common = {
    id: channel.id,
    type: channel.type,
    last_message_id: channel.lastMessageId ?? null,
    flags: 0,
  };
  if (channel.type === ChannelType.DM) {
    return {
      ...common,
      name: null,
      recipients: channel.recipientIds.map((id) => userPayload(world.user(id))),
    } as unknown as APIChannel;
  }
  const ofGuild = { ...common, guild_id: channel.guildId, name: channel.name, nsfw: false };
  if (!thread) {
    return {
      ...ofGuild,
      position: 0,
      parent_id: channel.parentId ?? null,
      topic: channel.topic,
      rate_limit_per_user: 0,
      permission_overwrites: [...channel.overwrites.values()].map((one) => ({
        id: one.id,
        type: one.type === "role" ? 0 : 1,
        allow: String(one.allow),
        deny: String(one.deny),
      })),
      ...(channel.type === ChannelType.GuildForum
        ? {
            available_tags: channel.tags.map((tag) => ({
              ...tag,
              moderated: false,
              emoji_id: null,
              emoji_name: null,
            })),
            default_reaction_emoji: null,
            default_sort_order: null,
            default_forum_layout: 0,
          }
        : {}),
    } as unknown as APIChannel;
  }
  const count = channel.messages.filter(({ ephemeralFor }) => !ephemeralFor).length;
  return {
    ...ofGuild,
    parent_id: channel.parentId,
    owner_id: thread.ownerId,
    rate_limit_per_user: thread.slowmodeSeconds,
    message_count: count,
    total_message_sent: count + channel.deleted.length,
    member_count: Math.min(50, thread.members.size),
    applied_tags: thread.appliedTags,
    thread_metadata: {
      archived: thread.isArchived,
      auto_archive_duration: thread.autoArchiveMinutes,
      archive_timestamp: iso(thread.archivedAtMs),
      locked: thread.isLocked,
      create_timestamp: iso(thread.createdAtMs),
      ...(channel.type === ChannelType.PrivateThread ? { invitable: thread.isInvitable } : {}),
    },
    ...(thread.members.has(world.bot.id)
      ? {
          member: {
            id: channel.id,
            user_id: world.bot.id,
            join_timestamp: iso(thread.createdAtMs),
            flags: 0,
          },
        }
      : {}),
  } as unknown as APIChannel;
}

export function guildPayload(guild: DiscordGuild): APIGuild {
  return {
    id: guild.id,
    name: guild.name,
    icon: null,
    splash: null,
    discovery_splash: null,
    owner_id: guild.ownerId,
    afk_channel_id: null,
    afk_timeout: 300,
    verification_level: 0,
    default_message_notifications: 0,
    explicit_content_filter: 0,
    roles: [...guild.roles.values()].map(rolePayload),
    emojis: [],
    stickers: [],
    features: [],
    mfa_level: 0,
    application_id: null,
    system_channel_id: null,
    system_channel_flags: GuildSystemChannelFlags.SuppressJoinNotifications,
    rules_channel_id: null,
    vanity_url_code: null,
    description: null,
    banner: null,
    premium_tier: guild.premiumTier,
    preferred_locale: Locale.EnglishUS,
    public_updates_channel_id: null,
    nsfw_level: 0,
    premium_progress_bar_enabled: false,
    safety_alerts_channel_id: null,
    incidents_data: null,
    hub_type: null,
    max_members: 500_000,
    approximate_member_count: guild.members.size,
    region: null,
  } as unknown as APIGuild;
}

export function guildCreatePayload(
  world: World,
  guild: DiscordGuild,
): GatewayGuildCreateDispatchData {
  const bot = guild.members.get(world.bot.id);
  const channels = [...world.channels.values()].filter(({ guildId }) => guildId === guild.id);
  return {
    ...guildPayload(guild),
    joined_at: iso(bot?.joinedAtMs ?? 0),
    large: false,
    unavailable: false,
    member_count: guild.members.size,
    voice_states: [],
    // Without the privileged intent only the bot itself and those in voice are listed.
    members: bot ? [memberPayload(world, bot)] : [],
    channels: channels
      .filter(({ thread }) => !thread)
      .map((channel) => channelPayload(world, channel)),
    threads: world
      .activeThreads(guild, world.bot.id)
      .map((thread) => channelPayload(world, thread)),
    presences: [],
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
  } as unknown as GatewayGuildCreateDispatchData;
}

export function attachmentPayload(
  world: World,
  channelId: string,
  attachment: DiscordAttachment,
): APIAttachment {
  const url = attachmentUrl(world, channelId, attachment);
  return {
    id: attachment.id,
    filename: attachment.fileName,
    content_type: attachment.contentType,
    size: attachment.bytes.byteLength,
    url,
    proxy_url: url,
    ...(attachment.description === undefined ? {} : { description: attachment.description }),
    ...(attachment.isEphemeral ? { ephemeral: true } : {}),
    ...(attachment.durationSeconds === undefined
      ? {}
      : { duration_secs: attachment.durationSeconds, waveform: attachment.waveform ?? "" }),
  };
}

/** A signed link that is good for a day from now. */
function attachmentUrl(world: World, channelId: string, attachment: DiscordAttachment): string {
  const issued = Math.floor(world.clock.now() / 1000).toString(16);
  const ends = Math.floor((world.clock.now() + attachmentLinkMs) / 1000).toString(16);
  const path = `/attachments/${channelId}/${attachment.id}/${encodeURIComponent(attachment.fileName)}`;
  return `${world.origin}${path}?ex=${ends}&is=${issued}&hm=${linkSignature(attachment.id, ends)}`;
}

/** What signs an attachment's link. */
export function linkSignature(attachmentId: string, ends: string): string {
  return createHmac("sha256", "cdn").update(`${attachmentId} ${ends}`).digest("hex");
}

/**
 * A message as the bot reads it. What the message content intent protects is empty unless the
 * portal grants it, or the message is the bot's own, mentions it, or is a direct message.
 */
export function messagePayload(
  world: World,
  message: DiscordMessage,
  portal: PrivilegedIntents,
): APIMessage {
  return readableMessage(world, message, { isReadable: mayRead(world, message, portal), portal });
}

/** A message with everything in it, as the target of a command carries it. */
export function fullMessagePayload(
  world: World,
  message: DiscordMessage,
  portal: PrivilegedIntents,
): APIMessage {
  return readableMessage(world, message, { isReadable: true, portal });
}

function mayRead(world: World, message: DiscordMessage, portal: PrivilegedIntents): boolean {
  const channel = world.channel(message.channelId);
  return (
    portal.messageContent ||
    message.authorId === world.bot.id ||
    message.mentions.includes(world.bot.id) ||
    channel.type === ChannelType.DM
  );
}

function readableMessage(
  world: World,
  message: DiscordMessage,
  { isReadable, portal }: { readonly isReadable: boolean; readonly portal: PrivilegedIntents },
): APIMessage {
  const { reference, interaction, webhook } = message;
  const source = reference ? world.channels.get(reference.channelId) : undefined;
  const referenced = source?.messages.find(({ id }) => id === reference?.messageId);
  const isForward = reference?.type === 1;
  const author: APIUser = webhook
    ? { ...userPayload(world.bot), id: webhook.id, username: webhook.name, bot: true }
    : userPayload(world.user(message.authorId));
  const thread = message.hasThread ? world.channels.get(message.id) : undefined;
  return {
    id: message.id,
    channel_id: message.channelId,
    author,
    type: message.type,
    content: isReadable ? message.content : "",
    timestamp: iso(message.createdAtMs),
    edited_timestamp: message.editedAtMs === undefined ? null : iso(message.editedAtMs),
    tts: false,
    mention_everyone: message.mentionsEveryone,
    mentions: message.mentions.map((id) => userPayload(world.user(id))),
    mention_roles: [...message.mentionRoles],
    attachments: isReadable
      ? message.attachments.map((one) => attachmentPayload(world, message.channelId, one))
      : [],
    embeds: isReadable ? [...message.embeds] : [],
    components: isReadable ? [...message.components] : [],
    pinned: false,
    flags: message.flags | (message.hasThread ? MessageFlags.HasThread : 0),
    ...(message.nonce === undefined ? {} : { nonce: message.nonce }),
    ...(message.reactions.size > 0 ? { reactions: reactionPayloads(world, message) } : {}),
    ...(webhook ? { webhook_id: webhook.id } : {}),
    ...(thread ? { thread: channelPayload(world, thread) } : {}),
    ...(reference
      ? {
          message_reference: {
            type: reference.type,
            channel_id: reference.channelId,
            message_id: reference.messageId,
            ...(source?.guildId ? { guild_id: source.guildId } : {}),
          },
        }
      : {}),
    ...(reference && !isForward
      ? { referenced_message: referenced ? messagePayload(world, referenced, portal) : null }
      : {}),
    ...(isForward ? { message_snapshots: isReadable ? [...message.snapshots] : [] } : {}),
    ...(interaction
      ? {
          application_id: world.applicationId,
          webhook_id: world.applicationId,
          interaction_metadata: {
            id: interaction.id,
            type: interaction.type,
            user: userPayload(world.user(interaction.userId)),
            authorizing_integration_owners: interaction.guildId ? { "0": interaction.guildId } : {},
          },
          ...(interaction.type === InteractionType.ApplicationCommand
            ? {
                interaction: {
                  id: interaction.id,
                  type: interaction.type,
                  name: interaction.commandName ?? "",
                  user: userPayload(world.user(interaction.userId)),
                },
              }
            : {}),
        }
      : {}),
  } as unknown as APIMessage;
}

function reactionPayloads(world: World, message: DiscordMessage): APIReaction[] {
  return [...message.reactions].map(([emoji, users]) => ({
    emoji: emojiPayload(emoji),
    count: users.size,
    count_details: { burst: 0, normal: users.size },
    me: users.has(world.bot.id),
    me_burst: false,
    burst_colors: [],
  }));
}

/** An emoji: a Unicode one, or `name:id`. */
export function emojiPayload(emoji: string): { id: string | null; name: string } {
  const [name = "", id] = emoji.split(":");
  return id === undefined ? { id: null, name } : { id, name };
}

/** A message as the gateway sends it: with the guild, and its author's membership. */
export function messageEventPayload(
  world: World,
  message: DiscordMessage,
  portal: PrivilegedIntents,
): GatewayMessageCreateDispatchData {
  const channel = world.channel(message.channelId);
  const member = world.guildOf(channel)?.members.get(message.authorId);
  return {
    ...messagePayload(world, message, portal),
    ...(channel.guildId === undefined ? {} : { guild_id: channel.guildId }),
    ...(member && !message.webhook ? { member: memberFields(member) } : {}),
  } as GatewayMessageCreateDispatchData;
}

/** The application's flags say what the portal grants. */
export function applicationFlags(portal: PrivilegedIntents): number {
  return (
    (portal.messageContent ? ApplicationFlags.GatewayMessageContentLimited : 0) |
    (portal.guildMembers ? ApplicationFlags.GatewayGuildMembersLimited : 0) |
    (portal.presences ? ApplicationFlags.GatewayPresenceLimited : 0)
  );
}
