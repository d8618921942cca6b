import type { Assistant } from "#domain/assistant";
import type { CommandAnswer, IncomingCommand } from "#domain/command";
import type { Person, Place } from "#domain/conversation";
import type { StoredFile } from "#domain/file";
import type { ChannelSettings, Role } from "#domain/settings";
import type { ToolSpec } from "#domain/tool";
import type { IndexState } from "#ports/file-index";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { ModelBackend } from "#ports/model-backend";
import type { RunQueue } from "#ports/run-queue";
import type { ThreadControl } from "#ports/thread-control";
import type { ToolServerState } from "#ports/tool-servers";
import type { AssistantShelf } from "../runs/assistant-shelf.ts";
import { type Catalogue, defaultAssistantId } from "../runs/catalogue.ts";
import { code, nearestOf } from "./command-text.ts";
import { mayAct } from "./roles.ts";
import { ago, choice, count, done, listed, refused, typed } from "./words.ts";

/** What the command desk works with. */
export interface CommandDeskOptions {
  readonly catalogue: Catalogue;
  readonly threads: ThreadControl;
  readonly ledger: Ledger;
  readonly queue: Pick<RunQueue, "inspect">;
  readonly backend: Pick<ModelBackend, "name" | "models">;
  /** The functions there are now, for saying what they do. */
  readonly toolSpecs: () => readonly Pick<ToolSpec, "name" | "description">[];
  /** Servers that bring tools of their own, and which of them cannot be used. */
  readonly toolServers?: () => readonly ToolServerState[];
  /** Keys of the people who may do everything. */
  readonly admins: readonly string[];
  /** Caps set by configuration, in US dollars; undefined: none. */
  readonly caps?: {
    readonly personDailyUsd?: number | undefined;
    readonly channelMonthlyUsd?: number | undefined;
  };
  /** What is known of a file, for naming those an assistant has; ids are shown when left out. */
  readonly describeFile?: (id: string) => Promise<StoredFile | undefined>;
  /** What the bot's own search knows of files, by id; absent where the model's service searches. */
  readonly searchStates?: (ids: readonly string[]) => Promise<ReadonlyMap<string, IndexState>>;
  /** Assistants as files; nothing can be made from a template when left out. */
  readonly shelf?: AssistantShelf;
  readonly now: () => number;
  readonly log: Log;
}

/** Who asked, where, and what they are there. */
export interface Asker {
  readonly place: Place;
  readonly person: Person;
  readonly settings: ChannelSettings;
  /** Here: everybody is the manager of their own direct messages. */
  readonly role: Role;
  /** For what reaches beyond this channel: a direct message makes nobody a manager. */
  readonly sharedRole: Role;
}

/** A command and who gave it. */
export interface CommandRequest extends Asker {
  readonly incoming: IncomingCommand;
}

/** What the handlers of commands share. */
export interface Desk {
  readonly options: CommandDeskOptions;
  /** The server's models; empty when it does not say or cannot be reached. Kept for a few minutes. */
  models(): Promise<readonly string[]>;
  /** A name for a person's key, as good as is known. */
  nameOf(personKey: string): string;
}

/** What somebody is in a place, by the platform, the configuration and the channel's settings. */
export function rolesOf(
  by: { readonly place: Place; readonly person: Person; readonly role: Role },
  settings: ChannelSettings,
  admins: readonly string[],
): { readonly role: Role; readonly sharedRole: Role } {
  if (by.role === "admin" || admins.includes(by.person.key)) {
    return { role: "admin", sharedRole: "admin" };
  }
  const isManager = by.role === "manager" || settings.managers.includes(by.person.key);
  const sharedRole = isManager && !by.place.isDirect ? "manager" : "person";
  return { role: isManager || by.place.isDirect ? "manager" : "person", sharedRole };
}

/** Why somebody may not do something, and who may. */
export function mayNotWords(desk: Desk, asker: Asker, needs: Role, what: string): string {
  const { admins } = desk.options;
  const named = (keys: readonly string[]) =>
    keys.length === 0 ? "" : ` (${listed(keys.slice(0, 5).map((key) => desk.nameOf(key)))})`;
  const adminWords = `an admin${named(admins)}`;
  if (needs === "admin") return `Only ${adminWords} may ${what}.`;
  const managers = asker.settings.managers;
  const managerWords =
    managers.length === 0
      ? `a manager of ${asker.place.isDirect ? "a channel" : "this channel"}`
      : `a manager of this channel${named(managers)}`;
  return `Only ${managerWords} or ${adminWords} may ${what}.`;
}

