import { GatewayDispatchEvents, GatewayIntentBits } from "discord-api-types/v10";
import type { Gateway } from "./gateway.ts";
import type { DiscordChannel, DiscordGuild, DiscordMember, DiscordMessage } from "./model.ts";
import {
  channelPayload,
  emojiPayload,
  guildCreatePayload,
  memberPayload,
  messageEventPayload,
  type PrivilegedIntents,
} from "./payloads.ts";
import type { World } from "./world.ts";

/** Tells the bot what happened, as far as it may see the place. */
export class EventFeed {
  readonly #world: World;
  readonly #gateway: Gateway;
  readonly #portal: () => PrivilegedIntents;

  constructor(world: World, gateway: Gateway, portal: () => PrivilegedIntents) {
    this.#world = world;
    this.#gateway = gateway;
    this.#portal = portal;
  }

  posted(message: DiscordMessage): void {
    this.#message(GatewayDispatchEvents.MessageCreate, message);
  }

  changed(message: DiscordMessage): void {
    this.#message(GatewayDispatchEvents.MessageUpdate, message);
  }

  deleted(message: DiscordMessage): void {
    if (message.ephemeralFor) return;
    this.#inChannel(message.channelId, {
      name: GatewayDispatchEvents.MessageDelete,
      data: { id: message.id, channel_id: message.channelId },
      intents: [GatewayIntentBits.GuildMessages, GatewayIntentBits.DirectMessages],
    });
  }

  reacted(
    message: DiscordMessage,
    reaction: { readonly userId: string; readonly emoji: string; readonly isRemoved: boolean },
  ): void {
    const guild = this.#world.guildOf(this.#world.channel(message.channelId));
    const member = guild?.members.get(reaction.userId);
    const { isRemoved } = reaction;
    this.#inChannel(message.channelId, {
      name: isRemoved
        ? GatewayDispatchEvents.MessageReactionRemove
        : GatewayDispatchEvents.MessageReactionAdd,
      data: {
        user_id: reaction.userId,
        channel_id: message.channelId,
        message_id: message.id,
        emoji: emojiPayload(reaction.emoji),
        burst: false,
        type: 0,
        ...(isRemoved ? {} : { message_author_id: message.authorId, burst_colors: [] }),
        ...(member && !isRemoved ? { member: memberPayload(this.#world, member) } : {}),
      },
      intents: [GatewayIntentBits.GuildMessageReactions, GatewayIntentBits.DirectMessageReactions],
    });
  }

  typing(channelId: string, userId: string): void {
    this.#inChannel(channelId, {
      name: GatewayDispatchEvents.TypingStart,
      data: {
        channel_id: channelId,
        user_id: userId,
        timestamp: Math.floor(this.#world.clock.now() / 1000),
      },
      intents: [GatewayIntentBits.GuildMessageTyping, GatewayIntentBits.DirectMessageTyping],
    });
  }

  channel(
    name:
      | "CHANNEL_CREATE"
      | "CHANNEL_UPDATE"
      | "CHANNEL_DELETE"
      | "THREAD_CREATE"
      | "THREAD_UPDATE"
      | "THREAD_DELETE",
    channel: DiscordChannel,
  ): void {
    const intents = [GatewayIntentBits.Guilds, GatewayIntentBits.DirectMessages] as const;
    const isNew = name === "THREAD_CREATE";
    this.#inChannel(channel.id, {
      name,
      data: { ...channelPayload(this.#world, channel), ...(isNew ? { newly_created: true } : {}) },
      intents,
    });
  }

  joined(guild: DiscordGuild): void {
    this.#ofGuild(GatewayDispatchEvents.GuildCreate, guild, guildCreatePayload(this.#world, guild));
  }

  /** The bot was removed from a guild, or the guild has an outage. */
  left(guild: DiscordGuild, options: { readonly isOutage: boolean }): void {
    const data = { id: guild.id, ...(options.isOutage ? { unavailable: true } : {}) };
    this.#ofGuild(GatewayDispatchEvents.GuildDelete, guild, data);
  }

  memberChanged(guild: DiscordGuild, member: DiscordMember): void {
    // The bot's own changes come without the privileged intent.
    const isBot = member.userId === this.#world.bot.id;
    this.#gateway.dispatch({
      name: GatewayDispatchEvents.GuildMemberUpdate,
      data: { ...memberPayload(this.#world, member), guild_id: guild.id },
      guildId: guild.id,
      intent: isBot ? GatewayIntentBits.Guilds : GatewayIntentBits.GuildMembers,
    });
  }

  interaction(guildId: string | undefined, data: unknown): void {
    const name = GatewayDispatchEvents.InteractionCreate;
    this.#gateway.dispatch({ name, data, guildId, intent: undefined });
  }

  guildEvent(name: string, guild: DiscordGuild, data: unknown): void {
    this.#ofGuild(name, guild, data);
  }

  #message(name: string, message: DiscordMessage): void {
    if (message.ephemeralFor) return;
    this.#inChannel(message.channelId, {
      name,
      data: {
        ...messageEventPayload(this.#world, message, this.#portal()),
        channel_type: this.#world.channel(message.channelId).type,
      },
      intents: [GatewayIntentBits.GuildMessages, GatewayIntentBits.DirectMessages],
    });
  }

  #ofGuild(name: string, guild: DiscordGuild, data: unknown): void {
    this.#gateway.dispatch({
      name,
      data,
      guildId: guild.id,
      intent: GatewayIntentBits.Guilds,
    });
  }

  /** `intents`: the one for a guild's channels, the one for direct conversations. */
  #inChannel(
    channelId: string,
    event: {
      readonly name: string;
      readonly data: object;
      readonly intents: readonly [GatewayIntentBits, GatewayIntentBits];
    },
  ): void {
    const channel = this.#world.channel(channelId);
    const guild = this.#world.guildOf(channel);
    if (guild && !guild.isAvailable) return;
    if (!this.#world.sees(channel, this.#world.bot.id)) return;
    const { guildId } = channel;
    this.#gateway.dispatch({
      name: event.name,
      data: { ...event.data, ...(guildId === undefined ? {} : { guild_id: guildId }) },
      guildId,
      intent: event.intents[guildId === undefined ? 1 : 0],
    });
  }
}
