import { expect, vi } from "vitest";
import { toDiscord } from "../../adapters/discord/markdown.ts";
import { Plan } from "../../adapters/discord/plan.ts";
import type { RedisServer } from "../adapters/redis/server.ts";
import {
  type DiscordMessage,
  type DiscordServer,
  type Person,
  type SeenMessage,
  startDiscordServer,
} from "../wire/discord/discord-server.ts";
import { bare, CrashProgram, patience } from "./crash-program.ts";

/** Somebody asked in a channel of their own. */
export interface Asked {
  readonly message: DiscordMessage;
  /** The whole answer as Discord can show it, without white space. */
  readonly answer: string;
}

/** A program that is killed in the middle of its answers, and the Discord that outlives it. */
export class DiscordCrashWorld implements AsyncDisposable {
  readonly discord: DiscordServer;
  readonly #program: CrashProgram;
  readonly #ada: Person;

  private constructor(discord: DiscordServer, program: CrashProgram) {
    this.discord = discord;
    this.#program = program;
    this.#ada = discord.addPerson("ada");
  }

  /** `redis`: the store; without one the program has its data file. */
  static async open(redis?: RedisServer): Promise<DiscordCrashWorld> {
    return new DiscordCrashWorld(await startDiscordServer(), await CrashProgram.open(redis));
  }

  async start(): Promise<void> {
    const { token, apiUrl } = this.discord;
    await this.#program.start({ DISCORD_TOKEN: token, DISCORD_API_URL: apiUrl });
  }

  /** Ends the program as a power cut would. */
  kill(): Promise<void> {
    return this.#program.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.end();
    await this.discord.stop();
  }

  /** Asks for an answer of so many characters, in a channel of its own or in the thread of another question. */
  ask(characters: number, after?: Asked): Asked {
    const question = this.#program.question(characters);
    const answer = asShown(question.answer);
    const thread = after && this.discord.threadOn(after.message);
    if (thread) {
      this.#ada.mentions(thread, question.words);
      return { ...after, answer: this.read(after) + answer };
    }
    const channel = this.discord.addChannel(`room-of-${question.id}`);
    return { message: this.#ada.mentions(channel, question.words), answer };
  }

  /** Resolves once all of these can be read in part and none of them whole. */
  async untilInMidReply(asked: readonly Asked[]): Promise<void> {
    await this.#program.untilInMidAnswer(asked.length);
    await vi.waitFor(() => {
      for (const one of asked) expect(this.read(one)).not.toBe("");
    }, patience);
    for (const one of asked) expect(this.read(one)).not.toBe(one.answer);
  }

  /** Lets the model say everything, and resolves once every answer stands there whole. */
  async untilComplete(asked: readonly Asked[]): Promise<void> {
    await this.#program.whileModelGoesOn(() =>
      vi.waitFor(() => {
        for (const one of asked) {
          expect(this.read(one)).toBe(one.answer);
          expect(this.seen(one).at(-1)?.controls).toEqual(["Good answer", "Bad answer"]);
        }
      }, patience),
    );
  }

  /** Lets the model say everything, and resolves once nothing is left to do. */
  untilSettled(): Promise<void> {
    return this.#program.untilSettled();
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
}

function asShown(markdown: string): string {
  const plan = new Plan(0);
  plan.feed(markdown);
  plan.end();
  return plan.parts.map(({ text }) => bare(toDiscord(text))).join("");
}
