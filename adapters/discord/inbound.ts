import {
  ChannelType,
  type Message,
  MessageFlags,
  MessageReferenceType,
  type MessageSnapshot,
  MessageType,
} from "discord.js";
import type { Person, Place } from "#domain/conversation";
import type { Json } from "#domain/json";
import type { Attachment, EditedOrDeleted, IncomingMessage, QuotedMessage } from "#domain/message";
import type { Role } from "#domain/settings";
import { shortened } from "#domain/shortened";
import { attachmentOf } from "./files.ts";
import { readable } from "./mentions.ts";

/** A thread's name may have 100 characters; lists of channels show about half of that. */
const mostThreadName = 60;
/** Who wrote what is forwarded is not told. */
const forwardedAuthor = "(forwarded message)";

/** What a reply needs to find its place again. All ids are Discord's. */
export interface DiscordTarget {
  /** Null in direct messages. */
  readonly guild: string | null;
  /** Where the answered message stands: a channel, a thread, or a direct conversation. */
  readonly channel: string;
  /** The answered message. A thread opened on it has the same id. */
  readonly message: string;
  /** The name of the thread to open on the message; null: it is answered where it stands. */
  readonly thread: string | null;
  /** Who is answered. */
  readonly user: string;
}

/** What a message is to us. */
export type MessageKind =
  /** A person said it. */
  | "said"
  /** A bot, a webhook, the system, or ourselves. */
  | "none";

/** Sorts messages: what people said, and what nobody has to answer. */
export function kindOf({ author, type, webhookId, flags }: Message): MessageKind {
  if (author.bot || webhookId !== null) return "none";
  if (type !== MessageType.Default && type !== MessageType.Reply) return "none";
  return flags.has(MessageFlags.IsCrosspost) ? "none" : "said";
}

/** True when a message calls the bot: by its name, by its own role, or as a reply that pings it. */
export function callsBot({ mentions }: Message, botId: string): boolean {
  if (mentions.users.has(botId)) return true;
  return mentions.roles.some(({ tags }) => tags?.botId === botId);
}

/** True when a message speaks to somebody else, so that a thread's bystander keeps quiet. */
export function speaksToOthers({ content, mentions, reference }: Message, botId: string): boolean {
  const first = /^\s*<@!?(\d+)>/.exec(content)?.[1];
  if (first !== undefined && first !== botId) return true;
  const { repliedUser } = mentions;
  const isReply = reference?.type === MessageReferenceType.Default;
  return isReply && repliedUser !== null && repliedUser.id !== botId;
}

/** Unique per message, also when catching up finds what the gateway has told already. */
export function eventIdOf(messageId: string): string {
  return `discord:${messageId}`;
}

export function personOf(userId: string, name: string): Person {
  return { key: `discord:${userId}`, name };
}

/** Who wrote a message, by the name the server knows them by. */
export function authorOf({ author, member }: Message): Person {
  return personOf(author.id, member?.displayName ?? author.displayName);
}

/** A place in the bot's words. */
export function placeOf(at: {
  readonly target: DiscordTarget;
  /** The channel that settings hang on: the parent of a thread. */
  readonly home: string;
  readonly homeName: string;
  /** The chat thread: an id of a thread or of the message that begins one. */
  readonly root: string;
}): Place {
  const { target, home, homeName, root } = at;
  const { guild, channel } = target;
  const common = { platform: "discord", target: { ...target } satisfies Json };
  if (guild === null) {
    const key = `discord:dm:${channel}`;
    return {
      ...common,
      channelKey: key,
      channelName: "direct message",
      threadKey: key,
      isDirect: true,
    };
  }
  return {
    ...common,
    channelKey: `discord:${guild}:${home}`,
    channelName: homeName,
    threadKey: `discord:${guild}:${root}`,
    isDirect: false,
  };
}

/** The other way round. Throws a TypeError for what is no target of ours. */
export function targetOf(target: Json): DiscordTarget {
  const found = target as unknown as DiscordTarget | null;
  if (typeof found?.channel !== "string" || typeof found.message !== "string") {
    throw new TypeError("not a Discord target");
  }
  return found;
}

/** True where a thread can be opened on a message: text and announcement channels only. */
export function takesThreads(type: ChannelType): boolean {
  return type === ChannelType.GuildText || type === ChannelType.GuildAnnouncement;
}

