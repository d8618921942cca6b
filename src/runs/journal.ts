import { hash } from "node:crypto";
import { isOutage } from "#domain/errors";
import type { Json } from "#domain/json";
import type { ReplyJournal, SegmentIntent, ShownSegment } from "#ports/platform";
import type { RunLease } from "#ports/run-queue";
import { toJson } from "./checkpoint.ts";
import type { RunTask } from "./run-work.ts";

interface SavedJournal {
  readonly segments: readonly ShownSegment[];
  readonly intents: readonly SegmentIntent[];
}

/** A run's journal, and what it leaves when the run is over. */
export interface RunJournal extends ReplyJournal {
  /** What there is to look at again. */
  left(): LeftReply;
}

/** What a reply has left in the chat. */
export interface LeftReply {
  readonly segments: readonly ShownSegment[];
  /** The ids of those that an earlier attempt had begun. */
  readonly inherited: readonly string[];
  /** What the names of all its intents begin with. */
  readonly intentPrefix: string;
}

/** So many messages of a reply are asked for where the store has lost what it knew of them. */
const lostSegments = 3;
/** How far the platform's clock may be behind the store's. */
const clockToleranceMs = 60_000;

/**
 * The durable memory of what a run's reply made visible, kept by its lease. Intents are named by what is
 * answered, so that they are the same should it have to be accepted a second time.
 */
export function createJournal({ messages }: RunTask, lease: RunLease): RunJournal {
  const { segments: saved, intents } = toSavedJournal(lease.journal);
  const answered = `${lease.conversationKey} ${lease.items[0]?.eventId}`;
  const sentAtMs = Math.min(...messages.map((message) => message.sentAtMs));
  const isInDoubt = sentAtMs - clockToleranceMs <= (lease.storeLostAtMs ?? 0);
  const doubtful = isInDoubt
    ? [...intents, ...lostIntents({ answered, sentAtMs, saved, intents })]
    : intents;
  return openJournal({ answered, lease, saved, doubtful });
}

/** What may have been shown without a trace: the platform is asked. */
function lostIntents(known: {
  readonly answered: string;
  readonly sentAtMs: number;
  readonly saved: readonly ShownSegment[];
  readonly intents: readonly SegmentIntent[];
}): readonly SegmentIntent[] {
  const { answered, sentAtMs, saved, intents } = known;
  const first = Math.max(-1, ...[...saved, ...intents].map(({ index }) => index)) + 1;
  const revision = Math.max(0, ...[...saved, ...intents].map((one) => one.revision));
  return Array.from({ length: lostSegments }, (_, offset) => ({
    index: first + offset,
    content: { type: "text", from: 0, to: 0 },
    revision,
    intentId: intentIdOf(answered, first + offset, revision),
    atMs: sentAtMs,
  }));
}

function openJournal(parts: {
  readonly answered: string;
  readonly lease: RunLease;
  readonly saved: readonly ShownSegment[];
  readonly doubtful: readonly SegmentIntent[];
}): RunJournal {
  const { answered, lease, saved, doubtful } = parts;
  const segments = new Map(saved.map((segment) => [segment.index, segment]));
  const intents = new Map(doubtful.map((intent) => [intent.index, intent]));
  const inherited = new Set(saved.map(({ id }) => id));
  /** Begun by an earlier attempt, and not found yet. */
  const sought = new Set(doubtful.map(({ index }) => index));
  const write = () =>
    lease.saveJournal(toJson({ segments: [...segments.values()], intents: [...intents.values()] }));
  /**
   * What has happened in the chat is known here whether or not the store can be reached: the next write
   * carries it, and should this process end before, the intent in the store says where to look.
   */
  const writeNowOrWithTheNext = () =>
    write().catch((error: unknown) => {
      if (!isOutage(error)) throw error;
    });

  return {
    saved,
    doubtful,
    intentId: (index, revision) => intentIdOf(answered, index, revision),
    async before(intent) {
      sought.delete(intent.index);
      intents.set(intent.index, intent);
      await write();
    },
    async after(segment) {
      if (sought.delete(segment.index)) inherited.add(segment.id);
      intents.delete(segment.index);
      segments.set(segment.index, segment);
      await writeNowOrWithTheNext();
    },
    async drop(index) {
      intents.delete(index);
      segments.delete(index);
      await writeNowOrWithTheNext();
    },
    assertOwner: () => lease.assertOwner(),
    left: () => ({
      segments: [...segments.values()],
      inherited: [...inherited],
      intentPrefix: intentPrefixOf(answered),
    }),
  };
}

/** At most 25 characters, so that it fits a Discord nonce. */
function intentIdOf(answered: string, index: number, revision: number): string {
  const place = `${index.toString(36)}.${revision.toString(36)}`;
  return `${intentPrefixOf(answered)}${place}`.slice(0, 25);
}

function intentPrefixOf(answered: string): string {
  return `${hash("sha256", answered).slice(0, 16)}.`;
}

function toSavedJournal(value: Json | undefined): SavedJournal {
  if (value === undefined || value === null) return { segments: [], intents: [] };
  return value as unknown as SavedJournal;
}
