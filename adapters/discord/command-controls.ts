import {
  type AutocompleteInteraction,
  type ChatInputCommandInteraction,
  type MessageContextMenuCommandInteraction,
  MessageFlags,
  type ModalSubmitInteraction,
  type RepliableInteraction,
  type StringSelectMenuInteraction,
} from "discord.js";
import type { CommandSpec } from "#domain/command";
import { within } from "#domain/promises";
import type { Bot } from "#ports/bot";
import type { Log } from "#ports/log";
import { type Asking, askModal, keptOf, questionIn } from "./ask.ts";
import { commandText, partialText } from "./command-input.ts";
import { askOptions, askWord } from "./commands.ts";
import { attachmentOf } from "./files.ts";
import { askInPlace, type Question } from "./questions.ts";
import { type Answering, problemOf } from "./responses.ts";
import { isSettingsCommand, panelComponents, settingIn, settingModal } from "./settings.ts";
import type { Threads } from "./threads.ts";
import { eventIdOf, knowsThread, type Visits } from "./visits.ts";

/** Completions have to be there within three seconds, the way to Discord included. */
const completeWithinMs = 2_000;
const mostChoices = 25;
const mostChoice = 100;

/** What commands are turned with. */
export interface CommandParts {
  readonly opensThreads: boolean;
  readonly asking: Asking;
  readonly threads: Threads;
  readonly visits: Visits;
  readonly bot: () => Bot;
  readonly log: Log;
}

/** Commands, what completes them, and the forms they open: questions and settings. */
export class CommandControls {
  readonly #parts: CommandParts;

  constructor(parts: CommandParts) {
    this.#parts = parts;
  }

  /** Offers what fits what is typed; nothing where that fails. Never throws. */
  async complete(interaction: AutocompleteInteraction): Promise<void> {
    const { bot, log, visits } = this.#parts;
    try {
      const spec = this.#spec(interaction.options.getSubcommand());
      const [{ options = [] } = {}] = interaction.options.data;
      if (!spec) return await interaction.respond([]);
      const { place, person } = visits.presence(interaction);
      const text = partialText(spec, options);
      const found = await within(
        completeWithinMs,
        bot().complete({ place, person, text }),
        () => [],
      );
      const choices = found.filter(({ label }) => label.length <= mostChoice).slice(0, mostChoices);
      await interaction.respond(choices.map(({ label }) => ({ name: label, value: label })));
    } catch (error) {
      log.debug({ platform: "discord", problem: problemOf(error) }, "nothing completed");
    }
  }

  /** A slash command, as it was typed. */
  async typed(interaction: ChatInputCommandInteraction, answering: Answering): Promise<void> {
    const word = interaction.options.getSubcommand();
    if (word === askWord) return this.#asked(interaction, answering);
    await answering.defer();
    if (await this.#parts.visits.isRefused(interaction, answering)) return;
    const spec = this.#spec(word);
    if (!spec)
      return answering.say({ text: "I no longer know this command. Please type it again." });
    const [{ options = [] } = {}] = interaction.options.data;
    await this.carryOut(interaction, commandText(spec, options), answering);
  }

  /** What stands after `/assistant`, from whatever says it. */
  async carryOut(
    interaction: RepliableInteraction,
    text: string,
    answering: Answering,
  ): Promise<void> {
    if (isSettingsCommand(text) && answering.isAlive) return this.#showPanel(interaction);
    const { place, person, role } = this.#parts.visits.presence(interaction);
    const answer = await this.#parts.bot().command({
      eventId: eventIdOf(interaction),
      place,
      person,
      role,
      text,
      knowsThread: knowsThread(interaction),
    });
    await answering.say(answer);
  }

  /** "Ask the assistant" in the menu of a message: it asks what is to be known about it. */
  async askAbout(
    interaction: MessageContextMenuCommandInteraction,
    answering: Answering,
  ): Promise<void> {
    if (await this.#parts.visits.isRefused(interaction, answering)) return;
    // The id is kept before the modal opens, so that what is sent finds it; both are quick.
    await this.#parts.asking.keep(
      interaction.user.id,
      keptOf(interaction.id, interaction.targetMessage),
    );
    await interaction.showModal(askModal(interaction.id));
  }

  /** The question somebody wrote about a message. */
  async askedAbout(
    interaction: ModalSubmitInteraction,
    id: string,
    answering: Answering,
  ): Promise<void> {
    const kept = await this.#parts.asking.take(interaction.user.id, id);
    if (!kept) {
      const text = "This was asked already, or the form is too old. Please use the menu again.";
      return answering.say({ text });
    }
    await this.#ask(interaction, answering, { text: questionIn(interaction.fields), ...kept });
  }

  /** A setting of the panel was chosen: it is changed in a modal. */
  async chooseSetting(
    interaction: StringSelectMenuInteraction,
    answering: Answering,
  ): Promise<void> {
    const { bot, visits } = this.#parts;
    const panel = await bot().settings(visits.presence(interaction));
    const modal = settingModal(panel, interaction.values[0] ?? "");
    if (modal) await interaction.showModal(modal);
    else await answering.say({ text: "You cannot change this here." });
  }

  /** A setting's modal was sent: its command is given, and the panel shows what is set now. */
  async changeSetting(
    interaction: ModalSubmitInteraction,
    command: string,
    answering: Answering,
  ): Promise<void> {
    await answering.acknowledge();
    if (await this.#parts.visits.isRefused(interaction, answering)) return;
    const { bot, visits } = this.#parts;
    const presence = visits.presence(interaction);
    const panel = await bot().settings(presence);
    const { place, person, role } = presence;
    const answer = await bot().command({
      eventId: eventIdOf(interaction),
      place,
      person,
      role,
      text: `${command} ${settingIn(interaction.fields, panel, command)}`,
      knowsThread: knowsThread(interaction),
    });
    if (answer.ok && answering.isAlive) await this.#showPanel(interaction);
    await answering.say(answer);
  }

  async #showPanel(interaction: RepliableInteraction): Promise<void> {
    const { bot, visits } = this.#parts;
    const panel = await bot().settings(visits.presence(interaction));
    await interaction.editReply({
      components: [...panelComponents(panel)],
      flags: MessageFlags.IsComponentsV2,
      allowedMentions: { parse: [] },
    });
  }

  async #asked(interaction: ChatInputCommandInteraction, answering: Answering): Promise<void> {
    const file = interaction.options.getAttachment(askOptions.file);
    const attachments = file
      ? [
          attachmentOf(
            {
              id: file.id,
              filename: file.name,
              size: file.size,
              url: file.url,
              ...(file.contentType === null ? {} : { content_type: file.contentType }),
            },
            { channel: interaction.channelId, message: null },
          ),
        ]
      : [];
    const text = interaction.options.getString(askOptions.question, true);
    await this.#ask(interaction, answering, { text, attachments, quoted: [], link: undefined });
  }

  async #ask(
    interaction: ChatInputCommandInteraction | ModalSubmitInteraction,
    answering: Answering,
    question: Question,
  ): Promise<void> {
    const { opensThreads, threads, visits, bot } = this.#parts;
    if (await visits.isRefused(interaction, answering)) return;
    const { role } = visits.presence(interaction);
    const parts = { answering, role, opensThreads, threads, bot: bot() };
    await askInPlace(interaction, question, parts);
  }

  #spec(word: string): CommandSpec | undefined {
    return this.#parts
      .bot()
      .commands()
      .find(({ name }) => name === word);
  }
}
