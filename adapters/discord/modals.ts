import {
  type APIModalInteractionResponseCallbackData,
  ComponentType,
  type ModalSubmitFields,
  TextInputStyle,
} from "discord.js";
import type { AskedForm } from "#domain/run-event";
import { shortened } from "#domain/shortened";
import type { FormAnswers, FormField } from "#domain/tool";
import { customIdOf } from "./control-ids.ts";

/** Discord's limits of a modal (docs.discord.com/developers/components/reference). */
const mostTitle = 45;
const mostLabel = 45;
const mostDescription = 100;
const mostFields = 5;
const mostText = 4_000;
const mostReason = 1_000;
const reasonId = "reason";

type ModalData = APIModalInteractionResponseCallbackData;

/** Why an answer was bad; its `custom_id` is that of the button. */
export function feedbackModal(runId: string): ModalData {
  return {
    custom_id: idOf("bad", runId),
    title: "What was wrong?",
    components: [
      {
        type: ComponentType.Label,
        label: "What should have been different?",
        component: {
          type: ComponentType.TextInput,
          custom_id: reasonId,
          style: TextInputStyle.Paragraph,
          required: false,
          max_length: mostReason,
        },
      },
    ],
  };
}

/** What was written into {@link feedbackModal}. */
export function reasonIn(fields: ModalSubmitFields): string | undefined {
  return fields.getTextInputValue(reasonId).trim() || undefined;
}

/** A tool's questions. Only the request's id goes with it. */
export function formModal({ id, form }: AskedForm): ModalData {
  return {
    custom_id: idOf("form", id),
    title: shortened(form.title || "Question", mostTitle),
    components: form.fields.slice(0, mostFields).map((field, index) => ({
      type: ComponentType.Label,
      ...labelOf(field),
      component:
        field.type === "choice" && (field.choices ?? []).length > 0
          ? {
              type: ComponentType.StringSelect,
              custom_id: `field${index}`,
              required: !field.optional,
              options: (field.choices ?? []).slice(0, 25).map((choice, at) => ({
                label: shortened(choice, 100),
                value: String(at),
              })),
            }
          : {
              type: ComponentType.TextInput,
              custom_id: `field${index}`,
              style: TextInputStyle.Paragraph,
              required: !field.optional,
              max_length: mostText,
            },
    })),
  };
}

/** The answers in a submitted {@link formModal}; `missing`: labels of what was left blank. */
export function answersIn(
  fields: ModalSubmitFields,
  { form }: AskedForm,
): { readonly answers: FormAnswers; readonly missing: readonly string[] } {
  const answers: { [id: string]: string } = {};
  const missing: string[] = [];
  for (const [index, field] of form.fields.slice(0, mostFields).entries()) {
    const given = fields.fields.get(`field${index}`);
    const answer =
      given?.type === ComponentType.StringSelect
        ? field.choices?.[Number(given.values[0])]
        : given?.type === ComponentType.TextInput
          ? given.value.trim()
          : undefined;
    if (answer || field.optional) answers[field.id] = answer ?? "";
    else missing.push(field.label || field.id);
  }
  return { answers, missing };
}

/** A long label goes on in the description under it. */
function labelOf({ label, id }: FormField): {
  readonly label: string;
  readonly description?: string;
} {
  const words = label || id;
  if (words.length <= mostLabel) return { label: words };
  return {
    label: shortened(words, mostLabel),
    description: shortened(words, mostDescription),
  };
}

function idOf(type: "bad" | "form", id: string): string {
  const customId = customIdOf({ type, id });
  if (customId === undefined) throw new RangeError(`${type}: the id is too long`);
  return customId;
}
