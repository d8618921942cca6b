import type { Json } from "#domain/json";
import type { LedgerChange } from "#ports/ledger";

/** A message for a conversation's inbox. */
export interface NewMessage {
  /** Unique: a second one with the same id is a duplicate. */
  readonly eventId: string;
  readonly conversationKey: string;
  readonly personKey: string;
  readonly payload: Json;
  /** How much the payload knows (its number of files). A duplicate that knows more replaces it while it waits. */
  readonly detail: number;
  /** Bounds, checked atomically with the append. */
  readonly bounds: {
    readonly waitingPerConversation: number;
    readonly perPersonPerMinute: number;
  };
}

/** Something to be done in a conversation's order that is not a message. */
export interface NewControl {
  readonly eventId: string;
  readonly conversationKey: string;
  readonly payload: Json;
  /**
   * `run`: for the run at hand (a decision); wakes it when it is parked. With no run at hand it is
   * accepted and forgotten: what it was meant for is over.
   * `conversation`: done between runs, before waiting messages (`new`, `forget`, `retry`).
   */
  readonly to: "run" | "conversation";
}

/** `position`: how many stand before it in its conversation, runs and messages; 0: it is next. */
export type AcceptResult =
  | { readonly status: "accepted"; readonly position: number }
  | { readonly status: "duplicate" | "conversation-full" | "person-too-fast" };

/** Where a message stands when it is changed. */
export interface AmendResult {
  readonly state: "waiting" | "running" | "answered" | "unknown";
  readonly conversationKey?: string;
}

export interface Amendment {
  readonly eventId: string;
  readonly changeId: string;
  readonly change:
    | { readonly type: "edited"; readonly payload: Json }
    | { readonly type: "deleted" };
}

export interface InboxItem {
  readonly eventId: string;
  readonly kind: "message" | "control";
  readonly personKey: string;
  readonly payload: Json;
  readonly acceptedAtMs: number;
  /** Set when it was changed after a run had taken it. */
  readonly amendment?: Amendment["change"];
}

export interface QueueState {
  readonly waiting: readonly {
    readonly eventId: string;
    readonly conversationKey: string;
    readonly personKey: string;
    readonly acceptedAtMs: number;
  }[];
  /** Runs at work now, or about to be again after an interruption. */
  readonly running: number;
  readonly parked: number;
  /** Age of the oldest waiting message; 0 when none waits. */
  readonly oldestMs: number;
}

/** One process' part in the queue. */
export interface QueueHere {
  /** Runs this process is at work on. */
  readonly runs: number;
  /** Leases that went to another process while this one was at work. */
  readonly leasesLost: number;
}

/**
 * The durable queue: an inbox per conversation, one worker at a time on each, first in first out.
 * It decides who works and when; what a message means is the handler's business.
 */
export interface RunQueue {
  /** Durable when it resolves. */
  accept(message: NewMessage): Promise<AcceptResult>;
  /** Durable when it resolves; a control for the conversation goes before waiting messages. */
  control(control: NewControl): Promise<"accepted" | "duplicate">;
  /**
   * Changes a message that was accepted. Waiting: replaced or removed. Running: stored with it and
   * told to its lease. Unknown and deleted: a tombstone, so that it is refused as a duplicate when it comes.
   * Answered: whatever has left the line (answered, replaced, removed, set aside).
   * A repeated changeId changes nothing and answers as the first did; an edit of an unknown message
   * changed nothing and is not remembered.
   */
  amend(amendment: Amendment): Promise<AmendResult>;
  /**
   * `current` ends the run at hand, running or parked; `queued` removes waiting messages.
   * A stop wakes a run that waits, once: one that was told and waits again keeps to its time.
   */
  cancel(
    conversationKey: string,
    what: "current" | "queued" | "all",
  ): Promise<{ readonly current: boolean; readonly queued: readonly string[] }>;
  /** Starts working: interrupted conversations first. Resolves once it can take messages. */
  start(handler: RunHandler, options: QueueOptions): Promise<void>;
  /** One conversation's line, or everything's. */
  inspect(conversationKey?: string): Promise<QueueState>;
  /** What this process does of it, and did since its start. */
  here(): QueueHere;
  /** Called after a conversation's line changed. Only for showing; calls may be merged. */
  onChange(listener: (conversationKey: string) => void): () => void;
  /**
   * Begins nothing new, and aborts what still runs after the grace period (signal reason "shutdown").
   * Resolves once every handler has returned; one that throws because of it does not count as a crash.
   */
  stop(graceMs: number): Promise<void>;
}

