import type { Json } from "#domain/json";
import type { Run } from "#domain/run";
import type { BackendState } from "#ports/model-backend";
import type { Outcome, RunLease } from "#ports/run-queue";
import { toJson } from "./checkpoint.ts";
import { type ConversationHead, readHead, untitle, withoutMemory } from "./conversation-head.ts";
import type { RunEnvironment } from "./environment.ts";
import { type Note, type PendingLook, pendingLooks, withoutAnswer } from "./late-looks.ts";
import { names } from "./names.ts";
import { type PageRef, pageLists, type StoredPage, withoutMessage } from "./thread-pages.ts";

/** What becomes of a page: it stays, it goes, or another takes its place. */
type Fate = "keep" | "delete" | StoredPage;

/** Pages looked at in one step. */
const stepSize = 100;

/** Really deletes a conversation: messages, answers, runs, files, and what the model's service keeps. */
export function forgetConversation(lease: RunLease, environment: RunEnvironment): Promise<Outcome> {
  return forget(lease, environment, {
    fateOf: () => "delete",
    forgetsReply: () => true,
    isOldFile: () => true,
  });
}

/**
 * Deletes what one person said in a conversation, with the answers only they asked for; what others
 * said stays.
 */
export function forgetPerson(
  lease: RunLease,
  environment: RunEnvironment,
  personKey: string,
): Promise<Outcome> {
  return forget(lease, environment, {
    fateOf: (page) => (page ? withoutPerson(page, personKey) : "delete"),
    forgetsReply: ({ to }) => to.asker.key === personKey,
    isOldFile: () => false,
    personKey,
  });
}

/** Deletes what is older than a time; the conversation goes on. */
export function forgetOlder(
  lease: RunLease,
  environment: RunEnvironment,
  beforeMs: number,
): Promise<Outcome> {
  return forget(lease, environment, {
    fateOf: (_page, ref) => (ref.atMs < beforeMs ? "delete" : "keep"),
    forgetsReply: ({ sinceMs }) => sinceMs < beforeMs,
    isOldFile: (createdAt) => createdAt * 1000 < beforeMs,
  });
}

function withoutPerson(page: StoredPage, personKey: string): Fate {
  const theirs = page.input.filter(({ author }) => author.key === personKey);
  if (theirs.length > 0 && theirs.length === page.input.length) return "delete";
  const left = theirs.reduce((rest, { eventId }) => withoutMessage(rest, eventId), page);
  return withoutAnswers(left, personKey) ?? (theirs.length === 0 ? "keep" : left);
}

/** What they answered to somebody else's form; undefined where they answered none. */
function withoutAnswers(page: StoredPage, personKey: string): StoredPage | undefined {
  const isTheirs = (entry: StoredPage["entries"][number]) =>
    entry.type === "tool-output" && entry.personKeys?.includes(personKey) === true;
  if (!page.entries.some(isTheirs)) return undefined;
  const entries = page.entries.map((entry) =>
    isTheirs(entry) ? { ...entry, output: deletedAnswers } : entry,
  );
  return { ...page, entries };
}

const deletedAnswers = "What was answered here was deleted.";

/** The calls of a page whose answers were deleted. */
function callsWithoutAnswers({ entries }: StoredPage): ReadonlySet<string> {
  return new Set(
    entries.flatMap((entry) =>
      entry.type === "tool-output" && entry.output === deletedAnswers ? [entry.callId] : [],
    ),
  );
}

interface Forgetting {
  /** Without a page, of a run whose answer was removed. */
  readonly fateOf: (page: StoredPage | undefined, ref: PageRef) => Fate;
  /** Whether a reply goes that has no page: its answer was removed, or another took its place. */
  readonly forgetsReply: (note: Note) => boolean;
  /** Whether a file goes by its age (Unix seconds), whatever page it belongs to. */
  readonly isOldFile: (createdAt: number) => boolean;
  /** The person who leaves the conversation. */
  readonly personKey?: string;
}

/** What is collected while the threads are walked. */
interface Harvest {
  readonly registers: { name: string; value: Json }[];
  readonly ranks: { ranking: string; member: string; score: number | null }[];
  readonly replaces: { list: string; position: number; value: Json }[];
  readonly removes: string[];
  readonly fileIds: Set<string>;
  /** Whether what a run with a page showed goes, by run. */
  readonly repliesGone: Map<string, boolean>;
  keptPages: number;
}

/**
 * Records go first and names last, so that a crash in between leaves nothing that cannot be found
 * and deleted again: the control item stays in line until the names are gone.
 */
