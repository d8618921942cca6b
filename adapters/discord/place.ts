import { RESTJSONErrorCodes, Routes, ThreadAutoArchiveDuration } from "discord.js";
import type { Log } from "#ports/log";
import type { ReplyJournal } from "#ports/platform";
import { failureOf, isBlocked, isForbidden, refusalOf } from "./failures.ts";
import type { DiscordTarget } from "./inbound.ts";
import type { PacedApi } from "./paced-api.ts";
import type { Refusals } from "./refusals.ts";

/** A thread that can be opened only later than this is not waited for. */
const mostWaitMs = 5_000;
/** For a thread whose own name was blocked by the server's filter. */
const plainName = "Answer";

/**
 * Where a reply stands: a thread opened on the message it answers, or, where there can be none, the
 * message's own channel. A thread has the id of the message it is opened on, so opening one twice
 * does no harm.
 */
export class ReplyPlace {
  readonly #api: PacedApi;
  readonly #target: DiscordTarget;
  readonly #refusals: Refusals;
  readonly #log: Log;
  #opening: Promise<string> | undefined;
  #channel: string | undefined;

  constructor(parts: {
    readonly api: PacedApi;
    readonly target: DiscordTarget;
    readonly journal: ReplyJournal;
    readonly refusals: Refusals;
    readonly log: Log;
  }) {
    this.#api = parts.api;
    this.#target = parts.target;
    this.#refusals = parts.refusals;
    this.#log = parts.log;
    if (parts.target.thread === null) this.#channel = parts.target.channel;
    for (const { note } of parts.journal.saved) this.#channel = channelIn(note) ?? this.#channel;
  }

  /** The channel to write to; undefined until it is known. */
  get channel(): string | undefined {
    return this.#channel;
  }

  /** True: in a thread of this reply's own, where nothing else was said before it. */
  get isOwnThread(): boolean {
    return this.#target.thread !== null && this.#channel === this.#target.message;
  }

  /** The channel to write to, after the thread was opened. Throws LeaseLost, and nothing else that is known. */
  open(): Promise<string> {
    if (this.#channel !== undefined) return Promise.resolve(this.#channel);
    this.#opening ??= this.#openThread().then(
      (channel) => {
        this.#channel = channel;
        return channel;
      },
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  /** Nothing can be written in the thread: the reply stands in the channel. False: it does already. */
  fallBack(): boolean {
    if (!this.isOwnThread) return false;
    this.#channel = this.#target.channel;
    return true;
  }

  async #openThread(): Promise<string> {
    const { channel, message, thread } = this.#target;
    if (thread === null || this.#refusals.find("thread", channel)) return channel;
    for (const name of [thread, plainName]) {
      try {
        await this.#api.call({
          method: "POST",
          route: Routes.threads(channel, message),
          kind: "thread",
          channel,
          body: { name, auto_archive_duration: ThreadAutoArchiveDuration.OneDay },
          priority: "final",
          isRepeatable: true,
          mostWaitMs,
        });
        return message;
      } catch (error) {
        const code = refusalOf(error);
        if (code === RESTJSONErrorCodes.ThreadAlreadyCreatedForMessage) return message;
        if (isBlocked(code) && name === thread) continue;
        if (!failureOf(error)) throw error;
        this.#explain(error);
        break;
      }
    }
    return channel;
  }

  #explain(error: unknown): void {
    const { channel } = this.#target;
    const code = refusalOf(error);
    const lasts = isForbidden(code) || code === RESTJSONErrorCodes.MaximumActiveThreads;
    if (lasts) this.#refusals.remember("thread", channel, error);
    const problem = isForbidden(code)
      ? "no right to Create Public Threads"
      : `no thread (${code ?? failureOf(error)?.type})`;
    this.#log.warn({ platform: "discord", channel, problem }, "answering in the channel");
  }
}

function channelIn(note: unknown): string | undefined {
  const { channel } = (note ?? {}) as { readonly channel?: unknown };
  return typeof channel === "string" ? channel : undefined;
}
