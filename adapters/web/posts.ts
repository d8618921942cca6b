import { hash } from "node:crypto";
import type { Person } from "#domain/conversation";
import { BotError } from "#domain/errors";
import type { Role } from "#domain/settings";
import type { Bot, MessageAnswer } from "#ports/bot";
import { commandIn, toWords } from "./commands.ts";
import type { Uploads } from "./files.ts";
import type { History } from "./history.ts";
import {
  directChannelOf,
  eventIdOf,
  isForBot,
  mayRead,
  mentionsBot,
  placeOf,
  toIncomingMessage,
} from "./inbound.ts";
import type { Live } from "./live.ts";
import type { ChatChannel, ChatMessage, PostAnswer, PostRequest, Words } from "./wire.ts";

/** The longest message a person may post; longer text belongs in a file. */
const maxTextCharacters = 100_000;
/** How much of a thread the bot is told when it is called into it. */
const maxQuotedMessages = 30;

/** What posting needs. */
export interface PostsParts {
  readonly history: History;
  readonly uploads: Uploads;
  readonly live: Live;
  readonly botName: string;
  readonly maxFilesPerMessage: number;
  readonly now: () => number;
  readonly bot: () => Bot;
}

/** Who does something in the console, as the session and the window say. */
export interface Speaker {
  readonly person: Person;
  readonly role: Role;
}

/** What people post, change and take back: kept in the history first, then handed to the bot. */
export class Posts {
  readonly #parts: PostsParts;

  constructor(parts: PostsParts) {
    this.#parts = parts;
  }

