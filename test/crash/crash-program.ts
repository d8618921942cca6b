import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { type Child, startChild } from "../../bench/child.ts";
import { type Script, tokensOf, toWords } from "../../bench/script.ts";
import type { RedisServer } from "../adapters/redis/server.ts";
import { BobbinProcess } from "../fakes/bobbin-process.ts";

/** A busy machine may take its time. */
export const patience = { timeout: 240_000, interval: 100 } as const;

/** A question, and what the model says to it. */
export interface Question {
  /** Unlike that of any other question to this program. */
  readonly id: string;
  readonly words: string;
  /** The whole answer as the model writes it. */
  readonly answer: string;
}

/**
 * The program as `npm start` runs it, with a model service that outlives it. The model stops in the
 * middle of every answer until it is told to go on, so that a kill hits all of them where it is
 * meant to.
 */
export class CrashProgram {
  readonly #model: Child<{ readonly baseUrl: string }>;
  readonly #redis: RedisServer | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), "bobbin-crash-program-"));
  #process: BobbinProcess | undefined;
  #questions = 0;

  private constructor(model: Child<{ readonly baseUrl: string }>, redis: RedisServer | undefined) {
    this.#model = model;
    this.#redis = redis;
  }

  /** `redis`: the store; without one the program has its data file. */
  static async open(redis?: RedisServer): Promise<CrashProgram> {
    const model = new URL("../../bench/model-server.ts", import.meta.url);
    return new CrashProgram(await startChild(model), redis);
  }

  /** Starts it on a platform, whose settings these are. Resolves with its address. */
  async start(platform: { readonly [name: string]: string }): Promise<string> {
    this.#process = new BobbinProcess({
      folder: this.#folder,
      env: {
        OPENAI_API_KEY: "none",
        OPENAI_BASE_URL: this.#model.ready.baseUrl,
        OPENAI_MODEL: "scripted",
        OPENAI_API: "responses",
        CONSOLE: "off",
        RUN_CONCURRENCY: "64",
        MESSAGES_PER_PERSON_PER_MINUTE: "1000",
        ...(this.#redis ? { REDIS_URL: this.#redis.url } : {}),
        ...platform,
      },
    });
    await this.#process.ready();
    return this.#process.url;
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    await this.#process?.end("SIGKILL");
  }

  /** Ends it and the model for good. */
  async end(): Promise<void> {
    await this.kill();
    await this.#model.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A question that is answered in so many characters. */
  question(characters: number): Question {
    this.#questions += 1;
    const id = `answer-${this.#questions}`;
    const script: Script = { id, characters, everyMs: 5, tokensPerWrite: 5, isGated: true };
    return { id, words: toWords(script), answer: tokensOf(characters).join("") };
  }

  /** Resolves once the model was asked for so many answers and says nothing before it is told to. */
  async untilModelWaits(count: number): Promise<void> {
    await vi.waitFor(async () => expect(await this.#model.ask("waiting")).toBe(count), patience);
  }

  /** Resolves once the model stands in the middle of so many answers. */
  async untilInMidAnswer(count: number): Promise<void> {
    await this.untilModelWaits(count);
    await this.#model.ask("release");
    await this.untilModelWaits(count);
  }

  /** Lets the model say everything, for as long as this takes. */
  async whileModelGoesOn(work: () => Promise<void>): Promise<void> {
    const isOver = new AbortController();
    const goingOn = this.#goOn(isOver.signal);
    try {
      await work();
    } finally {
      isOver.abort();
      await goingOn;
    }
  }

  /** Lets the model say everything, and resolves once nothing is left to do. */
  async untilSettled(): Promise<void> {
    await this.whileModelGoesOn(async () => {
      await expect.poll(() => this.#process?.unsettled(), patience).toBe(0);
    });
  }

  async #goOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#model.ask("release");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A text without white space: where a chat puts that is its own business. */
export function bare(text: string): string {
  return text.replace(/[\s\u200b]/g, "");
}
