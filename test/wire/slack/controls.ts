import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "./json.ts";
import { elementsOf, wordsOf } from "./rendering.ts";

/** A control found among blocks, and what pressing or choosing it sends as `actions[0]`. */
export interface FoundControl {
  readonly action: JsonObject;
  readonly element: JsonObject;
}

/**
 * The control people call by these words: the text of a button or option, or an action id or
 * value where words do not tell it apart. `chosen` is what they pick in a select.
 */
export function findControl(
  blocks: readonly JsonObject[],
  words: string,
  { chosen, nowMs }: { readonly chosen?: string; readonly nowMs: number },
): FoundControl | undefined {
  const controls = elementsOf(blocks);
  for (const { element, blockId } of controls) {
    const common = {
      type: element.type,
      action_id: textAt(element, "action_id") ?? "",
      block_id: blockId,
      action_ts: (nowMs / 1000).toFixed(6),
    };
    if (element.type === "feedback_buttons") {
      const pressed = ["positive_button", "negative_button"]
        .map((name) => objectAt(element, name))
        .find((button) => wordsOf(button) === words || button.value === words);
      if (pressed) {
        return {
          element,
          action: { ...common, text: objectAt(pressed, "text"), value: pressed.value },
        };
      }
    }
    const names = [wordsOf(element), textAt(element, "action_id"), textAt(element, "value")];
    if (!names.includes(words)) continue;
    const value = chosen === undefined ? {} : chosenValue(element, chosen);
    const own =
      element.type === "button" || element.type === "icon_button"
        ? {
            text: objectAt(element, "text"),
            ...(element.value === undefined ? {} : { value: element.value }),
          }
        : {};
    return { element, action: { ...common, ...own, ...value } };
  }
  return undefined;
}

/** An option of a select by its words or value. Throws when it has no such option. */
export function optionOf(element: JsonObject, words: string): JsonObject {
  const options = [
    ...objectsAt(element, "options"),
    ...objectsAt(element, "option_groups").flatMap((group) => objectsAt(group, "options")),
  ];
  const found = options.find((option) => wordsOf(option) === words || option.value === words);
  if (found) return found;
  throw new Error(
    `there is no option "${words}" among ${options.map((option) => `"${wordsOf(option)}"`).join(", ")}`,
  );
}

function chosenValue(element: JsonObject, chosen: string): JsonObject {
  switch (element.type) {
    case "users_select":
      return { selected_user: chosen };
    case "channels_select":
      return { selected_channel: chosen };
    case "conversations_select":
      return { selected_conversation: chosen };
    case "checkboxes":
    case "multi_static_select":
      return { selected_options: chosen.split(",").map((one) => optionOf(element, one)) };
    case "external_select":
      return { selected_option: { text: { type: "plain_text", text: chosen }, value: chosen } };
    default:
      return { selected_option: optionOf(element, chosen) };
  }
}

/** What a person fills into a modal: by block id, action id or label. */
export type FormValues = Readonly<Record<string, string | readonly string[] | boolean>>;

/**
 * A modal's state with these values on top of what it begins with. Throws in the words of Slack's
 * client when a required field is empty, or when there is no field of a given name.
 */
export function filledState(
  blocks: readonly JsonObject[],
  values: FormValues,
): Readonly<Record<string, Readonly<Record<string, JsonObject>>>> {
  const state: Record<string, Record<string, JsonObject>> = {};
  const used = new Set<string>();
  for (const [index, block] of blocks.entries()) {
    const blockId = textAt(block, "block_id") ?? `block${index}`;
    for (const { element } of elementsOf([block])) {
      const actionId = textAt(element, "action_id");
      if (actionId === undefined || element.type === "button") continue;
      const label = textAt(objectAt(block, "label"), "text");
      const name = [blockId, actionId, label].find((one) => one !== undefined && one in values);
      if (name !== undefined) used.add(name);
      const value = name === undefined ? undefined : values[name];
      const filled = fieldState(element, value);
      if (block.type === "input" && block.optional !== true && isEmpty(filled)) {
        throw new Error(`Please complete this required field: ${label ?? blockId}`);
      }
      state[blockId] = { ...state[blockId], [actionId]: filled };
    }
  }
  const unknown = Object.keys(values).filter((name) => !used.has(name));
  if (unknown.length > 0) throw new Error(`the modal has no field ${unknown.join(", ")}`);
  return state;
}

function fieldState(element: JsonObject, value: FormValues[string] | undefined): JsonObject {
  const type = textAt(element, "type") ?? "";
  const texts = Array.isArray(value) ? value : value === undefined ? undefined : [String(value)];
  const first = texts?.[0];
  switch (type) {
    case "plain_text_input":
    case "email_text_input":
    case "url_text_input":
    case "number_input": {
      const text = first ?? textAt(element, "initial_value") ?? null;
      checkLength(element, text);
      return { type, value: text === "" ? null : text };
    }
    case "static_select":
    case "radio_buttons":
    case "external_select":
      return {
        type,
        selected_option:
          first === undefined
            ? (element.initial_option ?? null)
            : type === "external_select"
              ? { text: { type: "plain_text", text: first }, value: first }
              : optionOf(element, first),
      };
    case "checkboxes":
    case "multi_static_select":
      return {
        type,
        selected_options:
          texts === undefined
            ? objectsAt(element, "initial_options")
            : texts.filter((one) => one !== "").map((one) => optionOf(element, one)),
      };
    case "users_select":
      return { type, selected_user: first ?? element.initial_user ?? null };
    case "multi_users_select":
      return { type, selected_users: texts ?? element.initial_users ?? [] };
    case "channels_select":
      return { type, selected_channel: first ?? element.initial_channel ?? null };
    case "multi_channels_select":
      return { type, selected_channels: texts ?? element.initial_channels ?? [] };
    case "conversations_select":
      return { type, selected_conversation: first ?? element.initial_conversation ?? null };
    case "multi_conversations_select":
      return { type, selected_conversations: texts ?? element.initial_conversations ?? [] };
    case "datepicker":
      return { type, selected_date: first ?? element.initial_date ?? null };
    case "timepicker":
      return { type, selected_time: first ?? element.initial_time ?? null };
    default:
      return { type };
  }
}

function checkLength(element: JsonObject, text: unknown): void {
  if (typeof text !== "string") return;
  const most = typeof element.max_length === "number" ? element.max_length : 3000;
  if (text.length > most) throw new Error(`the field takes ${most} characters`);
}

function isEmpty(state: JsonObject): boolean {
  return Object.entries(state)
    .filter(([name]) => name !== "type")
    .every(
      ([, value]) =>
        value === null ||
        (Array.isArray(value) && value.length === 0) ||
        (isObject(value) && Object.keys(value).length === 0),
    );
}