  /**
   * Posts a message. The same nonce posts once, however often it comes, so that a window whose
   * connection broke simply tries again. Resolves once message and delivery are durable.
   */
  async post(speaker: Speaker, request: PostRequest): Promise<PostAnswer> {
    const { history, uploads, live, bot, botName, maxFilesPerMessage, now } = this.#parts;
    const channel = await this.channelFor(speaker.person, request.channel);
    const text = request.text.trim();
    assertPostable(text, request.fileIds, maxFilesPerMessage);
    const place = { channel, root: channel.isDirect ? null : request.root };
    if (place.root !== null) await this.#assertRoot(channel, place.root);

    const command = commandIn(text, { botName, commands: bot().commands() });
    // One that brings files is a message that holds them; it is recognised by the bot.
    if (command !== undefined && request.fileIds.length === 0) {
      const words = await this.command(speaker, { ...place, nonce: request.nonce, text: command });
      return { words };
    }

    const id = messageIdFrom(speaker.person, request.nonce);
    const isBotInThread = place.root !== null && (await history.isBotIn(channel.id, place.root));
    const isAsked =
      command !== undefined ||
      isForBot({ text, botName, isDirect: channel.isDirect, isBotInThread });
    const files = await Promise.all(request.fileIds.map((fileId) => uploads.find(fileId)));
    const { message, stored } = await history.begin({
      id,
      channel: channel.id,
      root: place.root,
      author: { kind: "person", key: speaker.person.key, name: speaker.person.name },
      text,
      sentAtMs: now(),
      files,
      isForBot: isAsked,
    });
    // Handed over together, so that they share one write to disk. Trying again mends what a crash
    // leaves of it: each of them happens once, whatever was there.
    const [answer] = await Promise.all([
      message.isForBot
        ? this.#handOver(channel, message, {
            wasBotInThread: isBotInThread,
            role: speaker.role,
          })
        : undefined,
      isAsked && !channel.isDirect ? history.letBotIn(channel.id, place.root ?? id) : undefined,
      stored.then(() => live.publish({ type: "message", channel: channel.id, message })),
    ]);
    await uploads.sent(request.fileIds);
    if (message.root !== null) await this.#tellThread(message.channel, message.root);
    return answer === undefined ? { message } : this.#answerTo(message, answer);
  }

  /** Changes the text of one's own message. */
  async edit(
    speaker: Speaker,
    change: { readonly id: string; readonly nonce: string; readonly text: string },
  ): Promise<PostAnswer> {
    const { history, live, bot, botName, now } = this.#parts;
    const text = change.text.trim();
    const before = await this.#ownMessage(speaker.person, change.id);
    assertPostable(text, before.files, this.#parts.maxFilesPerMessage);
    const channel = await this.channelFor(speaker.person, before.channel);
    const isCalledNow = !before.isForBot && mentionsBot(text, botName);
    const edited = await history.change(change.id, (message) => ({
      ...message,
      text,
      editedAtMs: now(),
      isForBot: message.isForBot || isCalledNow,
    }));
    if (!edited) throw new BotError("not-found", { detail: "That message is gone." });
    live.publish({ type: "message", channel: channel.id, message: edited });
    if (isCalledNow) {
      if (!channel.isDirect) await history.letBotIn(channel.id, edited.root ?? edited.id);
      const thread = { wasBotInThread: false, role: speaker.role };
      return this.#answerTo(edited, await this.#handOver(channel, edited, thread));
    }
    if (!edited.isForBot) return { message: edited };
    const answer = await bot().amend({
      eventId: eventIdOf(edited),
      changeId: `${eventIdOf(edited)}#${change.nonce}`,
      by: speaker.person,
      change: {
        type: "edited",
        message: {
          ...toIncomingMessage(edited, { channel, botName, before: [] }),
          role: speaker.role,
        },
      },
    });
    const { runId } = answer;
    if (runId === undefined) return { message: edited };
    const offered = await history.change(edited.id, (message) => ({
      ...message,
      editedAfterRun: runId,
    }));
    if (offered) live.publish({ type: "message", channel: channel.id, message: offered });
    return { message: offered ?? edited };
  }

  /** Takes back one's own message. One that holds a thread leaves its place behind, empty. */
  async remove(
    speaker: Speaker,
    change: { readonly id: string; readonly nonce: string },
  ): Promise<void> {
    const { bot } = this.#parts;
    const message = await this.#ownMessage(speaker.person, change.id);
    if (message.isForBot) {
      await bot().amend({
        eventId: eventIdOf(message),
        changeId: `${eventIdOf(message)}#${change.nonce}`,
        by: speaker.person,
        change: { type: "deleted" },
      });
    }
    await this.erase(message);
  }

  /**
   * Deletes a message for good, whoever wrote it, with its files. One that still holds a thread is
   * emptied. Windows are told.
   */
  async erase(message: ChatMessage): Promise<void> {
    const { history, uploads, live } = this.#parts;
    const { channel, id, root } = message;
    const thread = root === null ? await history.summary(channel, id) : undefined;
    if (thread) {
      const emptied = await history.change(id, emptiedOf);
      if (emptied) live.publish({ type: "message", channel, message: emptied });
    } else {
      await history.remove(message);
      if (root === null) await history.closeThread(channel, id);
      live.publish({ type: "remove", channel, id });
      if (root !== null) await this.#tellThread(channel, root);
      const place = root === null ? undefined : await history.message(root);
      const isOver = place?.isDeleted && !(await history.summary(channel, place.id));
      if (place && isOver) await this.erase(place);
    }
    if (message.author.kind === "person")
      await uploads.remove(message.files.map((file) => file.id));
  }

  /** The new version of a message is being answered: it is not offered again. */
  async answeredAgain(person: Person, id: string): Promise<void> {
    const message = await this.#parts.history.change(id, (kept) => {
      if (kept.author.key !== person.key) return undefined;
      const { editedAfterRun: _, ...rest } = kept;
      return rest;
    });
    if (message) {
      this.#parts.live.publish({ type: "message", channel: message.channel, message });
    }
  }

  /** A command typed into the composer or pressed as a button; its answer is for the asker alone. */
  async command(
    speaker: Speaker,
    command: {
      readonly channel: ChatChannel;
      readonly root: string | null;
      readonly nonce: string;
      readonly text: string;
    },
  ): Promise<Words> {
    const answer = await this.#parts.bot().command({
      eventId: `web:command:${messageIdFrom(speaker.person, command.nonce)}`,
      place: placeOf(command.channel, command.root),
      person: speaker.person,
      role: speaker.role,
      text: command.text,
      knowsThread: command.root !== null || command.channel.isDirect,
    });
    return toWords(answer);
  }

  /** A channel this person may use. Throws a BotError `not-found`. */
  async channelFor(person: Person, id: string): Promise<ChatChannel> {
    if (id.startsWith("@") && mayRead(id, person)) {
      return directChannelOf(person, this.#parts.botName);
    }
    const channel = id.startsWith("@") ? undefined : await this.#parts.history.channel(id);
    if (!channel) throw new BotError("not-found", { detail: `There is no channel ${id}.` });
    return channel;
  }

  async #handOver(
    channel: ChatChannel,
    message: ChatMessage,
    thread: { readonly wasBotInThread: boolean; readonly role: Role },
  ): Promise<MessageAnswer> {
    const { bot, botName } = this.#parts;
    const before = thread.wasBotInThread ? [] : await this.#saidBefore(message);
    const incoming = toIncomingMessage(message, { channel, botName, before });
    return bot().message({ ...incoming, role: thread.role });
  }

  async #answerTo(message: ChatMessage, answer: MessageAnswer): Promise<PostAnswer> {
    switch (answer.status) {
      case "accepted":
        return { message, position: answer.position };
      case "repeat":
      case "handed-over":
        return { message };
      case "command":
        return { message, words: toWords(answer.answer) };
      case "refused": {
        const { history, live } = this.#parts;
        const refused = await history.change(message.id, (kept) => ({
          ...kept,
          refused: answer.words,
        }));
        if (refused) {
          live.publish({ type: "message", channel: refused.channel, message: refused });
        }
        return { message: refused ?? message, words: { ok: false, text: answer.words } };
      }
    }
  }

  async #saidBefore(message: ChatMessage): Promise<readonly ChatMessage[]> {
    if (message.root === null || message.channel.startsWith("@")) return [];
    const { history } = this.#parts;
    const [root, page] = await Promise.all([
      history.message(message.root),
      history.page({
        channel: message.channel,
        root: message.root,
        before: message.order,
        limit: maxQuotedMessages,
      }),
    ]);
    return [...(root ? [root] : []), ...page.messages].filter(({ isDeleted }) => !isDeleted);
  }

  async #assertRoot(channel: ChatChannel, root: string): Promise<void> {
    const message = await this.#parts.history.message(root);
    if (message?.channel === channel.id && message.root === null) return;
    throw new BotError("not-found", { detail: "The message this thread hangs on is gone." });
  }

  async #ownMessage(person: Person, id: string): Promise<ChatMessage> {
    const message = await this.#parts.history.message(id);
    if (!message || !mayRead(message.channel, person) || message.isDeleted) {
      throw new BotError("not-found", { detail: "That message is gone." });
    }
    if (message.author.kind !== "person" || message.author.key !== person.key) {
      throw new BotError("not-allowed", { detail: "That message is somebody else's." });
    }
    return message;
  }

  async #tellThread(channel: string, root: string): Promise<void> {
    const summary = await this.#parts.history.summary(channel, root);
    this.#parts.live.publish({
      type: "thread",
      channel,
      root,
      summary: summary ?? { replies: 0, lastAtMs: 0 },
    });
  }
}

/** What is left of a message that is gone but holds a thread. */
function emptiedOf(message: ChatMessage): ChatMessage {
  const { fileStatuses: _statuses, refused: _refused, editedAfterRun: _run, ...rest } = message;
  return { ...rest, text: "", files: [], isDeleted: true };
}

function assertPostable(text: string, files: readonly unknown[], maxFiles: number): void {
  if (text === "" && files.length === 0) {
    throw new BotError("bad-input", { detail: "The message is empty." });
  }
  if (text.length > maxTextCharacters) {
    throw new BotError("bad-input", {
      detail: `The message has ${text.length} characters; the limit is ${maxTextCharacters}. Longer text can be attached as a file.`,
    });
  }
  if (files.length > maxFiles) {
    throw new BotError("bad-input", {
      detail: `There are ${files.length} files; a message takes up to ${maxFiles}.`,
    });
  }
}

/** The same for the same person and nonce, so that trying again is the same message. */
function messageIdFrom(person: Person, nonce: string): string {
  const digest = hash("sha256", `${person.key}\n${nonce}`);
  return `m-${digest.slice(0, 24)}`;
}
