import {
  type BaseInteraction,
  MessageFlags,
  RESTJSONErrorCodes,
  type RepliableInteraction,
} from "discord.js";
import type { CommandAnswer } from "#domain/command";
import { type AnswerMessage, messagesOf } from "./answers.ts";
import { failureOf, refusalOf } from "./failures.ts";
import type { Ear, Notes } from "./notes.ts";

/**
 * What Discord answers when an interaction's time is over: three seconds for the first answer,
 * fifteen minutes for all of them (docs.discord.com/developers/interactions/receiving-and-responding).
 */
const deadCodes: readonly number[] = [
  RESTJSONErrorCodes.UnknownInteraction,
  RESTJSONErrorCodes.UnknownWebhook,
  RESTJSONErrorCodes.InvalidWebhookToken,
  RESTJSONErrorCodes.UnknownMessage,
];

/** True when an interaction can no longer be answered: what is to be said is said elsewhere. */
export function isDead(error: unknown): boolean {
  const code = refusalOf(error);
  return code !== undefined && deadCodes.includes(code);
}

/** What went wrong, for the log. */
export function problemOf(error: unknown): string {
  const failure = failureOf(error);
  return failure?.type === "refused" ? String(failure.code) : (failure?.type ?? String(error));
}

/** Whom an interaction's words are for when it cannot be answered any more. */
export function earOf(interaction: BaseInteraction): Ear {
  return {
    guild: interaction.guildId,
    channel: interaction.channelId ?? "",
    message: undefined,
    user: interaction.user.id,
  };
}

/** Answers one interaction, for the eyes of its person only. */
export class Answering {
  readonly #interaction: RepliableInteraction;
  readonly #notes: Notes;
  /** True: a message says that an answer will come. */
  #isWaitedFor = false;
  #isDead = false;

  constructor(interaction: RepliableInteraction, notes: Notes) {
    this.#interaction = interaction;
    this.#notes = notes;
  }

  /** Tells Discord at once that an answer will come; it is given with {@link say}. */
  async defer(): Promise<void> {
    await this.#first(() => this.#interaction.deferReply({ flags: MessageFlags.Ephemeral }));
    this.#isWaitedFor = true;
  }

  /** Tells Discord at once that there is nothing to wait for: what changes is seen by itself. */
  async acknowledge(): Promise<void> {
    const interaction = this.#interaction;
    const isOfMessage =
      interaction.isMessageComponent() ||
      (interaction.isModalSubmit() && interaction.isFromMessage());
    if (!isOfMessage) return this.defer();
    await this.#first(() => interaction.deferUpdate());
  }

  /** False: whatever is to be said has to be said elsewhere. */
  get isAlive(): boolean {
    return !this.#isDead;
  }

  /** Says something; where the interaction has died in the channel or directly instead. */
  async say(answer: Pick<CommandAnswer, "text" | "choices" | "file">): Promise<void> {
    const interaction = this.#interaction;
    await this.#alive(async () => {
      for (const message of messagesOf(answer)) {
        const body = bodyOf(message);
        const flags = MessageFlags.Ephemeral | MessageFlags.SuppressEmbeds;
        if (this.#isWaitedFor) await interaction.editReply(body);
        else if (interaction.deferred || interaction.replied) {
          await interaction.followUp({ ...body, flags });
        } else await interaction.reply({ ...body, flags });
        this.#isWaitedFor = false;
      }
    });
    if (this.#isDead) await this.sayElsewhere(answer);
  }

  /** Says something although the interaction is dead. */
  async sayElsewhere(answer: Pick<CommandAnswer, "text" | "choices" | "file">): Promise<void> {
    await this.#notes.whisper(earOf(this.#interaction), answer);
  }

  async #first(answer: () => Promise<unknown>): Promise<void> {
    await this.#alive(async () => {
      try {
        await answer();
      } catch (error) {
        // It was answered already, by a call whose own answer got lost.
        if (refusalOf(error) !== RESTJSONErrorCodes.InteractionHasAlreadyBeenAcknowledged)
          throw error;
        this.#interaction.deferred = true;
      }
    });
  }

  /** Does something with the interaction, unless it is dead. */
  async #alive(work: () => Promise<void>): Promise<void> {
    if (this.#isDead) return;
    try {
      await work();
    } catch (error) {
      if (!isDead(error) && failureOf(error)?.type !== "unclear") throw error;
      this.#isDead = true;
    }
  }
}

function bodyOf({ content, components, files }: AnswerMessage) {
  return {
    content,
    components: [...components],
    files: files.map(({ name, data }) => ({ attachment: data as Buffer, name })),
    allowedMentions: { parse: [] },
  };
}
