import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { toDiscord } from "../../adapters/discord/markdown.ts";
import { Plan } from "../../adapters/discord/plan.ts";
import { type Child, startChild } from "../../bench/child.ts";
import { type Script, tokensOf, toWords } from "../../bench/script.ts";
import type { RedisServer } from "../adapters/redis/server.ts";
import { BobbinProcess } from "../fakes/bobbin-process.ts";
import {
  type DiscordMessage,
  type DiscordServer,
  type Person,
  type SeenMessage,
  startDiscordServer,
} from "../wire/discord/discord-server.ts";

/** Somebody asked in a channel of their own. */
export interface Asked {
  readonly message: DiscordMessage;
  /** The whole answer as Discord can show it, without white space. */
  readonly answer: string;
}

/** A busy machine may take its time. */
const patience = { timeout: 240_000, interval: 100 } as const;

/**
 * The program as `npm start` runs it, with a Discord and a model service that outlive it. The model
 * stops in the middle of every answer until it is told to go on, so that a kill hits all of them
 * where it is meant to.
 */
export class DiscordCrashWorld implements AsyncDisposable {
  readonly discord: DiscordServer;
  readonly #model: Child<{ readonly baseUrl: string }>;
  readonly #redis: RedisServer | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), "bobbin-discord-crash-"));
  readonly #ada: Person;
  #program: BobbinProcess | undefined;
  #asked = 0;

  private constructor(
    discord: DiscordServer,
    outside: {
      readonly model: Child<{ readonly baseUrl: string }>;
      readonly redis: RedisServer | undefined;
    },
  ) {
    this.discord = discord;
    this.#model = outside.model;
    this.#redis = outside.redis;
    this.#ada = discord.addPerson("ada");
  }

  /** `redis`: the store; without one the program has its data file. */
  static async open(redis?: RedisServer): Promise<DiscordCrashWorld> {
    const program = new URL("../../bench/model-server.ts", import.meta.url);
    const model = await startChild<{ readonly baseUrl: string }>(program);
    return new DiscordCrashWorld(await startDiscordServer(), { model, redis });
  }

  async start(): Promise<void> {
    const { token, apiUrl } = this.discord;
    this.#program = new BobbinProcess({
      folder: this.#folder,
      env: {
        OPENAI_API_KEY: "none",
        OPENAI_BASE_URL: this.#model.ready.baseUrl,
        OPENAI_MODEL: "scripted",
        OPENAI_API: "responses",
        CONSOLE: "off",
        RUN_CONCURRENCY: "64",
        MESSAGES_PER_PERSON_PER_MINUTE: "1000",
        DISCORD_TOKEN: token,
        DISCORD_API_URL: apiUrl,
        ...(this.#redis ? { REDIS_URL: this.#redis.url } : {}),
      },
    });
    await this.#program.ready();
  }

  /** Ends the program as a power cut would. */
  async kill(): Promise<void> {
    await this.#program?.end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Promise.all([this.#model.stop(), this.discord.stop()]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Asks for an answer of so many characters, in a channel of its own or in the thread of another question. */
  ask(characters: number, after?: Asked): Asked {
    this.#asked += 1;
    const script: Script = {
      id: `answer-${this.#asked}`,
      characters,
      everyMs: 5,
      tokensPerWrite: 5,
      isGated: true,
    };
    const answer = asShown(tokensOf(characters).join(""));
    const thread = after && this.discord.threadOn(after.message);
    if (thread) {
      this.#ada.mentions(thread, toWords(script));
      return { ...after, answer: this.read(after) + answer };
    }
    const channel = this.discord.addChannel(`room-${this.#asked}`);
    return { message: this.#ada.mentions(channel, toWords(script)), answer };
  }

  /** Resolves once all of these can be read in part and none of them whole. */
  async untilInMidReply(asked: readonly Asked[]): Promise<void> {
    await this.#untilModelWaits(asked.length);
    await this.#model.ask("release");
    await this.#untilModelWaits(asked.length);
    await vi.waitFor(() => {
      for (const one of asked) expect(this.read(one)).not.toBe("");
    }, patience);
    for (const one of asked) expect(this.read(one)).not.toBe(one.answer);
  }

  /** Lets the model say everything, and resolves once every answer stands there whole. */
  async untilComplete(asked: readonly Asked[]): Promise<void> {
    await this.#whileGoingOn(() =>
      vi.waitFor(() => {
        for (const one of asked) {
          expect(this.read(one)).toBe(one.answer);
          expect(this.seen(one).at(-1)?.controls).toEqual(["Good answer", "Bad answer"]);
        }
      }, patience),
    );
  }

  /** Lets the model say everything, and resolves once nothing is left to do. */
  async untilSettled(): Promise<void> {
    await this.#whileGoingOn(async () => {
      await expect.poll(() => this.#program?.unsettled(), patience).toBe(0);
    });
  }

  /** The bot's messages in the thread on somebody's question. */
  seen({ message }: Asked): readonly SeenMessage[] {
    const thread = this.discord.threadOn(message);
    return thread ? this.discord.replies(thread) : [];
  }

  /** What stands there as an answer, without white space. */
  read(asked: Asked): string {
    return this.seen(asked)
      .map(({ text }) => bare(text))
      .join("");
  }

  async #untilModelWaits(count: number): Promise<void> {
    await vi.waitFor(async () => expect(await this.#model.ask("waiting")).toBe(count), patience);
  }

  async #whileGoingOn(work: () => Promise<void>): Promise<void> {
    const isOver = new AbortController();
    const goingOn = this.#goOn(isOver.signal);
    try {
      await work();
    } finally {
      isOver.abort();
      await goingOn;
    }
  }

  async #goOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#model.ask("release");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function asShown(markdown: string): string {
  const plan = new Plan(0);
  plan.feed(markdown);
  plan.end();
  return plan.parts.map(({ text }) => bare(toDiscord(text))).join("");
}

function bare(text: string): string {
  return text.replace(/[\s\u200b]/g, "");
}
