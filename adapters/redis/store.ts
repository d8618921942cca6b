import type { KeyvStoreAdapter } from "keyv";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import { openRedis, type RedisDatabase } from "./database.ts";
import { inWords } from "./in-words.ts";
import { createRedisLedger } from "./ledger.ts";
import { openRedisProcesses, type RedisProcesses } from "./processes.ts";
import { createRedisRecords } from "./records.ts";
import { openRedisRunQueue, type RedisRunQueue } from "./run-queue.ts";
import { inspectSafety } from "./safety.ts";
import type { LeaseTimes } from "./wake-ups.ts";

/** Everything that processes share in one Redis. */
export interface RedisStore extends AsyncDisposable {
  readonly queue: RedisRunQueue;
  readonly ledger: Ledger;
  readonly processes: RedisProcesses;
  readonly records: KeyvStoreAdapter;
  /** What the first process said of this; every other one is told the same. */
  agreeOn(name: "files-folder", value: string): Promise<string>;
}

/**
 * Opens all of it, closed together. Throws an Error in words when that Redis would lose what people
 * write, is not there or does not let us in. `warn` is told what may be lost.
 */
export function openRedisStore(options: StoreOptions): Promise<RedisStore> {
  return inWords(options.url, () => open(options));
}

interface StoreOptions {
  readonly url: string;
  /** How long a process that says nothing keeps what it is at work on. */
  readonly leaseMs: number;
  readonly log: Log;
  readonly warn: (problem: string) => void;
}

async function open({ url, leaseMs, log, warn }: StoreOptions): Promise<RedisStore> {
  await using parts = new AsyncDisposableStack();
  const onError = (error: Error) => log.warn({ error }, "Redis in trouble");
  const database = await openRedis({ url, onError });
  parts.defer(() => database.close());
  await refuseUnsafe(database, warn);
  const queue = await openRedisRunQueue({ database, log, leaseTimes: leaseTimesOf(leaseMs) });
  parts.defer(() => queue.close());
  const processes = await openRedisProcesses(database);
  parts.defer(() => processes.close());
  const opened = parts.move();
  return {
    queue,
    processes,
    ledger: createRedisLedger(database),
    records: createRedisRecords(database),
    agreeOn: async (name, value) => {
      const key = `${database.prefix}${name}`;
      await database.send(["SET", key, value, "NX"]);
      return String(await database.send(["GET", key]));
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Looked at often enough that what has lapsed goes on before twice the lease is over. */
function leaseTimesOf(lockMs: number): LeaseTimes {
  return { lockMs, checkMs: Math.round(0.4 * lockMs) };
}

async function refuseUnsafe(
  database: RedisDatabase,
  warn: (problem: string) => void,
): Promise<void> {
  const { refusals, warnings } = await inspectSafety(database);
  if (refusals.length > 0) {
    throw new Error(`the Redis of REDIS_URL cannot be used: ${refusals.join("; ")}`);
  }
  for (const problem of warnings) warn(problem);
}
