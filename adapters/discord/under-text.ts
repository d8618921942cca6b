import type { ReplyView, StepView } from "#domain/reply-view";
import { answeredWords, outcomeWords } from "#domain/request-words";
import type { PersonRequest, Settlement, Source } from "#domain/run-event";
import { shortened } from "#domain/shortened";
import { actionRows, type Row, requestRows } from "./buttons.ts";
import { codeBlock, escaped, link, small, toDiscord } from "./markdown.ts";

const mostSources = 5;
const mostSourceUrl = 200;
const mostNotices = 4;
const mostArguments = 900;

/** Words that stand under the text of a reply, and what can be pressed there. */
export interface Block {
  readonly text: string;
  readonly rows: readonly Row[];
}

/** Everything under the text, in order: steps, sources, what was decided, notices, questions, buttons. */
export function blocksOf(view: ReplyView): readonly Block[] {
  const isWorking = view.status === "working" || view.status === "waiting";
  return [
    ...words(isWorking ? stepLine(view) : sourcesLine(view.sources)),
    ...words(small(view.settlements.slice(-3).map(settlementWords).join("\n"))),
    ...view.notices.slice(-mostNotices).flatMap((notice) => words(noticeWords(notice))),
    ...view.requests.map((request) => ({
      text: requestWords(request),
      rows: requestRows(request),
    })),
    ...buttons(view),
  ];
}

/** What a reply without a text and without anything else to say comes to, in words. */
export function endWords({ status }: ReplyView): string {
  switch (status) {
    case "working":
    case "waiting":
      return "-# Working…";
    case "completed":
      return "-# Done, without an answer in words.";
    case "cancelled":
      return "-# Stopped.";
    case "expired":
      return "-# Expired.";
    case "failed":
    case "incomplete":
      return "-# Ended without an answer.";
  }
}

/** What is being done, in plain words and one quiet line; without arguments or output. */
function stepLine({ steps }: ReplyView): string {
  const at = steps.findLastIndex(({ status }) => status === "in_progress");
  const step = steps[at === -1 ? steps.length - 1 : at];
  if (!step) return "";
  const title = escaped(shortened(step.title.trim() || "Working", 70));
  const place = steps.length > 1 ? ` (${at === -1 ? steps.length : at + 1}/${steps.length})` : "";
  return `-# ${signOf(step)} ${title}${endOf(step)}${place}`;
}

/** Where statements come from, in one line: the number of the mark, the title, the page. */
function sourcesLine(sources: readonly Source[]): string {
  if (sources.length === 0) return "";
  const shown = sources.slice(0, mostSources).map((source, index) => {
    const page = source.page === undefined ? "" : `, page ${source.page}`;
    const isShort = source.url !== undefined && source.url.length <= mostSourceUrl;
    const title = link(escaped(shortened(source.title, 60)), isShort ? source.url : undefined);
    return `\\[${index + 1}\\] ${title}${page}`;
  });
  const left = sources.length - mostSources;
  return `-# Sources: ${[...shown, ...(left > 0 ? [`and ${left} more`] : [])].join(" · ")}`;
}

function signOf({ type }: StepView): string {
  switch (type) {
    case "file_search":
    case "web_search":
      return "🔎";
    case "code_interpreter":
      return "🧮";
    case "image_generation":
      return "🎨";
    case "reasoning":
      return "💭";
    case "message_creation":
    case "function":
    case "other":
      return "⚙️";
  }
}

function endOf({ status }: StepView): string {
  switch (status) {
    case "in_progress":
      return "…";
    case "completed":
      return ": done";
    case "failed":
      return ": did not work";
    case "cancelled":
      return ": stopped";
  }
}

function noticeWords({ kind, text }: ReplyView["notices"][number]): string {
  const shown = toDiscord(shortened(text.trim(), 1_000));
  switch (kind) {
    case "error":
      return `⚠️ ${shown}`;
    case "warning":
      return small(`⚠️ ${shown}`);
    case "info":
      return small(shown);
  }
}

function settlementWords({ outcome, byName }: Settlement): string {
  const by = byName === undefined ? "" : ` by ${escaped(shortened(byName, 80))}`;
  return `${outcomeWords[outcome]}${by}`;
}

function requestWords(request: PersonRequest): string {
  const title = `**${escaped(shortened(request.title, 150))}**`;
  const until = `-# Until <t:${Math.floor(request.expiresAtMs / 1_000)}:t>`;
  const asked =
    request.type === "approval"
      ? codeBlock(shortened(request.arguments, mostArguments))
      : toDiscord(shortened(request.form.text ?? "", mostArguments));
  const answered = request.type === "form" ? answeredWords(request) : undefined;
  return [title, asked, answered ? small(escaped(answered)) : "", until]
    .filter((line) => line !== "")
    .join("\n");
}

function words(text: string): readonly Block[] {
  return text === "" ? [] : [{ text, rows: [] }];
}

function buttons(view: ReplyView): readonly Block[] {
  const rows = actionRows(view);
  return rows.length === 0 ? [] : [{ text: "", rows }];
}
