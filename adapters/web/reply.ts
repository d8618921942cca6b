import { isDeepStrictEqual } from "node:util";
import { BotError } from "#domain/errors";
import type { ReplyView, StepView } from "#domain/reply-view";
import type { Log } from "#ports/log";
import type { EndedReply, Reply, ReplyJournal, ReplyTarget, ShownSegment } from "#ports/platform";
import { LeaseLost } from "#ports/run-queue";
import type { History } from "./history.ts";
import type { WebTarget } from "./inbound.ts";
import type { Live } from "./live.ts";
import type { ChatFile, ChatMessage, LiveDelta, ReplyPatch, ReplyState } from "./wire.ts";

/** A browser draws 60 times a second; text that comes 25 times a second reads as flowing. */
const frameMs = 40;
/** For windows of other processes: each frame is told to all of these. */
const farFrameMs = 100;
/** What a crash may take back from the screen: the next attempt writes the same message on. */
const saveEveryMs = 1000;
/** The one message of a reply: the console shows any length. */
const onlyIndex = 0;

/** What a reply needs. */
export interface WebReplyParts {
  readonly history: History;
  readonly live: Live;
  /** True: nobody looks on in this process. */
  readonly isFar: boolean;
  readonly botName: string;
  readonly to: ReplyTarget;
  readonly journal: ReplyJournal;
  readonly log: Log;
  readonly now: () => number;
}

/**
 * A run's reply as one chat message of the console.
 *
 * Windows get the growth of the text about 25 times a second; the message is stored when it
 * appears, about once a second after that, and before `finish` resolves. One loop does all of it in
 * order, so that an older state never overwrites a newer one.
 */
