import type { Assistant, AssistantRef } from "#domain/assistant";
import type { Person, Place } from "#domain/conversation";
import type { Json } from "#domain/json";
import type { IncomingMessage } from "#domain/message";
import { applyEvent, type ReplyView } from "#domain/reply-view";
import type { RunStep, StepType } from "#domain/run";
import type { Notice, RunEvent } from "#domain/run-event";
import type { ChannelSettings } from "#domain/settings";
import type { LedgerChange } from "#ports/ledger";
import type { Span } from "#ports/metrics";
import type { ReplyTarget } from "#ports/platform";
import type { InboxItem, RunLease } from "#ports/run-queue";
import { type Checkpoint, toJson } from "./checkpoint.ts";
import type { AtHand } from "./controls.ts";
import type { ConversationHead } from "./conversation-head.ts";
import { names } from "./names.ts";
import type { PositionedPage } from "./thread-pages.ts";

/** What a run answers, and with what: fixed when the attempt begins. */
export interface RunTask {
  readonly runId: string;
  readonly conversationKey: string;
  readonly threadId: string;
  readonly place: Place;
  readonly asker: Person;
  readonly messages: readonly IncomingMessage[];
  /** With the channel's overrides applied. */
  readonly assistant: Assistant;
  /** The stored version it is, for a later attempt of the same run. */
  readonly ref: AssistantRef;
  readonly instructions: string;
  readonly channel: ChannelSettings;
  readonly head: ConversationHead | undefined;
  /** The page this run's answer takes the place of: a retry of the newest answer. */
  readonly replaces: Omit<PositionedPage, "page"> | undefined;
  /** Words of the bot's own that the reply begins with. */
  readonly notices: readonly string[];
}

/**
 * One run while it is worked on: its task, what an earlier attempt left, and the view so far.
 * Everything durable goes through {@link save}, which is fenced by the lease.
 */
export class RunWork {
  readonly task: RunTask;
  readonly lease: RunLease;
  readonly span: Span;
  /** Made in this run, kept with its commit. */
  newSummary: { readonly upTo: number; readonly text: string } | undefined;
  /** How it ended; undefined while it has not. */
  end: Extract<RunEvent, { type: "run-end" }> | undefined;
  readonly stepTimes = new Map<string, { startedAtMs: number; endedAtMs: number | null }>();
  readonly #edited = new Map<string, IncomingMessage>();
  #state: Checkpoint;
  #listener: (event: RunEvent) => void = () => undefined;
  #onHold: () => void = () => undefined;
  readonly #now: () => number;
  readonly #attemptStartedAtMs: number;

  constructor(parts: {
    task: RunTask;
    lease: RunLease;
    span: Span;
    state: Checkpoint;
    now: () => number;
  }) {
    this.task = parts.task;
    this.lease = parts.lease;
    this.span = parts.span;
    this.#state = parts.state;
    this.#now = parts.now;
    this.#attemptStartedAtMs = parts.now();
  }

  get state(): Checkpoint {
    return this.#state;
  }

  get view(): ReplyView {
    return this.#state.view;
  }

  /** Where and for whom its reply is drawn. */
  get replyTarget(): ReplyTarget {
    const { runId, conversationKey, place, messages, asker } = this.task;
    const answers = messages.map(({ eventId }) => eventId);
    return { runId, conversationKey, target: place.target, answers, asker };
  }

  /** Decisions and answers that woke this run. */
  get controls(): readonly InboxItem[] {
    return this.lease.controls;
  }

  update(change: Partial<Checkpoint>): void {
    this.#state = { ...this.#state, ...change };
  }

  /** Who is told of every event, right after it was folded into the view. */
  onEvent(listener: (event: RunEvent) => void): void {
    this.#listener = listener;
  }

  /** Who is told that nothing can be shown for now. */
  onHold(listener: () => void): void {
    this.#onHold = listener;
  }

  /** Nothing can be shown for now: the attempt ends where it is. */
  hold(): void {
    this.#onHold();
  }

  /** Something happened: folds it into the view. */
  tell(event: RunEvent): void {
    if (event.type === "step-start") {
      this.stepTimes.set(event.step.id, { startedAtMs: this.#now(), endedAtMs: null });
    }
    if (event.type === "step-end") {
      const times = this.stepTimes.get(event.id);
      if (times) times.endedAtMs = this.#now();
    }
    if (event.type === "run-end") this.end = event;
    this.update({ view: applyEvent(this.view, event) });
    this.#listener(event);
  }

  /** The message being answered was edited: the reply offers to answer the new version. */
  offerNewVersion(edited: IncomingMessage): ReplyView {
    const { view } = this;
    this.#edited.set(edited.eventId, edited);
    if (view.actions.includes("answer-new-version")) return view;
    const notice: Notice = {
      kind: "info",
      text: "The message was edited while I was answering; this answers what it said before.",
    };
    this.update({
      view: {
        ...view,
        notices: [...view.notices, notice],
        actions: [...view.actions, "answer-new-version"],
      },
    });
    return this.view;
  }

  /** What was asked, as its authors have it now: what another run would answer. */
  messagesNow(): readonly IncomingMessage[] {
    return this.task.messages.map((message) => this.#edited.get(message.eventId) ?? message);
  }

  /** The message it answered is gone: so is the reply. */
  remove(): void {
    this.update({ view: { ...this.view, removed: true } });
  }

  /** What the view holds now is stored work: asking a turn again does not take it back. */
  mark(): void {
    this.tell({ type: "turn-start", turn: this.#state.turns + 1 });
  }

  /** Working time so far, over all attempts. */
  workedMs(): number {
    return this.#state.workedMs + (this.#now() - this.#attemptStartedAtMs);
  }

  /** The checkpoint as the next attempt shall find it. */
  toJson(): Json {
    return toJson({ ...this.#state, workedMs: this.workedMs() });
  }

  /** Fenced and durable. Throws LeaseLost. */
  save(change?: LedgerChange): Promise<void> {
    return this.lease.save(this.toJson(), change);
  }

  /** The run's steps as records, by the Assistants API's shape. */
  steps(): readonly RunStep[] {
    return this.view.steps.map((step) => {
      const times = this.stepTimes.get(step.id);
      const startedAtMs = times?.startedAtMs ?? this.#state.startedAtMs;
      return {
        id: step.id,
        object: "thread.run.step",
        type: step.type satisfies StepType,
        status: step.status,
        title: step.title,
        input: step.input,
        output: step.output,
        created_at: Math.floor(startedAtMs / 1000),
        completed_at: times?.endedAtMs ? Math.floor(times.endedAtMs / 1000) : null,
      };
    });
  }
}

/** The register that says who is being answered in a conversation, and what the answer waits for. */
export function atHandRegister({ task, state }: RunWork, requestId: string | null = null) {
  const atHand: AtHand = {
    runId: task.runId,
    personKey: task.asker.key,
    personName: task.asker.name,
    requestId,
    title: titleOf(task),
    askedAtMs: task.messages[0]?.sentAtMs ?? 0,
    ...(state.hasEffects ? { hasEffects: true } : {}),
  };
  return { name: names.atHand(task.conversationKey), value: toJson(atHand) };
}

const maxTitleCharacters = 60;

/** What a conversation is called after its first message. */
export function titleOf({ messages }: Pick<RunTask, "messages">): string {
  const text = (messages[0]?.text ?? "").replaceAll(/\s+/g, " ").trim();
  if (text.length <= maxTitleCharacters) return text || "Untitled";
  return `${[...text].slice(0, maxTitleCharacters - 1).join("")}…`;
}
