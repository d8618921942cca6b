import type { Json } from "#domain/json";

/** The persisted record of what was said in a conversation. */
export interface Thread {
  readonly id: string;
  readonly object: "thread";
  readonly created_at: number;
  readonly conversation_key: string;
  readonly title: string | null;
  readonly metadata: { readonly [key: string]: string };
}

/**
 * One entry of a transcript: what was said, called and returned, in order.
 * The transcript is the source of truth; what a model API remembers is only an accelerator.
 */
export type TranscriptEntry =
  | UserEntry
  | AssistantEntry
  | ToolCallEntry
  | ToolOutputEntry
  | SummaryEntry
  | BackendEntry;

export interface UserEntry {
  readonly type: "user";
  readonly id: string;
  readonly personKey: string;
  readonly author: string;
  readonly text: string;
  readonly fileIds: readonly string[];
  /** What people said before, to be quoted as untrusted context. */
  readonly quoted?: string;
  readonly createdAt: number;
}

export interface AssistantEntry {
  readonly type: "assistant";
  readonly id: string;
  readonly text: string;
  readonly fileIds: readonly string[];
  /** True when the person stopped it, or it was cut short by a limit. */
  readonly partial: boolean;
  readonly createdAt: number;
}

export interface ToolCallEntry {
  readonly type: "tool-call";
  readonly id: string;
  readonly callId: string;
  readonly name: string;
  readonly arguments: string;
}

export interface ToolOutputEntry {
  readonly type: "tool-output";
  readonly id: string;
  readonly callId: string;
  readonly output: string;
  readonly fileIds: readonly string[];
  /** Whose words it holds: they go with them. Absent where nobody was asked. */
  readonly personKeys?: readonly string[];
}

/** Stands for the entries before it. */
export interface SummaryEntry {
  readonly type: "summary";
  readonly id: string;
  readonly text: string;
}

/** Something only one backend understands (a reasoning item, a hosted call): replayed to it alone. */
export interface BackendEntry {
  readonly type: "backend";
  readonly id: string;
  readonly backend: string;
  readonly item: Json;
}

/** What one run added to a thread. Written once; the thread's list names the pages that count. */
export interface TranscriptPage {
  readonly v: 1;
  readonly threadId: string;
  readonly runId: string;
  readonly entries: readonly TranscriptEntry[];
}
