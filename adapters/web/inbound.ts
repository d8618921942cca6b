import type { Person, Place } from "#domain/conversation";
import type { Attachment, IncomingMessage, QuotedMessage } from "#domain/message";
import { attachmentOf } from "./files.ts";
import type { ChatChannel, ChatMessage, ChatPerson } from "./wire.ts";

const maxNameCharacters = 60;

/** What a reply needs to find its place again. */
export type WebTarget = { readonly channel: string; readonly root: string | null };

/** Lower-case letters, digits and dashes of any script; empty when a name has none. */
export function slugOf(name: string): string {
  return name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, maxNameCharacters);
}

/** The person who speaks under a name; undefined when the name has no letter or digit. */
export function personOf(name: string): ChatPerson | undefined {
  const shown = name.replace(/\s+/g, " ").trim().slice(0, maxNameCharacters);
  const slug = slugOf(shown);
  return slug === "" ? undefined : { key: `web:${slug}`, name: shown };
}

/** The one place where a person and the bot talk alone. */
export function directChannelOf(person: Person, botName: string): ChatChannel {
  return { id: `@${person.key.slice("web:".length)}`, name: botName, isDirect: true };
}

/** Everybody reads channels; a direct message only the person it belongs to. */
export function mayRead(channel: string, person: Person): boolean {
  return !channel.startsWith("@") || channel === `@${person.key.slice("web:".length)}`;
}

/** Unique per message: what the bot knows it by. */
export function eventIdOf(message: Pick<ChatMessage, "channel" | "id">): string {
  return `web:${message.channel}:${message.id}`;
}

/** The other way round; undefined for what is not the console's. */
export function messageIdOf(eventId: string): string | undefined {
  return /^web:[^:]+:(.+)$/.exec(eventId)?.[1];
}

/** A place in the bot's words. A direct message is one conversation, whatever is answered to what. */
export function placeOf(channel: ChatChannel, root: string | null): Place {
  const channelKey = `web:${channel.id}`;
  const target: WebTarget = { channel: channel.id, root: channel.isDirect ? null : root };
  return {
    platform: "web",
    channelKey,
    channelName: channel.isDirect ? `direct message` : channel.name,
    threadKey: target.root === null ? channelKey : `${channelKey}:${target.root}`,
    isDirect: channel.isDirect,
    target,
  };
}

/** True when the text calls the bot by name: `@Bobbin`, not in a word and not in code. */
export function mentionsBot(text: string, botName: string): boolean {
  return mentionOf(botName).test(text);
}

/** The text without the mention. */
export function stripMention(text: string, botName: string): string {
  const [lead = ""] = new RegExp(
    `^\\s*@${escaped(botName)}(?![\\p{L}\\p{N}_-])[,:]?\\s*`,
    "iu",
  ).exec(text) ?? [""];
  return text.slice(lead.length).replace(mentionOf(botName), "$1").trim();
}

/** Whether a message is for the bot: it is called, or it is the one talked with. */
export function isForBot(said: {
  readonly text: string;
  readonly botName: string;
  readonly isDirect: boolean;
  readonly isBotInThread: boolean;
}): boolean {
  return said.isDirect || said.isBotInThread || mentionsBot(said.text, said.botName);
}

/** A posted message as the bot takes it. A message in a channel itself begins its own thread. */
export function toIncomingMessage(
  message: ChatMessage,
  context: {
    readonly channel: ChatChannel;
    readonly botName: string;
    /** What was said in the thread before the bot was called into it. */
    readonly before: readonly ChatMessage[];
  },
): IncomingMessage {
  const quoted = context.before.map(toQuotedMessage);
  return {
    eventId: eventIdOf(message),
    place: placeOf(context.channel, message.root ?? message.id),
    author: { key: message.author.key, name: message.author.name },
    text: stripMention(message.text, context.botName),
    attachments: attachmentsOf(message),
    sentAtMs: message.sentAtMs,
    ...(quoted.length > 0 ? { quoted } : {}),
  };
}

/** What is attached to a message, as plain data. */
export function attachmentsOf(message: ChatMessage): readonly Attachment[] {
  return message.files.map(attachmentOf);
}

function toQuotedMessage(message: ChatMessage): QuotedMessage {
  return {
    author: message.author.name,
    text: message.text,
    sentAtMs: message.sentAtMs,
    fileNames: message.files.map((file) => file.name),
  };
}

function mentionOf(botName: string): RegExp {
  return new RegExp(`(^|[\\s(,;:>"'*_-])@${escaped(botName)}(?![\\p{L}\\p{N}_-])`, "iu");
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
