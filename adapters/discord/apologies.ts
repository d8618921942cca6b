import { MessageFlags, Routes } from "discord.js";
import { discordProfile } from "#domain/markdown-profile";
import { splitMarkdown } from "#domain/split-markdown";
import type { Log } from "#ports/log";
import { bodyOf, type Draft, filesOf } from "./drafts.ts";
import { failureOf } from "./failures.ts";
import { escaped, toDiscord } from "./markdown.ts";
import type { PacedApi } from "./paced-api.ts";
import { answerFile } from "./slots.ts";

/** A reason without an answer goes to the same person once in this time. */
const onceInMs = 10 * 60_000;
/** A longer answer goes on in a file. */
const mostMessages = 3;

/** What could not be said where somebody asked. */
export interface Unsaid {
  readonly channel: string;
  readonly reason: string;
  /** Undefined: it must not be said elsewhere either. */
  readonly answer: string | undefined;
}

/** Tells people directly why there is no answer where they asked, and the answer. Never fails. */
export class Apologies {
  readonly #api: PacedApi;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #told = new Map<string, number>();

  constructor(parts: { readonly api: PacedApi; readonly log: Log; readonly now: () => number }) {
    this.#api = parts.api;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  async tell(user: string, unsaid: Unsaid): Promise<void> {
    if (unsaid.answer === undefined && !this.#isFirst(`${user} ${unsaid.channel} ${unsaid.reason}`))
      return;
    try {
      const { id } = (await this.#api.call({
        method: "POST",
        route: Routes.userChannels(),
        kind: "other",
        body: { recipient_id: user },
        isRepeatable: true,
      })) as { readonly id: string };
      for (const message of messagesOf(unsaid)) await this.#post(id, message);
    } catch (error) {
      const failure = failureOf(error);
      const problem = failure?.type === "refused" ? failure.code : (failure?.type ?? "unknown");
      this.#log.info({ platform: "discord", problem }, "nobody could be told");
    }
  }

  async #post(channel: string, message: Pick<Draft, "text" | "files">): Promise<void> {
    await this.#api.call({
      method: "POST",
      route: Routes.channelMessages(channel),
      kind: "create",
      channel,
      body: { ...bodyOf(message), flags: MessageFlags.SuppressEmbeds },
      ...filesOf(message),
    });
  }

  #isFirst(key: string): boolean {
    for (const [told, untilMs] of this.#told) if (untilMs <= this.#now()) this.#told.delete(told);
    if (this.#told.has(key)) return false;
    this.#told.set(key, this.#now() + onceInMs);
    return true;
  }
}

function messagesOf({ channel, reason, answer }: Unsaid) {
  const words = `I could not answer you in <#${channel}>. ${escaped(reason)}`;
  if (answer === undefined) return [{ text: words }];
  const parts = splitMarkdown(answer, discordProfile)
    .map(({ text }) => ({ text: toDiscord(text).trim() }))
    .filter(({ text }) => text !== "");
  const lead = { text: `${words} This is what I would have said:` };
  if (parts.length <= mostMessages) return [lead, ...parts];
  return [lead, ...parts.slice(0, 1), { text: "", files: [answerFile(answer)] }];
}
