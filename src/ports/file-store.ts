/** The bytes of files, by our own file id. */
export interface FileStore {
  /**
   * Stores a stream. Throws a BotError `file-too-large` once more than maxBytes came, leaving nothing.
   * Durable when it resolves.
   */
  put(
    id: string,
    data: ReadableStream<Uint8Array>,
    maxBytes: number,
  ): Promise<{ readonly bytes: number; readonly sha256: string; readonly head: Uint8Array }>;
  /** Throws a BotError `not-found` when there is none. */
  open(id: string): Promise<ReadableStream<Uint8Array>>;
  read(id: string): Promise<Uint8Array>;
  remove(id: string): Promise<void>;
}
