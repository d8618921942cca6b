import type { Place } from "#domain/conversation";
import { type HandedOver, transcriptOf } from "#domain/hand-over";
import type { IncomingMessage, QuotedMessage } from "#domain/message";
import type { TranscriptEntry } from "#domain/thread";
import type { Ledger } from "#ports/ledger";
import type { Platform } from "#ports/platform";
import { toJson } from "./checkpoint.ts";
import type { RunEnvironment } from "./environment.ts";
import { names } from "./names.ts";
import type { RunWork } from "./run-work.ts";
import { pagesBackwards } from "./thread-pages.ts";

/** Where people are told of a hand-over. */
export interface HandOverChannel {
  readonly platform: string;
  /** By the platform's own id; in Slack with its workspace before it where there are several. */
  readonly channel: string;
}

/** As much of the conversation as somebody reads who takes over. */
const maxTranscriptEntries = 200;
/** As many messages as the model is told of that were written meanwhile. */
const maxMissedMessages = 50;

/**
 * Tells people that somebody needs them, with what was said, and stops answering in this conversation
 * until it is given back. False: nobody can be told, and nothing was changed.
 */
export async function handOver(
  work: RunWork,
  environment: RunEnvironment,
  ask: { readonly callId: string; readonly reason: string; readonly summary: string },
): Promise<boolean> {
  const { ledger, now } = environment;
  const { conversationKey } = work.task;
  if ((await handedOver(ledger, conversationKey))?.callId === ask.callId) return true;
  const told = tellable(work, environment);
  if (!told) return false;
  const { asker, place } = work.task;
  await told.notify({
    channel: told.channel,
    ...(told.isNear ? { about: place.target } : {}),
    text: [
      `**${oneLine(asker.name)}** needs a person, in ${oneLine(place.channelName)} (${place.platform}): ${oneLine(ask.reason)}`,
      ask.summary.trim(),
      `I am silent there until somebody gives it back to me: \`/assistant resume in ${conversationKey}\`, or \`/assistant resume\` in that place.`,
    ].join("\n\n"),
    file: {
      name: "transcript.md",
      mimeType: "text/markdown",
      data: new TextEncoder().encode(transcriptOf(await entriesOf(work, environment))),
    },
  });
  const value: HandedOver = { atMs: now(), callId: ask.callId, reason: ask.reason };
  await ledger.apply({
    registers: [{ name: names.handedOver(conversationKey), value: toJson(value) }],
  });
  return true;
}

/** Who has a conversation; undefined when the bot answers there. */
export async function handedOver(
  ledger: Pick<Ledger, "read">,
  conversationKey: string,
): Promise<HandedOver | undefined> {
  const register = await ledger.read(names.handedOver(conversationKey));
  return register?.value as unknown as HandedOver | undefined;
}

/** Keeps what somebody says while a person has the conversation. */
export async function keepMissed(
  ledger: Ledger,
  conversationKey: string,
  message: IncomingMessage,
) {
  const missed: QuotedMessage & { readonly eventId: string } = {
    eventId: message.eventId,
    author: message.author.name,
    text: message.text,
    sentAtMs: message.sentAtMs,
    fileNames: message.attachments.map(({ name }) => name),
  };
  await ledger.apply({
    appends: [{ list: names.missed(conversationKey), value: toJson(missed) }],
  });
}

/** What was said while a person had the conversation, each message once, oldest first. */
export async function missedMessages(
  ledger: Pick<Ledger, "items">,
  conversationKey: string,
): Promise<readonly QuotedMessage[]> {
  const items = await ledger.items(names.missed(conversationKey), {
    limit: maxMissedMessages,
    newestFirst: true,
  });
  const kept = items
    .map(({ value }) => value as unknown as QuotedMessage & { readonly eventId: string })
    .reverse();
  return [...new Map(kept.map(({ eventId, ...message }) => [eventId, message])).values()];
}

/** What was missed stands before a message like anything else that was said before it. */
export function withMissed(
  message: IncomingMessage,
  missed: readonly QuotedMessage[],
): IncomingMessage {
  if (missed.length === 0) return message;
  return { ...message, quoted: [...(message.quoted ?? []), ...missed] };
}

/** The bot answers again. False: it did all the time. */
export async function resume(ledger: Ledger, conversationKey: string): Promise<boolean> {
  if (!(await handedOver(ledger, conversationKey))) return false;
  await ledger.apply({ registers: [{ name: names.handedOver(conversationKey), value: null }] });
  return true;
}

/** The nearest channel, and how it is told. */
function tellable({ task }: RunWork, { handOverChannels = [], platforms }: RunEnvironment) {
  const { place } = task;
  const byNearness = [...handOverChannels].sort((a, b) => nearness(b, place) - nearness(a, place));
  for (const { platform: name, channel } of byNearness) {
    const platform: Platform | undefined = platforms.get(name);
    if (!platform?.notify) continue;
    const isNear = name === place.platform;
    return { channel, isNear, notify: platform.notify.bind(platform) };
  }
  return undefined;
}

/** The more of what stands before the channel's own id the place shares, the nearer it is. */
function nearness({ platform, channel }: HandOverChannel, place: Place): number {
  if (platform !== place.platform) return 0;
  const around = `${platform}:${channel}`.split(":").slice(0, -1).join(":");
  return place.channelKey.startsWith(`${around}:`) ? around.length : 1;
}

async function entriesOf(
  work: RunWork,
  { ledger, records }: RunEnvironment,
): Promise<readonly TranscriptEntry[]> {
  const { threadId } = work.task;
  let entries: readonly TranscriptEntry[] = [...work.state.asked, ...work.state.entries];
  for await (const { page } of pagesBackwards({ ledger, records, threadId })) {
    entries = [...page.entries, ...entries];
    if (entries.length >= maxTranscriptEntries) break;
  }
  return entries.slice(-maxTranscriptEntries);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
