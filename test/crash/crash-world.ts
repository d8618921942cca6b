import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IncomingMessage } from "#domain/message";
import { BotChild, type ProcessOptions } from "./bot-child.ts";
import type { BotCalls } from "./outside.ts";
import { OutsideWorld } from "./outside-world.ts";

/** One process of the bot on its data file, started again after every kill, and the world around it. */
export class CrashWorld extends OutsideWorld {
  readonly #folder = mkdtempSync(join(tmpdir(), "bobbin-crash-"));
  #child: BotChild | undefined;

  get bot(): BotCalls {
    return this.#running.bot;
  }

  get #running(): BotChild {
    if (!this.#child) throw new Error("no process was started");
    return this.#child;
  }

  async start(options: ProcessOptions = {}): Promise<void> {
    const outside = this.callsOf("bot");
    this.#child = await BotChild.start({ ...options, folder: this.#folder, outside });
  }

  /** Resolves once the process has died by SIGKILL. */
  died(): Promise<void> {
    return this.#running.died();
  }

  kill(): Promise<void> {
    return this.#running.kill();
  }

  async end(): Promise<void> {
    if (this.#child?.isRunning) await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Hands a message over, without waiting for an answer that a dead process never gives. */
  hand(message: IncomingMessage): void {
    this.bot.message(message).catch(() => {});
  }
}
