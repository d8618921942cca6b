/** Texts as vectors, and what it took. */
export interface Embedded {
  /** One for each text, in order, all of the same length. */
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
}

/** Makes vectors of texts: what means the same lies near. Present only where a model for it is set. */
export interface Embedder {
  readonly model: string;
  /** Throws a BotError with the reason in words when the service refuses or cannot be reached. */
  embed(texts: readonly string[], signal: AbortSignal): Promise<Embedded>;
}
