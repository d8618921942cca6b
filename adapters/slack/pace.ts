import type { Budget } from "./budget.ts";

/** An answer that is finished this soon after its first word is posted in one call. */
const firstWriteMs = 500;
/** Closely for about ten seconds; then by Slack's own advice for long-running updates. */
const closeUpdates = 6;
const updateEveryMs = { closely: 1_500, later: 3_000 };
/** How often a reply looks whether its next message can be shown by now. */
const lookEveryMs = 1_500;
/** Where a reply can neither be streamed nor updated, what is finished of it is posted after so long. */
const partAfterMs = 4_000;

/** How the message that still grows is there: as a stream, to be updated, or not yet. */
export type OpenMessage = "stream" | "message" | "none";

/** When one reply writes next, and what the budget keeps back for its end. */
export class Pace {
  readonly #budget: Budget;
  readonly #now: () => number;
  #nextMs: number | undefined;
  #updates = 0;
  #unshownSinceMs: number | undefined;

  constructor(budget: Budget, now: () => number) {
    this.#budget = budget;
    this.#now = now;
  }

  /** When the next write is due; of a reply that has not written, after a moment from now on. */
  get nextMs(): number {
    this.#nextMs ??= this.#now() + firstWriteMs;
    return this.#nextMs;
  }

  wait(ms: number): void {
    this.#nextMs = this.#now() + ms;
  }

  /** The message that grows was updated, or posted to be. */
  updated(): void {
    this.#updates += 1;
  }

  /** Everything there is to show now has been: the next look is a step later. */
  drew(open: OpenMessage): void {
    this.wait(this.#everyMs(open));
  }

  /** The call that will end the open message is kept back from now on. */
  keepEnd(open: OpenMessage, isClosed: boolean): void {
    if (isClosed || open === "stream") this.keepNothing();
    else this.#budget.keepFor(this, open === "message" ? "chat.update" : "chat.postMessage");
  }

  /** It will be updated. */
  keepUpdate(): void {
    this.#budget.keepFor(this, "chat.update");
  }

  keepNothing(): void {
    this.#budget.keepFor(this, undefined);
  }

  /** Nothing of the open message could be shown for long: what is finished of it is worth a message. */
  isPartDue(open: OpenMessage, channel: string): boolean {
    if (open !== "none") {
      this.#unshownSinceMs = undefined;
      return false;
    }
    this.#unshownSinceMs ??= this.#now();
    if (this.#now() - this.#unshownSinceMs < partAfterMs) return false;
    return !this.#budget.canStream && this.#budget.canPostPart(channel);
  }

  /** Its part is posted next, and the rest later. */
  partCut(): void {
    this.#unshownSinceMs = this.#now();
    this.#budget.keepFor(this, "chat.postMessage", 2);
  }

  #everyMs(open: OpenMessage): number {
    switch (open) {
      case "stream":
        return this.#budget.appendEveryMs;
      case "none":
        return lookEveryMs;
      case "message": {
        const { closely, later } = updateEveryMs;
        return Math.max(this.#updates < closeUpdates ? closely : later, this.#budget.updateEveryMs);
      }
    }
  }
}
