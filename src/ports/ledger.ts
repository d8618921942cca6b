import type { Json } from "#domain/json";

/**
 * Small facts that must change together: registers, lists, rankings and counters.
 *
 * It lives in the queue's engine, so that a run's commit can change them in the same atomic step.
 * Big records live in the {@link RecordStore}; here are only the names that make them count.
 * Every write is durable when it resolves; every method throws when the engine is unreachable.
 */
export interface Ledger {
  /** A register's value and version; undefined when it was never written or was removed. */
  read(name: string): Promise<Register | undefined>;
  /** The names of registers that begin with the prefix, sorted by code point; `after` pages on. */
  names(
    prefix: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly string[]>;
  /**
   * Items of a list by position, oldest first unless `newestFirst`. Positions begin at 1; removed
   * items leave gaps, and no position is given twice while the list lives.
   */
  items(list: string, range: ListRange): Promise<readonly ListItem[]>;
  /** Members of a ranking by score, lowest first unless `highestFirst`. */
  ranked(
    ranking: string,
    range: RankRange,
  ): Promise<readonly { readonly member: string; readonly score: number }[]>;
  /** The fields of a counter; empty when nothing was counted. */
  counts(counter: string): Promise<{ readonly [field: string]: number }>;
  /** Applies a change outside of any run. Resolves to false, and changes nothing, when an `ifVersion` fails. */
  apply(change: LedgerChange): Promise<boolean>;
}

export interface Register {
  readonly value: Json;
  /** Rises by one with every write. */
  readonly version: number;
}

export interface ListItem {
  readonly position: number;
  readonly value: Json;
}

export interface ListRange {
  /** Only positions greater than this. */
  readonly after?: number;
  /** Only positions smaller than this. */
  readonly before?: number;
  readonly limit: number;
  readonly newestFirst?: boolean;
}

export interface RankRange {
  readonly from?: number;
  readonly to?: number;
  readonly limit: number;
  readonly highestFirst?: boolean;
}

/** What changes, all or nothing. */
export interface LedgerChange {
  readonly registers?: readonly {
    readonly name: string;
    /** `null` removes it. */
    readonly value: Json;
    /** Only if the register has this version now (0: does not exist). Not used under a lease. */
    readonly ifVersion?: number;
  }[];
  readonly appends?: readonly { readonly list: string; readonly value: Json }[];
  /** `value: null` removes the item. */
  readonly replaces?: readonly {
    readonly list: string;
    readonly position: number;
    readonly value: Json;
  }[];
  /** Removes whole lists, rankings and counters, before anything else in this change. */
  readonly removes?: readonly string[];
  /** `score: null` removes the member. */
  readonly ranks?: readonly {
    readonly ranking: string;
    readonly member: string;
    readonly score: number | null;
  }[];
  readonly counts?: readonly {
    readonly counter: string;
    readonly field: string;
    readonly by: number;
  }[];
}
