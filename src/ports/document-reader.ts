import type { DocumentText } from "#domain/file";

/** What a file is, found by looking at its first bytes (and, for text, its name). */
export interface FileKind {
  readonly mimeType: string;
  readonly family: "image" | "pdf" | "document" | "sheet" | "text" | "code" | "unsupported";
}

/** One sheet of a workbook, whole. */
export interface Sheet {
  readonly name: string;
  /** Formulas give their stored results. */
  readonly csv: string;
}

/**
 * Reads documents somebody sent: hostile until proven otherwise, so parsing happens in a child
 * process with limits on time and memory.
 */
export interface DocumentReader {
  /** Never throws: what it does not know is `unsupported`. */
  kindOf(head: Uint8Array, name: string): Promise<FileKind>;
  /**
   * The text of a document. Throws a BotError `file-broken` or `file-unsupported` with words for the
   * person; a parser that hangs, crashes or outgrows its memory is `file-broken`, too.
   */
  read(data: Uint8Array, kind: FileKind, name: string, signal: AbortSignal): Promise<DocumentText>;
  /**
   * The sheets of a workbook, to compute with: whole, or not at all. Throws a BotError
   * `file-too-large` when they hold more than can be taken, and for the same reasons as `read`.
   */
  readSheets(data: Uint8Array, name: string, signal: AbortSignal): Promise<readonly Sheet[]>;
}
