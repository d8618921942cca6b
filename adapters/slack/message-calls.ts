import { createHash } from "node:crypto";
import { BotError } from "#domain/errors";
import type { Log } from "#ports/log";
import type { SlackApi } from "./api.ts";
import { refusalOf } from "./failures.ts";
import type { SlackTarget } from "./inbound.ts";
import type { Block } from "./sections.ts";
import { isFormRefused, shapesOf } from "./shapes.ts";

/** What a call shows. */
export interface MessageContent {
  readonly text: string;
  readonly blocks: readonly Block[];
  /** Nothing about it changes any more: it goes before what still does. */
  readonly closed: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What became of it. */
export interface Written {
  readonly ts: string;
  /** Sections the message could not hold. */
  readonly leftOver: readonly Block[];
}

/** The calls that make, change and take back the ordinary messages of one thread. */
export class MessageCalls {
  readonly #api: SlackApi;
  readonly #target: SlackTarget;
  readonly #runId: string;
  readonly #log: Log;

  constructor(parts: {
    readonly api: SlackApi;
    readonly target: SlackTarget;
    readonly runId: string;
    readonly log: Log;
  }) {
    this.#api = parts.api;
    this.#target = parts.target;
    this.#runId = parts.runId;
    this.#log = parts.log;
  }

  post(message: MessageContent): Promise<Written> {
    const { channel, threadTs: thread_ts } = this.#target;
    const quiet = { unfurl_links: false, unfurl_media: false };
    return this.#inShapes(message, async (content) => {
      const { metadata } = message;
      const args = { channel, thread_ts, ...content, ...quiet, metadata };
      const { ts } = await this.#api.call("chat.postMessage", args, {
        priority: priorityOf(message),
      });
      return String(ts);
    });
  }

  /** Undefined: the message is not there any more. */
  async update(ts: string, message: MessageContent): Promise<Written | undefined> {
    const { channel } = this.#target;
    const { metadata } = message;
    const update = () =>
      this.#inShapes(message, async (content) => {
        await this.#api.call(
          "chat.update",
          { channel, ts, ...content, metadata },
          { priority: priorityOf(message), isRepeatable: true },
        );
        return ts;
      });
    try {
      return await update();
    } catch (error) {
      const code = refusalOf(error);
      if (code === "message_not_found") return undefined;
      if (code !== "streaming_state_conflict") throw error;
    }
    await this.stopStream(ts);
    return update();
  }

  /** Takes a message back; what is gone is gone. */
  async delete(ts: string): Promise<void> {
    const args = { channel: this.#target.channel, ts };
    try {
      await this.#api.call("chat.delete", args, { isRepeatable: true });
    } catch (error) {
      const code = refusalOf(error);
      if (code === "message_not_found") return;
      if (code !== "cant_delete_message" && code !== "streaming_state_conflict") throw error;
      await this.stopStream(ts);
      await this.#api.call("chat.delete", args, { isRepeatable: true });
    }
  }

  async deleteFile(id: string): Promise<void> {
    try {
      await this.#api.call("files.delete", { file: id }, { isRepeatable: true });
    } catch (error) {
      if (refusalOf(error) === undefined) throw error;
    }
  }

  /** Makes an ordinary message of a stream that somebody else began; one that is over stays so. */
  async stopStream(ts: string): Promise<void> {
    const args = { channel: this.#target.channel, ts, session_status: "processing" };
    try {
      await this.#api.call("chat.stopStream", args, { priority: "final", isRepeatable: true });
    } catch (error) {
      if (refusalOf(error) === undefined) throw error;
    }
  }

  /** Tries the full form, then simpler ones: the answer goes before its form, and is never cut. */
  async #inShapes(
    message: MessageContent,
    send: (content: Readonly<Record<string, unknown>>) => Promise<string>,
  ): Promise<Written> {
    const shapes = shapesOf(message);
    for (const [index, shape] of shapes.entries()) {
      try {
        const ts = await send(shape.content);
        return { ts, leftOver: shape.holdsSections ? [] : message.blocks };
      } catch (error) {
        const problem = refusalOf(error) ?? "";
        if (!isFormRefused(problem) || index === shapes.length - 1) throw error;
        const payload = createHash("sha256").update(JSON.stringify(shape.content)).digest("hex");
        const fields = { run: this.#runId, platform: "slack", problem, payload };
        this.#log.warn(fields, "form refused, shown more simply");
      }
    }
    throw new BotError("reply-impossible");
  }
}

function priorityOf({ closed }: MessageContent): "final" | "shown" {
  return closed ? "final" : "shown";
}
