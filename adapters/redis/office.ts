import type { Holder, Office } from "#ports/processes";
import type { RedisDatabase } from "./database.ts";

/** Who falls silent for so long has lost it. */
const leaseMs = 8_000;
/** How often the holder says that it is there, and the others look whether it is. */
const lookMs = 2_000;
/** By its own clock the holder stops before Redis lets anybody else begin. */
const marginMs = 1_000;

/** The {@link Office} in Redis: a key that lapses unless it is renewed. */
export class RedisOffice implements Office {
  readonly #database: RedisDatabase;
  readonly #name: string;
  readonly #self: string;
  readonly #holder: Holder;
  #heldUntilMs = 0;
  #hasBegun = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: {
    readonly database: RedisDatabase;
    readonly name: string;
    readonly self: string;
    readonly holder: Holder;
  }) {
    this.#database = parts.database;
    this.#name = parts.name;
    this.#self = parts.self;
    this.#holder = parts.holder;
  }

  get isHeld(): boolean {
    return performance.now() < this.#heldUntilMs;
  }

  async open(): Promise<void> {
    if (await this.#claim()) await this.#begin();
    this.#lookAgain();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#end();
    this.#heldUntilMs = 0;
    await this.#database.run("leave", [this.#name, this.#self]).catch(() => undefined);
  }

  #lookAgain(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().then(() => this.#lookAgain());
    }, lookMs);
  }

  async #look(): Promise<void> {
    const has = await this.#claim();
    if (!has) return this.#end();
    if (this.#hasBegun) return;
    // What could not begin is begun again the next time; whoever looks sooner may have it.
    await this.#begin().catch(() =>
      this.#database.run("leave", [this.#name, this.#self]).catch(() => undefined),
    );
  }

  /** While Redis does not answer, what is held is held until its end. */
  async #claim(): Promise<boolean> {
    const askedMs = performance.now();
    try {
      const args = [this.#name, this.#self, String(leaseMs)];
      const has = Number(await this.#database.run("office", args)) === 1;
      this.#heldUntilMs = has ? askedMs + leaseMs - marginMs : 0;
      return has;
    } catch {
      return this.isHeld;
    }
  }

  async #begin(): Promise<void> {
    // Beginning may take longer than the lease.
    const renewing = setInterval(() => void this.#claim(), lookMs);
    try {
      await this.#holder.begin();
      this.#hasBegun = true;
    } finally {
      clearInterval(renewing);
    }
  }

  async #end(): Promise<void> {
    if (!this.#hasBegun) return;
    this.#hasBegun = false;
    await this.#holder.end();
  }
}
