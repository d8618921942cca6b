import {
  type APIContainerComponent,
  type APIModalInteractionResponseCallbackData,
  ComponentType,
  type ModalSubmitFields,
  SeparatorSpacingSize,
  TextInputStyle,
} from "discord.js";
import type { Panel, PanelField } from "#domain/command";
import { shortened } from "#domain/shortened";
import { customIdOf } from "./control-ids.ts";
import { escaped } from "./markdown.ts";

/** Discord's limits (docs.discord.com/developers/components/reference). */
const mostTitle = 45;
const mostLabel = 45;
const mostOptions = 25;
const mostOptionLabel = 100;
const mostText = 4_000;
/** A message of components holds 4,000 characters of text in all. */
const mostShown = 300;
const inputId = "value";
const panelId = "panel";

/** True for a command that shows all settings: they have a panel. */
export function isSettingsCommand(text: string): boolean {
  return text === "settings";
}

/** The settings as a message of components: what is set, and a choice of what to change. */
export function panelComponents(panel: Panel): readonly [APIContainerComponent] {
  const open = panel.fields.filter(isOpen).slice(0, mostOptions);
  const customId = customIdOf({ type: "setting", id: panelId });
  const select = {
    type: ComponentType.ActionRow as const,
    components: [
      {
        type: ComponentType.StringSelect as const,
        custom_id: customId ?? panelId,
        placeholder: "Change a setting",
        options: open.map(({ label, command }) => ({
          label: shortened(label, mostOptionLabel),
          value: command,
        })),
      },
    ],
  };
  return [
    {
      type: ComponentType.Container,
      components: [
        text(`### ${escaped(panel.title)}${panel.text ? `\n${shortened(panel.text, 500)}` : ""}`),
        { type: ComponentType.Separator, divider: true, spacing: SeparatorSpacingSize.Small },
        ...panel.fields.slice(0, mostOptions).map((field) => text(fieldWords(field))),
        ...(open.length > 0 ? [select] : []),
      ],
    },
  ];
}

/** One setting as a modal; undefined for one that cannot be changed. */
export function settingModal(
  panel: Panel,
  command: string,
): APIModalInteractionResponseCallbackData | undefined {
  const field = panel.fields.find((one) => one.command === command);
  const customId = customIdOf({ type: "setting", id: command });
  if (!field || !isOpen(field) || customId === undefined) return undefined;
  return {
    custom_id: customId,
    title: shortened(field.label, mostTitle),
    components: [
      {
        type: ComponentType.Label,
        label: shortened(field.label, mostLabel),
        component: isPicked(field) ? picker(field) : input(field),
      },
    ],
  };
}

/** The value in a submitted {@link settingModal}. */
export function settingIn(fields: ModalSubmitFields, panel: Panel, command: string): string {
  const given = fields.fields.get(inputId);
  const choices = panel.fields.find((one) => one.command === command)?.choices ?? [];
  if (given?.type === ComponentType.StringSelect)
    return choices[Number(given.values[0])]?.value ?? "";
  return given?.type === ComponentType.TextInput ? given.value.trim() : "";
}

function fieldWords({ label, value, choices, locked }: PanelField): string {
  const shown = choices?.find((choice) => choice.value === value)?.label ?? value;
  const words = shown === "" ? "*nothing*" : escaped(shortened(shown, mostShown));
  return `**${escaped(label)}:** ${words}${locked ? `\n-# ${escaped(locked)}` : ""}`;
}

function picker({ choices = [], value }: PanelField) {
  return {
    type: ComponentType.StringSelect as const,
    custom_id: inputId,
    required: true,
    options: choices.map((choice, index) => ({
      label: shortened(choice.label, mostOptionLabel),
      value: String(index),
      default: choice.value === value,
    })),
  };
}

function input({ multiline, value }: PanelField) {
  const style = multiline ? TextInputStyle.Paragraph : TextInputStyle.Short;
  const filled = value === "" || value.length > mostText ? {} : { value };
  return {
    type: ComponentType.TextInput as const,
    custom_id: inputId,
    style,
    required: false,
    max_length: mostText,
    ...filled,
  };
}

/** A text that is longer than a modal takes is changed by a command: nothing is to be cut. */
function isOpen(field: PanelField): boolean {
  return field.locked === undefined && field.value.length <= mostText;
}

function isPicked({ choices = [] }: PanelField): boolean {
  return choices.length > 0 && choices.length <= mostOptions;
}

function text(content: string) {
  return { type: ComponentType.TextDisplay as const, content };
}
