import { ButtonStyle, ComponentType } from "discord-api-types/v10";
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../slack/json.ts";
import type { FormProblems } from "./refusal.ts";

const selects: readonly unknown[] = [
  ComponentType.StringSelect,
  ComponentType.UserSelect,
  ComponentType.RoleSelect,
  ComponentType.MentionableSelect,
  ComponentType.ChannelSelect,
];

const topLevelV2: readonly unknown[] = [
  ComponentType.ActionRow,
  ComponentType.Section,
  ComponentType.TextDisplay,
  ComponentType.MediaGallery,
  ComponentType.File,
  ComponentType.Separator,
  ComponentType.Container,
];

/** Every component with its path, nested ones after their parents. */
export function allComponents(
  components: readonly JsonObject[],
  path = "components",
): readonly { readonly component: JsonObject; readonly path: string }[] {
  return components.flatMap((component, index) => {
    const here = `${path}.${index}`;
    const accessory = objectAt(component, "accessory");
    const label = objectAt(component, "component");
    return [
      { component, path: here },
      ...allComponents(objectsAt(component, "components"), `${here}.components`),
      ...(Object.keys(accessory).length > 0
        ? [{ component: accessory, path: `${here}.accessory` }]
        : []),
      ...(Object.keys(label).length > 0 ? [{ component: label, path: `${here}.component` }] : []),
    ];
  });
}

