import type { Person, Place } from "#domain/conversation";
import type { FileStatus } from "#domain/file";
import type { Role } from "#domain/settings";

/** `/assistant <text>` from a slash command, a text message or a panel. */
export interface IncomingCommand {
  /** Unique per command, so that a redelivered one applies once. */
  readonly eventId: string;
  readonly place: Place;
  readonly person: Person;
  /** What the platform knows of the person's rights here; ADMINS and managers are added by the bot. */
  readonly role: Role;
  /** All after `/assistant`: `model gpt-5.5`. */
  readonly text: string;
  /** What became of the files attached to it; absent where a command cannot have any. */
  readonly files?: readonly FileStatus[];
  /** False where the platform cannot tell in which chat thread it was typed (Slack slash commands). */
  readonly knowsThread: boolean;
}

/** What the bot says to a command; shown only to who asked. */
export interface CommandAnswer {
  readonly ok: boolean;
  /** CommonMark + GFM. */
  readonly text: string;
  /** Next commands, offered as buttons: `/assistant stop` for one of several conversations. */
  readonly choices?: readonly { readonly label: string; readonly command: string }[];
  /** A file to hand over, for `export`. */
  readonly file?: { readonly name: string; readonly mimeType: string; readonly data: Uint8Array };
}

/** One word of the grammar, for slash-command registration, help and completion. */
export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** `<required>`, `[optional]`, `a|b` alternatives. */
  readonly usage: string;
  readonly role: Role;
  /** Who may change something with it, where that is more than {@link role}. */
  readonly changedBy?: Role;
  readonly parameters: readonly CommandParameter[];
}

export interface CommandParameter {
  readonly name: string;
  readonly summary: string;
  readonly required: boolean;
  /** Where completions come from. */
  readonly kind: "assistant" | "model" | "tool" | "word" | "text" | "file";
  readonly choices?: readonly string[];
}

/** A command while it is being typed. */
export interface PartialCommand {
  readonly place: Place;
  readonly person: Person;
  readonly text: string;
}

/** One thing to pick. */
export interface Choice {
  /** For completion: the whole command text as it would then read, `model gpt-5.5`. */
  readonly value: string;
  /** For completion: the piece that is new, `gpt-5.5`. */
  readonly label: string;
}

/**
 * Settings as a form, from the same grammar: each field's command is `<field.command> <value>`, also
 * when the value is empty, which clears it. Fields come in order of importance, for forms that hold few.
 */
export interface Panel {
  readonly title: string;
  readonly text: string;
  readonly fields: readonly PanelField[];
}

export interface PanelField {
  /** Ends in `=`, so that an empty value is told from a question: `context me =`. */
  readonly command: string;
  readonly label: string;
  readonly value: string;
  readonly multiline: boolean;
  readonly choices?: readonly Choice[];
  /** Words why this person cannot change it; absent when they can. */
  readonly locked?: string;
}
