import type { Place } from "#domain/conversation";
import type { IncomingMessage } from "#domain/message";
import { applyEvent, emptyView, type ReplyView } from "#domain/reply-view";
import { noUsage } from "#domain/usage";
import type { InboxItem, RunLease } from "#ports/run-queue";
import { type Checkpoint, toCheckpoint } from "./checkpoint.ts";
import { type ConversationControl, type RunPlace, toControl, toQueuedMessage } from "./controls.ts";
import { readHead } from "./conversation-head.ts";
import type { RunEnvironment } from "./environment.ts";
import { names, newThreadId, timedId } from "./names.ts";
import { type RunTask, RunWork } from "./run-work.ts";
import { findPage } from "./thread-pages.ts";

/** What a lease asks to be answered; undefined when it is no longer there to answer. */
export async function toTask(
  lease: RunLease,
  environment: RunEnvironment,
  replacedMessages: number,
): Promise<RunTask | undefined> {
  const asked = await whatIsAsked(lease, environment);
  const [first] = asked?.messages ?? [];
  if (!asked || !first) return undefined;
  const { conversationKey } = lease;
  const checkpoint = toCheckpoint(lease.checkpoint);
  const [head, chosen] = await Promise.all([
    readHead(environment.ledger, conversationKey),
    environment.catalogue.runSettings({
      channelKey: first.place.channelKey,
      people: asked.messages.map(({ author }) => author),
      ...(checkpoint ? { pinned: checkpoint.assistant } : {}),
    }),
  ]);
  return {
    runId: runIdOf(lease),
    conversationKey,
    threadId: checkpoint?.threadId ?? head?.threadId ?? newThreadId(environment.now()),
    place: first.place,
    asker: asked.asker,
    messages: asked.messages,
    assistant: chosen.assistant,
    ref: chosen.ref,
    instructions: instructionsFor(chosen.instructions, first.place, asked.messages),
    channel: chosen.channel,
    head,
    replaces: asked.replaces,
    notices: checkpoint
      ? []
      : [
          ...(chosen.notice ? [chosen.notice] : []),
          ...replacedWords(replacedMessages),
          ...asked.messages.flatMap(({ quotedNote }) => quotedNote ?? []),
        ],
  };
}

/** The same in every attempt, so that a repeated one makes no second run. */
function runIdOf({ conversationKey, items: [first] }: RunLease): string {
  return timedId("run", first?.acceptedAtMs ?? 0, conversationKey, first?.eventId ?? "");
}

/** What changes least stands first, for the provider's cache; where people talk together, it is said. */
function instructionsFor(
  instructions: string,
  place: Place,
  messages: readonly IncomingMessage[],
): string {
  const parts = [instructions];
  if (!place.isDirect) {
    parts.push(
      `This is the channel "${place.channelName}". Each message begins with its author's name; answer the one who asks.`,
    );
  }
  if (messages.length > 1) {
    parts.push(
      `The last ${messages.length} messages wait for one answer together: answer them in order, each addressed to its author by name.`,
    );
  }
  return parts.join("\n\n");
}

function replacedWords(count: number): readonly string[] {
  if (count === 0) return [];
  if (count === 1) return ["This answers the newest message; an earlier one was replaced by it."];
  return [`This answers the newest message; ${count} earlier ones were replaced by it.`];
}

interface Asked {
  readonly messages: readonly IncomingMessage[];
  readonly asker: IncomingMessage["author"];
  readonly replaces: RunTask["replaces"];
}

async function whatIsAsked(
  lease: RunLease,
  environment: RunEnvironment,
): Promise<Asked | undefined> {
  const [first] = lease.items;
  if (first?.kind === "control")
    return whatIsAskedAgain(toControl(first.payload), environment, first);
  const messages = lease.items
    .filter(({ amendment }) => amendment?.type !== "deleted")
    .map(toMessage);
  const asker = messages.at(-1)?.author;
  return asker && { messages, asker, replaces: undefined };
}

function toMessage({ payload, amendment }: InboxItem): IncomingMessage {
  const { message } = toQueuedMessage(payload);
  return amendment?.type === "edited" ? toQueuedMessage(amendment.payload).message : message;
}

/** `retry` takes the newest answer's place; a new version or a continuation stands after it. */
async function whatIsAskedAgain(
  control: ConversationControl,
  { ledger, records, now }: RunEnvironment,
  item: InboxItem,
): Promise<Asked | undefined> {
  if (control.type !== "again") return undefined;
  const register = await ledger.read(names.run(control.runId));
  if (!register) return undefined;
  const { threadId, place } = register.value as unknown as RunPlace;
  if (control.as === "continue") {
    const message: IncomingMessage = {
      eventId: item.eventId,
      place,
      author: control.by,
      text: "Continue exactly where you stopped.",
      attachments: [],
      sentAtMs: now(),
    };
    return { messages: [message], asker: control.by, replaces: undefined };
  }
  const found = await findPage({ ledger, records, threadId }, control.runId);
  if (!found) return undefined;
  const newest = await ledger.items(names.pages(threadId), { limit: 1, newestFirst: true });
  const isNewest = newest[0]?.position === found.position;
  return {
    messages: found.page.input,
    asker: found.page.input.at(-1)?.author ?? control.by,
    replaces: isNewest ? { position: found.position, ref: found.ref } : undefined,
  };
}

/** The run as this attempt finds it: fresh, or where an earlier attempt left it. */
export function beginWork(
  task: RunTask,
  lease: RunLease,
  { backend, tracer, now }: RunEnvironment,
): RunWork {
  const saved = toCheckpoint(lease.checkpoint);
  const canResume = backend.capabilities.resume && backend.resume !== undefined;
  const span = tracer.span("run", {
    run: task.runId,
    thread: task.threadId,
    conversation: task.conversationKey,
    platform: task.place.platform,
    assistant: task.assistant.name,
    assistantId: task.ref.id,
    assistantVersion: task.ref.version,
    model: task.assistant.model,
    attempt: lease.attempt,
  });
  const state = saved ? recovered(saved, canResume, lease) : fresh(task, now());
  return new RunWork({ task, lease, span, state, now });
}

function fresh(task: RunTask, nowMs: number): Checkpoint {
  return {
    v: 1,
    runId: task.runId,
    threadId: task.threadId,
    assistant: task.ref,
    createdAtMs: nowMs,
    startedAtMs: nowMs,
    workedMs: 0,
    turns: 0,
    asked: [],
    entries: [],
    calls: [],
    view: emptyView(task.runId),
    usage: noUsage,
    cost: 0,
    answered: null,
    state: null,
    left: [],
    live: null,
    isShown: false,
    hasEffects: false,
  };
}

/**
 * A turn that can be taken up goes on from what had been shown at its cursor; otherwise what it had
 * shown is withdrawn and it is asked again. A raised revision makes the reply bring its messages to
 * the right text, since nobody knows how much of the lost attempt was seen.
 */
function recovered(saved: Checkpoint, canResume: boolean, lease: RunLease): Checkpoint {
  if (saved.ended) return { ...saved, live: null, isShown: false };
  if (saved.live && canResume) {
    return { ...saved, view: raised(saved.live.view), isShown: false };
  }
  const withdrawn = applyEvent(saved.view, { type: "turn-restart" });
  const nothingLost =
    (saved.isShown || lease.journal === undefined) && withdrawn.text === saved.view.text;
  return {
    ...saved,
    view: nothingLost ? saved.view : withdrawn,
    live: null,
    isShown: false,
  };
}

function raised(view: ReplyView): ReplyView {
  return { ...view, revision: view.revision + 1 };
}
