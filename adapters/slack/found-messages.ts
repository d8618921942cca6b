import type { SegmentIntent } from "#ports/platform";
import type { SlackApi } from "./api.ts";
import { refusalOf } from "./failures.ts";
import type { SlackTarget } from "./inbound.ts";

/** The metadata of every message of a reply is of this type. */
export const metadataType = "bobbin_reply";
/** Our clock and Slack's may differ by this much. */
const clockToleranceMs = 30_000;

/** A message of ours as Slack gives it back. */
export interface ThreadMessage {
  readonly ts: string;
  readonly user?: string;
  readonly files?: unknown;
  readonly metadata?: {
    readonly event_type?: string;
    readonly event_payload?: { readonly intent?: string; readonly shown?: string };
  };
}

/** Our messages in a thread since shortly before a moment: one read. Undefined: reading is refused there. */
export async function ownMessages(
  api: SlackApi,
  { channel, threadTs, botUser }: SlackTarget,
  fromMs: number,
): Promise<readonly ThreadMessage[] | undefined> {
  const sinceMs = fromMs - clockToleranceMs;
  try {
    const { messages } = await api.call(
      "conversations.replies",
      {
        channel,
        ts: threadTs,
        oldest: (sinceMs / 1_000).toFixed(6),
        limit: 200,
        include_all_metadata: true,
      },
      { priority: "final", isRepeatable: true },
    );
    return (messages as readonly ThreadMessage[]).filter(
      ({ user, ts }) => user === botUser && Number(ts) * 1_000 >= sinceMs,
    );
  } catch (error) {
    // Nothing can be found then: rather twice than never, and it is said.
    if (refusalOf(error) === undefined) throw error;
    return undefined;
  }
}

/** The message an intent came to; `taken` are those that are known to be of others. */
export function messageOf(
  intent: SegmentIntent,
  messages: readonly ThreadMessage[],
  taken: ReadonlySet<string>,
): string | undefined {
  const exact = messages.find(
    ({ metadata }) => metadata?.event_payload?.intent === intent.intentId,
  );
  if (exact) return exact.ts;
  if (intent.content.type !== "text") return undefined;
  // A stream has no metadata before it is stopped: it is found by its place.
  return messages.find(
    ({ ts, files, metadata }) => metadata?.event_type !== metadataType && !files && !taken.has(ts),
  )?.ts;
}
