import { BotError } from "#domain/errors";
import type { Embedded, Embedder } from "#ports/embedder";
import type { FileIndex } from "#ports/file-index";
import type { Log } from "#ports/log";

/** Passages sent at a time: about 25,000 tokens, within what every server takes in one request. */
const batchSize = 64;
const requestTimeoutMs = 30_000;
/** A question waits no longer for its vector: the tool that asks is stopped after 20 s, and words would do. */
const questionTimeoutMs = 10_000;
/** A service that failed is left alone so long; meanwhile files are searched by their words. */
const restMs = 60_000;
/** One run makes vectors for so long at most; what is left is for the next. */
const maxMs = 60_000;

/** What a run does with vectors: pays for them, and shows how far it is. */
export interface MeaningWork {
  readonly signal: AbortSignal;
  paid(tokens: number): Promise<void>;
  progress?(done: number, all: number): void;
}

/**
 * Searching by meaning, beside the words. It never stands in the way: where the service is down or
 * refuses, files are searched by their words alone, and the log says so once.
 */
export class Meaning {
  readonly model: string;
  readonly #embedder: Embedder;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #questionTimeoutMs: number;
  #restsUntilMs = 0;
  #isSaid = false;
  /** One job at a time, so that nothing is made and paid twice. */
  #line: Promise<void> = Promise.resolve();

  constructor(
    embedder: Embedder,
    {
      log,
      now,
      questionMs = questionTimeoutMs,
    }: { readonly log: Log; readonly now: () => number; readonly questionMs?: number },
  ) {
    this.model = embedder.model;
    this.#embedder = embedder;
    this.#log = log;
    this.#now = now;
    this.#questionTimeoutMs = questionMs;
  }

  /** Makes the vectors that files lack. */
  async embedFiles(
    fileIds: readonly string[],
    fileIndex: FileIndex,
    work: MeaningWork,
  ): Promise<void> {
    const { count } = await fileIndex.unembedded(this.model, fileIds, 0);
    if (count === 0 || this.#rests()) return;
    const job = this.#line.then(() => this.#embedMissing(fileIds, fileIndex, work));
    this.#line = job.catch(() => undefined);
    await job;
  }

  /** What the model makes of a query; undefined while only words are searched. */
  async vectorOf(query: string, work: MeaningWork) {
    const made = await this.#make([query], work, this.#questionTimeoutMs);
    const [values] = made?.vectors ?? [];
    return values && { model: this.model, values };
  }

  async #embedMissing(
    fileIds: readonly string[],
    fileIndex: FileIndex,
    work: MeaningWork,
  ): Promise<void> {
    const untilMs = this.#now() + maxMs;
    let all: number | undefined;
    while (!work.signal.aborted && this.#now() < untilMs) {
      const { count, passages } = await fileIndex.unembedded(this.model, fileIds, batchSize);
      all ??= count;
      if (all > batchSize) work.progress?.(all - count, all);
      if (passages.length === 0) return;
      const made = await this.#make(
        passages.map(({ text }) => text),
        work,
        requestTimeoutMs,
      );
      if (!made) return;
      const vectors = passages.flatMap(({ row }, index) => {
        const values = made.vectors[index];
        return values ? [{ row, values }] : [];
      });
      await fileIndex.embed(this.model, vectors);
    }
  }

  async #make(
    texts: readonly string[],
    { signal, paid }: MeaningWork,
    timeoutMs: number,
  ): Promise<Embedded | undefined> {
    if (this.#rests()) return undefined;
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const made = await this.#embedder.embed(texts, limit);
      this.#works();
      await paid(made.tokens);
      return made;
    } catch (error) {
      if (signal.aborted || !(error instanceof BotError)) throw error;
      this.#fails(error);
      return undefined;
    }
  }

  #rests(): boolean {
    return this.#now() < this.#restsUntilMs;
  }

  #works(): void {
    if (this.#isSaid) this.#log.info({ model: this.model }, "files are searched by meaning again");
    this.#isSaid = false;
  }

  #fails({ code, detail }: BotError): void {
    this.#restsUntilMs = this.#now() + restMs;
    if (this.#isSaid) return;
    this.#isSaid = true;
    this.#log.warn({ model: this.model, code, detail }, "files are searched by words alone");
  }
}
