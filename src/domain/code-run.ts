/** A file that goes into a run of code, or comes out of it. */
export interface CodeFile {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Code to be run, and the files it finds in its working folder, each under a name of its own. */
export interface CodeRequest {
  readonly code: string;
  readonly files: readonly CodeFile[];
}

/** What came of running code. */
export type CodeOutcome =
  | {
      readonly type: "ran";
      /** What it printed, shortened in the middle where it is long. */
      readonly output: string;
      /** The value of its last expression, as text. */
      readonly value: string | undefined;
      /** The traceback, from its own first line on. */
      readonly error: string | undefined;
      /** The module it asked for in vain, when that is the error. */
      readonly missingModule: string | undefined;
      /** What is new or changed in the working folder. */
      readonly files: readonly CodeFile[];
      /** Names of files that were too many or too big. */
      readonly leftOut: readonly string[];
    }
  /** It was ended, or ended itself; nothing of what it did is left. `why` is a sentence. */
  | { readonly type: "stopped"; readonly why: string };
