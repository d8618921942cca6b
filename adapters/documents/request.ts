/** What the parsing process is asked, as one line of JSON before the document's bytes. */
export interface ParseRequest {
  readonly format: "pdf" | "word" | "excel" | "html";
  readonly maxPages: number;
  readonly maxCharacters: number;
  readonly maxUnpackedBytes: number;
}

/** What it answers, as JSON. `problem` completes "report.pdf …". */
export type ParseAnswer =
  | {
      readonly ok: true;
      readonly pages: readonly Page[];
      readonly truncated: boolean;
    }
  | {
      readonly ok: false;
      readonly code: "file-broken" | "file-unsupported" | "file-too-large";
      readonly problem: string;
    };

/** A page of a document, or a sheet of a workbook. */
export interface Page {
  readonly page?: number;
  readonly title?: string;
  readonly text: string;
}

/** A document that cannot be read, with the reason; its message completes "report.pdf …". */
export class Unreadable extends Error {
  readonly code: "file-broken" | "file-unsupported" | "file-too-large";

  constructor(code: "file-broken" | "file-unsupported" | "file-too-large", problem: string) {
    super(problem);
    this.code = code;
  }
}

/** Collects pages until the limit of characters is reached. */
export class PageCollector {
  readonly pages: Page[] = [];
  truncated = false;
  #left: number;

  constructor(maxCharacters: number) {
    this.#left = maxCharacters;
  }

  get isFull(): boolean {
    return this.#left <= 0;
  }

  add(page: Page): void {
    if (page.text.length > this.#left) this.truncated = true;
    const text = page.text.slice(0, this.#left);
    this.#left -= text.length;
    this.pages.push({ ...page, text });
  }
}
