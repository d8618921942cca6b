import type { Json } from "#domain/json";

/**
 * What the processes of one bot share for a moment, beside what is stored. Nothing goes through it
 * that must not be lost.
 */
export interface Processes {
  /**
   * True for the first process that asks within the time, and for that one again. For what may
   * reach two of them and is done once. Throws when that cannot be found out.
   */
  claim(id: string, forMs: number): Promise<boolean>;
  /** Tells the others. Never fails: nobody may be there, and words may get lost. */
  tell(topic: string, words: Json): void;
  /** Hears what others tell; call the result to stop. Nobody hears themselves. */
  hear(topic: string, listener: Listener): () => void;
  /**
   * Takes one use of each limit, as all processes count them: of all or of none. `undefined` where
   * one process is all there is, which counts for itself. Never fails: while nobody can count for
   * all, it is as if each were alone.
   */
  readonly spend: ((limits: readonly SharedLimit[]) => Promise<Spent>) | undefined;
  /** What only one process may have at a time. `undefined` where one process is all there is. */
  readonly office: ((name: string, holder: Holder) => Office) | undefined;
}

/** What is done by whoever has an office. */
export interface Holder {
  /** It is this process's. One that throws is tried again, here or elsewhere. */
  begin(): Promise<void>;
  /** It was lost: another process has begun, or is about to. */
  end(): Promise<void>;
}

/** Something that one process has and others wait for, so that there is always somebody. */
export interface Office {
  /** By this process's own clock: false before anybody else can have it. */
  readonly isHeld: boolean;
  /** Takes it now, or stands by from now on. Throws what the first `begin` threw. */
  open(): Promise<void>;
  /** Ends what was begun, and leaves it to the others. */
  close(): Promise<void>;
}

/** Hears a topic. */
export interface Listener {
  readonly told: (words: Json) => void;
  /** Words may have been lost: what they said has to be looked up. */
  readonly missed?: () => void;
}

/** So many calls of something: refilled evenly, or each one counting for a while after its end. */
export type SharedLimit =
  | {
      readonly type: "refilled";
      readonly key: string;
      readonly capacity: number;
      readonly perSecond: number;
    }
  | {
      readonly type: "windowed";
      readonly key: string;
      readonly calls: number;
      readonly windowMs: number;
    };

/** Whether the uses were there. */
export type Spent =
  /** `left`: of each limit, in order. Call `done` when the call has ended: windows count from then. */
  | { readonly isGranted: true; readonly left: readonly number[]; readonly done: () => void }
  /** `waitMs`: of each limit, in order; 0 where it was not the one that is short. */
  | { readonly isGranted: false; readonly waitMs: readonly number[] };

/** One process is all there is. */
export const alone: Processes = {
  claim: async () => true,
  tell: () => undefined,
  hear: () => () => undefined,
  spend: undefined,
  office: undefined,
};
