import type { ReachableFile, Turn } from "../conversation.ts";
import type { Plan } from "../plan.ts";

/** A message to be answered. */
export interface Ask {
  readonly text: string;
  readonly files: readonly ReachableFile[];
  readonly imageCount: number;
}

/** Answers a message it understands; undefined leaves it to the next. */
export type Skill = (ask: Ask, turn: Turn, attempts: (key: string) => number) => Plan | undefined;

/** A plan that just says something. Several texts become paragraphs. */
export function say(...texts: readonly string[]): Plan {
  return { type: "answer", acts: [{ type: "say", text: texts.join("\n\n") }] };
}

/** A code block that its content cannot end. */
export function fenced(content: string, language = ""): string {
  const runs = content.match(/`{3,}/g) ?? [];
  const fence = "`".repeat(runs.reduce((most, run) => Math.max(most, run.length + 1), 3));
  return `${fence}${language}\n${content.replace(/\n$/, "")}\n${fence}`;
}

/** Text on one line of a table or list, with nothing in it that Markdown would read. */
export function inline(text: string, most = 60): string {
  const flat = text.replace(/\s+/g, " ").trim();
  const characters = [...flat];
  const short = characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : flat;
  return short.replace(/[\\`*_{}[\]<>#|~$]/g, "\\$&");
}

/** `1 row`, `2 rows`. */
export function count(n: number, noun: string): string {
  return `${n.toLocaleString("en-GB")} ${noun}${n === 1 ? "" : "s"}`;
}

/** A size people can read. */
export function sizeOf(bytes: number): string {
  if (bytes < 1_000) return count(bytes, "byte");
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
