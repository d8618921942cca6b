import type { WireObject } from "./wire.ts";

/** A file somebody uploaded. */
export interface DemoFile {
  readonly id: string;
  readonly name: string;
  readonly data: Uint8Array;
  readonly purpose: string;
  readonly createdAt: number;
  /** Rises with every upload, so that "newest" means something within one second. */
  readonly order: number;
}

/** A file in a container: put there by a request (`user`) or made there (`assistant`). */
export interface ContainerFile {
  readonly id: string;
  readonly path: string;
  readonly source: "user" | "assistant";
  readonly data: Uint8Array;
  readonly createdAt: number;
  readonly order: number;
}

/** A code interpreter's container; gone after 20 minutes without use, as at OpenAI. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  lastActiveMs: number;
  readonly files: Map<string, ContainerFile>;
}

export interface VectorStore {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly metadata: WireObject;
  readonly expiresAfter: WireObject | null;
  /** By file id; a file is being indexed until it was looked at once. */
  readonly files: Map<string, { readonly createdAt: number; isSettled: boolean }>;
}

/** What a response said and was told, and what that went on from. */
export interface Remembered {
  readonly items: readonly WireObject[];
  readonly before: Remembered | undefined;
}

const containerIdleMs = 20 * 60_000;

/** Bounds on what is kept; the oldest is forgotten first, which callers meet as an expired id. */
const limits = { fileBytes: 256_000_000, responses: 5_000, containers: 500, vectorStores: 2_000 };

/**
 * Everything the demo brain keeps: in memory alone, so that after a restart every id is unknown, as
 * expired ones are at the real service.
 */
export class DemoState {
  readonly now: () => number;
  readonly files = new Map<string, DemoFile>();
  readonly vectorStores = new Map<string, VectorStore>();
  readonly memories = new Map<string, Remembered>();
  readonly #containers = new Map<string, Container>();
  #order = 0;
  #fileBytes = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  newId(prefix: string): string {
    return `${prefix}_${crypto.randomUUID().replaceAll("-", "")}`;
  }

  seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  addFile(file: { name: string; data: Uint8Array; purpose: string }): DemoFile {
    this.#order += 1;
    const stored = {
      ...file,
      // OpenAI's own file ids have a hyphen.
      id: this.newId("file").replace("_", "-"),
      createdAt: this.seconds(),
      order: this.#order,
    };
    this.files.set(stored.id, stored);
    this.#fileBytes += stored.data.byteLength;
    for (const oldest of this.files.values()) {
      if (this.#fileBytes <= limits.fileBytes || oldest === stored) break;
      this.removeFile(oldest.id);
    }
    return stored;
  }

  removeFile(id: string): boolean {
    const file = this.files.get(id);
    if (!file) return false;
    this.#fileBytes -= file.data.byteLength;
    for (const store of this.vectorStores.values()) store.files.delete(id);
    return this.files.delete(id);
  }

  addContainer(name: string): Container {
    const container: Container = {
      id: this.newId("cntr"),
      name,
      createdAt: this.seconds(),
      lastActiveMs: this.now(),
      files: new Map(),
    };
    this.#containers.set(container.id, container);
    forgetOldest(this.#containers, limits.containers);
    return container;
  }

  /** Undefined when it is unknown or expired; otherwise it counts as used. */
  container(id: string): Container | undefined {
    const container = this.#containers.get(id);
    if (!container) return undefined;
    if (this.now() - container.lastActiveMs > containerIdleMs) {
      this.#containers.delete(id);
      return undefined;
    }
    container.lastActiveMs = this.now();
    return container;
  }

  get containers(): readonly Container[] {
    return [...this.#containers.values()];
  }

  removeContainer(id: string): boolean {
    return this.#containers.delete(id);
  }

  addContainerFile(
    container: Container,
    file: Pick<ContainerFile, "path" | "source" | "data">,
  ): ContainerFile {
    this.#order += 1;
    const stored = {
      ...file,
      id: this.newId("cfile"),
      createdAt: this.seconds(),
      order: this.#order,
    };
    // A file written again takes the place of the one before.
    for (const old of container.files.values()) {
      if (old.path === stored.path) container.files.delete(old.id);
    }
    container.files.set(stored.id, stored);
    return stored;
  }

  addVectorStore(store: Pick<VectorStore, "name" | "metadata" | "expiresAfter">): VectorStore {
    const stored = {
      ...store,
      id: this.newId("vs"),
      createdAt: this.seconds(),
      files: new Map(),
    };
    this.vectorStores.set(stored.id, stored);
    forgetOldest(this.vectorStores, limits.vectorStores);
    return stored;
  }

  remember(responseId: string, memory: Remembered): void {
    this.memories.set(responseId, memory);
    forgetOldest(this.memories, limits.responses);
  }
}

/** A Map keeps the order of insertion. */
export function forgetOldest<Value>(map: Map<string, Value>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
