import type { Assistant } from "#domain/assistant";
import type { StoredFile } from "#domain/file";
import type { SummaryEntry, TranscriptEntry } from "#domain/thread";
import type { RunEnvironment } from "./environment.ts";
import { readFiles } from "./run-files.ts";
import type { RunWork } from "./run-work.ts";
import { type PositionedPage, pagesBackwards } from "./thread-pages.ts";

/** What came before this run, as far as the model is told. */
export interface History {
  readonly entries: readonly TranscriptEntry[];
  /** Pages that no longer fit, oldest first: to be summarised. */
  readonly overflow: readonly PositionedPage[];
  /** The summary that already stands for what is older still. */
  readonly summary: string | undefined;
}

/** About four characters a token: good enough to decide when to summarise. */
const charactersPerToken = 4;

/**
 * Reads a thread back from its newest page, by the assistant's truncation strategy. Pages are
 * whole runs, so that a tool call is never parted from its output.
 */
export async function readHistory(
  work: RunWork,
  { ledger, records }: RunEnvironment,
  contextTokens: number,
): Promise<History> {
  const { head, threadId, assistant, replaces } = work.task;
  const summary = head?.threadId === threadId ? head.summary : null;
  const kept: PositionedPage[] = [];
  const overflow: PositionedPage[] = [];
  const fits = fitting(assistant, contextTokens);
  for await (const page of pagesBackwards({ ledger, records, threadId }, summary?.upTo)) {
    if (page.ref.runId === replaces?.ref.runId) continue;
    if (overflow.length === 0 && fits(page)) kept.unshift(page);
    else if (assistant.truncation_strategy.type === "last_messages") break;
    else overflow.unshift(page);
  }
  const summaryEntry: SummaryEntry[] = summary
    ? [{ type: "summary", id: `summary/${summary.upTo}`, text: summary.text }]
    : [];
  return {
    entries: [...summaryEntry, ...kept.flatMap(({ page }) => page.entries)],
    overflow,
    summary: summary?.text,
  };
}

/** Whether a page still fits, asked from the newest page backwards. The newest always does. */
function fitting(assistant: Assistant, contextTokens: number): (page: PositionedPage) => boolean {
  const strategy = assistant.truncation_strategy;
  let used = 0;
  if (strategy.type === "last_messages") {
    return ({ page }) => {
      used += page.entries.filter(({ type }) => type === "user" || type === "assistant").length;
      return used <= strategy.last_messages;
    };
  }
  return ({ page }) => {
    const before = used;
    used += tokensOf(page.entries);
    return before === 0 || used <= contextTokens;
  };
}

/** About how many tokens a transcript takes. */
export function tokensOf(entries: readonly TranscriptEntry[]): number {
  let size = 0;
  for (const entry of entries) {
    if (entry.type === "tool-call") size += entry.arguments.length;
    else if (entry.type === "tool-output") size += entry.output.length;
    else if (entry.type === "backend") size += JSON.stringify(entry.item).length;
    else size += entry.text.length;
  }
  return size / charactersPerToken;
}

/** Descriptions of all files a transcript and an assistant name. */
export async function filesOf(
  transcript: readonly TranscriptEntry[],
  assistant: Assistant,
  { records }: Pick<RunEnvironment, "records">,
): Promise<ReadonlyMap<string, StoredFile>> {
  const ids = new Set(assistant.file_ids);
  for (const entry of transcript) {
    if ("fileIds" in entry) for (const id of entry.fileIds) ids.add(id);
  }
  if (ids.size === 0) return new Map();
  const files = await readFiles([...ids], { records });
  return new Map(files.map((file) => [file.id, file]));
}
