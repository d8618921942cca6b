import { slackStreamProfile, withLess } from "#domain/markdown-profile";
import { createSplitter, type MarkdownSplitter } from "#domain/split-markdown";
import type { ShownSegment } from "#ports/platform";

/** Of a message's room: what cards and the sections under the text may take. */
const besideTextBytes = 1_000;
/** Fewer characters are no message of their own. */
const worthwhile = 200;

/** The text of one message of a reply. */
export interface PlannedPart {
  readonly index: number;
  readonly from: number;
  readonly to: number;
  /** As it can be shown where it can be corrected later. */
  readonly text: string;
  /** As much of it as never changes any more. */
  readonly settled: string;
  readonly isFinished: boolean;
}

/**
 * Cuts a growing text into messages. One profile for streams, posts and updates, so that a message
 * keeps its text whichever way it is shown, and an earlier attempt's cuts are made again.
 */
export class Plan {
  readonly revision: number;
  readonly #splitter: MarkdownSplitter;
  readonly #cuts: { readonly from: number; readonly to: number }[];
  readonly #finished: PlannedPart[] = [];
  #text = "";
  #isEnded = false;

  constructor(revision: number, saved: readonly ShownSegment[] = []) {
    this.revision = revision;
    this.#splitter = createSplitter(withLess(slackStreamProfile, besideTextBytes));
    this.#cuts = saved
      .flatMap(({ content, closed, revision: of }) =>
        content.type === "text" && closed && of === revision ? [content] : [],
      )
      .sort((a, b) => a.to - b.to);
  }

  /** True when this text is the one before, with more at its end. */
  isContinuedBy(text: string, revision: number): boolean {
    return revision === this.revision && !this.#isEnded && text.startsWith(this.#text);
  }

  /** Takes the whole text as it is now. */
  feed(text: string): void {
    let at = this.#text.length;
    for (let cut = this.#cuts[0]; cut && cut.to <= text.length; cut = this.#cuts[0]) {
      this.#cuts.shift();
      this.#add(this.#splitter.push(text.slice(at, cut.to)));
      at = Math.max(at, cut.to);
      if (cut.from === cut.to) this.#addEmpty();
      else this.#add(this.#splitter.cut(cut.to));
    }
    this.#add(this.#splitter.push(text.slice(at)));
    this.#text = text;
  }

  /** There is no more text. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#add(this.#splitter.finish());
  }

  /** Ends the open message now: where what is settled of it ends, or with all its text so far. */
  cut(what: "settled" | "all"): void {
    if (this.#isEnded) return;
    const before = this.#finished.length;
    this.#add(this.#splitter.cut(what === "all" ? this.#text.length : undefined));
    if (this.#finished.length === before) this.#addEmpty();
  }

  /** Ends the open message at its last finished paragraph, outside of code; false when there is none worth it. */
  cutAtParagraph(): boolean {
    if (this.#isEnded) return false;
    const { openFrom, settled } = this.#splitter;
    const ready = this.#text.slice(openFrom, settled.to);
    for (let end = ready.lastIndexOf("\n\n"); end >= worthwhile; ) {
      const isInCode = (ready.slice(0, end).match(/^\s*(```|~~~)/gm) ?? []).length % 2 === 1;
      if (!isInCode) {
        this.#add(this.#splitter.cut(openFrom + end + 2));
        return true;
      }
      end = ready.lastIndexOf("\n\n", end - 1);
    }
    return false;
  }

  /** True where a reader would not notice a cut. */
  get isAtParagraphEnd(): boolean {
    const settled = this.#splitter.settled.text;
    return settled === "" || settled.endsWith("\n\n");
  }

  /** Every message there is to be, the open one last. An open one is there even when it is empty. */
  get parts(): readonly PlannedPart[] {
    if (this.#isEnded) return this.#finished;
    const { open, settled } = this.#splitter;
    return [
      ...this.#finished,
      {
        index: this.#finished.length,
        from: open.from,
        to: open.to,
        text: open.text,
        settled: settled.text,
        isFinished: false,
      },
    ];
  }

  #add(parts: readonly { readonly from: number; readonly to: number; readonly text: string }[]) {
    for (const { from, to, text } of parts) {
      const index = this.#finished.length;
      this.#finished.push({ index, from, to, text, settled: text, isFinished: true });
    }
  }

  #addEmpty(): void {
    const at = this.#splitter.openFrom;
    this.#add([{ from: at, to: at, text: "" }]);
  }
}
