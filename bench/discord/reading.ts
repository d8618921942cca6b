import type { DiscordMessage, DiscordServer } from "../../test/wire/discord/discord-server.ts";
import { tokensOf } from "../script.ts";

/** How much of an answer could be read from a moment on, in words. */
export interface Readable {
  /** Of the clock of the Discord server. */
  readonly atMs: number;
  readonly words: number;
}

/** The bot's messages in answer to a question: in the thread on it, or under it in the channel. */
export function answersTo(
  discord: DiscordServer,
  question: DiscordMessage,
): readonly DiscordMessage[] {
  const thread = discord.threadOn(question);
  if (thread) return thread.messages.filter(isAnswer(discord));
  const all = discord.world.channel(question.channelId).messages.filter(isAnswer(discord));
  const firsts = all.filter(({ reference }) => reference?.messageId === question.id);
  // What follows the first message of an answer refers to nothing: its nonce begins the same.
  const runs = new Set(firsts.flatMap(({ nonce }) => runIn(nonce)));
  return all.filter((one) => firsts.includes(one) || runIn(one.nonce).some((run) => runs.has(run)));
}

/** Every moment at which more, or less, of an answer could be read. */
export function readableOf(discord: DiscordServer, question: DiscordMessage): readonly Readable[] {
  const changes = answersTo(discord, question)
    .flatMap((message) =>
      message.versions.map(({ atMs, content }) => ({
        id: message.id,
        atMs,
        words: wordsIn(content),
      })),
    )
    .toSorted((a, b) => a.atMs - b.atMs);
  const shown = new Map<string, number>();
  return changes.map(({ id, atMs, words }) => {
    shown.set(id, words);
    return { atMs, words: [...shown.values()].reduce((sum, count) => sum + count, 0) };
  });
}

/** How many words of an answer of so many characters are complete with each of its tokens. */
export function wordsByToken(characters: number): readonly number[] {
  const tokens = tokensOf(characters);
  const text = tokens.join("");
  const ends = [...text.matchAll(word)].map((match) => match.index + match[0].length);
  let at = 0;
  let words = 0;
  return tokens.map((token) => {
    at += token.length;
    while (words < ends.length && (ends[words] ?? Number.POSITIVE_INFINITY) <= at) words += 1;
    return words;
  });
}

const word = /[\p{L}\p{N}]+/gu;

/** Words of the answer itself: quiet lines under it are not. */
function wordsIn(content: string): number {
  return content.replace(/^-# .*$/gm, "").match(word)?.length ?? 0;
}

function isAnswer(discord: DiscordServer): (message: DiscordMessage) => boolean {
  return ({ authorId, content, attachments }) =>
    authorId === discord.botId && (content !== "" || attachments.length > 0);
}

/** Bobbin's nonces are `<run>.<message>.<revision>`. */
function runIn(nonce: DiscordMessage["nonce"]): readonly string[] {
  const [run, ...rest] = String(nonce ?? "").split(".");
  return run && rest.length > 0 ? [run] : [];
}
