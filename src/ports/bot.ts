import type {
  Choice,
  CommandAnswer,
  CommandSpec,
  IncomingCommand,
  Panel,
  PartialCommand,
} from "#domain/command";
import type { Person, Place } from "#domain/conversation";
import type { FileStatus } from "#domain/file";
import type { Json } from "#domain/json";
import type { EditedOrDeleted, IncomingMessage } from "#domain/message";
import type { AskedForm, ReplyFile } from "#domain/run-event";
import type { Role } from "#domain/settings";
import type { FormAnswers } from "#domain/tool";

/** What became of a message. `accepted` and `repeat` resolve only once it is durable. */
export type MessageAnswer =
  /** `position` 0: being answered now; n: n messages are before it. */
  | {
      readonly status: "accepted";
      readonly position: number;
      readonly conversationKey: string;
      /** The reply before it waits for this person: offer *Decline and answer me*, a `decline` of the request. */
      readonly waitingFor?: { readonly personName: string; readonly requestId: string };
    }
  | { readonly status: "repeat" }
  /** A person has the conversation: it is kept for later, and nothing is said. */
  | { readonly status: "handed-over" }
  /** Not accepted; the words are for its author, and nothing else happens. */
  | { readonly status: "refused"; readonly words: string }
  /** It was a text command; the answer is for its author only. */
  | { readonly status: "command"; readonly answer: CommandAnswer };

/** Where the changed message stood. `unknown` left a tombstone for a message still to come. */
export interface AmendAnswer {
  readonly state: "waiting" | "running" | "answered" | "unknown";
  /** The run that answered it: offer *Answer again*, a press `answer-new-version` on this run. */
  readonly runId?: string;
}

/** A press on a button or a submitted form. `requestId` is all a control carries. */
export interface Decision {
  readonly requestId: string;
  readonly by: Person;
  readonly role: Role;
  readonly decision:
    | { readonly type: "approve" }
    | { readonly type: "decline"; readonly reason?: string }
    | { readonly type: "answer"; readonly answers: FormAnswers }
    /** Closes a form to everyone with what was answered so far. */
    | { readonly type: "finish" };
}

/** A press on a finished or running reply's control. */
export interface ReplyPress {
  /** Unique per press, so that a redelivered one acts once. */
  readonly eventId: string;
  readonly runId: string;
  readonly by: Person;
  readonly role: Role;
  readonly press:
    | { readonly type: "stop" }
    | { readonly type: "retry" }
    | { readonly type: "continue" }
    | { readonly type: "answer-new-version" }
    | { readonly type: "feedback"; readonly good: boolean; readonly reason?: string };
}

/** What a press came to; `words` are for who pressed. */
export interface PressAnswer {
  readonly ok: boolean;
  readonly words: string;
}

export interface StopRequest {
  readonly place: Place;
  readonly by: Person;
  readonly role: Role;
  /** `current`: the running reply; `all`: what waits, too. */
  readonly what: "current" | "all";
  /** True: only a reply they asked for themselves, unless they manage the channel. */
  readonly onlyOwn?: boolean;
}

export interface StopAnswer {
  readonly stopped: boolean;
  readonly removedFromQueue: number;
  readonly words: string;
  /** True: they may not; the words say who may. */
  readonly isRefused?: boolean;
}

/** A place with many channels that the bot is no longer in. */
export interface LeaveRequest {
  /** Unique per removal. */
  readonly eventId: string;
  /** What the keys of its conversations begin with, the separator included: `discord:G1:`. */
  readonly keyPrefix: string;
}

/** What somebody's own page shows: what they talked about last, and who answers where. */
export interface Overview {
  /** Newest first, of all channels. */
  readonly conversations: readonly RecentConversation[];
  /** The place that was asked from, then the channels of those conversations. */
  readonly channels: readonly AnsweringChannel[];
}

