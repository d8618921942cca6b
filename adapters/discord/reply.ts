import { RESTJSONErrorCodes } from "discord.js";
import { BotError } from "#domain/errors";
import type { ReplyView } from "#domain/reply-view";
import type { ReplyFile } from "#domain/run-event";
import type { Log } from "#ports/log";
import type { EndedReply, Reply, ReplyJournal, ReplyTarget } from "#ports/platform";
import { LeaseLost } from "#ports/run-queue";
import type { Apologies } from "./apologies.ts";
import { deliverFiles } from "./deliveries.ts";
import { draftOf } from "./drafts.ts";
import {
  asReplyError,
  failureOf,
  isBlocked,
  isForbidden,
  isTooLarge,
  refusalOf,
} from "./failures.ts";
import type { DiscordTarget } from "./inbound.ts";
import { Messages } from "./messages.ts";
import { heldBy, type PacedApi } from "./paced-api.ts";
import { ReplyPlace } from "./place.ts";
import { Plan } from "./plan.ts";
import type { Refusals } from "./refusals.ts";
import { type Slot, slotsOf } from "./slots.ts";
import { Typing } from "./typing.ts";

/** An answer that is finished this soon after its first word is posted in one call. */
const firstWriteMs = 500;
/** The first post is what people are notified with: a few words are waited for, so long at most. */
const fewWords = 20;
const fewWordsMs = 2_000;
/** While others are on their way, the budget is looked at again after this. */
const lookAgainMs = 100;
const afterFailureMs = 5_000;
const usualCallMs = 300;
/** How much smaller messages get when Discord finds them too long after all. */
const resplitBy = 900;

/** What a reply needs. */
export interface DiscordReplyParts {
  readonly api: PacedApi;
  readonly to: ReplyTarget;
  readonly target: DiscordTarget;
  readonly journal: ReplyJournal;
  readonly refusals: Refusals;
  readonly apologies: Apologies;
  readonly openFile: (file: ReplyFile) => Promise<ReadableStream<Uint8Array>>;
  /** The most bytes one file may have in a guild; null: in a direct message. */
  readonly fileLimit: (guild: string | null) => Promise<number>;
  /** The bot's own id. */
  readonly botUser: () => string;
  readonly log: Log;
  readonly now: () => number;
}

/**
 * A run's reply in Discord: messages that are posted and then edited, in a thread on the message it
 * answers. One loop draws the newest view, with one call under way at a time; how often is decided
 * with all replies that share the channel and the bot's limits.
 */
export class DiscordReply implements Reply {
  readonly #parts: DiscordReplyParts;
  readonly #place: ReplyPlace;
  readonly #messages: Messages;
  readonly #typing: Typing;
  #plan: Plan;
  #newest: ReplyView | undefined;
  #last: ReplyView | undefined;
  /** How much an earlier attempt had shown: until it is there again, nothing is taken back. */
  #shownBefore: number;
  #restAt: number | undefined;
  #canSendFiles = true;
  #isResplit = false;
  #isPrepared = false;
  #isHurried = false;
  #isClosed = false;
  /** The view being drawn is the one it was finished with: that may come while another is drawn. */
  #isFinal = false;
  #beganMs: number | undefined;
  #nextWriteMs = 0;
  #failure: unknown;
  #loop: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #leavePace: (() => void) | undefined;

