import type { Json } from "#domain/json";
import type { WaitingMark } from "#ports/bot";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { Processes } from "#ports/processes";
import type { RunQueue } from "#ports/run-queue";
import { toJson } from "./checkpoint.ts";
import { names } from "./names.ts";

/** How often it is looked for marks that whoever made them does not take away any more. */
const sweepEveryMs = 30_000;
/** So long they are left to whoever made them. */
const ownForMs = 10_000;
/** So long one process has a mark to itself. */
const claimedForMs = 60_000;
const sweepLimit = 1_000;

type TakeAway = (shown: Json) => Promise<void>;

/**
 * What people see on messages that wait, until these wait no longer. Who made a mark takes it away at once;
 * it is kept, so that others do, or the next start, when that process is no more. Taking one away twice does no harm.
 */
export class WaitingMarks {
  readonly #parts: {
    readonly ledger: Ledger;
    readonly queue: Pick<RunQueue, "inspect" | "onChange">;
    readonly processes: Pick<Processes, "claim">;
    readonly log: Log;
    readonly now: () => number;
  };
  /** Those that lines are watched for, by id: made here, or found. */
  readonly #known = new Map<string, WaitingMark>();
  readonly #takers = new Map<string, TakeAway>();
  #isHearing = false;

  constructor(parts: {
    readonly ledger: Ledger;
    readonly queue: Pick<RunQueue, "inspect" | "onChange">;
    readonly processes: Pick<Processes, "claim">;
    readonly log: Log;
    readonly now: () => number;
  }) {
    this.#parts = parts;
  }

  /** Keeps one that is shown. Never rejects. */
  async keep(mark: WaitingMark): Promise<void> {
    const { ledger, now } = this.#parts;
    const id = idOf(mark);
    this.#watch(mark);
    await this.#try(() =>
      ledger.apply({
        registers: [{ name: names.waitingMark(id), value: toJson(mark) }],
        ranks: [{ ranking: rankingOf(mark), member: id, score: now() }],
      }),
    );
    // Its turn may have come while it was made.
    await this.#look(mark.conversationKey);
  }

  /** Takes marks of this owner away that wait for nobody any more, whoever made them. */
  listen(owner: string, takeAway: TakeAway): () => void {
    this.#takers.set(owner, takeAway);
    const sweep = () => void this.sweep(owner);
    const timer = setInterval(sweep, sweepEveryMs).unref();
    sweep();
    return () => {
      clearInterval(timer);
      if (this.#takers.get(owner) === takeAway) this.#takers.delete(owner);
    };
  }

  /** Looks at all there are now. Never rejects: what could not be done comes again. */
  async sweep(owner: string): Promise<void> {
    const { ledger, now } = this.#parts;
    await this.#try(async () => {
      const to = now() - ownForMs;
      const old = await ledger.ranked(names.waitingMarks(owner), { to, limit: sweepLimit });
      for (const { member: id } of old) {
        if (!this.#takers.has(owner)) return;
        const stored = (await ledger.read(names.waitingMark(id)))?.value;
        const mark = stored as unknown as WaitingMark | undefined;
        if (!mark) continue;
        if (await this.#isWaiting(mark)) this.#watch(mark);
        else await this.#end(mark);
      }
    });
  }

  #watch(mark: WaitingMark): void {
    this.#known.set(idOf(mark), mark);
    if (this.#isHearing) return;
    this.#isHearing = true;
    this.#parts.queue.onChange((conversationKey) => void this.#look(conversationKey));
  }

  /** A line has moved: whose turn has come waits no longer. */
  async #look(conversationKey: string): Promise<void> {
    const marks = [...this.#known.values()].filter(
      (mark) => mark.conversationKey === conversationKey,
    );
    if (marks.length === 0) return;
    await this.#try(async () => {
      const { waiting } = await this.#parts.queue.inspect(conversationKey);
      const ids = new Set(waiting.map(({ eventId }) => eventId));
      await Promise.all(
        marks.filter(({ eventId }) => !ids.has(eventId)).map((one) => this.#end(one)),
      );
    });
  }

  async #isWaiting({ conversationKey, eventId }: WaitingMark): Promise<boolean> {
    const { waiting } = await this.#parts.queue.inspect(conversationKey);
    return waiting.some((item) => item.eventId === eventId);
  }

  async #end(mark: WaitingMark): Promise<void> {
    const id = idOf(mark);
    const { ledger, processes } = this.#parts;
    const takeAway = this.#takers.get(mark.owner);
    this.#known.delete(id);
    if (!takeAway || !(await processes.claim(names.waitingMark(id), claimedForMs))) return;
    await takeAway(mark.shown);
    await ledger.apply({
      registers: [{ name: names.waitingMark(id), value: null }],
      ranks: [{ ranking: rankingOf(mark), member: id, score: null }],
    });
  }

  async #try(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.debug({ err: error }, "waiting marks put off");
    }
  }
}

function idOf({ owner, eventId }: WaitingMark): string {
  return `${owner}/${eventId}`;
}

function rankingOf({ owner }: WaitingMark): string {
  return names.waitingMarks(owner);
}
