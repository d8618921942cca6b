import { SnowflakeUtil } from "discord.js";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";

const register = "discord/mark";
const directChannels = "discord/direct";
/** How often the mark is written while messages arrive. */
const writeEveryMs = 5_000;
/** Ids carry the sender's time, and events of different channels overtake each other. */
const toleranceMs = 30_000;
/** How far back missed messages are looked for. */
const mostBackMs = 24 * 60 * 60_000;
/** Messages that were dealt with without being accepted are known as such until the mark is so far past them. */
const rememberMs = 2 * toleranceMs;
const mostDirect = 500;

/** Where the last process stopped listening. */
export interface LeftOff {
  /** Messages with a greater id may have been missed; undefined: there was no last process. */
  readonly since: string | undefined;
}

/**
 * The high-water mark: everything said before it has been dealt with. It is written some seconds
 * late and never too far, so that after a kill something is looked at twice and nothing never.
 */
export class Marks {
  readonly #ledger: Ledger;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #pending = new Set<{ readonly id: bigint }>();
  readonly #settled = new Map<string, number>();
  readonly #direct = new Set<string>();
  #newest = 0n;
  #written = "";
  #timer: NodeJS.Timeout | undefined;

  readonly #mayWrite: () => boolean;

  constructor(parts: {
    readonly ledger: Ledger;
    /** False: another process has gone on from what was written. */
    readonly mayWrite: () => boolean;
    readonly log: Log;
    readonly now: () => number;
  }) {
    this.#mayWrite = parts.mayWrite;
    this.#ledger = parts.ledger;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  /** Reads what the last process left, and begins to write. */
  async begin(): Promise<LeftOff> {
    const [found, direct] = await Promise.all([
      this.#ledger.read(register),
      this.#ledger.ranked(directChannels, { limit: mostDirect, highestFirst: true }),
    ]);
    const left = found?.value as unknown as Written | undefined;
    for (const [id, atMs] of Object.entries(left?.settled ?? {})) this.#settled.set(id, atMs);
    this.#newest = BigInt(left?.mark ?? idAt(this.#now()));
    // A process that is killed soon after its first start has been listening, too.
    if (!left) await this.write();
    this.#timer = setInterval(() => void this.write(), writeEveryMs).unref();
    for (const { member } of direct.toReversed()) this.#direct.add(member);
    return { since: left && this.#backFrom(BigInt(left.mark)) };
  }

  /** Direct conversations that may have been missed: no event tells of them. The last used first. */
  get directChannels(): readonly string[] {
    return [...this.#direct].toReversed().slice(0, mostDirect);
  }

  /** Where to begin reading for a session that starts now. */
  since(): string {
    return this.#backFrom(this.#mark());
  }

  /** A message is being dealt with, or everything since is being looked for: call what it gives when done. */
  hold(id: string): () => void {
    const held = { id: BigInt(id) };
    this.#pending.add(held);
    if (held.id > this.#newest) this.#newest = held.id;
    return () => this.#pending.delete(held);
  }

  /** Somebody has written directly: that conversation is looked at after a gap. */
  async wroteDirectly(channel: string): Promise<void> {
    this.#direct.delete(channel);
    this.#direct.add(channel);
    const rank = { ranking: directChannels, member: channel, score: this.#now() };
    await this.#ledger.apply({ ranks: [rank] });
  }

  /** The message has been dealt with in another way than being accepted: not a second time. */
  async settle(id: string): Promise<void> {
    this.#settled.set(id, this.#now());
    await this.write();
  }

  isSettled(id: string): boolean {
    return this.#settled.has(id);
  }

  /** Stops writing, after once more. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.write();
  }

  /** Never throws: what could not be written is written the next time. */
  async write(): Promise<void> {
    if (!this.#mayWrite()) return;
    const knownFrom = SnowflakeUtil.timestampFrom(this.#mark()) - rememberMs;
    for (const id of this.#settled.keys()) {
      if (SnowflakeUtil.timestampFrom(id) < knownFrom) this.#settled.delete(id);
    }
    const value: Written = {
      mark: String(this.#mark()),
      settled: Object.fromEntries(this.#settled),
    };
    const text = JSON.stringify(value);
    if (text === this.#written) return;
    try {
      await this.#ledger.apply({ registers: [{ name: register, value: { ...value } }] });
      this.#written = text;
    } catch (error) {
      this.#log.warn({ platform: "discord", error }, "mark not written");
    }
  }

  #mark(): bigint {
    let mark = this.#newest;
    for (const { id } of this.#pending) if (id <= mark) mark = id - 1n;
    return mark;
  }

  #backFrom(mark: bigint): string {
    const earliest = SnowflakeUtil.timestampFrom(mark) - toleranceMs;
    return idAt(Math.max(earliest, this.#now() - mostBackMs));
  }
}

interface Written {
  readonly mark: string;
  readonly settled: { readonly [id: string]: number };
}

function idAt(ms: number): string {
  return String(SnowflakeUtil.generate({ timestamp: Math.max(ms, discordEpochMs) }) & ~0x3fffffn);
}

const discordEpochMs = 1_420_070_400_000;
