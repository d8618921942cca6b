import type { Json } from "#domain/json";
import type { LedgerChange } from "#ports/ledger";
import {
  type AcceptResult,
  type Amendment,
  type AmendResult,
  type InboxItem,
  LeaseLost,
  type NewControl,
  type NewMessage,
  type QueueState,
  type Selection,
} from "#ports/run-queue";
import type { News } from "./bulletin.ts";
import type { RedisDatabase } from "./database.ts";
import { toScript } from "./ledger.ts";
import { toList, toText, toTexts } from "./replies.ts";

/** What a lease begins with. */
export interface BegunRun {
  readonly type: "begun";
  readonly epoch: string;
  readonly attempt: number;
  readonly items: readonly InboxItem[];
  readonly controls: readonly InboxItem[];
  readonly checkpoint: Json | undefined;
  readonly journal: Json | undefined;
  readonly stopRequested: boolean;
  readonly storeLostAtMs: number | undefined;
  readonly takenOverAtMs: number | undefined;
}

type Beginning =
  | BegunRun
  /** The conversation's policy has to choose among these. */
  | { readonly type: "choose"; readonly waiting: readonly InboxItem[] }
  /** Nothing is to be done now; a later look at it is noted. */
  | { readonly type: "nothing" };

/** Who is at work on a conversation. */
export interface Holder {
  readonly conversationKey: string;
  readonly epoch: string;
  readonly lock: JobLock;
}

/** What Redis says to somebody who is at work on a conversation. */
export interface Held {
  /** A stop was asked for. */
  readonly isToStop: boolean;
  /** It was not held for a while: somebody else may be on the way to it. */
  readonly hasLapsed: boolean;
}

/** The lock by which BullMQ knows who holds a job. */
export interface JobLock {
  readonly key: string;
  readonly token: string;
  readonly ms: number;
}

/**
 * How a run that is not over waits: parked until a time, or tried again after one. After a `crash` its
 * attempt counts; `cut-off`: it could not go on, which is not its fault, and what it was given comes again.
 */
export type Pause = {
  readonly checkpoint: Json | undefined;
  readonly ending: "polite" | "cut-off" | "crash";
} & (
  | { readonly state: "parked"; readonly dueMs: number }
  | { readonly state: "retry"; readonly afterMs: number }
);

/** What is to be done once a run has ended or waits. */
export interface Settled {
  /** There is more to do in the conversation now. */
  readonly hasMore: boolean;
  /** Others were held back because of it. */
  readonly hasReleased: boolean;
  readonly dueInMs?: number;
}

/**
 * The line of every conversation as it stands in Redis: each method is one atomic step of its life
 * (`lua/inbox.lua`), which tells the other processes of a line that came or went on. It knows no workers: those are the queue's.
 */
export class Inbox {
  readonly #database: RedisDatabase;
  readonly #locks: string;
  readonly #news: (conversationKey: string) => News;

  /** `locks`: what the names of BullMQ's locks begin with. `news`: what is told of a line that changed. */
  constructor(database: RedisDatabase, locks: string, news: (conversationKey: string) => News) {
    this.#database = database;
    this.#locks = locks;
    this.#news = news;
  }

