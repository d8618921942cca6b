import type { Client } from "discord.js";
import type { Log } from "#ports/log";
import type { Arrivals } from "./arrivals.ts";
import { catchUp } from "./catch-up.ts";
import type { Marks, Since } from "./marks.ts";

/** A time in which nobody told what happened. */
interface Gap {
  readonly since: Since;
  /** Keeps the mark where it is until the gap is looked at. */
  readonly release: () => void;
}

/**
 * Knows from when to when nothing was heard: before the start, between two sessions of a shard, and
 * while a server was out of order. A session that is resumed has no gap: all is told again.
 */
export class Sessions {
  readonly #parts: { readonly arrivals: Arrivals; readonly marks: Marks; readonly log: Log };
  readonly #shards = new Map<number, Gap>();
  readonly #guilds = new Map<string, Gap>();
  readonly #begun = new Set<number>();
  /** Where the last process stopped; undefined: there was none. */
  readonly #leftOff: Since | undefined;

  constructor(parts: {
    readonly arrivals: Arrivals;
    readonly marks: Marks;
    readonly leftOff: Since | undefined;
    readonly log: Log;
  }) {
    this.#parts = parts;
    this.#leftOff = parts.leftOff;
  }

  /** A shard's session begins anew. */
  begins(shardId: number): void {
    const isFirst = !this.#begun.has(shardId);
    this.#begun.add(shardId);
    const since = isFirst ? this.#leftOff : this.#parts.marks.since();
    if (since !== undefined) this.#open(this.#shards, shardId, since);
  }

  /** The session's servers are there: what was missed is read, before anything new is looked at. */
  ready(client: Client<true>, shardId: number): void {
    const gap = this.#shards.get(shardId);
    if (!gap) return;
    this.#shards.delete(shardId);
    // Direct messages come to the first shard only (docs.discord.com, events/gateway#sharding).
    const directChannels = shardId === 0 ? this.#parts.marks.directChannels : [];
    this.#read(client, gap, { shardId, directChannels });
  }

  /** A server is out of order, or no longer known: nothing of it is told. */
  lost(guildId: string): void {
    this.#open(this.#guilds, guildId, this.#parts.marks.since());
  }

  found(client: Client<true>, guildId: string): void {
    const gap = this.#guilds.get(guildId);
    if (!gap) return;
    this.#guilds.delete(guildId);
    this.#read(client, gap, { guildId, directChannels: [] });
  }

  /** A server will not come back. */
  gone(guildId: string): void {
    this.#guilds.get(guildId)?.release();
    this.#guilds.delete(guildId);
  }

  #open<K>(gaps: Map<K, Gap>, key: K, since: Since): void {
    // A second gap before the first was looked at is a longer one.
    if (gaps.has(key)) return;
    gaps.set(key, { since, release: this.#parts.marks.hold(since.earliest) });
  }

  #read(
    client: Client<true>,
    { since, release }: Gap,
    where: Omit<Parameters<typeof catchUp>[1], "since">,
  ): void {
    catchUp(client, { since, ...where }, this.#parts).then(release, (error: unknown) => {
      this.#parts.log.error({ platform: "discord", error }, "missed messages not read");
    });
  }
}
