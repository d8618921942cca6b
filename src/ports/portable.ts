import type { Json } from "#domain/json";

/**
 * Everything an engine keeps, as lines any engine can take in: for restoring, moving and upgrades.
 * Lines come in an order in which they can be taken in again.
 */
export interface Portable {
  /**
   * One {@link PortableLine} after the other, read in pages. Consistent while nothing is written
   * meanwhile: of a store at work, export a backup.
   */
  exportLines(): Iterable<Json> | AsyncIterable<Json>;
  /**
   * Takes in one line, replacing what has the same name. Durable when it resolves; cheapest when some
   * hundreds are handed over before the first is waited for. Call it before the queue starts. Throws
   * a BotError `bad-input` that names what is wrong with the line.
   */
  importLine(line: Json): Promise<void>;
}

/** One thing, by `kind`. Times are milliseconds since 1970. */
export type PortableLine =
  /** An event id that is known; without a conversation: a tombstone. */
  | {
      readonly kind: "seen";
      readonly eventId: string;
      readonly conversationKey: string | null;
      readonly atMs: number;
    }
  /** A change of a message and how it was answered. */
  | {
      readonly kind: "change";
      readonly changeId: string;
      readonly state: string;
      readonly conversationKey: string | null;
      readonly atMs: number;
    }
  /** In line, in the order of the lines. `isTaken`: the run at hand answers it. */
  | {
      readonly kind: "message";
      readonly eventId: string;
      readonly conversationKey: string;
      readonly personKey: string;
      readonly payload: Json;
      readonly detail: number;
      readonly acceptedAtMs: number;
      readonly isTaken: boolean;
      readonly amendment: Json;
    }
  /** In line. `isTaken`: the run at hand is about it, or was given it. */
  | {
      readonly kind: "control";
      readonly eventId: string;
      readonly conversationKey: string;
      readonly to: "run" | "conversation";
      readonly payload: Json;
      readonly acceptedAtMs: number;
      readonly isTaken: boolean;
    }
  /** A conversation's run that is not over. A note that was never written is left out. */
  | {
      readonly kind: "run-at-hand";
      readonly conversationKey: string;
      readonly epoch: string;
      readonly state: "running" | "parked" | "retry";
      readonly dueMs: number | null;
      readonly attempts: number;
      readonly stopRequested: boolean;
      readonly checkpoint?: Json;
      readonly journal?: Json;
    }
  /** An item that was given up. */
  | {
      readonly kind: "set-aside";
      readonly eventId: string;
      readonly conversationKey: string;
      readonly item: Json;
      readonly code: string;
      readonly checkpoint?: Json;
      readonly atMs: number;
    }
  | {
      readonly kind: "register";
      readonly name: string;
      readonly value: Json;
      readonly version: number;
    }
  | {
      readonly kind: "list-item";
      readonly list: string;
      readonly position: number;
      readonly value: Json;
    }
  /** The last position of a list that was given, when its item is gone. */
  | { readonly kind: "list-end"; readonly list: string; readonly position: number }
  | {
      readonly kind: "rank";
      readonly ranking: string;
      readonly member: string;
      readonly score: number;
    }
  | {
      readonly kind: "count";
      readonly counter: string;
      readonly field: string;
      readonly value: number;
    }
  | { readonly kind: "record"; readonly key: string; readonly value: Json }
  /** Epochs given from now on begin above this number. */
  | { readonly kind: "epoch"; readonly counter: number };
