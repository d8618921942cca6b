import type { Message, PartialMessage } from "discord.js";
import type { IncomingMessage, QuotedMessage } from "#domain/message";
import {
  callsBot,
  type DiscordTarget,
  placeOf,
  speaksToOthers,
  takesThreads,
  textOf,
  threadNameOf,
  toIncomingMessage,
} from "./inbound.ts";
import { homeOf, roleOf } from "./presence.ts";
import type { Threads } from "./threads.ts";

/** How the bot takes part in threads. */
export type ThreadMode =
  /** It opens one on a mention and answers every message there. */
  | "follow"
  /** It opens one, and answers there only who mentions it. */
  | "mention"
  /** It opens none: mentions are answered in the channel. */
  | "off";

/** Tells which conversation a message belongs to, and whether it is the bot's business. */
export class Belonging {
  readonly #botId: string;
  readonly #ownerIds: readonly string[];
  readonly #threadMode: ThreadMode;
  readonly #threads: Threads;

  constructor(parts: {
    readonly botId: string;
    readonly ownerIds: readonly string[];
    readonly threadMode: ThreadMode;
    readonly threads: Threads;
  }) {
    this.#botId = parts.botId;
    this.#ownerIds = parts.ownerIds;
    this.#threadMode = parts.threadMode;
    this.#threads = parts.threads;
  }

  /** Whether a message that does not call the bot is for it: it stands in a thread of its own. */
  async isFollowed(message: Message): Promise<boolean> {
    const { channel } = message;
    if (this.#threadMode !== "follow" || !channel.isThread()) return false;
    if (channel.ownerId !== this.#botId && !(await this.#threads.isJoined(channel.id)))
      return false;
    return !speaksToOthers(message, this.#botId);
  }

  /** True where the bot has not taken part so far: what was said before is news to it. */
  async isStranger(message: Message): Promise<boolean> {
    const { channel } = message;
    if (!channel.isThread()) return (await this.#rootOf(message)) === message.id;
    if (isPost(message)) return false;
    return channel.ownerId !== this.#botId && !(await this.#threads.isJoined(channel.id));
  }

  /** Whether a message may be one that was handed to the bot; of a deleted one little is known. */
  async concernsUs(message: Message | PartialMessage): Promise<boolean> {
    if (!message.partial && callsBot(message, this.#botId)) return true;
    const { channel } = message;
    if (channel.isThread()) {
      return channel.ownerId === this.#botId || (await this.#threads.isJoined(channel.id));
    }
    return (await this.#threads.rootOf(message.id)) !== undefined;
  }

  /** A message as the bot takes it, in its place. */
  async toMessage(
    message: Message,
    context: { readonly quoted: readonly QuotedMessage[]; readonly note: string },
  ): Promise<IncomingMessage> {
    const text = textOf(message, this.#botId);
    const home = homeOf(message.channel);
    const root = await this.#rootOf(message);
    return toIncomingMessage(message, {
      place: placeOf({
        target: this.#targetOf(message, { root, text }),
        home: home.id,
        homeName: home.name,
        root,
      }),
      role: roleOf(message.author.id, message.member?.permissions ?? null, this.#ownerIds),
      text,
      quoted: context.quoted,
      quotedNote: context.note === "" ? undefined : context.note,
    });
  }

  /** Where the answer goes: into a thread on the message, unless it stands in one or may have none. */
  #targetOf(
    message: Message,
    { root, text }: { readonly root: string; readonly text: string },
  ): DiscordTarget {
    const { channel, guildId, id, author } = message;
    const opensThread = this.#threadMode !== "off" && root === id && takesThreads(channel.type);
    return {
      guild: guildId,
      channel: channel.id,
      message: id,
      thread: opensThread ? threadNameOf(text) : null,
      user: author.id,
    };
  }

  /** The conversation a message belongs to: its thread, the one it replies into, or one of its own. */
  async #rootOf(message: Message): Promise<string> {
    const { channel, id, reference } = message;
    if (channel.isThread()) return channel.id;
    if (channel.isDMBased() || !reference?.messageId) return id;
    const original = channel.messages.cache.get(reference.messageId);
    if (original?.author.id !== this.#botId) return id;
    const asked = original.reference?.messageId;
    return (asked && (await this.#threads.rootOf(asked))) ?? id;
  }
}

/** True for the message a forum post begins with: it has the post's own id. */
export function isPost({ id, channelId }: Message): boolean {
  return id === channelId;
}
