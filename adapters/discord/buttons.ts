import {
  type APIActionRowComponent,
  type APIButtonComponentWithCustomId,
  type APIComponentInMessageActionRow,
  ButtonStyle,
  ComponentType,
} from "discord.js";
import type { ReplyAction, ReplyView } from "#domain/reply-view";
import type { FormRequest, PersonRequest } from "#domain/run-event";
import { shortened } from "#domain/shortened";
import { type Control, customIdOf } from "./control-ids.ts";

/** A row under a message: up to five buttons, or one select. */
export type Row = APIActionRowComponent<APIComponentInMessageActionRow>;

/** Discord's limits of a select (docs.discord.com/developers/components/reference). */
const mostOptions = 25;
const mostOptionLabel = 100;
const mostPlaceholder = 150;
/** And of buttons. */
const perRow = 5;
const mostButtons = 25;
const mostLabel = 80;

const words: { readonly [A in Exclude<ReplyAction, "feedback">]: string } = {
  stop: "Stop",
  retry: "Retry",
  continue: "Continue",
  "answer-new-version": "Answer the new version",
};

/** What can be done with a reply, in one row; none when there is nothing. */
export function actionRows({ actions, runId }: ReplyView): readonly Row[] {
  const buttons = actions.flatMap((action) =>
    action === "feedback" ? feedbackButtons(runId) : [pressButton(action, runId)],
  );
  return rowsOf(buttons);
}

/** One action with its button, for words that offer it. */
export function pressButton(
  action: Exclude<ReplyAction, "feedback">,
  runId: string,
): APIButtonComponentWithCustomId {
  const style = action === "continue" ? ButtonStyle.Primary : ButtonStyle.Secondary;
  return button({ type: "press", action, id: runId }, words[action], style);
}

/** Commands that are offered next, in rows of five; one too long for a button's id is left out. */
export function commandButtons(
  choices: readonly { readonly label: string; readonly command: string }[],
): readonly Row[] {
  const buttons = choices.flatMap(({ label, command }) => {
    const control: Control = { type: "command", id: command };
    return customIdOf(control) === undefined ? [] : [button(control, shortened(label, mostLabel))];
  });
  const rows: Row[] = [];
  for (let from = 0; from < Math.min(buttons.length, mostButtons); from += perRow) {
    rows.push(row(buttons.slice(from, from + perRow)));
  }
  return rows;
}

/** The safe answer to a question somebody else waits behind. */
export function declineRows(requestId: string): readonly Row[] {
  return rowsOf([button({ type: "decline", id: requestId }, "Decline and answer me")]);
}

/**
 * What a question is answered with: a form of one choice in place, a longer one in a modal.
 * The ids carry the question's and nothing else, so they are good after a restart.
 */
export function requestRows(request: PersonRequest): readonly Row[] {
  const { id } = request;
  const decline = button({ type: "decline", id }, "Decline", ButtonStyle.Danger);
  switch (request.type) {
    case "approval":
      return rowsOf([button({ type: "approve", id }, "Approve", ButtonStyle.Success), decline]);
    case "form": {
      const end = request.form.everyone ? button({ type: "finish", id }, "Finish") : decline;
      const select = choiceSelect(request);
      if (select) return [row([select]), ...rowsOf([end])];
      return rowsOf([button({ type: "form", id }, "Answer", ButtonStyle.Primary), end]);
    }
  }
}

/** What was chosen in the select of a form of one choice, as its answers; undefined for no such form. */
export function chosenAnswers(
  { form }: Pick<FormRequest, "form">,
  values: readonly string[],
): { readonly [fieldId: string]: string } | undefined {
  const [field] = form.fields;
  const answer = field?.choices?.[Number(values[0])];
  return field && answer !== undefined ? { [field.id]: answer } : undefined;
}

function choiceSelect({ id, form }: FormRequest): APIComponentInMessageActionRow | undefined {
  const [field, ...others] = form.fields;
  const choices = field?.choices ?? [];
  // A select in a message cannot be sent empty: what may be left blank is asked in a modal.
  const isAsked = field?.type === "choice" && field.optional !== true;
  const isChoice = isAsked && choices.length > 0 && choices.length <= mostOptions;
  const customId = customIdOf({ type: "form", id });
  if (!isChoice || others.length > 0 || customId === undefined) return undefined;
  return {
    type: ComponentType.StringSelect,
    custom_id: customId,
    placeholder: shortened(field.label || "Choose", mostPlaceholder),
    options: choices.map((choice, index) => ({
      label: shortened(choice, mostOptionLabel),
      value: String(index),
    })),
  };
}

/** The thumbs say the same as their words, for who does not see them. */
function feedbackButtons(runId: string): readonly APIButtonComponentWithCustomId[] {
  return [
    { ...button({ type: "good", id: runId }, "Good answer"), emoji: { name: "👍" } },
    { ...button({ type: "bad", id: runId }, "Bad answer"), emoji: { name: "👎" } },
  ];
}

function button(
  control: Control,
  label: string,
  style: APIButtonComponentWithCustomId["style"] = ButtonStyle.Secondary,
): APIButtonComponentWithCustomId {
  const customId = customIdOf(control);
  if (customId === undefined) throw new RangeError(`${control.type}: the id is too long`);
  return { type: ComponentType.Button, style, label, custom_id: customId };
}

function rowsOf(buttons: readonly APIButtonComponentWithCustomId[]): readonly Row[] {
  return buttons.length === 0 ? [] : [row(buttons.slice(0, 5))];
}

export function row(components: readonly APIComponentInMessageActionRow[]): Row {
  return { type: ComponentType.ActionRow, components: [...components] };
}
