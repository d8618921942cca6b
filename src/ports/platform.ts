import type { Person } from "#domain/conversation";
import type { Json } from "#domain/json";
import type { Attachment } from "#domain/message";
import type { ReplyView } from "#domain/reply-view";
import type { Bot } from "#ports/bot";

/** The longest a request to a platform may be under way, in milliseconds; then it is given up as unclear. */
export const requestTimeoutMs = 15_000;

/**
 * A chat platform as the bot sees it.
 *
 * Implementations translate in both directions and decide nothing: what arrives is handed to the
 * {@link Bot} in the bot's own words, and what the bot wants shown is drawn with the platform's.
 */
export interface Platform {
  readonly name: string;
  /**
   * Connects and starts handing what arrives to the bot. Resolves once messages can arrive. Throws a
   * BotError `platform-unavailable` while the platform is out of reach, and is called again later; what
   * else it throws somebody has to put right.
   */
  start(bot: Bot): Promise<void>;
  /** Stops taking new messages, then disconnects. Replies already open may still be shown. */
  stop(): Promise<void>;
  /** True while messages can arrive and replies can be shown; asked by `/readyz`. */
  isConnected(): boolean;
  /** Why it is not connected, in words for an admin. Undefined when nothing is known to be wrong. */
  problem?(): string | undefined;
  /**
   * False while nothing can be shown anywhere on the platform, and that may pass: who is to be answered
   * there waits, and no model is asked. Absent where that cannot happen.
   */
  canShow?(): boolean;
  /** Opens the place a reply is drawn; after a crash with what the journal remembers. Never throws. */
  openReply(to: ReplyTarget, journal: ReplyJournal): Reply;
  /**
   * Reads the messages of a reply that has ended once more, and repairs what requests made of them that
   * came late, sent by who held its lease before: older text is drawn anew, and a message that is there
   * twice is removed where it can be told. Shows nothing new; may be repeated. Throws when it could not
   * look. Absent where nothing can come late.
   */
  lookAgain?(ended: EndedReply): Promise<void>;
  /** Fetches an attachment's bytes. Throws a BotError `file-unavailable` with the reason in words. */
  openFile(file: Attachment, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  /**
   * Says something in a channel, named by the platform's own id, with a file. Throws a BotError
   * `not-allowed` or `not-found` when it cannot. Absent where there are no channels to say it in.
   */
  notify?(note: ChannelNote): Promise<void>;
  /**
   * What was said is deleted for good. A platform that keeps chat messages in the bot's own stores
   * deletes these messages and the replies of these runs, too; elsewhere the service keeps them and
   * this is absent. May be repeated.
   */
  forget?(said: {
    readonly eventIds: readonly string[];
    readonly runIds: readonly string[];
  }): Promise<void>;
}

/** Something said in a channel that is no reply. */
export interface ChannelNote {
  /**
   * By the platform's own id. In Slack its workspace may stand before it (`T1:C1`); without one it
   * is a channel of the workspace that `about` is in.
   */
  readonly channel: string;
  /** The {@link Place.target} of the conversation it is about, when that is on this platform. */
  readonly about?: Json;
  /** Markdown; of more than 1,900 characters the rest is left out. */
  readonly text: string;
  readonly file: { readonly name: string; readonly mimeType: string; readonly data: Uint8Array };
}

/** Where and for whom a reply is drawn. */
export interface ReplyTarget {
  readonly runId: string;
  readonly conversationKey: string;
  /** The platform's own {@link Place.target}. */
  readonly target: Json;
  /** The messages this reply answers, by event id, in order. */
  readonly answers: readonly string[];
  readonly asker: Person;
}

/**
 * The place one run's view is drawn. Pace, limits, splitting, native streaming and retries live
 * behind it. Called by the core in this order: `show` any number of times, then `finish` once;
 * a parked run finishes nothing and is opened again later.
 */
export interface Reply {
  /** Shows the newest view and drops those in between. Never waits, never throws. */
  show(view: ReplyView): void;
  /**
   * The model has stopped talking for now: what was shown last need not wait for its turn, where
   * drawing it at once costs nothing. Never waits, never throws.
   */
  hurry?(): void;
  /** Resolves once the last view given to `show` is visible: a parked or checkpointed run ends with it. */
  settle(): Promise<void>;
  /**
   * Resolves when every character is visible; throws a BotError when it cannot be: after
   * `platform-unavailable` the same is tried again, with a reply opened anew.
   */
  finish(view: ReplyView): Promise<void>;
}

/** A reply that is over, as it was left. */
export interface EndedReply {
  readonly to: ReplyTarget;
  /** What it was finished with. */
  readonly view: ReplyView;
  /** `saved` is all it shows; nobody writes in it any more. */
  readonly journal: ReplyJournal;
  /** The ids of messages that somebody else had begun: only these may have been changed late. */
  readonly inherited: ReadonlySet<string>;
  /** Whether an intent was this reply's: what came of it is in `saved`, or is there once too often. */
  readonly isOwnIntent: (intentId: string) => boolean;
  /** Nothing of it is older, in milliseconds since 1970. */
  readonly sinceMs: number;
}

/** One platform message of a reply, as the journal remembers it. */
export interface ShownSegment {
  /** 0, 1, 2 … in order of appearance; unique within the reply. */
  readonly index: number;
  /** The platform's id of the message (or upload). */
  readonly id: string;
  /** What it shows: text by its range of the view's text, or one file, or something else by name. */
  readonly content:
    | { readonly type: "text"; readonly from: number; readonly to: number }
    | { readonly type: "file"; readonly fileId: string }
    | { readonly type: "other"; readonly name: string };
  readonly revision: number;
  /** True: complete, never to be touched again unless the revision rises. */
  readonly closed: boolean;
  /** Anything else the platform wants back after a crash (a stream's start time). */
  readonly note?: Json;
}

/** What is about to be made visible: stored before the call that does it. */
export interface SegmentIntent {
  readonly index: number;
  readonly content: ShownSegment["content"];
  readonly revision: number;
  /** Unique per reply and index: a Discord nonce, Slack metadata. At most 25 characters. */
  readonly intentId: string;
  readonly atMs: number;
}

/**
 * The durable memory of what a reply has made visible, given by the core. Every call that makes
 * something new visible goes `before` -> platform -> `after`. Edits of a known segment are
 * idempotent and need only `assertOwner`.
 */
export interface ReplyJournal {
  /** What an earlier attempt wrote down. */
  readonly saved: readonly ShownSegment[];
  /** Intents of an earlier attempt without a segment: ask the platform whether they happened. */
  readonly doubtful: readonly SegmentIntent[];
  /** A new intent id for a segment of this reply; the same for the same index and revision. */
  intentId(index: number, revision: number): string;
  /** Fenced and durable. Throws LeaseLost: then nothing may be sent. */
  before(intent: SegmentIntent): Promise<void>;
  /** It has appeared. Kept in mind, and written with the next word, when the store is out of reach. */
  after(segment: ShownSegment): Promise<void>;
  /** A segment or an intent is gone (deleted, or it never happened); as certain as `after`. */
  drop(index: number): Promise<void>;
  /** Throws LeaseLost when another worker has taken over: call right before anything visible. */
  assertOwner(): Promise<void>;
}
