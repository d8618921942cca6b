import type { FormRequest, Settlement } from "#domain/run-event";

const namedPeople = 5;

/** How a request ended, in a word. */
export const outcomeWords: { readonly [O in Settlement["outcome"]]: string } = {
  approved: "Approved",
  declined: "Declined",
  answered: "Answered",
  expired: "Expired",
  withdrawn: "Withdrawn",
};

/** Who may answer a form to everyone and who has; undefined for a form to one person. */
export function answeredWords({ form, answered = [] }: FormRequest): string | undefined {
  if (form.everyone !== true) return undefined;
  if (answered.length === 0) return "Everybody here may answer, once each.";
  return `Everybody here may answer, once each. Answered by ${listOfNames(answered.map(({ name }) => name))}.`;
}

/** `Ada, Grace and Linus`; of many the first, and how many more. */
export function listOfNames(names: readonly string[]): string {
  const shown = names.slice(0, namedPeople);
  const left = names.length - shown.length;
  const parts = left > 0 ? [...shown, `${left} more`] : shown;
  const last = parts.at(-1) ?? "";
  return parts.length < 2 ? last : `${parts.slice(0, -1).join(", ")} and ${last}`;
}
