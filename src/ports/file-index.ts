import type { DocumentText } from "#domain/file";
import type { FoundPassage } from "#domain/passage";

/** What an index knows of a file; `sha256` tells whether the file has changed since. */
export type IndexState =
  | {
      readonly status: "indexed";
      readonly sha256: string;
      readonly passages: number;
      /** True when a limit cut the document short. */
      readonly truncated: boolean;
    }
  | {
      readonly status: "failed";
      readonly sha256: string;
      /** Why it cannot be searched, in words for the person. */
      readonly why: string;
    };

export interface IndexedFile {
  readonly id: string;
  readonly name: string;
  readonly sha256: string;
}

export interface FileQuery {
  /** Words, in any language; how they are joined is the index's business. */
  readonly query: string;
  /** Only these are searched. */
  readonly fileIds: readonly string[];
  readonly limit: number;
  /** What a model made of the query: what is near by meaning is found, too. */
  readonly vector?: { readonly model: string; readonly values: Float32Array };
}

/** Passages that a model has made no vector of. */
export interface UnembeddedPassages {
  /** Of all there are. */
  readonly count: number;
  /** The first of them; `row` is the index's own name for one. */
  readonly passages: readonly { readonly row: number; readonly text: string }[];
}

/**
 * Finds passages in documents. What it holds is made of files that are kept elsewhere: it may be
 * deleted at any time, and is made again from them.
 *
 * Every method throws a BotError `store-unavailable` when the index cannot be reached.
 */
export interface FileIndex {
  /** Takes a document in, in the place of what it knew of the file. */
  put(file: IndexedFile, text: DocumentText): Promise<IndexState>;
  /** Notes that a file cannot be searched, in the place of what it knew of it. */
  refuse(file: IndexedFile, why: string): Promise<IndexState>;
  /** What is known of files, by id; those never seen are left out. */
  states(fileIds: readonly string[]): Promise<ReadonlyMap<string, IndexState>>;
  /** What is to be embedded of some files. Vectors of another model than this are dropped. */
  unembedded(model: string, fileIds: readonly string[], limit: number): Promise<UnembeddedPassages>;
  /** Takes vectors of one model in; those of passages that are gone are left out. */
  embed(
    model: string,
    vectors: readonly { readonly row: number; readonly values: Float32Array }[],
  ): Promise<void>;
  /** The passages that fit best, best first. Words nobody wrote find nothing, without a vector. */
  search(query: FileQuery): Promise<readonly FoundPassage[]>;
  /** Forgets a file: nothing of its text stays on disk. */
  remove(fileId: string): Promise<void>;
  close(): Promise<void>;
}
