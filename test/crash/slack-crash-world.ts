import { expect, vi } from "vitest";
import type { RedisServer } from "../adapters/redis/server.ts";
import { textAt } from "../wire/slack/json.ts";
import {
  type Person,
  type SeenMessage,
  type SlackChannel,
  type SlackServer,
  startSlackServer,
} from "../wire/slack/slack-server.ts";
import { bare, CrashProgram, patience } from "./crash-program.ts";

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

/** A program that is killed in the middle of its answers, and the Slack that outlives it. */
export class SlackCrashWorld implements AsyncDisposable {
  readonly slack: SlackServer;
  readonly #options: SlackCrashOptions;
  readonly #program: CrashProgram;
  readonly #ada: Person;

  private constructor(
    options: SlackCrashOptions,
    outside: { readonly slack: SlackServer; readonly program: CrashProgram },
  ) {
    this.#options = options;
    this.slack = outside.slack;
    this.#program = outside.program;
    this.#ada = this.slack.addPerson("ada");
  }

  static async open(options: SlackCrashOptions): Promise<SlackCrashWorld> {
    const slack = await startSlackServer();
    return new SlackCrashWorld(options, { slack, program: await CrashProgram.open(options.redis) });
  }

  async start(): Promise<void> {
    const { transport, streaming } = this.#options;
    const { botToken, apiUrl, settings } = this.slack;
    const url = await this.#program.start({
      SLACK_BOT_TOKEN: botToken,
      SLACK_API_URL: apiUrl,
      SLACK_STREAMING: streaming,
      ...(transport === "socket"
        ? { SLACK_APP_TOKEN: settings.appToken }
        : { SLACK_SIGNING_SECRET: settings.signingSecret }),
    });
    if (transport === "http") await this.slack.useRequestUrl(new URL("slack/events", url).href);
  }

  /** Resolves once the model was asked for so many answers: what was said is stored. */
  untilAsked(count: number): Promise<void> {
    return this.#program.untilModelWaits(count);
  }

  /** Slack has heard no acknowledgement of what was said: it says everything once more. */
  async deliverAgain(): Promise<void> {
    const said = this.slack.deliveries.filter(({ kind }) => kind === "events_api");
    const again = said.map((delivery) => this.slack.dispatcher.redeliver(delivery));
    const ends = await Promise.all(again.map(({ finished }) => finished));
    expect(ends.map(({ state }) => state)).toEqual(said.map(() => "acknowledged"));
  }

  /** Ends the program as a power cut would. */
  kill(): Promise<void> {
    return this.#program.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.end();
    await this.slack.stop();
  }

  /** Asks for an answer of so many characters, in a channel of its own or in the thread of another question. */
  ask(characters: number, after?: Asked): Asked {
    const question = this.#program.question(characters);
    const answer = bare(asShown(question.answer));
    if (after) {
      this.#ada.mentions(after.channel, question.words, { threadTs: after.ts });
      return { ...after, answer: this.read(after) + answer };
    }
    const channel = this.slack.addChannel(`room-of-${question.id}`, { members: [this.#ada] });
    const { ts } = this.#ada.mentions(channel, question.words);
    return { channel, ts, answer };
  }

  /** Resolves once the model stands in the middle of all, at least so many can be read in part, and none whole. */
  async untilInMidStream(asked: readonly Asked[], atLeast = asked.length): Promise<void> {
    await this.#program.untilInMidAnswer(asked.length);
    await vi.waitFor(() => {
      const begun = asked.filter((one) => this.read(one) !== "");
      expect(begun.length).toBeGreaterThanOrEqual(atLeast);
    }, patience);
    for (const one of asked) expect(this.read(one)).not.toBe(one.answer);
  }

  /** Lets the model say everything, and resolves once every answer stands there whole. */
  async untilComplete(asked: readonly Asked[]): Promise<void> {
    await this.#program.whileModelGoesOn(() =>
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
    await this.#program.whileModelGoesOn(() =>
      vi.waitFor(() => {
        for (const one of asked) expect(this.read(one)).toBe(one.answer);
      }, patience),
    );
  }

  /** Lets the model say everything, and resolves once nothing is left to do. */
  untilSettled(): Promise<void> {
    return this.#program.untilSettled();
  }

  /** What stands in the thread as an answer, without white space. */
  read({ channel, ts }: Pick<Asked, "channel" | "ts">): string {
    return this.slack
      .replies(channel, ts)
      .map((message) => bare(markdownOf(message)))
      .join("");
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
