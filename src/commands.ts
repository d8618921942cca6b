import type { Choice, CommandParameter, CommandSpec } from "#domain/command";
import {
  type Command,
  type CommandName,
  type CommandProblem,
  commandNames,
  defaultWord,
} from "./desk/command.ts";
import {
  code,
  editDistance,
  firstWord,
  join,
  nearestCommandName,
  toCommandName,
  withoutPrefix,
} from "./desk/command-text.ts";
import { type Word, words } from "./desk/command-words.ts";

export { commandLimits, commandNames } from "./desk/command.ts";
export { mayAct, roleFor } from "./desk/roles.ts";

/**
 * The `/assistant` grammar as data: the one source for slash commands, text commands and panels, in the
 * order of {@link commandNames}. Everything here is pure; applying a command is the desk's business.
 */
export const commandSpecs: readonly CommandSpec[] = commandNames.map((name) => {
  const { summary, usage, role, changedBy, parameters } = words[name];
  return { name, summary, usage, role, ...(changedBy ? { changedBy } : {}), parameters };
});

/**
 * Reads what stands after `/assistant`. A leading `/` or `/assistant` is forgiven.
 * No text at all is `help`.
 */
export function parseCommand(text: string): Command | CommandProblem {
  const [first, rest] = firstWord(withoutPrefix(text));
  if (first === "") return { type: "help", topic: null };
  const name = toCommandName(first);
  if (name) return words[name].parse(rest);
  const nearest = nearestCommandName(first);
  return {
    type: "problem",
    problem: `I know no command ${code(first)}.`,
    ...(nearest ? { nearest: join(nearest, rest) } : {}),
  };
}

/** What a message that may be a text command is. */
export type TextCommand =
  /** To be treated like `/assistant <text>`. */
  | { readonly type: "command"; readonly text: string }
  /** One letter off a command: neither a command nor a message, until its author says which. */
  | { readonly type: "suggestion"; readonly typed: string; readonly nearest: string };

/**
 * Tells a text command from a message; undefined: a message.
 *
 * A text command begins with `/` and a known word (`/model x`, `/assistant model x`), or one letter
 * off it, which is only a suggestion. The bare word "stop" is the only command without a slash.
 */
export function toTextCommand(message: string): TextCommand | undefined {
  const text = message.trim();
  if (/^stop\p{P}*$/iu.test(text)) return { type: "command", text: "stop" };
  if (!/^\/\S/.test(text)) return undefined;
  const [first, rest] = firstWord(text.slice(1));
  const typed = first.toLowerCase();
  if (typed === "assistant") return { type: "command", text: rest };
  const name = toCommandName(typed);
  if (name) return { type: "command", text: join(name, rest) };
  if (typed.length < 3) return undefined;
  const near = ["assistant", ...commandNames].find((known) => editDistance(typed, known) === 1);
  if (!near) return undefined;
  const nearest = near === "assistant" ? rest : join(near, rest);
  return { type: "suggestion", typed: `/${first}`, nearest: nearest || "help" };
}

/** All commands, a line each, in Markdown. */
export function describeCommands(): string {
  const groups = (["Conversation", "Assistants", "Settings"] as const).map((group) => {
    const lines = Object.values(words)
      .filter((entry) => entry.group === group)
      .map((entry) => `- ${code(`/assistant ${entry.name}`)} ${entry.summary}${by(entry)}`);
    return `**${group}**\n${lines.join("\n")}`;
  });
  return [
    "Mention me, or write to me directly, and I answer. These commands are for the rest:",
    ...groups,
    "`/assistant help <command>` tells more. After a mention, `/model` works like `/assistant model`, and the bare word `stop` stops me.",
  ].join("\n\n");
}

/** One command in detail, in Markdown. */
export function describeCommand(name: CommandName): string {
  const entry = words[name];
  const parameters = entry.parameters.map((parameter) => {
    const choices = parameter.choices ? ` (${parameter.choices.join(", ")})` : "";
    return `- ${code(parameter.name)}: ${parameter.summary}${choices}`;
  });
  const parts = [
    `**/assistant ${name}**: ${entry.summary}.${by(entry)}`,
    code(`/assistant ${entry.usage}`),
    ...(parameters.length > 0 ? [parameters.join("\n")] : []),
    `For example:\n${entry.examples.map((example) => `- ${code(`/assistant ${example}`)}`).join("\n")}`,
  ];
  return parts.join("\n\n");
}

/** What completion may choose from. */
export interface CompletionSources {
  readonly assistants: readonly string[];
  readonly models: readonly string[];
  readonly tools: readonly string[];
  readonly files: readonly string[];
}

/** Discord shows at most 25 completions. https://discord.com/developers/docs/interactions/application-commands */
const maxChoices = 25;

/**
 * Completes what is being typed after `/assistant`. Each choice's `value` is the whole command as it
 * would then read (`model gpt-5.5`), its `label` the piece that is new (`gpt-5.5`).
 * At most 25, those that begin with what was typed before those that contain it.
 */
export function completeCommand(text: string, sources: CompletionSources): readonly Choice[] {
  const typed = withoutPrefix(text.trimStart(), { keepsTrailingSpace: true });
  const space = typed.search(/\s/);
  if (space < 0) {
    return matching(commandNames, typed).map((name) => ({ value: name, label: name }));
  }
  const name = toCommandName(typed.slice(0, space));
  if (!name) return [];
  let before = `${name} `;
  let rest = typed.slice(space).trimStart();
  for (const parameter of words[name].parameters) {
    const candidates = candidatesFor(parameter, name, sources);
    const whole = longestFirst(candidates).find((candidate) =>
      rest.toLowerCase().startsWith(`${candidate.toLowerCase()} `),
    );
    if (whole === undefined) {
      return matching(candidates, rest).map((candidate) => ({
        value: `${before}${candidate}`,
        label: candidate,
      }));
    }
    before += `${whole} `;
    rest = rest.slice(whole.length).trimStart();
  }
  return [];
}

function by(entry: Word): string {
  const role = entry.changedBy ?? entry.role;
  if (role === "person") return "";
  return entry.changedBy ? " (changing: managers)" : " (managers)";
}

function candidatesFor(
  parameter: CommandParameter,
  name: CommandName,
  sources: CompletionSources,
): readonly string[] {
  switch (parameter.kind) {
    case "assistant":
      return name === "use" ? [...sources.assistants, defaultWord] : sources.assistants;
    case "model":
      return [...sources.models, defaultWord];
    case "tool":
      return sources.tools;
    case "file":
      return sources.files;
    case "word":
      return parameter.choices ?? [];
    case "text":
      return [];
  }
}

function matching<T extends string>(candidates: readonly T[], partial: string): readonly T[] {
  const wanted = partial.trim().toLowerCase();
  const starts = candidates.filter((candidate) => candidate.toLowerCase().startsWith(wanted));
  const contains = candidates.filter(
    (candidate) => !starts.includes(candidate) && candidate.toLowerCase().includes(wanted),
  );
  return [...starts, ...contains].slice(0, maxChoices);
}

function longestFirst(candidates: readonly string[]): readonly string[] {
  return [...candidates].sort((a, b) => b.length - a.length);
}
