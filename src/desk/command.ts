import type { TruncationStrategy } from "#domain/assistant";
import type { QueuePolicy, Scope } from "#domain/conversation";
import type { FileUse } from "#domain/file";

/** The words of the grammar, in the order of help and completion. */
export const commandNames = [
  "help",
  "status",
  "list",
  "show",
  "create",
  "edit",
  "delete",
  "use",
  "model",
  "instructions",
  "tools",
  "files",
  "context",
  "queue",
  "scope",
  "new",
  "stop",
  "retry",
  "resume",
  "usage",
  "export",
  "forget",
  "settings",
] as const;

/** A word of the grammar. */
export type CommandName = (typeof commandNames)[number];

/** What is to become of a text that can be set: `set`, `clear`, or only shown. */
export type TextChange =
  | { readonly type: "show" }
  | { readonly type: "set"; readonly value: string }
  | { readonly type: "clear" };

/** One change of an assistant: a field and its new value, checked for form but not against the world. */
export type AssistantEdit =
  | { readonly field: "name" | "description" | "instructions"; readonly value: string }
  /** `force`: also when it is not on the server's list. */
  | { readonly field: "model"; readonly value: string; readonly force: boolean }
  | { readonly field: "tools"; readonly value: "all" | readonly string[] }
  | { readonly field: "temperature" | "top_p"; readonly value: number | null }
  | { readonly field: "reasoning"; readonly value: ReasoningEffort | null }
  | { readonly field: "truncation"; readonly value: TruncationStrategy }
  | { readonly field: "max_prompt" | "max_completion"; readonly value: number | null };

/** How hard a model shall think, by OpenAI's names. */
export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high";

/** The conversation a command names itself (`stop in slack:T1:C1:17…`); null: the one it is typed in. */
export interface AboutConversation {
  readonly conversation: string | null;
}

/** A parsed command. `type` is its word. */
export type Command =
  | { readonly type: "help"; readonly topic: CommandName | null }
  | ({ readonly type: "status" } & AboutConversation)
  | { readonly type: "list"; readonly what: "assistants" | "models" | "audit" }
  | { readonly type: "show"; readonly assistant: string | null }
  | { readonly type: "create"; readonly name: string; readonly instructions: string | null }
  /** From a template or an attached file; `name` in the place of the one it has. */
  | { readonly type: "create"; readonly from: string; readonly name: string | null }
  | { readonly type: "edit"; readonly assistant: string; readonly edit: AssistantEdit }
  | { readonly type: "delete"; readonly assistant: string; readonly confirmed: boolean }
  /** `assistant: null` shows what is used. `default` goes back to the default assistant. */
  | { readonly type: "use"; readonly assistant: string | null }
  /** `force`: also when the model is not on the server's list. */
  | { readonly type: "model"; readonly change: TextChange; readonly force: boolean }
  | { readonly type: "instructions"; readonly change: TextChange }
  | { readonly type: "tools"; readonly action: "list" }
  | { readonly type: "tools"; readonly action: "on" | "off"; readonly tool: string }
  | ({ readonly type: "files"; readonly action: "list" } & AboutConversation)
  | ({
      readonly type: "files";
      readonly action: "use";
      readonly file: string;
      readonly use: FileUse;
    } & AboutConversation)
  | ({
      readonly type: "files";
      readonly action: "remove" | "share" | "unshare" | "pin" | "unpin";
      readonly file: string;
    } & AboutConversation)
  /** What is attached to the command: for the assistant that answers here, or for this channel. */
  | {
      readonly type: "files";
      readonly action: "add";
      readonly to: "assistant" | "channel";
    }
  | { readonly type: "context"; readonly of: "both"; readonly change: { readonly type: "show" } }
  | { readonly type: "context"; readonly of: "me" | "channel"; readonly change: TextChange }
  | ({ readonly type: "queue"; readonly policy: QueuePolicy | null } & AboutConversation)
  | { readonly type: "scope"; readonly scope: Scope | null }
  | ({ readonly type: "new" } & AboutConversation)
  | ({ readonly type: "stop"; readonly what: "current" | "all" } & AboutConversation)
  | ({ readonly type: "retry" } & AboutConversation)
  | ({ readonly type: "resume" } & AboutConversation)
  | ({ readonly type: "usage"; readonly of: UsageOf | null } & AboutConversation)
  | ({ readonly type: "export" } & AboutConversation)
  /** `assistant: null` is the one that answers here. */
  | { readonly type: "export"; readonly assistant: string | null }
  | ({
      readonly type: "forget";
      readonly what: "conversation" | "me" | null;
      readonly confirmed: boolean;
    } & AboutConversation)
  | { readonly type: "settings"; readonly topic: "all" }
  | { readonly type: "settings"; readonly topic: "cap"; readonly change: CapChange }
  | { readonly type: "settings"; readonly topic: "managers"; readonly action: "list" }
  | {
      readonly type: "settings";
      readonly topic: "managers";
      readonly action: "add" | "remove";
      /** A mention as the platform writes it, a person's key, or a name. */
      readonly person: string;
    };

/** Whose usage is asked for. */
export type UsageOf = "me" | "channel" | "run" | "month";

/** The monthly cap of a channel; `usd: null` takes it away. */
export type CapChange =
  | { readonly type: "show" }
  | { readonly type: "set"; readonly usd: number | null };

/** Why a text is no command, in words for the person; `nearest` is a command they may have meant. */
export interface CommandProblem {
  readonly type: "problem";
  readonly problem: string;
  /** Without the leading `/assistant`: `queue fifo`. */
  readonly nearest?: string;
}

/** Limits of what can be typed; over them a command is refused in words. Lengths in UTF-16 units. */
export const commandLimits = {
  assistantName: 40,
  description: 200,
  modelName: 200,
  /** Discord's string options end at 6,000; a panel or a message may carry more. */
  instructions: 30_000,
  context: 4_000,
} as const;

/** The word with which the default assistant, model or instructions are chosen again. */
export const defaultWord = "default";

/** What of an assistant can be edited, by the word for it. */
export const editFields = [
  "name",
  "description",
  "model",
  "instructions",
  "tools",
  "temperature",
  "top_p",
  "reasoning",
  "truncation",
  "max_prompt",
  "max_completion",
] as const;

/** One of {@link editFields}. */
export type EditField = (typeof editFields)[number];

/** All of {@link ReasoningEffort}, from least to most. */
export const reasoningEfforts: readonly ReasoningEffort[] = [
  "none",
  "minimal",
  "low",
  "medium",
  "high",
];

/** The words for how a file is used. */
export const fileUses: readonly FileUse[] = ["look", "search", "compute"];

/** What can be done with files. */
export const fileActions = [
  "list",
  "add",
  "use",
  "remove",
  "share",
  "unshare",
  "pin",
  "unpin",
] as const;

/** The words for how waiting messages are answered. */
export const queuePolicies: readonly QueuePolicy[] = ["fifo", "merge", "latest"];

/** The words for how much of a channel is one conversation. */
export const scopes: readonly Scope[] = ["thread", "person", "channel"];

/** Whose usage can be asked for. */
export const usageTopics: readonly UsageOf[] = ["me", "channel", "run", "month"];

/** What can be listed. */
export const listTopics = ["assistants", "models", "audit"] as const;

/** What a text is read as. */
export type Parsed = Command | CommandProblem;
