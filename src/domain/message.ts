import type { Person, Place } from "#domain/conversation";
import type { Json } from "#domain/json";
import type { Role } from "#domain/settings";

/** A file somebody attached, as plain data: it is fetched later, from `source`, by its platform. */
export interface Attachment {
  /** The platform's id of the file. */
  readonly id: string;
  readonly name: string;
  readonly mimeType?: string;
  readonly bytes?: number;
  /** Alt text its author gave. */
  readonly description?: string;
  /** What the platform needs to fetch it again. Opaque to the core. */
  readonly source: Json;
}

/** Something people said before the bot was called: context to quote, never instructions to obey. */
export interface QuotedMessage {
  readonly author: string;
  readonly text: string;
  readonly sentAtMs: number;
  readonly fileNames: readonly string[];
}

/** A message as a platform hands it over. */
export interface IncomingMessage {
  /** Unique per message, whatever is delivered twice: `slack:T1:C1:1700000000.000100`. */
  readonly eventId: string;
  readonly place: Place;
  readonly author: Person;
  /** What the platform knows of the author's rights here; for text commands. `person` when left out. */
  readonly role?: Role;
  /** Markdown; the mention of the bot is stripped and ids are replaced by names. */
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly sentAtMs: number;
  readonly quoted?: readonly QuotedMessage[];
  /** In words, when not everything said before could be read: "I could read back 15 messages." */
  readonly quotedNote?: string;
}

/** A person changed or removed a message they had sent. */
export interface EditedOrDeleted {
  /** The message's own {@link IncomingMessage.eventId}. */
  readonly eventId: string;
  /** Unique per change, so that a redelivered edit applies once. */
  readonly changeId: string;
  readonly by: Person;
  readonly change: /** The whole message as it stands now. */
  { readonly type: "edited"; readonly message: IncomingMessage } | { readonly type: "deleted" };
}