export class WebReply implements Reply {
  readonly #parts: WebReplyParts;
  readonly #target: WebTarget;
  #newest: ReplyView | undefined;
  /** What windows show now. */
  #drawn: { readonly view: ReplyView; readonly message: ChatMessage } | undefined;
  #isStored = true;
  #storedAtMs = 0;
  #isHurried = false;
  /** The next frame comes at once. */
  #isDue = false;
  #isClosed = false;
  #isClosedInJournal = false;
  #failure: unknown;
  #loop: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  constructor(parts: WebReplyParts) {
    this.#parts = parts;
    this.#target = parts.to.target as WebTarget;
  }

  show(view: ReplyView): void {
    if (this.#isClosed || this.#failure instanceof LeaseLost) return;
    this.#newest = view;
    this.#failure = undefined;
    this.#loop ??= this.#drawNewest();
  }

  hurry(): void {
    this.#isDue = true;
    this.#wake?.();
  }

  async settle(): Promise<void> {
    this.#isHurried = true;
    this.#wake?.();
    if (!this.#loop && !this.#isStored) this.#loop = this.#drawNewest();
    await this.#loop;
    this.#isHurried = false;
    if (this.#failure !== undefined) throw asBotError(this.#failure);
    // All is stored, so nothing has to be remembered for windows that come now.
    if (this.#drawn) this.#parts.live.release(this.#drawn.message.id);
  }

  async finish(view: ReplyView): Promise<void> {
    this.show(view);
    this.#isClosed = true;
    await this.settle();
    if (this.#drawn && !this.#isClosedInJournal) await this.#close(this.#drawn.message);
  }

  /** Puts right what came late of a reply that is over: what it stores is not fenced. */
  async lookAgain({ view, journal }: EndedReply): Promise<void> {
    const { history, live, log, to } = this.#parts;
    if (view.removed) return this.#removeAgain(journal, view.revision);
    const segment = journal.saved.find(({ index }) => index === onlyIndex);
    const known = segment && (await history.message(segment.id));
    if (!known) return;
    const right = drawOn(known, view);
    if (isDeepStrictEqual(right, known)) return;
    const message = { ...right, version: history.stamp(known.version) };
    await history.write(message);
    live.publish({ type: "message", channel: message.channel, message });
    log.info({ run: to.runId, platform: "web" }, "late change undone");
  }

  async #removeAgain(journal: ReplyJournal, lastRevision: number): Promise<void> {
    const { history, live } = this.#parts;
    for (let revision = 0; revision <= lastRevision; revision += 1) {
      const message = await history.message(idOf(journal.intentId(onlyIndex, revision)));
      if (!message) continue;
      await history.remove(message);
      live.publish({ type: "remove", channel: message.channel, id: message.id });
    }
  }

  /** Never rejects: what went wrong is kept for `settle` and `finish`. */
  async #drawNewest(): Promise<void> {
    try {
      while (this.#newest || !this.#isStored) {
        const view = this.#newest;
        this.#newest = undefined;
        if (view) await this.#draw(view);
        const isDue = this.#parts.now() - this.#storedAtMs >= saveEveryMs;
        if (!this.#isStored && (isDue || (this.#isHurried && !this.#newest))) await this.#store();
        if (!this.#isHurried && (this.#newest || !this.#isStored)) await this.#pause();
      }
    } catch (error) {
      this.#failure = error;
      const { live, log, to } = this.#parts;
      if (!(error instanceof LeaseLost)) log.warn({ run: to.runId }, "reply not shown");
      else if (this.#drawn) live.release(this.#drawn.message.id);
    } finally {
      // In the same step as the last look at #newest, so that no view falls in between.
      this.#loop = undefined;
    }
  }

  async #draw(view: ReplyView): Promise<void> {
    if (view.removed) {
      await this.#remove();
      return;
    }
    if (!this.#drawn) {
      await this.#appear(view);
      return;
    }
    await this.#parts.journal.assertOwner();
    const { message: before } = this.#drawn;
    const message = { ...drawOn(before, view), version: this.#parts.history.stamp() };
    this.#parts.live.hold(message);
    this.#parts.live.publish(changeOf({ before: this.#drawn, view, message }));
    this.#drawn = { view, message };
    this.#isStored = false;
  }

  /** The message is there from an earlier attempt, or it is created now: at most once, by its id. */
  async #appear(view: ReplyView): Promise<void> {
    const { history, live, journal } = this.#parts;
    const known = await this.#fromEarlierAttempt();
    if (known) {
      await journal.assertOwner();
      const message = { ...drawOn(known, view), version: history.stamp(known.version) };
      await history.write(message);
      this.#publish(view, message);
      return;
    }
    const doubtful = journal.doubtful.find(({ index }) => index === onlyIndex);
    // One that was to be created, and may have been seen, is created under the same id.
    const intentId = doubtful?.intentId ?? journal.intentId(onlyIndex, view.revision);
    const content = { type: "text", from: 0, to: view.text.length } as const;
    const { revision } = view;
    await journal.before({
      index: onlyIndex,
      content,
      revision,
      intentId,
      atMs: this.#parts.now(),
    });
    const added = await history.add(drawOn(this.#blank(idOf(intentId)), view));
    const message = { ...drawOn(added, view), version: history.stamp() };
    if (added.text !== message.text) await history.write(message);
    this.#publish(view, message);
    await journal.after({ index: onlyIndex, id: message.id, content, revision, closed: false });
    if (message.root === null) return;
    const summary = await history.summary(message.channel, message.root);
    const { channel, root } = message;
    if (summary) live.publish({ type: "thread", channel, root, summary });
  }

  async #fromEarlierAttempt(): Promise<ChatMessage | undefined> {
    const { history, journal } = this.#parts;
    const segment = journal.saved.find(({ index }) => index === onlyIndex);
    if (segment) return history.message(segment.id);
    const doubtful = journal.doubtful.find(({ index }) => index === onlyIndex);
    if (!doubtful) return undefined;
    const stored = await history.message(idOf(doubtful.intentId));
    if (!stored) return undefined;
    // Stored, but perhaps not in its thread yet: adding again makes it whole.
    const message = await history.add(stored);
    const { content, revision } = doubtful;
    await journal.after({ index: onlyIndex, id: message.id, content, revision, closed: false });
    return message;
  }

  #publish(view: ReplyView, message: ChatMessage): void {
    this.#parts.live.hold(message);
    this.#parts.live.publish({ type: "message", channel: message.channel, message });
    this.#drawn = { view, message };
    this.#isStored = true;
    this.#storedAtMs = this.#parts.now();
  }

  async #store(): Promise<void> {
    if (!this.#drawn) return;
    const { message } = this.#drawn;
    await this.#parts.journal.assertOwner();
    // What is stored last goes to disk together with the word that it was the last.
    const isLast = this.#isClosed && this.#newest === undefined;
    await Promise.all([
      this.#parts.history.write(message),
      isLast ? this.#close(message) : undefined,
    ]);
    this.#isStored = true;
    this.#storedAtMs = this.#parts.now();
    this.#parts.live.stored(message);
  }

  async #close(message: ChatMessage): Promise<void> {
    const segment: ShownSegment = {
      index: onlyIndex,
      id: message.id,
      content: { type: "text", from: 0, to: message.text.length },
      revision: message.reply?.revision ?? 0,
      closed: true,
    };
    await this.#parts.journal.after(segment);
    this.#isClosedInJournal = true;
  }

  async #remove(): Promise<void> {
    const { history, live, journal } = this.#parts;
    const message = this.#drawn?.message ?? (await this.#fromEarlierAttempt());
    if (!message) return;
    await journal.assertOwner();
    await history.remove(message);
    live.release(message.id);
    const { channel, id, root } = message;
    live.publish({ type: "remove", channel, id });
    await journal.drop(onlyIndex);
    this.#drawn = undefined;
    this.#isStored = true;
    if (root === null) return;
    const summary = await history.summary(channel, root);
    live.publish({
      type: "thread",
      channel,
      root,
      summary: summary ?? { replies: 0, lastAtMs: 0 },
    });
  }

  #blank(id: string): ChatMessage {
    const { botName, now } = this.#parts;
    return {
      id,
      channel: this.#target.channel,
      root: this.#target.root,
      order: 0,
      version: 0,
      author: { kind: "bot", key: "web:bot", name: botName },
      text: "",
      sentAtMs: now(),
      files: [],
      isForBot: false,
    };
  }

  async #pause(): Promise<void> {
    if (!this.#isDue) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, this.#parts.isFar ? farFrameMs : frameMs);
      await promise;
      clearTimeout(timer);
      this.#wake = undefined;
    }
    this.#isDue = false;
  }
}