/** Checks the components of a message: the limits of docs.discord.com/developers/components/reference. */
export function checkComponents(
  value: unknown,
  { isV2, problems }: { readonly isV2: boolean; readonly problems: FormProblems },
): void {
  if (value === undefined || value === null) return;
  if (!Array.isArray(value) || !value.every(isObject)) {
    problems.add("components", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
    return;
  }
  const every = allComponents(value);
  if (!isV2 && value.length > 5) problems.badLength("components", 1, 5);
  if (isV2 && every.length > 40) {
    problems.add(
      "components",
      "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
      "The maximum number of components in a message is 40",
    );
  }
  value.forEach((component, index) => {
    const allowed = isV2 ? topLevelV2 : [ComponentType.ActionRow];
    if (!allowed.includes(component.type))
      problems.choices(`components.${index}.type`, component.type);
  });
  const text = every
    .filter(({ component }) => component.type === ComponentType.TextDisplay)
    .reduce((sum, { component }) => sum + (textAt(component, "content") ?? "").length, 0);
  if (text > 4000) {
    problems.add(
      "components",
      "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
      "The total displayable text size exceeds the maximum of 4000",
    );
  }
  const ids = new Set<string>();
  for (const { component, path } of every) {
    checkComponent(component, { path, problems });
    const id = textAt(component, "custom_id");
    if (id === undefined) continue;
    if (ids.has(id)) {
      problems.add(
        `${path}.custom_id`,
        "COMPONENT_CUSTOM_ID_DUPLICATED",
        "Component custom id cannot be duplicated",
      );
    }
    ids.add(id);
  }
}

function checkComponent(
  component: JsonObject,
  at: { readonly path: string; readonly problems: FormProblems },
): void {
  const { path, problems } = at;
  if (component.type === ComponentType.ActionRow) {
    checkRow(component, at);
    return;
  }
  if (component.type === ComponentType.Button) {
    checkButton(component, at);
    return;
  }
  if (selects.includes(component.type)) {
    checkSelect(component, at);
    return;
  }
  if (component.type === ComponentType.TextDisplay) {
    if (!textAt(component, "content")) problems.required(`${path}.content`);
    return;
  }
  if (component.type === ComponentType.Section) {
    const { length } = objectsAt(component, "components");
    if (length < 1 || length > 3) problems.badLength(`${path}.components`, 1, 3);
    if (!isObject(component.accessory)) problems.required(`${path}.accessory`);
    return;
  }
  if (component.type === ComponentType.MediaGallery) {
    const { length } = objectsAt(component, "items");
    if (length < 1 || length > 10) problems.badLength(`${path}.items`, 1, 10);
  }
}

function checkRow(
  component: JsonObject,
  { path, problems }: { readonly path: string; readonly problems: FormProblems },
): void {
  const parts = objectsAt(component, "components");
  const chosen = parts.filter(({ type }) => selects.includes(type));
  const isFull = chosen.length > 0 && parts.length > 1;
  if (parts.length < 1 || parts.length > 5 || isFull) {
    problems.badLength(`${path}.components`, 1, isFull ? 1 : 5);
  }
}

function checkButton(
  component: JsonObject,
  { path, problems }: { readonly path: string; readonly problems: FormProblems },
): void {
  const { style } = component;
  const label = textAt(component, "label");
  if (label !== undefined && label.length > 80) problems.tooLong(`${path}.label`, 80);
  if (!label && !isObject(component.emoji) && style !== ButtonStyle.Premium) {
    problems.add(path, "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", "A label or emoji is required");
  }
  if (style === ButtonStyle.Link) {
    if (!textAt(component, "url")) problems.required(`${path}.url`);
    if (component.custom_id !== undefined) {
      problems.add(
        `${path}.custom_id`,
        "BUTTON_COMPONENT_CUSTOM_ID_URL",
        "A link has no custom id",
      );
    }
    return;
  }
  checkCustomId(component, { path, problems });
}

function checkSelect(
  component: JsonObject,
  { path, problems }: { readonly path: string; readonly problems: FormProblems },
): void {
  checkCustomId(component, { path, problems });
  const placeholder = textAt(component, "placeholder");
  if (placeholder !== undefined && placeholder.length > 150) {
    problems.tooLong(`${path}.placeholder`, 150);
  }
  if (component.type !== ComponentType.StringSelect) return;
  const options = objectsAt(component, "options");
  if (options.length < 1 || options.length > 25) problems.badLength(`${path}.options`, 1, 25);
  options.forEach((option, index) => {
    for (const field of ["label", "value"]) {
      const text = textAt(option, field) ?? "";
      if (text.length < 1 || text.length > 100) {
        problems.badLength(`${path}.options.${index}.${field}`, 1, 100);
      }
    }
    const description = textAt(option, "description");
    if (description !== undefined && description.length > 100) {
      problems.tooLong(`${path}.options.${index}.description`, 100);
    }
  });
  if (new Set(options.map(({ value }) => value)).size < options.length) {
    problems.add(
      `${path}.options`,
      "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
      "The specified option value is already used",
    );
  }
  const max = component.max_values;
  if (typeof max === "number" && max > options.length) {
    problems.add(`${path}.max_values`, "NUMBER_TYPE_MAX", `Must be at most ${options.length}`);
  }
}

function checkCustomId(
  component: JsonObject,
  { path, problems }: { readonly path: string; readonly problems: FormProblems },
): void {
  const id = textAt(component, "custom_id");
  if (id === undefined) problems.required(`${path}.custom_id`);
  else if (id.length < 1 || id.length > 100) problems.badLength(`${path}.custom_id`, 1, 100);
}

const inLabels: readonly unknown[] = [
  ComponentType.TextInput,
  ...selects,
  ComponentType.FileUpload,
  ComponentType.RadioGroup,
  ComponentType.CheckboxGroup,
  ComponentType.Checkbox,
];

/** Checks a modal: title of 45, one to five parts, labels of 45 and descriptions of 100. */
export function checkModal(modal: JsonObject, problems: FormProblems): void {
  const title = textAt(modal, "title") ?? "";
  if (title.length < 1 || title.length > 45) problems.badLength("data.title", 1, 45);
  checkCustomId(modal, { path: "data", problems });
  const parts = objectsAt(modal, "components");
  if (parts.length < 1 || parts.length > 5) problems.badLength("data.components", 1, 5);
  parts.forEach((part, index) => {
    const path = `data.components.${index}`;
    switch (part.type) {
      case ComponentType.TextDisplay:
        return;
      case ComponentType.ActionRow: {
        const inner = objectsAt(part, "components");
        if (inner.length !== 1) problems.badLength(`${path}.components`, 1, 1);
        for (const input of inner) checkInput(input, { path: `${path}.components.0`, problems });
        return;
      }
      case ComponentType.Label: {
        const label = textAt(part, "label") ?? "";
        if (label.length < 1 || label.length > 45) problems.badLength(`${path}.label`, 1, 45);
        const description = textAt(part, "description") ?? "";
        if (description.length > 100) problems.tooLong(`${path}.description`, 100);
        checkInput(objectAt(part, "component"), { path: `${path}.component`, problems });
        return;
      }
      default:
        problems.choices(`${path}.type`, part.type);
    }
  });
}

function checkInput(
  input: JsonObject,
  { path, problems }: { readonly path: string; readonly problems: FormProblems },
): void {
  if (!inLabels.includes(input.type)) {
    problems.choices(`${path}.type`, input.type);
    return;
  }
  if (selects.includes(input.type)) {
    checkSelect(input, { path, problems });
    return;
  }
  checkCustomId(input, { path, problems });
  if (input.type !== ComponentType.TextInput) return;
  const value = textAt(input, "value") ?? "";
  if (value.length > 4000) problems.tooLong(`${path}.value`, 4000);
  const placeholder = textAt(input, "placeholder") ?? "";
  if (placeholder.length > 100) problems.tooLong(`${path}.placeholder`, 100);
}