  async accept(
    message: NewMessage,
  ): Promise<{ readonly result: AcceptResult; readonly isWakeNeeded: boolean }> {
    const [status, position, wakes] = await this.#run("accept", [
      ...this.#news(message.conversationKey),
      message.eventId,
      message.conversationKey,
      message.personKey,
      JSON.stringify(message.payload),
      message.detail,
      message.bounds.waitingPerConversation,
      message.bounds.perPersonPerMinute,
    ]);
    return {
      result: { status: String(status) as AcceptResult["status"], position: Number(position) },
      isWakeNeeded: wakes === 1,
    };
  }

  async control(
    control: NewControl,
  ): Promise<{ readonly result: "accepted" | "duplicate"; readonly isWakeNeeded: boolean }> {
    const [result, wakes] = await this.#run("control", [
      ...this.#news(control.conversationKey),
      control.eventId,
      control.conversationKey,
      JSON.stringify(control.payload),
      control.to,
    ]);
    return {
      result: result === "accepted" ? "accepted" : "duplicate",
      isWakeNeeded: wakes === 1,
    };
  }

  /** `item` is the changed one when a run has taken it. */
  async amend({ eventId, changeId, change }: Amendment): Promise<{
    readonly result: AmendResult;
    readonly item: InboxItem | undefined;
  }> {
    const [state, conversationKey, items] = await this.#run("amend", [
      eventId,
      changeId,
      change.type,
      change.type === "edited" ? JSON.stringify(change.payload) : "",
      JSON.stringify(change),
    ]);
    return {
      result: {
        state: String(state) as AmendResult["state"],
        ...(conversationKey ? { conversationKey: String(conversationKey) } : {}),
      },
      item: toItems(items)[0],
    };
  }

  async cancel(
    conversationKey: string,
    what: "current" | "queued" | "all",
  ): Promise<{
    readonly current: boolean;
    readonly queued: readonly string[];
    readonly isWakeNeeded: boolean;
  }> {
    const [current, wakes, queued] = await this.#run("cancel", [conversationKey, what]);
    return { current: current === 1, queued: toTexts(queued), isWakeNeeded: wakes === 1 };
  }

  /**
   * Gives the conversation's next lease to a job: the run at hand again, or the next run of its line.
   * `owner` is told by no other lease, and the same when the answer was lost and this is asked again.
   */
  async begin(options: {
    readonly conversationKey: string;
    readonly owner: string;
    readonly jobId: string;
    readonly select: (waiting: readonly InboxItem[]) => Selection;
  }): Promise<BegunRun | undefined> {
    const { conversationKey, owner, jobId, select } = options;
    const job = [...this.#news(conversationKey), conversationKey, owner, jobId, this.#locks];
    const begin = async (chosen: string) => toBeginning(await this.#run("begin", [...job, chosen]));
    const first = await begin("");
    const beginning =
      first.type === "choose" ? await begin(JSON.stringify(select(first.waiting))) : first;
    return beginning.type === "begun" ? beginning : undefined;
  }

  /** Holding is renewed with it, as with everything that is saved. */
  assert(holder: Holder): Promise<Held> {
    return this.#held("assert", holder, []);
  }

  save(holder: Holder, checkpoint: Json, change: LedgerChange | undefined): Promise<Held> {
    return this.#held("save", holder, [JSON.stringify(checkpoint), toScript(change)]);
  }

  saveJournal(holder: Holder, journal: Json): Promise<Held> {
    return this.#held("saveJournal", holder, [JSON.stringify(journal)]);
  }

  pause(holder: Holder, pause: Pause): Promise<Settled> {
    const { state, checkpoint, ending } = pause;
    return this.#settle("pause", holder, [
      state,
      pause.state === "parked" ? pause.dueMs : "",
      pause.state === "retry" ? pause.afterMs : "",
      checkpoint === undefined ? "" : JSON.stringify(checkpoint),
      ending,
    ]);
  }

  /** Ends the run at hand; with a code, what it took is set aside. */
  finish(
    holder: Holder,
    ending: {
      readonly change: LedgerChange;
      readonly code?: string;
      readonly forgetsSetAside?: boolean;
    },
  ): Promise<Settled> {
    const { change, code = "", forgetsSetAside = false } = ending;
    return this.#settle("finish", holder, [toScript(change), code, forgetsSetAside ? 1 : 0]);
  }

  /** Conversations somebody has to look at now; they come again when nobody does. */
  async sweep(limit: number): Promise<readonly string[]> {
    return toTexts(await this.#run("sweep", [this.#locks, limit]));
  }

  async inspect(conversationKey = ""): Promise<QueueState> {
    const [nowMs, rows, running, parked] = await this.#run("inspect", [conversationKey]);
    const waiting = toList(rows).map((row) => {
      const [eventId = "", key = "", personKey = "", atMs] = toTexts(row);
      return { eventId, conversationKey: key, personKey, acceptedAtMs: Number(atMs) };
    });
    const oldest = waiting.reduce(
      (least, { acceptedAtMs }) => Math.min(least, acceptedAtMs),
      Number(nowMs),
    );
    return {
      waiting,
      running: Number(running),
      parked: Number(parked),
      oldestMs: Number(nowMs) - oldest,
    };
  }

  async prune(limits: {
    readonly eventsBeforeMs: number;
    readonly setAsideBeforeMs: number;
    /** So many of the oldest were found to be in line still. */
    readonly passedOver: number;
    readonly limit: number;
  }): Promise<{ readonly forgotten: number; readonly kept: number }> {
    const [forgotten, kept] = await this.#run("prune", [
      limits.eventsBeforeMs,
      limits.setAsideBeforeMs,
      limits.passedOver,
      limits.limit,
    ]);
    return { forgotten: Number(forgotten), kept: Number(kept) };
  }

  async #run(operation: string, args: readonly (string | number)[]): Promise<readonly unknown[]> {
    return toList(await this.#database.run(operation, args.map(String)));
  }

  async #held(
    operation: string,
    { conversationKey, epoch, lock }: Holder,
    args: readonly string[],
  ): Promise<Held> {
    const all = [conversationKey, epoch, lock.key, lock.token, String(lock.ms), ...args];
    const words = new Set(String(await this.#database.run(operation, all)).split(" "));
    if (words.has("lost")) throw new LeaseLost(conversationKey);
    return { isToStop: words.has("stop"), hasLapsed: words.has("lapsed") };
  }

  async #settle(
    operation: string,
    { conversationKey, epoch }: Holder,
    args: readonly (string | number)[],
  ): Promise<Settled> {
    const all = [...this.#news(conversationKey), conversationKey, epoch, ...args];
    const reply = await this.#run(operation, all);
    const [more, released, dueInMs] = reply;
    if (more === "lost") throw new LeaseLost(conversationKey);
    return {
      hasMore: more === 1,
      hasReleased: Number(released) > 0,
      ...(dueInMs === "" ? {} : { dueInMs: Number(dueInMs) }),
    };
  }
}

function toBeginning(reply: readonly unknown[]): Beginning {
  const [type, ...rest] = reply;
  if (type === "choose") return { type, waiting: toItems(rest[0]) };
  if (type !== "begun") return { type: "nothing" };
  const [epoch, attempt, stop, checkpoint, journal, items, controls, lostAt, takenOverAt] = rest;
  return {
    type,
    epoch: String(epoch),
    attempt: Number(attempt),
    stopRequested: stop === 1,
    checkpoint: toNote(checkpoint),
    journal: toNote(journal),
    items: toItems(items),
    controls: toItems(controls),
    storeLostAtMs: toTime(lostAt),
    takenOverAtMs: toTime(takenOverAt),
  };
}

function toTime(reply: unknown): number | undefined {
  return toText(reply) === undefined ? undefined : Number(reply);
}

function toNote(reply: unknown): Json | undefined {
  const text = toText(reply);
  return text === undefined ? undefined : JSON.parse(text);
}

function toItems(reply: unknown): InboxItem[] {
  return toList(reply).map((row) => {
    const [eventId, kind, personKey, payload, atMs, amendment] = toList(row).map(toText);
    return {
      eventId: eventId ?? "",
      kind: kind === "control" ? "control" : "message",
      personKey: personKey ?? "",
      payload: JSON.parse(payload ?? "null"),
      acceptedAtMs: Number(atMs),
      ...(amendment === undefined ? {} : { amendment: JSON.parse(amendment) }),
    };
  });
}