/** The same message showing a view. */
function drawOn(message: ChatMessage, view: ReplyView): ChatMessage {
  const { text, files, turnStart: _turn, removed: _removed, ...reply } = view;
  return { ...message, text, files: files.map(toChatFile), reply };
}

function toChatFile(file: ReplyView["files"][number]): ChatFile {
  const { id, name, mimeType, bytes, altText } = file;
  return { id, name, mimeType, bytes, altText };
}

/** What windows are told: the growth, or the whole message when more than growth happened. */
function changeOf(change: {
  readonly before: { readonly view: ReplyView; readonly message: ChatMessage };
  readonly view: ReplyView;
  readonly message: ChatMessage;
}): LiveDelta | { type: "message"; channel: string; message: ChatMessage } {
  const { before, view, message } = change;
  const { channel, id } = message;
  // Within one revision text only grows, by the view's promise.
  const hasGrown =
    view.revision === before.view.revision && view.text.length >= before.view.text.length;
  const patch = hasGrown ? patchOf(before.view, view) : undefined;
  if (!hasGrown || patch === "whole") return { type: "message", channel, message };
  return {
    type: "delta",
    id,
    channel,
    base: before.message.version,
    version: message.version,
    from: before.view.text.length,
    text: view.text.slice(before.view.text.length),
    ...(view.files === before.view.files ? {} : { files: message.files }),
    ...(patch ? { patch } : {}),
  };
}

const patched = [
  "status",
  "sources",
  "requests",
  "settlements",
  "notices",
  "actions",
] as const satisfies readonly (keyof ReplyState)[];

/** Views are folded without mutation, so what is the same object has not changed. */
function patchOf(before: ReplyView, view: ReplyView): ReplyPatch | "whole" | undefined {
  if (view.steps.length < before.steps.length) return "whole";
  const set = Object.fromEntries(
    patched.filter((key) => view[key] !== before[key]).map((key) => [key, view[key]]),
  ) as ReplyPatch["set"];
  const steps = view.steps.flatMap((step, index) => stepPatchOf(before.steps[index], step, index));
  if (steps.length === 0 && Object.keys(set).length === 0) return undefined;
  return { set, steps };
}

function stepPatchOf(
  before: StepView | undefined,
  step: StepView,
  index: number,
): ReplyPatch["steps"] {
  if (before === step) return [];
  const isGrown =
    before !== undefined &&
    before.id === step.id &&
    before.title === step.title &&
    step.input.length >= before.input.length &&
    step.output.length >= before.output.length;
  if (!isGrown) return [{ index, step }];
  const input = step.input.slice(before.input.length);
  const output = step.output.slice(before.output.length);
  return [
    {
      index,
      ...(input ? { input } : {}),
      ...(output ? { output } : {}),
      ...(step.status === before.status ? {} : { status: step.status }),
    },
  ];
}

/** The same intent is always the same message: creating it twice creates it once. */
function idOf(intentId: string): string {
  return `r-${intentId}`;
}

function asBotError(error: unknown): unknown {
  if (error instanceof BotError || error instanceof LeaseLost) return error;
  return new BotError("reply-impossible", { cause: error });
}
