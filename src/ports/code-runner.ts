import type { CodeOutcome, CodeRequest } from "#domain/code-run";

/**
 * Runs code a model wrote, which may be anything: no way out of it, limits on all it takes, and the
 * bot lives on whatever it does.
 */
export interface CodeRunner {
  /** Packages it can import beside the language's own, by name. */
  readonly packages: readonly string[];
  /** How long one run may take, in ms, its start included. */
  readonly timeoutMs: number;
  /**
   * Every run begins afresh: nothing of an earlier one is left. Code that fails is an outcome, too.
   * Rejects with the signal's reason when that is aborted (the code is ended at once), and when
   * nothing can be run at all.
   */
  run(request: CodeRequest, signal: AbortSignal): Promise<CodeOutcome>;
}