export interface RecentConversation {
  readonly title: string;
  /** Where it was last talked in. */
  readonly place: Place;
  readonly updatedAtMs: number;
  /** A reply is being written there. */
  readonly isBusy: boolean;
}

/** Who answers in a channel. */
export interface AnsweringChannel {
  readonly place: Place;
  readonly assistant: string;
  readonly model: string;
  /** Things to ask it, by what it can do; at most four. */
  readonly suggestions: readonly Suggestion[];
}

/** Something to ask: a few words to press, and the message that says it. */
export interface Suggestion {
  readonly title: string;
  readonly message: string;
}

/** A conversation's line, for showing it. */
export interface QueuePosition {
  readonly eventId: string;
  readonly position: number;
}

/** Something a platform shows on a message to say that it waits. */
export interface WaitingMark {
  /** Whose it is: the platform, or a part of it. */
  readonly owner: string;
  readonly eventId: string;
  readonly conversationKey: string;
  /** By what the platform finds it again. */
  readonly shown: Json;
}

/**
 * What a platform may ask of the bot. Every method may be called at any time after
 * {@link Platform.start} was called with it; each throws a BotError with words for the person.
 */
export interface Bot {
  /** Hands over a message. Resolves once it is durable: acknowledge to the platform only then. */
  message(message: IncomingMessage): Promise<MessageAnswer>;
  /** Hands over an edit or a deletion. `unknown` leaves a tombstone for a message still to come. */
  amend(change: EditedOrDeleted): Promise<AmendAnswer>;
  command(command: IncomingCommand): Promise<CommandAnswer>;
  /** The grammar, for registration and help. */
  commands(): readonly CommandSpec[];
  complete(partial: PartialCommand): Promise<readonly Choice[]>;
  settings(request: { place: Place; person: Person; role: Role }): Promise<Panel>;
  /** For a page of one person's own; only their conversations on the place's platform. */
  overview(request: { place: Place; person: Person }): Promise<Overview>;
  /** What an open form asks: its button carries only an id. Undefined when it is settled. */
  askedForm(requestId: string): Promise<AskedForm | undefined>;
  /** Applied once, however often it is pressed. */
  decide(decision: Decision): Promise<PressAnswer>;
  press(press: ReplyPress): Promise<PressAnswer>;
  /** Bypasses the queue. */
  stop(request: StopRequest): Promise<StopAnswer>;
  /**
   * The bot was removed from a server or workspace: what is being answered there stops, and what
   * was said and set there is deleted. Resolves to how many conversations; may be repeated.
   */
  leave(request: LeaveRequest): Promise<number>;
  /**
   * Nothing can be shown any more under these keys (`slack:T1:`): what is being answered there stops
   * at once and what waits is taken out of the line. What was said is kept. Resolves to how many
   * conversations; may be repeated.
   */
  stopUnder(keyPrefix: string): Promise<number>;
  /**
   * Nothing can be shown on a platform for now: what is being answered there stops where it is, and goes
   * on once {@link Platform.canShow} says that it can.
   */
  holdRuns(platform: string): void;
  /** The bytes of a reply's file, for delivering it. */
  openFile(file: ReplyFile): Promise<ReadableStream<Uint8Array>>;
  /** What became of each file of a message, once known; for showing it on the message. */
  onFileStatus(listener: (eventId: string, statuses: readonly FileStatus[]) => void): () => void;
  /** The lines of conversations whose queue changed. Only for showing; calls may be merged. */
  onQueueChange(
    listener: (conversationKey: string, waiting: readonly QueuePosition[]) => void,
  ): () => void;
  /** Something is shown on a message that waits: {@link Bot.onWaited} is told when it waits no longer. Never rejects. */
  markWaiting(mark: WaitingMark): Promise<void>;
  /**
   * Has marks of this owner taken away that are not right any more, also those of processes that have ended.
   * May be told of one more than once.
   */
  onWaited(owner: string, takeAway: (shown: Json) => Promise<void>): () => void;
}
