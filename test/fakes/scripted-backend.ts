import type { BotErrorCode } from "#domain/errors";
import { noUsage, type Usage } from "#domain/usage";
import type {
  BackendState,
  Capabilities,
  Cursor,
  ModelBackend,
  ModelEvent,
  ModelTurn,
  TurnEnd,
} from "#ports/model-backend";

/** What the scripted model does in one turn. `wait` holds it up until the test lets go. */
export type ScriptStep =
  | ModelEvent
  | { readonly type: "say"; readonly text: string }
  | {
      readonly type: "call";
      readonly name: string;
      readonly arguments?: object;
      readonly callId?: string;
    }
  | { readonly type: "fail"; readonly code: BotErrorCode; readonly retryAfterMs?: number }
  | { readonly type: "incomplete"; readonly reason: "max_completion_tokens" | "content_filter" }
  | { readonly type: "wait"; readonly for: Promise<unknown> }
  /** Goes on once what is looked at then has happened. */
  | { readonly type: "until"; readonly ready: () => Promise<unknown> }
  /** A slow model. */
  | { readonly type: "pause"; readonly ms: number }
  /** The stream ends without a word. */
  | { readonly type: "cut" };

const usage: Usage = { ...noUsage, prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

/** A model that does what the test says, and remembers what it was asked. */
export class ScriptedBackend implements ModelBackend {
  readonly name = "scripted";
  readonly capabilities: Capabilities;
  /** Every turn asked for, in order. */
  readonly turns: ModelTurn[] = [];
  readonly resumed: Cursor[] = [];
  readonly forgotten: BackendState[] = [];
  readonly #answer: (turn: ModelTurn) => readonly ScriptStep[];
  #calls = 0;

  constructor(
    answer: (turn: ModelTurn) => readonly ScriptStep[],
    capabilities: Partial<Capabilities> = {},
  ) {
    this.#answer = answer;
    this.capabilities = {
      hostedTools: [],
      images: true,
      documents: true,
      compaction: false,
      resume: false,
      ...capabilities,
    };
  }

  async *stream(turn: ModelTurn, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    this.turns.push(turn);
    yield* this.#play(turn, this.#answer(turn), signal);
  }

  async *resume(turn: ModelTurn, cursor: Cursor, signal: AbortSignal): AsyncGenerator<ModelEvent> {
    this.resumed.push(cursor);
    const steps = this.#answer(turn);
    yield* this.#play(turn, steps.slice(Number(cursor.data)), signal);
  }

  async forget(state: BackendState): Promise<void> {
    this.forgotten.push(state);
  }

  async models(): Promise<readonly string[]> {
    return ["scripted-model"];
  }

  async *#play(
    turn: ModelTurn,
    steps: readonly ScriptStep[],
    signal: AbortSignal,
  ): AsyncGenerator<ModelEvent> {
    for (const step of steps) {
      // Like a network: nothing arrives in the same tick.
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) return;
      switch (step.type) {
        case "say":
          yield { type: "text-delta", text: step.text };
          break;
        case "call":
          this.#calls += 1;
          yield {
            type: "tool-call",
            callId: step.callId ?? `call_${this.#calls}`,
            name: step.name,
            arguments: JSON.stringify(step.arguments ?? {}),
          };
          break;
        case "fail": {
          const { code, retryAfterMs } = step;
          yield this.#end(turn, {
            status: "failed",
            code,
            ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
          });
          return;
        }
        case "incomplete":
          yield this.#end(turn, { status: "incomplete", reason: step.reason });
          return;
        case "wait":
          await Promise.race([
            step.for,
            new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })),
          ]);
          if (signal.aborted) return;
          break;
        case "until":
          await Promise.race([
            step.ready(),
            new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })),
          ]);
          if (signal.aborted) return;
          break;
        case "pause":
          await new Promise((resolve) => setTimeout(resolve, step.ms));
          if (signal.aborted) return;
          break;
        case "cut":
          return;
        default:
          yield step;
      }
    }
    yield this.#end(turn, {
      status: "completed",
      state: {
        backend: this.name,
        model: turn.assistant.model,
        createdAtMs: 0,
        data: { run: turn.runId, turn: turn.turn },
      },
    });
  }

  #end(turn: ModelTurn, result: TurnEnd["result"]): TurnEnd {
    return { type: "turn-end", usage, model: turn.assistant.model, result };
  }
}
