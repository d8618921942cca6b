import type { Json } from "#domain/json";

/** A file as a table, or, for a workbook, as a table for each sheet. */
export interface TableFile {
  /** What SQL calls it; a workbook of several sheets gives `name_sheet`. */
  readonly name: string;
  /** The file's own name: for messages, and as another name for its table. */
  readonly file: string;
  readonly format: "csv" | "workbook";
  readonly data: Uint8Array;
}

export interface ResultColumn {
  readonly name: string;
  /** As the engine calls it: `BIGINT`, `VARCHAR`, `DATE`. */
  readonly type: string;
}

export interface TableQuery {
  readonly files: readonly TableFile[];
  /** One statement that reads. */
  readonly sql: string;
  /** At most so many rows are given back. */
  readonly maxRows: number;
  /** And of those, as many as this holds. */
  readonly maxCharacters: number;
  /** The most bytes of a CSV file with the whole result, where one is wanted. */
  readonly csvMaxBytes?: number;
}

/** `problem` is for the model: it says what was wrong and what may be done. */
export type Refused = { readonly ok: false; readonly problem: string };

export type QueryAnswer =
  | {
      readonly ok: true;
      readonly columns: readonly ResultColumn[];
      readonly rows: readonly (readonly Json[])[];
      /** True: there are more rows than those given. */
      readonly isCut: boolean;
      /** The whole result, with all that a spreadsheet would take for a formula made text. */
      readonly csv?: { readonly data: Uint8Array; readonly rows: number };
      /** What had to be done to read the files, in sentences. */
      readonly notes: readonly string[];
    }
  | Refused;

export interface DescribedTable {
  readonly name: string;
  readonly file: string;
  readonly sheet?: string;
  readonly rows: number;
  readonly columns: readonly ResultColumn[];
  /** The first rows. */
  readonly sample: readonly (readonly Json[])[];
}

export type TableDescription =
  | {
      readonly ok: true;
      readonly tables: readonly DescribedTable[];
      readonly notes: readonly string[];
    }
  | Refused;

/**
 * Answers SQL over files. Files and SQL are hostile until proven otherwise: nothing but the tables
 * can be reached, and time and memory are limited. Rejects only when the signal is aborted or the
 * engine cannot be started at all.
 */
export interface DataEngine {
  query(query: TableQuery, signal: AbortSignal): Promise<QueryAnswer>;
  describe(files: readonly TableFile[], signal: AbortSignal): Promise<TableDescription>;
}
