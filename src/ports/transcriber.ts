/** A recording, as somebody sent it. */
export interface Recording {
  readonly name: string;
  readonly mimeType: string;
  readonly data: Uint8Array;
}

/** Writes down what is said in recordings. Present only where something can. */
export interface Transcriber {
  /** The words, blank when nothing is said. Throws a BotError with the reason in words. */
  transcribe(recording: Recording, signal: AbortSignal): Promise<string>;
}
