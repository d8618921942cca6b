import type { Json } from "#domain/json";
import { emptyView, type ReplyView } from "#domain/reply-view";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { EndedReply, Platform, ReplyTarget } from "#ports/platform";
import type { Processes } from "#ports/processes";
import { LeaseLost, type Outcome } from "#ports/run-queue";
import { toJson } from "./checkpoint.ts";
import type { LeftReply, RunJournal } from "./journal.ts";
import { names } from "./names.ts";
import type { RunWork } from "./run-work.ts";

/** How often it is looked whether something is due. */
const everyMs = 5_000;
/** So long one process has a reply to itself. */
const claimedForMs = 60_000;
const againAfterMs = 30_000;
const mostTries = 10;
const dueAtOnce = 20;

/** What is kept of an ended run until its reply has been looked at again. */
export interface Note {
  readonly v: 1;
  readonly platform: string;
  readonly to: ReplyTarget;
  readonly view: ReplyView;
  readonly left: LeftReply;
  readonly sinceMs: number;
  readonly tries: number;
}

/**
 * Has a reply looked at once more when its run was taken over from somebody who may have sent something
 * that comes late: a note is kept in the same step as the run's end. One that waits for a person is
 * begun again by then, and draws itself anew.
 */
export function lookAgainLater(
  outcome: Outcome,
  run: { readonly work: RunWork; readonly journal: RunJournal; readonly nowMs: number },
): Outcome {
  const { work, journal, nowMs } = run;
  const { lateUntilMs } = work.lease;
  if (lateUntilMs === undefined) return outcome;
  switch (outcome.type) {
    case "retry":
    case "failed":
      // What was given up may have brought processes down: it is not touched again.
      return outcome;
    case "parked":
      if (lateUntilMs <= nowMs) return outcome;
      return { ...outcome, untilMs: Math.min(outcome.untilMs, lateUntilMs) };
    case "done": {
      const { task, view, state } = work;
      const note: Note = {
        v: 1,
        platform: task.place.platform,
        to: work.replyTarget,
        view: view.removed ? withoutWords(view) : view,
        left: journal.left(),
        sinceMs: state.createdAtMs,
        tries: 0,
      };
      const dueMs = Math.max(nowMs, lateUntilMs);
      const { registers = [], ranks = [] } = outcome.change;
      const kept = { register: toRegister(note), rank: toRank(note, dueMs) };
      const change = {
        ...outcome.change,
        registers: [...registers, kept.register],
        ranks: [...ranks, kept.rank],
      };
      return { ...outcome, change };
    }
  }
}

/** A reply of a conversation that is still to be looked at. */
export interface PendingLook {
  readonly note: Note;
  readonly dueMs: number;
}

/** The replies of a conversation that are still to be looked at. */
export async function pendingLooks(
  conversationKey: string,
  ledger: Ledger,
): Promise<readonly PendingLook[]> {
  const found = await ledger.names(names.lateLook(lookId(conversationKey, "")), { limit: 100_000 });
  if (found.length === 0) return [];
  const all = await ledger.ranked(names.lateLooks, { limit: 100_000 });
  const dueMs = new Map(all.map(({ member, score }) => [names.lateLook(member), score]));
  const looks: PendingLook[] = [];
  for (const name of found) {
    const note = toNote((await ledger.read(name))?.value);
    // The keys of two conversations may begin alike.
    if (note?.to.conversationKey !== conversationKey) continue;
    looks.push({ note, dueMs: dueMs.get(name) ?? 0 });
  }
  return looks;
}

/**
 * Forgets what a reply said that is still to be looked at. It is looked at all the same: what comes late
 * where the chat is in our own stores is removed again, and nothing is put right.
 */
export function withoutAnswer({ note, dueMs }: PendingLook) {
  const forgotten: Note = { ...note, view: withoutWords(note.view) };
  return { register: toRegister(forgotten), rank: toRank(forgotten, dueMs) };
}

/** A reply that is gone, with nothing of what it said. */
function withoutWords({ runId, revision }: ReplyView): ReplyView {
  return { ...emptyView(runId), revision, removed: true };
}