async function forget(
  lease: RunLease,
  environment: RunEnvironment,
  forgetting: Forgetting,
): Promise<Outcome> {
  const { ledger, log } = environment;
  const { conversationKey } = lease;
  const head = await readHead(ledger, conversationKey);
  const harvest: Harvest = {
    registers: [],
    ranks: [],
    replaces: [],
    removes: [],
    fileIds: new Set(),
    repliesGone: new Map(),
    keptPages: 0,
  };
  // Before anything goes: what somebody puts right meanwhile is removed by a later look.
  const looks = await pendingLooks(conversationKey, ledger);
  for (const threadId of await threadsOf(conversationKey, head, environment)) {
    for (const list of pageLists(threadId)) {
      const isReplaced = list === names.replacedPages(threadId);
      await forgetPages({ list, isReplaced }, lease, environment, { forgetting, harvest });
    }
  }
  forgetLooks(looks, forgetting, harvest);
  const all = await ledger.ranked(names.files(conversationKey), { limit: 100_000 });
  for (const { member, score } of all) {
    if (forgetting.isOldFile(score)) harvest.fileIds.add(member);
  }
  for (const fileId of harvest.fileIds) {
    await deleteFile(fileId, environment);
    harvest.ranks.push(...fileRanks(conversationKey, fileId));
  }
  const left = await ledger.items(names.left(conversationKey), { limit: 100_000 });
  const states = [head?.state, ...left.map(({ value }) => value as unknown as BackendState)];
  for (const state of states) if (state) await forgetRemote(state, environment);
  harvest.removes.push(names.left(conversationKey), names.missed(conversationKey));
  if (forgetting.personKey !== undefined) {
    const ranking = names.conversationsOf(forgetting.personKey);
    harvest.ranks.push({ ranking, member: conversationKey, score: null });
  }
  if (harvest.keptPages > 0) {
    if (head) {
      const value = toJson(withoutMemory(head));
      harvest.registers.push({ name: names.head(conversationKey), value });
    }
    await untitle(await threadsOf(conversationKey, head, environment), environment.records);
  } else {
    await forgetNames(conversationKey, head, environment, harvest);
  }
  log.info(
    { conversation: conversationKey, action: "forget", kept: harvest.keptPages },
    "forgotten",
  );
  const { registers, ranks, replaces, removes } = harvest;
  return {
    type: "done",
    change: { registers, ranks, replaces, removes },
    forgetsSetAside: true,
  };
}

/** The messages of a page that was replaced, and their files, are those of the one in its place. */
async function forgetPages(
  { list, isReplaced }: { readonly list: string; readonly isReplaced: boolean },
  lease: RunLease,
  environment: RunEnvironment,
  { forgetting, harvest }: { forgetting: Forgetting; harvest: Harvest },
): Promise<void> {
  const { ledger, records } = environment;
  let after: number | undefined;
  for (;;) {
    const items = await ledger.items(list, {
      limit: stepSize,
      ...(after === undefined ? {} : { after }),
    });
    for (const { position, value } of items) {
      const ref = value as unknown as PageRef;
      const stored = (await records.read(ref.page)) as unknown as StoredPage | undefined;
      const fate = forgetting.fateOf(stored, ref);
      const page = stored && isReplaced && fate === "delete" ? withoutInput(stored) : stored;
      harvest.repliesGone.set(ref.runId, isReplyGone(fate));
      if (page && fate !== "keep") await forgetShown(page, fate, ref, environment);
      if (fate === "keep") harvest.keptPages += 1;
      else if (fate === "delete") await deletePage({ list, position, ref, page }, records, harvest);
      else await replacePage({ list, position, ref, page: fate }, lease, { records, harvest });
      if (fate === "keep" || !page) continue;
      collectFiles(page, fate, forgetting, harvest);
    }
    after = items.at(-1)?.position;
    if (items.length < stepSize) return;
  }
}

function withoutInput(page: StoredPage): StoredPage {
  return { ...page, input: [], entries: page.entries.filter(({ type }) => type !== "user") };
}

/** Where the chat itself is in our stores (the console), what was shown of it goes, too. */
async function forgetShown(
  page: StoredPage,
  fate: Fate,
  ref: PageRef,
  { platforms }: RunEnvironment,
): Promise<void> {
  const kept = typeof fate === "object" ? fate.input.map(({ eventId }) => eventId) : [];
  const gone = page.input.filter(({ eventId }) => !kept.includes(eventId));
  const [first] = page.input;
  if (!first) return;
  await platforms.get(first.place.platform)?.forget?.({
    eventIds: gone.map(({ eventId }) => eventId),
    runIds: isReplyGone(fate) ? [ref.runId] : [],
  });
}

/** With a page goes what was shown of it, and also where that holds answers that were deleted. */
function isReplyGone(fate: Fate): boolean {
  return fate === "delete" || (typeof fate === "object" && callsWithoutAnswers(fate).size > 0);
}

async function deletePage(
  {
    list,
    position,
    ref,
    page,
  }: { list: string; position: number; ref: PageRef; page: StoredPage | undefined },
  records: RunEnvironment["records"],
  harvest: Harvest,
): Promise<void> {
  await records.remove(ref.page);
  await records.remove(ref.run);
  harvest.replaces.push({ list, position, value: null });
  harvest.registers.push({ name: names.run(ref.runId), value: null });
  for (const { eventId, author } of page?.input ?? []) {
    harvest.registers.push({ name: names.answered(eventId), value: null });
    harvest.registers.push({ name: names.feedback(ref.runId, author.key), value: null });
  }
}

