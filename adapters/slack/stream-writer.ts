import type { StepView } from "#domain/reply-view";
import type { SlackApi } from "./api.ts";
import { Cards } from "./cards.ts";
import type { Block } from "./sections.ts";

/** Where a stream goes, and for whom it is live. */
export interface StreamPlace {
  readonly channel: string;
  readonly threadTs: string;
  readonly recipientUserId: string;
  readonly recipientTeamId: string;
}

/** What a stream is left with. */
export interface StreamEnd {
  readonly blocks: readonly Block[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly session: "processing" | "active" | "suspended";
}

interface Chunk {
  readonly type: string;
  readonly [name: string]: unknown;
}

/**
 * One natively streamed message. Its user makes one call after the other; nothing is sent twice,
 * and what a call would send is known to be sent only when it resolved. From its creation on the
 * budget keeps back what it needs, until it is stopped or released.
 */
export class StreamWriter {
  readonly #api: SlackApi;
  readonly #place: StreamPlace;
  readonly #cards = new Cards();
  #ts: string | undefined;
  /** All text Slack has taken. */
  #text = "";
  #isHeld = true;

  constructor(api: SlackApi, place: StreamPlace) {
    this.#api = api;
    this.#place = place;
    api.budget.holdStream();
  }

  get ts(): string | undefined {
    return this.#ts;
  }

  get text(): string {
    return this.#text;
  }

  /** Begins the message. Resolves to its ts. */
  async start(text: string, steps: readonly StepView[]): Promise<string> {
    const { chunks, sent } = this.#chunksOf(text, steps);
    const result = await this.#api.call("chat.startStream", {
      channel: this.#place.channel,
      thread_ts: this.#place.threadTs,
      recipient_user_id: this.#place.recipientUserId,
      recipient_team_id: this.#place.recipientTeamId,
      task_display_mode: "plan",
      chunks,
    });
    this.#api.budget.streamBegun();
    this.#ts = String(result.ts);
    sent();
    return this.#ts;
  }

  /** Appends what is new. The text has to begin with what was sent. */
  async append(text: string, steps: readonly StepView[]): Promise<void> {
    const { chunks, sent } = this.#chunksOf(text, steps);
    if (chunks.length === 0) return;
    await this.#api.call("chat.appendStream", {
      channel: this.#place.channel,
      ts: this.#ts,
      chunks,
    });
    sent();
  }

  /** Appends the rest and ends the message. After a refusal it counts as ended. */
  async stop(text: string, steps: readonly StepView[], end: StreamEnd): Promise<void> {
    const hasMore = /\S/.test(text.slice(this.#text.length));
    const { chunks, sent } = this.#chunksOf(hasMore ? text : this.#text, steps);
    try {
      await this.#api.call(
        "chat.stopStream",
        {
          channel: this.#place.channel,
          ts: this.#ts,
          ...(chunks.length > 0 ? { chunks } : {}),
          ...(end.blocks.length > 0 ? { blocks: end.blocks } : {}),
          metadata: end.metadata,
          session_status: end.session,
        },
        { priority: "final" },
      );
      sent();
    } finally {
      this.release();
    }
  }

  /** Its stop need not be kept back any longer. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (this.#ts === undefined) this.#api.budget.streamBegun();
    this.#api.budget.releaseStream();
  }

  #chunksOf(
    text: string,
    steps: readonly StepView[],
  ): { readonly chunks: readonly Chunk[]; readonly sent: () => void } {
    const changes = this.#cards.changes(steps);
    const rest = text.slice(this.#text.length);
    const chunks: Chunk[] = changes.cards.map((card) => ({ type: "task_update", ...card }));
    // White space at the begin of an appended piece gets lost, so something invisible goes before it.
    const joint = this.#text !== "" && /^\s/.test(rest) ? "\u200b" : "";
    if (rest !== "") chunks.push({ type: "markdown_text", text: joint + rest });
    return {
      chunks,
      sent: () => {
        this.#text = text;
        changes.sent();
      },
    };
  }
}

/**
 * How much of a text may be sent to a stream whose next call's leading white space gets lost: all
 * up to the last word, so that the next piece begins with one.
 */
export function sendable(text: string, from: number): string {
  for (let at = text.length - 1; at > from; at -= 1) {
    if (/\s/.test(text[at - 1] ?? "") && !/\s/.test(text[at] ?? "")) return text.slice(0, at);
  }
  // No word ends here for a long time (Chinese, Japanese): any letter will do to begin with.
  if (text.length - from < 80) return text.slice(0, from);
  const at = text.trimEnd().length - 4;
  return text.slice(0, /[\udc00-\udfff]/.test(text[at] ?? "") ? at - 1 : at);
}
