import type { Choice, CommandSpec, Panel } from "#domain/command";
import type { FileStatus } from "#domain/file";
import type { ReplyView, StepView } from "#domain/reply-view";
import type { Role } from "#domain/settings";

/** Where people talk in the console. A direct message's id is `@` and the person's slug. */
export interface ChatChannel {
  readonly id: string;
  readonly name: string;
  readonly isDirect: boolean;
}

/** Somebody who speaks in the console. */
export interface ChatPerson {
  /** `web:ada`. */
  readonly key: string;
  readonly name: string;
}

/** A file on a message. Its bytes are at `/console/api/messages/<message>/files/<id>`. */
export interface ChatFile {
  readonly id: string;
  readonly name: string;
  readonly mimeType: string;
  readonly bytes: number;
  /** Words for who cannot see it. */
  readonly altText: string;
}

/** A reply of the bot, beside its text. */
export type ReplyState = Omit<ReplyView, "text" | "turnStart" | "removed" | "files">;

/** How much was said below a message. */
export interface ThreadSummary {
  readonly replies: number;
  readonly lastAtMs: number;
}

/** One message of a channel or a thread, by a person or the bot. */
export interface ChatMessage {
  readonly id: string;
  readonly channel: string;
  /** The message whose thread this belongs to; null in the channel itself. */
  readonly root: string | null;
  /** Where it stands among others; unique, rises with time. */
  readonly order: number;
  /** Rises with every change. */
  readonly version: number;
  readonly author: { readonly kind: "person" | "bot"; readonly key: string; readonly name: string };
  readonly text: string;
  readonly sentAtMs: number;
  readonly editedAtMs?: number;
  /** True: its author took it back, and it stays only to hold its thread. */
  readonly isDeleted?: boolean;
  readonly files: readonly ChatFile[];
  /** What became of each file, once known. */
  readonly fileStatuses?: readonly FileStatus[];
  /** True: handed to the bot. */
  readonly isForBot: boolean;
  /** Why the bot did not take it, in words. */
  readonly refused?: string;
  /** It was edited after this run had answered it (or while it did). */
  readonly editedAfterRun?: string;
  readonly reply?: ReplyState;
  readonly thread?: ThreadSummary;
}

/** A page of messages, oldest first. */
export interface MessagePage {
  readonly messages: readonly ChatMessage[];
  readonly hasOlder: boolean;
}

/** One conversation's line: positions by message id. */
export interface QueueLine {
  readonly conversationKey: string;
  readonly waiting: readonly { readonly messageId: string; readonly position: number }[];
}

/** A thread in the list of threads. */
export interface ThreadListing {
  readonly channel: ChatChannel;
  readonly root: ChatMessage;
}

/** What a window needs to begin. */
export interface ConsoleState {
  readonly botName: string;
  readonly person: ChatPerson;
  readonly role: Role;
  readonly channels: readonly ChatChannel[];
  readonly people: readonly ChatPerson[];
  readonly commands: readonly CommandSpec[];
  readonly queues: readonly QueueLine[];
  readonly maxFileBytes: number;
  readonly maxFilesPerMessage: number;
  readonly needsPassword: boolean;
}

/** How a reply changed since {@link LiveDelta.base}. Steps are named by their place in the list. */
export interface ReplyPatch {
  readonly set: Partial<ReplyState>;
  readonly steps: readonly {
    readonly index: number;
    /** The whole step, or what was added to its input and output. */
    readonly step?: StepView;
    readonly input?: string;
    readonly output?: string;
    readonly status?: StepView["status"];
  }[];
}

/** What a reply grew by: only the new text travels. */
export interface LiveDelta {
  readonly type: "delta";
  readonly id: string;
  readonly channel: string;
  /** The version this is a change of; a window that has another fetches the message. */
  readonly base: number;
  readonly version: number;
  /** The text's length before. */
  readonly from: number;
  readonly text: string;
  readonly files?: readonly ChatFile[];
  readonly patch?: ReplyPatch;
}

/** What happens while a window looks on. */
export type LiveEvent =
  /** First of all: what was missed cannot be told, so the window loads what it shows. */
  | { readonly type: "reset" }
  | { readonly type: "message"; readonly channel: string; readonly message: ChatMessage }
  | LiveDelta
  | { readonly type: "remove"; readonly channel: string; readonly id: string }
  | {
      readonly type: "thread";
      readonly channel: string;
      readonly root: string;
      readonly summary: ThreadSummary;
    }
  | { readonly type: "queue"; readonly line: QueueLine }
  | { readonly type: "channels"; readonly channels: readonly ChatChannel[] }
  | { readonly type: "people"; readonly people: readonly ChatPerson[] };

/** What a window posts. `nonce` is the same when it tries again. */
export interface PostRequest {
  readonly nonce: string;
  readonly channel: string;
  readonly root: string | null;
  readonly text: string;
  readonly fileIds: readonly string[];
}

/** The bot's words to one person, as an answer to what they did. */
export interface Words {
  readonly ok: boolean;
  readonly text: string;
  readonly choices?: readonly { readonly label: string; readonly command: string }[];
  /** A file to hand over; its bytes in base64. */
  readonly file?: { readonly name: string; readonly mimeType: string; readonly data: string };
}

/** What became of a post. */
export interface PostAnswer {
  /** Absent when it was a command, which is shown to nobody else. */
  readonly message?: ChatMessage;
  /** Messages before it; 0: answered now. */
  readonly position?: number;
  readonly words?: Words;
}

/** An uploaded file that waits to be sent with a message. */
export interface UploadAnswer {
  readonly file: ChatFile;
}

/** Completions of a partial command. */
export interface CompletionAnswer {
  readonly choices: readonly Choice[];
}

/** The settings of a channel as a form. */
export interface SettingsAnswer {
  readonly panel: Panel;
}

/** Who may come in. */
export interface SessionAnswer {
  readonly needsPassword: boolean;
  readonly isOpen: boolean;
}
