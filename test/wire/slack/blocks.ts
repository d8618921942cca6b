import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "./json.ts";
import { renderBlocks } from "./rendering.ts";

/** Where blocks are shown; it decides how many there may be and of which kinds. */
export type Surface = "message" | "modal" | "home";

/**
 * What Slack says against these blocks, in order; empty when nothing
 * (docs.slack.dev/reference/block-kit/blocks).
 */
export function faultsOfBlocks(blocks: readonly JsonObject[], surface: Surface): readonly string[] {
  const faults: string[] = [];
  const most = surface === "message" ? 50 : 100;
  if (blocks.length > most)
    faults.push(`no more than ${most} items allowed [json-pointer:/blocks]`);
  const ids = new Set<string>();
  for (const [index, block] of blocks.entries()) {
    const at = `/blocks/${index}`;
    const id = textAt(block, "block_id");
    if (id !== undefined && block.type !== "markdown") {
      if (ids.has(id)) faults.push(`\`block_id\` must be unique: ${id}`);
      if (id.length > 255) faults.push(tooLong(`${at}/block_id`, 255));
      ids.add(id);
    }
    const actions = objectsAt(block, "elements").flatMap((one) => textAt(one, "action_id") ?? []);
    const repeated = actions.find((action, place) => actions.indexOf(action) !== place);
    if (repeated)
      faults.push(`\`action_id\` must be unique in a block: ${repeated} [json-pointer:${at}]`);
    faults.push(...faultsOfBlock(block, surface, at));
  }
  const markdown = blocks
    .filter(({ type }) => type === "markdown")
    .reduce((sum, block) => sum + (textAt(block, "text")?.length ?? 0), 0);
  if (markdown > 12_000) faults.push("markdown blocks hold more than 12000 characters in all");
  return faults;
}

/** The tables of these blocks and this Markdown; a message may have one. */
export function countTables(blocks: readonly JsonObject[], markdown: string): number {
  let tables = tablesInMarkdown(markdown);
  for (const block of blocks) {
    if (block.type === "table" || block.type === "data_table") tables += 1;
    if (block.type === "markdown") tables += tablesInMarkdown(textAt(block, "text") ?? "");
    tables += countTables(objectsAt(block, "child_blocks"), "");
  }
  return tables;
}

/** The characters of all blocks, as counted against the sum a message may have. */
export function charactersOf(blocks: readonly JsonObject[]): number {
  return renderBlocks(blocks).length;
}

function tablesInMarkdown(markdown: string): number {
  if (!/\|[^\n]*\n[^\n]*-/.test(markdown)) return 0;
  const tree = fromMarkdown(markdown, {
    extensions: [gfm()],
    mdastExtensions: [gfmFromMarkdown()],
  });
  const count = (node: { readonly type: string; readonly children?: readonly unknown[] }): number =>
    (node.type === "table" ? 1 : 0) +
    (node.children ?? []).reduce<number>(
      (sum, child) => sum + count(child as Parameters<typeof count>[0]),
      0,
    );
  return count(tree);
}

function tooLong(at: string, most: number): string {
  return `must be less than ${most + 1} characters [json-pointer:${at}]`;
}

const messageOnly = new Set(["markdown", "table", "data_table", "context_actions", "task_card"]);

