import type { Place } from "#domain/conversation";
import type { Json } from "#domain/json";
import type { Thread } from "#domain/thread";
import type { Ledger } from "#ports/ledger";
import type { BackendState } from "#ports/model-backend";
import type { RecordStore } from "#ports/record-store";
import { toJson } from "./checkpoint.ts";
import { names } from "./names.ts";

/** The small, changing part of a conversation; everything that grows hangs on its thread. */
export interface ConversationHead {
  readonly v: 1;
  readonly threadId: string;
  /** Where to draw a reply that no new message asks for. */
  readonly place: Place;
  readonly title: string;
  readonly updatedAtMs: number;
  readonly lastRunId: string | null;
  /** Moved by completed runs only. */
  readonly state: BackendState | null;
  /** Stands for all pages up to and including the position `upTo`. */
  readonly summary: { readonly upTo: number; readonly text: string } | null;
}

export async function readHead(
  ledger: Ledger,
  conversationKey: string,
): Promise<ConversationHead | undefined> {
  const register = await ledger.read(names.head(conversationKey));
  return toHead(register?.value);
}

/** The head of a conversation whose words changed: title, summary and service may still hold the old ones. */
export function withoutMemory(head: ConversationHead): ConversationHead {
  return { ...head, title: "Untitled", state: null, summary: null };
}

/**
 * Notes what the service keeps though nothing goes on from it any more, so that it can be deleted
 * there with the conversation.
 */
export function leave(
  conversationKey: string,
  states: readonly (BackendState | null | undefined)[],
): { readonly list: string; readonly value: Json }[] {
  return states.flatMap((state) =>
    state ? [{ list: names.left(conversationKey), value: toJson(state) }] : [],
  );
}

/** Takes the titles, made of somebody's words, from threads. */
export async function untitle(threadIds: Iterable<string>, records: RecordStore): Promise<void> {
  for (const threadId of threadIds) {
    const key = names.record.thread(threadId);
    const thread = (await records.read(key)) as unknown as Thread | undefined;
    if (thread) await records.write(key, toJson({ ...thread, title: null }));
  }
}

function toHead(value: Json | undefined): ConversationHead | undefined {
  if (value === undefined || value === null) return undefined;
  return value as unknown as ConversationHead;
}
