import { type APIMessage, MessageFlags, MessageType, Routes, SnowflakeUtil } from "discord.js";
import type { EndedReply, SegmentIntent } from "#ports/platform";
import { controlOf } from "./control-ids.ts";
import type { Draft } from "./drafts.ts";
import { refusalOf } from "./failures.ts";
import type { PacedApi } from "./paced-api.ts";
import { answerFileName } from "./slots.ts";

/** Our clock and Discord's may differ by this much. */
const clockToleranceMs = 30_000;
const discordEpochMs = 1_420_070_400_000;
const mostRead = 100;

/** The bot's own messages since shortly before a moment, oldest first. */
export async function readOwnMessages(
  api: PacedApi,
  at: { readonly channel: string; readonly botUser: string; readonly sinceMs: number },
): Promise<readonly APIMessage[]> {
  const { channel, botUser, sinceMs } = at;
  const timestamp = Math.max(sinceMs - clockToleranceMs, discordEpochMs);
  const after = String(SnowflakeUtil.generate({ timestamp }));
  try {
    const messages = (await api.call({
      method: "GET",
      route: Routes.channelMessages(channel),
      kind: "read",
      channel,
      query: { after, limit: String(mostRead) },
      priority: "final",
      isRepeatable: true,
    })) as readonly APIMessage[];
    return messages
      .filter(({ author, type }) => author.id === botUser && isSaid(type))
      .toSorted((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
  } catch (error) {
    // Where reading is refused the nonce has to do.
    if (refusalOf(error) === undefined) throw error;
    return [];
  }
}

/** What tells a run's messages from others. */
export interface RunTraces {
  readonly runId: string;
  /** Messages that are known already. */
  readonly taken: ReadonlySet<string>;
  /** The message of this run before the one that is looked for; of the first, the question. */
  readonly after: string;
  /** The message this one has to refer to; undefined: none. */
  readonly answers: string | undefined;
}

/** The message an intent became: by its nonce where Discord still says it, by its place otherwise. */
export function findSent(
  intent: SegmentIntent,
  messages: readonly APIMessage[],
  traces: RunTraces,
): APIMessage | undefined {
  const exact = messages.find(({ nonce }) => String(nonce ?? "") === intent.intentId);
  return exact ?? messages.find((message) => isInPlace(intent, message, traces));
}

/** Messages of a reply that is over which it does not know of: told by their nonce, where Discord says it. */
export function strays(
  messages: readonly APIMessage[],
  known: ReadonlySet<string>,
  isOwnIntent: EndedReply["isOwnIntent"],
): readonly APIMessage[] {
  return messages.filter(({ id, nonce }) => {
    return !known.has(id) && nonce !== undefined && isOwnIntent(String(nonce));
  });
}

/** True when a message looks as a draft wants it to. */
export function shows(
  { content, components = [], attachments }: APIMessage,
  draft: Draft,
): boolean {
  const { text, rows = [], files } = draft;
  const names = attachments.map(({ filename }) => filename);
  return (
    content.trim() === text.trim() &&
    idsIn(components).join(" ") === idsIn(rows).join(" ") &&
    (files ?? []).every(({ name }) => names.includes(name))
  );
}

/** The custom ids in rows of components, in order. */
function idsIn(rows: readonly object[]): readonly string[] {
  return rows.flatMap((row) => {
    const { components = [] } = row as { readonly components?: readonly object[] };
    return components.flatMap((one) => ("custom_id" in one ? [String(one.custom_id)] : []));
  });
}

function isInPlace(intent: SegmentIntent, message: APIMessage, traces: RunTraces): boolean {
  const { runId, taken, after, answers } = traces;
  if (message.nonce !== undefined || taken.has(message.id)) return false;
  if (BigInt(message.id) <= BigInt(after)) return false;
  if (message.interaction_metadata || isOfAnotherRun(message, runId)) return false;
  if ((intent.content.type === "file") !== hasFiles(message)) return false;
  if (message.message_reference?.message_id !== answers) return false;
  // Notes about a waiting message answer it as well, and are silent.
  const isSilent = ((message.flags ?? 0) & MessageFlags.SuppressNotifications) !== 0;
  return intent.index > 0 || !isSilent;
}

/** Its buttons say so. */
function isOfAnotherRun(message: APIMessage, runId: string): boolean {
  return (message.components ?? []).some(
    (row) =>
      "components" in row &&
      row.components.some((component) => {
        const id = "custom_id" in component ? component.custom_id : undefined;
        const control = id === undefined ? undefined : controlOf(id);
        const isRun = control?.type === "press" || control?.type === "good";
        return isRun && control.id !== runId;
      }),
  );
}

/** True for the message that carries the whole of a very long answer. */
export function hasAnswerFile({ attachments }: APIMessage): boolean {
  return attachments.some(({ filename }) => filename === answerFileName);
}

function hasFiles({ attachments }: APIMessage): boolean {
  return attachments.some(({ filename }) => filename !== answerFileName);
}

function isSaid(type: MessageType): boolean {
  return type === MessageType.Default || type === MessageType.Reply;
}
