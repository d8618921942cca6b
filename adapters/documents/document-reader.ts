import { createHash } from "node:crypto";
import { BotError } from "#domain/errors";
import type { DocumentText } from "#domain/file";
import type { DocumentReader, FileKind, Sheet } from "#ports/document-reader";
import { type ConfinedLimits, type ConfinedProgram, runConfined } from "../confined/confined.ts";
import { Turns } from "../confined/turns.ts";
import { kindOf } from "./kind.ts";
import { PageCollector, type ParseAnswer, type ParseRequest } from "./request.ts";
import { decodeText } from "./text.ts";

export interface DocumentReaderOptions {
  /** How long one document may take. */
  readonly timeoutMs: number;
  /** How much memory parsing one document may take. */
  readonly maxMemoryBytes: number;
  /** How much text of one document is kept; the rest is left out and said to be. */
  readonly maxCharacters: number;
  /** How many pages or sheets of one document are read. */
  readonly maxPages?: number;
  /** How much a workbook's sheets may hold when they are computed with. Default 30,000,000. */
  readonly maxSheetCharacters?: number;
  /** How many documents are parsed at a time; others wait for their turn. */
  readonly concurrency?: number;
}

/**
 * Reads documents in a process of their own: one per document, with a limit on time and memory, no
 * environment, no right to write, to start anything or to read more than the parsers' own code.
 * Whatever it does, this process goes on. Plain text is only decoded, which is done here.
 */
export function createDocumentReader(options: DocumentReaderOptions): DocumentReader {
  return new ChildProcessReader(options);
}

const parser: ConfinedProgram = {
  file: new URL("./worker.ts", import.meta.url),
  reads: ["adapters/documents/"],
};
/** Characters of text kept for documents that are read again with every turn of a conversation. */
const maxCachedCharacters = 4_000_000;

class ChildProcessReader implements DocumentReader {
  readonly #options: Required<DocumentReaderOptions>;
  readonly #turns: Turns;
  readonly #cache = new Map<string, DocumentText>();
  #cachedCharacters = 0;

  constructor(options: DocumentReaderOptions) {
    this.#options = { maxPages: 1_000, maxSheetCharacters: 30_000_000, concurrency: 2, ...options };
    this.#turns = new Turns(this.#options.concurrency);
  }

  kindOf(head: Uint8Array, name: string): Promise<FileKind> {
    return kindOf(head, name);
  }

  async read(
    data: Uint8Array,
    kind: FileKind,
    name: string,
    signal: AbortSignal,
  ): Promise<DocumentText> {
    signal.throwIfAborted();
    if (data.length === 0) throw new BotError("file-broken", { detail: `${name} is empty.` });
    const format = formatOf(kind);
    if (format === undefined) {
      throw new BotError("file-unsupported", {
        detail: `${name} is ${kind.mimeType}, which has no text I can read.`,
      });
    }
    if (format === "text") return this.#readText(data, kind, name);
    const key = `${format} ${createHash("sha256").update(data).digest("hex")}`;
    const known = this.#cache.get(key);
    if (known) return known;
    const { maxCharacters } = this.#options;
    const answer = await this.#parse(data, { format, maxCharacters }, signal);
    if (!answer.ok) {
      throw new BotError(answer.code, { detail: `${name} ${answer.problem}` });
    }
    const text = withNote(answer, name);
    this.#remember(key, text);
    return text;
  }

  async readSheets(data: Uint8Array, name: string, signal: AbortSignal): Promise<readonly Sheet[]> {
    const kind = await this.kindOf(data.subarray(0, 4_100), name);
    if (formatOf(kind) !== "excel") {
      throw new BotError("file-unsupported", {
        detail: `${name} is ${kind.mimeType}, and no workbook.`,
      });
    }
    const { maxSheetCharacters: maxCharacters } = this.#options;
    const answer = await this.#parse(data, { format: "excel", maxCharacters }, signal);
    if (!answer.ok) throw new BotError(answer.code, { detail: `${name} ${answer.problem}` });
    if (answer.truncated) {
      throw new BotError("file-too-large", {
        detail: `${name} holds more than ${maxCharacters / 1_000_000} million characters; save the sheet you need as CSV.`,
      });
    }
    return answer.pages.map(({ title, text }, index) => ({
      name: title ?? `sheet ${index + 1}`,
      csv: text,
    }));
  }

