import { type APIMessage, MessageFlags, RESTJSONErrorCodes, Routes } from "discord.js";
import type { EndedReply, ReplyJournal, SegmentIntent, ShownSegment } from "#ports/platform";
import { bodyOf, type Draft, filesOf, keyOf } from "./drafts.ts";
import { failureOf, isForbidden, refusalOf } from "./failures.ts";
import type { DiscordTarget } from "./inbound.ts";
import type { PacedApi } from "./paced-api.ts";
import type { ReplyPlace } from "./place.ts";
import {
  findSent,
  hasAnswerFile,
  type RunTraces,
  readOwnMessages,
  shows,
  strays,
} from "./recovery.ts";
import type { Refusals } from "./refusals.ts";

/** Files and other messages come after all text, however much of that there will be. */
export const firstFileIndex = 1_000;
/** Characters by which an open message grows before that is written down. */
const worthWritten = 400;
interface Known {
  readonly segment: ShownSegment;
  /** What it shows; undefined: nobody knows. */
  readonly shown: string | undefined;
}

/**
 * The messages of one reply in Discord: each is written down before and after it appears, is one
 * message however often it is sent, and changes only when it has to show something else.
 */
export class Messages {
  readonly #api: PacedApi;
  readonly #target: DiscordTarget;
  readonly #place: ReplyPlace;
  readonly #journal: ReplyJournal;
  readonly #refusals: Refusals;
  readonly #runId: string;
  readonly #botUser: () => string;
  readonly #now: () => number;
  readonly #known = new Map<number, Known>();
  readonly #doubtful: Map<number, SegmentIntent>;
  /** Written down as about to appear, and not sent yet. */
  #announced: SegmentIntent | undefined;
  /** Set when the reply is over: what is there, and which of it may have been changed late. */
  #found:
    | { readonly messages: readonly APIMessage[]; readonly inherited: ReadonlySet<string> }
    | undefined;
  /** How often a message was gone and shown again: a nonce must not lead back to a deleted one. */
  readonly #reposts = new Map<number, number>();

  constructor(parts: {
    readonly api: PacedApi;
    readonly target: DiscordTarget;
    readonly place: ReplyPlace;
    readonly journal: ReplyJournal;
    readonly refusals: Refusals;
    readonly runId: string;
    readonly botUser: () => string;
    readonly now: () => number;
  }) {
    this.#api = parts.api;
    this.#target = parts.target;
    this.#place = parts.place;
    this.#journal = parts.journal;
    this.#refusals = parts.refusals;
    this.#runId = parts.runId;
    this.#botUser = parts.botUser;
    this.#now = parts.now;
    for (const segment of parts.journal.saved) {
      this.#known.set(segment.index, { segment, shown: undefined });
    }
    this.#doubtful = new Map(parts.journal.doubtful.map((intent) => [intent.index, intent]));
  }

