import type { RawFile } from "discord.js";
import type { CommandAnswer } from "#domain/command";
import { discordProfile } from "#domain/markdown-profile";
import { splitMarkdown } from "#domain/split-markdown";
import { commandButtons, type Row } from "./buttons.ts";
import { toDiscord } from "./markdown.ts";

/** One message of an answer, in the fields of the REST API. */
export interface AnswerMessage {
  readonly content: string;
  readonly components: readonly Row[];
  readonly files: readonly RawFile[];
}

/** An answer as the messages that show it: controls and files stand under the last one. */
export function messagesOf(
  answer: Pick<CommandAnswer, "text" | "choices" | "file">,
): readonly AnswerMessage[] {
  const { text, choices = [], file } = answer;
  const parts = splitMarkdown(text.trim() || "Done.", discordProfile).map((part) =>
    toDiscord(part.text).trim(),
  );
  const shown = parts.filter((part) => part !== "");
  return shown.map((content, index) => {
    const isLast = index === shown.length - 1;
    return {
      content,
      components: isLast ? commandButtons(choices) : [],
      files: isLast && file ? [rawFile(file)] : [],
    };
  });
}

function rawFile({ name, mimeType, data }: NonNullable<CommandAnswer["file"]>): RawFile {
  return { name, contentType: mimeType, data: Buffer.from(data) };
}
