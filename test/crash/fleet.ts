import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisServer } from "../adapters/redis/server.ts";
import { BotChild } from "./bot-child.ts";
import type { BotCalls } from "./outside.ts";
import { OutsideWorld } from "./outside-world.ts";

/** Several processes of one bot on one Redis of their own, and the world around them. */
export class Fleet extends OutsideWorld {
  readonly redis: RedisServer;
  readonly #folder = mkdtempSync(join(tmpdir(), "bobbin-fleet-"));
  readonly #leaseTimes: { readonly lockMs: number; readonly checkMs: number };
  readonly #members = new Map<string, BotChild>();
  #started = 0;

  private constructor(redis: RedisServer, leaseTimes: { lockMs: number; checkMs: number }) {
    super();
    this.redis = redis;
    this.#leaseTimes = leaseTimes;
  }

  static async open(options: {
    readonly lockMs: number;
    readonly checkMs: number;
    /** Settings of the `redis-server`. */
    readonly redis?: readonly string[];
  }): Promise<Fleet> {
    const { lockMs, checkMs, redis = [] } = options;
    return new Fleet(await RedisServer.start(redis), { lockMs, checkMs });
  }

  /** The names of those that are there, the one that has been for longest first. */
  get names(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** Starts one more; resolves to its name once it takes messages. */
  async add(): Promise<string> {
    this.#started += 1;
    const name = `bot${this.#started}`;
    const redis = { url: this.redis.url, ...this.#leaseTimes };
    const outside = this.callsOf(name);
    this.#members.set(name, await BotChild.start({ folder: this.#folder, outside, redis }));
    return name;
  }

  member(name: string): BotChild {
    const member = this.#members.get(name);
    if (!member) throw new Error(`there is no ${name}`);
    return member;
  }

  /** Whoever is there, chosen by a number in [0, 1). */
  anyone(chance: number): BotCalls {
    const name = this.names[Math.floor(chance * this.names.length)];
    return this.member(name ?? "").bot;
  }

  async kill(name: string): Promise<void> {
    const member = this.member(name);
    this.#members.delete(name);
    await member.kill();
  }

  /** Ends one politely, as at SIGTERM. */
  async stop(name: string, graceMs: number): Promise<void> {
    const member = this.member(name);
    this.#members.delete(name);
    await member.stop(graceMs);
  }

  /** How much the store has left to do; undefined when nobody can say that now. */
  async unsettled(): Promise<number | undefined> {
    const member = this.#members.values().next().value;
    const unknown = new Promise<undefined>((resolve) => setTimeout(resolve, 5_000, undefined));
    return Promise.race([member?.bot.unsettled().catch(() => undefined), unknown]);
  }

  async end(): Promise<void> {
    for (const name of this.names) await this.kill(name);
    await this.redis.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
