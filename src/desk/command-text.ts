import {
  type Command,
  type CommandName,
  commandLimits,
  commandNames,
  defaultWord,
  editFields,
  type Parsed,
  type TextChange,
} from "./command.ts";

/** The word of the grammar a text is, whatever its capitals. */
export function toCommandName(text: string): CommandName | undefined {
  return commandNames.find((name) => sameWord(name, text));
}

/** What people call things elsewhere. */
const synonyms: { readonly [typed: string]: CommandName } = {
  config: "settings",
  configure: "settings",
  manager: "settings",
  managers: "settings",
  cap: "settings",
  info: "status",
  cancel: "stop",
  abort: "stop",
  reset: "new",
  clear: "new",
  restart: "new",
  again: "retry",
  regenerate: "retry",
  cost: "usage",
  tokens: "usage",
  remove: "delete",
  add: "create",
  switch: "use",
  prompt: "instructions",
  assistants: "list",
  models: "list",
  audit: "list",
  commands: "help",
};

/** The word somebody may have meant, by its letters or by what it is called elsewhere. */
export function nearestCommandName(typed: string): CommandName | undefined {
  const lower = typed.toLowerCase();
  const synonym = Object.hasOwn(synonyms, lower) ? synonyms[lower] : undefined;
  if (synonym) return synonym;
  const near = nearestOf(lower, commandNames);
  return near ? toCommandName(near) : undefined;
}

/** A text without a leading `/` or `/assistant`. */
export function withoutPrefix(
  text: string,
  options: { keepsTrailingSpace?: boolean } = {},
): string {
  const rest = text.replace(/^\s*\/?\s*/, "").replace(/^assistant(\s+|$)/i, "");
  return options.keepsTrailingSpace ? rest : rest.trim();
}

/** The first word of a text, and the rest of it with its line breaks. */
export function firstWord(text: string): [string, string] {
  const trimmed = text.trim();
  const cut = trimmed.search(/\s/);
  if (cut < 0) return [trimmed, ""];
  return [trimmed.slice(0, cut), trimmed.slice(cut).trim()];
}

/** Two pieces of a command with a space between, if there is a second. */
export function join(first: string, rest: string): string {
  return rest === "" ? first : `${first} ${rest}`;
}

/** True when two words differ in their capitals at most. */
export function sameWord(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase();
}

/** Panels write `<command> = <value>`, so that an empty value can be told from a question. */
export function withoutEquals(text: string): string {
  return text.trim().replace(/^=\s*/, "");
}

/** `default` for a panel's empty value, null for a question. */
export function orDefault(rest: string): string | null {
  return rest.trim().startsWith("=") ? defaultWord : null;
}

/** What is to become of a text: nothing typed shows it, `clear` or `default` clears it. */
export function textChange(rest: string): TextChange {
  const text = rest.trim();
  if (text === "") return { type: "show" };
  const value = withoutEquals(text);
  if (value === "" || sameWord(value, "clear") || sameWord(value, defaultWord)) {
    return { type: "clear" };
  }
  return { type: "set", value };
}

/** Goes on with a change whose text keeps the limit; otherwise a problem that names both lengths. */
export function limited<C extends TextChange>(
  change: C,
  what: string,
  maxLength: number,
  then: (change: C) => Parsed,
): Parsed {
  if (change.type !== "set" || change.value.length <= maxLength) return then(change);
  return { type: "problem", problem: tooLong(what, change.value.length, maxLength) };
}

/** What was seen and the limit, in words. */
export function tooLong(what: string, length: number, limit: number): string {
  const of = (count: number) => count.toLocaleString("en-US");
  return `${what} may have ${of(limit)} characters; this has ${of(length)}.`;
}

