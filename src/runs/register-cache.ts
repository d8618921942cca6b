import type { Json } from "#domain/json";
import type { Ledger } from "#ports/ledger";

/** Reads a register through the cache; undefined when it does not exist. */
export type Read = (
  name: string,
) => Promise<{ readonly value: Json; readonly version: number } | undefined>;

/** Remembered for registers that do not exist. */
const absent = { value: null, version: 0 } as const;
/** Enough for the channels and people of a busy hour; a miss costs one read. */
const maxRegisters = 2_000;

/** Registers as last read, true while one register, raised by every change of them, stands still. */
export class RegisterCache {
  readonly #ledger: Ledger;
  readonly #revisionRegister: string;
  readonly #registers = new Map<string, { readonly value: Json; readonly version: number }>();
  #revision = -1;

  constructor(ledger: Ledger, revisionRegister: string) {
    this.#ledger = ledger;
    this.#revisionRegister = revisionRegister;
  }

  /** A way to read, after one look whether what is remembered still holds. */
  async reader(): Promise<Read> {
    const revision = (await this.#ledger.read(this.#revisionRegister))?.version ?? 0;
    if (revision !== this.#revision) {
      this.#registers.clear();
      this.#revision = revision;
    }
    return async (name) => {
      const known = this.#registers.get(name);
      if (known) return known.version === 0 ? undefined : known;
      const register = await this.#ledger.read(name);
      // Another caller may have seen a newer revision meanwhile: then this may be older than it.
      if (this.#revision === revision) {
        remember(this.#registers, name, register ?? absent, maxRegisters);
      }
      return register;
    };
  }
}

/** Puts an entry into a bounded map; the one longest untouched leaves. */
export function remember<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= max) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
