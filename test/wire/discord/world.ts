import {
  type APIApplicationCommand,
  type APIMessageSnapshot,
  ChannelType,
  MessageFlags,
  MessageType,
} from "discord-api-types/v10";
import type { WireClock } from "../slack/clock.ts";
import type { JsonObject } from "../slack/json.ts";
import type {
  DiscordAttachment,
  DiscordChannel,
  DiscordGuild,
  DiscordInteraction,
  DiscordMember,
  DiscordMessage,
  DiscordUser,
  ThreadState,
} from "./model.ts";
import {
  allPermissions,
  bitsOf,
  everyonePermissions,
  type PermissionName,
  permissionsIn,
  refusalFor,
} from "./permissions.ts";
import { refuse } from "./refusal.ts";

/** The first second of Discord's ids. */
const epochMs = 1_420_070_400_000;
/** How long somebody is seen typing (docs.discord.com, Trigger Typing Indicator). */
const typingMs = 10_000;

/** What is needed of a message to put it somewhere. */
export interface NewMessage {
  readonly channelId: string;
  readonly authorId: string;
  readonly id?: string;
  readonly type?: MessageType;
  readonly content?: string;
  readonly flags?: number;
  readonly embeds?: readonly JsonObject[];
  readonly components?: readonly JsonObject[];
  readonly attachments?: readonly DiscordAttachment[];
  readonly nonce?: string | number | undefined;
  readonly reference?: DiscordMessage["reference"];
  readonly snapshots?: readonly APIMessageSnapshot[];
  readonly ephemeralFor?: string | undefined;
  readonly interaction?: DiscordInteraction | undefined;
  readonly webhook?: DiscordMessage["webhook"];
}

/** All that exists: guilds, people, channels, threads, messages. Sends nothing to anybody. */
export class World {
  readonly clock: WireClock;
  readonly users = new Map<string, DiscordUser>();
  readonly guilds = new Map<string, DiscordGuild>();
  readonly channels = new Map<string, DiscordChannel>();
  readonly commands = new Map<string, APIApplicationCommand>();
  readonly interactions = new Map<string, DiscordInteraction>();
  readonly attachments = new Map<string, DiscordAttachment & { readonly channelId: string }>();
  readonly bot: DiscordUser;
  readonly applicationId: string;
  /** Where the server listens. */
  origin = "";
  #increment = 0;
  #lastIdMs = 0;
  readonly #typing = new Map<string, Map<string, number>>();

  constructor(clock: WireClock, botName: string) {
    this.clock = clock;
    this.bot = this.addUser(botName, { isBot: true });
    this.applicationId = this.bot.id;
  }

