import type { Person, Place, QueuePolicy } from "#domain/conversation";
import type { Json } from "#domain/json";
import type { EditedOrDeleted, IncomingMessage } from "#domain/message";

/** What a conversation's inbox holds besides messages: done in its order, each once. */
export type ConversationControl =
  /** The next message begins a new thread. */
  | { readonly type: "new-thread" }
  /** Everything the conversation ever held is deleted. */
  | { readonly type: "forget" }
  /** What one person said here is deleted. */
  | { readonly type: "forget-person"; readonly personKey: string }
  /** What is older is deleted. */
  | { readonly type: "forget-older"; readonly beforeMs: number }
  /** An answered message was changed: its text in the transcript changes with it. */
  | {
      readonly type: "revise";
      readonly eventId: string;
      readonly change: EditedOrDeleted["change"];
    }
  /** What a run answered is answered again, or its answer is carried on. */
  | {
      readonly type: "again";
      readonly as: "retry" | "new-version" | "continue";
      readonly runId: string;
      readonly by: Person;
    };

/** A message as it lies in the inbox, with the policy that held when it came. */
export interface QueuedMessage {
  readonly message: IncomingMessage;
  readonly policy: QueuePolicy;
}

/** What is kept of a run, to find it again. */
export interface RunPlace {
  readonly conversationKey: string;
  readonly threadId: string;
  readonly personKey: string;
  readonly place: Place;
  /** Record of the finished run; absent while it is at hand. */
  readonly record?: string;
}

export function toControl(payload: Json): ConversationControl {
  return payload as unknown as ConversationControl;
}

export function toQueuedMessage(payload: Json): QueuedMessage {
  return payload as unknown as QueuedMessage;
}

/** What is kept of a conversation while a run is at work or parked in it. */
export interface AtHand {
  readonly runId: string;
  readonly personKey: string;
  readonly personName: string;
  /** The question the run waits for, when it is parked. */
  readonly requestId: string | null;
  /** What a conversation is called that has no answer yet, and when it was asked. */
  readonly title?: string;
  readonly askedAtMs?: number;
  /** It has begun something that cannot be undone: nothing newer replaces it. */
  readonly hasEffects?: boolean;
}
