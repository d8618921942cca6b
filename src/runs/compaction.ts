import type { SummaryEntry, TranscriptEntry, UserEntry } from "#domain/thread";
import type { ModelTurn } from "#ports/model-backend";
import { chargeTurn } from "./caps.ts";
import type { History } from "./context.ts";
import type { RunEnvironment } from "./environment.ts";
import type { RunWork } from "./run-work.ts";

const instructions =
  "Summarise the conversation so far for the assistant that will carry it on. Keep names, facts, " +
  "figures, decisions, open questions and what each person asked for. Write plain prose, no preamble.";

/** A summary longer than this is not worth its place. */
const maxSummaryTokens = 1500;

/**
 * Replaces the oldest pages by a summary from the model itself. The summary becomes part of the
 * conversation's head with the run's commit, so each page is summarised once. When no summary can
 * be had, the oldest pages are left out and the person is told.
 */
export async function summarise(
  work: RunWork,
  environment: RunEnvironment,
  { history, signal }: { history: History; signal: AbortSignal },
): Promise<readonly TranscriptEntry[]> {
  const known = work.newSummary;
  const upTo = history.overflow.at(-1)?.position ?? 0;
  if (known && known.upTo >= upTo) return withSummary(history, known);

  const stepId = `${work.task.runId}/summary/${upTo}`;
  work.tell({
    type: "step-start",
    step: { id: stepId, type: "other", title: "Summarising the older conversation" },
  });
  const text = await askForSummary(work, environment, { history, signal });
  if (text === undefined) {
    work.tell({ type: "step-end", id: stepId, status: "failed" });
    work.tell({
      type: "notice",
      notice: {
        kind: "warning",
        text: "This conversation has outgrown the model; I left its oldest part out.",
      },
    });
    return history.entries;
  }
  work.tell({ type: "step-end", id: stepId, status: "completed" });
  work.newSummary = { upTo, text };
  return withSummary(history, work.newSummary);
}

function withSummary(
  history: History,
  summary: { readonly upTo: number; readonly text: string },
): readonly TranscriptEntry[] {
  const entry: SummaryEntry = {
    type: "summary",
    id: `summary/${summary.upTo}`,
    text: summary.text,
  };
  return [entry, ...history.entries.filter(({ type }) => type !== "summary")];
}

async function askForSummary(
  work: RunWork,
  environment: RunEnvironment,
  { history, signal }: { history: History; signal: AbortSignal },
): Promise<string | undefined> {
  const older = history.overflow.flatMap(({ page }) => page.entries).map(toLine);
  const before = history.summary ? `Summary of what came before:\n${history.summary}\n\n` : "";
  const request: UserEntry = {
    type: "user",
    id: `${work.task.runId}/summary`,
    personKey: work.task.asker.key,
    author: "",
    text: before + older.filter((line) => line !== "").join("\n"),
    fileIds: [],
    createdAt: Math.floor(environment.now() / 1000),
  };
  const turn: ModelTurn = {
    runId: work.task.runId,
    turn: 0,
    conversationKey: work.task.conversationKey,
    personKey: work.task.asker.key,
    assistant: { ...work.task.assistant, tools: [] },
    instructions,
    functions: [],
    hostedTools: [],
    transcript: [request],
    files: new Map(),
    readFile: (id) => environment.files.read(id),
    readText: async () => undefined,
    maxCompletionTokens: maxSummaryTokens,
  };
  let text = "";
  for await (const event of environment.backend.stream(turn, signal)) {
    if (event.type === "text-delta") text += event.text;
    if (event.type !== "turn-end") continue;
    await chargeTurn(work, environment, event);
    if (event.result.status === "failed") return undefined;
  }
  return text.trim() === "" ? undefined : text.trim();
}

function toLine(entry: TranscriptEntry): string {
  switch (entry.type) {
    case "user":
      return `${entry.author || "Person"}: ${entry.text}`;
    case "assistant":
      return `Assistant: ${entry.text}`;
    case "tool-call":
      return `Assistant called ${entry.name}(${entry.arguments})`;
    case "tool-output":
      return `Result: ${entry.output.slice(0, 2000)}`;
    case "summary":
      return entry.text;
    case "backend":
      return "";
  }
}
