import { slackStreamProfile, withLess } from "#domain/markdown-profile";
import type { ReplyView } from "#domain/reply-view";
import { splitMarkdown } from "#domain/split-markdown";
import type { Log } from "#ports/log";
import type { ReplyJournal, ReplyTarget } from "#ports/platform";
import type { DirectMessages } from "./direct.ts";
import { reasonOf, refusalOf } from "./failures.ts";
import { targetOf } from "./inbound.ts";
import { notificationOf, withoutPings } from "./markdown.ts";
import { type Block, section, sectionsOf } from "./sections.ts";

/** Behind text, files and complaints of a reply. */
const firstIndex = 3_000;
/** What the words above the answer take of a message's room. */
const besideTextBytes = 1_000;

/**
 * An answer that cannot be shown where it was asked for goes to who asked, as a direct message that
 * says why. Nothing else is tried: what Slack refuses today it refuses again.
 */
export async function sayDirectly(
  parts: {
    readonly direct: DirectMessages;
    readonly log: Log;
    readonly now: () => number;
  },
  reply: {
    readonly to: ReplyTarget;
    readonly journal: ReplyJournal;
    readonly view: ReplyView;
    readonly why: unknown;
  },
): Promise<void> {
  const { direct, log } = parts;
  const { to, journal, view } = reply;
  const { channel, user } = targetOf(to.target);
  const reason = reasonOf(refusalOf((reply.why as Error | undefined)?.cause));
  if (reason === undefined || channel.startsWith("D") || view.removed) return;
  try {
    for (const [place, message] of messagesOf(view, channel, reason).entries()) {
      const index = firstIndex + place;
      if (journal.saved.some((segment) => segment.index === index)) continue;
      const { revision } = view;
      const content = { type: "other", name: "direct message" } as const;
      const intentId = journal.intentId(index, revision);
      await journal.before({ index, content, revision, intentId, atMs: parts.now() });
      await journal.assertOwner();
      const { ts } = await direct.say(user, message);
      await journal.after({ index, id: ts, content, revision, closed: true });
    }
  } catch (error) {
    const problem = refusalOf(error) ?? "unclear";
    log.warn({ run: to.runId, platform: "slack", problem }, "not said directly either");
  }
}

function messagesOf(
  view: ReplyView,
  channel: string,
  reason: string,
): readonly { readonly text: string; readonly blocks: readonly Block[] }[] {
  const profile = withLess(slackStreamProfile, besideTextBytes);
  const parts = splitMarkdown(view.text.trim(), profile).map(({ text }) => withoutPings(text));
  const lead = section(`I could not answer you in <#${channel}>. ${reason}`);
  const sections = sectionsOf({ ...view, actions: [], requests: [] });
  return (parts.length === 0 ? [""] : parts).map((markdown, index) => ({
    text: notificationOf(markdown, "An answer"),
    blocks: [
      ...(index === 0 ? [lead] : []),
      ...(markdown === "" ? [] : [{ type: "markdown", text: markdown }]),
      ...(index === parts.length - 1 ? sections : []),
    ],
  }));
}
