import { BotError } from "#domain/errors";
import type { ReplyView } from "#domain/reply-view";
import type { Log } from "#ports/log";
import type { EndedReply, Reply, ReplyJournal, ReplyTarget } from "#ports/platform";
import { LeaseLost } from "#ports/run-queue";
import type { Alarm } from "./alarm.ts";
import { heldBy, type SlackApi } from "./api.ts";
import type { Courtesies } from "./courtesies.ts";
import { asReplyError, failureOf } from "./failures.ts";
import type { Uploads } from "./files.ts";
import type { SlackTarget } from "./inbound.ts";
import { type Drawing, LiveStream, type StreamingPolicy } from "./live-stream.ts";
import { withoutPings } from "./markdown.ts";
import { Messages } from "./messages.ts";
import { type OpenMessage, Pace } from "./pace.ts";
import { Plan, type PlannedPart } from "./plan.ts";
import { ReplyFiles } from "./reply-files.ts";
import { workingSections } from "./sections.ts";
import { SignOfLife } from "./sign-of-life.ts";
import { tableFiles } from "./tables.ts";

/** Nothing new for this long: the last word is shown as well, though more of it may come. */
const idleAfterMs = 1_000;
/** What cannot be shown now is tried again after this, with whatever is new then. */
const againAfterMs = 5_000;

/** What a reply needs. */
export interface SlackReplyParts {
  readonly api: SlackApi;
  readonly to: ReplyTarget;
  readonly target: SlackTarget;
  readonly journal: ReplyJournal;
  /** True: an earlier process may have begun it, and left more in Slack than the journal knows. */
  readonly mayGoOn: boolean;
  readonly uploads: Uploads;
  readonly courtesies: Courtesies;
  readonly streaming: StreamingPolicy;
  /** Whoever asked has pressed Slack's own Stop. */
  readonly stopRun: () => Promise<void>;
  /** Tells who asked, as a direct message, what cannot be shown in its place. */
  readonly sayDirectly: (view: ReplyView, why: unknown) => Promise<void>;
  /** Called once there is a session to name. Never throws. */
  readonly nameConversation: () => Promise<void>;
  readonly log: Log;
  readonly now: () => number;
  readonly after: Alarm;
}

/**
 * A run's reply in a Slack thread. One loop draws the newest view: text grows in a native stream
 * while the workspace's budget pays for one, in a message that is updated where streams are not
 * right, or is posted once when it is complete.
 */
export class SlackReply implements Reply {
  readonly #parts: SlackReplyParts;
  readonly #messages: Messages;
  readonly #files: ReplyFiles;
  readonly #life: SignOfLife;
  readonly #live: LiveStream;
  readonly #pace: Pace;
  #plan: Plan;
  #newest: ReplyView | undefined;
  #last: ReplyView | undefined;
  #isRecovered = false;
  /** How much an earlier attempt had shown: until it is there again, nothing is taken back. */
  #shownBefore: number;
  #isHurried = false;
  #isClosed = false;
  /** The view that is being drawn is the one the reply is finished with. */
  #isFinal = false;
  #failure: unknown;
  #loop: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #wakesAtMs = 0;
  #callOffIdle: (() => void) | undefined;
  #isIdle = false;
  #shownAtMs = 0;

