import type { QueryAnswer, TableDescription } from "#ports/data-engine";

/** A file in the folder of one question, and the table it becomes. */
export interface SourceTable {
  readonly name: string;
  /** What SQL may call it too. */
  readonly alias?: string;
  /** The person's name for it, and the sheet's. */
  readonly file: string;
  readonly sheet?: string;
  readonly path: string;
}

/** What the engine's process is asked. */
export interface EngineRequest {
  readonly tables: readonly SourceTable[];
  /** DuckDB's own limit; what it does not count is watched from outside. */
  readonly memoryBytes: number;
  readonly threads: number;
  readonly timeoutMs: number;
  readonly ask:
    | { readonly type: "describe" }
    | {
        readonly type: "query";
        readonly sql: string;
        readonly maxRows: number;
        readonly maxCharacters: number;
        /** Where the whole result goes as CSV, and how large it may be. */
        readonly csv?: { readonly path: string; readonly maxBytes: number };
      };
}

type Written<Answer> = Answer extends { readonly csv?: unknown }
  ? Omit<Answer, "csv"> & { readonly csvRows?: number }
  : Answer;

/** What it answers: a CSV file is in the folder by then. */
export type EngineAnswer = Written<QueryAnswer> | TableDescription;
