import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import type { RecordStore } from "#ports/record-store";

/** Records in memory. What is written is copied, as a real store would. */
export class MemoryRecordStore implements RecordStore {
  /** True: every call fails as if the store could not be reached. */
  isDown = false;
  /** How many records were asked for, to show what a cache saves. */
  reads = 0;
  readonly #records = new Map<string, string>();

  async read(key: string): Promise<Json | undefined> {
    this.#assertUp();
    this.reads += 1;
    const record = this.#records.get(key);
    return record === undefined ? undefined : JSON.parse(record);
  }

  async readMany(keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    return Promise.all(keys.map((key) => this.read(key)));
  }

  async write(key: string, value: Json): Promise<void> {
    this.#assertUp();
    this.#records.set(key, JSON.stringify(value));
  }

  async remove(key: string): Promise<void> {
    this.#assertUp();
    this.#records.delete(key);
  }

  /** Everything stored, as text; for tests that look for what was left behind. */
  contents(): readonly string[] {
    return [...this.#records.values()];
  }

  /** The keys of everything stored; for tests that look for what was left behind. */
  keys(): readonly string[] {
    return [...this.#records.keys()];
  }

  #assertUp(): void {
    if (this.isDown) throw new BotError("store-unavailable");
  }
}
