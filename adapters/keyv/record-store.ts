import { Keyv, type KeyvStoreAdapter } from "keyv";
import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import type { RecordStore } from "#ports/record-store";

/**
 * The {@link RecordStore} on any Keyv storage adapter: the data file's table, or Redis.
 * Values are stored as plain JSON text, without Keyv's envelope: records do not expire.
 */
export function createRecordStore(store: KeyvStoreAdapter): RecordStore {
  return new KeyvRecordStore(store);
}

class KeyvRecordStore implements RecordStore {
  readonly #keyv: Keyv<Json>;
  readonly #canReadMany: boolean;

  constructor(store: KeyvStoreAdapter) {
    this.#keyv = new Keyv<Json>({
      store,
      throwOnErrors: true,
      // The adapter has a namespace of its own, which Keyv would set to "keyv"; the keys here are complete.
      ...(store.namespace === undefined ? {} : { namespace: store.namespace }),
      useKeyPrefix: false,
      serialize: ({ value }) => JSON.stringify(value),
      deserialize: (text) => ({ value: JSON.parse(text) }),
    });
    // What fails is thrown; an event nobody listens to would be thrown a second time.
    this.#keyv.on("error", () => undefined);
    this.#canReadMany = store.getMany !== undefined;
  }

  read(key: string): Promise<Json | undefined> {
    return reach(() => this.#keyv.get(key));
  }

  readMany(keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    return reach(() =>
      // Without the adapter's own, Keyv's swallows failures: they would read as "no such record".
      this.#canReadMany
        ? this.#keyv.get([...keys])
        : Promise.all(keys.map((key) => this.#keyv.get(key))),
    );
  }

  async write(key: string, value: Json): Promise<void> {
    const isWritten = await reach(() => this.#keyv.set(key, value));
    if (!isWritten) throw new BotError("store-unavailable");
  }

  async remove(key: string): Promise<void> {
    await reach(() => this.#keyv.delete(key));
  }
}

/** Whatever goes wrong on the way to the store means that it cannot be reached. */
async function reach<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof BotError) throw error;
    throw new BotError("store-unavailable", { cause: error });
  }
}
