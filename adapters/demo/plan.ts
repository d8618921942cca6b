import type { WireError } from "./wire.ts";

/** A file the brain makes. */
export interface MadeFile {
  readonly name: string;
  readonly data: Uint8Array;
}

/** A passage found in a file. */
export interface Passage {
  readonly fileId?: string;
  readonly fileName: string;
  readonly text: string;
  /** 0 to 1. */
  readonly score: number;
}

/** Where in a text a file is cited: right after the character before `index`. */
export interface Citation {
  readonly index: number;
  readonly fileId: string;
  readonly fileName: string;
}

/** One thing the brain does; each becomes one output item. */
export type Act =
  | { readonly type: "say"; readonly text: string; readonly citations?: readonly Citation[] }
  | { readonly type: "reason"; readonly summary: string }
  | { readonly type: "call"; readonly name: string; readonly arguments: string }
  | { readonly type: "search"; readonly query: string; readonly passages: readonly Passage[] }
  | {
      readonly type: "compute";
      readonly code: string;
      readonly logs: string;
      readonly files: readonly MadeFile[];
    }
  | { readonly type: "draw"; readonly prompt: string; readonly png: Uint8Array };

/** How a reply goes wrong when somebody asks it to, half way through its text. */
export type Fault = "cut" | "reset" | "hang" | "content_filter" | "error" | "stream_quota";

/** What the brain decided. */
export type Plan =
  | {
      readonly type: "answer";
      readonly acts: readonly Act[];
      readonly fault?: Fault;
      /** Instead of the usual pace: the whole answer takes this long. */
      readonly lastsMs?: number;
      /** Not slower than this in all. */
      readonly lastsAtMostMs?: number;
    }
  | { readonly type: "refuse"; readonly error: WireError };
