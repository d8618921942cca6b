import type { HostedToolType } from "#domain/tool";

/** A tool an assistant may use: one the service hosts, or a registered function by name. */
export type AssistantTool =
  | { readonly type: HostedToolType }
  | { readonly type: "function"; readonly function: { readonly name: string } };

/** What to do when a conversation outgrows the model's context. */
export type TruncationStrategy =
  | { readonly type: "auto" }
  | { readonly type: "last_messages"; readonly last_messages: number };

/** A named configuration of a model. Every change is a new version; a run keeps the one it began with. */
export interface Assistant {
  readonly id: string;
  readonly object: "assistant";
  readonly version: number;
  readonly created_at: number;
  readonly name: string;
  readonly description: string | null;
  readonly model: string;
  readonly instructions: string;
  readonly tools: readonly AssistantTool[];
  readonly file_ids: readonly string[];
  readonly temperature: number | null;
  readonly top_p: number | null;
  readonly reasoning_effort: "none" | "minimal" | "low" | "medium" | "high" | null;
  readonly truncation_strategy: TruncationStrategy;
  readonly max_prompt_tokens: number | null;
  readonly max_completion_tokens: number | null;
  readonly metadata: { readonly [key: string]: string };
}

/** One exact version of an assistant. */
export interface AssistantRef {
  readonly id: string;
  readonly version: number;
}