  constructor(given: SlackReplyParts) {
    const { to, target, journal, log, now } = given;
    const api = heldBy(journal, given.api);
    const parts = { ...given, api };
    this.#parts = parts;
    const { runId, answers } = to;
    const messages = new Messages({ api, target, journal, runId, answers, log, now });
    const life = new SignOfLife({ api, courtesies: parts.courtesies, target });
    if (parts.mayGoOn || journal.saved.length + journal.doubtful.length > 0) life.assumeShown();
    this.#messages = messages;
    this.#files = new ReplyFiles({ ...parts, messages });
    this.#life = life;
    this.#pace = new Pace(api.budget, now);
    const plan = () => this.#plan;
    const redraw = () => this.#redraw();
    this.#live = new LiveStream({ ...parts, messages, life, plan, redraw });
    const revision = Math.max(0, ...journal.saved.map((segment) => segment.revision));
    this.#plan = new Plan(revision, journal.saved);
    this.#shownBefore = Math.max(
      0,
      ...journal.saved.map(({ content }) => (content.type === "text" ? content.to : 0)),
    );
  }

  show(shown: ReplyView): void {
    if (this.#isClosed || this.#failure instanceof LeaseLost) return;
    const view = withoutWriting(shown);
    this.#newest = view;
    this.#last = view;
    this.#shownAtMs = this.#parts.now();
    this.#isIdle = false;
    this.#failure = undefined;
    this.#loop ??= this.#drawNewest();
    // Most views are a word more, and are drawn in their time.
    if (this.#wake && this.#dueMs(view) < this.#wakesAtMs) this.#wake();
  }

  async settle(): Promise<void> {
    this.#isHurried = true;
    this.#callOffIdle?.();
    this.#newest ??= this.#live.isOpen ? this.#last : undefined;
    if (this.#newest && !(this.#failure instanceof LeaseLost)) this.#loop ??= this.#drawNewest();
    this.#wake?.();
    await this.#loop;
    this.#isHurried = false;
    this.#pace.keepNothing();
    if (this.#failure !== undefined) throw asReplyError(this.#failure, this.#parts.api);
  }

  async finish(view: ReplyView): Promise<void> {
    this.show(view);
    this.#isClosed = true;
    try {
      await this.settle();
    } catch (error) {
      await this.#parts.sayDirectly(view, error);
      throw error;
    }
  }

  /** Puts right what came late of a reply that is over. */
  async lookAgain(ended: EndedReply): Promise<void> {
    const { log, to } = this.#parts;
    const view = withoutWriting(ended.view);
    await this.#messages.lookAgain(ended);
    if (view.removed) return;
    this.#isFinal = true;
    await this.#planFor(view);
    const parts = this.#partsToShow(view);
    for (const part of parts) {
      const text = withoutPings(part.text, [this.#parts.target.user]);
      const blocks = part === parts.at(-1) ? workingSections(view) : [];
      const shown = { text, blocks, closed: true, revision: view.revision };
      const isRestored = await this.#messages.restore(part, shown);
      if (isRestored) log.info({ run: to.runId, platform: "slack" }, "late change undone");
    }
  }

  /** Never rejects: what went wrong is kept for `settle` and `finish`. */
  async #drawNewest(): Promise<void> {
    const { log, to } = this.#parts;
    try {
      // Lets everything shown in the same tick be drawn once.
      await Promise.resolve();
      for (let view = this.#newest; view; view = this.#newest) {
        const dueMs = this.#dueMs(view);
        if (dueMs > this.#parts.now()) {
          await this.#pauseUntil(dueMs);
          continue;
        }
        this.#newest = undefined;
        // The reply may be finished while an earlier view is drawn.
        this.#isFinal = this.#isClosed;
        await this.#draw(view);
      }
    } catch (error) {
      this.#failure = error;
      this.#pace.wait(againAfterMs);
      this.#pace.keepNothing();
      this.#live.rest();
      this.#callOffIdle?.();
      const problem = problemOf(error);
      if (error instanceof LeaseLost) this.#live.release();
      else log.warn({ run: to.runId, platform: "slack", problem }, "reply not shown");
    } finally {
      // In the same step as the last look at #newest, so that no view falls in between.
      this.#loop = undefined;
    }
  }

  /** When the next write is due: what is worth waiting for shows more in one call. */
  #dueMs(view: ReplyView): number {
    const { now } = this.#parts;
    if (this.#isClosed || this.#isHurried || view.removed || view.status === "waiting") return 0;
    if (view.revision !== this.#plan.revision) return 0;
    this.#life.begin(now);
    if (!/\S/.test(view.text) && view.steps.length === 0) {
      return now() + (this.#life.dueInMs(now()) ?? 60_000);
    }
    return this.#pace.nextMs;
  }

  async #draw(view: ReplyView): Promise<void> {
    const { journal } = this.#parts;
    if (!this.#isRecovered) await this.#messages.recover();
    this.#isRecovered = true;
    if (view.removed) return this.#removeAll();
    if (this.#isBlank(view)) {
      await journal.assertOwner();
      await this.#life.show();
      return;
    }
    await this.#planFor(view);
    const isWhole = this.#isFinal || this.#isHurried || view.status === "waiting";
    if (!isWhole && view.text.length < this.#shownBefore) {
      this.#pace.wait(1_000);
      return;
    }
    this.#shownBefore = 0;
    if (!this.#isFinal) this.#live.rotateIfDue();
    if (!isWhole) this.#cutPartIfDue();
    await this.#drawParts(view, isWhole);
    this.#pace.keepEnd(this.#open, this.#isFinal);
    if (this.#isFinal) await this.#finishUp(view);
    else {
      this.#showRestWhenIdle();
      if (this.#messages.count === 0) await this.#life.show();
    }
    this.#pace.drew(this.#open);
  }

  #showRestWhenIdle(afterMs = idleAfterMs): void {
    if (this.#isIdle || this.#isHurried) return;
    this.#callOffIdle?.();
    this.#callOffIdle = this.#parts.after(afterMs, () => {
      if (this.#isClosed || this.#loop) return;
      const restMs = this.#shownAtMs + idleAfterMs - this.#parts.now();
      if (restMs > 0) return this.#showRestWhenIdle(restMs);
      this.#isIdle = true;
      this.#redraw();
    });
  }

  #isBlank(view: ReplyView): boolean {
    if (this.#isFinal || this.#messages.count > 0 || this.#live.isOpen) return false;
    if (view.status === "waiting" || view.notices.length > 0) return false;
    return view.text.trim() === "" && view.steps.length === 0;
  }

  async #planFor(view: ReplyView): Promise<void> {
    if (!this.#plan.isContinuedBy(view.text, view.revision)) {
      await this.#live.end("processing");
      this.#live.forgetTold();
      this.#plan = new Plan(view.revision);
      this.#shownBefore = 0;
      this.#messages.forgetShown();
    }
    this.#plan.feed(view.text);
    if (this.#isFinal) this.#plan.end();
  }

  async #drawParts(view: ReplyView, isWhole: boolean): Promise<void> {
    // Drawing can end a message early, which makes another one: look again until all are drawn.
    for (let index = 0; index < this.#partsToShow(view).length; index += 1) {
      const parts = this.#partsToShow(view);
      const part = parts[index];
      if (!part) break;
      const isLast = index === parts.length - 1;
      if (part.isFinished && !isLast && this.#messages.isClosed(index)) continue;
      const isComplete = isWhole || part.isFinished;
      const [isClosed, isIdle] = [this.#isFinal, this.#isIdle];
      await this.#drawPart(part, { view, isLast, isComplete, isClosed, isIdle });
    }
    const parts = this.#partsToShow(view);
    if (isWhole || this.#plan.revision > 0) await this.#messages.removeFrom(parts.length);
  }

  #partsToShow(view: ReplyView): readonly PlannedPart[] {
    const { parts } = this.#plan;
    if (parts.length > 0 || !this.#isFinal) return parts;
    const hasWords = view.notices.length > 0 || view.requests.length + view.settlements.length > 0;
    if (!hasWords && this.#messages.count === 0) return [];
    return [{ index: 0, from: 0, to: 0, text: "", settled: "", isFinished: true }];
  }

  async #drawPart(part: PlannedPart, drawing: Drawing): Promise<void> {
    const { view, isLast, isComplete } = drawing;
    if (this.#live.isOn(part)) {
      if (await this.#live.grow(part, drawing)) return;
      // The stream is over, and its message is an ordinary one now.
      if (!this.#plan.parts.some((one) => one.index === part.index && one.to === part.to)) return;
    }
    const text = withoutPings(part.text, [this.#parts.target.user]);
    const isKnown = this.#messages.has(part.index);
    const blocks = isLast ? workingSections(view) : [];
    if (text === "" && blocks.length === 0 && !isKnown) return;
    if (this.#live.isStopped && !this.#isFinal) return;
    if (!isKnown && !isComplete) {
      const began = await this.#live.begin(part, drawing);
      if (began !== "no") return;
      if (!this.#canPostInterim(view)) return;
      this.#pace.keepUpdate();
    }
    if (isKnown && !isComplete && !this.#parts.api.budget.canUpdate) return;
    const closed = this.#isFinal || part.isFinished;
    await this.#messages.put(part, { text, blocks, closed, revision: view.revision });
    if (!isKnown) this.#life.posted();
    if (!isComplete) this.#pace.updated();
  }

  async #finishUp(view: ReplyView): Promise<void> {
    const { to, uploads } = this.#parts;
    const tables = tableFiles(view.text, to.runId);
    const files = [...view.files, ...tables.map(({ file }) => file)];
    await this.#files.put({ ...view, files }, uploads.with(tables));
    await this.#life.end();
  }

  async #removeAll(): Promise<void> {
    await this.#live.end("active");
    await this.#messages.removeFrom(0, "with files");
    await this.#life.end();
  }

  #canPostInterim(view: ReplyView): boolean {
    const { api, target } = this.#parts;
    const isShort = view.text.trim().length < 20 && view.steps.length === 0;
    if (isShort && !this.#isIdle) return false;
    return api.budget.canBeginUpdated(target.channel);
  }

  #cutPartIfDue(): void {
    if (!this.#pace.isPartDue(this.#open, this.#parts.target.channel)) return;
    if (this.#plan.cutAtParagraph()) this.#pace.partCut();
  }

  /** How the message that still grows is there. */
  get #open(): OpenMessage {
    if (this.#live.isOpen) return "stream";
    return this.#messages.has(this.#plan.parts.at(-1)?.index ?? 0) ? "message" : "none";
  }

  /** Looks at the last view again. */
  #redraw(): void {
    if (this.#isClosed || !this.#last) return;
    this.#newest ??= this.#last;
    this.#loop ??= this.#drawNewest();
  }

  async #pauseUntil(dueMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    this.#wakesAtMs = dueMs;
    const timer = setTimeout(resolve, dueMs - this.#parts.now());
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }
}

/** That a message is being written is seen by itself. */
function withoutWriting(view: ReplyView): ReplyView {
  return { ...view, steps: view.steps.filter(({ type }) => type !== "message_creation") };
}

function problemOf(error: unknown): string {
  const failure = failureOf(error);
  if (failure?.type === "refused") return failure.error;
  return error instanceof BotError ? error.code : (failure?.type ?? "unknown");
}
