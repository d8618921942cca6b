import type { ChatInputCommandInteraction, ModalSubmitInteraction } from "discord.js";
import type { Attachment, QuotedMessage } from "#domain/message";
import type { Role } from "#domain/settings";
import type { Bot } from "#ports/bot";
import { questionShown } from "./ask.ts";
import { type DiscordTarget, takesThreads, threadNameOf } from "./inbound.ts";
import { homeOf, presenceOf } from "./presence.ts";
import type { Answering } from "./responses.ts";
import type { Threads } from "./threads.ts";
import { eventIdOf, nameOf } from "./visits.ts";

/** Something asked by a command instead of a message. */
export interface Question {
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly quoted: readonly QuotedMessage[];
  /** Of the message it is about. */
  readonly link: string | undefined;
}

/**
 * Puts a question where everybody sees it and hands it over: the answer is an ordinary reply to it,
 * in a thread of its own where there can be one, with no fifteen minutes to hurry for.
 */
export async function askInPlace(
  interaction: ChatInputCommandInteraction | ModalSubmitInteraction,
  question: Question,
  parts: {
    readonly answering: Answering;
    readonly role: Role;
    readonly opensThreads: boolean;
    readonly threads: Threads;
    readonly bot: Bot;
  },
): Promise<void> {
  const { answering, role, opensThreads, threads, bot } = parts;
  const { channel, guildId, user } = interaction;
  const name = nameOf(interaction);
  const shown = await interaction.reply({
    content: questionShown(name, question.text, question.link),
    allowedMentions: { parse: [] },
    withResponse: true,
  });
  const message = shown.resource?.message;
  const channelId = interaction.channelId ?? "";
  if (!message) throw new Error("Discord did not say which message the question is");
  const isThread = channel?.isThread() ?? false;
  const hasThread = opensThreads && channel !== null && takesThreads(channel.type);
  const target: DiscordTarget = {
    guild: guildId,
    channel: channelId,
    message: message.id,
    thread: hasThread ? threadNameOf(question.text) : null,
    user: user.id,
  };
  const root = isThread ? channelId : message.id;
  if (guildId !== null && !isThread) await threads.rememberRoot(message.id, root);
  const home = channel ? homeOf(channel) : { id: channelId, name: channelId };
  const { place, person } = presenceOf({ target, home, root, name, role });
  const { text, attachments, quoted } = question;
  const answer = await bot.message({
    eventId: eventIdOf(interaction),
    place,
    author: person,
    role,
    text,
    attachments,
    sentAtMs: interaction.createdTimestamp,
    ...(quoted.length > 0 ? { quoted } : {}),
  });
  switch (answer.status) {
    case "accepted":
    case "repeat":
    case "handed-over":
      return;
    case "refused":
      await interaction.deleteReply();
      return answering.say({ text: answer.words });
    case "command":
      await interaction.deleteReply();
      return answering.say(answer.answer);
  }
}
