import { createHash } from "node:crypto";
import type { Choice, Panel, PanelField } from "#domain/command";
import { shortened } from "#domain/shortened";
import { escaped } from "./markdown.ts";
import { type Block, context, plain, section } from "./sections.ts";

/** Documented limits of `plain_text_input` and of selects (docs.slack.dev/reference/block-kit). */
const mostText = 3_000;
const mostOptions = 100;
const mostOptionValue = 150;

export const settingsCallback = "bobbin_settings";
/** The action id of every field; which one it is stands in its block's id. */
export const settingAction = "bobbin_setting";

/** What a settings modal carries along: ids, and what the fields said when it was opened. */
export interface SettingsNote {
  readonly channel: string;
  /** True: it was opened from the Home tab, which shows what changed. */
  readonly isFromHome: boolean;
  readonly seen: { readonly [command: string]: string };
}

/** Opened at once, since a trigger lives three seconds; what is set comes a moment later. */
export function loadingModal() {
  return {
    type: "modal",
    callback_id: "bobbin_loading",
    title: plain("Settings"),
    close: plain("Close"),
    blocks: [section("One moment…")],
  };
}

/** Words instead of a form. */
export function wordsModal(title: string, blocks: readonly Block[]) {
  return {
    type: "modal",
    callback_id: "bobbin_words",
    title: plain(title),
    close: plain("Close"),
    blocks: blocks.slice(0, mostOptions),
  };
}

/** The panel as a modal: one input a field; what somebody may not change says why. */
export function settingsModal(panel: Panel, at: { channel: string; isFromHome: boolean }) {
  const open = panel.fields.filter(isOpen);
  const note: SettingsNote = {
    ...at,
    seen: Object.fromEntries(open.map(({ command, value }) => [command, markOf(value)])),
  };
  return {
    type: "modal",
    callback_id: settingsCallback,
    private_metadata: JSON.stringify(note),
    title: plain("Settings"),
    ...(open.length > 0 ? { submit: plain("Save") } : {}),
    close: plain(open.length > 0 ? "Cancel" : "Close"),
    blocks: [
      section(
        `*${escaped(shortened(panel.title, 200))}*\n${escaped(shortened(panel.text, 2_000))}`,
      ),
      ...panel.fields.flatMap(fieldBlocks),
    ],
  };
}

/** Reads back what {@link settingsModal} noted; undefined for what is no note of ours. */
export function noteOf(privateMetadata: string): SettingsNote | undefined {
  try {
    const note = JSON.parse(privateMetadata) as Partial<SettingsNote> | null;
    if (typeof note?.channel !== "string" || typeof note.seen !== "object") return undefined;
    return { channel: note.channel, isFromHome: note.isFromHome === true, seen: note.seen };
  } catch {
    return undefined;
  }
}

/**
 * The fields whose person changed them, with what they say now. A field that somebody else changed
 * meanwhile is not set back by a form that still shows the old value.
 */
export function changesIn(
  view: unknown,
  panel: Panel,
  { seen }: SettingsNote,
): readonly { readonly field: PanelField; readonly value: string }[] {
  const { state } = view as { readonly state?: { readonly values?: Given } };
  return panel.fields.filter(isOpen).flatMap((field) => {
    const given = state?.values?.[field.command]?.[settingAction];
    if (!given || seen[field.command] === undefined) return [];
    const chosen = given.selected_option?.value;
    if (field.choices && chosen === undefined) return [];
    const value = chosen === undefined ? (given.value ?? "").trim() : chosen.slice(1);
    return markOf(value) === seen[field.command] ? [] : [{ field, value }];
  });
}

/** What a long select offers for a few typed letters. */
export function optionsFor(field: PanelField | undefined, query: string) {
  const typed = query.trim().toLowerCase();
  const fitting = (field?.choices ?? []).filter(({ label }) => label.toLowerCase().includes(typed));
  return fitting.filter(isShort).slice(0, mostOptions).map(toOption);
}

interface Given {
  readonly [block: string]: {
    readonly [action: string]: {
      readonly value?: string | null;
      readonly selected_option?: { readonly value: string } | null;
    };
  };
}

function fieldBlocks(field: PanelField): readonly Block[] {
  const { command, label, value, locked } = field;
  if (!isOpen(field)) {
    const why =
      locked ??
      `This is longer than Slack's forms take (${value.length} characters): change it with /assistant ${command.replace(/\s*=$/, "")}.`;
    const shown = field.choices?.find((choice) => choice.value === value)?.label ?? value;
    const words = shown === "" ? "_not set_" : escaped(shortened(shown, 500));
    return [
      section(`*${escaped(shortened(label, 200))}*\n${words}`),
      context(escaped(shortened(why, 1_000))),
    ];
  }
  return [
    {
      type: "input",
      block_id: command,
      optional: true,
      label: plain(shortened(label, 2_000)),
      element: elementOf(field),
    },
  ];
}

function elementOf({ value, multiline, choices }: PanelField) {
  if (!choices) {
    return {
      type: "plain_text_input",
      action_id: settingAction,
      multiline,
      max_length: mostText,
      ...(value === "" ? {} : { initial_value: value }),
    };
  }
  const fitting = choices.filter(isShort);
  const initial = fitting.find((choice) => choice.value === value);
  const chosen = initial ? { initial_option: toOption(initial) } : {};
  const placeholder = { placeholder: plain("Choose") };
  return fitting.length > mostOptions
    ? {
        type: "external_select",
        action_id: settingAction,
        min_query_length: 0,
        ...placeholder,
        ...chosen,
      }
    : {
        type: "static_select",
        action_id: settingAction,
        options: fitting.map(toOption),
        ...placeholder,
        ...chosen,
      };
}

/** An option's value may not be empty, and ours may: one character goes before it. */
function toOption({ label, value }: Choice) {
  return { text: plain(shortened(label || value || "none", 75)), value: `:${value}` };
}

function isShort({ value }: Choice): boolean {
  return value.length < mostOptionValue;
}

function isOpen({ locked, value, choices }: PanelField): boolean {
  if (locked !== undefined) return false;
  return choices ? choices.some(isShort) : value.length <= mostText;
}

/** Enough to tell two values apart, and small: a view's note holds 3,000 characters. */
function markOf(value: string): string {
  return createHash("sha256").update(value.trim()).digest("base64url").slice(0, 8);
}
