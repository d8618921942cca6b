import { Worker } from "node:worker_threads";
import { BotError } from "#domain/errors";
import type { FoundPassage } from "#domain/passage";
import type { FileIndex, IndexState, UnembeddedPassages } from "#ports/file-index";
import type { IndexAnswer, IndexCall } from "./file-index-worker.ts";

/**
 * A {@link FileIndex} in an SQLite file of its own, in a thread of its own: neither indexing nor
 * searching holds up anybody's messages. The thread starts with the first call.
 */
export function createFileIndex(path: string): FileIndex {
  return new SqliteFileIndex(path);
}

/** Far more than indexing takes: the texts that wait, and SQLite's own cache. */
const maxHeapMegabytes = 256;
/** Blobs that were read are given back when what is young is collected: early, so that few wait for it. */
const maxYoungMegabytes = 4;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A call without its number. */
type Asked<Call = IndexCall> = Call extends IndexCall ? Omit<Call, "id"> : never;

class SqliteFileIndex implements FileIndex {
  readonly #path: string;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #calls = 0;

  constructor(path: string) {
    this.#path = path;
  }

  put: FileIndex["put"] = (...args) => this.#ask<IndexState>({ method: "put", args });

  refuse: FileIndex["refuse"] = (...args) => this.#ask<IndexState>({ method: "refuse", args });

  states: FileIndex["states"] = (...args) =>
    this.#ask<ReadonlyMap<string, IndexState>>({ method: "states", args });

  unembedded: FileIndex["unembedded"] = (...args) =>
    this.#ask<UnembeddedPassages>({ method: "unembedded", args });

  embed: FileIndex["embed"] = (...args) => this.#ask<void>({ method: "embed", args });

  search: FileIndex["search"] = (...args) =>
    this.#ask<readonly FoundPassage[]>({ method: "search", args });

  remove: FileIndex["remove"] = (...args) => this.#ask<void>({ method: "remove", args });

  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    worker.ref();
    worker.postMessage("close");
    await ended;
  }

  #ask<T>(call: Asked): Promise<T> {
    const worker = this.#start();
    this.#calls += 1;
    const id = this.#calls;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: (value) => resolve(value as T), reject });
      worker.ref();
      worker.postMessage({ ...call, id });
    });
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL("./file-index-worker.ts", import.meta.url), {
      workerData: this.#path,
      resourceLimits: {
        maxOldGenerationSizeMb: maxHeapMegabytes,
        maxYoungGenerationSizeMb: maxYoungMegabytes,
      },
    });
    worker.on("message", (answer: IndexAnswer) => this.#settle(answer));
    worker.on("error", (error) => this.#lose(error));
    worker.on("exit", () => this.#lose(new Error("the search index was closed")));
    this.#worker = worker;
    return worker;
  }

  #settle(answer: IndexAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    // An idle thread keeps no process alive.
    if (this.#pending.size === 0) this.#worker?.unref();
    if (answer.ok) pending?.resolve(answer.value);
    else pending?.reject(unavailable(new Error(answer.problem)));
  }

  /** The thread is gone: who waits is told, and the next call starts another. */
  #lose(cause: unknown): void {
    this.#worker = undefined;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(unavailable(cause));
  }
}

function unavailable(cause: unknown): BotError {
  return new BotError("store-unavailable", {
    detail: "The search index does not answer.",
    cause,
  });
}
