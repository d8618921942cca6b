import type { QuotedMessage } from "#domain/message";
import { within } from "#domain/promises";
import type { Log } from "#ports/log";
import type { SlackApi } from "./api.ts";
import { refusalOf } from "./failures.ts";
import { idsIn, type SlackMessageEvent, toQuotedMessage, type Workspace } from "./inbound.ts";
import type { Names } from "./names.ts";

/** What Slack gives a distributed app is less, 15 messages once a minute. */
const mostQuoted = 50;
/** Slack wants to be answered within three seconds. */
const patienceMs = 2_000;

/** What was said in a thread, oldest first. */
export interface SaidBefore {
  readonly messages: readonly QuotedMessage[];
  /** Ids of who said it. */
  readonly people: readonly string[];
  /** In words, when it is not all of it. */
  readonly note?: string;
}

/** What people said in a thread before the bot was called into it: one read. Never throws. */
export async function readSaidBefore(
  event: SlackMessageEvent,
  parts: {
    readonly api: SlackApi;
    readonly names: Names;
    readonly workspace: Workspace;
    readonly log: Log;
  },
): Promise<SaidBefore> {
  const { api, names, workspace, log } = parts;
  try {
    const result = await within(
      patienceMs,
      api.call("conversations.replies", {
        channel: event.channel,
        ts: event.thread_ts,
        latest: event.ts,
        limit: mostQuoted,
      }),
    );
    const read = (result.messages as readonly SlackMessageEvent[]).filter(
      ({ ts, user }) => ts !== event.ts && user !== undefined && user !== workspace.botUser,
    );
    const users = read.map(({ user }) => user ?? "");
    const inTexts = read.map(({ text }) => idsIn(text ?? ""));
    const known = await names.known({
      users: [...new Set([...users, ...inTexts.flatMap((ids) => ids.users)])],
      channels: [...new Set(inTexts.flatMap((ids) => ids.channels))],
    });
    return {
      messages: read.map((one) => toQuotedMessage(one, known)),
      people: [...new Set(users)],
      ...(result.has_more === true ? { note: `I could read back ${read.length} messages.` } : {}),
    };
  } catch (error) {
    const problem = refusalOf(error) ?? "no answer";
    log.warn({ platform: "slack", problem }, "thread not read");
    return { messages: [], people: [], note: "I could not read what was said here before." };
  }
}
