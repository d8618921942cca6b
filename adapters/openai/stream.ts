import { setTimeout as sleep } from "node:timers/promises";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { APIError } from "openai";
import { BotError } from "#domain/errors";
import type { ModelEvent } from "#ports/model-backend";
import { asObject } from "./wire.ts";

/** Timers as a value, so that tests need not wait. */
export interface Timers {
  /** Calls `run` once, `ms` after the last call of `restart` (or of this). */
  after(ms: number, run: () => void): Alarm;
  /** Resolves after `ms`; rejects when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface Alarm {
  restart(): void;
  stop(): void;
}

/** The clock of the machine. */
export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { restart: () => timer.refresh(), stop: () => clearTimeout(timer) };
  },
  async sleep(ms, signal) {
    await sleep(ms, undefined, { signal });
  },
};

export interface ReadOptions {
  /** A stream that says nothing for so long is cut. */
  readonly idleTimeoutMs: number;
  readonly timers: Timers;
  readonly signal: AbortSignal;
}

/** How long the end of a body may take after the last event that matters. */
const drainTimeoutMs = 2000;

/**
 * The raw events of a streamed answer, as many at a time as the network brings.
 *
 * The body is read here and not by the SDK's `Stream`, which passes every event through three
 * generators: for a token of text that costs more than all that is done with it. What an event
 * means is the same as there: `error` events and errors in the data are thrown as `APIError`, the
 * Assistants' `thread.` events keep their names, `[DONE]` is the end.
 *
 * It ends quietly when the body ends or the signal is aborted: whether it was complete is for the
 * caller to know. It throws `stream-cut` when nothing comes any more: the SDK's own time-out covers
 * the headers only, and a stalled body would be waited for without end.
 */
export class EventSource {
  readonly #headers: Headers;
  readonly #body: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({ onEvent: (message) => this.#hear(message) });
  readonly #options: ReadOptions;
  readonly #watchdog: Alarm;
  #heard: unknown[] = [];
  #failure: unknown;
  #stopped: "idle" | "aborted" | undefined;
  /** What follows does not matter. */
  #isOver = false;
  #isBodyRead = false;
  #isWaiting = false;

  constructor(response: Response, options: ReadOptions) {
    this.#headers = response.headers;
    this.#body = response.body?.getReader();
    this.#isBodyRead = this.#body === undefined;
    this.#options = options;
    this.#watchdog = options.timers.after(options.idleTimeoutMs, () => {
      // Nobody waits while what came is being worked on.
      if (this.#isWaiting) this.#stop("idle");
    });
    options.signal.addEventListener("abort", this.#onAbort, { once: true });
    if (options.signal.aborted) this.#stop("aborted");
  }

  /** The next events, at least one; undefined when there are none. */
  async next(): Promise<readonly unknown[] | undefined> {
    while (this.#heard.length === 0) {
      if (this.#stopped === "idle") throw this.#silence();
      if (this.#stopped === "aborted") return undefined;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver || this.#isBodyRead) return undefined;
      await this.#read();
    }
    return this.#heard.splice(0);
  }

  /**
   * Lets go of the stream. `isComplete`: nothing that matters can follow; then it is read to its end
   * in the background, so that the connection can be used again. Otherwise it is torn down.
   */
  close({ isComplete }: { readonly isComplete: boolean }): void {
    this.#watchdog.stop();
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    if (this.#isBodyRead || this.#stopped !== undefined) return;
    if (isComplete || this.#isOver) this.#drain().catch(() => {});
    else this.#tearDown();
  }

  async #read(): Promise<void> {
    this.#watchdog.restart();
    this.#isWaiting = true;
    try {
      const chunk = await this.#body?.read();
      if (this.#stopped === undefined) this.#take(chunk?.value);
    } catch (error) {
      this.#isBodyRead = true;
      this.#failure ??= error;
    } finally {
      this.#isWaiting = false;
    }
  }

  /** Undefined: the body has ended. Some servers leave out the empty line after the last event. */
  #take(bytes: Uint8Array | undefined): void {
    this.#isBodyRead = bytes === undefined;
    this.#parser.feed(bytes ? this.#decoder.decode(bytes, { stream: true }) : "\n\n");
  }

  #hear({ event, data }: EventSourceMessage): void {
    if (this.#isOver || this.#failure !== undefined) return;
    if (data === "[DONE]") {
      this.#isOver = true;
      return;
    }
    try {
      this.#heard.push(this.#toEvent(event, JSON.parse(data)));
    } catch (error) {
      this.#failure = error;
    }
  }

  #toEvent(name: string | undefined, data: unknown): unknown {
    if (name?.startsWith("thread.")) return { event: name, data };
    const error = asObject(data)?.error;
    if (name !== "error" && !error) return data;
    // An object as a rule; the SDK takes whatever it is.
    throw new APIError(undefined, (error ?? data) as object, undefined, this.#headers);
  }

  readonly #onAbort = () => this.#stop("aborted");

  #stop(why: "idle" | "aborted"): void {
    this.#stopped ??= why;
    this.#tearDown();
  }

  /** Closes the connection; whoever waits for the next chunk gets the end. */
  #tearDown(): void {
    this.#body?.cancel().catch(() => {});
  }

  #silence(): BotError {
    const seconds = Math.round(this.#options.idleTimeoutMs / 1000);
    return new BotError("stream-cut", { detail: `Nothing came for ${seconds} seconds.` });
  }

  async #drain(): Promise<void> {
    const alarm = this.#options.timers.after(drainTimeoutMs, () => this.#tearDown());
    try {
      while ((await this.#body?.read())?.done === false);
    } finally {
      alarm.stop();
    }
  }
}

/** Text that came together is told together. */
export function joinTexts(events: readonly ModelEvent[]): readonly ModelEvent[] {
  if (events.length < 2) return events;
  const joined: ModelEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (event.type === "text-delta" && last?.type === "text-delta") {
      joined[joined.length - 1] = { type: "text-delta", text: last.text + event.text };
    } else joined.push(event);
  }
  return joined;
}
