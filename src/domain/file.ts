/** How a file is given to the model: shown to it, searched on demand, or computed with. */
export type FileUse = "look" | "search" | "compute";

/** A file in our own store. Its bytes live under the same id in the file store. */
export interface StoredFile {
  readonly id: string;
  readonly object: "file";
  readonly created_at: number;
  readonly filename: string;
  readonly bytes: number;
  /** Found by looking at the content, not at the name. */
  readonly mime_type: string;
  readonly purpose: "user_upload" | "assistants" | "assistants_output";
  readonly use: FileUse;
  readonly sha256: string;
  /** Words for who cannot see it. */
  readonly alt_text: string | null;
}

/** What became of one attachment, for the person who sent it. */
export interface FileStatus {
  readonly name: string;
  readonly fileId?: string;
  readonly status: "stored" | "read" | "indexed" | "refused";
  /** Why it was refused, or what was left out, in words. */
  readonly detail?: string;
}

/** Text taken out of a document, page by page where it has pages. */
export interface DocumentText {
  readonly pages: readonly {
    readonly page?: number;
    readonly title?: string;
    readonly text: string;
  }[];
  /** True when a limit cut the text short. */
  readonly truncated: boolean;
}
