import { discordProfile, withLess } from "#domain/markdown-profile";
import { createSplitter, type MarkdownSplitter } from "#domain/split-markdown";

/** Of a message's room: what a quiet line under the text may take while it grows. */
const besideText = 120;

/** The text of one message of a reply. */
export interface PlannedPart {
  readonly from: number;
  readonly to: number;
  /** Markdown that stands alone: what is open in it is closed. */
  readonly text: string;
  /** True: never changes any more. */
  readonly isFinished: boolean;
}

/** Cuts a growing text into messages; an earlier attempt's cuts are made again. */
export class Plan {
  readonly revision: number;
  readonly #splitter: MarkdownSplitter;
  readonly #finished: PlannedPart[] = [];
  #text = "";
  #isEnded = false;

  /** @param less units of a message's room to leave free, where Discord counts otherwise than we do. */
  constructor(revision: number, less = 0) {
    this.revision = revision;
    this.#splitter = createSplitter(withLess(discordProfile, besideText + less));
  }

  /** True when this text is the one before, with more at its end. */
  isContinuedBy(text: string, revision: number): boolean {
    return revision === this.revision && !this.#isEnded && text.startsWith(this.#text);
  }

  /** Takes the whole text as it is now. */
  feed(text: string): void {
    this.#add(this.#splitter.push(text.slice(this.#text.length)));
    this.#text = text;
  }

  /** There is no more text. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#add(this.#splitter.finish());
  }

  /** Every message there is to be, the open one last; a blank one at the end counts to the one before. */
  get parts(): readonly PlannedPart[] {
    const parts = [...this.#finished];
    if (!this.#isEnded) {
      const { from, to, text } = this.#splitter.open;
      parts.push({ from, to, text, isFinished: false });
    }
    const [last, before] = [parts.at(-1), parts.at(-2)];
    if (last?.text.trim() !== "") return parts;
    if (!before) return [];
    return [...parts.slice(0, -2), { ...before, to: last.to }];
  }

  #add(parts: readonly { readonly from: number; readonly to: number; readonly text: string }[]) {
    for (const { from, to, text } of parts)
      this.#finished.push({ from, to, text, isFinished: true });
  }
}
