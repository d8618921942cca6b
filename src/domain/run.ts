import type { Json } from "#domain/json";
import type { Cost, Usage } from "#domain/usage";

/** The life of a run, by OpenAI's Assistants names. */
export type RunStatus =
  | "queued"
  | "in_progress"
  | "requires_action"
  | "cancelling"
  | "cancelled"
  | "failed"
  | "completed"
  | "incomplete"
  | "expired";

/** How a run can end. */
export type RunEndStatus = Extract<
  RunStatus,
  "cancelled" | "failed" | "completed" | "incomplete" | "expired"
>;

export type IncompleteReason =
  | "max_completion_tokens"
  | "max_prompt_tokens"
  | "content_filter"
  | "cap_reached";

/** Answering one message (or several merged ones). Times are Unix seconds, as in the Assistants API. */
export interface Run {
  readonly id: string;
  readonly object: "thread.run";
  readonly v: 1;
  readonly conversation_key: string;
  readonly thread_id: string;
  readonly assistant_id: string;
  readonly assistant_version: number;
  readonly model: string;
  readonly status: RunStatus;
  /** The event ids of the messages this run answers. */
  readonly message_ids: readonly string[];
  readonly person_key: string;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly expires_at: number | null;
  readonly completed_at: number | null;
  readonly cancelled_at: number | null;
  readonly failed_at: number | null;
  readonly required_action: Json;
  readonly last_error: { readonly code: string; readonly message: string } | null;
  readonly incomplete_details: { readonly reason: IncompleteReason } | null;
  readonly usage: Usage;
  readonly cost: Cost;
  readonly steps: readonly RunStep[];
  readonly metadata: { readonly [key: string]: string };
}

export type StepType =
  | "message_creation"
  | "code_interpreter"
  | "file_search"
  | "web_search"
  | "image_generation"
  | "function"
  | "reasoning"
  | "other";

export type StepStatus = "in_progress" | "completed" | "failed" | "cancelled";

/** One unit of work of a run. */
export interface RunStep {
  readonly id: string;
  readonly object: "thread.run.step";
  readonly type: StepType;
  readonly status: StepStatus;
  readonly title: string;
  /** Code, query or arguments; may be empty. */
  readonly input: string;
  /** Logs, results or output; may be empty. */
  readonly output: string;
  readonly created_at: number;
  readonly completed_at: number | null;
}
