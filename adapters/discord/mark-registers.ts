import type { Json } from "#domain/json";
import type { Ledger } from "#ports/ledger";
import { type ShardSet, setOf } from "./shard-sets.ts";

/** How the servers are divided by whom the marks are, and the marks as they were divided before. */
const register = "discord/sets";

/** How far a set has been dealt with. */
export interface Mark {
  /** The id of a message. */
  readonly mark: string;
  /** Messages that were dealt with without being accepted, and when. */
  readonly settled: { readonly [id: string]: number };
  /** Not all has been read yet that was missed while the servers were divided anew. */
  readonly isCatchingUp?: boolean;
}

/** Where a set's mark is written, and what is known when it is not there yet. */
export interface MarkRegister {
  readonly name: string;
  /** How far each server was dealt with when they were divided otherwise; undefined: they never were. */
  readonly before: Earlier | undefined;
}

/** The marks from before the servers were divided anew. */
class Earlier {
  readonly #division: Division;
  readonly #marks: readonly Mark[];

  constructor(before: Before) {
    this.#division = before;
    this.#marks = before.marks;
  }

  /** Nothing before it has to be looked for, wherever. */
  get lowest(): string {
    return lowestOf(this.#marks).mark;
  }

  get settled(): Mark["settled"] {
    return lowestOf(this.#marks).settled;
  }

  /** Of a server; of direct messages with null. */
  of(guildId: string | null): string {
    const { sets, shardCount } = this.#division;
    const set = setOf(guildId, { sets, shardCount: shardCount ?? undefined });
    return this.#marks[set]?.mark ?? this.lowest;
  }
}

/**
 * Finds where the mark of a set is. When the servers were divided otherwise so far, the marks of
 * then are put aside first: they hold for every set until it has one of its own.
 * `isOurs`: false once another process may have the set.
 */
export async function markRegisterOf(
  set: ShardSet,
  ledger: Ledger,
  isOurs: () => boolean,
): Promise<MarkRegister> {
  for (;;) {
    const found = await ledger.read(register);
    const known = (found?.value as unknown as Known | undefined) ?? first;
    if (known.sets === set.sets && (set.sets === 1 || known.shardCount === set.shardCount)) {
      const before = known.before ? new Earlier(known.before) : undefined;
      return { name: nameOf(known.generation, set.index), before };
    }
    const next: Known = {
      generation: known.generation + 1,
      sets: set.sets,
      shardCount: set.shardCount ?? null,
      before: await beforeOf(known, ledger),
    };
    if (!isOurs()) throw new Error("the set was lost");
    const change = { name: register, value: next as unknown as Json };
    const past = namesOf(known).map((name) => ({ name, value: null }));
    await ledger.apply({ registers: [{ ...change, ifVersion: found?.version ?? 0 }, ...past] });
  }
}

interface Division {
  readonly sets: number;
  readonly shardCount: number | null;
}

interface Before extends Division {
  /** By set. */
  readonly marks: readonly Mark[];
}

interface Known extends Division {
  /** Rises when they are divided anew: old marks are never taken for new ones. */
  readonly generation: number;
  /** Null: nothing was heard before. */
  readonly before: Before | null;
}

/** As long as one process has heard everything. */
const first: Known = { generation: 0, sets: 1, shardCount: null, before: null };

function nameOf(generation: number, set: number): string {
  return generation === 0 ? "discord/mark" : `discord/mark/${generation}/${set}`;
}

function namesOf({ generation, sets }: Known): readonly string[] {
  return Array.from({ length: sets }, (_, set) => nameOf(generation, set));
}

async function beforeOf(known: Known, ledger: Ledger): Promise<Before | null> {
  const { before, sets, shardCount } = known;
  const written = await Promise.all(
    namesOf(known).map(async (name) => {
      const found = await ledger.read(name);
      return found?.value as unknown as Mark | undefined;
    }),
  );
  // A set that was never begun is as far as all were before.
  const there = [...written.filter((mark) => mark !== undefined), ...(before?.marks ?? [])];
  if (there.length === 0) return null;
  const marks = written.map((mark) => mark ?? lowestOf(there));
  return { sets, shardCount, marks };
}

/** The one that has come least far, with all that was settled. */
function lowestOf(marks: readonly Mark[]): Mark {
  const lowest = marks.reduce((one, other) =>
    BigInt(other.mark) < BigInt(one.mark) ? other : one,
  );
  return { mark: lowest.mark, settled: Object.assign({}, ...marks.map(({ settled }) => settled)) };
}
