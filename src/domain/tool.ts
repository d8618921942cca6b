import type { Json } from "#domain/json";
import type { FoundPassage } from "#domain/passage";

/** A JSON schema for a tool's arguments. */
export type JsonSchema = { readonly [key: string]: Json | undefined };

/** What a model is told about a function it may call. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  readonly parameters: JsonSchema;
}

/** The tools a service may run itself, by OpenAI's names. */
export const hostedToolTypes = [
  "code_interpreter",
  "file_search",
  "web_search",
  "image_generation",
] as const;

export type HostedToolType = (typeof hostedToolTypes)[number];

/** A file a tool made. */
export interface ToolFile {
  readonly name: string;
  readonly mimeType: string;
  readonly data: Uint8Array;
  readonly altText?: string;
}

/** One question of a form. */
export interface FormField {
  readonly id: string;
  readonly label: string;
  readonly type: "choice" | "text";
  /** For `choice`: what can be picked. */
  readonly choices?: readonly string[];
  /** True: it may be left blank; its answer is then an empty text. */
  readonly optional?: boolean;
}

/** Something a tool asks a person. */
export interface Form {
  readonly title: string;
  readonly text?: string;
  readonly fields: readonly FormField[];
  /**
   * True: whoever takes part in the conversation may answer, each once. It closes when all who talk
   * there have answered, when the asker (or a manager) finishes it, or when its time is up. Where
   * only one person talks it is an ordinary form.
   */
  readonly everyone?: boolean;
  /** How long it may be answered; at most, and otherwise, as long as every question stands. */
  readonly minutes?: number;
}

/** Answers by field id. */
export type FormAnswers = { readonly [fieldId: string]: string };

/** What one person answered. */
export interface PersonAnswers {
  readonly personKey: string;
  readonly personName: string;
  readonly answers: FormAnswers;
}

/** What came of the forms a tool asked in one call. */
export interface Asked {
  /** How many forms were asked. */
  readonly forms: number;
  /** Who answered, in the order in which they first did; of several forms, all their answers. */
  readonly people: readonly PersonAnswers[];
  /** How the last form closed: everybody who was asked answered it, it was finished, or its time was up. */
  readonly ended: "answered" | "finished" | "expired";
}

/** What a tool run ends with: an output for the model, or a question to a person. */
export type ToolResult =
  | { readonly type: "output"; readonly output: string; readonly files?: readonly ToolFile[] }
  | { readonly type: "ask"; readonly form: Form };

/** What a tool may know and use while it runs. */
export interface ToolContext {
  readonly runId: string;
  readonly callId: string;
  readonly conversationKey: string;
  readonly personKey: string;
  readonly personName: string;
  /** Files within reach of this run, newest last. */
  readonly files: readonly {
    readonly id: string;
    readonly name: string;
    readonly mimeType: string;
  }[];
  readFile(id: string): Promise<Uint8Array>;
  /** The text of a document, or undefined where it has none. */
  readText(id: string): Promise<string | undefined>;
  /**
   * The passages of the files within reach (those of the assistant, too) that fit a query, best
   * first. Absent where files cannot be searched.
   */
  searchFiles?(query: {
    readonly query: string;
    /** Only in the files of this name. */
    readonly file?: string;
    readonly limit: number;
  }): Promise<readonly FoundPassage[]>;
  /**
   * Tells people that they are needed here, and leaves the conversation to them. False: nobody can be
   * told. Absent where that is not possible at all.
   */
  handOver?(ask: { readonly reason: string; readonly summary: string }): Promise<boolean>;
  /** Set when the tool asked a form before and it was answered; of several forms, all answers. */
  readonly answers?: FormAnswers;
  /** The same person by person, for forms to everyone. */
  readonly asked?: Asked;
  now(): Date;
}

/** Arguments after the schema has looked at them. */
export type CheckedArguments =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/** A function the bot can run for a model. Made by `defineTool` in src/tools. */
export interface Tool {
  readonly spec: ToolSpec;
  /** What a person reads while it runs: "Looking up the order". */
  readonly title: string;
  /** True: a person must agree before each call. */
  readonly needsApproval: boolean;
  /** True: may be run again after a crash without asking. */
  readonly idempotent: boolean;
  readonly timeoutMs: number;
  /** A tool that this one makes needless: who may call this one is not told of that. */
  readonly insteadOf?: string;
  check(args: unknown): CheckedArguments;
  run(args: unknown, context: ToolContext, signal: AbortSignal): Promise<ToolResult>;
}