  constructor(given: DiscordReplyParts) {
    const { target, journal, refusals, log, to, botUser, now } = given;
    const api = heldBy(journal, given.api);
    const parts = { ...given, api };
    this.#parts = parts;
    this.#place = new ReplyPlace({ api, target, journal, refusals, log });
    const place = this.#place;
    const runId = to.runId;
    this.#messages = new Messages({ api, target, place, journal, refusals, runId, botUser, now });
    this.#typing = new Typing({ api, place });
    const texts = journal.saved.filter(({ content }) => content.type === "text");
    this.#plan = new Plan(Math.max(0, ...texts.map(({ revision }) => revision)));
    this.#shownBefore = Math.max(
      0,
      ...texts.map(({ content }) => (content.type === "text" ? content.to : 0)),
    );
  }

  show(shown: ReplyView): void {
    if (this.#isClosed || this.#isHopeless) return;
    // That a message is being written is seen by itself.
    const steps = shown.steps.filter(({ type }) => type !== "message_creation");
    this.#newest = { ...shown, steps };
    this.#last = this.#newest;
    this.#failure = undefined;
    this.#loop ??= this.#drawNewest();
    this.#wake?.();
  }

  async settle(): Promise<void> {
    this.#isHurried = true;
    if (this.#newest && !this.#isHopeless) this.#loop ??= this.#drawNewest();
    this.#wake?.();
    await this.#loop;
    this.#isHurried = false;
    await this.#rest();
    if (this.#failure === undefined) return;
    if (this.#isClosed) await this.#tell(this.#failure);
    throw asReplyError(this.#failure);
  }

  async finish(view: ReplyView): Promise<void> {
    this.show(view);
    this.#isClosed = true;
    await this.settle();
  }

  /** Puts right what came late of a reply that is over. */
  async lookAgain(ended: EndedReply): Promise<void> {
    const { log, to } = this.#parts;
    const { view } = ended;
    await this.#messages.lookAgain(ended);
    if (view.removed) return;
    this.#isFinal = true;
    this.#restAt = this.#messages.restAt;
    this.#planFor(view);
    for (const slot of this.#slots(view, true)) {
      const isRestored = await this.#messages.restore(draftOf(slot));
      if (isRestored) log.info({ run: to.runId, platform: "discord" }, "late change undone");
    }
  }

  /** Never rejects: what went wrong is kept for `settle` and `finish`. */
  async #drawNewest(): Promise<void> {
    const { log, to, now } = this.#parts;
    try {
      // Lets everything shown in the same tick be drawn once.
      await Promise.resolve();
      for (let view = this.#newest; view; view = this.#newest) {
        const waitMs = this.#isClosed || this.#isHurried ? 0 : this.#waitMs(view);
        if (waitMs > 0) {
          if (this.#isPrepared) await this.#pause(waitMs);
          else await this.#prepare(view);
          continue;
        }
        this.#newest = undefined;
        this.#isFinal = this.#isClosed;
        await this.#draw(view);
      }
    } catch (error) {
      this.#failure = error;
      this.#nextWriteMs = now() + afterFailureMs;
      if (!(error instanceof LeaseLost)) {
        const fields = { run: to.runId, platform: "discord", problem: problemOf(error) };
        log.warn(fields, "reply not shown");
      }
    } finally {
      // In the same step as the last look at #newest, so that no view falls in between.
      this.#loop = undefined;
    }
  }

  /** How long the next write is worth waiting for, so that one call shows more. */
  #waitMs(view: ReplyView): number {
    const { api, now } = this.#parts;
    if (view.removed || view.status === "waiting" || view.revision !== this.#plan.revision)
      return 0;
    if (isBlank(view)) return 0;
    this.#beganMs ??= now();
    const isShort = view.text.trim().length < fewWords && view.steps.length === 0;
    const isFirst = this.#messages.textCount === 0;
    const firstMs = this.#beganMs + (isShort ? fewWordsMs : firstWriteMs);
    const dueMs = Math.max(this.#nextWriteMs, isFirst ? firstMs : 0) - now();
    if (dueMs > 0) return dueMs;
    const { channel } = this.#place;
    if (channel === undefined) return 0;
    // One is left for final texts; who waits here has something newer to say after it.
    const kind = isFirst ? "create" : "edit";
    return Math.min(lookAgainMs, api.budget.waitMs(kind, channel, 1));
  }

  async #draw(view: ReplyView): Promise<void> {
    if (this.#messages.isInDoubt) await this.#messages.recover();
    this.#restAt ??= this.#messages.restAt;
    if (view.removed) return this.#removeAll();
    if (!this.#isFinal && this.#messages.textCount === 0) await this.#showPresence();
    if (isBlank(view) && !this.#isFinal && this.#messages.textCount === 0) return;
    this.#planFor(view);
    const isWhole = this.#isFinal || this.#isHurried || view.status === "waiting";
    if (!isWhole && view.text.length < this.#shownBefore) {
      this.#nextWriteMs = this.#parts.now() + 1_000;
      return;
    }
    this.#shownBefore = 0;
    const begunMs = this.#parts.now();
    await this.#drawSlots(view, isWhole);
    if (this.#isFinal) {
      await this.#messages.takeBack();
      await this.#deliver(view);
    } else await this.#pace(begunMs);
  }

  /** Does what the first message needs while more of it comes. */
  async #prepare(view: ReplyView): Promise<void> {
    this.#isPrepared = true;
    if (this.#messages.textCount > 0) return;
    await this.#showPresence();
    await this.#messages.announce(view.revision);
  }

  /** The thread is opened while the model thinks, and somebody is typing in it. */
  async #showPresence(): Promise<void> {
    await this.#parts.journal.assertOwner();
    this.#typing.begin();
    await this.#place.open();
  }

  #planFor(view: ReplyView): void {
    if (!this.#plan.isContinuedBy(view.text, view.revision)) {
      this.#plan = this.#newPlan(view.revision);
      this.#shownBefore = 0;
      this.#restAt = undefined;
      this.#messages.forgetShown();
    }
    this.#plan.feed(view.text);
    if (this.#isFinal) this.#plan.end();
  }

  #newPlan(revision: number): Plan {
    return new Plan(revision, this.#isResplit ? resplitBy : 0);
  }

  async #drawSlots(view: ReplyView, isWhole: boolean): Promise<void> {
    try {
      const slots = this.#slots(view, isWhole);
      for (const slot of slots) await this.#drawSlot(slot, view);
      if (isWhole || view.revision > 0) await this.#messages.removeFrom(slots.length);
    } catch (error) {
      if (!this.#canTryOtherwise(error, view)) throw error;
      await this.#drawSlots(view, isWhole);
    }
  }

  #slots(view: ReplyView, isWhole: boolean): readonly Slot[] {
    const slots = slotsOf({
      view,
      parts: this.#plan.parts,
      isWhole,
      isClosed: this.#isFinal,
      shownCount: this.#messages.textCount,
      restAt: this.#restAt,
      canSendFiles: this.#canSendFiles,
    });
    this.#restAt = slots.find(({ isRest }) => isRest)?.index ?? this.#restAt;
    return slots;
  }

  async #drawSlot(slot: Slot, view: ReplyView): Promise<void> {
    const draft = draftOf(slot);
    if (slot.content === "") return;
    const missing = this.#messages.missing(draft);
    if (missing === "create") await this.#typing.end();
    await this.#messages.put(draft, view.revision);
  }

  /** After a refusal that is about the form: files left out, or smaller messages, each tried once. */
  #canTryOtherwise(error: unknown, view: ReplyView): boolean {
    const code = refusalOf(error);
    const isAboutFile = this.#restAt !== undefined && (isTooLarge(error) || isForbidden(code));
    if (isAboutFile && this.#canSendFiles) {
      this.#canSendFiles = false;
      this.#restAt = undefined;
      return true;
    }
    if (code !== RESTJSONErrorCodes.InvalidFormBodyOrContentType || this.#isResplit) return false;
    this.#parts.log.warn({ run: this.#parts.to.runId, platform: "discord" }, "split smaller");
    this.#isResplit = true;
    this.#plan = this.#newPlan(view.revision);
    this.#messages.forgetShown();
    this.#planFor(view);
    return true;
  }

  async #deliver(view: ReplyView): Promise<void> {
    await this.#typing.end();
    if (view.files.length === 0) return;
    const { fileLimit, openFile: open, target } = this.#parts;
    const limitBytes = await fileLimit(target.guild);
    await deliverFiles(view, { messages: this.#messages, open, limitBytes });
  }

  async #removeAll(): Promise<void> {
    await this.#typing.end();
    await this.#messages.takeBack();
    await this.#messages.removeFrom(0, "with files");
  }

  async #pace(begunMs: number): Promise<void> {
    const { api, now } = this.#parts;
    const channel = await this.#place.open();
    // What a call takes belongs to its interval; what a limit took does not.
    const sentMs = Math.max(begunMs, now() - usualCallMs);
    this.#leavePace ??= api.pace.join(channel);
    this.#nextWriteMs = sentMs + api.pace.everyMs(channel);
  }

  /** Nothing of this reply is under way any more. */
  async #rest(): Promise<void> {
    this.#leavePace?.();
    this.#leavePace = undefined;
    if (this.#isClosed || this.#messages.textCount > 0) await this.#typing.end();
  }

  /** True when trying again cannot help, or must not be done. */
  get #isHopeless(): boolean {
    if (this.#failure instanceof LeaseLost) return true;
    const code = refusalOf(this.#failure);
    return (
      isBlocked(code) ||
      code === RESTJSONErrorCodes.UnknownChannel ||
      code === RESTJSONErrorCodes.ThreadLocked
    );
  }

  /** Who asked is told directly why there is no answer, and the answer: unless it was blocked. */
  async #tell(error: unknown): Promise<void> {
    const { apologies, target } = this.#parts;
    const known = asReplyError(error);
    const code = refusalOf(error);
    // Who is with the bot alone would be told where nothing can be said; a channel that is gone is no news.
    if (target.guild === null || code === RESTJSONErrorCodes.UnknownChannel) return;
    if (code === undefined || !(known instanceof BotError)) return;
    const channel = this.#place.channel ?? target.channel;
    const answer = isBlocked(code) ? undefined : this.#last?.text.trim() || undefined;
    await apologies.tell(target.user, { channel, reason: known.detail ?? "", answer });
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }
}

/** True while there is nothing to read: then somebody is typing, and no more. */
function isBlank(view: ReplyView): boolean {
  if (view.status === "waiting" || view.notices.length > 0) return false;
  return view.text.trim() === "" && view.steps.length === 0;
}

function problemOf(error: unknown): string {
  const failure = failureOf(error);
  if (failure?.type === "refused") return String(failure.code || failure.status);
  return error instanceof BotError ? error.code : (failure?.type ?? "unknown");
}
