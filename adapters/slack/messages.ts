import { hash } from "node:crypto";
import type { Log } from "#ports/log";
import type {
  EndedReply,
  ReplyJournal,
  ReplyTarget,
  SegmentIntent,
  ShownSegment,
} from "#ports/platform";
import type { SlackApi } from "./api.ts";
import { failureOf, refusalOf } from "./failures.ts";
import { messageOf, metadataType, ownMessages, type ThreadMessage } from "./found-messages.ts";
import type { SlackTarget } from "./inbound.ts";
import { MessageCalls } from "./message-calls.ts";
import type { PlannedPart } from "./plan.ts";
import { type Block, context } from "./sections.ts";

/** Files and other messages come after all text, however much of that there will be. */
export const firstFileIndex = 1_000;
export const complaintIndex = 2_000;
const sectionsIndex = 2_500;
/** What the journal keeps of a message that is a stream. */
export const streamNote = { stream: true };

/** What a message is to show. */
export interface Shown {
  readonly text: string;
  readonly blocks: readonly Block[];
  readonly closed: boolean;
  readonly revision: number;
}

interface Known {
  readonly segment: ShownSegment;
  /** What it shows; undefined: nobody knows. */
  readonly shown: string | undefined;
}

/**
 * The messages of one reply at Slack: each is written down before and after it appears, found again
 * when nobody wrote down whether it did, and changed only when it has to show something else.
 */
export class Messages {
  readonly #api: SlackApi;
  readonly #target: SlackTarget;
  readonly #journal: ReplyJournal;
  readonly #runId: string;
  /** The newest message it answers: whatever it shows stands below. */
  readonly #question: string;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #known = new Map<number, Known>();
  readonly #calls: MessageCalls;
  readonly #pending: Map<number, SegmentIntent>;
  /** Set when the reply is over: what is there, and which of it may have been changed late. */
  #found:
    | { readonly messages: readonly ThreadMessage[]; readonly inherited: ReadonlySet<string> }
    | undefined;
  /** Messages that may stand above already, where nobody could look. */
  readonly #continued = new Set<number>();

  constructor(parts: {
    readonly api: SlackApi;
    readonly target: SlackTarget;
    readonly journal: ReplyJournal;
    readonly runId: string;
    readonly answers: ReplyTarget["answers"];
    readonly log: Log;
    readonly now: () => number;
  }) {
    this.#api = parts.api;
    this.#target = parts.target;
    this.#journal = parts.journal;
    this.#runId = parts.runId;
    this.#question = newestOf(parts.answers);
    this.#log = parts.log;
    this.#now = parts.now;
    this.#calls = new MessageCalls(parts);
    for (const segment of parts.journal.saved) {
      this.#known.set(segment.index, { segment, shown: undefined });
    }
    this.#pending = new Map(parts.journal.doubtful.map((intent) => [intent.index, intent]));
  }

  get count(): number {
    return this.#known.size;
  }

  has(index: number): boolean {
    return this.#known.has(index);
  }

  segment(index: number): ShownSegment | undefined {
    return this.#known.get(index)?.segment;
  }

  /** Writes down what is there; nobody looks at what it shows. */
  async keep(segment: ShownSegment): Promise<void> {
    await this.#journal.after(segment);
    this.#known.set(segment.index, { segment, shown: segment.closed ? "" : undefined });
  }

  /** True when nothing about it can change any more. */
  isClosed(index: number): boolean {
    const known = this.#known.get(index);
    return known?.segment.closed === true && known.shown !== undefined;
  }

  /** The text has come out differently: every message is to be looked at again. */
  forgetShown(): void {
    for (const [index, { segment }] of this.#known) {
      this.#known.set(index, { segment, shown: undefined });
    }
  }

  /** Writes down that a message is about to appear. */
  async announce(
    at: { readonly index: number; readonly from: number; readonly to: number },
    revision: number,
  ): Promise<void> {
    const intent: SegmentIntent = {
      index: at.index,
      content: { type: "text", from: at.from, to: at.to },
      revision,
      intentId: this.#journal.intentId(at.index, revision),
      atMs: this.#now(),
    };
    await this.#journal.before(intent);
    this.#pending.set(at.index, intent);
  }

