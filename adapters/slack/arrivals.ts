import type { CommandAnswer } from "#domain/command";
import type { Person, Place } from "#domain/conversation";
import type { Json } from "#domain/json";
import type { IncomingMessage } from "#domain/message";
import { KeyedMutex } from "#domain/promises";
import type { Role } from "#domain/settings";
import type { Bot, MessageAnswer } from "#ports/bot";
import type { Log } from "#ports/log";
import type { Processes } from "#ports/processes";
import type { SlackApi } from "./api.ts";
import type { Courtesies } from "./courtesies.ts";
import { type DirectMessages, handedOver } from "./direct.ts";
import {
  eventIdOf,
  idsIn,
  kindOf,
  mentionsBot,
  personKeyOf,
  placeOf,
  type SlackMessageEvent,
  toChange,
  toIncomingMessage,
  userTeamOf,
  type Workspace,
} from "./inbound.ts";
import type { Names } from "./names.ts";
import type { Policy } from "./policy.ts";
import { readSaidBefore, type SaidBefore } from "./said-before.ts";
import { isSettingsCommand } from "./settings.ts";
import type { Threads } from "./threads.ts";
import { titleOf } from "./titles.ts";
import type { Whispers } from "./whispers.ts";

/** An app_mention can come without the files that its twin has. */
const twinWithinMs = 300;
const keepTwinsMs = 10_000;
/** Messages whose thread is remembered. */
const mostThreads = 5_000;
const waitingReaction = "hourglass_flowing_sand";

/** What arrivals are turned with. */
export interface ArrivalParts {
  readonly api: SlackApi;
  readonly workspace: Workspace;
  readonly names: Names;
  readonly threads: Threads;
  readonly policy: Policy;
  readonly whispers: Whispers;
  readonly direct: DirectMessages;
  readonly courtesies: Courtesies;
  readonly processes: Pick<Processes, "claim">;
  readonly bot: () => Bot;
  readonly log: Log;
}

/** Where somebody is, and who they are. */
export interface Presence {
  readonly place: Place;
  readonly person: Person;
  readonly role: Role;
}

/** Turns message events into what the bot takes. Every method resolves once it is stored. */
export class Arrivals {
  readonly #parts: ArrivalParts;
  readonly #arrived = new Map<
    string,
    { readonly handedOver: Promise<boolean>; readonly files: number }
  >();
  /** One thing after the other in each channel: looking up a name must not turn the order round. */
  readonly #channels = new KeyedMutex();
  readonly #threadsOf = new Map<string, string>();
  readonly #awaited = new Map<string, () => void>();

  constructor(parts: ArrivalParts) {
    this.#parts = parts;
  }

