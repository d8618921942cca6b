import type { Run, RunEndStatus } from "#domain/run";
import type { Thread } from "#domain/thread";
import type { LedgerChange } from "#ports/ledger";
import { countersOf } from "./caps.ts";
import { type RunEnd, toJson } from "./checkpoint.ts";
import type { RunPlace } from "./controls.ts";
import { type ConversationHead, leave } from "./conversation-head.ts";
import type { RunEnvironment } from "./environment.ts";
import { names } from "./names.ts";
import { atHandRegister, type RunWork, titleOf } from "./run-work.ts";
import type { StoredPage } from "./thread-pages.ts";
import { closedRequests, outputsOf } from "./tool-calls.ts";

/**
 * Writes a finished run's records, and says what makes them count. The records stand under keys
 * with this lease's epoch and are invisible until the change is applied with the end of the lease.
 */
export async function commitRun(
  work: RunWork,
  { records, limits, now }: RunEnvironment,
  end: RunEnd,
): Promise<LedgerChange> {
  const { task, lease } = work;
  const keys = {
    page: names.record.page(task.runId, lease.epoch),
    run: names.record.run(task.runId, lease.epoch),
  };
  const keepsPage = !work.view.removed;
  const isReplacing = keepsPage && task.replaces !== undefined;
  const isNewThread = task.head?.threadId !== task.threadId;
  await Promise.all([
    records.write(
      keys.run,
      toJson(toRun(work, end, { nowMs: now(), deadlineMs: limits.deadlineMs })),
    ),
    ...(keepsPage ? [records.write(keys.page, toJson(toPage(work)))] : []),
    ...(isNewThread
      ? [records.write(names.record.thread(task.threadId), toJson(toThread(work, now())))]
      : []),
  ]);
  const at = now();
  return {
    registers: [
      { name: names.head(task.conversationKey), value: toJson(toHead(work, end, at)) },
      { name: names.atHand(task.conversationKey), value: null },
      { name: names.run(task.runId), value: toJson(toRunPlace(work, keys.run)) },
      ...answeredMessages(work),
      ...closedRequests(work),
    ],
    appends: [
      {
        list: keepsPage ? names.pages(task.threadId) : names.replacedPages(task.threadId),
        value: { ...keys, runId: task.runId, atMs: at },
      },
      ...(isReplacing
        ? [{ list: names.replacedPages(task.threadId), value: toJson(task.replaces.ref) }]
        : []),
      ...(isNewThread ? [{ list: names.threads(task.conversationKey), value: task.threadId }] : []),
      ...leave(task.conversationKey, leftStates(work, end)),
    ],
    ...(isReplacing
      ? {
          replaces: [
            { list: names.pages(task.threadId), position: task.replaces.position, value: null },
          ],
        }
      : {}),
    ranks: ranks(work, at),
    counts: countersOf(work, at).map((counter) => ({ counter, field: "runs", by: 1 })),
  };
}

/** What is kept of a run while it is at hand. */
export function runAtHand(work: RunWork): LedgerChange {
  return {
    registers: [
      atHandRegister(work),
      { name: names.run(work.task.runId), value: toJson(toRunPlace(work)) },
    ],
  };
}

function toRunPlace({ task }: RunWork, record?: string): RunPlace {
  return {
    conversationKey: task.conversationKey,
    threadId: task.threadId,
    personKey: task.asker.key,
    place: task.place,
    ...(record === undefined ? {} : { record }),
  };
}

function answeredMessages({ task }: RunWork) {
  return task.messages.map(({ eventId }) => ({
    name: names.answered(eventId),
    value: { runId: task.runId, conversationKey: task.conversationKey },
  }));
}

/** When the conversation was last used, and by whom: to find it by age, channel and person. */
function ranks({ task, state }: RunWork, atMs: number): NonNullable<LedgerChange["ranks"]> {
  const { conversationKey, place } = task;
  const answered = state.entries.flatMap((entry) =>
    entry.type === "tool-output" ? (entry.personKeys ?? []) : [],
  );
  const authors = task.messages.map(({ author }) => author.key);
  const people = new Set([task.asker.key, ...authors, ...answered]);
  const rankings = [
    names.conversationsByAge,
    names.conversationsIn(place.channelKey),
    ...[...people].map(names.conversationsOf),
  ];
  return [
    ...rankings.map((ranking) => ({ ranking, member: conversationKey, score: atMs })),
    ...[...people].map((member) => ({
      ranking: names.peopleIn(conversationKey),
      member,
      score: atMs,
    })),
  ];
}

function toHead(work: RunWork, end: RunEnd, atMs: number): ConversationHead {
  const { task, state, newSummary } = work;
  const before = task.head?.threadId === task.threadId ? task.head : undefined;
  return {
    v: 1,
    threadId: task.threadId,
    place: task.place,
    title: before?.title ?? titleOf(task),
    updatedAtMs: atMs,
    lastRunId: task.runId,
    // A run that ended any other way may have left a call unanswered on the other side.
    state: end.status === "completed" ? state.state : (before?.state ?? null),
    summary: newSummary ?? before?.summary ?? null,
  };
}

/** What this run leaves at the service that the conversation does not go on from. */
function leftStates({ task, state }: RunWork, end: RunEnd) {
  if (end.status !== "completed") return [...state.left, state.state];
  return task.replaces ? [...state.left, task.head?.state] : state.left;
}

function toThread(work: RunWork, nowMs: number): Thread {
  return {
    id: work.task.threadId,
    object: "thread",
    created_at: Math.floor(nowMs / 1000),
    conversation_key: work.task.conversationKey,
    title: titleOf(work.task),
    metadata: {},
  };
}

function toPage(work: RunWork): StoredPage {
  const { task, state } = work;
  return {
    v: 1,
    threadId: task.threadId,
    runId: task.runId,
    input: work.messagesNow(),
    entries: [...state.asked, ...state.entries, ...outputsOf(work)],
  };
}

function toRun(
  work: RunWork,
  end: RunEnd,
  { nowMs, deadlineMs }: { nowMs: number; deadlineMs: number },
): Run {
  const { task, state } = work;
  const at = Math.floor(nowMs / 1000);
  const when = (...statuses: readonly RunEndStatus[]) =>
    statuses.includes(end.status) ? at : null;
  return {
    id: task.runId,
    object: "thread.run",
    v: 1,
    conversation_key: task.conversationKey,
    thread_id: task.threadId,
    assistant_id: task.assistant.id,
    assistant_version: task.assistant.version,
    model: task.assistant.model,
    status: end.status,
    message_ids: task.messages.map(({ eventId }) => eventId),
    person_key: task.asker.key,
    created_at: Math.floor(state.createdAtMs / 1000),
    started_at: Math.floor(state.startedAtMs / 1000),
    expires_at: Math.floor((state.startedAtMs + deadlineMs) / 1000),
    completed_at: when("completed", "incomplete"),
    cancelled_at: when("cancelled"),
    failed_at: when("failed", "expired"),
    required_action: null,
    last_error: end.error ? { code: end.error.code, message: end.error.message } : null,
    incomplete_details: end.reason ? { reason: end.reason } : null,
    usage: state.usage,
    cost: state.cost,
    steps: work.steps(),
    metadata: {},
  };
}
