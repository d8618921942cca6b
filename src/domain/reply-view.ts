import type { RunEndStatus, StepStatus, StepType } from "#domain/run";
import type {
  Notice,
  PersonRequest,
  ReplyFile,
  RunEvent,
  Settlement,
  Source,
} from "#domain/run-event";

export interface StepView {
  readonly id: string;
  readonly type: StepType;
  readonly title: string;
  readonly status: StepStatus;
  /** Code, query or arguments. Platforms that show steps to everybody leave it out. */
  readonly input: string;
  readonly output: string;
}

/** What a person may do with a reply. Controls carry the run's id and nothing else. */
export type ReplyAction = "stop" | "retry" | "continue" | "answer-new-version" | "feedback";

/**
 * Everything a person sees of a reply at one moment.
 *
 * The text only grows unless `revision` rises: then what was shown is rewritten in place.
 */
export interface ReplyView {
  readonly runId: string;
  readonly revision: number;
  readonly status: "working" | "waiting" | RunEndStatus;
  /** CommonMark + GFM, with `[1]` marks that point into `sources`. */
  readonly text: string;
  readonly steps: readonly StepView[];
  readonly sources: readonly Source[];
  readonly files: readonly ReplyFile[];
  /** What a person still has to decide. */
  readonly requests: readonly PersonRequest[];
  readonly settlements: readonly Settlement[];
  readonly notices: readonly Notice[];
  readonly actions: readonly ReplyAction[];
  /** How much there was of everything when the current turn began: where a restart goes back to. */
  readonly turnStart: {
    readonly text: number;
    readonly steps: number;
    readonly sources: number;
    readonly files: number;
  };
  /** True: the message it answered is gone, so the reply disappears. */
  readonly removed: boolean;
}

/** The view of a run that has shown nothing yet. */
export function emptyView(runId: string): ReplyView {
  return {
    runId,
    revision: 0,
    status: "working",
    text: "",
    steps: [],
    sources: [],
    files: [],
    requests: [],
    settlements: [],
    notices: [],
    actions: ["stop"],
    turnStart: { text: 0, steps: 0, sources: 0, files: 0 },
    removed: false,
  };
}

/** Folds one event into the view. Pure; its cost does not grow with the text. */
export function applyEvent(view: ReplyView, event: RunEvent): ReplyView {
  switch (event.type) {
    case "turn-start":
      return { ...view, turnStart: marksOf(view) };
    case "turn-restart":
      return {
        ...view,
        revision: view.revision + 1,
        text: view.text.slice(0, view.turnStart.text),
        steps: view.steps.slice(0, view.turnStart.steps),
        sources: view.sources.slice(0, view.turnStart.sources),
        files: view.files.slice(0, view.turnStart.files),
      };
    case "text-delta":
      return { ...view, text: view.text + paragraphBreak(view) + event.text };
    case "citation":
      return withCitation(view, event.source);
    case "step-start":
      return {
        ...view,
        steps: [...view.steps, { ...event.step, status: "in_progress", input: "", output: "" }],
      };
    case "step-delta":
      return withStep(view, event.id, (step) => ({
        ...step,
        input: step.input + (event.input ?? ""),
        output: step.output + (event.output ?? ""),
        title: event.title ?? step.title,
      }));
    case "step-end":
      return withStep(view, event.id, (step) => ({
        ...step,
        status: event.status,
        title: event.title ?? step.title,
      }));
    case "file-ready":
      return { ...view, files: [...view.files, event.file] };
    case "approval-request":
    case "form-request":
      return { ...view, status: "waiting", requests: [...view.requests, event.request] };
    case "request-answered":
      return {
        ...view,
        requests: view.requests.map((request) =>
          request.type === "form" && request.id === event.requestId
            ? { ...request, answered: event.answered }
            : request,
        ),
      };
    case "request-settled":
      return withSettlement(view, event.settlement);
    case "usage":
      return view;
    case "notice":
      return { ...view, notices: [...view.notices, event.notice] };
    case "run-end":
      return ended(view, event);
  }
}

function marksOf(view: ReplyView): ReplyView["turnStart"] {
  return {
    text: view.text.length,
    steps: view.steps.length,
    sources: view.sources.length,
    files: view.files.length,
  };
}

/** What a later turn says begins a paragraph of its own. */
function paragraphBreak(view: ReplyView): string {
  if (view.text.length === 0 || view.text.length !== view.turnStart.text) return "";
  return view.text.endsWith("\n\n") ? "" : "\n\n";
}

function withCitation(view: ReplyView, source: Source): ReplyView {
  const known = view.sources.findIndex((other) => isSameSource(other, source));
  const sources = known === -1 ? [...view.sources, source] : view.sources;
  const mark = `[${known === -1 ? sources.length : known + 1}]`;
  return { ...view, sources, text: view.text.endsWith(mark) ? view.text : `${view.text}${mark}` };
}

function isSameSource(a: Source, b: Source): boolean {
  return a.url === b.url && a.fileId === b.fileId && a.page === b.page && a.title === b.title;
}

function withStep(view: ReplyView, id: string, change: (step: StepView) => StepView): ReplyView {
  return { ...view, steps: view.steps.map((step) => (step.id === id ? change(step) : step)) };
}

function withSettlement(view: ReplyView, settlement: Settlement): ReplyView {
  const requests = view.requests.filter((request) => request.id !== settlement.requestId);
  return {
    ...view,
    status: requests.length > 0 ? "waiting" : "working",
    requests,
    settlements: [...view.settlements, settlement],
  };
}

function ended(view: ReplyView, end: Extract<RunEvent, { type: "run-end" }>): ReplyView {
  const notices: readonly Notice[] = end.error
    ? [...view.notices, { kind: "error", text: end.error.message }]
    : view.notices;
  return {
    ...view,
    status: end.status,
    requests: [],
    notices,
    actions: [
      ...actionsAfter(end.status),
      ...view.actions.filter((action) => action === "answer-new-version"),
    ],
    steps: view.steps.map((step) =>
      step.status === "in_progress" ? { ...step, status: "cancelled" } : step,
    ),
  };
}

function actionsAfter(status: RunEndStatus): readonly ReplyAction[] {
  switch (status) {
    case "completed":
      return ["feedback"];
    case "incomplete":
      return ["continue", "feedback"];
    case "cancelled":
    case "expired":
    case "failed":
      return ["retry"];
  }
}
