import { type Message, MessageType, PermissionFlagsBits } from "discord.js";
import type { QuotedMessage } from "#domain/message";
import { within } from "#domain/promises";
import type { Log } from "#ports/log";
import { isForbidden, refusalOf } from "./failures.ts";
import { forwardedIn, toQuotedMessage } from "./inbound.ts";

/** How far back is read when the bot is called. */
const mostQuoted = 50;
/** The person is waiting: what takes longer is left out. */
const patienceMs = 2_000;

const mayNotRead =
  "I may not read what was said here before: that needs the right Read Message History.";

/** What people said before, as far as it could be read. */
export interface SaidBefore {
  readonly messages: readonly QuotedMessage[];
  /** In words, when not everything could be read. */
  readonly note: string | undefined;
}

/** What the bot was shown with a message: what it forwards, and what it replies to. Never throws. */
export async function shownWith(message: Message, log: Log): Promise<SaidBefore> {
  const forwarded = forwardedIn(message);
  if (message.type !== MessageType.Reply) return { messages: forwarded, note: undefined };
  const original = await within(patienceMs, message.fetchReference()).catch((error: unknown) => {
    log.debug(
      { platform: "discord", problem: String(refusalOf(error)) },
      "reply's origin not read",
    );
    return undefined;
  });
  if (original?.author.id === message.client.user.id) {
    return { messages: forwarded, note: undefined };
  }
  const isReadable = original !== undefined && hasContent(original);
  return {
    messages: [
      ...(isReadable ? [toQuotedMessage(original), ...forwardedIn(original)] : []),
      ...forwarded,
    ],
    note: isReadable ? undefined : "I cannot read the message that this one replies to.",
  };
}

/** What was said in a channel or thread before a message, oldest first. Never throws. */
export async function saidBefore(message: Message, log: Log): Promise<SaidBefore> {
  const { channel, client } = message;
  // Without the right Discord gives an empty list instead of a refusal.
  if (!mayReadBack(message)) return { messages: [], note: mayNotRead };
  try {
    const read = await within(
      patienceMs,
      channel.messages.fetch({ before: message.id, limit: mostQuoted, cache: false }),
    );
    const others = [...read.values()]
      .reverse()
      .map((one) => starterOf(one) ?? one)
      .filter(({ author, system }) => author.id !== client.user.id && !system);
    const told = others.filter(hasContent);
    const hidden = others.length - told.length;
    return {
      messages: told.flatMap((one) => [toQuotedMessage(one), ...forwardedIn(one)]),
      note:
        hidden > 0
          ? `I can read ${told.length} of the ${others.length} messages before this one: the others did not mention me.`
          : undefined,
    };
  } catch (error) {
    const code = refusalOf(error);
    log.warn({ platform: "discord", problem: code ?? "no answer" }, "channel not read back");
    return {
      messages: [],
      note: isForbidden(code) ? mayNotRead : "I could not read what was said here before.",
    };
  }
}

function mayReadBack({ channel, client }: Message<boolean>): boolean {
  if (channel.isDMBased()) return true;
  const mine = channel.permissionsFor(client.user);
  return mine === null || mine.has(PermissionFlagsBits.ReadMessageHistory);
}

/** The message a thread was opened on stands in its parent; the thread begins with a sign of it. */
function starterOf(message: Message): Message | undefined {
  if (message.type !== MessageType.ThreadStarterMessage) return undefined;
  const { channel, reference } = message;
  if (!channel.isThread() || !reference?.messageId) return undefined;
  const parent = channel.parent;
  if (!parent || !("messages" in parent)) return undefined;
  return parent.messages.cache.get(reference.messageId);
}

/** Without the message content intent messages come empty; that is not the same as saying nothing. */
function hasContent(message: Message): boolean {
  return (
    message.content !== "" ||
    message.attachments.size > 0 ||
    message.embeds.length > 0 ||
    message.stickers.size > 0 ||
    message.messageSnapshots.size > 0 ||
    message.poll !== null
  );
}
