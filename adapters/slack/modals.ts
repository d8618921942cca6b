import type { AskedForm } from "#domain/run-event";
import { shortened } from "#domain/shortened";
import type { FormAnswers } from "#domain/tool";
import { plain } from "./sections.ts";

const mostTitle = 24;
const mostReason = 1_000;
const mostOptions = 100;

/** Why an answer was bad. */
export function feedbackModal(runId: string) {
  return {
    type: "modal",
    callback_id: "bobbin_feedback",
    private_metadata: runId,
    title: plain("What was wrong?"),
    submit: plain("Send"),
    close: plain("Cancel"),
    blocks: [
      {
        type: "input",
        block_id: "reason",
        optional: true,
        label: plain("What should have been different?"),
        element: {
          type: "plain_text_input",
          action_id: "reason",
          multiline: true,
          max_length: mostReason,
        },
      },
    ],
  };
}

/** What was written into {@link feedbackModal}. */
export function reasonIn(view: unknown): string | undefined {
  return valuesOf(view).reason?.reason?.value?.trim() || undefined;
}

/** A tool's questions. Only the request's id goes with it. */
export function formModal({ id, form }: AskedForm) {
  return {
    type: "modal",
    callback_id: "bobbin_form",
    private_metadata: id,
    title: plain(shortened(form.title || "Question", mostTitle)),
    submit: plain("Send"),
    close: plain("Cancel"),
    blocks: form.fields.map((field, index) => ({
      type: "input",
      block_id: `field${index}`,
      ...(field.optional ? { optional: true } : {}),
      label: plain(shortened(field.label || field.id, 2_000)),
      element:
        field.type === "choice" && (field.choices ?? []).length > 0
          ? {
              type: "static_select",
              action_id: "answer",
              options: (field.choices ?? []).slice(0, mostOptions).map((choice, at) => ({
                text: plain(shortened(choice, 75)),
                value: String(at),
              })),
            }
          : { type: "plain_text_input", action_id: "answer", multiline: true, max_length: 3_000 },
    })),
  };
}

/** The answers in a submitted {@link formModal}, and what is wrong with them by block. */
export function answersIn(
  view: unknown,
  { form }: AskedForm,
): { readonly answers: FormAnswers; readonly errors: { readonly [blockId: string]: string } } {
  const values = valuesOf(view);
  const answers: { [id: string]: string } = {};
  const errors: { [blockId: string]: string } = {};
  for (const [index, field] of form.fields.entries()) {
    const given = values[`field${index}`]?.answer;
    const chosen = given?.selected_option?.value;
    const answer = chosen === undefined ? given?.value?.trim() : field.choices?.[Number(chosen)];
    if (answer || field.optional) answers[field.id] = answer ?? "";
    else errors[`field${index}`] = "Please answer this.";
  }
  return { answers, errors };
}

interface Given {
  readonly value?: string | null;
  readonly selected_option?: { readonly value: string } | null;
}

function valuesOf(view: unknown): {
  readonly [block: string]: { readonly [action: string]: Given };
} {
  const { state } = view as {
    readonly state?: {
      readonly values?: { readonly [block: string]: { readonly [action: string]: Given } };
    };
  };
  return state?.values ?? {};
}