function faultsOfBlock(block: JsonObject, surface: Surface, at: string): readonly string[] {
  const type = textAt(block, "type") ?? "";
  if (surface !== "message" && messageOnly.has(type)) {
    return [`invalid block type for this surface: ${type} [json-pointer:${at}]`];
  }
  switch (type) {
    case "section":
      return faultsOfSection(block, at);
    case "header":
      return faultsOfText(block, "text", { at, most: 150, plain: true });
    case "context":
      return [
        ...faultsOfCount(block, "elements", { at, most: 10 }),
        ...objectsAt(block, "elements").flatMap((element, index) =>
          element.type === "image"
            ? faultsOfImage(element, `${at}/elements/${index}`)
            : faultsOfTextObject(element, { at: `${at}/elements/${index}`, most: 3000 }),
        ),
      ];
    case "actions":
      return [
        ...faultsOfCount(block, "elements", { at, most: 25 }),
        ...objectsAt(block, "elements").flatMap((element, index) =>
          faultsOfElement(element, `${at}/elements/${index}`),
        ),
      ];
    case "context_actions":
      return [
        ...faultsOfCount(block, "elements", { at, most: 5 }),
        ...objectsAt(block, "elements").flatMap((element, index) =>
          faultsOfElement(element, `${at}/elements/${index}`),
        ),
      ];
    case "image":
      return faultsOfImage(block, at);
    case "markdown": {
      const text = textAt(block, "text");
      if (!text) return [`missing required field: text [json-pointer:${at}]`];
      return text.length > 12_000 ? [tooLong(`${at}/text`, 12_000)] : [];
    }
    case "input":
      return [
        ...faultsOfText(block, "label", { at, most: 2000, plain: true }),
        ...faultsOfElement(objectAt(block, "element"), `${at}/element`),
      ];
    case "table":
      return faultsOfTable(block, at);
    case "data_table":
      return textAt(block, "caption") || isObject(block.caption)
        ? faultsOfTable(block, at)
        : [`missing required field: caption [json-pointer:${at}]`];
    case "alert":
      return faultsOfText(block, "text", { at, most: 200, plain: false });
    case "divider":
    case "rich_text":
    case "file":
    case "video":
    case "card":
    case "carousel":
    case "container":
    case "plan":
    case "task_card":
    case "data_visualization":
      return [];
    default:
      return [`unsupported type: ${type} [json-pointer:${at}/type]`];
  }
}

function faultsOfSection(block: JsonObject, at: string): readonly string[] {
  const fields = objectsAt(block, "fields");
  if (!isObject(block.text) && fields.length === 0) {
    return [`missing required field: text [json-pointer:${at}]`];
  }
  const faults: string[] = [];
  if (isObject(block.text)) {
    faults.push(...faultsOfTextObject(block.text, { at: `${at}/text`, most: 3000 }));
  }
  if (fields.length > 10) faults.push(`no more than 10 items allowed [json-pointer:${at}/fields]`);
  for (const [index, field] of fields.entries()) {
    faults.push(...faultsOfTextObject(field, { at: `${at}/fields/${index}`, most: 2000 }));
  }
  if (isObject(block.accessory)) {
    faults.push(...faultsOfElement(block.accessory, `${at}/accessory`));
  }
  return faults;
}

function faultsOfTable(block: JsonObject, at: string): readonly string[] {
  const rows = Array.isArray(block.rows) ? block.rows : [];
  const most = block.type === "table" ? 100 : 101;
  if (rows.length === 0) return [`missing required field: rows [json-pointer:${at}]`];
  if (rows.length > most) return [`no more than ${most} items allowed [json-pointer:${at}/rows]`];
  const faults: string[] = [];
  for (const [index, row] of rows.entries()) {
    const cells = Array.isArray(row) ? row : objectsAt(row, "cells");
    if (cells.length > 20) faults.push(`no more than 20 cells [json-pointer:${at}/rows/${index}]`);
    for (const cell of cells) {
      if (isObject(cell) && cell.type === "raw_text" && !textAt(cell, "text")) {
        faults.push(`must be more than 0 characters [json-pointer:${at}/rows/${index}]`);
      }
    }
  }
  if (charactersOf([block]) > 10_000) faults.push(tooLong(at, 10_000));
  return faults;
}

function faultsOfImage(block: JsonObject, at: string): readonly string[] {
  const alt = textAt(block, "alt_text");
  if (alt === undefined) return [`missing required field: alt_text [json-pointer:${at}]`];
  if (alt.length > 2000) return [tooLong(`${at}/alt_text`, 2000)];
  if (!textAt(block, "image_url") && !isObject(block.slack_file)) {
    return [`missing required field: image_url [json-pointer:${at}]`];
  }
  return [];
}

