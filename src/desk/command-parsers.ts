import {
  type AssistantEdit,
  type CommandProblem,
  commandLimits,
  defaultWord,
  type EditField,
  editFields,
  fileActions,
  fileUses,
  listTopics,
  type Parsed,
  queuePolicies,
  reasoningEfforts,
  usageTopics,
} from "./command.ts";
import {
  aboutConversation,
  alternatives,
  code,
  firstWord,
  join,
  limited,
  nameProblem,
  nearestCommandName,
  nearestOf,
  oneOf,
  sameWord,
  splitAtField,
  splitConversation,
  textChange,
  toCommandName,
  tooLong,
  unquoted,
  wholeNumber,
  withoutEquals,
  withoutPrefix,
} from "./command-text.ts";

/** Reads what stands after `stop`. */
export function parseStop(rest: string): Parsed {
  const { text, conversation } = splitConversation(rest);
  if (text === "" || sameWord(text, "current"))
    return { type: "stop", what: "current", conversation };
  if (sameWord(text, "all")) return { type: "stop", what: "all", conversation };
  return {
    type: "problem",
    problem: `${code("stop")} stops the current reply and ${code("stop all")} also removes what waits; I do not know ${code(`stop ${text}`)}.`,
    nearest: nearestOf(text, ["all"]) ? "stop all" : "stop",
  };
}

/** Reads what stands after `queue`. */
export function parseQueue(rest: string): Parsed {
  const { text, conversation } = splitConversation(withoutEquals(rest));
  return oneOf(text, queuePolicies, "queue", "queue policy", (policy) => ({
    type: "queue",
    policy,
    conversation,
  }));
}

/** Reads what stands after `usage`. */
export function parseUsage(rest: string): Parsed {
  const { text, conversation } = splitConversation(rest);
  return oneOf(text, usageTopics, "usage", "kind of usage", (of) => ({
    type: "usage",
    of,
    conversation,
  }));
}

/** Reads what stands after `list`. */
export function parseList(rest: string): Parsed {
  return oneOf(rest, listTopics, "list", "list", (what) => ({
    type: "list",
    what: what ?? "assistants",
  }));
}

/** Reads what stands after `help`. */
export function parseHelp(rest: string): Parsed {
  const [first] = firstWord(withoutPrefix(rest));
  if (first === "") return { type: "help", topic: null };
  const topic = toCommandName(first);
  if (topic) return { type: "help", topic };
  const nearest = nearestCommandName(first);
  return {
    type: "problem",
    problem: `I know no command ${code(first)}.`,
    ...(nearest ? { nearest: `help ${nearest}` } : { nearest: "help" }),
  };
}

/** Reads what stands after `model`. */
export function parseModel(rest: string): Parsed {
  const change = textChange(rest);
  if (change.type !== "set") return { type: "model", change, force: false };
  const [name, tail] = firstWord(change.value);
  if (tail !== "" && !sameWord(tail, "force")) {
    return {
      type: "problem",
      problem: `A model's name is one word; ${code(change.value)} has more.`,
      nearest: `model ${name}`,
    };
  }
  return limited(
    { type: "set", value: name },
    "A model's name",
    commandLimits.modelName,
    (checked) => ({
      type: "model",
      change: checked,
      force: tail !== "",
    }),
  );
}

/** Reads what stands after `tools`. */
export function parseTools(rest: string): Parsed {
  const [action, tool] = firstWord(rest);
  if (action === "" || (sameWord(action, "list") && tool === "")) {
    return { type: "tools", action: "list" };
  }
  const found = (["on", "off"] as const).find((known) => sameWord(known, action));
  if (!found) {
    return {
      type: "problem",
      problem: `Tools are switched ${code("on")} or ${code("off")}; I do not know ${code(`tools ${action}`)}.`,
      nearest: "tools",
    };
  }
  if (tool === "") {
    return { type: "problem", problem: `Which tool shall I switch ${found}?`, nearest: "tools" };
  }
  return { type: "tools", action: found, tool: unquoted(tool) };
}

const addTargets = ["assistant", "channel"] as const;

/** Reads what stands after `files`. */
export function parseFiles(rest: string): Parsed {
  const { text, conversation } = splitConversation(rest);
  const [first, tail] = firstWord(text);
  if (first === "") return { type: "files", action: "list", conversation };
  const action = fileActions.find((known) => sameWord(known, first));
  if (!action) {
    const nearest = nearestOf(first, fileActions);
    return {
      type: "problem",
      problem: `I do not know ${code(`files ${first}`)}: choose ${alternatives(fileActions)}.`,
      nearest: nearest ? join(`files ${nearest}`, tail) : "files",
    };
  }
  if (action === "list") return { type: "files", action, conversation };
  if (action === "add") {
    const to = tail === "" ? "assistant" : addTargets.find((known) => sameWord(known, tail));
    if (to) return { type: "files", action, to };
    return {
      type: "problem",
      problem: `Files are added for the ${alternatives(addTargets)}.`,
      nearest: "files add",
    };
  }
  if (tail === "") {
    return { type: "problem", problem: `Which file do you mean?`, nearest: "files" };
  }
  if (action !== "use") return { type: "files", action, file: unquoted(tail), conversation };
  const cut = tail.lastIndexOf(" ");
  const last = cut < 0 ? "" : tail.slice(cut + 1);
  const use = fileUses.find((known) => sameWord(known, last));
  if (use) return { type: "files", action, file: unquoted(tail.slice(0, cut)), use, conversation };
  const nearest = nearestOf(last, fileUses);
  return {
    type: "problem",
    problem: `A file is used to ${alternatives(fileUses)}; say so after its name.`,
    nearest: `files use ${nearest ? `${tail.slice(0, cut)} ${nearest}` : `${tail} search`}`,
  };
}

