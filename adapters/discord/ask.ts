import {
  type APIModalInteractionResponseCallbackData,
  ComponentType,
  type Message,
  type ModalSubmitFields,
  TextInputStyle,
} from "discord.js";
import type { Attachment, QuotedMessage } from "#domain/message";
import { shortened } from "#domain/shortened";
import type { Ledger } from "#ports/ledger";
import { customIdOf } from "./control-ids.ts";
import { attachmentsOf, forwardedIn, toQuotedMessage } from "./inbound.ts";
import { escaped } from "./markdown.ts";

const questionId = "question";
const mostQuestion = 4_000;
/** The question stands above the answer; the whole of it is told to the assistant. */
const mostShown = 1_500;
const usualQuestion = "What do you say to this?";

/** A message somebody wants to ask about, kept while they write: a modal carries only an id. */
export interface Kept {
  readonly id: string;
  readonly quoted: readonly QuotedMessage[];
  readonly attachments: readonly Attachment[];
  readonly link: string;
}

/** What can be asked about a message. */
export function keptOf(id: string, message: Message): Kept {
  return {
    id,
    quoted: [toQuotedMessage(message), ...forwardedIn(message)],
    attachments: attachmentsOf(message),
    link: message.url,
  };
}

export function askModal(id: string): APIModalInteractionResponseCallbackData {
  return {
    custom_id: customIdOf({ type: "ask", id }) ?? id,
    title: "Ask the assistant",
    components: [
      {
        type: ComponentType.Label,
        label: "What do you want to know about it?",
        component: {
          type: ComponentType.TextInput,
          custom_id: questionId,
          style: TextInputStyle.Paragraph,
          required: false,
          max_length: mostQuestion,
          placeholder: usualQuestion,
        },
      },
    ],
  };
}

/** The question in a submitted {@link askModal}. */
export function questionIn(fields: ModalSubmitFields): string {
  return fields.getTextInputValue(questionId).trim() || usualQuestion;
}

/** The question as everybody sees it, above its answer. */
export function questionShown(name: string, question: string, link: string | undefined): string {
  const about = link === undefined ? "" : ` about [a message](<${link}>)`;
  const lines = shortened(question, mostShown).split("\n");
  return `**${escaped(name)}** asks${about}:\n${lines.map((line) => `> ${line}`).join("\n")}`;
}

/** What people are about to ask: one thing each, so that what is never sent is replaced. */
export class Asking {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  async keep(userId: string, kept: Kept): Promise<void> {
    const value = JSON.parse(JSON.stringify(kept));
    await this.#ledger.apply({ registers: [{ name: nameOf(userId), value }] });
  }

  /** What somebody is asking about, once; undefined when it was asked, or something else came since. */
  async take(userId: string, id: string): Promise<Kept | undefined> {
    const register = await this.#ledger.read(nameOf(userId));
    const kept = register?.value as unknown as Kept | undefined;
    if (!register || kept?.id !== id) return undefined;
    const change = { name: nameOf(userId), value: null, ifVersion: register.version };
    return (await this.#ledger.apply({ registers: [change] })) ? kept : undefined;
  }
}

function nameOf(userId: string): string {
  return `discord/ask/${userId}`;
}