/** What a thread about a text is called. */
export function threadNameOf(text: string): string {
  const words = text
    .replace(/[*_~`#>|[\]]+/g, "")
    .replace(/\s+/g, " ")
    .trim();
  return shortened(words, mostThreadName) || "A question";
}

/** A message as the bot takes it. */
export function toIncomingMessage(
  message: Message,
  context: {
    readonly place: Place;
    readonly role: Role;
    readonly text: string;
    readonly quoted: readonly QuotedMessage[];
    readonly quotedNote: string | undefined;
  },
): IncomingMessage {
  const { place, role, text, quoted, quotedNote } = context;
  return {
    eventId: eventIdOf(message.id),
    place,
    author: authorOf(message),
    role,
    text,
    attachments: attachmentsOf(message),
    sentAtMs: message.createdTimestamp,
    ...(quoted.length > 0 ? { quoted } : {}),
    ...(quotedNote === undefined ? {} : { quotedNote }),
  };
}

/** What somebody wrote, without the mention that called the bot; ids are names. */
export function textOf(message: Message, botId: string): string {
  const called = new RegExp(
    `^\\s*<@[!&]?(?:${[botId, ...ownRoles(message, botId)].join("|")})>[,:]?\\s*`,
  );
  const rest = message.content.replace(called, "").trim();
  // A command may name somebody, and is about nobody else of that name.
  if (rest.startsWith("/")) return rest;
  const said = readable(rest, message);
  return [said, ...extrasOf(message)].filter((part) => part !== "").join("\n\n");
}

/** A message somebody wrote before the bot was called. */
export function toQuotedMessage(message: Message): QuotedMessage {
  const embeds = message.embeds.flatMap(({ title, description }) =>
    [title, description].filter((part) => part !== null),
  );
  const parts = [readable(message.content, message), ...extrasOf(message), ...embeds];
  return {
    author: authorOf(message).name,
    text: parts.filter((part) => part.trim() !== "").join("\n"),
    sentAtMs: message.createdTimestamp,
    fileNames: message.attachments.map(({ name }) => name),
  };
}

/** What a message forwards, as quotes: Discord does not tell who wrote it. */
export function forwardedIn(message: Message): readonly QuotedMessage[] {
  return message.messageSnapshots.map((snapshot) => ({
    author: forwardedAuthor,
    text: readable(snapshot.content ?? "", message),
    sentAtMs: snapshot.createdTimestamp ?? message.createdTimestamp,
    fileNames: snapshot.attachments?.map(({ name }) => name) ?? [],
  }));
}

/** A change as the bot takes it. */
export function toChange(
  changed: { readonly id: string; readonly at: string },
  by: Person,
  message?: IncomingMessage,
): EditedOrDeleted {
  const eventId = eventIdOf(changed.id);
  return {
    eventId,
    changeId: `${eventId}#${changed.at}`,
    by,
    change: message ? { type: "edited", message } : { type: "deleted" },
  };
}

/** Its files, and those of what it forwards. */
export function attachmentsOf(message: Message): readonly Attachment[] {
  const sources: readonly (Message | MessageSnapshot)[] = [
    message,
    ...message.messageSnapshots.values(),
  ];
  return sources.flatMap(({ attachments }) =>
    [...(attachments?.values() ?? [])].map((file) =>
      attachmentOf(
        {
          id: file.id,
          filename: file.name,
          ...(file.contentType === null ? {} : { content_type: file.contentType }),
          size: file.size,
          url: file.url,
          ...(file.description === null ? {} : { description: file.description }),
        },
        { channel: message.channelId, message: message.id },
      ),
    ),
  );
}

/** What stands in a message besides its text and files. */
function extrasOf({ flags, stickers, poll }: Message): readonly string[] {
  const voice = flags.has(MessageFlags.IsVoiceMessage) ? ["[voice message]"] : [];
  const shown = [...voice, ...stickers.map(({ name }) => `[sticker: ${name}]`)];
  if (!poll) return shown;
  const answers = poll.answers.map(({ text }) => text ?? "").join(", ");
  return [...shown, `[poll: ${poll.question.text ?? ""} (${answers})]`];
}

function ownRoles({ mentions }: Message, botId: string): readonly string[] {
  return mentions.roles.filter(({ tags }) => tags?.botId === botId).map(({ id }) => id);
}