  #readText(data: Uint8Array, kind: FileKind, name: string): DocumentText {
    const text = decodeText(data);
    if (text === undefined) {
      throw new BotError("file-broken", {
        detail: `${name} begins like ${kind.mimeType}, but there is something else in it.`,
      });
    }
    const pages = new PageCollector(this.#options.maxCharacters);
    pages.add({ text });
    return { pages: pages.pages, truncated: pages.truncated };
  }

  async #parse(
    data: Uint8Array,
    asked: Pick<ParseRequest, "format" | "maxCharacters">,
    signal: AbortSignal,
  ): Promise<ParseAnswer> {
    const { timeoutMs, maxMemoryBytes, maxPages } = this.#options;
    const request: ParseRequest = {
      ...asked,
      maxPages,
      maxUnpackedBytes: Math.round(maxMemoryBytes / 4),
    };
    const limits: ConfinedLimits = {
      timeoutMs,
      heapBytes: maxMemoryBytes * 0.75,
      memoryBytes: maxMemoryBytes,
      // Escaped, a character takes six bytes at most; more than that is no answer of ours.
      outputBytes: asked.maxCharacters * 6 + 1_000_000,
    };
    const work = { request, data, limits };
    const end = await this.#turns.inTurn(signal, () => runConfined(parser, work, signal));
    if (end.status === "ended") return toAnswer(end.output);
    return broken(
      {
        time: `takes longer than ${timeoutMs / 1_000} seconds to read.`,
        memory: `needs more than ${Math.round(maxMemoryBytes / 1_000_000)} MB of memory to read.`,
        output: "gives more text than it may.",
      }[end.limit],
    );
  }

  #remember(key: string, text: DocumentText): void {
    const characters = charactersOf(text);
    if (characters > maxCachedCharacters / 4) return;
    this.#cache.set(key, text);
    this.#cachedCharacters += characters;
    for (const [oldest, dropped] of this.#cache) {
      if (this.#cachedCharacters <= maxCachedCharacters) return;
      this.#cache.delete(oldest);
      this.#cachedCharacters -= charactersOf(dropped);
    }
  }
}

function formatOf(kind: FileKind): ParseRequest["format"] | "text" | undefined {
  switch (kind.family) {
    case "pdf":
      return "pdf";
    case "document":
      return "word";
    case "sheet":
      return kind.mimeType.startsWith("text/") ? "text" : "excel";
    case "text":
      return kind.mimeType === "text/html" ? "html" : "text";
    case "code":
      return "text";
    case "image":
    case "unsupported":
      return undefined;
  }
}

function toAnswer(output: Buffer): ParseAnswer {
  try {
    return JSON.parse(output.toString("utf8"));
  } catch {
    return broken("made the reader give up: it is damaged, or not what its beginning says.");
  }
}

function broken(problem: string): ParseAnswer {
  return { ok: false, code: "file-broken", problem };
}

/** A scan has pages but no text: a model that gets nothing at all would have to guess why. */
function withNote(
  answer: { readonly pages: DocumentText["pages"]; readonly truncated: boolean },
  name: string,
): DocumentText {
  const { pages, truncated } = answer;
  if (pages.some(({ text }) => text.trim() !== "")) return { pages, truncated };
  const what = pages.length > 1 ? `${pages.length} pages, but no text` : "no text";
  return { pages: [{ text: `[${name} has ${what}; it may consist of pictures.]` }], truncated };
}

function charactersOf(text: DocumentText): number {
  return text.pages.reduce((sum, page) => sum + page.text.length, 0);
}