  /** A `message` event of any subtype. */
  async message(event: SlackMessageEvent): Promise<void> {
    this.#noteThread(event);
    switch (kindOf(event, this.#parts.workspace)) {
      case "none":
        return;
      case "said":
        return this.#once(event);
      case "edited":
        return this.#channels.runExclusive(event.channel, () => this.#edited(event));
      case "deleted":
        return this.#channels.runExclusive(event.channel, () => this.#deleted(event));
    }
  }

  /** An `app_mention` event: the same message once more, sometimes without its files. */
  async mention(event: SlackMessageEvent): Promise<void> {
    if (kindOf(event, this.#parts.workspace) !== "said") return;
    if ((event.files ?? []).length === 0) await this.#twin(event);
    return this.#once({ ...event, type: "app_mention" });
  }

  /** The thread a message stands in, for as long as it is remembered: reading it back is rationed. */
  threadOf(channel: string, ts: string): string | undefined {
    return this.#threadsOf.get(`${channel}:${ts}`);
  }

  #noteThread({ channel, ts, thread_ts, subtype }: SlackMessageEvent): void {
    if (subtype === "message_changed" || subtype === "message_deleted") return;
    this.#threadsOf.set(`${channel}:${ts}`, thread_ts ?? ts);
    const oldest = this.#threadsOf.keys().next();
    if (this.#threadsOf.size > mostThreads && !oldest.done) this.#threadsOf.delete(oldest.value);
  }

  /** A message waits no longer: neither does it say so. */
  async waited(shown: Json): Promise<void> {
    const { channel, ts } = shown as { readonly channel: string; readonly ts: string };
    await this.#react("reactions.remove", channel, ts);
  }

  /** Where and who somebody is, for commands and presses. */
  async presence(at: {
    readonly channel: string;
    readonly user: string;
    /** Undefined: not said, so it is asked for. */
    readonly userTeam: string | undefined;
    /** Undefined: not known, so a made-up thread that nothing hangs on. */
    readonly threadTs: string | undefined;
  }): Promise<Presence> {
    const { names, workspace } = this.#parts;
    const isDirect = at.channel.startsWith("D");
    const [{ name, isAdmin, teamId }, channelName] = await Promise.all([
      names.user(at.user),
      isDirect ? "" : names.channel(at.channel),
    ]);
    const userTeam = at.userTeam ?? teamId ?? workspace.teamId;
    const place = placeOf({
      ...at,
      userTeam,
      workspace,
      channelName,
      isDirect,
      threadTs: at.threadTs ?? "0",
      isShared: false,
    });
    const isOwnTeam = userTeam === workspace.teamId;
    const role = isAdmin && isOwnTeam ? ("admin" as const) : ("person" as const);
    return { place, person: { key: personKeyOf(userTeam, at.user), name }, role };
  }

  /** The same message delivered twice is looked at once, unless the second time brings its files. */
  async #once(event: SlackMessageEvent): Promise<void> {
    const key = this.#idOf(event);
    const files = event.files?.length ?? 0;
    const known = this.#arrived.get(key);
    if (known && known.files >= files && (await known.handedOver)) return;
    const handedOver = this.#channels.runExclusive(event.channel, () => this.#said(event));
    const arrival = { handedOver, files };
    this.#arrived.set(key, arrival);
    this.#awaited.get(key)?.();
    const forget = () => {
      if (this.#arrived.get(key) === arrival) this.#arrived.delete(key);
    };
    // What failed, or was not for the bot, is not remembered: it may come again, changed.
    handedOver.then((isOurs) => {
      if (isOurs) setTimeout(forget, keepTwinsMs).unref();
      else forget();
    }, forget);
    await handedOver;
  }

  async #twin(event: SlackMessageEvent): Promise<void> {
    const key = this.#idOf(event);
    if (this.#arrived.has(key)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awaited.set(key, resolve);
    const timer = setTimeout(resolve, twinWithinMs);
    await promise;
    clearTimeout(timer);
    this.#awaited.delete(key);
  }

  /** False: it is not for the bot. */
  async #said(event: SlackMessageEvent): Promise<boolean> {
    const { bot, workspace, policy, threads } = this.#parts;
    const isDirect = isDirectMessage(event);
    const isCalled = isDirect || event.type === "app_mention" || mentionsBot(event.text, workspace);
    const threadKey = eventIdOf(workspace.teamId, event.channel, event.thread_ts ?? event.ts);
    const people = isDirect ? [] : await threads.people(threadKey);
    if (!isCalled && !this.#isFollowed(event, people)) return false;
    const user = event.user ?? "";
    const refusal = await policy.refusalOf({
      user,
      userTeam: userTeamOf(event, workspace.teamId),
      channel: event.channel,
      isDirect,
    });
    if (refusal !== undefined) {
      const isTold = isCalled && (await this.#isFirstHere(event));
      if (isTold) this.#whisper(event, { ok: false, text: refusal });
      return true;
    }
    const isStranger =
      isCalled && !isDirect && event.thread_ts !== undefined && people === undefined;
    const quoted = isStranger ? await readSaidBefore(event, this.#parts) : undefined;
    // Before the message: after a crash in between, the repeated event finds the thread joined.
    const all = isDirect
      ? [user]
      : await threads.join(threadKey, [user, ...(quoted?.people ?? [])]);
    const isNew = isDirect ? event.thread_ts === undefined : people === undefined;
    const read = await this.#toMessage(event, { isShared: all.length > 1, quoted });
    const message = isNew ? titled(read) : read;
    if (message.text === "" && message.attachments.length === 0 && !message.quoted) {
      if (await this.#isFirstHere(event)) this.#help(message, event);
      return true;
    }
    this.#follow(event, message, await bot().message(message));
    return true;
  }

  /** A mention comes twice, and its twin may have come to another process. */
  #isFirstHere(event: SlackMessageEvent): Promise<boolean> {
    return this.#parts.processes.claim(this.#idOf(event), keepTwinsMs);
  }

  /** Whether a message that does not call the bot is for it: it takes part there. */
  #isFollowed(event: SlackMessageEvent, people: readonly string[] | undefined): boolean {
    if (people === undefined || event.thread_ts === undefined) return false;
    if (this.#parts.policy.needsMention) return false;
    // Somebody else is spoken to.
    return !/^\s*<@[UW]/.test(event.text ?? "");
  }

  async #edited(event: SlackMessageEvent): Promise<void> {
    const { bot, workspace } = this.#parts;
    const { message, previous_message: before } = event;
    if (!message || !before) return;
    const now = { ...message, channel: event.channel, type: "message", ...channelTypeOf(event) };
    const wasCalled = mentionsBot(before.text, workspace);
    if (!isDirectMessage(event) && !wasCalled) {
      if (mentionsBot(message.text, workspace)) {
        await this.#said(now);
        return;
      }
      if (!(await this.#concernsUs(now))) return;
    }
    const incoming = await this.#toMessage(now, { isShared: false });
    const change = toChange(event, { workspace, by: incoming.author, message: incoming });
    const answer = await bot().amend(change);
    if (answer.state === "answered" && answer.runId !== undefined) {
      this.#parts.whispers.offer(placeAt(now), {
        words: "You changed a message that I have answered.",
        label: "Answer again",
        action: "answer-new-version",
        runId: answer.runId,
      });
    }
  }

  async #deleted(event: SlackMessageEvent): Promise<void> {
    const { bot, workspace } = this.#parts;
    const before = event.previous_message;
    if (!before) return;
    const gone = { ...before, channel: event.channel };
    const isOurs = isDirectMessage(event) || mentionsBot(before.text, workspace);
    if (!isOurs && !(await this.#concernsUs(gone))) return;
    const { person: by } = await this.#presenceOf(gone, false);
    await bot().amend(toChange({ ...event, message: undefined as never }, { workspace, by }));
  }

  async #concernsUs(event: SlackMessageEvent): Promise<boolean> {
    const { threads, workspace } = this.#parts;
    if (event.thread_ts === undefined) return false;
    const key = eventIdOf(workspace.teamId, event.channel, event.thread_ts);
    return (await threads.people(key)) !== undefined;
  }

  async #toMessage(
    event: SlackMessageEvent,
    context: { readonly isShared: boolean; readonly quoted?: SaidBefore | undefined },
  ): Promise<IncomingMessage> {
    const { names, workspace } = this.#parts;
    const [{ place, person, role }, known] = await Promise.all([
      this.#presenceOf(event, context.isShared),
      names.known(idsIn(event.text ?? "")),
    ]);
    const { quoted } = context;
    return toIncomingMessage(event, {
      workspace,
      place,
      author: person,
      role,
      names: known,
      ...(quoted
        ? { quoted: { messages: quoted.messages, ...(quoted.note ? { note: quoted.note } : {}) } }
        : {}),
    });
  }

  async #presenceOf(event: SlackMessageEvent, isShared: boolean): Promise<Presence> {
    const { workspace } = this.#parts;
    const user = event.user ?? "";
    const userTeam = userTeamOf(event, workspace.teamId);
    const threadTs = event.thread_ts ?? event.ts;
    const found = await this.presence({ channel: event.channel, user, userTeam, threadTs });
    if (!isShared) return found;
    const target = { ...(found.place.target as object), isShared };
    return { ...found, place: { ...found.place, target } };
  }

  #follow(event: SlackMessageEvent, message: IncomingMessage, answer: MessageAnswer): void {
    const at = placeAt(event);
    switch (answer.status) {
      case "repeat":
      case "handed-over":
        return;
      case "refused":
        this.#whisper(event, { ok: false, text: answer.words });
        return;
      case "command":
        this.#answerCommand(event, message.text, answer.answer);
        return;
      case "accepted": {
        if (answer.position === 0) return;
        void this.#markWaiting(event, message.eventId, answer.conversationKey);
        const { waitingFor } = answer;
        if (waitingFor) this.#parts.whispers.waitingFor(at, waitingFor);
        else this.#whisper(event, { ok: true, text: queuedWords(answer.position) });
      }
    }
  }

  #answerCommand(event: SlackMessageEvent, text: string, answer: CommandAnswer): void {
    const user = event.user ?? "";
    // A form needs a press; a message brings none.
    const form = isSettingsCommand(text) ? [{ label: "Open the form", command: "settings" }] : [];
    handedOver(this.#parts, { user }, answer)
      .then((words) =>
        this.#whisper(event, { ...words, choices: [...form, ...(words.choices ?? [])] }),
      )
      .catch((error: unknown) =>
        this.#parts.log.warn({ platform: "slack", err: error }, "answer not shown"),
      );
  }

  #help(message: IncomingMessage, event: SlackMessageEvent): void {
    const { bot, log } = this.#parts;
    const { eventId, place, author: person, role = "person" } = message;
    bot()
      .command({ eventId, place, person, role, text: "help", knowsThread: true })
      .then((answer) => this.#whisper(event, answer))
      .catch((error: unknown) => log.warn({ platform: "slack", err: error }, "help not shown"));
  }

  #whisper(event: SlackMessageEvent, answer: Parameters<Whispers["answer"]>[1]): void {
    this.#parts.whispers.answer(placeAt(event), answer);
  }

