import type { CommandAnswer } from "#domain/command";
import type { Log } from "#ports/log";
import type { SlackApi } from "./api.ts";
import { refusalOf } from "./failures.ts";
import { shareFiles, uploadBytes, uploadReasonOf } from "./files.ts";
import { toMrkdwn } from "./markdown.ts";
import type { Block } from "./sections.ts";

/** Direct messages the bot begins by itself. Each method throws the client's error. */
export class DirectMessages {
  readonly #api: SlackApi;
  /** A person's direct conversation never changes. */
  readonly #channels = new Map<string, string>();

  constructor(api: SlackApi) {
    this.#api = api;
  }

  /** The id of the direct conversation with somebody. */
  async channel(user: string): Promise<string> {
    const known = this.#channels.get(user);
    if (known) return known;
    const { channel } = await this.#api.call(
      "conversations.open",
      { users: user },
      { isRepeatable: true },
    );
    const { id } = channel as { readonly id: string };
    this.#channels.set(user, id);
    return id;
  }

  /** Says something. Resolves to where: replies belong below it. */
  async say(
    user: string,
    message: { readonly text: string; readonly blocks: readonly Block[] },
  ): Promise<{ readonly channel: string; readonly ts: string }> {
    const channel = await this.channel(user);
    const { ts } = await this.#api.call("chat.postMessage", {
      channel,
      ...message,
      unfurl_links: false,
      unfurl_media: false,
    });
    return { channel, ts: String(ts) };
  }

  /** Hands over the file of a command's answer, with its words. */
  async handOver(
    user: string,
    answer: CommandAnswer & { readonly file: NonNullable<CommandAnswer["file"]> },
  ): Promise<void> {
    const { name, data } = answer.file;
    const channel = await this.channel(user);
    const id = await uploadBytes(this.#api, { name, altText: answer.text, bytes: data });
    const comment = toMrkdwn(answer.text);
    await shareFiles(this.#api, { files: [{ id, title: name }], channel, comment });
  }
}

/**
 * An answer whose file has been handed over: neither an ephemeral message nor an answer to a
 * command can hold one, so it comes as a direct message.
 */
export async function handedOver(
  { direct, log }: { readonly direct: DirectMessages; readonly log: Log },
  { user }: { readonly user: string },
  answer: CommandAnswer,
): Promise<CommandAnswer> {
  const { file, ...words } = answer;
  if (!file) return words;
  try {
    await direct.handOver(user, { ...answer, file });
    return { ...words, text: `${words.text}\n\nI sent you \`${file.name}\` as a direct message.` };
  } catch (error) {
    const problem = refusalOf(error);
    log.warn({ platform: "slack", problem: problem ?? "unclear" }, "file not handed over");
    return { ok: false, text: `I could not send you ${file.name}: ${uploadReasonOf(problem)}.` };
  }
}