async function replacePage(
  { list, position, ref, page }: { list: string; position: number; ref: PageRef; page: StoredPage },
  lease: RunLease,
  { records, harvest }: { records: RunEnvironment["records"]; harvest: Harvest },
): Promise<void> {
  const key = names.record.page(ref.runId, lease.epoch);
  await records.write(key, toJson(page));
  if (key !== ref.page) await records.remove(ref.page);
  const calls = callsWithoutAnswers(page);
  const run =
    calls.size > 0 ? ((await records.read(ref.run)) as unknown as Run | undefined) : undefined;
  if (run) {
    const steps = run.steps.map((step) =>
      calls.has(step.id) ? { ...step, output: deletedAnswers } : step,
    );
    await records.write(ref.run, toJson({ ...run, steps }));
  }
  harvest.replaces.push({ list, position, value: toJson({ ...ref, page: key }) });
  harvest.keptPages += 1;
}

/** The files of what goes: all of a deleted page's, only their own of a person who leaves. */
function collectFiles(
  page: StoredPage,
  fate: Fate,
  { personKey }: Forgetting,
  harvest: Harvest,
): void {
  for (const entry of page.entries) {
    if (!("fileIds" in entry)) continue;
    const isTheirs = entry.type === "user" && entry.personKey === personKey;
    if (fate !== "delete" && !isTheirs) continue;
    for (const id of entry.fileIds) harvest.fileIds.add(id);
  }
}

/** What is to be looked at again of a reply that goes keeps none of its words. */
function forgetLooks(
  looks: readonly PendingLook[],
  { forgetsReply }: Forgetting,
  harvest: Harvest,
): void {
  for (const look of looks) {
    const isGone = harvest.repliesGone.get(look.note.to.runId) ?? forgetsReply(look.note);
    if (!isGone) continue;
    const { register, rank } = withoutAnswer(look);
    harvest.registers.push(register);
    harvest.ranks.push(rank);
  }
}

/** Nothing is left of the conversation: neither is anything that names it. */
async function forgetNames(
  conversationKey: string,
  head: ConversationHead | undefined,
  { ledger, records }: RunEnvironment,
  harvest: Harvest,
): Promise<void> {
  harvest.registers.push(
    { name: names.head(conversationKey), value: null },
    { name: names.atHand(conversationKey), value: null },
    { name: names.handedOver(conversationKey), value: null },
  );
  for (const threadId of await threadsOf(conversationKey, head, { ledger })) {
    await records.remove(names.record.thread(threadId));
    harvest.removes.push(...pageLists(threadId));
  }
  harvest.removes.push(names.threads(conversationKey), names.files(conversationKey));
  const rankings = await ledger.ranked(names.peopleIn(conversationKey), { limit: 100_000 });
  for (const { member } of rankings) {
    const ranking = names.conversationsOf(member);
    harvest.ranks.push({ ranking, member: conversationKey, score: null });
  }
  harvest.removes.push(names.peopleIn(conversationKey));
  harvest.ranks.push({ ranking: names.conversationsByAge, member: conversationKey, score: null });
  if (head) {
    const ranking = names.conversationsIn(head.place.channelKey);
    harvest.ranks.push({ ranking, member: conversationKey, score: null });
  }
}

/** Whether a conversation holds something older than a time, in any of its threads. */
export async function holdsOlder(
  conversationKey: string,
  head: ConversationHead,
  { ledger, beforeMs }: Pick<RunEnvironment, "ledger"> & { readonly beforeMs: number },
): Promise<boolean> {
  if (head.updatedAtMs < beforeMs) return true;
  for (const threadId of await threadsOf(conversationKey, head, { ledger })) {
    for (const list of pageLists(threadId)) {
      const [oldest] = await ledger.items(list, { limit: 1 });
      if (oldest && (oldest.value as unknown as PageRef).atMs < beforeMs) return true;
    }
  }
  return false;
}

async function threadsOf(
  conversationKey: string,
  head: ConversationHead | undefined,
  { ledger }: Pick<RunEnvironment, "ledger">,
): Promise<ReadonlySet<string>> {
  const listed = await ledger.items(names.threads(conversationKey), { limit: 100_000 });
  const ids = new Set(listed.map(({ value }) => String(value)));
  if (head) ids.add(head.threadId);
  return ids;
}

/** Deletes a file's bytes, its description, and what the search knows of it. */
export async function deleteFile(
  fileId: string,
  { files, records, fileIndex }: Pick<RunEnvironment, "files" | "records" | "fileIndex">,
): Promise<void> {
  await fileIndex?.remove(fileId);
  await files.remove(fileId);
  await records.remove(names.record.file(fileId));
}

/** A file leaves the rankings it stands in. */
export function fileRanks(conversationKey: string, fileId: string) {
  return [names.files(conversationKey), names.filesByAge].map((ranking) => ({
    ranking,
    member: fileId,
    score: null,
  }));
}

/** What the service keeps is deleted as far as it lets us; a failure is logged, never fatal. */
async function forgetRemote(state: BackendState, { backend, log }: RunEnvironment): Promise<void> {
  if (state.backend !== backend.name) return;
  try {
    await backend.forget(state);
  } catch (error) {
    log.warn({ backend: backend.name, err: error }, "remote state not deleted");
  }
}
