import type { Assistant, AssistantRef, AssistantTool } from "#domain/assistant";
import type { Person } from "#domain/conversation";
import type { ChannelSettings, PersonSettings } from "#domain/settings";
import type { AuditEntry, AuditNote } from "./audit-log.ts";

/**
 * Assistants and settings: who answers where, and how.
 *
 * Where it is kept. An assistant's versions are records, `assistant/<id>/<version>`, written once;
 * the register `assistant/<id>` names the version that counts; `assistant-name/<name>` makes names
 * unique; the ranking `assistant-channels/<id>` knows the channels that chose it. Settings are small
 * and live in registers: `settings/<channelKey>` and `person/<personKey>`. Who changed what is in the
 * list `audit`, written in the same atomic step as the change.
 *
 * Every change also raises the register `catalogue`. While its version stands still all that was
 * read before is still true, so that a run costs one small read, in any number of processes.
 *
 * Changes are read-modify-write with compare-and-set: one field, on the newest version. They are tried
 * again when somebody else was faster, and throw a BotError `conflict` when that goes on.
 */
export interface Catalogue {
  /** Makes the default assistant when there is none yet. Call once before anything else. */
  start(): Promise<void>;

  /** Everything a run begins with. One ledger read when nothing changed since the last call. */
  runSettings(request: RunSettingsRequest): Promise<RunSettings>;
  /** A channel's settings; the defaults when nothing was set. */
  channel(channelKey: string): Promise<ChannelSettings>;
  /** What was last read of a channel's settings, for who cannot wait; the defaults when nothing was. */
  lastKnownChannel(channelKey: string): ChannelSettings;
  person(personKey: string): Promise<PersonSettings>;

  /** The current assistants, the default one first, then by name. As stored: see {@link modelOf}, {@link toolsOf}. */
  list(): Promise<readonly Assistant[]>;
  /** One by id, or by name whatever its capitals; undefined when there is none (any more). */
  find(idOrName: string): Promise<Assistant | undefined>;
  /** One exact version, also of an assistant deleted since. */
  version(ref: AssistantRef): Promise<Assistant | undefined>;
  /** The assistant that answers in a channel: the one chosen there, or the default. */
  answering(channelKey: string): Promise<Assistant>;
  /** The channels that chose an assistant; at most `limit`. */
  channelsUsing(id: string, limit: number): Promise<readonly string[]>;

  /** Throws a BotError `name-taken`. The same `eventId` again gives the assistant made before. */
  create(input: NewAssistant, by: Person, eventId: string): Promise<Assistant>;
  /**
   * Makes a new version; none when `change` changes nothing. Throws a BotError `not-found`,
   * `name-taken` or `conflict`.
   */
  edit(
    id: string,
    change: (assistant: Assistant) => AssistantChange,
    by: Person,
  ): Promise<Assistant>;
  /** Deletes one; its channels answer with the default and are told by their next run. */
  remove(id: string, by: Person): Promise<void>;
  changeChannel(
    channelKey: string,
    change: (settings: ChannelSettings) => Partial<ChannelSettings>,
    by: Person,
  ): Promise<ChannelSettings>;
  changePerson(
    personKey: string,
    change: (settings: PersonSettings) => Partial<PersonSettings>,
    by: Person,
  ): Promise<PersonSettings>;
  /** Removes what was set for a person. */
  forgetPerson(personKey: string): Promise<void>;
  /** Removes what was set for all channels whose keys begin so. */
  forgetChannels(keyPrefix: string): Promise<void>;

  /** Notes something in the audit log that is no change of the catalogue. */
  note(entry: AuditNote, by: Person): Promise<void>;
  /** Who changed what, newest first. */
  audit(limit: number): Promise<readonly AuditEntry[]>;

  /** The model an assistant uses, with `default` replaced by the configured one. */
  modelOf(assistant: Pick<Assistant, "model">): string;
  /** The tools an assistant may use, of those there are. */
  toolsOf(assistant: Assistant): readonly AssistantTool[];
  /** All the tools there are. */
  availableTools(): readonly AssistantTool[];
}

export interface RunSettingsRequest {
  readonly channelKey: string;
  /** Who wrote the messages, in order; their context is added. */
  readonly people: readonly Person[];
  /** The version an earlier attempt of the same run began with. */
  readonly pinned?: AssistantRef;
}

/** What a run begins with, and keeps. */
export interface RunSettings {
  /** With the channel's overrides applied: real model name, own instructions, tools that exist, files of the channel, too. */
  readonly assistant: Assistant;
  readonly ref: AssistantRef;
  /** The assistant's instructions, then the channel's context, then that of the people. */
  readonly instructions: string;
  readonly channel: ChannelSettings;
  /** Words for the people: the assistant chosen here was deleted. Given to one run only. */
  readonly notice?: string;
}

/** What somebody may say of a new assistant. */
export interface NewAssistant {
  readonly name: string;
  readonly instructions: string | null;
}

/** What of an assistant can be changed. */
export type AssistantChange = Partial<
  Omit<Assistant, "id" | "object" | "version" | "created_at" | "metadata">
> & {
  /** True: all tools there are, also those that come later. */
  readonly hasAllTools?: boolean;
};

/** The id of the assistant that answers where none was chosen. It cannot be deleted. */
export const defaultAssistantId = "asst_default";

/** Stands for the configured model in {@link Assistant.model}. */
export const defaultModelWord = "default";

/** The name a tool is switched by: `web_search`, or the function's own. */
export function toolName(tool: AssistantTool): string {
  return tool.type === "function" ? tool.function.name : tool.type;
}

/** True when an assistant may use whatever tools there are. */
export function hasAllTools(assistant: Assistant): boolean {
  return assistant.metadata.tools === "all";
}
