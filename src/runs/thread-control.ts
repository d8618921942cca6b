import { conversationKeyOf, type Person, type Place } from "#domain/conversation";
import type { StoredFile } from "#domain/file";
import type { Json } from "#domain/json";
import type { Run } from "#domain/run";
import type { RunQueue } from "#ports/run-queue";
import type { ConversationStatus, PlacedConversation, ThreadControl } from "#ports/thread-control";
import { toJson } from "./checkpoint.ts";
import type { AtHand, ConversationControl, RunPlace } from "./controls.ts";
import { type ConversationHead, readHead } from "./conversation-head.ts";
import type { RunEnvironment } from "./environment.ts";
import { deleteFile, fileRanks, holdsOlder } from "./forget.ts";
import { handedOver, resume } from "./hand-over.ts";
import { names } from "./names.ts";
import { filesWithinReach } from "./run-files.ts";
import { type RunWork, titleOf } from "./run-work.ts";

import { type PageRef, pagesBackwards } from "./thread-pages.ts";

/** A person's open conversations in a channel are looked for among this many of their newest. */
const searchedConversations = 200;

type Needed = Pick<RunEnvironment, "ledger" | "records" | "files" | "fileIndex" | "log"> & {
  readonly queue: RunQueue;
  /** The runs at work in this process, by conversation. */
  readonly live: ReadonlyMap<string, Pick<RunWork, "task">>;
  readonly catalogue: {
    channel(channelKey: string): Promise<{ readonly scope: "thread" | "person" | "channel" }>;
  };
};

/** What commands may do with threads: reading at once, changes as control items in their order. */
export function createThreadControl(needed: Needed): ThreadControl {
  const { queue, ledger, records } = needed;

  const control = (conversationKey: string, eventId: string, payload: ConversationControl) =>
    queue.control({ eventId, conversationKey, payload: toJson(payload), to: "conversation" });

  return {
    async conversationOf(place: Place, person: Person) {
      const { scope } = await needed.catalogue.channel(place.channelKey);
      return conversationKeyOf(place, person, scope);
    },

    async openConversations(channelKey, person) {
      const isThere = ({ place }: ConversationHead) => place.channelKey === channelKey;
      const [answered, begun] = await Promise.all([
        conversationsOf(person, isThere, needed),
        begunConversations(person, channelKey, needed),
      ]);
      const known = new Set(answered.map(({ conversationKey }) => conversationKey));
      return [...begun.filter(({ conversationKey }) => !known.has(conversationKey)), ...answered];
    },

    async recentConversations(person, { platform, limit }) {
      const isThere = ({ place }: ConversationHead) => place.platform === platform;
      return conversationsOf(person, isThere, { ...needed, limit });
    },

    status: (conversationKey) => readStatus(conversationKey, needed),

    async stop(conversationKey, what) {
      const { current, queued } = await queue.cancel(conversationKey, what);
      return { stopped: current, removedFromQueue: queued.length };
    },

    resume: (conversationKey) => resume(ledger, conversationKey),

    async startNewThread(conversationKey, eventId) {
      await control(conversationKey, eventId, { type: "new-thread" });
    },

    async retry(conversationKey, eventId, by) {
      const head = await readHead(ledger, conversationKey);
      if (!head?.lastRunId) return false;
      const runId = head.lastRunId;
      await control(conversationKey, eventId, { type: "again", as: "retry", runId, by });
      return true;
    },

    async forgetConversation(conversationKey, eventId) {
      await queue.cancel(conversationKey, "all");
      await control(conversationKey, eventId, { type: "forget" });
    },

    async forgetPerson(personKey, eventId) {
      const theirs = await ledger.ranked(names.conversationsOf(personKey), { limit: 100_000 });
      for (const { member } of theirs) {
        await control(member, `${eventId}/${member}`, { type: "forget-person", personKey });
      }
      return theirs.length;
    },

    async stopUnder(keyPrefix) {
      const keys = await conversationsUnder(keyPrefix, "busy", needed);
      await Promise.all([...keys].map((key) => queue.cancel(key, "all")));
      return keys.size;
    },

    async forgetUnder(keyPrefix, eventId) {
      const keys = await conversationsUnder(keyPrefix, "all", needed);
      for (const key of keys) {
        await queue.cancel(key, "all");
        await control(key, `${eventId}/${key}`, { type: "forget" });
      }
      return keys.size;
    },

    async forgetOlderThan(beforeMs) {
      let touched = 0;
      for await (const conversationKey of conversationsWithOlder(beforeMs, needed)) {
        touched += 1;
        const eventId = `forget-older/${conversationKey}/${beforeMs}`;
        await control(conversationKey, eventId, { type: "forget-older", beforeMs });
      }
      return touched;
    },

    exportConversation: (conversationKey) => exportThread(conversationKey, needed),

    async files(conversationKey) {
      return [...(await filesWithinReach(conversationKey, needed))].reverse();
    },

    async useFile(conversationKey, fileId, use) {
      const file = (await filesWithinReach(conversationKey, needed)).find(
        ({ id }) => id === fileId,
      );
      if (!file) return false;
      const changed: StoredFile = { ...file, use };
      await records.write(names.record.file(fileId), toJson(changed));
      return true;
    },

    async removeFile(conversationKey, fileId) {
      const files = await filesWithinReach(conversationKey, needed);
      if (!files.some(({ id }) => id === fileId)) return false;
      await deleteFile(fileId, needed);
      await ledger.apply({ ranks: fileRanks(conversationKey, fileId) });
      return true;
    },
  };
}

