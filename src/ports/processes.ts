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
  /**
   * What is cut into parts of which each is one process's at a time. `undefined` where one process
   * is all there is.
   */
  readonly offices: ((name: string, holder: Holder) => Offices) | undefined;
}

/** How something is cut: the same for all processes, from when one has a part until none has. */
export interface Cut {
  /** How much there is of what is divided. */
  readonly size: number;
  /** How many parts that makes: 1 or more. */
  readonly parts: number;
}

/** A part that is this process's. */
export interface Part {
  /** Which of the parts it is, from 0 on. */
  readonly index: number;
  readonly of: Cut;
  /** By this process's own clock: false before anybody else can have it, and never true again. */
  readonly isHeld: boolean;
  /** It cannot be done here as it is cut: it is ended, and begun again, here or elsewhere. */
  giveUp(): void;
}

/** What is done by whoever has parts. */
export interface Holder {
  /** How it is to be cut, should nobody have a part of it. Asked again after what could not be begun. */
  cut(): Promise<Cut>;
  /** The part is this process's. One that throws is tried again, here or elsewhere. */
  begin(part: Part): Promise<void>;
  /** It was lost, handed over or could not be begun. `begin` may not have come to its end, and has to. */
  end(part: Part): Promise<void>;
}

/**
 * Parts that are divided among the processes that are there: each is one's, all have the same
 * number of them, or one more, and what one process leaves others take.
 */
export interface Offices {
  /** Takes a part now, or stands by from now on. Throws what the first `cut` or `begin` threw. */
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
  offices: undefined,
};
