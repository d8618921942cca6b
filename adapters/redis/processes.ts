import { randomBytes } from "node:crypto";
import type { Json } from "#domain/json";
import type { Holder, Listener, Offices, Processes, SharedLimit, Spent } from "#ports/processes";
import { openClient, type RedisDatabase } from "./database.ts";
import { RedisOffices } from "./offices.ts";
import { toList, toText, toTexts } from "./replies.ts";

/** The processes that share a Redis. */
export interface RedisProcesses extends Processes {
  /** What tells this process from the others. */
  readonly self: string;
  close(): void;
}

/** Connects a process with the others of the same bot. */
export async function openRedisProcesses(database: RedisDatabase): Promise<RedisProcesses> {
  const processes = new SharedProcesses(database);
  await processes.open();
  return processes;
}

class SharedProcesses implements RedisProcesses {
  readonly self = randomBytes(8).toString("hex");
  readonly #database: RedisDatabase;
  readonly #subscriber: ReturnType<typeof openClient>;
  readonly #listeners = new Map<string, Set<Listener>>();
  #uses = 0;

  constructor(database: RedisDatabase) {
    this.#database = database;
    this.#subscriber = openClient(database.url, "patient");
    // The database's own connection reports what is wrong.
    this.#subscriber.on("error", () => undefined);
  }

  async open(): Promise<void> {
    await this.#subscriber.connect();
    this.#subscriber.on("ready", () => {
      for (const listeners of this.#listeners.values()) {
        for (const { missed } of listeners) missed?.();
      }
    });
  }

  async claim(id: string, forMs: number): Promise<boolean> {
    const key = `${this.#database.prefix}claim:${id}`;
    const command = ["SET", key, this.self, "NX", "PX", String(forMs)];
    if ((await this.#database.send(command)) !== null) return true;
    return toText(await this.#database.send(["GET", key])) === this.self;
  }

  tell(topic: string, words: Json): void {
    const text = JSON.stringify({ from: this.self, words });
    this.#database.send(["PUBLISH", this.#channel(topic), text]).catch(() => undefined);
  }

  hear(topic: string, listener: Listener): () => void {
    const known = this.#listeners.get(topic);
    const listeners = known ?? new Set();
    listeners.add(listener);
    this.#listeners.set(topic, listeners);
    if (!known) this.#subscribe(topic, listeners);
    return () => listeners.delete(listener);
  }

  spend = async (limits: readonly SharedLimit[]): Promise<Spent> => {
    this.#uses += 1;
    const args = [JSON.stringify(limits), `${this.self}-${this.#uses}`];
    try {
      const [isGranted, rest] = toList(await this.#database.run("spend", args));
      const numbers = toTexts(rest).map(Number);
      if (Number(isGranted) === 0) return { isGranted: false, waitMs: numbers };
      const isWindowed = limits.some(({ type }) => type === "windowed");
      const done = () => {
        if (isWindowed) this.#database.run("spent", args).catch(() => undefined);
      };
      return { isGranted: true, left: numbers, done };
    } catch {
      return { isGranted: true, left: [], done: () => undefined };
    }
  };

  offices = (name: string, holder: Holder): Offices =>
    new RedisOffices({ database: this.#database, name, self: this.self, holder });

  close(): void {
    this.#listeners.clear();
    if (this.#subscriber.isOpen) this.#subscriber.destroy();
  }

  /** Redis' client subscribes again by itself when a lost connection is back. */
  #subscribe(topic: string, listeners: ReadonlySet<Listener>): void {
    const hear = (text: string) => {
      const { from, words } = JSON.parse(text) as { readonly from: string; readonly words: Json };
      if (from === this.self) return;
      for (const { told } of listeners) told(words);
    };
    this.#subscriber.subscribe(this.#channel(topic), hear).catch(() => undefined);
  }

  #channel(topic: string): string {
    return `${this.#database.channels}between:${topic}`;
  }
}