/** A text without the quotation marks around it. */
export function unquoted(text: string): string {
  const trimmed = text.trim();
  const quoted = /^(["'“”„«‘’])(.*)(["'“”»‘’])$/su.exec(trimmed);
  return (quoted?.[2] ?? trimmed).trim();
}

/** Why a text cannot be the name of an assistant; undefined when it can. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "Say its name.";
  if (name.length > commandLimits.assistantName) {
    return tooLong("A name", name.length, commandLimits.assistantName);
  }
  if (!/^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._'’&+-]*$/u.test(name)) {
    return `${code(name)} cannot be a name: use letters, digits, spaces and . _ - ' & +.`;
  }
  if ([defaultWord, ...editFields].some((taken) => sameWord(taken, name))) {
    return `${code(name)} cannot be a name: it means something in commands.`;
  }
  return undefined;
}

/** Cuts `Help desk instructions Be brief.` at the first word that names a field; quotes protect a name. */
export function splitAtField<F extends string>(
  text: string,
  fields: readonly F[],
): { readonly before: string; readonly field: F | undefined; readonly after: string } {
  const quotedEnd = /^\s*["“„«][^"“”»]*["”»]/u.exec(text)?.[0].length ?? 0;
  for (const match of text.slice(quotedEnd).matchAll(/\S+/g)) {
    const from = quotedEnd + match.index;
    if (from === 0) continue;
    const field = fields.find((known) => sameWord(known, match[0]));
    if (!field) continue;
    return { before: text.slice(0, from), field, after: text.slice(from + match[0].length).trim() };
  }
  return { before: text, field: undefined, after: "" };
}

/** Cuts a trailing `in <conversation>`; conversation keys always contain a colon. */
export function splitConversation(rest: string): { text: string; conversation: string | null } {
  const found = /(?:^|\s)in\s+([^\s:]+:\S[^\n]*)$/i.exec(rest);
  if (!found) return { text: rest.trim(), conversation: null };
  return { text: rest.slice(0, found.index).trim(), conversation: found[1]?.trim() ?? null };
}

/** Reads a command that takes nothing but perhaps the conversation it is about. */
export function aboutConversation(
  rest: string,
  name: CommandName,
  then: (conversation: string | null) => Command,
): Parsed {
  const { text, conversation } = splitConversation(rest);
  if (text === "") return then(conversation);
  return {
    type: "problem",
    problem: `${code(name)} takes nothing more; I do not know what to do with ${code(text)}.`,
    nearest: name,
  };
}

/** Reads one of the known words, or none; otherwise a problem with the nearest. */
export function oneOf<V extends string>(
  text: string,
  known: readonly V[],
  name: CommandName,
  what: string,
  then: (value: V | null) => Command,
): Parsed {
  const typed = text.trim();
  if (typed === "") return then(null);
  const value = known.find((candidate) => sameWord(candidate, typed));
  if (value) return then(value);
  const nearest = nearestOf(typed, known);
  return {
    type: "problem",
    problem: `There is no ${what} ${code(typed)}: choose ${alternatives(known)}.`,
    nearest: nearest ? `${name} ${nearest}` : name,
  };
}

/** `a`, `b` or `c`, in words. */
export function alternatives(known: readonly string[]): string {
  const quoted = known.map((one) => code(one));
  return `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1) ?? ""}`;
}

/** A whole number, with or without separators; undefined when it is none. */
export function wholeNumber(text: string): number | undefined {
  const digits = text.trim().replace(/[,_]/g, "");
  return /^\d{1,9}$/.test(digits) ? Number(digits) : undefined;
}

/** The known text nearest to a mistyped one; undefined when none is near enough to be meant. */
export function nearestOf(typed: string, known: readonly string[]): string | undefined {
  const wanted = typed.toLowerCase();
  const allowed = wanted.length < 4 ? 1 : wanted.length < 8 ? 2 : 3;
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    const distance =
      wanted.length >= 3 && lower.startsWith(wanted) ? 0.5 : editDistance(wanted, lower);
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** A text as inline code, whatever it contains. */
export function code(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = "`".repeat(longest + 1);
  const space = line.startsWith("`") || line.endsWith("`") || line === "" ? " " : "";
  return `${fence}${space}${line}${space}${fence}`;
}

/** Letters to insert, drop, replace or swap with their neighbour to turn one word into another. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (current[column - 1] ?? 0) + 1,
        (last[column] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const isSwap =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (isSwap) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
