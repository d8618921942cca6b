import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IncomingMessage } from "#domain/message";
import type { RedisServer } from "../adapters/redis/server.ts";
import { BotChild, type ProcessOptions } from "./bot-child.ts";
import type { BotCalls } from "./outside.ts";
import { OutsideWorld } from "./outside-world.ts";

/** A short lease, so that another process soon goes on. */
const leaseTimes = { lockMs: 1_500, checkMs: 500 };

/**
 * One process of the bot and another after every kill, on a data file or, given a `redis-server`, on that,
 * which ends with it; and the world around them.
 */
export class CrashWorld extends OutsideWorld {
  readonly #redis: RedisServer | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), "bobbin-crash-"));
  #child: BotChild | undefined;

  constructor(redis?: RedisServer) {
    super();
    this.#redis = redis;
  }

  get bot(): BotCalls {
    return this.#running.bot;
  }

  get #running(): BotChild {
    if (!this.#child) throw new Error("no process was started");
    return this.#child;
  }

  async start(options: ProcessOptions = {}): Promise<void> {
    const outside = this.callsOf("bot");
    const redis = this.#redis && { url: this.#redis.url, ...leaseTimes };
    const common = { ...options, folder: this.#folder, outside };
    this.#child = await BotChild.start({ ...common, ...(redis ? { redis } : {}) });
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
    await this.#redis?.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Hands a message over, without waiting for an answer that a dead process never gives. */
  hand(message: IncomingMessage): void {
    this.bot.message(message).catch(() => {});
  }
}