  /** A stream's message is there. */
  know(index: number, ts: string, range: { readonly from: number; readonly to: number }): void {
    const intent = this.#pending.get(index);
    this.#pending.delete(index);
    const content = { type: "text", ...range } as const;
    const revision = intent?.revision ?? 0;
    this.#known.set(index, {
      segment: { index, id: ts, content, revision, closed: false },
      shown: undefined,
    });
  }

  /** A stream's message is an ordinary one now. `text` undefined: it has to be updated. */
  async stopped(
    part: PlannedPart,
    end: Omit<Shown, "text"> & { readonly ts: string; readonly text: string | undefined },
  ): Promise<void> {
    const { from, to, index } = part;
    const content = { type: "text", from, to } as const;
    const { closed, revision } = end;
    const segment: ShownSegment = { index, id: end.ts, content, revision, closed };
    const shown = end.text === undefined ? undefined : keyOf(end.text, end.blocks);
    this.#known.set(index, { segment, shown });
    await this.#journal.after(segment);
  }

  /** What a message carries that tells it from others, and one state of it from another. */
  metadataOf(index: number, { revision, text, blocks }: Omit<Shown, "closed">) {
    const intent = this.#journal.intentId(index, revision);
    const shown = markOf(text, blocks);
    return {
      event_type: metadataType,
      event_payload: { run: this.#runId, segment: index, intent, shown },
    };
  }

  /** Finds out what became of intents nobody wrote an end to: one read of the thread. */
  async recover(): Promise<void> {
    if (this.#pending.size === 0) return;
    const texts = [...this.#pending.values()].filter(({ content }) => content.type !== "file");
    const sinceMs = Math.min(...texts.map(({ atMs }) => atMs));
    const own = texts.length === 0 ? [] : await ownMessages(this.#api, this.#target, sinceMs);
    const messages = own?.filter(({ ts }) => ts > this.#question);
    for (const intent of this.#pending.values()) {
      const taken = new Set([...this.#known.values()].map(({ segment }) => segment.id));
      const found = texts.includes(intent) ? messageOf(intent, messages ?? [], taken) : undefined;
      if (found === undefined) {
        if (messages === undefined) this.#continued.add(intent.index);
        await this.#journal.drop(intent.index);
        continue;
      }
      const { index, content, revision } = intent;
      const segment: ShownSegment = { index, id: found, content, revision, closed: false };
      await this.#journal.after(segment);
      this.#known.set(index, { segment, shown: undefined });
    }
    this.#pending.clear();
  }

  /**
   * Reads what is there once the reply is over, and takes back what came late and is there once too
   * often. From then on only what may have been changed late is put right, and nothing new appears.
   */
  async lookAgain({ inherited, isOwnIntent, sinceMs }: EndedReply): Promise<void> {
    const messages = (await ownMessages(this.#api, this.#target, sinceMs)) ?? [];
    const known = new Set([...this.#known.values()].map(({ segment }) => segment.id));
    for (const { ts, metadata } of messages) {
      const intent = metadata?.event_payload?.intent;
      if (known.has(ts) || intent === undefined || !isOwnIntent(intent)) continue;
      await this.#calls.delete(ts);
    }
    this.#found = { messages, inherited };
  }

  /** Makes a message show this again when somebody else changed it late. True: it did not. */
  async restore(part: PlannedPart, shown: Shown): Promise<boolean> {
    const { messages = [], inherited } = this.#found ?? {};
    const segment = this.#known.get(part.index)?.segment;
    if (!segment || !inherited?.has(segment.id)) return false;
    const content = { type: "text", from: part.from, to: part.to } as const;
    // Cut otherwise than when it was shown: it is left alone.
    if (JSON.stringify(segment.content) !== JSON.stringify(content)) return false;
    const metadata = this.metadataOf(part.index, shown);
    const found = messages.find(({ ts }) => ts === segment.id);
    const isAsItWas = found?.metadata?.event_payload?.shown === metadata.event_payload.shown;
    if (found && isAsItWas) return false;
    return (await this.#calls.update(segment.id, { ...shown, metadata })) !== undefined;
  }

  /** Makes a message show this; creates it when it is not there. */
  async put(part: Pick<PlannedPart, "index" | "from" | "to">, wanted: Shown): Promise<void> {
    const shown = { ...wanted, blocks: [...this.notesOf(part.index), ...wanted.blocks] };
    const known = this.#known.get(part.index);
    if (!known) return this.#create(part, wanted);
    if (shown.text === "" && shown.blocks.length === 0) return;
    const content = { type: "text", from: part.from, to: part.to } as const;
    const { closed, revision } = shown;
    const { id } = known.segment;
    const segment: ShownSegment = { index: part.index, id, content, closed, revision };
    const key = keyOf(shown.text, shown.blocks);
    let leftOver: readonly Block[] = [];
    if (known.shown !== key) {
      if (isStream(known.segment)) await this.#calls.stopStream(id);
      const metadata = this.metadataOf(part.index, shown);
      const written = await this.#calls.update(id, { ...shown, metadata });
      if (!written) {
        // Somebody deleted it: what it showed is shown again.
        this.#known.delete(part.index);
        await this.#journal.drop(part.index);
        return this.#create(part, wanted);
      }
      leftOver = written.leftOver;
    }
    this.#known.set(part.index, { segment, shown: key });
    if (!isSame(segment, known.segment)) await this.#journal.after(segment);
    await this.#putLeftOver(part, wanted, leftOver);
  }

  /** Sections that had no room in their message stand in one of their own. */
  async #putLeftOver(
    part: Pick<PlannedPart, "to">,
    { closed, revision }: Shown,
    blocks: readonly Block[],
  ): Promise<void> {
    if (!closed || blocks.length === 0) return;
    const at = { index: sectionsIndex, from: part.to, to: part.to };
    try {
      await this.put(at, { text: "", blocks, closed, revision });
    } catch (error) {
      // The answer itself is there.
      const problem = refusalOf(error);
      if (problem === undefined) throw error;
      this.#log.warn({ run: this.#runId, platform: "slack", problem }, "sections not shown");
    }
  }

  /** Takes back the text from this message on; `with files`: everything. */
  async removeFrom(index: number, what: "text" | "with files" = "text"): Promise<void> {
    const surplus = [...this.#known.values()]
      .map(({ segment }) => segment)
      .filter((segment) => segment.index >= index)
      .filter((segment) => what === "with files" || segment.index < firstFileIndex)
      .sort((a, b) => b.index - a.index);
    for (const segment of surplus) {
      if (segment.content.type === "file") await this.#calls.deleteFile(segment.id);
      else await this.#calls.delete(segment.id);
      await this.#journal.drop(segment.index);
      this.#known.delete(segment.index);
    }
  }

  async #create(part: Pick<PlannedPart, "index" | "from" | "to">, wanted: Shown): Promise<void> {
    const { index } = part;
    if (wanted.text === "" && wanted.blocks.length === 0) return;
    for (let attempt = 1; ; attempt += 1) {
      const shown = { ...wanted, blocks: [...this.notesOf(index), ...wanted.blocks] };
      await this.announce(part, shown.revision);
      try {
        const { closed, revision } = shown;
        const metadata = this.metadataOf(index, shown);
        const { ts, leftOver } = await this.#calls.post({ ...shown, metadata });
        const content = { type: "text", from: part.from, to: part.to } as const;
        const segment: ShownSegment = { index, id: ts, content, revision, closed };
        await this.#journal.after(segment);
        this.#pending.delete(index);
        this.#known.set(index, { segment, shown: keyOf(shown.text, shown.blocks) });
        await this.#putLeftOver(part, wanted, leftOver);
        return;
      } catch (error) {
        const isUnclear = failureOf(error)?.type === "unclear";
        if (!isUnclear) {
          this.#pending.delete(index);
          if (failureOf(error)) await this.#journal.drop(index);
          throw error;
        }
        await this.recover();
        if (this.#known.has(index)) return this.put(part, wanted);
        if (attempt >= 3) throw error;
      }
    }
  }

  /** What stands under a message besides: that it goes on where nobody knows what was shown. */
  notesOf(index: number): readonly Block[] {
    return this.#continued.has(index) ? [context("Continued after an interruption")] : [];
  }
}

function keyOf(text: string, blocks: readonly Block[]): string {
  return JSON.stringify([text, blocks]);
}

/** The same in few letters. */
function markOf(text: string, blocks: readonly Block[]): string {
  return hash("sha256", keyOf(text, blocks)).slice(0, 16);
}

/** The newest of the messages these events brought, by its `ts`; empty when none of them was one. */
function newestOf(eventIds: readonly string[]): string {
  const stamps = eventIds.map((eventId) => eventId.split(":").at(-1) ?? "");
  return (
    stamps
      .filter((stamp) => /^\d{10}\.\d{6}$/.test(stamp))
      .sort()
      .at(-1) ?? ""
  );
}

function isSame(a: ShownSegment, b: ShownSegment): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** True for a stream an earlier attempt began: a crash may have left it open. */
function isStream({ note }: ShownSegment): boolean {
  return JSON.stringify(note) === JSON.stringify(streamNote);
}
