import type { QueuePolicy, Scope } from "#domain/conversation";

/** What can be set for a channel. Read once when a run begins: changes hold from the next message on. */
export interface ChannelSettings {
  readonly v: 1;
  readonly version: number;
  readonly assistantId: string | null;
  /** Overrides of the assistant, for this channel only. */
  readonly model: string | null;
  readonly instructions: string | null;
  /** Added to the run's instructions. */
  readonly context: string | null;
  readonly scope: Scope;
  readonly policy: QueuePolicy;
  /** Files within reach of all conversations here, beside those of the assistant. */
  readonly fileIds: readonly string[];
  /** People (keys) who may configure this channel besides admins. */
  readonly managers: readonly string[];
  readonly monthlyCapUsd: number | null;
}

/** What can be set for a person. */
export interface PersonSettings {
  readonly v: 1;
  readonly version: number;
  readonly context: string | null;
}

export const defaultChannelSettings: ChannelSettings = {
  v: 1,
  version: 0,
  assistantId: null,
  model: null,
  instructions: null,
  context: null,
  scope: "thread",
  policy: "fifo",
  fileIds: [],
  managers: [],
  monthlyCapUsd: null,
};

export const defaultPersonSettings: PersonSettings = { v: 1, version: 0, context: null };

/** Who somebody is to the bot, from least to most. */
export type Role = "person" | "manager" | "admin";
