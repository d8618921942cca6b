import { setTimeout as wait } from "node:timers/promises";
import type { Message, PartialMessage } from "discord.js";
import { sentence } from "#domain/errors";
import type { IncomingMessage } from "#domain/message";
import { KeyedMutex } from "#domain/promises";
import type { Bot, MessageAnswer } from "#ports/bot";
import type { Log } from "#ports/log";
import { type Belonging, isPost } from "./belonging.ts";
import { saidBefore, shownWith } from "./history.ts";
import { authorOf, callsBot, kindOf, personOf, toChange } from "./inbound.ts";
import type { Marks } from "./marks.ts";
import type { Ear, Notes } from "./notes.ts";
import type { Policy } from "./policy.ts";
import { homeOf } from "./presence.ts";
import type { Threads } from "./threads.ts";
import { sayWaiting } from "./waiting.ts";

/** A message that could not be stored is tried again after these; then its author is told. */
const tryAgainAfterMs = [500, 2_000, 8_000];
/** Somebody who may not use the bot is told so this often at most. */
const refuseEveryMs = 10 * 60_000;
const mostRefused = 5_000;

/** What arrivals are turned with. */
export interface ArrivalParts {
  readonly botId: string;
  readonly belonging: Belonging;
  /** True while messages that do not mention the bot can be read. */
  readonly readsContent: () => boolean;
  readonly threads: Threads;
  readonly policy: Policy;
  readonly marks: Marks;
  readonly notes: Notes;
  readonly bot: () => Bot;
  readonly log: Log;
  readonly now: () => number;
}

/** Turns messages into what the bot takes. No method throws. */
export class Arrivals {
  readonly #parts: ArrivalParts;
  /** One thing after the other in each channel: reading back must not turn the order round. */
  readonly #channels = new KeyedMutex();
  readonly #refused = new Map<string, number>();

  constructor(parts: ArrivalParts) {
    this.#parts = parts;
  }

  /** Somebody said something. Resolves once it is stored, or is nothing for the bot. */
  async said(message: Message): Promise<void> {
    const release = this.#parts.marks.hold(message.id);
    if (await this.inOrder(message.channelId, () => this.#take(message))) release();
  }

  /** Somebody changed what they said. */
  async edited(before: Message | PartialMessage, message: Message): Promise<void> {
    const { editedTimestamp } = message;
    // A thread that is opened and a preview that is found change a message as well.
    if (editedTimestamp === null || kindOf(message) === "none") return;
    if (!before.partial && before.editedTimestamp === editedTimestamp) return;
    await this.#guarded(message, () =>
      this.inOrder(message.channelId, () => this.#edited(message, editedTimestamp)),
    );
  }

  /** A message is gone. */
  async deleted(message: Message | PartialMessage): Promise<void> {
    await this.#guarded(message, () =>
      this.inOrder(message.channelId, () => this.#deleted(message)),
    );
  }

  /** After everything in this channel that has begun before. */
  inOrder<T>(channel: string, work: () => Promise<T>): Promise<T> {
    return this.#channels.runExclusive(channel, work);
  }

  /** A message that was found when catching up; in order already. False: it could not be stored. */
  async found(message: Message): Promise<boolean> {
    const release = this.#parts.marks.hold(message.id);
    const isTaken = await this.#take(message);
    if (isTaken) release();
    return isTaken;
  }

  /** Takes a message until it is stored. False: nobody could, and it has to be found again. */
  async #take(message: Message): Promise<boolean> {
    const { log, marks, notes } = this.#parts;
    if (kindOf(message) === "none" || marks.isSettled(message.id)) return true;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#said(message);
        return true;
      } catch (error) {
        log.error({ platform: "discord", event: message.id, error }, "message not taken");
        const afterMs = tryAgainAfterMs[attempt];
        if (afterMs !== undefined) {
          await wait(afterMs, undefined, { ref: false });
          continue;
        }
        if (callsBot(message, this.#parts.botId) || message.guildId === null) {
          const text = `${sentence("store-unavailable")} I look for your message again when I restart.`;
          await notes.say(earOf(message), { text });
        }
        return false;
      }
    }
  }

  async #said(message: Message): Promise<void> {
    const { botId, log, marks, threads } = this.#parts;
    const isDirect = message.guildId === null;
    const isCalled = isDirect || callsBot(message, botId);
    if (!isCalled && !(await this.#parts.belonging.isFollowed(message))) return;
    const refusal = await this.#refusal(message);
    if (refusal !== undefined) {
      if (isCalled) await this.#refuse(message, refusal);
      return;
    }
    if (isDirect) await marks.wroteDirectly(message.channelId);
    if (!isCalled && !hasContent(message)) return this.#sayHowOnce(message);
    const shown = await shownWith(message, log);
    const before =
      isDirect || !(await this.#parts.belonging.isStranger(message))
        ? nothing
        : await saidBefore(message, log);
    // Before the message: after a crash in between, what is found again finds the post joined.
    if (isCalled && isPost(message)) await threads.join(message.channelId);
    const incoming = await this.#parts.belonging.toMessage(message, {
      quoted: [...before.messages, ...shown.messages],
      note: [before.note, shown.note].filter((one) => one !== undefined).join(" "),
    });
    if (incoming.text !== "") return this.#accept(message, incoming);
    const isAboutSomething = shown.messages.length > 0 || shown.note !== undefined;
    if (isAboutSomething) return this.#accept(message, { ...incoming, text: aboutWords });
    if (incoming.attachments.length > 0) return this.#accept(message, incoming);
    return this.#help(message, incoming);
  }

