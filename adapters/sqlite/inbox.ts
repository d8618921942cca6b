import type { StatementResultingChanges } from "node:sqlite";
import type { Json } from "#domain/json";
import type { LedgerChange } from "#ports/ledger";
import type { Retention } from "#ports/retention";
import type {
  AcceptResult,
  Amendment,
  AmendResult,
  InboxItem,
  NewControl,
  NewMessage,
  QueueState,
  Selection,
} from "#ports/run-queue";
import { LeaseLost } from "#ports/run-queue";
import type { Database } from "./database.ts";
import { applyChange } from "./ledger.ts";

/** What a lease begins with. */
export interface BegunRun {
  readonly type: "begun";
  readonly attempt: number;
  readonly items: readonly InboxItem[];
  readonly controls: readonly InboxItem[];
  readonly checkpoint: Json | undefined;
  readonly journal: Json | undefined;
  readonly stopRequested: boolean;
}

/** What came of trying to begin a conversation's next run. */
export type Beginning =
  | BegunRun
  /** Nothing is to be done now; a run at hand wakes at `dueMs`. */
  | { readonly type: "nothing"; readonly dueMs: number | undefined }
  /** The run at hand has crashed often, and another such run is at work. */
  | { readonly type: "held" };

/** How a run that is not over waits for its next lease. */
export interface Pause {
  readonly state: "parked" | "retry";
  readonly dueMs: number;
  /** Undefined: what was saved last stays. */
  readonly checkpoint: Json | undefined;
  /** False: the attempt ended without a word and stays counted. */
  readonly isPolite: boolean;
}

/** From this many attempts that ended without a word on, runs go one at a time. */
export const suspectAttempts = 2;

/**
 * The line of every conversation, as it stands in the data file: each method is one step of its
 * life, synchronous, to be called inside {@link Database.write}. It knows no time and no workers:
 * those are the queue's.
 */