  async #markWaiting(
    { channel, ts }: SlackMessageEvent,
    eventId: string,
    conversationKey: string,
  ): Promise<void> {
    const { bot, workspace } = this.#parts;
    // Whatever came of it: it may be there already.
    await this.#react("reactions.add", channel, ts);
    const owner = waitingOwner(workspace);
    await bot().markWaiting({ owner, eventId, conversationKey, shown: { channel, ts } });
  }

  #react(
    method: "reactions.add" | "reactions.remove",
    channel: string,
    timestamp: string,
  ): Promise<boolean> {
    return this.#parts.courtesies.try(method, { channel, timestamp, name: waitingReaction });
  }

  #idOf(event: SlackMessageEvent): string {
    return eventIdOf(this.#parts.workspace.teamId, event.channel, event.ts);
  }
}

/** Whose the marks of waiting messages are: each workspace takes away its own. */
export function waitingOwner({ teamId }: Workspace): string {
  return `slack/${teamId}`;
}

/** A conversation is called what its first message says. */
function titled(message: IncomingMessage): IncomingMessage {
  const title = titleOf(message.text);
  if (title === undefined) return message;
  const target = { ...(message.place.target as object), title };
  return { ...message, place: { ...message.place, target } };
}

function isDirectMessage(event: SlackMessageEvent): boolean {
  return event.channel_type === "im" || event.channel.startsWith("D");
}

function channelTypeOf(event: SlackMessageEvent) {
  return event.channel_type === undefined ? {} : { channel_type: event.channel_type };
}

function placeAt(event: SlackMessageEvent) {
  const threadTs = event.thread_ts ?? (isDirectMessage(event) ? event.ts : undefined);
  return { channel: event.channel, user: event.user ?? "", threadTs };
}

function queuedWords(position: number): string {
  return position === 1
    ? "I am answering something else here; this is next."
    : `I am answering something else here; ${position} messages are before this one.`;
}
