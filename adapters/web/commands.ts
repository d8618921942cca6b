import type { CommandAnswer, CommandSpec } from "#domain/command";
import { stripMention } from "./inbound.ts";
import type { Words } from "./wire.ts";

/**
 * The command in a text, without `/assistant`: `/assistant model x`, `/model x`, or the same after a
 * mention. Undefined for everything that is a message: only a known word, or one letter off it,
 * makes a slash a command.
 */
export function commandIn(
  text: string,
  context: { readonly botName: string; readonly commands: readonly CommandSpec[] },
): string | undefined {
  const said = stripMention(text, context.botName);
  const match = /^\/(\p{L}[\p{L}\d_-]*)(?:\s+([\s\S]*))?$/u.exec(said);
  if (!match) return undefined;
  const [, word = "", rest = ""] = match;
  if (word.toLowerCase() === "assistant") return rest.trim();
  const isKnown = context.commands.some(({ name }) => isOneLetterOff(word.toLowerCase(), name));
  return isKnown ? `${word} ${rest}`.trim() : undefined;
}

/** A command's answer for its window. */
export function toWords(answer: CommandAnswer): Words {
  const { ok, text, choices, file } = answer;
  return {
    ok,
    text,
    ...(choices ? { choices } : {}),
    ...(file
      ? {
          file: {
            name: file.name,
            mimeType: file.mimeType,
            data: Buffer.from(file.data).toString("base64"),
          },
        }
      : {}),
  };
}

/** The same, or one letter added, left out, changed, or two swapped. */
function isOneLetterOff(a: string, b: string): boolean {
  if (a === b) return true;
  if (Math.abs(a.length - b.length) > 1 || Math.max(a.length, b.length) < 3) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  if (restA.slice(1) === restB || restA === restB.slice(1)) return true;
  if (restA.slice(1) === restB.slice(1)) return true;
  return restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2);
}
