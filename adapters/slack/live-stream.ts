import type { ReplyView, StepView } from "#domain/reply-view";
import type { Log } from "#ports/log";
import type { ReplyJournal, ReplyTarget } from "#ports/platform";
import type { Alarm } from "./alarm.ts";
import type { SlackApi } from "./api.ts";
import { failureOf, refusalOf, streamingRefusedFor } from "./failures.ts";
import type { SlackTarget } from "./inbound.ts";
import { withoutPings } from "./markdown.ts";
import { type Messages, streamNote } from "./messages.ts";
import type { Plan, PlannedPart } from "./plan.ts";
import { type Block, sectionsOf } from "./sections.ts";
import type { SignOfLife } from "./sign-of-life.ts";
import { type StreamEnd, StreamWriter, sendable } from "./stream-writer.ts";

/** Slack ends a stream about five minutes after its start, whatever is sent to it (measured: 306 s). */
const rotateAfterMs = 240_000;
const rotateAtTheLatestMs = 265_000;

/** Where streams are refused: asked before each, told after a refusal. */
export interface StreamingPolicy {
  isRefused(channel: string): boolean;
  refuse(channel: string, how: { reach: "everywhere" | "channel"; why: string }): void;
}

/** What a reply's streams need. */
export interface LiveStreamParts {
  readonly api: SlackApi;
  readonly to: ReplyTarget;
  readonly target: SlackTarget;
  readonly journal: ReplyJournal;
  readonly messages: Messages;
  readonly life: SignOfLife;
  readonly plan: () => Plan;
  readonly streaming: StreamingPolicy;
  /** Whoever asked has pressed Slack's own Stop. */
  readonly stopRun: () => Promise<void>;
  /** Called once there is a session to name. Never throws. */
  readonly nameConversation: () => Promise<void>;
  /** The stream has to be looked at although nothing new is shown. */
  readonly redraw: () => void;
  readonly log: Log;
  readonly now: () => number;
  readonly after: Alarm;
}

/** How a part is to be drawn. */
export interface Drawing {
  readonly view: ReplyView;
  /** It is the last message so far. */
  readonly isLast: boolean;
  /** Nothing of it is held back any more. */
  readonly isComplete: boolean;
  /** The reply is finished. */
  readonly isClosed: boolean;
  /** Nothing new has come for a while: the last word is shown as well, though more of it may come. */
  readonly isIdle: boolean;
}

/**
 * The native streams of one reply, one after the other: begun where they may be, fed, ended before
 * Slack ends them, and given up where they are refused.
 */
export class LiveStream {
  readonly #parts: LiveStreamParts;
  #open:
    | { readonly index: number; readonly writer: StreamWriter; readonly sinceMs: number }
    | undefined;
  #callOff: (() => void) | undefined;
  /** This answer cannot be streamed, whatever others can. */
  #isUnstreamable = false;
  #isStopped = false;
  /** Steps whose end stands in a message before. */
  readonly #told = new Set<string>();

