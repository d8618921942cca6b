import type { RunEndStatus } from "#domain/run";
import type { Cost, Usage } from "#domain/usage";

/** What is counted. Implementations must not throw. */
export interface Metrics {
  messageReceived(
    platform: string,
    outcome: "accepted" | "repeat" | "handed-over" | "refused" | "command",
  ): void;
  /** Seconds from acceptance to the run's begin. */
  runStarted(platform: string, waitSeconds: number): void;
  runEnded(platform: string, status: RunEndStatus, seconds: number): void;
  turnEnded(turn: {
    readonly backend: string;
    readonly model: string;
    readonly usage: Usage;
    readonly cost: Cost;
  }): void;
  /** One HTTP call to a model API: `responses.create`, `files.create`; outcome `ok`, `429`, `error` ... */
  modelCall(operation: string, outcome: string, seconds: number): void;
  toolEnded(name: string, outcome: "completed" | "failed" | "timeout", seconds: number): void;
  /** One call to a platform's API. Outcome `ok`, `429`, `error`. */
  platformCall(platform: string, method: string, outcome: string): void;
}

/**
 * Spans for runs, turns and steps. Carries ids, names and numbers, never content: an attribute that is
 * not one of {@link SpanAttributes} is left out by implementations.
 */
export interface Tracer {
  /** Starts a span; end it with {@link Span.end}. Must not throw. */
  span(name: SpanName, attributes: SpanAttributes, parent?: Span): Span;
}

/** `run`: answering a message; `turn`: one request to a model; `step`: one tool at work. */
export type SpanName = "run" | "turn" | "step";

/** What a span may tell; all of it optional. */
export interface SpanAttributes {
  readonly run?: string;
  readonly thread?: string;
  readonly conversation?: string;
  readonly platform?: string;
  readonly assistant?: string;
  readonly assistantId?: string;
  readonly assistantVersion?: number;
  readonly attempt?: number;
  readonly turn?: number;
  readonly backend?: string;
  /** The model asked for, and the one that answered. */
  readonly model?: string;
  readonly responseModel?: string;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  readonly cachedTokens?: number;
  readonly reasoningTokens?: number;
  readonly costUsd?: number;
  readonly tool?: string;
  readonly call?: string;
  /** How it ended: a run's or a step's status. */
  readonly status?: string;
}

export interface Span {
  set(attributes: SpanAttributes): void;
  /** Marks it as failed, by a short code. */
  fail(code: string): void;
  end(): void;
}

/** For those who trace nothing. */
export const noTracer: Tracer = {
  span: () => ({ set: () => undefined, fail: () => undefined, end: () => undefined }),
};
