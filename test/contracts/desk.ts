import { vi } from "vitest";
import type { Json } from "#domain/json";
import type { Outcome, QueueOptions, RunLease, RunQueue } from "#ports/run-queue";

/** A handler whose runs wait on the desk until a test decides how they end. */
export class Desk {
  readonly leases: OpenRun[] = [];
  #claimed = 0;

  async open(queue: RunQueue, options: Partial<QueueOptions> = {}): Promise<void> {
    await queue.start((lease) => this.#handle(lease), {
      concurrency: 10,
      select: (_key, waiting) => ({
        take: waiting.slice(0, 1).map(({ eventId }) => eventId),
        drop: [],
      }),
      ...options,
    });
  }

  /** The next run nobody has asked for, probes left out; waits for it. */
  async next(): Promise<OpenRun> {
    return vi.waitFor(
      () => {
        while (this.leases[this.#claimed]?.lease.conversationKey.startsWith("probe-")) {
          this.#claimed += 1;
        }
        const run = this.leases[this.#claimed];
        if (!run) throw new Error("no further run has begun");
        this.#claimed += 1;
        return run;
      },
      { timeout: 5_000, interval: 2 },
    );
  }

  /** The open run of a conversation; waits for it. */
  async leaseOf(conversationKey: string): Promise<OpenRun> {
    return vi.waitFor(
      () => {
        const run = this.leases.find(
          (one) => one.isOpen && one.lease.conversationKey === conversationKey,
        );
        if (!run) throw new Error(`no run of ${conversationKey} has begun`);
        return run;
      },
      { timeout: 5_000, interval: 2 },
    );
  }

  /** How many runs of a conversation are open. */
  openRuns(conversationKey: string): number {
    return this.leases.filter((run) => run.isOpen && run.lease.conversationKey === conversationKey)
      .length;
  }

  /** The events of a conversation's runs that are done or were set aside, in order. */
  answered(conversationKey: string): readonly string[] {
    return this.leases
      .filter((run) => run.isOver && run.lease.conversationKey === conversationKey)
      .flatMap((run) => run.events());
  }

  #handle(lease: RunLease): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const run = new OpenRun(lease, resolve, reject);
    this.leases.push(run);
    return promise;
  }
}

class OpenRun {
  readonly lease: RunLease;
  readonly finish: (outcome: Outcome) => void;
  readonly crash: (error: Error) => void;
  isOpen = true;
  isOver = false;

  constructor(
    lease: RunLease,
    resolve: (outcome: Outcome) => void,
    reject: (error: Error) => void,
  ) {
    this.lease = lease;
    this.finish = (outcome) => {
      this.isOpen = false;
      this.isOver = outcome.type === "done" || outcome.type === "failed";
      resolve(outcome);
    };
    this.crash = (error) => {
      this.isOpen = false;
      reject(error);
    };
  }

  events(): readonly string[] {
    return this.lease.items.map(({ eventId }) => eventId);
  }

  payloads(): readonly Json[] {
    return this.lease.items.map(({ payload }) => payload);
  }
}