/** A person's newest conversations that fit, newest first. */
async function conversationsOf(
  person: Person,
  isWanted: (head: ConversationHead) => boolean,
  {
    ledger,
    queue,
    limit = searchedConversations,
  }: Pick<Needed, "ledger" | "queue"> & { readonly limit?: number },
): Promise<readonly PlacedConversation[]> {
  const mine = await ledger.ranked(names.conversationsOf(person.key), {
    limit: searchedConversations,
    highestFirst: true,
  });
  const found: PlacedConversation[] = [];
  for (const { member } of mine) {
    if (found.length >= limit) break;
    const head = await readHead(ledger, member);
    if (!head || !isWanted(head)) continue;
    const { place, title, updatedAtMs } = head;
    const { running, parked } = await queue.inspect(member);
    found.push({
      conversationKey: member,
      channelKey: place.channelKey,
      place,
      title,
      updatedAtMs,
      isBusy: running + parked > 0,
    });
  }
  return found;
}

/** A person's conversations in a channel whose first answer is still to come. */
async function begunConversations(
  person: Person,
  channelKey: string,
  { ledger, live }: Pick<Needed, "ledger" | "live">,
): Promise<readonly PlacedConversation[]> {
  const begun = new Map<string, PlacedConversation>();
  const stored = await ledger.names(names.atHand(channelKey), { limit: searchedConversations });
  for (const name of stored) {
    const atHand = (await ledger.read(name))?.value as unknown as AtHand | undefined;
    if (atHand?.personKey !== person.key) continue;
    const run = (await ledger.read(names.run(atHand.runId)))?.value as unknown as RunPlace | null;
    if (run?.place.channelKey !== channelKey) continue;
    begun.set(run.conversationKey, {
      conversationKey: run.conversationKey,
      channelKey,
      place: run.place,
      title: atHand.title ?? "Untitled",
      updatedAtMs: atHand.askedAtMs ?? 0,
      isBusy: true,
    });
  }
  // A run is stored once there is something to see of it; a model may think for long before that.
  for (const [conversationKey, { task }] of live) {
    const { place, asker, messages } = task;
    if (place.channelKey !== channelKey || asker.key !== person.key) continue;
    const updatedAtMs = messages[0]?.sentAtMs ?? 0;
    const title = titleOf(task);
    begun.set(conversationKey, {
      conversationKey,
      channelKey,
      place,
      title,
      updatedAtMs,
      isBusy: true,
    });
  }
  return [...begun.values()].sort((a, b) => b.updatedAtMs - a.updatedAtMs);
}

