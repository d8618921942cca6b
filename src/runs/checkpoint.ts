import type { AssistantRef } from "#domain/assistant";
import type { Json } from "#domain/json";
import type { ReplyView } from "#domain/reply-view";
import type { IncompleteReason } from "#domain/run";
import type { RunEvent } from "#domain/run-event";
import type { TranscriptEntry, UserEntry } from "#domain/thread";
import type { Asked } from "#domain/tool";
import type { Cost, Usage } from "#domain/usage";
import type { BackendState, Cursor } from "#ports/model-backend";

/** A function the model asked for, and how far it has come. */
export interface PendingCall {
  readonly callId: string;
  readonly name: string;
  readonly arguments: string;
  readonly state: /** Stored, nothing done yet. */
    | { readonly type: "asked" }
    /** A person has to agree, or to fill in a form, first. */
    | {
        readonly type: "waiting";
        readonly requestId: string;
        /** Of the forms before this one. */
        readonly asked?: Asked;
      }
    /** A person agreed, or the form was answered. */
    | { readonly type: "cleared"; readonly asked?: Asked }
    /** Its run began; only an idempotent tool may be started again from here. */
    | { readonly type: "started"; readonly asked?: Asked }
    | {
        readonly type: "answered";
        readonly output: string;
        readonly fileIds: readonly string[];
        /** Who answered its forms. */
        readonly personKeys?: readonly string[];
      };
}

/** How a run ended. */
export type RunEnd = Extract<RunEvent, { type: "run-end" }>;

/** The model has said all it will say in this run. */
export type RunAnswer =
  | { readonly status: "completed" }
  | { readonly status: "incomplete"; readonly reason: IncompleteReason };

/**
 * What an attempt leaves behind for the next one: enough to go on in the same reply without
 * asking a finished turn again or running a finished tool again.
 */
export interface Checkpoint {
  readonly v: 1;
  readonly runId: string;
  readonly threadId: string;
  readonly assistant: AssistantRef;
  readonly createdAtMs: number;
  readonly startedAtMs: number;
  /** Working time of earlier attempts; the deadline counts this, not parked time. */
  readonly workedMs: number;
  /** Finished turns. */
  readonly turns: number;
  /** What is answered, with the attachments already fetched. */
  readonly asked: readonly UserEntry[];
  /** What finished turns added: texts, calls and outputs. */
  readonly entries: readonly TranscriptEntry[];
  /** Calls of the last finished turn, until all of them are answered. */
  readonly calls: readonly PendingCall[];
  /** The view when this was saved. */
  readonly view: ReplyView;
  readonly usage: Usage;
  readonly cost: Cost;
  /** How the model ended the run; the next attempt only has to show and commit it. */
  readonly answered: RunAnswer | null;
  /** How the run ended, and when: it only has to be shown, which could not be done then. */
  readonly ended?: { readonly end: RunEnd; readonly atMs: number };
  /** Where the backend carries on within this run. */
  readonly state: BackendState | null;
  /** Where it did before, when it had to start anew. */
  readonly left: readonly BackendState[];
  /** The turn at work, when its backend can take it up again, and what it had said and shown by then. */
  readonly live: {
    readonly cursor: Cursor;
    readonly said: string;
    readonly view: ReplyView;
  } | null;
  /** True when a person sees exactly `view`: the attempt left politely. */
  readonly isShown: boolean;
  /** A tool with effects has begun: this run is not replaced by a newer message. */
  readonly hasEffects: boolean;
}

/** Reads what an earlier attempt saved; undefined when there is none. */
export function toCheckpoint(saved: Json | undefined): Checkpoint | undefined {
  if (saved === undefined || saved === null) return undefined;
  // Written by this program and read back unchanged: the one place that trusts its own store.
  const checkpoint = saved as unknown as Checkpoint;
  return checkpoint.v === 1 ? checkpoint : undefined;
}

/** One of our own plain values as it is stored. */
export function toJson(value: object): Json {
  return value as unknown as Json;
}