export type RunHandler = (lease: RunLease) => Promise<Outcome>;

export interface QueueOptions {
  readonly concurrency: number;
  /**
   * Which of the waiting messages the next run takes (at least one), given them in order.
   * Pure and quick: called right before the run begins, inside its transaction. When it takes
   * nothing, the first is taken.
   */
  readonly select: (conversationKey: string, waiting: readonly InboxItem[]) => Selection;
}

export interface Selection {
  /** Answered by the next run. */
  readonly take: readonly string[];
  /** Replaced by it: done without an answer of their own. */
  readonly drop: readonly string[];
}

/** Why a lease's signal was aborted: its `signal.reason`. */
export type AbortReason = "stopped" | "lease-lost" | "shutdown";

/**
 * The right to work on one conversation until the handler returns.
 * Everything written through it is fenced: after a takeover it throws {@link LeaseLost}.
 */
export interface RunLease {
  readonly conversationKey: string;
  /** Rises with every lease of the conversation; part of the keys of what a run writes. */
  readonly epoch: string;
  /** 1 for the first; counts attempts that ended without a word (crash, lost lease), not polite ones. */
  readonly attempt: number;
  /** What this run answers, in order; or one control item for the conversation. */
  readonly items: readonly InboxItem[];
  /**
   * Control items for this run that arrived since it parked: consumed with the outcome. After a
   * crash they come again, also when a checkpoint saved meanwhile knows of them.
   */
  readonly controls: readonly InboxItem[];
  /** What an earlier attempt saved last. */
  readonly checkpoint: Json | undefined;
  /** What an earlier attempt's reply wrote down last. */
  readonly journal: Json | undefined;
  /**
   * Set when the store lost its last moments some time: until then a message may have been answered that
   * looks unanswered now, and been shown what no journal knows of. In milliseconds since 1970.
   */
  readonly storeLostAtMs?: number | undefined;
  /**
   * Set when the conversation was taken over from somebody who had not ended: what that one had sent may
   * arrive until then, a lease and a request's time after the takeover. In milliseconds since 1970.
   */
  readonly lateUntilMs?: number | undefined;
  /** A stop was asked before this attempt began: end as cancelled, do not start again. */
  readonly stopRequested: boolean;
  /** Aborted with an {@link AbortReason}. */
  readonly signal: AbortSignal;
  /** One of the items was changed while the run works; changes before the first listener are told to it. */
  onAmended(listener: (item: InboxItem) => void): void;
  /** Replaces the checkpoint and applies the change, atomically. Fenced, durable. */
  save(checkpoint: Json, change?: LedgerChange): Promise<void>;
  /** Replaces the reply's journal. Fenced, durable. */
  saveJournal(journal: Json): Promise<void>;
  /** Throws LeaseLost when the conversation belongs to another. Right before anything visible. */
  assertOwner(): Promise<void>;
}

/** How a handler leaves. A handler that throws counts as a crash. */
export type Outcome =
  /**
   * The items are answered; the change is applied with their removal, atomically.
   * `forgetsSetAside`: what was set aside of this conversation is deleted with it.
   */
  | {
      readonly type: "done";
      readonly change: LedgerChange;
      readonly forgetsSetAside?: boolean;
    }
  /** Waits for a person: holds its conversation, not a worker. */
  | { readonly type: "parked"; readonly untilMs: number; readonly checkpoint: Json }
  /** Try the same again later; not counted as a crash. Without a checkpoint the one before stays. */
  | { readonly type: "retry"; readonly afterMs: number; readonly checkpoint?: Json }
  /** Set aside: out of the line, kept for an admin. */
  | { readonly type: "failed"; readonly code: string; readonly change: LedgerChange };

/** The conversation has been taken over: whatever was about to happen must not. */
export class LeaseLost extends Error {
  constructor(conversationKey: string) {
    super(`another worker has taken over ${conversationKey}`);
    this.name = "LeaseLost";
  }
}
