import { SnowflakeUtil } from "discord.js";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import { type Mark, type MarkRegister, markRegisterOf } from "./mark-registers.ts";
import type { ShardSet } from "./shard-sets.ts";

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

/** From where on messages may have been missed: those with a greater id. */
export interface Since {
  /** The earliest of all. */
  readonly earliest: string;
  /** In a server; in direct conversations with null. */
  of(guildId: string | null): string;
}

/** Where the last process stopped listening. */
export interface LeftOff {
  /** Undefined: there was no last process. */
  readonly since: Since | undefined;
}

/**
 * The high-water mark of a set of shards: everything said before it has been dealt with. It is
 * written some seconds late and never too far, so that after a kill something is looked at twice and
 * nothing never.
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

  readonly #set: ShardSet;
  readonly #mayWrite: () => boolean;
  #register: MarkRegister | undefined;
  /** Where the servers' own marks end, from before they were divided anew. */
  #floor: bigint | undefined;

  constructor(parts: {
    readonly set: ShardSet;
    readonly ledger: Ledger;
    /** False: another process has gone on from what was written. */
    readonly mayWrite: () => boolean;
    readonly log: Log;
    readonly now: () => number;
  }) {
    this.#set = parts.set;
    this.#mayWrite = parts.mayWrite;
    this.#ledger = parts.ledger;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  /** Reads what the last process left, and begins to write. */
  async begin(): Promise<LeftOff> {
    const register = await markRegisterOf(this.#set, this.#ledger, this.#mayWrite);
    const [found, direct] = await Promise.all([
      this.#ledger.read(register.name),
      this.#ledger.ranked(directChannels, { limit: mostDirect, highestFirst: true }),
    ]);
    this.#register = register;
    const left = found?.value as unknown as Mark | undefined;
    const before = left && !left.isCatchingUp ? undefined : register.before;
    const settled = { ...before?.settled, ...left?.settled };
    for (const [id, atMs] of Object.entries(settled)) this.#settled.set(id, atMs);
    this.#floor = before && BigInt(before.lowest);
    this.#newest = this.#floor ?? BigInt(left?.mark ?? idAt(this.#now()));
    // A process that is killed soon after its first start has been listening, too.
    if (!left) await this.write();
    this.#timer = setInterval(() => void this.write(), writeEveryMs).unref();
    for (const { member } of direct.toReversed()) this.#direct.add(member);
    if (!before) return { since: left && this.#from(() => left.mark, left.mark) };
    return { since: this.#from((guildId) => before.of(guildId), before.lowest) };
  }

  /** Direct conversations that may have been missed: no event tells of them. The last used first. */
  get directChannels(): readonly string[] {
    return [...this.#direct].toReversed().slice(0, mostDirect);
  }

  /** Where to begin reading for a session that starts now. */
  since(): Since {
    const mark = String(this.#mark());
    return this.#from(() => mark, mark);
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
    const register = this.#register;
    if (!register || !this.#mayWrite()) return;
    const knownFrom = SnowflakeUtil.timestampFrom(this.#mark()) - rememberMs;
    for (const id of this.#settled.keys()) {
      if (SnowflakeUtil.timestampFrom(id) < knownFrom) this.#settled.delete(id);
    }
    const mark = this.#mark();
    const value: Mark = {
      mark: String(mark),
      settled: Object.fromEntries(this.#settled),
      // Until all is read that was missed, each server is where it was before.
      ...(this.#floor !== undefined && mark <= this.#floor ? { isCatchingUp: true } : {}),
    };
    const text = JSON.stringify(value);
    if (text === this.#written) return;
    try {
      await this.#ledger.apply({ registers: [{ name: register.name, value: { ...value } }] });
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

  #from(markOf: Since["of"], lowest: string): Since {
    return {
      earliest: this.#backFrom(lowest),
      of: (guildId) => this.#backFrom(markOf(guildId)),
    };
  }

  #backFrom(mark: string): string {
    const earliest = SnowflakeUtil.timestampFrom(BigInt(mark)) - toleranceMs;
    return idAt(Math.max(earliest, this.#now() - mostBackMs));
  }
}

function idAt(ms: number): string {
  return String(SnowflakeUtil.generate({ timestamp: Math.max(ms, discordEpochMs) }) & ~0x3fffffn);
}

const discordEpochMs = 1_420_070_400_000;
