import type {
  ButtonInteraction,
  Interaction,
  ModalSubmitInteraction,
  StringSelectMenuInteraction,
} from "discord.js";
import { explain } from "#domain/errors";
import type { Bot, Decision, PressAnswer, ReplyPress } from "#ports/bot";
import type { Log } from "#ports/log";
import { chosenAnswers } from "./buttons.ts";
import type { CommandControls } from "./command-controls.ts";
import { type Control, controlOf } from "./control-ids.ts";
import { answersIn, feedbackModal, formModal, reasonIn } from "./modals.ts";
import type { Notes } from "./notes.ts";
import { Answering, isDead, problemOf } from "./responses.ts";
import { eventIdOf, type Visits } from "./visits.ts";

const settled = "This question is settled already.";

/** What interactions are turned with. */
export interface ControlParts {
  readonly commands: CommandControls;
  readonly visits: Visits;
  readonly notes: Notes;
  readonly bot: () => Bot;
  readonly log: Log;
}

/** Everything that is no message, each handed to who knows it; and the presses on replies. */
export class Controls {
  readonly #parts: ControlParts;

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  /** Never throws: what goes wrong is said to who asked. */
  async handle(interaction: Interaction): Promise<void> {
    const { commands, notes } = this.#parts;
    if (interaction.isAutocomplete()) return commands.complete(interaction);
    const answering = new Answering(interaction, notes);
    try {
      if (interaction.isChatInputCommand()) await commands.typed(interaction, answering);
      else if (interaction.isMessageContextMenuCommand()) {
        await commands.askAbout(interaction, answering);
      } else if (interaction.isButton()) await this.#button(interaction, answering);
      else if (interaction.isStringSelectMenu()) await this.#select(interaction, answering);
      else if (interaction.isModalSubmit()) await this.#submitted(interaction, answering);
    } catch (error) {
      await this.#failed(interaction, answering, error);
    }
  }

  async #button(interaction: ButtonInteraction, answering: Answering): Promise<void> {
    const control = controlOf(interaction.customId);
    if (!control) return answering.say({ text: "I no longer know this button." });
    if (await this.#parts.visits.isRefused(interaction, answering)) return;
    switch (control.type) {
      case "bad":
        await interaction.showModal(feedbackModal(control.id));
        return;
      case "form": {
        const form = await this.#parts.bot().askedForm(control.id);
        if (form) await interaction.showModal(formModal(form));
        else await answering.say({ text: settled });
        return;
      }
      case "command":
        await answering.defer();
        return this.#parts.commands.carryOut(interaction, control.id, answering);
      case "press":
      case "good":
      case "approve":
      case "decline":
      case "finish":
        await answering.acknowledge();
        return this.#pressed(interaction, control, answering);
      case "setting":
      case "ask":
        return answering.say({ text: "I no longer know this button." });
    }
  }

  async #pressed(
    interaction: ButtonInteraction,
    control: Extract<
      Control,
      { readonly type: "press" | "good" | "approve" | "decline" | "finish" }
    >,
    answering: Answering,
  ): Promise<void> {
    switch (control.type) {
      case "press": {
        const answer = await this.#press(interaction, control.id, { type: control.action });
        // What was asked for is seen by itself; the note that offered it has done its work.
        if (!answer.ok) return answering.say({ text: answer.words });
        if (isNote(interaction)) await interaction.deleteReply();
        return;
      }
      case "good": {
        const answer = await this.#press(interaction, control.id, { type: "feedback", good: true });
        return answering.say({ text: answer.words });
      }
      case "approve":
      case "decline":
      case "finish": {
        const answer = await this.#decide(interaction, control.id, { type: control.type });
        if (!answer.ok) await answering.say({ text: answer.words });
      }
    }
  }

  async #select(interaction: StringSelectMenuInteraction, answering: Answering): Promise<void> {
    const control = controlOf(interaction.customId);
    if (await this.#parts.visits.isRefused(interaction, answering)) return;
    if (control?.type === "form") {
      await answering.acknowledge();
      const form = await this.#parts.bot().askedForm(control.id);
      const answers = form && chosenAnswers(form, interaction.values);
      if (!answers) return answering.say({ text: settled });
      return this.#answered(interaction, { id: control.id, answers }, answering);
    }
    if (control?.type !== "setting") {
      return answering.say({ text: "I no longer know this choice." });
    }
    await this.#parts.commands.chooseSetting(interaction, answering);
  }

  async #submitted(interaction: ModalSubmitInteraction, answering: Answering): Promise<void> {
    const control = controlOf(interaction.customId);
    switch (control?.type) {
      case "bad": {
        await answering.acknowledge();
        const reason = reasonIn(interaction.fields);
        const answer = await this.#press(interaction, control.id, {
          type: "feedback",
          good: false,
          ...(reason ? { reason } : {}),
        });
        return answering.say({ text: answer.words });
      }
      case "form": {
        await answering.acknowledge();
        const form = await this.#parts.bot().askedForm(control.id);
        if (!form) return answering.say({ text: settled });
        const { answers, missing } = answersIn(interaction.fields, form);
        if (missing.length > 0) {
          return answering.say({ text: `Please answer all of it: ${missing.join(", ")}.` });
        }
        return this.#answered(interaction, { id: control.id, answers }, answering);
      }
      case "setting":
        return this.#parts.commands.changeSetting(interaction, control.id, answering);
      case "ask":
        return this.#parts.commands.askedAbout(interaction, control.id, answering);
      default:
        return answering.say({ text: "I no longer know this form." });
    }
  }

  async #answered(
    interaction: ModalSubmitInteraction | StringSelectMenuInteraction,
    {
      id,
      answers,
    }: { readonly id: string; readonly answers: { readonly [field: string]: string } },
    answering: Answering,
  ): Promise<void> {
    const answer = await this.#decide(interaction, id, { type: "answer", answers });
    if (!answer.ok) await answering.say({ text: answer.words });
  }

  #press(
    interaction: Interaction,
    runId: string,
    press: ReplyPress["press"],
  ): Promise<PressAnswer> {
    const { person: by, role } = this.#parts.visits.presence(interaction);
    return this.#parts.bot().press({ eventId: eventIdOf(interaction), runId, by, role, press });
  }

  #decide(
    interaction: Interaction,
    requestId: string,
    decision: Decision["decision"],
  ): Promise<PressAnswer> {
    const { person: by, role } = this.#parts.visits.presence(interaction);
    return this.#parts.bot().decide({ requestId, by, role, decision });
  }

  async #failed(interaction: Interaction, answering: Answering, error: unknown): Promise<void> {
    const { log } = this.#parts;
    const event = eventIdOf(interaction);
    if (isDead(error)) {
      log.info({ platform: "discord", event }, "interaction was too late");
      await answering.sayElsewhere({ text: "That took me too long. Please try again." });
      return;
    }
    log.warn({ platform: "discord", event, error }, "interaction failed");
    await answering.say({ text: explain(error, event) }).catch((again: unknown) => {
      log.warn({ platform: "discord", event, problem: problemOf(again) }, "words not shown");
    });
  }
}

/** A line that offers something, apart from the answers: it is all there is in its message. */
function isNote({ message }: ButtonInteraction): boolean {
  return message.content.startsWith("-# ") && !message.content.includes("\n");
}