  constructor(parts: LiveStreamParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  isOn(part: PlannedPart): boolean {
    return this.#open?.index === part.index;
  }

  /** Whoever asked pressed Slack's Stop: nothing more is shown until the run has ended. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Begins a stream. `later`: there is not enough to begin with. */
  async begin(part: PlannedPart, { view, isIdle }: Drawing): Promise<"yes" | "later" | "no"> {
    const { api, target, streaming, now, journal, messages } = this.#parts;
    const isRefused = this.#isUnstreamable || streaming.isRefused(target.channel);
    if (target.isShared || isRefused) return "no";
    const settled = this.#textOf(part.settled);
    const text = isIdle ? this.#idleTextOf(part, "") : sendable(settled, 0);
    const steps = this.#stepsOf(view);
    if (text.length < (isIdle ? 1 : 20) && steps.length === 0) return "later";
    if (!api.budget.canStream) return "no";
    const writer = new StreamWriter(api, {
      channel: target.channel,
      threadTs: target.threadTs,
      recipientUserId: target.user,
      recipientTeamId: target.userTeam,
    });
    const range = { from: part.from, to: part.from + text.length };
    try {
      await messages.announce({ index: part.index, ...range }, view.revision);
      // Its five minutes begin at Slack, before we hear of it.
      const sinceMs = now();
      const ts = await writer.start(text, steps);
      this.#open = { index: part.index, writer, sinceMs };
      this.#parts.life.assumeShown();
      await journal.after({
        index: part.index,
        id: ts,
        content: { type: "text", ...range },
        revision: view.revision,
        closed: false,
        note: streamNote,
      });
      messages.know(part.index, ts, range);
      this.#wakeBeforeItDies(sinceMs);
      void this.#parts.nameConversation();
      return "yes";
    } catch (error) {
      if (!this.#open) writer.release();
      const code = refusalOf(error);
      const reach = streamingRefusedFor(code);
      if (reach !== undefined) {
        this.#isUnstreamable = true;
        if (reach !== "message") streaming.refuse(target.channel, { reach, why: code ?? "" });
        return "no";
      }
      if (failureOf(error)?.type !== "unclear") throw error;
      await messages.recover();
      return messages.has(part.index) ? "later" : "no";
    }
  }

  /** Goes on in the open stream. False: it is over, or has to be, and the message needs an update. */
  async grow(part: PlannedPart, drawing: Drawing): Promise<boolean> {
    const { messages } = this.#parts;
    const { view, isLast, isComplete, isClosed } = drawing;
    const open = this.#open;
    if (!open) return false;
    const { writer } = open;
    const whole = this.#textOf(part.text);
    try {
      if (!isComplete) {
        const settled = this.#textOf(part.settled);
        const text = drawing.isIdle
          ? this.#idleTextOf(part, writer.text)
          : sendable(settled, writer.text.length);
        if (!text.startsWith(writer.text)) return this.#abandon();
        await writer.append(text, this.#stepsOf(view));
        return true;
      }
      const isOpenEnd = !part.isFinished && !isClosed;
      // An open end may still be redrawn, so only what is settled goes into the stream.
      const text = isOpenEnd ? this.#textOf(part.settled) : whole;
      if (!text.startsWith(writer.text)) return this.#abandon();
      const notes = messages.notesOf(part.index);
      const blocks = isLast ? [...notes, ...sectionsOf(view)] : notes;
      const steps = this.#stepsOf(view);
      await this.#stop(open, {
        text,
        steps: isLast ? steps : carriedOver(steps),
        blocks,
        session: sessionAfter(drawing),
      });
      if (!isLast) this.#tell(steps);
      await messages.stopped(part, {
        ts: writer.ts ?? "",
        text: text === whole ? text : undefined,
        blocks,
        closed: part.isFinished || isClosed,
        revision: view.revision,
      });
      return text === whole;
    } catch (error) {
      return this.#repair(error);
    }
  }

  /** Ends the open stream as it is; its message may be updated then. */
  async end(session: StreamEnd["session"]): Promise<void> {
    const open = this.#open;
    if (!open) return;
    try {
      await this.#stop(open, { text: open.writer.text, steps: [], blocks: [], session });
    } catch (error) {
      if (!failureOf(error)) throw error;
    }
  }

  /** The text has come out differently: its messages tell all steps anew. */
  forgetTold(): void {
    this.#told.clear();
  }

  /** Ends the open message in good time, where a reader would not notice if there is time for that. */
  rotateIfDue(): void {
    const open = this.#open;
    if (!open) return;
    const plan = this.#parts.plan();
    const ageMs = this.#parts.now() - open.sinceMs;
    const isDue = ageMs >= rotateAfterMs && plan.isAtParagraphEnd;
    const isOpenPart = plan.parts.at(-1)?.index === open.index;
    if (isOpenPart && (isDue || ageMs >= rotateAtTheLatestMs)) this.#cut(open.writer.text);
  }

  /** Another process has taken over: its end is no longer ours. */
  release(): void {
    this.#open?.writer.release();
  }

  /** Nothing is looked at by itself any more. */
  rest(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  async #stop(
    open: { readonly index: number; readonly writer: StreamWriter },
    end: {
      readonly text: string;
      readonly steps: readonly StepView[];
      readonly blocks: readonly Block[];
      readonly session: StreamEnd["session"];
    },
  ): Promise<void> {
    const { messages, plan, life } = this.#parts;
    const { text, steps, blocks, session } = end;
    const { revision } = plan();
    const metadata = messages.metadataOf(open.index, { revision, text, blocks });
    this.#open = undefined;
    this.rest();
    await open.writer.stop(text, steps, { blocks, metadata, session });
    if (session === "active") life.isOver();
  }

  /** What a stream's refusal means for its message: from now on it is updated. */
  #repair(error: unknown): false {
    const failure = failureOf(error);
    if (!failure || failure.type === "rate-limited") throw error;
    const { log, to } = this.#parts;
    const code = failure.type === "refused" ? failure.error : "unclear";
    const open = this.#open;
    open?.writer.release();
    this.#open = undefined;
    this.rest();
    log.info({ run: to.runId, platform: "slack", problem: code }, "stream repaired");
    if (code === "stopped_by_user") this.#obeyStop();
    // Its time was over: what is there is a message of its own, and the rest goes on in another.
    if (code === "message_not_in_streaming_state" && open) this.#cut(open.writer.text);
    return false;
  }

