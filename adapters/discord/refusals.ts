import { RESTJSONErrorCodes } from "discord.js";
import { refusalOf } from "./failures.ts";

/** What was refused is not asked again so soon: ten thousand refusals in ten minutes end in a ban. */
const forbiddenForMs = 10 * 60_000;
const tooManyForMs = 60_000;

/** What channels refused lately, shared by all replies. */
export class Refusals {
  readonly #now: () => number;
  readonly #found = new Map<string, { readonly error: unknown; readonly untilMs: number }>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  remember(what: "thread" | "write", channel: string, error: unknown): void {
    const isForNow = refusalOf(error) === RESTJSONErrorCodes.MaximumActiveThreads;
    const untilMs = this.#now() + (isForNow ? tooManyForMs : forbiddenForMs);
    this.#found.set(`${what} ${channel}`, { error, untilMs });
  }

  find(what: "thread" | "write", channel: string): unknown {
    const key = `${what} ${channel}`;
    const found = this.#found.get(key);
    if (found && found.untilMs > this.#now()) return found.error;
    this.#found.delete(key);
    return undefined;
  }

  /** Rights have changed: everything may be tried again. */
  forget(): void {
    this.#found.clear();
  }
}