  /** How many messages show text. */
  get textCount(): number {
    return [...this.#known.keys()].filter((index) => index < firstFileIndex).length;
  }

  /** Where an earlier attempt's message for the rest of a long answer is. */
  get restAt(): number | undefined {
    const found = [...this.#known.values()].find(({ segment }) => isRest(segment));
    return found?.segment.index;
  }

  has(index: number): boolean {
    return this.#known.has(index);
  }

  /** True while nobody knows whether a message has appeared. */
  get isInDoubt(): boolean {
    return this.#doubtful.size > 0;
  }

  /** What has to be done before it shows this. */
  missing(draft: Draft): "create" | "edit" | undefined {
    const known = this.#known.get(draft.index);
    if (!known) return "create";
    return known.shown === keyOf(draft) ? undefined : "edit";
  }

  /** Writes down that a message is complete, as an earlier attempt sent it. */
  async close(index: number): Promise<void> {
    const known = this.#known.get(index);
    if (!known || known.segment.closed) return;
    const segment = { ...known.segment, closed: true };
    this.#known.set(index, { ...known, segment });
    await this.#journal.after(segment);
  }

  /** The text has come out differently: every message is to be looked at again. */
  forgetShown(): void {
    for (const [index, { segment }] of this.#known) {
      this.#known.set(index, { segment, shown: undefined });
    }
  }

  /** Writes down ahead of time that the first message will appear: nothing waits for that later. */
  async announce(revision: number): Promise<void> {
    if (this.textCount > 0 || this.isInDoubt || this.#announced) return;
    const intent = this.#intentOf(0, { type: "text", from: 0, to: 0 }, revision);
    await this.#journal.before(intent);
    this.#announced = intent;
  }

  /** What was announced will not appear. */
  async takeBack(): Promise<void> {
    if (this.#announced) await this.#forget(this.#announced.index);
  }

  /** Finds out what became of intents nobody wrote an end to: one read of the channel. */
  async recover(): Promise<void> {
    if (this.#doubtful.size === 0) return;
    const intents = [...this.#doubtful.values()].toSorted((a, b) => a.index - b.index);
    const messages = await readOwnMessages(this.#api, {
      channel: await this.#place.open(),
      botUser: this.#botUser(),
      sinceMs: Math.min(...intents.map(({ atMs }) => atMs)),
    });
    for (const intent of intents) {
      const found = findSent(intent, messages, this.#tracesOf(intent));
      // What is not found may still come: sent again with the same nonce it is one message.
      if (!found) continue;
      const { index, content, revision } = intent;
      const note = { channel: found.channel_id, ...(hasAnswerFile(found) ? { rest: true } : {}) };
      const segment: ShownSegment = { index, id: found.id, content, revision, closed: false, note };
      await this.#journal.after(segment);
      this.#known.set(index, { segment, shown: undefined });
      this.#doubtful.delete(index);
    }
  }

  /**
   * Reads what is there once the reply is over, and takes back what came late and is there once too
   * often. From then on only what may have been changed late is put right, and nothing new appears.
   */
  async lookAgain({ inherited, isOwnIntent, sinceMs }: EndedReply): Promise<void> {
    const segments = [...this.#known.values()].map(({ segment }) => segment);
    const places = new Set(segments.map((segment) => this.#channelOf(segment)));
    const [channel, ...others] = places.size > 0 ? places : [await this.#place.open()];
    const messages: APIMessage[] = [];
    for (const place of [channel ?? "", ...others]) {
      const at = { channel: place, botUser: this.#botUser(), sinceMs };
      messages.push(...(await readOwnMessages(this.#api, at)));
    }
    const known = new Set(segments.map(({ id }) => id));
    for (const { id, channel_id } of strays(messages, known, isOwnIntent)) {
      await this.#delete({ id, note: { channel: channel_id } });
    }
    this.#found = { messages, inherited };
  }

  /** Makes a message show this again when somebody else changed it late. True: it did not. */
  async restore(draft: Draft): Promise<boolean> {
    const { messages = [], inherited } = this.#found ?? {};
    const segment = this.#known.get(draft.index)?.segment;
    if (!segment || !inherited?.has(segment.id)) return false;
    // Cut otherwise than when it was shown: it is left alone.
    if (JSON.stringify(segment.content) !== JSON.stringify(draft.content)) return false;
    const found = messages.find(({ id }) => id === segment.id);
    if (found && shows(found, draft)) return false;
    try {
      await this.#change(segment, draft);
      return true;
    } catch (error) {
      const code = refusalOf(error);
      const isBeyond =
        code === RESTJSONErrorCodes.UnknownMessage ||
        code === RESTJSONErrorCodes.MaximumNumberOfEditsToMessagesOlderThanOneHourReached;
      if (isBeyond) return false;
      throw error;
    }
  }

  /** Makes a message show this; creates it when it is not there. */
  async put(draft: Draft, revision: number): Promise<void> {
    const known = this.#known.get(draft.index);
    if (!known) return this.#create(draft, revision);
    const key = keyOf(draft);
    if (known.shown !== key) {
      const became = await this.#edit(known.segment, draft);
      if (became === "gone") return this.#postAgain(draft, revision);
    }
    const segment: ShownSegment = {
      ...known.segment,
      content: draft.content,
      closed: draft.closed,
      revision,
      note: { channel: this.#channelOf(known.segment), ...draft.note },
    };
    if (!isNews(segment, known.segment)) {
      this.#known.set(draft.index, { ...known, shown: key });
      return;
    }
    this.#known.set(draft.index, { segment, shown: key });
    await this.#journal.after(segment);
  }

  /** Takes back the text from this message on; `with files`: everything. */
  async removeFrom(index: number, what: "text" | "with files" = "text"): Promise<void> {
    const surplus = [...this.#known.values()]
      .map(({ segment }) => segment)
      .filter((segment) => segment.index >= index)
      .filter((segment) => what === "with files" || segment.index < firstFileIndex)
      .toSorted((a, b) => b.index - a.index);
    for (const segment of surplus) {
      await this.#delete(segment);
      await this.#forget(segment.index);
    }
    for (const { index: pending } of [...this.#doubtful.values()]) {
      if (pending >= index && (what === "with files" || pending < firstFileIndex)) {
        this.#doubtful.delete(pending);
        await this.#journal.drop(pending);
      }
    }
  }

  async #create(draft: Draft, revision: number): Promise<void> {
    const { index, content, closed } = draft;
    const wasDoubtful = this.#doubtful.get(index);
    const announced = this.#announced?.index === index ? this.#announced : undefined;
    const isWritten = announced?.revision === revision;
    const intent =
      wasDoubtful ?? (isWritten ? announced : this.#intentOf(index, content, revision));
    if (intent !== announced) await this.#journal.before(intent);
    const channel = await this.#place.open();
    try {
      const { id, channel_id } = await this.#post(draft, intent.intentId, channel);
      const note = { channel: channel_id, ...draft.note };
      const segment: ShownSegment = { index, id, content, revision, closed, note };
      await this.#journal.after(segment);
      this.#doubtful.delete(index);
      if (announced) this.#announced = undefined;
      // With the nonce of an earlier attempt Discord gives back what that sent.
      const shown = wasDoubtful ? undefined : keyOf(draft);
      this.#known.set(index, { segment, shown });
    } catch (error) {
      const failure = failureOf(error);
      if (failure?.type !== "refused") {
        if (failure) this.#doubtful.set(index, intent);
        if (announced) this.#announced = undefined;
        throw error;
      }
      await this.#forget(index);
      // Without files it may be allowed.
      if (!isForbidden(failure.code) || draft.files) throw error;
      this.#refusals.remember("write", channel, error);
      if (this.textCount === 0 && this.#place.fallBack()) return this.#create(draft, revision);
      throw error;
    }
    if (wasDoubtful) await this.put(draft, revision);
  }

  /** Somebody deleted it, or it is too old to be changed: it is shown again, once. */
  async #postAgain(draft: Draft, revision: number): Promise<void> {
    const times = (this.#reposts.get(draft.index) ?? 0) + 1;
    this.#reposts.set(draft.index, times);
    await this.#forget(draft.index);
    await this.#create(draft, revision);
  }

  async #post(draft: Draft, nonce: string, channel: string): Promise<APIMessage> {
    const refused = this.#refusals.find("write", channel);
    if (refused !== undefined) throw refused;
    const isFirst = draft.index === 0;
    const reference =
      isFirst && !this.#place.isOwnThread
        ? { message_reference: { message_id: this.#target.message, fail_if_not_exists: false } }
        : {};
    const flags = MessageFlags.SuppressEmbeds | (isFirst ? 0 : MessageFlags.SuppressNotifications);
    const send = (extra: object) =>
      this.#api.call({
        method: "POST",
        route: Routes.channelMessages(channel),
        kind: "create",
        channel,
        body: { ...bodyOf(draft), flags, nonce, enforce_nonce: true, ...extra },
        ...filesOf(draft),
        priority: draft.closed ? "final" : "shown",
        isRepeatable: true,
      }) as Promise<APIMessage>;
    try {
      return await send(reference);
    } catch (error) {
      const code = refusalOf(error);
      const isReference =
        code === RESTJSONErrorCodes.CannotReplyWithoutPermissionToReadMessageHistory;
      if (!isReference) throw error;
      return await send({});
    }
  }

  /** Throws what Discord refuses. */
  async #change(segment: ShownSegment, draft: Draft): Promise<void> {
    const channel = this.#channelOf(segment);
    const { files = isRest(segment) ? [] : undefined } = draft;
    const call = () =>
      this.#api.call({
        method: "PATCH",
        route: Routes.channelMessage(channel, segment.id),
        kind: "edit",
        channel,
        // A file that does not belong there any more goes.
        body: { ...bodyOf({ ...draft, files }), flags: MessageFlags.SuppressEmbeds },
        ...filesOf(draft),
        priority: draft.closed ? "final" : "shown",
        isRepeatable: true,
      });
    try {
      await call();
    } catch (error) {
      if (refusalOf(error) !== RESTJSONErrorCodes.InvalidActionOnArchivedThread) throw error;
      await this.#unarchive(channel);
      await call();
    }
  }

  async #edit(segment: ShownSegment, draft: Draft): Promise<"changed" | "gone"> {
    try {
      await this.#change(segment, draft);
      return "changed";
    } catch (error) {
      switch (refusalOf(error)) {
        case RESTJSONErrorCodes.UnknownMessage:
          if ((this.#reposts.get(segment.index) ?? 0) > 0) throw error;
          return "gone";
        case RESTJSONErrorCodes.MaximumNumberOfEditsToMessagesOlderThanOneHourReached:
          // Removed before the new one comes: whatever happens in between, nothing is there twice.
          await this.#delete(segment);
          return "gone";
        default:
          throw error;
      }
    }
  }

  async #unarchive(channel: string): Promise<void> {
    await this.#api.call({
      method: "PATCH",
      route: Routes.channel(channel),
      kind: "other",
      channel,
      body: { archived: false },
      priority: "final",
      isRepeatable: true,
    });
  }

  async #delete(segment: Pick<ShownSegment, "id" | "note">): Promise<void> {
    const channel = this.#channelOf(segment);
    const call = () =>
      this.#api.call({
        method: "DELETE",
        route: Routes.channelMessage(channel, segment.id),
        kind: "delete",
        channel,
        priority: "final",
        isRepeatable: true,
      });
    try {
      await call();
    } catch (error) {
      const code = refusalOf(error);
      if (code === RESTJSONErrorCodes.UnknownMessage) return;
      if (code !== RESTJSONErrorCodes.InvalidActionOnArchivedThread) throw error;
      await this.#unarchive(channel);
      await call();
    }
  }

  async #forget(index: number): Promise<void> {
    this.#known.delete(index);
    this.#doubtful.delete(index);
    if (this.#announced?.index === index) this.#announced = undefined;
    await this.#journal.drop(index);
  }

  #intentOf(index: number, content: ShownSegment["content"], revision: number): SegmentIntent {
    const intentId = this.#nonceOf(index, revision);
    return { index, content, revision, intentId, atMs: this.#now() };
  }

  #channelOf({ note }: Pick<ShownSegment, "note">): string {
    const { channel } = (note ?? {}) as { readonly channel?: string };
    return channel ?? this.#place.channel ?? this.#target.channel;
  }

  #tracesOf({ index }: SegmentIntent): RunTraces {
    const segments = [...this.#known.values()].map(({ segment }) => segment);
    const before = segments
      .filter((one) => one.index < index)
      .toSorted((a, b) => b.index - a.index);
    const refers = index === 0 && !this.#place.isOwnThread;
    return {
      runId: this.#runId,
      taken: new Set(segments.map(({ id }) => id)),
      after: before[0]?.id ?? this.#target.message,
      answers: refers ? this.#target.message : undefined,
    };
  }

  #nonceOf(index: number, revision: number): string {
    const times = this.#reposts.get(index) ?? 0;
    const id = this.#journal.intentId(index, revision);
    return times === 0 ? id : `${id.slice(0, 23)}~${times}`;
  }
}

function isRest({ note }: ShownSegment): boolean {
  return (note as { readonly rest?: boolean } | undefined)?.rest === true;
}

/** Worth a write to disk: a little more text in an open message is not, for an edit harms nothing twice. */
function isNews(now: ShownSegment, before: ShownSegment): boolean {
  const grown = { ...now, content: before.content };
  if (JSON.stringify(grown) !== JSON.stringify(before)) return true;
  if (now.content.type !== "text" || before.content.type !== "text") return false;
  const isMoved = now.content.from !== before.content.from || now.content.to < before.content.to;
  const isEnd = now.closed && now.content.to !== before.content.to;
  return isMoved || isEnd || now.content.to - before.content.to >= worthWritten;
}