  /** A fresh id that carries the time, later than every one before. */
  id(): string {
    const nowMs = this.clock.now();
    this.#increment = nowMs > this.#lastIdMs ? 0 : this.#increment + 1;
    this.#lastIdMs = Math.max(nowMs, this.#lastIdMs);
    return String((BigInt(this.#lastIdMs - epochMs) << 22n) + BigInt(this.#increment));
  }

  addUser(
    username: string,
    user: { readonly isBot?: boolean; readonly globalName?: string } = {},
  ): DiscordUser {
    const added: DiscordUser = {
      id: this.id(),
      username,
      globalName: user.globalName ?? null,
      isBot: user.isBot ?? false,
      acceptsDirectMessages: true,
    };
    this.users.set(added.id, added);
    return added;
  }

  addGuild(name: string, ownerId: string): DiscordGuild {
    const id = this.id();
    const everyone = {
      id,
      name: "@everyone",
      permissions: bitsOf(everyonePermissions),
      position: 0,
      isMentionable: false,
    };
    const guild: DiscordGuild = {
      id,
      name,
      ownerId,
      roles: new Map([[id, everyone]]),
      members: new Map(),
      premiumTier: 0,
      isAvailable: true,
      commands: new Map(),
    };
    this.guilds.set(id, guild);
    this.addMember(guild, ownerId);
    return guild;
  }

  addMember(guild: DiscordGuild, userId: string): DiscordMember {
    const member = {
      userId,
      nick: null,
      roleIds: new Set<string>(),
      joinedAtMs: this.clock.now(),
    };
    guild.members.set(userId, member);
    return member;
  }

  addRole(guild: DiscordGuild, name: string, permissions: readonly PermissionName[] = []): string {
    const id = this.id();
    guild.roles.set(id, {
      id,
      name,
      permissions: bitsOf(permissions),
      position: guild.roles.size,
      isMentionable: true,
    });
    return id;
  }

  addChannel(
    channel: Partial<DiscordChannel> & Pick<DiscordChannel, "name" | "type">,
  ): DiscordChannel {
    const added: DiscordChannel = {
      id: this.id(),
      guildId: undefined,
      topic: null,
      parentId: undefined,
      overwrites: new Map(),
      recipientIds: [],
      messages: [],
      deleted: [],
      lastMessageId: undefined,
      thread: undefined,
      tags: [],
      ...channel,
    };
    this.channels.set(added.id, added);
    return added;
  }

  addThread(
    parent: DiscordChannel,
    thread: {
      readonly id?: string;
      readonly name: string;
      readonly ownerId: string;
      readonly type: ChannelType;
      readonly autoArchiveMinutes?: number;
      readonly appliedTags?: readonly string[];
      readonly isInvitable?: boolean;
    },
  ): DiscordChannel {
    const state: ThreadState = {
      ownerId: thread.ownerId,
      isArchived: false,
      isLocked: false,
      archivedAtMs: this.clock.now(),
      autoArchiveMinutes: thread.autoArchiveMinutes ?? 1440,
      isInvitable: thread.isInvitable ?? true,
      members: new Set([thread.ownerId]),
      appliedTags: thread.appliedTags ?? [],
      createdAtMs: this.clock.now(),
      slowmodeSeconds: 0,
    };
    return this.addChannel({
      id: thread.id ?? this.id(),
      name: thread.name,
      type: thread.type,
      guildId: parent.guildId,
      parentId: parent.id,
      thread: state,
    });
  }

  /** The direct conversation of the bot and somebody, opened when there was none. */
  directChannel(userId: string): DiscordChannel {
    for (const channel of this.channels.values()) {
      if (channel.type === ChannelType.DM && channel.recipientIds.includes(userId)) return channel;
    }
    return this.addChannel({ name: "", type: ChannelType.DM, recipientIds: [userId] });
  }

  addMessage(message: NewMessage): DiscordMessage {
    const channel = this.channel(message.channelId);
    const nowMs = this.clock.now();
    const { content = "", components = [] } = message;
    const added: DiscordMessage = {
      id: message.id ?? this.id(),
      channelId: channel.id,
      authorId: message.authorId,
      type: message.type ?? MessageType.Default,
      content,
      createdAtMs: nowMs,
      editedAtMs: undefined,
      flags: message.flags ?? 0,
      embeds: message.embeds ?? [],
      components: this.numbered(components),
      attachments: message.attachments ?? [],
      nonce: message.nonce,
      mentions: [],
      mentionRoles: [],
      mentionsEveryone: false,
      notified: new Set(),
      reference: message.reference,
      snapshots: message.snapshots ?? [],
      reactions: new Map(),
      versions: [{ atMs: nowMs, content, components }],
      ephemeralFor: message.ephemeralFor,
      interaction: message.interaction,
      hasThread: false,
      webhook: message.webhook,
    };
    channel.messages.push(added);
    if (!added.ephemeralFor) channel.lastMessageId = added.id;
    this.#typing.get(channel.id)?.delete(added.authorId);
    return added;
  }

  /** Changes what a message says and keeps what it said. */
  changeMessage(
    message: DiscordMessage,
    change: Partial<
      Pick<DiscordMessage, "content" | "embeds" | "components" | "attachments" | "flags">
    >,
  ): void {
    const nowMs = this.clock.now();
    const wasLoading = (message.flags & MessageFlags.Loading) !== 0;
    Object.assign(message, {
      ...change,
      ...(change.components ? { components: this.numbered(change.components) } : {}),
    });
    const { content, components } = message;
    if (wasLoading) message.versions.length = 0;
    else message.editedAtMs = nowMs;
    message.versions.push({ atMs: nowMs, content, components });
  }

  /** Components with the ids Discord gives those that have none. */
  numbered(components: readonly JsonObject[]): readonly JsonObject[] {
    let last = 0;
    const number = (component: JsonObject): JsonObject => {
      last += 1;
      const id = typeof component.id === "number" && component.id > 0 ? component.id : last;
      const inner = Array.isArray(component.components)
        ? { components: (component.components as JsonObject[]).map(number) }
        : {};
      const accessory = component.accessory
        ? { accessory: number(component.accessory as JsonObject) }
        : {};
      return { ...component, id, ...inner, ...accessory };
    };
    return components.map(number);
  }

  deleteMessage(message: DiscordMessage): void {
    const channel = this.channel(message.channelId);
    channel.messages.splice(channel.messages.indexOf(message), 1);
    channel.deleted.push(message);
  }

  channel(id: string): DiscordChannel {
    return this.channels.get(id) ?? refuse("unknownChannel");
  }

  guild(id: string): DiscordGuild {
    return this.guilds.get(id) ?? refuse("unknownGuild");
  }

  user(id: string): DiscordUser {
    return this.users.get(id) ?? refuse("unknownUser");
  }

  /** A message of a channel that is no ephemeral one. */
  message(channelId: string, messageId: string): DiscordMessage {
    const found = this.channel(channelId).messages.find(
      ({ id, ephemeralFor }) => id === messageId && !ephemeralFor,
    );
    return found ?? refuse("unknownMessage");
  }

  guildOf(channel: DiscordChannel): DiscordGuild | undefined {
    return channel.guildId === undefined ? undefined : this.guilds.get(channel.guildId);
  }

  /** The channel whose permissions hold: a thread's parent, or the channel itself. */
  permissionChannel(channel: DiscordChannel): DiscordChannel {
    const parent =
      channel.thread && channel.parentId ? this.channels.get(channel.parentId) : undefined;
    return parent ?? channel;
  }

  permissions(channel: DiscordChannel, userId: string): bigint {
    const guild = this.guildOf(channel);
    if (!guild)
      return channel.recipientIds.includes(userId) || userId === this.bot.id ? allPermissions : 0n;
    return permissionsIn(guild, this.permissionChannel(channel), userId);
  }

  may(channel: DiscordChannel, userId: string, name: PermissionName): boolean {
    return (this.permissions(channel, userId) & bitsOf([name])) !== 0n;
  }

  /** Whether somebody sees a channel; a private thread is for its members and who manages threads. */
  sees(channel: DiscordChannel, userId: string): boolean {
    if (!this.may(channel, userId, "ViewChannel")) return false;
    if (channel.type !== ChannelType.PrivateThread) return true;
    return (
      channel.thread?.members.has(userId) === true || this.may(channel, userId, "ManageThreads")
    );
  }

  /** Refuses what the bot may not do in a channel. */
  demand(channel: DiscordChannel, ...names: readonly PermissionName[]): void {
    if (!this.sees(channel, this.bot.id)) throw refusalFor("ViewChannel");
    for (const name of names) {
      if (!this.may(channel, this.bot.id, name)) throw refusalFor(name);
    }
  }

  /** The threads of a guild that are open and seen by somebody. */
  activeThreads(guild: DiscordGuild, userId: string): readonly DiscordChannel[] {
    return [...this.channels.values()].filter(
      (channel) =>
        channel.guildId === guild.id &&
        channel.thread?.isArchived === false &&
        this.sees(channel, userId),
    );
  }

  startTyping(channelId: string, userId: string): void {
    const typing = this.#typing.get(channelId) ?? new Map<string, number>();
    typing.set(userId, this.clock.now() + typingMs);
    this.#typing.set(channelId, typing);
  }

  /** Who is seen typing now. */
  typing(channelId: string): readonly string[] {
    const nowMs = this.clock.now();
    return [...(this.#typing.get(channelId) ?? [])]
      .filter(([, untilMs]) => untilMs > nowMs)
      .map(([userId]) => userId);
  }

  /** Says whom a text speaks to: ids in it that exist, as far as `allowed_mentions` lets them. */
  mention(
    message: DiscordMessage,
    allowed: JsonObject | undefined,
    options: { readonly isEdit?: boolean; readonly onlyUsers?: boolean } = {},
  ): void {
    const channel = this.channel(message.channelId);
    const guild = this.guildOf(channel);
    const text = message.content + displayedText(message.components);
    const allows = mentionRule(allowed, options.onlyUsers === true);
    const users = matches(text, /<@!?(\d+)>/g).filter(
      (id) => this.users.has(id) && allows("users", id),
    );
    const roles = matches(text, /<@&(\d+)>/g).filter(
      (id) => guild?.roles.has(id) && allows("roles", id),
    );
    const mayPingAll = !guild || this.may(channel, message.authorId, "MentionEveryone");
    const everyone =
      guild !== undefined &&
      /@(everyone|here)\b/.test(text) &&
      mayPingAll &&
      allows("everyone", "");
    const replied = this.#repliedTo(message);
    const pingsReplied =
      replied !== undefined &&
      (allowed === undefined ? !options.isEdit : allowed.replied_user === true);
    message.mentions = [...new Set([...users, ...(pingsReplied ? [replied] : [])])];
    message.mentionRoles = [...new Set(roles)];
    message.mentionsEveryone = everyone;
    for (const id of [...message.mentions, ...message.mentionRoles]) message.notified.add(id);
    if (everyone) message.notified.add("everyone");
  }

  #repliedTo(message: DiscordMessage): string | undefined {
    if (message.type !== MessageType.Reply || !message.reference) return undefined;
    const { channelId, messageId } = message.reference;
    return this.channels.get(channelId)?.messages.find(({ id }) => id === messageId)?.authorId;
  }
}

function matches(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? "");
}

/** The words of Text Displays: they mention as content does. */
export function displayedText(components: readonly JsonObject[]): string {
  return components
    .map((component) => {
      const own = typeof component.content === "string" ? `\n${component.content}` : "";
      const inner = Array.isArray(component.components)
        ? displayedText(component.components as JsonObject[])
        : "";
      return own + inner;
    })
    .join("");
}

function mentionRule(
  allowed: JsonObject | undefined,
  onlyUsers: boolean,
): (kind: "users" | "roles" | "everyone", id: string) => boolean {
  // Without the field all is parsed; replies to interactions and webhooks parse users alone.
  if (!allowed) return (kind) => !onlyUsers || kind === "users";
  const parse = Array.isArray(allowed.parse) ? allowed.parse : [];
  return (kind, id) => {
    if (parse.includes(kind)) return true;
    const ids = kind === "everyone" ? [] : allowed[kind];
    return Array.isArray(ids) && ids.includes(id);
  };
}