export class Inbox {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** A number that rises with every call, for good. */
  nextBoot(): number {
    const row = this.#sql(
      `insert into numbers (name, value) values ('boot', 1)
       on conflict do update set value = value + 1 returning value`,
    ).get();
    return Number(row?.value);
  }

  accept(message: NewMessage, nowMs: number, isTooFast: () => boolean): AcceptResult {
    const { conversationKey, bounds } = message;
    if (!this.#see(message, nowMs)) {
      this.#complete(message);
      return { status: "duplicate" };
    }
    const waiting = this.#waitingIn(conversationKey);
    const isFull = waiting >= bounds.waitingPerConversation;
    if (isFull || isTooFast()) {
      this.#sql("delete from seen where event_id = ?").run(message.eventId);
      return { status: isFull ? "conversation-full" : "person-too-fast" };
    }
    this.#append(message, { kind: "message", state: "waiting", nowMs });
    return {
      status: "accepted",
      position: waiting + (this.#hasRun(conversationKey) ? 1 : 0),
    };
  }

  control(control: NewControl, nowMs: number): "accepted" | "duplicate" {
    if (!this.#see(control, nowMs)) return "duplicate";
    if (control.to === "run" && !this.#hasRun(control.conversationKey)) return "accepted";
    const state = control.to === "run" ? "pending" : "next";
    this.#append({ ...control, personKey: "", detail: 0 }, { kind: "control", state, nowMs });
    return "accepted";
  }

  /** `item` is the changed one when a run has taken it. */
  amend(
    amendment: Amendment,
    nowMs: number,
  ): { readonly result: AmendResult; readonly item?: InboxItem } {
    const answered = this.#sql(
      "select state, conversation_key from changes where change_id = ?",
    ).get(amendment.changeId);
    if (answered) {
      return { result: amendResult(String(answered.state), answered.conversation_key) };
    }
    const row = this.#sql(
      "select * from items where event_id = ? and state in ('waiting', 'taken')",
    ).get(amendment.eventId);
    const { result, item } = row
      ? this.#amendInLine(amendment, row)
      : { result: this.#amendOutOfLine(amendment, nowMs) };
    if (result.state !== "unknown" || amendment.change.type === "deleted") {
      this.#sql(
        "insert into changes (change_id, state, conversation_key, at_ms) values (?, ?, ?, ?)",
      ).run(amendment.changeId, result.state, result.conversationKey ?? null, nowMs);
    }
    return item ? { result, item } : { result };
  }

  /** Durably asks the run at hand to stop, and wakes it once; false when there is none. */
  requestStop(conversationKey: string): boolean {
    const { changes } = this.#sql(
      "update runs set stop_requested = 1 where conversation_key = ?",
    ).run(conversationKey);
    return changes > 0;
  }

  removeWaiting(conversationKey: string): readonly string[] {
    const removed = this.#sql(
      `delete from items where conversation_key = ? and state = 'waiting'
       returning event_id, sequence`,
    ).all(conversationKey);
    return removed
      .sort((a, b) => Number(a.sequence) - Number(b.sequence))
      .map((row) => String(row.event_id));
  }

  /**
   * Gives the conversation's next lease: the run at hand again, or the next run of its line.
   * `suspectsMayRun` false holds back runs that have crashed often.
   */
  begin(options: {
    readonly conversationKey: string;
    readonly epoch: string;
    readonly nowMs: number;
    readonly suspectsMayRun: boolean;
    readonly select: (waiting: readonly InboxItem[]) => Selection;
  }): Beginning {
    const { conversationKey, epoch, nowMs } = options;
    const run = this.#sql("select * from runs where conversation_key = ?").get(conversationKey);
    if (!run) return this.#beginNext(options);

    const controls = this.#inState(conversationKey, ["given", "pending"]);
    const stopRequested = run.stop_requested !== 0;
    const dueMs = Number(run.due_ms ?? 0);
    const isWoken = run.stop_requested === 1 || (run.state === "parked" && controls.length > 0);
    if (dueMs > nowMs && !isWoken) return { type: "nothing", dueMs };
    const attempts = Number(run.attempts);
    if (attempts >= suspectAttempts && !options.suspectsMayRun) return { type: "held" };

    this.#sql(
      `update runs set state = 'running', epoch = ?, due_ms = null, attempts = attempts + 1,
         stop_requested = iif(stop_requested = 0, 0, 2)
       where conversation_key = ?`,
    ).run(epoch, conversationKey);
    if (controls.length > 0) {
      this.#sql(
        "update items set state = 'given' where conversation_key = ? and state = 'pending'",
      ).run(conversationKey);
    }
    return {
      type: "begun",
      attempt: attempts + 1,
      items: this.#inState(conversationKey, ["taken"]),
      controls,
      checkpoint: toNote(run.checkpoint),
      journal: toNote(run.journal),
      stopRequested,
    };
  }

  /** Throws {@link LeaseLost} unless this epoch is at work on the conversation. */
  fence({ conversationKey, epoch }: Holder): void {
    const row = this.#sql(`select 1 from runs where ${isHeld}`).get(conversationKey, epoch);
    if (!row) throw new LeaseLost(conversationKey);
  }

  /** Fenced. */
  saveCheckpoint(lease: Holder, checkpoint: Json, change?: LedgerChange): void {
    const update = this.#sql(`update runs set checkpoint = ? where ${isHeld}`);
    onlyIfHeld(lease, update.run(JSON.stringify(checkpoint), lease.conversationKey, lease.epoch));
    if (change) applyChange(this.#database, change);
  }

  /** Fenced. */
  saveJournal(lease: Holder, journal: Json): void {
    const update = this.#sql(`update runs set journal = ? where ${isHeld}`);
    onlyIfHeld(lease, update.run(JSON.stringify(journal), lease.conversationKey, lease.epoch));
  }

  /** Ends the run at hand: its items leave the line. Fenced. True when more waits. */
  finish(lease: Holder, change: LedgerChange): boolean {
    const { conversationKey, epoch } = lease;
    onlyIfHeld(lease, this.#sql(`delete from runs where ${isHeld}`).run(conversationKey, epoch));
    applyChange(this.#database, change);
    this.#sql(
      `delete from items where conversation_key = ? and state in ('taken', 'pending', 'given')`,
    ).run(conversationKey);
    const rest = this.#sql("select 1 from items where conversation_key = ? limit 1");
    return rest.get(conversationKey) !== undefined;
  }

  /** Like {@link Inbox.finish}, but keeps the items and the checkpoint for an admin. */
  setAside(
    lease: Holder,
    failure: { readonly code: string; readonly change: LedgerChange; readonly nowMs: number },
  ): boolean {
    const { conversationKey, epoch } = lease;
    const run = this.#sql(`select checkpoint from runs where ${isHeld}`).get(
      conversationKey,
      epoch,
    );
    if (!run) throw new LeaseLost(conversationKey);
    for (const item of this.#inState(conversationKey, ["taken"])) {
      this.#sql(
        `insert or replace into set_aside (event_id, conversation_key, item, code, checkpoint, at_ms)
         values (?, ?, ?, ?, ?, ?)`,
      ).run(
        item.eventId,
        conversationKey,
        JSON.stringify(item),
        failure.code,
        run.checkpoint ?? null,
        failure.nowMs,
      );
    }
    return this.finish(lease, failure.change);
  }

  /** Fenced. */
  forgetSetAside(lease: Holder): void {
    this.fence(lease);
    this.#sql("delete from set_aside where conversation_key = ?").run(lease.conversationKey);
  }

  /** Lets the run at hand wait. Fenced. True when it is already to be woken. */
  pause(lease: Holder, { state, dueMs, checkpoint, isPolite }: Pause): boolean {
    const { conversationKey, epoch } = lease;
    const update = this.#sql(
      `update runs set state = ?, due_ms = ?, attempts = attempts - ?,
         checkpoint = coalesce(?, checkpoint)
       where ${isHeld}`,
    );
    const saved = checkpoint === undefined ? null : JSON.stringify(checkpoint);
    onlyIfHeld(lease, update.run(state, dueMs, isPolite ? 1 : 0, saved, conversationKey, epoch));
    if (isPolite) {
      this.#sql("delete from items where conversation_key = ? and state = 'given'").run(
        conversationKey,
      );
    }
    const woken = this.#sql(
      `select 1 from runs where conversation_key = ?1 and (stop_requested = 1 or (state = 'parked'
         and exists (select 1 from items where conversation_key = ?1 and state = 'pending')))`,
    ).get(conversationKey);
    return woken !== undefined;
  }

  /** Every conversation that may have something to do, those that were interrupted first. */
  open(nowMs: number): readonly string[] {
    const runs = this.#sql(
      `select conversation_key from runs
       where state = 'running' or due_ms <= ? or stop_requested = 1 or exists (
         select 1 from items
         where items.conversation_key = runs.conversation_key and state = 'pending')
       order by state = 'running' desc, id`,
    ).all(nowMs);
    const waiting = this.#sql(
      `select conversation_key from items where state in ('waiting', 'next')
       group by conversation_key order by min(sequence)`,
    ).all();
    return [...runs, ...waiting].map((row) => String(row.conversation_key));
  }

  /** The paused runs whose time has come. */
  due(nowMs: number): readonly string[] {
    return this.#sql("select conversation_key from runs where due_ms <= ? order by due_ms")
      .all(nowMs)
      .map((row) => String(row.conversation_key));
  }

  /** When the next paused run is due, of those that are not yet. */
  nextDueMs(nowMs: number): number | undefined {
    const row = this.#sql("select min(due_ms) as due from runs where due_ms > ?").get(nowMs);
    return typeof row?.due === "number" ? row.due : undefined;
  }

  state(conversationKey: string | undefined, nowMs: number): QueueState {
    const waiting = (
      conversationKey === undefined
        ? this.#sql("select * from items where state = 'waiting' order by sequence").all()
        : this.#sql(
            "select * from items where conversation_key = ? and state = 'waiting' order by sequence",
          ).all(conversationKey)
    ).map((row) => ({
      eventId: String(row.event_id),
      conversationKey: String(row.conversation_key),
      personKey: String(row.person_key),
      acceptedAtMs: Number(row.accepted_at_ms),
    }));
    const counting = `select count(*) filter (where state <> 'parked') as running,
                             count(*) filter (where state = 'parked') as parked from runs`;
    // Two statements: a condition that may hold for all is never looked up in the index.
    const counted =
      conversationKey === undefined
        ? this.#sql(counting).get()
        : this.#sql(`${counting} where conversation_key = ?`).get(conversationKey);
    const oldest = waiting.reduce(
      (least, { acceptedAtMs }) => Math.min(least, acceptedAtMs),
      nowMs,
    );
    return {
      waiting,
      running: Number(counted?.running ?? 0),
      parked: Number(counted?.parked ?? 0),
      oldestMs: nowMs - oldest,
    };
  }

  /**
   * Forgets up to `limit` of the oldest event ids, of the changes and of the items set aside; what
   * still is in line stays known. Returns how many were forgotten.
   */
  prune(
    { eventsBeforeMs, setAsideBeforeMs }: Parameters<Retention["prune"]>[0],
    limit: number,
  ): number {
    const events = this.#sql(
      `delete from seen where id in (
         select id from seen
         where at_ms < ? and event_id not in (select event_id from items)
         order by id limit ?)`,
    ).run(eventsBeforeMs, limit).changes;
    const changes = this.#sql(
      `delete from changes where id in (
         select id from changes where at_ms < ? order by id limit ?)`,
    ).run(eventsBeforeMs, limit).changes;
    const setAside = this.#sql(
      `delete from set_aside where id in (
         select id from set_aside where at_ms < ? order by id limit ?)`,
    ).run(setAsideBeforeMs, limit).changes;
    return Number(events) + Number(changes) + Number(setAside);
  }

  #sql(text: string) {
    return this.#database.prepare(text);
  }

  /** Remembers the event; false when it was known. */
  #see(event: NewMessage | NewControl, nowMs: number): boolean {
    const { changes } = this.#sql(
      `insert into seen (event_id, conversation_key, at_ms) values (?, ?, ?)
       on conflict do nothing`,
    ).run(event.eventId, event.conversationKey, nowMs);
    return changes > 0;
  }

  /** A repeat that knows more replaces what waits. */
  #complete(message: NewMessage): void {
    if (message.detail <= 0) return;
    this.#sql(
      `update items set payload = ?, detail = ?
       where event_id = ? and state = 'waiting' and detail < ?`,
    ).run(JSON.stringify(message.payload), message.detail, message.eventId, message.detail);
  }

  #waitingIn(conversationKey: string): number {
    const row = this.#sql(
      "select count(*) as waiting from items where conversation_key = ? and state = 'waiting'",
    ).get(conversationKey);
    return Number(row?.waiting);
  }

  #append(
    event: {
      readonly eventId: string;
      readonly conversationKey: string;
      readonly personKey: string;
      readonly payload: Json;
      readonly detail: number;
    },
    as: { readonly kind: InboxItem["kind"]; readonly state: string; readonly nowMs: number },
  ): void {
    this.#sql(
      `insert into items
         (event_id, conversation_key, kind, state, person_key, payload, detail, accepted_at_ms)
       values (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      event.eventId,
      event.conversationKey,
      as.kind,
      as.state,
      event.personKey,
      JSON.stringify(event.payload),
      event.detail,
      as.nowMs,
    );
  }

  #hasRun(conversationKey: string): boolean {
    return (
      this.#sql("select 1 from runs where conversation_key = ?").get(conversationKey) !== undefined
    );
  }

  #amendInLine(
    { eventId, change }: Amendment,
    row: Row,
  ): { readonly result: AmendResult; readonly item?: InboxItem } {
    const conversationKey = String(row.conversation_key);
    if (row.state === "taken") {
      this.#sql("update items set amendment = ? where event_id = ?").run(
        JSON.stringify(change),
        eventId,
      );
      return {
        result: { state: "running", conversationKey },
        item: { ...toItem(row), amendment: change },
      };
    }
    if (change.type === "deleted") {
      this.#sql("delete from items where event_id = ?").run(eventId);
    } else {
      // A late repeat of the old version must not undo the edit, however much it knows.
      this.#sql("update items set payload = ?, detail = ? where event_id = ?").run(
        JSON.stringify(change.payload),
        Number.MAX_SAFE_INTEGER,
        eventId,
      );
    }
    return { result: { state: "waiting", conversationKey } };
  }

  #amendOutOfLine({ eventId, change }: Amendment, nowMs: number): AmendResult {
    const seen = this.#sql("select conversation_key from seen where event_id = ?").get(eventId);
    if (seen) {
      const isTombstone = seen.conversation_key === null;
      return amendResult(isTombstone ? "unknown" : "answered", seen.conversation_key);
    }
    if (change.type === "deleted") {
      this.#sql("insert into seen (event_id, at_ms) values (?, ?)").run(eventId, nowMs);
    }
    return { state: "unknown" };
  }

  #beginNext(options: {
    readonly conversationKey: string;
    readonly epoch: string;
    readonly select: (waiting: readonly InboxItem[]) => Selection;
  }): Beginning {
    const { conversationKey, epoch, select } = options;
    const items = this.#takeNext(conversationKey, select);
    if (items.length === 0) return { type: "nothing", dueMs: undefined };
    this.#sql(
      "insert into runs (conversation_key, epoch, state, attempts) values (?, ?, 'running', 1)",
    ).run(conversationKey, epoch);
    return {
      type: "begun",
      attempt: 1,
      items,
      controls: [],
      checkpoint: undefined,
      journal: undefined,
      stopRequested: false,
    };
  }

  #takeNext(
    conversationKey: string,
    select: (waiting: readonly InboxItem[]) => Selection,
  ): readonly InboxItem[] {
    const take = this.#sql("update items set state = 'taken' where event_id = ?");
    const [control] = this.#inState(conversationKey, ["next"]);
    if (control) {
      take.run(control.eventId);
      return [control];
    }
    const waiting = this.#inState(conversationKey, ["waiting"]);
    const [first] = waiting;
    if (!first) return [];
    const selection = select(waiting);
    const taken = waiting.filter(({ eventId }) => selection.take.includes(eventId));
    // Whatever the policy says, a line moves.
    if (taken.length === 0) taken.push(first);
    for (const { eventId } of taken) take.run(eventId);
    for (const eventId of selection.drop) {
      this.#sql(
        "delete from items where event_id = ? and conversation_key = ? and state = 'waiting'",
      ).run(eventId, conversationKey);
    }
    return taken;
  }

  #inState(conversationKey: string, states: readonly string[]): InboxItem[] {
    return states
      .flatMap((state) =>
        this.#sql(
          "select * from items where conversation_key = ? and state = ? order by sequence",
        ).all(conversationKey, state),
      )
      .map(toItem);
  }
}

/** Who says that it is at work on a conversation. */
interface Holder {
  readonly conversationKey: string;
  readonly epoch: string;
}

/** The fence: part of the statement that writes, so that it cannot be forgotten or come too early. */
const isHeld = "conversation_key = ? and epoch = ? and state = 'running'";

function onlyIfHeld({ conversationKey }: Holder, { changes }: StatementResultingChanges): void {
  if (changes === 0) throw new LeaseLost(conversationKey);
}

type Row = Readonly<Record<string, unknown>>;

function toNote(text: unknown): Json | undefined {
  return typeof text === "string" ? JSON.parse(text) : undefined;
}

function toItem(row: Row): InboxItem {
  return {
    eventId: String(row.event_id),
    kind: row.kind === "control" ? "control" : "message",
    personKey: String(row.person_key),
    payload: JSON.parse(String(row.payload)),
    acceptedAtMs: Number(row.accepted_at_ms),
    ...(typeof row.amendment === "string" ? { amendment: JSON.parse(row.amendment) } : {}),
  };
}

function amendResult(state: string, conversationKey: unknown): AmendResult {
  const known = (["waiting", "running", "answered"] as const).find((name) => name === state);
  return {
    state: known ?? "unknown",
    ...(typeof conversationKey === "string" ? { conversationKey } : {}),
  };
}
