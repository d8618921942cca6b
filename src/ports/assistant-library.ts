import type { AssistantFile } from "#domain/assistant-file";

/** A file with an assistant, found in a folder. */
export interface ShelvedAssistant {
  /** The file's name without its ending: `customer-service`. */
  readonly name: string;
  /** Changes with what stands in the file. */
  readonly sha256: string;
  readonly file: AssistantFile;
  /** The bytes of one of {@link AssistantFile.files}. Throws a BotError `not-found` that names it. */
  readFile(name: string): Promise<Uint8Array>;
}

/** Assistants as files: those an admin keeps in a folder, and the examples that come along. */
export interface AssistantLibrary {
  /** The admin's own, and what is wrong with those that cannot be read; sorted by name. */
  own(): Promise<{
    readonly assistants: readonly ShelvedAssistant[];
    readonly problems: readonly { readonly name: string; readonly problem: string }[];
  }>;
  /** What an assistant can be made from: the admin's own and the examples, the admin's first. */
  templates(): Promise<readonly ShelvedAssistant[]>;
  /** Reads the text of such a file. Throws a BotError `bad-input` that says what is wrong and where. */
  read(text: string): AssistantFile;
  /** The text of a file that {@link read} takes. */
  write(file: AssistantFile): string;
}
