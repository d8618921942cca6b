import { notificationOf } from "./markdown.ts";
import type { Block } from "./sections.ts";
import { markdownBlocks, tablesAsText } from "./tables.ts";

/** One way to send a message's content. */
export interface Shape {
  readonly content: Readonly<Record<string, unknown>>;
  readonly holdsSections: boolean;
}

/**
 * A message in full, and then ever more simply: its table as text, without its sections, as nothing
 * but Markdown. The text is whole in each.
 */
export function shapesOf({
  text: markdown,
  blocks,
}: {
  readonly text: string;
  readonly blocks: readonly Block[];
}): readonly Shape[] {
  const text = notificationOf(markdown, notificationFrom(blocks));
  if (markdown === "") return [{ content: { text, blocks }, holdsSections: true }];
  const whole = (shown: readonly Block[]): Shape => ({
    content: { text, blocks: [...shown, ...blocks] },
    holdsSections: true,
  });
  const block: Block = { type: "markdown", text: markdown };
  const paged = markdownBlocks(markdown);
  const plain = tablesAsText(markdown);
  const hasSections = blocks.length > 0;
  return [
    ...(paged.length === 1 ? [] : [whole(paged)]),
    whole([block]),
    ...(plain === markdown ? [] : [whole([{ ...block, text: plain }])]),
    ...(hasSections ? [{ content: { text, blocks: [block] }, holdsSections: false }] : []),
    { content: { markdown_text: plain }, holdsSections: !hasSections },
  ];
}

/** True for a refusal of the form: the same content may pass in a simpler one. */
export function isFormRefused(code: string | undefined): boolean {
  return code !== undefined && formRefusals.has(code);
}

const formRefusals = new Set([
  "invalid_blocks",
  "invalid_blocks_format",
  "invalid_attachments",
  "msg_blocks_too_long",
  "msg_too_long",
  "only_one_table_allowed",
]);

/** The words of the first block that has some. */
function notificationFrom(blocks: readonly Block[]): string {
  for (const block of blocks) {
    const words = (block.text as { text?: unknown } | undefined)?.text;
    if (typeof words === "string")
      return notificationOf(words.replace(/:[a-z_]+:|<[^>]*>/g, ""), "An answer");
  }
  return "An answer";
}
