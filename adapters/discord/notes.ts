import {
  MessageFlags,
  type RESTPostAPIChannelMessageResult,
  type RESTPostAPICurrentUserCreateDMChannelResult,
  Routes,
} from "discord.js";
import type { CommandAnswer } from "#domain/command";
import type { ReplyAction } from "#domain/reply-view";
import type { Log } from "#ports/log";
import { type AnswerMessage, messagesOf } from "./answers.ts";
import { declineRows, pressButton, type Row, row } from "./buttons.ts";
import { failureOf, isForbidden, refusalOf } from "./failures.ts";
import { escaped, small } from "./markdown.ts";
import type { PacedApi } from "./paced-api.ts";
import type { Refusals } from "./refusals.ts";

/** Whom to tell something, and about which message. */
export interface Ear {
  /** Null in direct messages. */
  readonly guild: string | null;
  readonly channel: string;
  /** The message it is about; undefined: none that could be answered. */
  readonly message: string | undefined;
  readonly user: string;
}

const noPings = { parse: [], replied_user: false } as const;

/** Short words beside the replies. They are courtesies: none of them fails anything. */
export class Notes {
  readonly #api: PacedApi;
  readonly #refusals: Refusals;
  readonly #log: Log;

  constructor(parts: { readonly api: PacedApi; readonly refusals: Refusals; readonly log: Log }) {
    this.#api = parts.api;
    this.#refusals = parts.refusals;
    this.#log = parts.log;
  }

  /** Says something where the message stands; where that is not allowed, directly. */
  async say(ear: Ear, answer: Pick<CommandAnswer, "text" | "choices" | "file">): Promise<void> {
    await this.#courtesy(async () => {
      for (const message of messagesOf(answer)) await this.#inPlaceOrDirectly(ear, message);
    });
  }

  /** Says something to one person only: outside of interactions that takes a direct message. */
  async whisper(ear: Ear, answer: Pick<CommandAnswer, "text" | "choices" | "file">): Promise<void> {
    if (ear.guild === null) return this.say(ear, answer);
    await this.#courtesy(async () => {
      try {
        for (const message of messagesOf(answer)) await this.#directly(ear.user, message);
      } catch (error) {
        if (failureOf(error)?.type !== "refused") throw error;
        const content = small(
          "The answer is for you alone, and you take no direct messages from me. Use `/assistant` here: only you see what it says.",
        );
        await this.#inPlace(ear, { content, components: [], files: [] });
      }
    });
  }

  /** A quiet line about a waiting message. Resolves to its id, so that it can be taken back. */
  async line(ear: Ear, words: string, rows: readonly Row[] = []): Promise<string | undefined> {
    return this.#courtesy(() =>
      this.#inPlace(ear, { content: small(words), components: rows, files: [] }),
    );
  }

  /** The reply before waits for somebody: nobody has to wait with it. */
  async waitingFor(
    ear: Ear,
    who: { readonly personName: string; readonly requestId: string },
  ): Promise<string | undefined> {
    const words = `I am waiting for ${escaped(who.personName)} to decide something first.`;
    return this.line(ear, words, declineRows(who.requestId));
  }

  /** Offers something to be done with a run. */
  async offer(
    ear: Ear,
    offer: {
      readonly words: string;
      readonly action: Exclude<ReplyAction, "feedback">;
      readonly runId: string;
    },
  ): Promise<void> {
    await this.line(ear, offer.words, [row([pressButton(offer.action, offer.runId)])]);
  }

  async takeBack(channel: string, message: string): Promise<void> {
    await this.#courtesy(() =>
      this.#api.call({
        method: "DELETE",
        route: Routes.channelMessage(channel, message),
        kind: "delete",
        channel,
        priority: "decoration",
      }),
    );
  }

  async #inPlaceOrDirectly(ear: Ear, message: AnswerMessage): Promise<void> {
    try {
      await this.#inPlace(ear, message);
    } catch (error) {
      if (ear.guild === null || !isForbidden(refusalOf(error))) throw error;
      await this.#directly(ear.user, message);
    }
  }

  async #inPlace({ channel, message }: Ear, shown: AnswerMessage): Promise<string> {
    const refused = this.#refusals.find("write", channel);
    if (refused) throw refused;
    const reference =
      message === undefined
        ? {}
        : { message_reference: { message_id: message, fail_if_not_exists: false } };
    try {
      return await this.#post(channel, shown, reference);
    } catch (error) {
      if (isForbidden(refusalOf(error))) this.#refusals.remember("write", channel, error);
      throw error;
    }
  }

  async #directly(user: string, shown: AnswerMessage): Promise<void> {
    const channel = (await this.#api.call({
      method: "POST",
      route: Routes.userChannels(),
      kind: "other",
      body: { recipient_id: user },
      isRepeatable: true,
    })) as RESTPostAPICurrentUserCreateDMChannelResult;
    await this.#post(channel.id, shown, {});
  }

  async #post(channel: string, shown: AnswerMessage, more: object): Promise<string> {
    const { content, components, files } = shown;
    const posted = (await this.#api.call({
      method: "POST",
      route: Routes.channelMessages(channel),
      kind: "create",
      channel,
      body: {
        content,
        components,
        allowed_mentions: noPings,
        flags: MessageFlags.SuppressEmbeds | MessageFlags.SuppressNotifications,
        ...more,
      },
      ...(files.length > 0 ? { files } : {}),
      priority: "decoration",
    })) as RESTPostAPIChannelMessageResult;
    return posted.id;
  }

  async #courtesy<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const problem = refusalOf(error) ?? failureOf(error)?.type ?? String(error);
      this.#log.warn({ platform: "discord", problem }, "words not shown");
      return undefined;
    }
  }
}
