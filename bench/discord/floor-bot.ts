import { setTimeout as wait } from "node:timers/promises";
import { Client, Events, GatewayIntentBits, type Message, type ThreadChannel } from "discord.js";
import OpenAI from "openai";
import type { ResponseCreateParamsStreaming } from "openai/resources/responses/responses";
import { serve, startedWith } from "../child.ts";

/** What the floor is started with. */
export interface DiscordFloorOptions {
  readonly baseUrl: string;
  /** The body Bobbin sent for such a message. */
  readonly body: ResponseCreateParamsStreaming;
  readonly token: string;
  readonly apiUrl: string;
}

/**
 * The smallest honest discord.js bot: hears a mention, asks the model at once while a thread is
 * opened, posts the text so far and edits it every 1.2 seconds, one call at a time, cut every 2,000
 * characters wherever that is. Limits are left to discord.js.
 *
 * What it does not do: it keeps nothing, finds nothing again after a crash, and knows no nonces. No
 * queue, no limits, no buttons, no typing, no steps, no files, no sources, no tables, no balanced
 * fences, no log and no metrics.
 */
const { baseUrl, body, token, apiUrl } = startedWith<DiscordFloorOptions>();
const openai = new OpenAI({ apiKey: "none", baseURL: baseUrl, maxRetries: 0, logLevel: "off" });
const everyMs = 1_200;
const mostCharacters = 2_000;

const client = new Client({
  intents: [
    GatewayIntentBits.Guilds,
    GatewayIntentBits.GuildMessages,
    GatewayIntentBits.MessageContent,
  ],
  allowedMentions: { parse: [], repliedUser: false },
  rest: { api: apiUrl },
});
client.on(Events.Error, () => undefined);
client.on(Events.MessageCreate, (message) => {
  if (message.author.bot || !message.mentions.has(client.user?.id ?? "")) return;
  answer(message).catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
});
client.once(Events.ClientReady, () => serve({}, { stop: () => client.destroy() }));
await client.login(token);

async function answer(question: Message): Promise<void> {
  const thread = question.startThread({ name: "Answer" }).catch(() => undefined);
  const reply = new Reply(question, thread);
  const stream = await openai.responses.create({
    ...body,
    input: [{ role: "user", content: [{ type: "input_text", text: question.content }] }],
  });
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") reply.show(event.delta);
    else if (event.type === "response.completed") await reply.finish();
  }
}

class Reply {
  readonly #question: Message;
  readonly #thread: Promise<ThreadChannel | undefined>;
  readonly #messages: { readonly message: Message; text: string }[] = [];
  readonly #end = new AbortController();
  #text = "";
  #loop: Promise<void> | undefined;

  constructor(question: Message, thread: Promise<ThreadChannel | undefined>) {
    this.#question = question;
    this.#thread = thread;
  }

  show(delta: string): void {
    this.#text += delta;
    this.#loop ??= this.#drawUntilTheEnd();
  }

  async finish(): Promise<void> {
    this.#end.abort();
    await this.#loop;
    await this.#draw();
  }

  async #drawUntilTheEnd(): Promise<void> {
    while (!this.#end.signal.aborted) {
      await this.#draw();
      await wait(everyMs, undefined, { signal: this.#end.signal }).catch(() => undefined);
    }
  }

  async #draw(): Promise<void> {
    const thread = await this.#thread;
    for (let at = 0; at * mostCharacters < this.#text.length; at += 1) {
      const text = this.#text.slice(at * mostCharacters, (at + 1) * mostCharacters);
      const shown = this.#messages[at];
      if (shown?.text === text || text.trim() === "") continue;
      if (shown) await shown.message.edit(text);
      const message = shown?.message ?? (await (thread?.send(text) ?? this.#question.reply(text)));
      this.#messages[at] = { message, text };
    }
  }
}
