import { z } from "zod";

/** What the process is asked, as its first line; the files' bytes follow, one after the other. */
export interface SandboxRequest {
  readonly code: string;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Pyodide's package, ending in `/`. */
  readonly pyodideFolder: string;
  /** Where wheels are, ending in `/`; absent where there are none. */
  readonly packagesFolder?: string;
  readonly limits: AnswerLimits;
}

/** How much of each the code may give back; times are none of this side's business. */
export interface AnswerLimits {
  /** Characters of what it prints. */
  readonly output: number;
  /** Characters of the last expression's value. */
  readonly value: number;
  /** Characters of a traceback. */
  readonly error: number;
  readonly files: number;
  /** Bytes of all files together. */
  readonly fileBytes: number;
}

/** Nobody needs a longer name, and every platform takes this one. */
const maxNameCharacters = 1_000;

/**
 * The form of what the process answers. Whoever broke out of Python writes it, so it is checked like
 * a stranger's: form here, sizes by the limits.
 */
export function answerSchema(limits: AnswerLimits) {
  // Each shortening adds a line that says how much was left out.
  const text = (most: number) => z.string().max(most + 100);
  return z.discriminatedUnion("type", [
    z.object({
      type: z.literal("ran"),
      output: text(limits.output),
      value: text(limits.value).nullable(),
      error: text(limits.error).nullable(),
      /** The module that is not there, where that is what went wrong. */
      missing: z.string().max(200).nullable(),
      files: z
        .array(
          z.object({
            name: z.string().min(1).max(maxNameCharacters),
            data: z.string().max(Math.ceil(limits.fileBytes / 3) * 4),
          }),
        )
        .max(limits.files),
      leftOut: z.array(z.string().max(200)).max(20),
    }),
    /** The code was not begun: a package could not be installed. */
    z.object({ type: z.literal("unprepared"), problem: z.string().max(1_000) }),
    /** Python itself gave up: its stack, its memory, or somebody's doing. */
    z.object({ type: z.literal("crashed") }),
  ]);
}

export type SandboxAnswer = z.output<ReturnType<typeof answerSchema>>;