/** Conversations whose keys begin so: those at hand, those that only wait, and of `all` the answered. */
async function conversationsUnder(
  keyPrefix: string,
  which: "busy" | "all",
  { ledger, live, queue }: Pick<Needed, "ledger" | "live" | "queue">,
): Promise<ReadonlySet<string>> {
  const { waiting } = await queue.inspect();
  // A run is stored as at hand a moment after it began.
  const keys = new Set(
    [...waiting.map(({ conversationKey }) => conversationKey), ...live.keys()].filter((key) =>
      key.startsWith(keyPrefix),
    ),
  );
  for (const nameOf of which === "all" ? [names.atHand, names.head] : [names.atHand]) {
    const limit = 200;
    let after: string | undefined;
    for (;;) {
      const found = await ledger.names(nameOf(keyPrefix), {
        limit,
        ...(after === undefined ? {} : { after }),
      });
      for (const name of found) keys.add(name.slice(nameOf("").length));
      after = found.at(-1);
      if (found.length < limit) break;
    }
  }
  return keys;
}

/** Conversations that hold something older than a time, the longest unused first. */
async function* conversationsWithOlder(
  beforeMs: number,
  { ledger }: Pick<Needed, "ledger">,
): AsyncGenerator<string> {
  let from = 0;
  let seen = new Set<string>();
  for (;;) {
    const step = await ledger.ranked(names.conversationsByAge, { from, limit: 200 });
    const fresh = step.filter(({ member }) => !seen.has(member));
    for (const { member } of fresh) {
      const head = await readHead(ledger, member);
      if (!head) continue;
      if (await holdsOlder(member, head, { ledger, beforeMs })) yield member;
    }
    if (fresh.length === 0) return;
    from = step.at(-1)?.score ?? from;
    seen = new Set(step.map(({ member }) => member));
  }
}

async function readStatus(
  conversationKey: string,
  { ledger, records, queue }: Needed,
): Promise<ConversationStatus> {
  const [taken, head, atHandRegister, line] = await Promise.all([
    handedOver(ledger, conversationKey),
    readHead(ledger, conversationKey),
    ledger.read(names.atHand(conversationKey)),
    queue.inspect(conversationKey),
  ]);
  const atHand = atHandRegister?.value as unknown as AtHand | undefined;
  const pages = head ? await ledger.items(names.pages(head.threadId), { limit: 10_000 }) : [];
  const lastRun = head?.lastRunId ? await readRun(head.lastRunId, { ledger, records }) : undefined;
  return {
    conversationKey,
    threadId: head?.threadId,
    messageCount: pages.length,
    isRunning: line.running > 0,
    waitingFor: line.parked > 0 ? atHand?.personName : undefined,
    waiting: line.waiting.map(({ eventId, personKey }) => ({ eventId, personKey })),
    lastRun,
    ...(taken ? { handedOver: taken.reason } : {}),
    assistant: lastRun && { id: lastRun.assistant_id, version: lastRun.assistant_version },
  };
}

/** A finished run's record; undefined while it is at hand, or when it was forgotten. */
async function readRun(
  runId: string,
  { ledger, records }: Pick<RunEnvironment, "ledger" | "records">,
): Promise<Run | undefined> {
  const register = await ledger.read(names.run(runId));
  const place = register?.value as unknown as RunPlace | undefined;
  if (!place?.record) return undefined;
  return (await records.read(place.record)) as unknown as Run | undefined;
}

/** The current thread as JSON lines: the thread, then each run and its entries, oldest first. */
async function exportThread(conversationKey: string, { ledger, records }: Needed) {
  const head = await readHead(ledger, conversationKey);
  if (!head) return undefined;
  const lines: Json[] = [];
  for await (const { ref, page } of pagesBackwards({ ledger, records, threadId: head.threadId })) {
    const run = await records.read((ref satisfies PageRef).run);
    lines.unshift({
      object: "thread.run.entries",
      run_id: ref.runId,
      entries: toJson([...page.entries]),
    });
    if (run !== undefined) lines.unshift(run);
  }
  const thread = await records.read(names.record.thread(head.threadId));
  if (thread !== undefined) lines.unshift(thread);
  const text = `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
  return {
    name: `${head.threadId}.jsonl`,
    mimeType: "application/jsonl",
    data: new TextEncoder().encode(text),
  };
}