interface TextRule {
  readonly at: string;
  readonly most: number;
  readonly plain?: boolean;
}

function faultsOfText(block: JsonObject, name: string, rule: TextRule): readonly string[] {
  if (!isObject(block[name])) return [`missing required field: ${name} [json-pointer:${rule.at}]`];
  return faultsOfTextObject(objectAt(block, name), { ...rule, at: `${rule.at}/${name}` });
}

function faultsOfTextObject(value: JsonObject, { at, most, plain }: TextRule): readonly string[] {
  const text = textAt(value, "text");
  if (value.type !== "plain_text" && (plain || value.type !== "mrkdwn")) {
    return [`unsupported type: ${String(value.type)} [json-pointer:${at}/type]`];
  }
  if (!text) return [`must be more than 0 characters [json-pointer:${at}/text]`];
  return text.length > most ? [tooLong(`${at}/text`, most)] : [];
}

function faultsOfCount(
  block: JsonObject,
  name: string,
  { at, most }: { readonly at: string; readonly most: number },
): readonly string[] {
  const elements = objectsAt(block, name);
  if (elements.length === 0) return [`no fewer than 1 items allowed [json-pointer:${at}/${name}]`];
  if (elements.length <= most) return [];
  return [`no more than ${most} items allowed [json-pointer:${at}/${name}]`];
}

function faultsOfElement(element: JsonObject, at: string): readonly string[] {
  const faults: string[] = [];
  const actionId = textAt(element, "action_id");
  if (actionId !== undefined && actionId.length > 255) faults.push(tooLong(`${at}/action_id`, 255));
  switch (element.type) {
    case "button": {
      faults.push(...faultsOfText(element, "text", { at, most: 75, plain: true }));
      faults.push(...faultsOfLength(element, "value", { at, most: 2000 }));
      faults.push(...faultsOfLength(element, "url", { at, most: 3000 }));
      faults.push(...faultsOfLength(element, "accessibility_label", { at, most: 75 }));
      break;
    }
    case "static_select":
    case "multi_static_select":
    case "radio_buttons":
    case "checkboxes":
    case "overflow": {
      const options = objectsAt(element, "options");
      const groups = objectsAt(element, "option_groups");
      const most =
        { radio_buttons: 10, checkboxes: 10, overflow: 5 }[element.type as string] ?? 100;
      if (options.length === 0 && groups.length === 0) {
        faults.push(`no fewer than 1 items allowed [json-pointer:${at}/options]`);
      }
      if (options.length > most) {
        faults.push(`no more than ${most} items allowed [json-pointer:${at}/options]`);
      }
      for (const option of [
        ...options,
        ...groups.flatMap((group) => objectsAt(group, "options")),
      ]) {
        faults.push(...faultsOfText(option, "text", { at: `${at}/options`, most: 75 }));
        faults.push(...faultsOfLength(option, "value", { at: `${at}/options`, most: 150 }));
      }
      break;
    }
    case "feedback_buttons":
      for (const name of ["positive_button", "negative_button"]) {
        const button = objectAt(element, name);
        faults.push(
          ...faultsOfText(button, "text", { at: `${at}/${name}`, most: 75, plain: true }),
        );
        faults.push(...faultsOfLength(button, "value", { at: `${at}/${name}`, most: 2000 }));
      }
      break;
    case "icon_button":
      if (element.icon !== "trash") faults.push(`unsupported icon [json-pointer:${at}/icon]`);
      faults.push(...faultsOfText(element, "text", { at, most: 75, plain: true }));
      break;
    case undefined:
      faults.push(`missing required field: type [json-pointer:${at}]`);
      break;
    default:
      break;
  }
  if (isObject(element.placeholder)) {
    faults.push(...faultsOfText(element, "placeholder", { at, most: 150, plain: true }));
  }
  return faults;
}

function faultsOfLength(
  element: JsonObject,
  name: string,
  { at, most }: TextRule,
): readonly string[] {
  const length = textAt(element, name)?.length ?? 0;
  return length > most ? [tooLong(`${at}/${name}`, most)] : [];
}
