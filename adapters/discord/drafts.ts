import type { ShownSegment } from "#ports/platform";
import type { OutgoingFile, Slot } from "./slots.ts";

/** What a message that is about to appear is, and the words it has. */
export interface Draft {
  readonly index: number;
  readonly content: ShownSegment["content"];
  readonly closed: boolean;
  readonly text: string;
  readonly rows?: Slot["rows"];
  readonly files?: readonly OutgoingFile[];
  /** What to remember besides. */
  readonly note?: { readonly rest: true };
}

/** What a message's slot is written down as. */
export function draftOf(slot: Slot): Draft {
  const { index, from, to, content, rows, closed, file } = slot;
  return {
    index,
    content: { type: "text", from, to },
    closed,
    text: content,
    rows,
    ...(file ? { files: [file] } : {}),
    ...(slot.isRest ? { note: { rest: true } as const } : {}),
  };
}

/** What both creating and editing say: nobody is notified, whatever the text holds. */
export function bodyOf(draft: {
  readonly text: string;
  readonly rows?: Slot["rows"];
  readonly files?: readonly OutgoingFile[] | undefined;
}) {
  const { text, rows = [], files } = draft;
  return {
    content: text,
    components: rows,
    allowed_mentions: { parse: [], replied_user: false },
    ...(files
      ? {
          attachments: files.map(({ name, altText }, id) => ({
            id,
            filename: name,
            description: altText.slice(0, 1_024) || name,
          })),
        }
      : {}),
  };
}

/** The files of a draft as the REST client sends them. */
export function filesOf({ files }: Pick<Draft, "files">) {
  if (!files) return {};
  return {
    files: files.map(({ name, bytes, mimeType }) => ({
      name,
      data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      contentType: mimeType,
    })),
  };
}

/** Two drafts that look the same have the same key. */
export function keyOf({ text, rows = [], files = [] }: Draft): string {
  return JSON.stringify([text, rows, files.map(({ name, bytes }) => [name, bytes.byteLength])]);
}
