import { z } from "zod";
import type { Form, FormField } from "#domain/tool";
import { defineTool } from "./define-tool.ts";

/** Five fields are what one modal takes on Discord; 25 choices what one select takes there. */
const limits = { fields: 5, choices: 25 } as const;

/** Asks the person something with controls instead of prose, and waits for the answer. */
export const askForm = defineTool({
  name: "ask_form",
  title: "Asking a question",
  description:
    "Asks the person a short form and returns the answers by field id. Use it when you need a decision among given choices (buttons) or a few details at once; for an open question just ask in text. With `everyone` it is a poll: all who take part may answer, and the answers come back by person.",
  schema: z.object({
    title: z.string().min(1).max(100),
    text: z.string().max(1_000).optional().describe("An introduction above the fields."),
    everyone: z
      .boolean()
      .optional()
      .describe("True: everybody who talks here may answer, once each."),
    fields: z
      .array(
        z.object({
          id: z.string().regex(/^[a-zA-Z0-9_-]{1,40}$/),
          label: z.string().min(1).max(100),
          choices: z
            .array(z.string().min(1).max(80))
            .min(2)
            .max(limits.choices)
            .optional()
            .describe("What can be picked; leave out for free text."),
          optional: z.boolean().optional().describe("True: it may be left blank."),
        }),
      )
      .min(1)
      .max(limits.fields),
  }),
  idempotent: true,
  timeoutMs: 5_000,
  run(form, { answers, asked }) {
    if (asked && form.everyone) {
      const people = asked.people.map(({ personName, answers: given }) => ({
        name: personName,
        answers: given,
      }));
      return JSON.stringify({ closed: asked.ended, people });
    }
    if (answers) return JSON.stringify({ answers });
    const repeated = form.fields.find(
      (field, i) => form.fields.findIndex(({ id }) => id === field.id) !== i,
    );
    if (repeated) return `Two fields have the id \`${repeated.id}\`.`;
    return { type: "ask", form: toForm(form) };
  },
});

function toForm(form: {
  readonly title: string;
  readonly text?: string | undefined;
  readonly everyone?: boolean | undefined;
  readonly fields: readonly {
    readonly id: string;
    readonly label: string;
    readonly choices?: readonly string[] | undefined;
    readonly optional?: boolean | undefined;
  }[];
}): Form {
  const fields = form.fields.map(({ id, label, choices, optional }): FormField => {
    const about = { id, label, ...(optional ? { optional } : {}) };
    return choices
      ? { ...about, type: "choice", choices: [...new Set(choices)] }
      : { ...about, type: "text" };
  });
  return {
    title: form.title,
    ...(form.text ? { text: form.text } : {}),
    ...(form.everyone ? { everyone: true } : {}),
    fields,
  };
}
