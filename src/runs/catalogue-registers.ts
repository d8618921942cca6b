import type { Assistant, AssistantRef } from "#domain/assistant";
import type { Json } from "#domain/json";
import {
  type ChannelSettings,
  defaultChannelSettings,
  defaultPersonSettings,
  type PersonSettings,
} from "#domain/settings";
import { defaultModelWord } from "./catalogue.ts";

// Names and shapes of what the catalogue keeps.

/** What {@link Register} `assistant/<id>` holds. */
export interface AssistantHead {
  /** The version that counts. */
  readonly version: number;
  /** The last version somebody began to write: its number is never used again. */
  readonly reserved: number;
  readonly name: string;
  readonly deleted: boolean;
}

export const headName = (id: string) => `assistant/${id}`;
export const versionKey = (ref: AssistantRef) => `assistant/${ref.id}/${ref.version}`;
export const nameRegister = (name: string) => `assistant-name/${foldName(name)}`;
export const channelsRanking = (id: string) => `assistant-channels/${id}`;
export const channelRegister = (channelKey: string) => `settings/${channelKey}`;
export const personRegister = (personKey: string) => `person/${personKey}`;

export const blankAssistant = {
  object: "assistant",
  description: null,
  model: defaultModelWord,
  tools: [],
  file_ids: [],
  temperature: null,
  top_p: null,
  reasoning_effort: null,
  truncation_strategy: { type: "auto" },
  max_prompt_tokens: null,
  max_completion_tokens: null,
} as const;

/** Our own records are written by this file alone; what an older version left out gets its default. */
export function toAssistant(record: Json): Assistant {
  return { ...blankAssistant, ...(record as unknown as Assistant) };
}

export function toHead(value: Json): AssistantHead | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return value as unknown as AssistantHead;
}

export function toChannelSettings(
  register: { readonly value: Json; readonly version: number } | undefined,
): ChannelSettings {
  if (!register) return defaultChannelSettings;
  const stored = register.value as unknown as Partial<ChannelSettings>;
  return { ...defaultChannelSettings, ...stored, version: register.version };
}

export function toPersonSettings(
  register: { readonly value: Json; readonly version: number } | undefined,
): PersonSettings {
  if (!register) return defaultPersonSettings;
  const stored = register.value as unknown as Partial<PersonSettings>;
  return { ...defaultPersonSettings, ...stored, version: register.version };
}

export function toJson(value: Assistant | AssistantHead | ChannelSettings | PersonSettings): Json {
  return value as unknown as Json;
}

export function tidyName(name: string): string {
  return name.normalize("NFC").replace(/\s+/g, " ").trim();
}

export function foldName(name: string): string {
  return tidyName(name.normalize("NFKC")).toLowerCase();
}

export function rebinding(
  channelKey: string,
  before: ChannelSettings,
  after: ChannelSettings,
  nowMs: number,
): { ranking: string; member: string; score: number | null }[] {
  const ranks: { ranking: string; member: string; score: number | null }[] = [];
  if (before.assistantId) {
    ranks.push({ ranking: channelsRanking(before.assistantId), member: channelKey, score: null });
  }
  if (after.assistantId) {
    ranks.push({ ranking: channelsRanking(after.assistantId), member: channelKey, score: nowMs });
  }
  return ranks;
}
