import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "./json.ts";

/** The text people read in these blocks, top to bottom; controls by their words in brackets. */
export function renderBlocks(blocks: readonly JsonObject[]): string {
  return blocks
    .map(renderBlock)
    .filter((text) => text !== "")
    .join("\n");
}

/** Every control of these blocks, wherever it sits. */
export function elementsOf(
  blocks: readonly JsonObject[],
): readonly { readonly element: JsonObject; readonly blockId: string }[] {
  return blocks.flatMap((block, index) => {
    const blockId = textAt(block, "block_id") ?? `block${index}`;
    const inside = [
      ...objectsAt(block, "elements"),
      ...(isObject(block.accessory) ? [block.accessory] : []),
      ...(isObject(block.element) ? [block.element] : []),
    ];
    return [
      ...inside.map((element) => ({ element, blockId })),
      ...elementsOf(objectsAt(block, "child_blocks")),
    ];
  });
}

/** The words on a control: its text, label or placeholder. */
export function wordsOf(element: JsonObject): string {
  return (
    textAt(objectAt(element, "text"), "text") ??
    textAt(objectAt(element, "placeholder"), "text") ??
    textAt(element, "text") ??
    ""
  );
}

/** Slack's markup as a person reads it: entities undone, links and mentions by their label. */
export function renderMrkdwn(
  text: string,
  nameOf: (userId: string) => string = (id) => id,
): string {
  return text
    .replace(/<@([UW][A-Z0-9]+)(?:\|[^>]*)?>/g, (_all, id: string) => `@${nameOf(id)}`)
    .replace(/<#[CG][A-Z0-9]+\|([^>]*)>/g, "#$1")
    .replace(/<!(channel|here|everyone)(?:\|[^>]*)?>/g, "@$1")
    .replace(
      /<!subteam\^([A-Z0-9]+)(?:\|([^>]*))?>/g,
      (_all, id: string, label?: string) => label ?? `@${id}`,
    )
    .replace(/<(?:https?:|mailto:)[^|>]*\|([^>]*)>/g, "$1")
    .replace(/<((?:https?:|mailto:)[^>]*)>/g, "$1")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

/** Whom this text notifies: user ids, `channel`, `here`, `everyone`, and group ids. */
export function notifiedBy(text: string): readonly string[] {
  const prose = text.replace(/```[\s\S]*?(?:```|$)/g, "").replace(/`[^`\n]*`/g, "");
  return [
    ...prose.matchAll(/<@([UW][A-Z0-9]+)(?:\|[^>]*)?>/g),
    ...prose.matchAll(/<!(channel|here|everyone)(?:\|[^>]*)?>/g),
    ...prose.matchAll(/<!subteam\^(S[A-Z0-9]+)(?:\|[^>]*)?>/g),
  ].map((match) => match[1] ?? "");
}

/** The raw texts of blocks in which mentions take effect. */
export function mentionableTexts(blocks: readonly JsonObject[]): readonly string[] {
  return blocks.flatMap((block) => {
    const found: string[] = [];
    if (block.type === "markdown") found.push(textAt(block, "text") ?? "");
    for (const holder of [
      objectAt(block, "text"),
      ...objectsAt(block, "fields"),
      ...objectsAt(block, "elements"),
    ]) {
      if (holder.type === "mrkdwn") found.push(textAt(holder, "text") ?? "");
    }
    if (block.type === "rich_text") found.push(...richMentions(block));
    return [...found, ...mentionableTexts(objectsAt(block, "child_blocks"))];
  });
}

function richMentions(node: JsonObject): readonly string[] {
  if (node.type === "user") return [`<@${textAt(node, "user_id") ?? ""}>`];
  if (node.type === "broadcast") return [`<!${textAt(node, "range") ?? "channel"}>`];
  if (node.type === "usergroup") return [`<!subteam^${textAt(node, "usergroup_id") ?? ""}>`];
  return objectsAt(node, "elements").flatMap(richMentions);
}

function renderBlock(block: JsonObject): string {
  switch (block.type) {
    case "markdown":
      return textAt(block, "text") ?? "";
    case "section":
      return [
        renderText(objectAt(block, "text")),
        ...objectsAt(block, "fields").map(renderText),
        isObject(block.accessory) ? renderElement(block.accessory) : "",
      ]
        .filter((text) => text !== "")
        .join("\n");
    case "header":
    case "alert":
      return renderText(objectAt(block, "text"));
    case "context":
      return objectsAt(block, "elements")
        .map((element) => (element.type === "image" ? renderImage(element) : renderText(element)))
        .join(" ");
    case "actions":
    case "context_actions":
      return objectsAt(block, "elements").map(renderElement).join(" ");
    case "image":
      return renderImage(block);
    case "divider":
      return "---";
    case "input":
      return `${wordsOf(objectAt(block, "label")) || renderText(objectAt(block, "label"))} ${renderElement(objectAt(block, "element"))}`;
    case "rich_text":
      return objectsAt(block, "elements").map(renderRich).join("\n");
    case "table":
    case "data_table":
      return renderTable(block);
    case "container":
    case "plan":
      return [
        textAt(block, "title") ?? renderText(objectAt(block, "title")),
        renderBlocks(objectsAt(block, "child_blocks")),
        ...objectsAt(block, "tasks").map((task) => textAt(task, "title") ?? ""),
      ]
        .filter((text) => text !== "")
        .join("\n");
    case "task_card":
      return textAt(block, "title") ?? "";
    case "card":
      return ["title", "subtitle", "body"]
        .map((name) => textAt(block, name) ?? renderText(objectAt(block, name)))
        .filter((text) => text !== "")
        .join("\n");
    default:
      return "";
  }
}

function renderTable(block: JsonObject): string {
  const caption = textAt(block, "caption") ?? renderText(objectAt(block, "caption"));
  const rows = (Array.isArray(block.rows) ? block.rows : []).map((row: unknown) => {
    const cells = Array.isArray(row) ? row.filter(isObject) : objectsAt(row, "cells");
    return `| ${cells.map(renderCell).join(" | ")} |`;
  });
  return [...(caption ? [caption] : []), ...rows].join("\n");
}

function renderCell(cell: JsonObject): string {
  if (cell.type === "rich_text") return objectsAt(cell, "elements").map(renderRich).join("\n");
  const value = cell.text ?? cell.value ?? cell.number;
  return value === undefined ? "" : String(value);
}

function renderRich(node: JsonObject): string {
  const children = objectsAt(node, "elements").map(renderRich);
  switch (node.type) {
    case "text":
      return textAt(node, "text") ?? "";
    case "link":
      return textAt(node, "text") ?? textAt(node, "url") ?? "";
    case "user":
      return `@${textAt(node, "user_id") ?? ""}`;
    case "broadcast":
      return `@${textAt(node, "range") ?? ""}`;
    case "channel":
      return `#${textAt(node, "channel_id") ?? ""}`;
    case "emoji":
      return `:${textAt(node, "name") ?? ""}:`;
    case "rich_text_list":
      return children.map((item) => `- ${item}`).join("\n");
    case "rich_text_quote":
      return `> ${children.join("")}`;
    case "rich_text_preformatted":
      return `\`\`\`\n${children.join("")}\n\`\`\``;
    default:
      return children.join("");
  }
}

function renderText(value: JsonObject): string {
  const text = textAt(value, "text") ?? "";
  return value.type === "mrkdwn" ? renderMrkdwn(text) : text;
}

function renderImage(block: JsonObject): string {
  return `[image: ${textAt(block, "alt_text") ?? ""}]`;
}

function renderElement(element: JsonObject): string {
  if (element.type === "feedback_buttons") {
    return ["positive_button", "negative_button"]
      .map((name) => `[${wordsOf(objectAt(element, name))}]`)
      .join(" ");
  }
  return `[${wordsOf(element)}]`;
}