  async #accept(message: Message, incoming: IncomingMessage): Promise<void> {
    const { threads } = this.#parts;
    const root = incoming.place.threadKey.slice(incoming.place.threadKey.lastIndexOf(":") + 1);
    const isInPlace = message.guildId !== null && !message.channel.isThread();
    if (isInPlace) await threads.rememberRoot(message.id, root);
    await this.#follow(message, incoming, await this.#parts.bot().message(incoming));
  }

  async #edited(message: Message, atMs: number): Promise<void> {
    const { bot, botId, notes } = this.#parts;
    const isCalled = message.guildId === null || callsBot(message, botId);
    if (!isCalled && !(await this.#parts.belonging.concernsUs(message))) return;
    // What cannot be read came empty; it was not made so.
    if (!isCalled && !hasContent(message)) return;
    if (await this.#refusal(message)) return;
    const incoming = await this.#parts.belonging.toMessage(message, { quoted: [], note: "" });
    const change = toChange({ id: message.id, at: String(atMs) }, incoming.author, incoming);
    const answer = await bot().amend(change);
    if (answer.state === "unknown" && isCalled) await this.#take(message);
    if (answer.state === "answered" && answer.runId !== undefined) {
      await notes.offer(await this.#earInThread(message), {
        words: "You changed a message that I have answered.",
        action: "answer-new-version",
        runId: answer.runId,
      });
    }
  }

  async #deleted(message: Message | PartialMessage): Promise<void> {
    const { bot } = this.#parts;
    if (message.guildId !== null && !(await this.#parts.belonging.concernsUs(message))) return;
    const by = message.author ? authorOf(message as Message) : personOf("unknown", "somebody");
    await bot().amend(toChange({ id: message.id, at: "deleted" }, by));
  }

  async #follow(message: Message, incoming: IncomingMessage, answer: MessageAnswer): Promise<void> {
    const { bot, marks, notes } = this.#parts;
    const ear = earOf(message);
    switch (answer.status) {
      case "repeat":
        return;
      case "handed-over":
        await marks.settle(message.id);
        return;
      case "refused":
        await marks.settle(message.id);
        await notes.say(ear, { text: answer.words });
        return;
      case "command":
        await marks.settle(message.id);
        // That it stopped is seen on the answer itself.
        if (answer.answer.ok && isStop(incoming.text)) return;
        await notes.whisper(ear, answer.answer);
        return;
      case "accepted":
        if (answer.position > 0) {
          void sayWaiting({ eventId: incoming.eventId, ear, answer }, { notes, bot: bot() });
        }
    }
  }

  async #help(
    message: Message,
    { eventId, place, author: person, role }: IncomingMessage,
  ): Promise<void> {
    const { bot, marks, notes } = this.#parts;
    const answer = await bot().command({
      eventId,
      place,
      person,
      role: role ?? "person",
      text: "help",
      knowsThread: true,
    });
    await marks.settle(message.id);
    await notes.say(earOf(message), answer);
  }

  /** Messages come without their words there: once in each thread it is said how to be heard. */
  async #sayHowOnce(message: Message): Promise<void> {
    const { notes, readsContent, threads } = this.#parts;
    if (readsContent() || !(await threads.isFirst(`how/${message.channelId}`))) return;
    await notes.line(
      earOf(message),
      "I cannot read messages here that do not mention me. Mention me, or use Reply on one of my messages.",
    );
  }

  #refusal(message: Message): Promise<string | undefined> {
    const { channel, guildId, author, member } = message;
    return this.#parts.policy.refusalOf({
      userId: author.id,
      guildId,
      channelIds: [channel.id, homeOf(channel).id],
      roleIds: member ? [...member.roles.cache.keys()] : undefined,
    });
  }

  async #refuse(message: Message, words: string): Promise<void> {
    const { marks, notes, now } = this.#parts;
    const key = `${message.channelId}/${message.author.id}`;
    if ((this.#refused.get(key) ?? 0) > now()) return;
    if (this.#refused.size >= mostRefused) this.#refused.clear();
    this.#refused.set(key, now() + refuseEveryMs);
    await marks.settle(message.id);
    await notes.say(earOf(message), { text: words });
  }

  /** Words about a message stand in the thread that was opened on it, if there is one. */
  async #earInThread(message: Message): Promise<Ear> {
    const ear = earOf(message);
    return message.hasThread ? { ...ear, channel: message.id, message: undefined } : ear;
  }

  async #guarded(message: { readonly id: string }, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.error({ platform: "discord", event: message.id, error }, "change not taken");
    }
  }
}

/** What a mention without a word asks of what it replies to or forwards. */
const aboutWords = "What do you say to this?";
const nothing = { messages: [], note: undefined } as const;

function isStop(text: string): boolean {
  return /^\/?stop\W*$/i.test(text.trim());
}

function earOf({ guildId, channelId, id, author }: Message): Ear {
  return { guild: guildId, channel: channelId, message: id, user: author.id };
}

function hasContent({ content, attachments, stickers, messageSnapshots }: Message): boolean {
  return content !== "" || attachments.size + stickers.size + messageSnapshots.size > 0;
}