/** Reads what stands after `forget`. */
export function parseForget(rest: string): Parsed {
  const { text, conversation } = splitConversation(rest);
  const [first, tail] = firstWord(text);
  if (first === "") return { type: "forget", what: null, confirmed: false, conversation };
  const what = (["conversation", "me"] as const).find((known) => sameWord(known, first));
  const confirmed = sameWord(tail, "yes");
  if (!what || (tail !== "" && !confirmed)) {
    return {
      type: "problem",
      problem: `I can forget ${code("conversation")} (this one) or ${code("me")} (all you said); I do not know ${code(`forget ${text}`)}.`,
      nearest: `forget ${nearestOf(first, ["conversation", "me"]) ?? "conversation"}`,
    };
  }
  return { type: "forget", what, confirmed, conversation };
}

/** Reads what stands after `create`. */
export function parseCreate(rest: string): Parsed {
  const template = /^from\s+(\S.*)$/is.exec(rest.trim())?.[1];
  if (template !== undefined) return parseCreateFrom(template);
  const { before, field, after } = splitAtField(rest, ["instructions"]);
  const name = unquoted(before);
  const problem = nameProblem(name);
  if (problem) {
    return { type: "problem", problem, nearest: "help create" };
  }
  if (!field) return { type: "create", name, instructions: null };
  return limited(
    { type: "set", value: withoutEquals(after) },
    "Instructions",
    commandLimits.instructions,
    (change) => ({ type: "create", name, instructions: change.value || null }),
  );
}

/** `from <template> [as <name>]`. */
function parseCreateFrom(text: string): Parsed {
  const { before, field, after } = splitAtField(text, ["as"]);
  const from = unquoted(before);
  if (!field) return { type: "create", from, name: null };
  const name = unquoted(after);
  const problem = nameProblem(name);
  if (problem) return { type: "problem", problem, nearest: `create from ${from}` };
  return { type: "create", from, name };
}

/** Reads what stands after `export`. */
export function parseExport(rest: string): Parsed {
  const [what, assistant] = firstWord(rest);
  if (sameWord(what, "assistant")) {
    return { type: "export", assistant: unquoted(assistant) || null };
  }
  return aboutConversation(rest, "export", (conversation) => ({
    type: "export",
    conversation,
  }));
}

/** Reads what stands after `edit`. */
export function parseEdit(rest: string): Parsed {
  const { before, field, after } = splitAtField(rest, editFields);
  const assistant = unquoted(before);
  if (!field || assistant === "") {
    const mistyped = rest
      .split(/\s+/)
      .slice(1)
      .find((piece) => nearestOf(piece, editFields));
    const meant = mistyped ? nearestOf(mistyped, editFields) : undefined;
    return {
      type: "problem",
      problem: `Say which assistant, what to change (${editFields.join(", ")}) and the new value.`,
      nearest: mistyped && meant ? `edit ${rest.replace(mistyped, meant)}` : "help edit",
    };
  }
  const edit = toEdit(field, withoutEquals(after));
  return "problem" in edit ? edit : { type: "edit", assistant, edit };
}

function toEdit(field: EditField, value: string): AssistantEdit | CommandProblem {
  const problem = (text: string): CommandProblem => ({
    type: "problem",
    problem: text,
    nearest: "help edit",
  });
  if (value === "" && !["description", "instructions", "tools"].includes(field)) {
    return problem(`Say the new ${field} after the word.`);
  }
  switch (field) {
    case "name": {
      const name = unquoted(value);
      const bad = nameProblem(name);
      return bad ? problem(bad) : { field, value: name };
    }
    case "description":
      return value.length > commandLimits.description
        ? problem(tooLong("A description", value.length, commandLimits.description))
        : { field, value: sameWord(value, "clear") ? "" : value };
    case "instructions":
      return value.length > commandLimits.instructions
        ? problem(tooLong("Instructions", value.length, commandLimits.instructions))
        : { field, value: sameWord(value, "clear") ? "" : value };
    case "model": {
      const [model, tail] = firstWord(value);
      return (tail !== "" && !sameWord(tail, "force")) || model.length > commandLimits.modelName
        ? problem(`${code(value.slice(0, 80))} is no model's name: it must be one word.`)
        : { field, value: model, force: tail !== "" };
    }
    case "tools": {
      if (sameWord(value, "all")) return { field, value: "all" };
      if (sameWord(value, "none") || value === "") return { field, value: [] };
      return { field, value: value.split(/[\s,]+/).filter((name) => name !== "") };
    }
    case "temperature":
      return numberEdit(field, value, { from: 0, to: 2 });
    case "top_p":
      return numberEdit(field, value, { from: 0, to: 1 });
    case "reasoning": {
      if (sameWord(value, defaultWord)) return { field, value: null };
      const effort = reasoningEfforts.find((known) => sameWord(known, value));
      return effort
        ? { field, value: effort }
        : problem(
            `Reasoning is ${alternatives([...reasoningEfforts, defaultWord])}, not ${code(value)}.`,
          );
    }
    case "truncation": {
      if (sameWord(value, "auto")) return { field, value: { type: "auto" } };
      const count = wholeNumber(value.replace(/^last(_messages)?[\s:=]+/i, ""));
      return count !== undefined && count >= 1
        ? { field, value: { type: "last_messages", last_messages: count } }
        : problem(
            `Truncation is ${code("auto")} or the number of last messages to keep, not ${code(value)}.`,
          );
    }
    case "max_prompt":
    case "max_completion": {
      if (sameWord(value, "off") || sameWord(value, defaultWord)) return { field, value: null };
      const count = wholeNumber(value);
      return count !== undefined && count >= 256
        ? { field, value: count }
        : problem(
            `${code(field)} is a number of tokens from 256 up, or ${code("off")}, not ${code(value)}.`,
          );
    }
  }
}