function lookId(conversationKey: string, runId: string): string {
  return `${conversationKey}/${runId}`;
}

function idOf({ to }: Note): string {
  return lookId(to.conversationKey, to.runId);
}

function toRegister(note: Note) {
  return { name: names.lateLook(idOf(note)), value: toJson(note) };
}

function toRank(note: Note, dueMs: number) {
  return { ranking: names.lateLooks, member: idOf(note), score: dueMs };
}

/** Looks at replies again that are due, whichever process ended them: one reply at a time. */
export class LateLooks {
  readonly #parts: {
    readonly ledger: Ledger;
    readonly platforms: ReadonlyMap<string, Platform>;
    readonly processes: Processes;
    readonly log: Log;
    readonly now: () => number;
  };
  #timer: NodeJS.Timeout | undefined;
  #isAtWork = false;
  #isStopped = false;

  constructor(parts: {
    readonly ledger: Ledger;
    readonly platforms: ReadonlyMap<string, Platform>;
    readonly processes: Processes;
    readonly log: Log;
    readonly now: () => number;
  }) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => this.lookAtDue(), everyMs);
    this.#timer.unref();
  }

  /** Nothing more is begun; what is left undone another process does. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** Looks at what is due now. Never rejects: what could not be done comes again. */
  async lookAtDue(): Promise<void> {
    if (this.#isAtWork) return;
    this.#isAtWork = true;
    const { ledger, processes, log, now } = this.#parts;
    try {
      const due = await ledger.ranked(names.lateLooks, { to: now(), limit: dueAtOnce });
      for (const { member } of due) {
        if (this.#isStopped) return;
        if (await processes.claim(names.lateLook(member), claimedForMs)) await this.#look(member);
      }
    } catch (error) {
      log.debug({ err: error }, "late looks put off");
    } finally {
      this.#isAtWork = false;
    }
  }

  /** Its conversation may be forgotten meanwhile: then the note is another one, and is looked at in its turn. */
  async #look(id: string): Promise<void> {
    const { ledger, platforms, log, now } = this.#parts;
    const name = names.lateLook(id);
    const register = await ledger.read(name);
    const note = toNote(register?.value);
    const ifVersion = register?.version ?? 0;
    const platform = platforms.get(note?.platform ?? "");
    try {
      if (note && platform?.canShow?.() === false) {
        const rank = { ranking: names.lateLooks, member: id, score: now() + againAfterMs };
        await ledger.apply({
          registers: [{ name, value: toJson(note), ifVersion }],
          ranks: [rank],
        });
        return;
      }
      if (note) await platform?.lookAgain?.(toEnded(note));
    } catch (error) {
      if (note && note.tries < mostTries) {
        const value = toJson({ ...note, tries: note.tries + 1 });
        const rank = { ranking: names.lateLooks, member: id, score: now() + againAfterMs };
        await ledger.apply({ registers: [{ name, value, ifVersion }], ranks: [rank] });
        return;
      }
      log.warn(
        { run: note?.to.runId, platform: note?.platform, err: error },
        "reply not looked at again",
      );
    }
    await ledger.apply({
      registers: [{ name, value: null, ifVersion }],
      ranks: [{ ranking: names.lateLooks, member: id, score: null }],
    });
  }
}

function toNote(value: Json | undefined): Note | undefined {
  return value === undefined || value === null ? undefined : (value as unknown as Note);
}

function toEnded({ to, view, left, sinceMs }: Note): EndedReply {
  const { segments, inherited, intentPrefix } = left;
  return {
    to,
    view,
    journal: {
      saved: segments,
      doubtful: [],
      intentId: (index, revision) =>
        `${intentPrefix}${index.toString(36)}.${revision.toString(36)}`,
      // Nothing new may appear: nobody would know of it.
      before: async () => {
        throw new LeaseLost(to.conversationKey);
      },
      after: async () => undefined,
      drop: async () => undefined,
      assertOwner: async () => undefined,
    },
    inherited: new Set(inherited),
    isOwnIntent: (intentId) => intentId.startsWith(intentPrefix),
    sinceMs,
  };
}