  #obeyStop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const { log, stopRun, to } = this.#parts;
    stopRun().catch((error: unknown) =>
      log.warn({ run: to.runId, platform: "slack", err: error }, "stop not passed on"),
    );
  }

  /** Ends the open message. Words that are shown though more could have come stay in it. */
  #cut(shown: string): void {
    const plan = this.#parts.plan();
    const part = plan.parts.at(-1);
    const isAllShown = part && shown === this.#textOf(part.text).trimEnd();
    plan.cut(isAllShown ? "all" : "settled");
  }

  /** Stops a stream whose text has come out differently, so that it can be updated. */
  async #abandon(): Promise<false> {
    await this.end("processing");
    return false;
  }

  /** A stream dies when nothing comes for it, too. */
  #wakeBeforeItDies(sinceMs: number): void {
    const { after, now, redraw } = this.#parts;
    this.rest();
    const leftMs = sinceMs + rotateAtTheLatestMs - now();
    this.#callOff = after(Math.max(0, leftMs), redraw);
  }

  #tell(steps: readonly StepView[]): void {
    for (const { id, status } of steps) if (status !== "in_progress") this.#told.add(id);
  }

  #stepsOf(view: ReplyView): readonly StepView[] {
    return view.steps.filter(({ id }) => !this.#told.has(id));
  }

  #textOf(text: string): string {
    return withoutPings(text, [this.#parts.target.user]);
  }

  /**
   * What is settled, and the words after it when they are plain: should they change, the stream is
   * left. Without white space at its end, which the finished message may not have.
   */
  #idleTextOf(part: PlannedPart, sent: string): string {
    const [settled, open] = [this.#textOf(part.settled), this.#textOf(part.text)];
    const rest = open.startsWith(settled) ? open.slice(settled.length) : "";
    const isPlain = /^[\p{L}\p{M}\p{N}\s.,;:!?'"()-]*$/u.test(rest);
    const text = (isPlain ? settled + rest : settled).trimEnd();
    return sent.startsWith(text) ? sent : text;
  }
}

function sessionAfter({ view, isLast, isClosed }: Drawing): StreamEnd["session"] {
  if (view.status === "waiting") return "suspended";
  return isClosed && isLast ? "active" : "processing";
}

/** Cards in a message that is left: nothing may look as if it ran there for ever. */
function carriedOver(steps: readonly StepView[]): readonly StepView[] {
  return steps.map((step) =>
    step.status === "in_progress"
      ? { ...step, status: "completed", title: `${step.title} (continued)` }
      : step,
  );
}
