import type { Outcome, RunLease } from "#ports/run-queue";
import { toJson } from "./checkpoint.ts";
import type { ConversationControl, RunPlace } from "./controls.ts";
import {
  type ConversationHead,
  leave,
  readHead,
  untitle,
  withoutMemory,
} from "./conversation-head.ts";
import type { RunEnvironment } from "./environment.ts";
import { names, newThreadId } from "./names.ts";
import { findPage, type PageRef, withEditedMessage, withoutMessage } from "./thread-pages.ts";

/** The conversation's next message begins a new thread; the old one stays readable. */
export async function startNewThread(
  lease: RunLease,
  { ledger, now }: RunEnvironment,
): Promise<Outcome> {
  const head = await readHead(ledger, lease.conversationKey);
  if (!head) return { type: "done", change: {} };
  const at = now();
  const next: ConversationHead = {
    ...head,
    threadId: newThreadId(at),
    title: "Untitled",
    updatedAtMs: at,
    lastRunId: null,
    state: null,
    summary: null,
  };
  return {
    type: "done",
    change: {
      registers: [{ name: names.head(lease.conversationKey), value: toJson(next) }],
      appends: [
        { list: names.threads(lease.conversationKey), value: next.threadId },
        ...leave(lease.conversationKey, [head.state]),
      ],
      removes: [names.files(lease.conversationKey)],
    },
  };
}

/** A changed message that was answered already: its text changes, the answer stays, the backend starts anew. */
export async function reviseMessage(
  lease: RunLease,
  { ledger, records }: RunEnvironment,
  { eventId, change }: Extract<ConversationControl, { type: "revise" }>,
): Promise<Outcome> {
  const answered = await ledger.read(names.answered(eventId));
  if (!answered) return { type: "done", change: {} };
  const { runId } = answered.value as unknown as { runId: string };
  const run = await ledger.read(names.run(runId));
  if (!run) return { type: "done", change: {} };
  const { threadId } = run.value as unknown as RunPlace;
  const found = await findPage({ ledger, records, threadId }, runId);
  if (!found) return { type: "done", change: {} };

  const revised =
    change.type === "deleted"
      ? withoutMessage(found.page, eventId)
      : withEditedMessage(found.page, eventId, change.message);
  const page = names.record.page(runId, lease.epoch);
  await records.write(page, toJson(revised));
  await untitle([threadId], records);
  const head = await readHead(ledger, lease.conversationKey);
  const ref: PageRef = { ...found.ref, page };
  return {
    type: "done",
    change: {
      ...(head
        ? {
            registers: [
              {
                name: names.head(lease.conversationKey),
                value: toJson(withoutMemory(head)),
              },
            ],
          }
        : {}),
      appends: leave(lease.conversationKey, [head?.state]),
      replaces: [{ list: names.pages(threadId), position: found.position, value: toJson(ref) }],
    },
  };
}
