import type { Cut } from "#ports/processes";

/**
 * How many sets at most. More sets are divided more evenly; each is a client of its own and, in the
 * shared store, a key to renew. Sixteen are even for 2, 4 and 8 gateways and nearly so for others.
 */
const mostSets = 16;

/** The shards of a set, and with them their servers. One set of all: everything. */
export interface ShardSet {
  /** From 0 on. The first has the direct messages. */
  readonly index: number;
  readonly sets: number;
  /** How many shards there are in all; undefined where there is one set, and Discord recommends. */
  readonly shardCount: number | undefined;
}

/** What is heard where one process hears all. */
export function everything(shardCount: number | undefined): ShardSet {
  return { index: 0, sets: 1, shardCount };
}

/** How so many shards are divided: each is a set by itself as long as that makes no more than sixteen. */
export function cutOf(shardCount: number): Cut {
  return { size: shardCount, parts: Math.min(shardCount, mostSets) };
}

/**
 * The shards of a set: neighbours, which may identify themselves at the same time where Discord
 * lets several (`max_concurrency`, by the shard's remainder). Undefined: all.
 */
export function shardsOf({ index, sets, shardCount }: ShardSet): readonly number[] | undefined {
  if (sets === 1 || shardCount === undefined) return undefined;
  const [first, next] = [index, index + 1].map((at) => Math.ceil((at * shardCount) / sets));
  return Array.from({ length: (next ?? 0) - (first ?? 0) }, (_, at) => (first ?? 0) + at);
}

/**
 * The set of a server; of direct messages with null. A server's shard is told by its id
 * (docs.discord.com, events/gateway#sharding).
 */
export function setOf(
  guildId: string | null,
  { sets, shardCount }: Omit<ShardSet, "index">,
): number {
  if (guildId === null || sets === 1 || shardCount === undefined) return 0;
  const shard = Number((BigInt(guildId) >> 22n) % BigInt(shardCount));
  return Math.floor((shard * sets) / shardCount);
}

/** Whether a server is in a set. */
export function isIn(guildId: string, set: ShardSet): boolean {
  return setOf(guildId, set) === set.index;
}