/** An assistant by name, or an answer that names the nearest. */
export async function findAssistant(
  desk: Desk,
  name: string,
  commandWith: (name: string) => string,
): Promise<{ readonly assistant: Assistant } | { readonly answer: CommandAnswer }> {
  const { catalogue } = desk.options;
  const assistant = await catalogue.find(
    name.toLowerCase() === "default" ? defaultAssistantId : name,
  );
  if (assistant) return { assistant };
  const names = (await catalogue.list()).map((known) => known.name);
  const nearest = nearestOf(name, names);
  const words = nearest
    ? `Did you mean ${typed(commandWith(nearest))}?`
    : `There ${names.length === 1 ? "is" : "are"} ${listed(names.slice(0, 10))}.`;
  return {
    answer: refused(
      `I know no assistant ${code(name)}. ${words}`,
      nearest ? [choice(`/assistant ${commandWith(nearest)}`, commandWith(nearest))] : [],
    ),
  };
}

/**
 * May somebody change an assistant? Admins may; managers may when no channel but the ones they manage
 * uses it, since a change reaches everybody who talks to it. Undefined: yes; otherwise the words.
 */
export async function whyNotEdit(
  desk: Desk,
  asker: Asker,
  assistant: Assistant,
): Promise<string | undefined> {
  if (asker.role === "admin") return undefined;
  const what = `change ${assistant.name}`;
  if (assistant.id === defaultAssistantId) {
    return `${mayNotWords(desk, asker, "admin", what)} It is the default and answers everywhere.`;
  }
  if (!mayAct(asker.role, "manager")) return mayNotWords(desk, asker, "manager", what);
  const { catalogue } = desk.options;
  const isOwn = assistant.metadata.created_by === asker.person.key;
  if (asker.sharedRole === "person" && !isOwn) return mayNotWords(desk, asker, "manager", what);
  for (const channelKey of await catalogue.channelsUsing(assistant.id, 50)) {
    if (channelKey === asker.place.channelKey) continue;
    const { managers } = await catalogue.channel(channelKey);
    if (managers.includes(asker.person.key)) continue;
    return `${mayNotWords(desk, asker, "admin", what)} It also answers in channels you do not manage.`;
  }
  return undefined;
}

/**
 * The conversation a command is about. Where the place does not tell (a Slack slash command), it is
 * the asker's only open one; of several the asker chooses.
 */
export async function conversationFor(
  desk: Desk,
  request: CommandRequest,
  about: {
    readonly conversation: string | null;
    /** The command without its conversation, for the buttons: `stop all`. */
    readonly command: string;
    /** Only conversations in which something is going on, when there are any. */
    readonly prefersBusy?: boolean;
  },
): Promise<
  | { readonly conversationKey: string; readonly title: string | undefined }
  | { readonly answer: CommandAnswer }
> {
  const { threads } = desk.options;
  const { place, person, incoming, settings } = request;
  const isClear = incoming.knowsThread || place.isDirect || settings.scope !== "thread";
  const here = isClear ? await threads.conversationOf(place, person) : undefined;
  if (here && (about.conversation === null || about.conversation === here)) {
    return { conversationKey: here, title: undefined };
  }
  const open = await threads.openConversations(place.channelKey, person);
  if (about.conversation !== null) {
    const named = open.find((one) => one.conversationKey === about.conversation);
    if (named) return { conversationKey: named.conversationKey, title: named.title };
    return { answer: refused("That is none of your open conversations in this channel.") };
  }
  const busy = open.filter((one) => one.isBusy);
  const candidates = about.prefersBusy && busy.length > 0 ? busy : open;
  const [only, another] = candidates;
  if (!only) {
    return {
      answer: refused(
        "You have no open conversation in this channel. Mention me to begin one; in a thread, mention me with the command.",
      ),
    };
  }
  if (!another) return { conversationKey: only.conversationKey, title: only.title };
  const lines = candidates
    .slice(0, 10)
    .map((one) => `- ${one.title} (${ago(one.updatedAtMs, desk.options.now())})`);
  return {
    answer: done(
      `You have ${count(candidates.length, "open conversation")} here. Which one?\n${lines.join("\n")}`,
      candidates
        .slice(0, 10)
        .map((one) => choice(one.title, `${about.command} in ${one.conversationKey}`)),
    ),
  };
}