function numberEdit(
  field: "temperature" | "top_p",
  value: string,
  range: { readonly from: number; readonly to: number },
): AssistantEdit | CommandProblem {
  if (sameWord(value, defaultWord)) return { field, value: null };
  const number = /^\d+([.,]\d+)?$/.test(value) ? Number(value.replace(",", ".")) : Number.NaN;
  if (number >= range.from && number <= range.to) return { field, value: number };
  return {
    type: "problem",
    problem: `${code(field)} is a number from ${range.from} to ${range.to}, or ${code(defaultWord)}, not ${code(value)}.`,
    nearest: "help edit",
  };
}

/** Reads what stands after `delete`. */
export function parseDelete(rest: string): Parsed {
  const confirmed = /\syes$/i.test(rest);
  const assistant = unquoted(confirmed ? rest.slice(0, -3) : rest);
  if (assistant === "") {
    return { type: "problem", problem: "Which assistant shall I delete?", nearest: "list" };
  }
  return { type: "delete", assistant, confirmed };
}

/** Reads what stands after `context`. */
export function parseContext(rest: string): Parsed {
  const [first, tail] = firstWord(rest);
  if (first === "") return { type: "context", of: "both", change: { type: "show" } };
  const of = (["me", "channel"] as const).find((known) => sameWord(known, first));
  if (!of) {
    return {
      type: "problem",
      problem: `Say whose context it is: ${code("context me …")} or ${code("context channel …")}.`,
      nearest: nearestOf(first, ["channel"]) ? join("context channel", tail) : `context me ${rest}`,
    };
  }
  return limited(textChange(tail), "Context", commandLimits.context, (change) => ({
    type: "context",
    of,
    change,
  }));
}

/** Reads what stands after `settings`. */
export function parseSettings(rest: string): Parsed {
  const [topic, tail] = firstWord(rest);
  if (topic === "") return { type: "settings", topic: "all" };
  if (sameWord(topic, "cap")) return parseCap(withoutEquals(tail), tail.trim() === "=");
  if (!sameWord(topic, "managers")) {
    const nearest = nearestOf(topic, ["managers", "cap"]);
    const elsewhere = toCommandName(topic);
    return {
      type: "problem",
      problem: `I know no setting ${code(topic)} here.`,
      nearest: elsewhere
        ? join(elsewhere, tail)
        : nearest
          ? join(`settings ${nearest}`, tail)
          : "settings",
    };
  }
  const [action, person] = firstWord(tail);
  if (action === "") return { type: "settings", topic: "managers", action: "list" };
  const found = (["add", "remove"] as const).find((known) => sameWord(known, action));
  if (!found || person === "") {
    return {
      type: "problem",
      problem: "Say whether to add or to remove somebody, and whom.",
      nearest: join("settings managers add", found ? person : tail),
    };
  }
  return { type: "settings", topic: "managers", action: found, person };
}

function parseCap(value: string, isCleared: boolean): Parsed {
  if (isCleared || sameWord(value, "off") || sameWord(value, "clear")) {
    return { type: "settings", topic: "cap", change: { type: "set", usd: null } };
  }
  if (value === "") return { type: "settings", topic: "cap", change: { type: "show" } };
  const sum = value.replace(/^\$\s*|\s*(\$|usd|dollars?)$/gi, "");
  if (/^\d{1,7}([.,]\d{1,2})?$/.test(sum)) {
    const usd = Number(sum.replace(",", "."));
    return { type: "settings", topic: "cap", change: { type: "set", usd } };
  }
  return {
    type: "problem",
    problem: `A cap is a sum in US dollars, or ${code("off")}; ${code(value)} is neither.`,
    nearest: "settings cap 20",
  };
}

// ---------------------------------------------------------------------------------------------
// Pieces
