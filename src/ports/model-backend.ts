import type { Assistant } from "#domain/assistant";
import type { BotErrorCode } from "#domain/errors";
import type { StoredFile } from "#domain/file";
import type { Json } from "#domain/json";
import type { IncompleteReason, StepStatus, StepType } from "#domain/run";
import type { Source } from "#domain/run-event";
import type { TranscriptEntry } from "#domain/thread";
import type { HostedToolType, ToolSpec } from "#domain/tool";
import type { Usage } from "#domain/usage";

/** What a driver can do; the core shapes turns by it. */
export interface Capabilities {
  readonly hostedTools: readonly HostedToolType[];
  readonly images: boolean;
  /** Documents are accepted as files; otherwise the driver gives their text (`readText`) to the model. */
  readonly documents: boolean;
  /** The server can shorten a long conversation itself. */
  readonly compaction: boolean;
  /** A turn can be taken up again after the connection (or the process) died. */
  readonly resume: boolean;
}

/** One request to a model. */
export interface ModelTurn {
  readonly runId: string;
  /** Rises within the run, from 1. */
  readonly turn: number;
  readonly conversationKey: string;
  readonly personKey: string;
  /** With the channel's overrides already applied. */
  readonly assistant: Assistant;
  /** The assistant's instructions followed by the channel's and the person's context. */
  readonly instructions: string;
  readonly functions: readonly ToolSpec[];
  readonly hostedTools: readonly HostedToolType[];
  /** Everything the model shall know, in order; the source of truth. */
  readonly transcript: readonly TranscriptEntry[];
  /** What an earlier turn returned; an accelerator for the entries up to and including `covers`. */
  readonly state?: BackendState;
  /** Descriptions of all files the transcript (and the assistant) names, by id. */
  readonly files: ReadonlyMap<string, StoredFile>;
  /** Bytes of one of them. */
  readonly readFile: (id: string) => Promise<Uint8Array>;
  /** Text of one of them, where it has some. */
  readonly readText: (id: string) => Promise<string | undefined>;
  /** Completion tokens left to this run; undefined: no limit. */
  readonly maxCompletionTokens?: number;
}

/** Where a backend carries on. Opaque to all but the backend named. */
export interface BackendState {
  readonly backend: string;
  /** The id of the last transcript entry it covers. */
  readonly covers: string;
  readonly model: string;
  readonly createdAtMs: number;
  readonly data: Json;
}

/** Where in a turn's stream one is; stored, so that the turn can be taken up after a crash. */
export interface Cursor {
  readonly backend: string;
  readonly data: Json;
}

/** A file the service made, to be stored by the core. */
export interface ProducedFile {
  readonly name: string;
  readonly mimeType: string;
  readonly data: Uint8Array;
  readonly altText?: string;
}

/**
 * What happens in a turn, in order. After the one terminal event (`turn-end`) nothing follows.
 * Text that may still be rewritten (citation marks, `sandbox:` links) is held back until settled.
 */
export type ModelEvent =
  | { readonly type: "text-delta"; readonly text: string }
  | { readonly type: "citation"; readonly source: Source }
  | {
      readonly type: "step-start";
      readonly step: { readonly id: string; readonly type: StepType; readonly title: string };
    }
  | {
      readonly type: "step-delta";
      readonly id: string;
      readonly input?: string;
      readonly output?: string;
    }
  | {
      readonly type: "step-end";
      readonly id: string;
      readonly status: StepStatus;
      readonly title?: string;
    }
  | { readonly type: "file"; readonly file: ProducedFile }
  /** The model wants a function called. All of a turn's calls come before its end. */
  | {
      readonly type: "tool-call";
      readonly callId: string;
      readonly name: string;
      readonly arguments: string;
    }
  /** The turn can be taken up from here. */
  | { readonly type: "cursor"; readonly cursor: Cursor }
  /** A word for the person that is not the model's: "The file search store had expired and was rebuilt." */
  | { readonly type: "notice"; readonly text: string }
  | TurnEnd;

export interface TurnEnd {
  readonly type: "turn-end";
  readonly usage: Usage;
  /** The model that answered, as the server names it; for the price. */
  readonly model: string;
  readonly result:
    | {
        readonly status: "completed";
        /** Absent: this backend keeps nothing. Its `covers` is filled in by the core. */
        readonly state?: Omit<BackendState, "covers">;
        /** Items only this backend understands, to be replayed to it before the turn's own text and calls. */
        readonly items?: readonly Json[];
      }
    | { readonly status: "incomplete"; readonly reason: IncompleteReason }
    | {
        readonly status: "failed";
        readonly code: BotErrorCode;
        /** Words for the person, without internals. */
        readonly detail?: string;
        readonly retryAfterMs?: number;
        readonly cause?: unknown;
      };
}

/**
 * A driver to a service that runs models. Called by the run engine, one turn at a time per run.
 *
 * `stream` and `resume` never throw and always end with exactly one `turn-end` - except when the
 * signal is aborted: then they just return. Aborted with the reason "shutdown" or "lease-lost" (see
 * `AbortReason`), a turn that can be resumed is left running at the service, since somebody will take
 * it up; with any other reason it is cancelled there. They do not retry what has already shown
 * something; the core does, with a `turn-restart`.
 */
export interface ModelBackend {
  readonly name: string;
  readonly capabilities: Capabilities;
  stream(turn: ModelTurn, signal: AbortSignal): AsyncIterable<ModelEvent>;
  /** Goes on after `cursor`: the same events, none twice. Present when `capabilities.resume`. */
  resume?(turn: ModelTurn, cursor: Cursor, signal: AbortSignal): AsyncIterable<ModelEvent>;
  /** Deletes what the service keeps for this state. Best effort; throws when it could not. */
  forget(state: BackendState): Promise<void>;
  /** Models to choose from; empty when the server does not say. */
  models(): Promise<readonly string[]>;
}
