import type { TranscriptEntry } from "#domain/thread";

/** A conversation that a person has taken over: the bot is silent there until it is given back. */
export interface HandedOver {
  readonly atMs: number;
  /** The call that asked for it: asked again, it changes nothing. */
  readonly callId: string;
  readonly reason: string;
}

/** What people who take over read of what was said, as Markdown. Tools' work is left out. */
export function transcriptOf(entries: readonly TranscriptEntry[]): string {
  return entries.flatMap(wordsOf).join("\n\n---\n\n");
}

function wordsOf(entry: TranscriptEntry): readonly string[] {
  switch (entry.type) {
    case "user":
      return [`**${entry.author}** (${timeOf(entry.createdAt)}):\n\n${entry.text}`];
    case "assistant":
      return [`**Bot** (${timeOf(entry.createdAt)}):\n\n${entry.text}`];
    case "summary":
      return [`*What was said before, in short:* ${entry.text}`];
    case "tool-call":
    case "tool-output":
    case "backend":
      return [];
  }
}

function timeOf(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
