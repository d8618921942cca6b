import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { type Child, startChild } from "../../bench/child.ts";
import { type Script, tokensOf, toWords } from "../../bench/script.ts";
import type { RedisServer } from "../adapters/redis/server.ts";
import { BobbinProcess } from "../fakes/bobbin-process.ts";
import { textAt } from "../wire/slack/json.ts";
import {
  type Person,
  type SeenMessage,
  type SlackChannel,
  type SlackServer,
  startSlackServer,
} from "../wire/slack/slack-server.ts";

/** How Slack and the program are connected, and how its answers grow. */
export interface SlackCrashOptions {
  readonly transport: "socket" | "http";
  readonly streaming: "native" | "update";
  /** The store; without one the program has its data file. */
  readonly redis?: RedisServer;
}

/** Somebody asked in a channel of their own. */
export interface Asked {
  readonly channel: SlackChannel;
  readonly ts: string;
  /** The whole answer the model has to this, as it is read, without white space. */
  readonly answer: string;
}

/** A busy machine may take its time. */
const patience = { timeout: 240_000, interval: 100 } as const;

/**
 * The program as `npm start` runs it, with a Slack and a model service that outlive it. The model
 * stops in the middle of every answer until it is told to go on, so that a kill hits all of them
 * where it is meant to.
 */
export class SlackCrashWorld implements AsyncDisposable {
  readonly slack: SlackServer;
  readonly #options: SlackCrashOptions;
  readonly #model: Child<{ readonly baseUrl: string }>;
  readonly #folder = mkdtempSync(join(tmpdir(), "bobbin-slack-crash-"));
  readonly #ada: Person;
  #program: BobbinProcess | undefined;
  #asked = 0;

  private constructor(
    options: SlackCrashOptions,
    outside: { readonly slack: SlackServer; readonly model: Child<{ readonly baseUrl: string }> },
  ) {
    this.#options = options;
    this.slack = outside.slack;
    this.#model = outside.model;
    this.#ada = this.slack.addPerson("ada");
  }

  static async open(options: SlackCrashOptions): Promise<SlackCrashWorld> {
    const [slack, model] = await Promise.all([
      startSlackServer(),
      startChild<{ readonly baseUrl: string }>(
        new URL("../../bench/model-server.ts", import.meta.url),
      ),
    ]);
    return new SlackCrashWorld(options, { slack, model });
  }

  async start(): Promise<void> {
    const { transport, streaming, redis } = this.#options;
    const { botToken, apiUrl, settings } = this.slack;
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
        SLACK_BOT_TOKEN: botToken,
        SLACK_API_URL: apiUrl,
        SLACK_STREAMING: streaming,
        ...(redis ? { REDIS_URL: redis.url } : {}),
        ...(transport === "socket"
          ? { SLACK_APP_TOKEN: settings.appToken }
          : { SLACK_SIGNING_SECRET: settings.signingSecret }),
      },
    });
    await this.#program.ready();
    if (transport === "http") {
      await this.slack.useRequestUrl(new URL("slack/events", this.#program.url).href);
    }
  }

  /** Resolves once the model was asked for so many answers: what was said is stored. */
  async untilAsked(count: number): Promise<void> {
    await this.#untilModelWaits(count);
  }

  /** Slack has heard no acknowledgement of what was said: it says everything once more. */
  async deliverAgain(): Promise<void> {
    const said = this.slack.deliveries.filter(({ kind }) => kind === "events_api");
    const again = said.map((delivery) => this.slack.dispatcher.redeliver(delivery));
    const ends = await Promise.all(again.map(({ finished }) => finished));
    expect(ends.map(({ state }) => state)).toEqual(said.map(() => "acknowledged"));
  }

  /** Ends the program as a power cut would. */
  async kill(): Promise<void> {
    await this.#program?.end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Promise.all([this.#model.stop(), this.slack.stop()]);
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
    const answer = bare(asShown(tokensOf(characters).join("")));
    if (after) {
      this.#ada.mentions(after.channel, toWords(script), { threadTs: after.ts });
      return { ...after, answer: this.read(after) + answer };
    }
    const channel = this.slack.addChannel(`room-${this.#asked}`, { members: [this.#ada] });
    const { ts } = this.#ada.mentions(channel, toWords(script));
    return { channel, ts, answer };
  }

  /** Resolves once the model stands in the middle of all, at least so many can be read in part, and none whole. */
  async untilInMidStream(asked: readonly Asked[], atLeast = asked.length): Promise<void> {
    await this.#untilModelWaits(asked.length);
    await this.#model.ask("release");
    await this.#untilModelWaits(asked.length);
    await vi.waitFor(() => {
      const begun = asked.filter((one) => this.read(one) !== "");
      expect(begun.length).toBeGreaterThanOrEqual(atLeast);
    }, patience);
    for (const one of asked) expect(this.read(one)).not.toBe(one.answer);
  }

  /** Lets the model say everything, and resolves once every answer stands there whole. */
  async untilComplete(asked: readonly Asked[]): Promise<void> {
    await this.#whileGoingOn(() =>
      vi.waitFor(() => {
        for (const one of asked) expect(this.read(one)).toBe(one.answer);
        expect(this.slack.liveStreams).toEqual([]);
        for (const { channel, ts } of asked) {
          expect(this.slack.session(channel, ts)?.status).not.toBe("processing");
        }
      }, patience),
    );
  }

  /** Lets the model say everything, and resolves once every answer stands there whole, whatever else does. */
  async untilAnswered(asked: readonly Asked[]): Promise<void> {
    await this.#whileGoingOn(() =>
      vi.waitFor(() => {
        for (const one of asked) expect(this.read(one)).toBe(one.answer);
      }, patience),
    );
  }

  /** Lets the model say everything, and resolves once nothing is left to do. */
  async untilSettled(): Promise<void> {
    await this.#whileGoingOn(async () => {
      await expect.poll(() => this.#program?.unsettled(), patience).toBe(0);
    });
  }

  /** What stands in the thread as an answer, without white space. */
  read({ channel, ts }: Pick<Asked, "channel" | "ts">): string {
    return this.slack
      .replies(channel, ts)
      .map((message) => bare(markdownOf(message)))
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

function markdownOf({ stream, text, blocks }: SeenMessage): string {
  if (stream !== undefined) return text;
  return blocks
    .filter(({ type }) => type === "markdown")
    .map((block) => textAt(block, "text") ?? "")
    .join("\n");
}

/** Slack has no formulas. */
function asShown(markdown: string): string {
  return markdown.replaceAll("\\( (150 - 104) / 150 \\)", "(150 − 104) / 150");
}

function bare(text: string): string {
  return text.replace(/[\s\u200b]/g, "");
}
