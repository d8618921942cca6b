import { setTimeout as wait } from "node:timers/promises";
import { Routes } from "discord.js";
import { failureOf } from "./failures.ts";
import type { PacedApi } from "./paced-api.ts";
import type { ReplyPlace } from "./place.ts";

/** Nothing shown for this long: the person is told that somebody is at work. */
const afterMs = 700;
/** Discord shows it for ten seconds. */
const againMs = 8_000;
const mostMs = 2 * 60_000;
/** No answer has to wait longer for a decoration. */
const mostWaitMs = 500;

/** "… is typing" while there is nothing to read yet. Never fails. */
export class Typing {
  readonly #api: PacedApi;
  readonly #place: ReplyPlace;
  #timer: NodeJS.Timeout | undefined;
  #call: Promise<void> | undefined;
  #state: "before" | "on" | "over" = "before";

  constructor(parts: {
    readonly api: PacedApi;
    readonly place: ReplyPlace;
  }) {
    this.#api = parts.api;
    this.#place = parts.place;
  }

  /** Shown soon, until {@link end}. */
  begin(): void {
    if (this.#state !== "before") return;
    this.#state = "on";
    this.#schedule(afterMs, mostMs / againMs);
  }

  /** Resolves when none of it is under way any more: a message sent after that ends it for who looks. */
  async end(): Promise<void> {
    this.#state = "over";
    clearTimeout(this.#timer);
    if (this.#call) await Promise.race([this.#call, wait(mostWaitMs, undefined, { ref: false })]);
  }

  #schedule(inMs: number, times: number): void {
    if (times <= 0) return;
    this.#timer = setTimeout(() => {
      this.#call = this.#show().then((isShown) => {
        if (isShown && this.#state === "on") this.#schedule(againMs, times - 1);
      });
    }, inMs);
    this.#timer.unref();
  }

  async #show(): Promise<boolean> {
    try {
      const channel = await this.#place.open();
      // A typing that has to wait is worth nothing, and none may hold an answer up.
      if (this.#state !== "on" || this.#api.budget.waitMs("typing", channel, 2) > 0) return true;
      await this.#api.call({
        method: "POST",
        route: Routes.channelTyping(channel),
        kind: "typing",
        channel,
        priority: "decoration",
        mostWaitMs: 0,
      });
      return true;
    } catch (error) {
      // Whatever it is, who writes the text will meet it as well.
      failureOf(error);
      return false;
    }
  }
}
