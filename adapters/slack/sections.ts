import type { CommandAnswer } from "#domain/command";
import type { ReplyAction, ReplyView, StepView } from "#domain/reply-view";
import { answeredWords, outcomeWords } from "#domain/request-words";
import type { FormRequest, PersonRequest, Settlement, Source } from "#domain/run-event";
import { shortened } from "#domain/shortened";
import { escaped, toMrkdwn } from "./markdown.ts";

/** A block as Slack takes it; the SDK's types do not know all of them. */
export type Block = { readonly type: string; readonly [name: string]: unknown };

/** A button's action id begins with one of these; its value is the id of a run or a request. */
export const actionIds = {
  press: "bobbin_press:",
  feedback: "bobbin_feedback",
  approve: "bobbin_approve",
  decline: "bobbin_decline",
  form: "bobbin_form",
  finish: "bobbin_finish",
  command: "bobbin_command:",
  settings: "bobbin_settings_of",
  words: "bobbin_words:",
} as const;

const mostSources = 5;
const mostNotices = 4;
const mostTitle = 150;

/** What stands under the text of a reply: sources, notices, questions, and what can be pressed. */
export function sectionsOf(view: ReplyView): readonly Block[] {
  return [
    ...view.sources.slice(0, 1).map(() => sourcesBlock(view.sources)),
    ...view.settlements.slice(-3).map(settlementBlock),
    ...view.notices.slice(-mostNotices).map(noticeBlock),
    ...view.requests.flatMap(requestBlocks),
    ...actionBlocks(view),
  ];
}

/** The same, with a button to stop while the reply is worked on, for messages that are no streams. */
export function workingSections(view: ReplyView): readonly Block[] {
  const steps = stepsBlock(view);
  return [...(steps ? [steps] : []), ...sectionsOf(view)];
}

/** What was and is being done, in plain words and one line; without arguments or output. */
function stepsBlock(view: ReplyView): Block | undefined {
  if (view.steps.length === 0) return undefined;
  const shown = view.steps.slice(-6).map((step) => `${markOf(step)} ${escaped(titleOf(step))}`);
  const left = view.steps.length - 6;
  const lead = left > 0 ? [`✓ ${left} more`] : [];
  return context([...lead, ...shown].join("  ·  "));
}

/** A step's words, short enough for a task card (256 documented, 150 kept to). */
export function titleOf(step: StepView, most: number = mostTitle): string {
  return shortened(step.title.replace(/\s+/g, " ").trim() || "Working", most);
}

/** The answer to a command or a press, for one person. */
export function answerBlocks(answer: CommandAnswer): readonly Block[] {
  const text = toMrkdwn(answer.text);
  const sections: Block[] = [];
  for (let rest = text; rest.length > 0 && sections.length < 20; ) {
    const line = rest.length <= 2_900 ? rest.length : rest.lastIndexOf("\n", 2_900) + 1 || 2_900;
    sections.push(section(rest.slice(0, line)));
    rest = rest.slice(line);
  }
  const buttons = (answer.choices ?? []).slice(0, 20).map(({ label, command }, index) => ({
    type: "button",
    action_id: `${actionIds.command}${index}`,
    text: plain(shortened(label, 75)),
    value: command.slice(0, 2_000),
  }));
  return buttons.length === 0 ? sections : [...sections, { type: "actions", elements: buttons }];
}

/** Words with one button under them, for one person. */
export function offerBlocks(offer: {
  readonly words: string;
  readonly label: string;
  readonly action: ReplyAction;
  readonly runId: string;
}): readonly Block[] {
  const button = pressButton(offer.action, offer.runId);
  return [section(escaped(offer.words)), { type: "actions", elements: [button] }];
}

export function section(mrkdwn: string): Block {
  return { type: "section", text: { type: "mrkdwn", text: mrkdwn }, expand: true };
}

export function context(mrkdwn: string): Block {
  return { type: "context", elements: [{ type: "mrkdwn", text: mrkdwn.slice(0, 3_000) }] };
}

export function plain(text: string) {
  return { type: "plain_text", text, emoji: false } as const;
}

