import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import type { RecordStore } from "#ports/record-store";

/** Makes the next version of a record, whatever the key says it is. */
export type Migration = (key: string, record: Json) => Json;

/**
 * What makes version n + 1 of version n stands at place n; add one at the end when a record changes its
 * shape. Records without a version are 0: from before versions were written.
 */
const migrations: readonly Migration[] = [(_key, record) => record];

/**
 * Writes records with their version, and migrates older ones when they are read: nothing has to be
 * rewritten at an upgrade, and old and new processes can work side by side while it goes on. What a
 * newer process wrote is out of reach (`store-unavailable`): that process answers it.
 */
export function createVersionedRecords(
  store: RecordStore,
  steps: readonly Migration[] = migrations,
): RecordStore {
  const toCurrent = (key: string, stored: Json | undefined): Json | undefined => {
    if (stored === undefined) return undefined;
    const { version, record } = isVersioned(stored)
      ? { version: stored.$version, record: stored.record }
      : { version: 0, record: stored };
    if (version > steps.length) {
      throw new BotError("store-unavailable", {
        detail: `A record has version ${version}; this Bobbin reads up to ${steps.length}.`,
      });
    }
    return steps.slice(version).reduce((older, step) => step(key, older), record);
  };
  return {
    read: async (key) => toCurrent(key, await store.read(key)),
    readMany: async (keys) => {
      const stored = await store.readMany(keys);
      return keys.map((key, index) => toCurrent(key, stored[index]));
    },
    write: (key, record) => store.write(key, { $version: steps.length, record }),
    remove: (key) => store.remove(key),
  };
}

function isVersioned(stored: Json): stored is { readonly $version: number; readonly record: Json } {
  return (
    typeof stored === "object" &&
    stored !== null &&
    "$version" in stored &&
    typeof stored.$version === "number"
  );
}
