import type { ReplyAction } from "#domain/reply-view";

/** What a button, select or modal does, and to what: all that its id carries. */
export type Control =
  /** To a run. */
  | (Of<"press"> & { readonly action: Exclude<ReplyAction, "feedback"> })
  | Of<"good">
  | Of<"bad">
  /** To a question to a person. */
  | Of<"approve">
  | Of<"decline">
  | Of<"form">
  | Of<"finish">
  /** `id` is the text after `/assistant`. */
  | Of<"command">
  /** `id` is the command of a settings panel's field, or `panel` for the choice among them. */
  | Of<"setting">
  /** `id` is that of what somebody is about to ask. */
  | Of<"ask">;

interface Of<T extends string> {
  readonly type: T;
  readonly id: string;
}

const actions = ["stop", "retry", "continue", "answer-new-version"] as const;
const types = [
  "good",
  "bad",
  "approve",
  "decline",
  "form",
  "finish",
  "command",
  "setting",
  "ask",
] as const;
/** Discord's limit for a `custom_id`. */
const mostCharacters = 100;

/** The `custom_id` of a control; undefined when the id is too long for one. */
export function customIdOf(control: Control): string | undefined {
  const name = control.type === "press" ? control.action : control.type;
  const customId = `${name} ${control.id}`;
  return customId.length > mostCharacters ? undefined : customId;
}

/** The other way round; undefined for an id that is not ours. */
export function controlOf(customId: string): Control | undefined {
  const space = customId.indexOf(" ");
  if (space === -1) return undefined;
  const [name, id] = [customId.slice(0, space), customId.slice(space + 1)];
  const action = actions.find((known) => known === name);
  if (action) return { type: "press", action, id };
  const type = types.find((known) => known === name);
  return type && { type, id };
}
