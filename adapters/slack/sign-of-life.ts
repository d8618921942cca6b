import type { SlackApi } from "./api.ts";
import type { Courtesies } from "./courtesies.ts";
import type { SlackTarget } from "./inbound.ts";

/** Nothing shown for this long: the person is told that somebody is at work. */
const afterMs = 700;
/** Sessions take two calls of a small bucket: when many work, the status text has to do. */
const sessionsKept = 40;

/** Slack's "Working…" under a thread while there is nothing to read yet, and its end. Never fails. */
export class SignOfLife {
  readonly #api: SlackApi;
  readonly #courtesies: Courtesies;
  readonly #target: SlackTarget;
  #beganMs: number | undefined;
  #shownBy: "session" | "status" | undefined;
  #isTried = false;

  constructor(parts: {
    readonly api: SlackApi;
    readonly courtesies: Courtesies;
    readonly target: SlackTarget;
  }) {
    this.#api = parts.api;
    this.#courtesies = parts.courtesies;
    this.#target = parts.target;
  }

  begin(now: () => number): void {
    this.#beganMs ??= now();
  }

  /** 0 when it should be shown now; undefined when there is nothing to wait for any more. */
  dueInMs(nowMs: number): number | undefined {
    if (this.#isTried) return undefined;
    return Math.max(0, (this.#beganMs ?? nowMs) + afterMs - nowMs);
  }

  async show(): Promise<void> {
    if (this.#isTried) return;
    this.#isTried = true;
    const place = { channel_id: this.#target.channel, thread_ts: this.#target.threadTs };
    // Sessions show Slack's own Stop button; their calls are fewer.
    if (this.#api.budget.available("agents.sessions.setStatus") >= sessionsKept) {
      const isShown = await this.#try("agents.sessions.setStatus", {
        ...place,
        status: "processing",
      });
      if (isShown) {
        this.#shownBy = "session";
        return;
      }
    }
    const status = "is working on it…";
    if (await this.#try("assistant.threads.setStatus", { ...place, status }))
      this.#shownBy = "status";
  }

  /** Slack shows it by itself while a stream is open; an earlier attempt may have left it there. */
  assumeShown(): void {
    this.#shownBy = "session";
  }

  /** A message was posted in the thread, which takes a status text away (docs.slack.dev, assistant.threads.setStatus). */
  posted(): void {
    if (this.#shownBy === "status") this.#shownBy = undefined;
  }

  /** Something else has set the thread's state. */
  isOver(): void {
    this.#shownBy = undefined;
  }

  async end(): Promise<void> {
    if (this.#shownBy === undefined) return;
    this.#shownBy = undefined;
    const place = { channel_id: this.#target.channel, thread_ts: this.#target.threadTs };
    await this.#try("assistant.threads.setStatus", { ...place, status: "" });
  }

  #try(method: string, args: Readonly<Record<string, unknown>>): Promise<boolean> {
    return this.#courtesies.try(method, args);
  }
}