function markOf({ status }: StepView): string {
  switch (status) {
    case "in_progress":
      return "…";
    case "completed":
      return "✓";
    case "failed":
    case "cancelled":
      return "✗";
  }
}

function sourcesBlock(sources: readonly Source[]): Block {
  const shown = sources.slice(0, mostSources).map((source, index) => {
    const page = source.page === undefined ? "" : `, page ${source.page}`;
    const title = escaped(shortened(source.title, 75)).replaceAll("|", "/");
    const isLink = source.url !== undefined && /^https?:\/\/[^\s<>|]+$/.test(source.url);
    return `[${index + 1}] ${isLink ? `<${source.url}|${title}>` : title}${page}`;
  });
  const left = sources.length - mostSources;
  const more = left > 0 ? [`and ${left} more`] : [];
  return context(`*Sources*  ${[...shown, ...more].join("  ·  ")}`);
}

function noticeBlock({ kind, text }: ReplyView["notices"][number]): Block {
  const words = toMrkdwn(shortened(text, 1_000));
  switch (kind) {
    case "error":
      return section(`:warning: ${words}`);
    case "warning":
      return context(`:warning: ${words}`);
    case "info":
      return context(words);
  }
}

function settlementBlock({ outcome, byName }: Settlement): Block {
  const by = byName === undefined ? "" : ` by ${escaped(shortened(byName, 80))}`;
  return context(`${outcomeWords[outcome]}${by}`);
}

function requestBlocks(request: PersonRequest): readonly Block[] {
  const title = `*${escaped(shortened(request.title, 200))}*`;
  const until = `<!date^${Math.floor(request.expiresAtMs / 1_000)}^Until {time}|For a limited time>`;
  switch (request.type) {
    case "approval":
      return [
        section(`${title}\n${escaped(shortened(request.arguments, 1_500))}`),
        {
          type: "actions",
          elements: [
            button(actionIds.approve, "Approve", request.id, "primary"),
            button(actionIds.decline, "Decline", request.id, "danger"),
          ],
        },
        context(until),
      ];
    case "form":
      return [
        section(
          `${title}${request.form.text ? `\n${escaped(shortened(request.form.text, 1_000))}` : ""}`,
        ),
        {
          type: "actions",
          elements: [
            button(actionIds.form, "Answer", request.id, "primary"),
            request.form.everyone
              ? button(actionIds.finish, "Finish", request.id)
              : button(actionIds.decline, "Decline", request.id),
          ],
        },
        ...answeredBlocks(request),
        context(until),
      ];
  }
}

function answeredBlocks(request: FormRequest): readonly Block[] {
  const words = answeredWords(request);
  return words === undefined ? [] : [context(escaped(words))];
}

const actionWords: { readonly [A in Exclude<ReplyAction, "feedback">]: string } = {
  stop: "Stop",
  retry: "Try again",
  continue: "Continue",
  "answer-new-version": "Answer the new version",
};

function actionBlocks(view: ReplyView): readonly Block[] {
  const buttons = view.actions.flatMap((action) =>
    action === "feedback" ? [] : [pressButton(action, view.runId)],
  );
  return [
    ...(buttons.length > 0 ? [{ type: "actions", elements: buttons }] : []),
    ...(view.actions.includes("feedback") ? [feedbackBlock(view.runId)] : []),
  ];
}

function pressButton(action: ReplyAction, runId: string) {
  const words = action === "feedback" ? "Feedback" : actionWords[action];
  return button(`${actionIds.press}${action}`, words, runId);
}

function feedbackBlock(runId: string): Block {
  return {
    type: "context_actions",
    elements: [
      {
        type: "feedback_buttons",
        action_id: actionIds.feedback,
        positive_button: {
          text: plain("Good answer"),
          value: `good ${runId}`,
          accessibility_label: "Say that this answer was good",
        },
        negative_button: {
          text: plain("Bad answer"),
          value: `bad ${runId}`,
          accessibility_label: "Say that this answer was bad, and why",
        },
      },
    ],
  };
}

function button(actionId: string, words: string, value: string, style?: "primary" | "danger") {
  return {
    type: "button",
    action_id: actionId,
    text: plain(words),
    value,
    ...(style ? { style } : {}),
  };
}
