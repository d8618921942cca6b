import type { AssistantRef } from "#domain/assistant";
import type { CommandAnswer } from "#domain/command";
import type { Person, Place } from "#domain/conversation";
import type { FileUse, StoredFile } from "#domain/file";
import type { Run } from "#domain/run";

/** A conversation as commands see it. */
export interface ConversationSummary {
  readonly conversationKey: string;
  readonly channelKey: string;
  readonly title: string;
  readonly updatedAtMs: number;
  readonly isBusy: boolean;
}

/** A conversation with where it was last talked in. */
export interface PlacedConversation extends ConversationSummary {
  readonly place: Place;
}

export interface ConversationStatus {
  readonly conversationKey: string;
  readonly threadId: string | undefined;
  readonly messageCount: number;
  readonly isRunning: boolean;
  /** The person who is asked for an approval or a form, when the run is parked. */
  readonly waitingFor: string | undefined;
  readonly waiting: readonly { readonly eventId: string; readonly personKey: string }[];
  readonly lastRun: Run | undefined;
  readonly assistant: AssistantRef | undefined;
  /** A person has taken over, and why: the bot is silent. */
  readonly handedOver?: string;
}

/**
 * What commands may do with threads. Changes are control items in the conversation's own order;
 * `eventId` makes each apply once. Implemented by the bot, used by the commands.
 */
export interface ThreadControl {
  /** The conversation a command typed here is about. */
  conversationOf(place: Place, person: Person): Promise<string>;
  /** The person's conversations in a channel, newest first. */
  openConversations(channelKey: string, person: Person): Promise<readonly ConversationSummary[]>;
  /** The person's conversations on a platform, newest first, at most `limit`. */
  recentConversations(
    person: Person,
    of: { readonly platform: string; readonly limit: number },
  ): Promise<readonly PlacedConversation[]>;
  status(conversationKey: string): Promise<ConversationStatus>;
  stop(
    conversationKey: string,
    what: "current" | "all",
  ): Promise<{ readonly stopped: boolean; readonly removedFromQueue: number }>;
  /** The bot answers again where a person had taken over. False: nobody had. */
  resume(conversationKey: string): Promise<boolean>;
  /** Begins a new thread, at once or after the running reply. */
  startNewThread(conversationKey: string, eventId: string): Promise<void>;
  /** Answers the last answered message again. False when there is none. */
  retry(conversationKey: string, eventId: string, by: Person): Promise<boolean>;
  /** Really deletes a conversation: messages, files, remote state. Cancels what runs. */
  forgetConversation(conversationKey: string, eventId: string): Promise<void>;
  /**
   * Deletes all that a person said anywhere, with the answers only they asked for; what others said
   * in the same conversations stays. Returns how many conversations were touched.
   */
  forgetPerson(personKey: string, eventId: string): Promise<number>;
  /** Stops what runs and empties the lines of all conversations whose keys begin so; returns how many. */
  stopUnder(keyPrefix: string): Promise<number>;
  /** Cancels and really deletes all conversations whose keys begin so; returns how many. */
  forgetUnder(keyPrefix: string, eventId: string): Promise<number>;
  /** Deletes what is older than a time, in every conversation; returns how many were touched. */
  forgetOlderThan(beforeMs: number): Promise<number>;
  /** The conversation's current thread as JSON lines. */
  exportConversation(conversationKey: string): Promise<CommandAnswer["file"]>;
  /** Files within reach of the conversation, newest first. */
  files(conversationKey: string): Promise<readonly StoredFile[]>;
  /** Moves a file between look, search and compute. False when the conversation has no such file. */
  useFile(conversationKey: string, fileId: string, use: FileUse): Promise<boolean>;
  /** Removes a file from the conversation and deletes its bytes. */
  removeFile(conversationKey: string, fileId: string): Promise<boolean>;
}
