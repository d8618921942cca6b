import { BotError, messageOf, sentence } from "./domain/errors.ts";

/** What an admin can use of an error: its words, and those of its cause where ours say little. */
export function wordsOf(error: unknown): string {
  if (error instanceof BotError) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
    return `${sentence(error.code, error.detail)}${cause}`;
  }
  return messageOf(error);
}
