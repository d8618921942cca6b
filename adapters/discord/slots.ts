import type { ReplyView } from "#domain/reply-view";
import type { Row } from "./buttons.ts";
import { toDiscord } from "./markdown.ts";
import type { PlannedPart } from "./plan.ts";
import { type Block, blocksOf, endWords } from "./under-text.ts";

/** Discord takes 2,000 characters and does not say what it counts; some are left free. */
const mostUnits = 1_900;
const mostRows = 5;
/** An answer of more messages than these goes on in a file: nobody reads a wall of them. */
const mostTextMessages = 3;

/** The file that holds all of a very long answer. */
export const answerFileName = "answer.md";

/** A file to send with a message. */
export interface OutgoingFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly mimeType: string;
  readonly altText: string;
}

/** What one message of a reply is to show. */
export interface Slot {
  readonly index: number;
  /** The range of the view's text. */
  readonly from: number;
  readonly to: number;
  readonly content: string;
  readonly rows: readonly Row[];
  readonly closed: boolean;
  /** True: it stands for the rest of a long answer. */
  readonly isRest?: boolean;
  /** The whole answer as a file, when this message carries it. */
  readonly file?: OutgoingFile;
}

/** How a view is laid out. */
export interface Layout {
  readonly view: ReplyView;
  readonly parts: readonly PlannedPart[];
  /** True: the reply ends or rests here, so everything has to be there. */
  readonly isWhole: boolean;
  readonly isClosed: boolean;
  /** How many messages are there already. */
  readonly shownCount: number;
  /** The message that stands for the rest of a long answer, once there is one. */
  readonly restAt: number | undefined;
  /** False where files cannot be sent: then every part is a message. */
  readonly canSendFiles: boolean;
}

/**
 * Lays a view out in messages: its text, then what stands under it, in the last message or in more
 * where that is full. Of a very long answer the messages that are there stay, one at least; the
 * whole of it comes as a file.
 */
export function slotsOf(layout: Layout): readonly Slot[] {
  const { view, parts, isClosed } = layout;
  const texts = textSlots(layout);
  const end = parts.at(-1)?.to ?? view.text.length;
  const slots = [...texts];
  for (const block of blocksOf(view)) {
    const last = slots.at(-1);
    if (last && hasRoomFor(last, block)) {
      slots[slots.length - 1] = withBlock(last, block);
      continue;
    }
    // Buttons alone are no message: they belong to something that is said.
    if (block.text === "" && !last && layout.shownCount === 0) continue;
    const content = block.text || (last ? "-# For this answer:" : endWords(view));
    slots.push({ ...emptySlot(slots.length, end), content, rows: block.rows, closed: isClosed });
  }
  if (slots.length > 0 || layout.shownCount === 0) return slots;
  return [{ ...emptySlot(0, end), content: endWords(view), closed: isClosed }];
}

function textSlots(layout: Layout): readonly Slot[] {
  const { parts, isClosed, canSendFiles, restAt, shownCount } = layout;
  const isLong = parts.length > mostTextMessages && canSendFiles;
  const rest = isLong ? (restAt ?? Math.max(1, Math.min(mostTextMessages, shownCount))) : undefined;
  const slots = parts.slice(0, rest).map((part, index) => ({
    ...emptySlot(index, part.from),
    to: part.to,
    content: toDiscord(part.text).trim(),
    closed: isClosed || part.isFinished,
  }));
  return rest === undefined ? slots : [...slots, restSlot(layout, rest)];
}

function restSlot({ view, parts, isClosed, isWhole }: Layout, index: number): Slot {
  const from = parts[index]?.from ?? view.text.length;
  const slot = { ...emptySlot(index, from), to: view.text.length, isRest: true, closed: isClosed };
  const size = view.text.length.toLocaleString("en");
  if (!isWhole) {
    const content = `-# This is getting long: ${size} characters so far. All of it will come as a file.`;
    return { ...slot, content };
  }
  return {
    ...slot,
    content: `The answer goes on in **${answerFileName}**, which holds all of it (${size} characters).`,
    file: answerFile(wholeAnswer(view)),
  };
}

/** All of an answer as a file. */
export function answerFile(text: string): OutgoingFile {
  return {
    name: answerFileName,
    bytes: new TextEncoder().encode(text),
    mimeType: "text/markdown",
    altText: `The whole answer as Markdown, ${text.length.toLocaleString("en")} characters`,
  };
}

function wholeAnswer({ text, sources }: ReplyView): string {
  if (sources.length === 0) return text;
  const lines = sources.map(({ title, url, page }, index) => {
    const place = page === undefined ? "" : `, page ${page}`;
    return `${index + 1}. ${url === undefined ? title : `[${title}](${url})`}${place}`;
  });
  return `${text.trimEnd()}\n\n## Sources\n\n${lines.join("\n")}\n`;
}

function hasRoomFor({ content, rows }: Slot, block: Block): boolean {
  const units = content.length + (block.text === "" ? 0 : block.text.length + 1);
  return units <= mostUnits && rows.length + block.rows.length <= mostRows;
}

function withBlock(slot: Slot, { text, rows }: Block): Slot {
  const content = text === "" ? slot.content : `${slot.content}\n${text}`;
  return { ...slot, content, rows: [...slot.rows, ...rows] };
}

function emptySlot(index: number, at: number): Slot {
  return { index, from: at, to: at, content: "", rows: [], closed: false };
}
