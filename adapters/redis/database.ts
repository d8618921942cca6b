import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createClient, ErrorReply } from "redis";
import { BotError } from "#domain/errors";
import { Patience } from "./patience.ts";

/** One Redis and what belongs to this bot in it; shared by everything that keeps something there. */
export interface RedisDatabase {
  /** Where it is, for further connections: may hold a password. */
  readonly url: string;
  /** What every key begins with: its hash tag keeps all of them in one slot of a cluster. */
  readonly prefix: string;
  /** What the name of every channel begins with: those of all databases of a Redis are the same. */
  readonly channels: string;
  /** For what brings its own commands: BullMQ. */
  readonly client: RedisClient;
  readonly isOpen: boolean;
  /** Tells connections apart: another number once one was lost or made. */
  readonly connection: number;
  /**
   * Runs one operation of the Lua scripts, atomically. Rejects with a BotError `store-unavailable`
   * when Redis cannot be reached or does not answer in time; then it may have been done or not.
   */
  run(operation: string, args: readonly string[]): Promise<unknown>;
  /** One command; rejects as `run` does. */
  send(command: readonly string[]): Promise<unknown>;
  /** Waits no longer for an answer than `send` does, and rejects as it does: for what others ask of {@link client}. */
  inTime<Answer>(answer: Promise<Answer>): Promise<Answer>;
  close(): void;
}

export type RedisClient = ReturnType<typeof openClient>;

/** How long a connection may take, and an answer: a Redis that hangs must not hang the bot. */
const timeoutSeconds = 5;
const maxReconnectMs = 1_000;

const script = [
  ...["ledger.lua", "inbox.lua", "limits.lua", "offices.lua", "moving.lua"].map((name) =>
    readFileSync(new URL(`./lua/${name}`, import.meta.url), "utf8"),
  ),
  "return operations[ARGV[1]](unpack(ARGV, 2))",
].join("\n");
const scriptHash = createHash("sha1").update(script).digest("hex");

/**
 * Connects; rejects with a BotError `store-unavailable` when there is no Redis at that address that
 * answers this bot. `onError` is told what goes wrong after that.
 */
export async function openRedis(options: {
  readonly url: string;
  /** Names the bot among those that share a Redis: letters, digits, `-`, `_`. */
  readonly name?: string;
  readonly onError?: (error: Error) => void;
}): Promise<RedisDatabase> {
  const { url, name = "bobbin", onError } = options;
  const client = openClient(url, "fail-fast");
  const database = new Database(url, client, `{${name}}:`);
  client.on("error", () => database.isDisconnected());
  client.on("ready", () => database.isConnectedAnew());
  try {
    await connectInTime(client);
    // Whether it lets us in, and has our keys, it says at the first of them.
    await database.send(["EXISTS", `${database.prefix}server`]);
    if (onError) client.on("error", onError);
    return database;
  } catch (error) {
    if (client.isOpen) client.destroy();
    throw error instanceof BotError ? error : new BotError("store-unavailable", { cause: error });
  }
}

/** `patient` commands wait for a connection that was lost, as BullMQ wants it; the others fail at once. */
export function openClient(url: string, manner: "fail-fast" | "patient") {
  return createClient({
    url,
    socket: {
      connectTimeout: timeoutSeconds * 1_000,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, maxReconnectMs),
    },
    disableOfflineQueue: manner === "fail-fast",
  });
}

async function connectInTime(client: RedisClient): Promise<void> {
  // A client that may reconnect never gives up on its first connection.
  const { promise, reject } = Promise.withResolvers<never>();
  client.once("error", reject);
  // The time for connecting is over once somebody listens, whether or not that is a Redis.
  await new Patience(timeoutSeconds).of(Promise.race([client.connect(), promise]));
  client.off("error", reject);
}

class Database implements RedisDatabase {
  readonly url: string;
  readonly client: RedisClient;
  readonly prefix: string;
  readonly channels: string;
  readonly #patience = new Patience(timeoutSeconds);
  #connection = 0;
  #hasMetServer = false;

  constructor(url: string, client: RedisClient, prefix: string) {
    this.url = url;
    this.client = client;
    this.prefix = prefix;
    const number = client.options?.database ?? 0;
    this.channels = number === 0 ? prefix : `${prefix}${number}:`;
  }

  get isOpen(): boolean {
    return this.client.isOpen;
  }

  get connection(): number {
    return this.#connection;
  }

  async run(operation: string, args: readonly string[]): Promise<unknown> {
    if (!this.#hasMetServer) await this.#meetServer();
    const rest = ["1", this.prefix, operation, ...args];
    try {
      return await this.send(["EVALSHA", scriptHash, ...rest]);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return this.send(["EVAL", script, ...rest]);
    }
  }

  /** Another server may answer from now on than before. */
  isConnectedAnew(): void {
    this.#connection += 1;
    this.#hasMetServer = false;
  }

  /** Who answers next is not known. */
  isDisconnected(): void {
    this.#connection += 1;
  }

  /** Has it noted when it is another server, or one started again, before it is asked for anything. */
  async #meetServer(): Promise<void> {
    await this.send(["EVAL", script, "1", this.prefix, "meetServer"]);
    this.#hasMetServer = true;
  }

  send(command: readonly string[]): Promise<unknown> {
    return this.inTime(this.client.sendCommand(command));
  }

  async inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await this.#patience.of(answer);
    } catch (error) {
      throw new BotError("store-unavailable", { cause: error });
    }
  }

  close(): void {
    this.isDisconnected();
    if (this.client.isOpen) this.client.destroy();
  }
}

/**
 * Whether a failure is Redis' state and passes: it cannot be reached, does not answer in time, is
 * loading, full or a replica. A command that is wrong (`ERR`, `WRONGTYPE`) stays wrong.
 */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof BotError) || error.code !== "store-unavailable") return false;
  const { cause } = error;
  return !(cause instanceof ErrorReply && /^(ERR|WRONGTYPE)\b/.test(cause.message));
}

function isUnknownScript(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message.startsWith("NOSCRIPT");
}
