import type { ReplyJournal, SegmentIntent, ShownSegment } from "#ports/platform";
import { LeaseLost } from "#ports/run-queue";

/** What a journal was asked, in order. */
export type JournalCall =
  | { readonly type: "before"; readonly index: number; readonly intent: SegmentIntent }
  | { readonly type: "after"; readonly index: number; readonly segment: ShownSegment }
  | { readonly type: "drop"; readonly index: number };

/** Outlives the "process": what the queue's engine would have on disk. */
export class JournalMemory {
  readonly segments: Map<number, ShownSegment>;
  readonly intents: Map<number, SegmentIntent>;

  /** `from`: as it is now, and on its own from now on. */
  constructor(from?: JournalMemory) {
    this.segments = new Map(from?.segments);
    this.intents = new Map(from?.intents);
  }
}

/**
 * A reply journal in memory. A second one over the same {@link JournalMemory} is what a later
 * attempt is given after a crash.
 */
export class MemoryJournal implements ReplyJournal {
  readonly saved: readonly ShownSegment[];
  readonly doubtful: readonly SegmentIntent[];
  readonly calls: JournalCall[] = [];
  /** Called inside every `before`, when the intent is stored but nothing is visible yet. */
  onBefore: ((intent: SegmentIntent) => Promise<void>) | undefined;
  /** Called inside every `after`, before the segment is stored. */
  onAfter: ((segment: ShownSegment) => Promise<void>) | undefined;
  readonly #replyId: string;
  readonly #memory: JournalMemory;
  #lost = false;

  constructor(replyId: string, memory = new JournalMemory()) {
    this.#replyId = replyId;
    this.#memory = memory;
    this.saved = [...memory.segments.values()].sort((a, b) => a.index - b.index);
    this.doubtful = [...memory.intents.values()].sort((a, b) => a.index - b.index);
  }

  /** From now on another worker owns the conversation. */
  lose(): void {
    this.#lost = true;
  }

  intentId(index: number, revision: number): string {
    return `${this.#replyId}.${index}.${revision}`.slice(-25);
  }

  async before(intent: SegmentIntent): Promise<void> {
    await this.assertOwner();
    this.#memory.intents.set(intent.index, intent);
    this.calls.push({ type: "before", index: intent.index, intent });
    await this.onBefore?.(intent);
  }

  async after(segment: ShownSegment): Promise<void> {
    await this.assertOwner();
    await this.onAfter?.(segment);
    this.#memory.intents.delete(segment.index);
    this.#memory.segments.set(segment.index, segment);
    this.calls.push({ type: "after", index: segment.index, segment });
  }

  async drop(index: number): Promise<void> {
    await this.assertOwner();
    this.#memory.intents.delete(index);
    this.#memory.segments.delete(index);
    this.calls.push({ type: "drop", index });
  }

  async assertOwner(): Promise<void> {
    if (this.#lost) throw new LeaseLost(this.#replyId);
  }
}
