import { setTimeout as wait } from "node:timers/promises";
import { BotError, isPlatformOutage } from "#domain/errors";
import type { Bot } from "#ports/bot";
import type { Log } from "#ports/log";
import type { Platform } from "#ports/platform";
import { wordsOf } from "./words-of.ts";

/** The start waits so long for platforms, and goes on without those that are not there by then. */
const patienceMs = 3_000;
const soonestAgainMs = 1_000;
const latestAgainMs = 60_000;

/** Starts platforms so that none waits for another: one that is out of reach joins when it can. */
export class Joining {
  readonly #platforms: readonly Platform[];
  readonly #log: Log;
  readonly #ending = new AbortController();
  /** Why those that are not there are not, by name. */
  readonly #missing = new Map<string, string>();
  /** What somebody has to put right before anything can begin. */
  readonly #refusals: unknown[] = [];
  #hasBegun = false;

  constructor(platforms: readonly Platform[], log: Log) {
    this.#platforms = platforms;
    this.#log = log;
  }

  /**
   * Resolves when all are there, or the others are not waited for any longer; at once when `isEnding`
   * does. Throws everything together that somebody has to put right.
   */
  async begin(bot: Bot, isEnding?: Promise<unknown>): Promise<void> {
    const patience = new AbortController();
    const { signal } = patience;
    const firsts = this.#platforms.map((platform) => this.#join(platform, bot));
    const tooLong = wait(patienceMs, undefined, { signal }).catch(() => undefined);
    await Promise.race([Promise.all(firsts), tooLong, ...(isEnding ? [isEnding] : [])]);
    patience.abort();
    this.#hasBegun = true;
    const [first, ...others] = this.#refusals;
    if (others.length > 0) throw new Error(this.#refusals.map(wordsOf).join("\n"));
    if (first !== undefined) throw first;
    for (const [platform, problem] of this.#missing) {
      this.#log.warn({ platform, problem }, "platform not connected yet");
    }
  }

  /** Nothing is begun any more. */
  end(): void {
    this.#ending.abort();
  }

  /** Why a platform has not been started yet; undefined once it has. */
  missing(name: string): string | undefined {
    return this.#missing.get(name);
  }

  /** Resolves when it is there, or has failed once. */
  #join(platform: Platform, bot: Bot): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#missing.set(platform.name, "not connected yet");
    void this.#keepTrying(platform, bot, resolve);
    return promise;
  }

  async #keepTrying(platform: Platform, bot: Bot, triedOnce: () => void): Promise<void> {
    const { name } = platform;
    const { signal } = this.#ending;
    for (let pauseMs = soonestAgainMs; !signal.aborted; ) {
      try {
        await platform.start(bot);
        this.#missing.delete(name);
        if (this.#hasBegun) this.#log.info({ platform: name }, "platform connected");
        return;
      } catch (error) {
        if (signal.aborted) return;
        const isRefused = !isPlatformOutage(error);
        if (isRefused && !this.#hasBegun) {
          this.#refusals.push(error);
          return;
        }
        this.#say(name, error);
        // What is refused is so until somebody does something about it.
        if (isRefused) pauseMs = latestAgainMs;
      } finally {
        triedOnce();
      }
      await wait(pauseMs, undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, latestAgainMs);
    }
  }

  /** Said once, and again when it is another. */
  #say(name: string, error: unknown): void {
    const detail = error instanceof BotError ? error.detail : undefined;
    const problem = detail ?? wordsOf(error);
    if (this.#missing.get(name) === problem) return;
    this.#missing.set(name, problem);
    if (this.#hasBegun) this.#log.error({ platform: name, problem }, "platform not connected");
  }
}
