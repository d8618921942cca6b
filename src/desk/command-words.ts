import type { CommandParameter, CommandSpec } from "#domain/command";
import {
  type CommandName,
  commandLimits,
  commandNames,
  editFields,
  fileActions,
  fileUses,
  listTopics,
  type Parsed,
  queuePolicies,
  scopes,
  usageTopics,
} from "./command.ts";
import {
  parseContext,
  parseCreate,
  parseDelete,
  parseEdit,
  parseExport,
  parseFiles,
  parseForget,
  parseHelp,
  parseList,
  parseModel,
  parseQueue,
  parseSettings,
  parseStop,
  parseTools,
  parseUsage,
} from "./command-parsers.ts";
import {
  aboutConversation,
  limited,
  oneOf,
  orDefault,
  textChange,
  unquoted,
  withoutEquals,
} from "./command-text.ts";

/** A word of the grammar: what is said about it, and how what follows is read. */
export interface Word extends CommandSpec {
  readonly name: CommandName;
  readonly group: "Conversation" | "Assistants" | "Settings";
  /** Commands as somebody would type them, for the word's own help. */
  readonly examples: readonly string[];
  parse(rest: string): Parsed;
}

/** The table. Names and texts keep Discord's limits: 25 words, 32 and 100 characters. */
export const words: { readonly [N in CommandName]: Word & { readonly name: N } } = {
  new: {
    name: "new",
    group: "Conversation",
    summary: "Begin a new conversation here; what was said before is left out",
    usage: "new",
    role: "person",
    parameters: [],
    examples: ["new"],
    parse: (rest) =>
      aboutConversation(rest, "new", (conversation) => ({ type: "new", conversation })),
  },
  stop: {
    name: "stop",
    group: "Conversation",
    summary: "Stop the reply being written; “all” also removes what waits",
    usage: "stop [all]",
    role: "person",
    parameters: [word("what", "“all”: what waits, too", ["current", "all"])],
    examples: ["stop", "stop all"],
    parse: parseStop,
  },
  retry: {
    name: "retry",
    group: "Conversation",
    summary: "Answer the last message again",
    usage: "retry",
    role: "person",
    parameters: [],
    examples: ["retry"],
    parse: (rest) =>
      aboutConversation(rest, "retry", (conversation) => ({ type: "retry", conversation })),
  },
  resume: {
    name: "resume",
    group: "Conversation",
    summary: "Let the assistant answer again where a person had taken over",
    usage: "resume",
    role: "manager",
    parameters: [],
    examples: ["resume"],
    parse: (rest) =>
      aboutConversation(rest, "resume", (conversation) => ({ type: "resume", conversation })),
  },
  status: {
    name: "status",
    group: "Conversation",
    summary: "Show who answers here, what is being answered and what waits",
    usage: "status",
    role: "person",
    parameters: [],
    examples: ["status"],
    parse: (rest) =>
      aboutConversation(rest, "status", (conversation) => ({ type: "status", conversation })),
  },
  queue: {
    name: "queue",
    group: "Conversation",
    summary: "Show what waits, or choose how waiting messages are answered",
    usage: "queue [fifo|merge|latest]",
    role: "person",
    changedBy: "manager",
    parameters: [
      word("policy", "One by one, all in one answer, or only the newest", queuePolicies),
    ],
    examples: ["queue", "queue merge"],
    parse: parseQueue,
  },
  files: {
    name: "files",
    group: "Conversation",
    summary: "List, add or delete files; keep one for the assistant (share) or the channel (pin)",
    usage:
      "files [list] | add [channel] | use <file> look|search|compute | remove|share|unshare|pin|unpin <file>",
    role: "person",
    parameters: [
      word("action", "What to do", fileActions),
      { name: "file", summary: "Its name or id", required: false, kind: "file" },
      word("use", "Show it to the model, search it, or compute with it", fileUses),
    ],
    examples: ["files", "files add channel", "files use report.pdf search", "files pin rules.pdf"],
    parse: parseFiles,
  },
  export: {
    name: "export",
    group: "Conversation",
    summary: "Get this conversation, or an assistant, as a file",
    usage: "export [assistant [<assistant>]]",
    role: "person",
    parameters: [word("what", "An assistant", ["assistant"]), assistantParameter(false)],
    examples: ["export", "export assistant Support"],
    parse: parseExport,
  },
  forget: {
    name: "forget",
    group: "Conversation",
    summary: "Really delete this conversation, or all you ever said here",
    usage: "forget conversation|me",
    role: "person",
    parameters: [
      word("what", "This conversation, or all that you said anywhere", ["conversation", "me"]),
      word("confirm", "“yes” does it without asking again", ["yes"]),
    ],
    examples: ["forget conversation", "forget me"],
    parse: parseForget,
  },
  list: {
    name: "list",
    group: "Assistants",
    summary: "List the assistants, the models, or who changed what",
    usage: "list [assistants|models|audit]",
    role: "person",
    parameters: [word("what", "What to list", listTopics)],
    examples: ["list", "list models", "list audit"],
    parse: parseList,
  },
  show: {
    name: "show",
    group: "Assistants",
    summary: "Show an assistant: its instructions, model, tools and files",
    usage: "show [assistant]",
    role: "person",
    parameters: [assistantParameter(false)],
    examples: ["show", "show Bobbin"],
    parse: (rest) => ({ type: "show", assistant: unquoted(rest) || null }),
  },
  use: {
    name: "use",
    group: "Assistants",
    summary: "Choose the assistant that answers in this channel",
    usage: "use <assistant>|default",
    role: "person",
    changedBy: "manager",
    parameters: [assistantParameter(false)],
    examples: ["use Support", "use default"],
    parse: (rest) => ({ type: "use", assistant: unquoted(withoutEquals(rest)) || orDefault(rest) }),
  },
  model: {
    name: "model",
    group: "Assistants",
    summary: "Show or choose the model for this channel",
    usage: "model [name|default]",
    role: "person",
    changedBy: "manager",
    parameters: [{ name: "model", summary: "Its name", required: false, kind: "model" }],
    examples: ["model", "model gpt-5.5", "model default"],
    parse: parseModel,
  },
  instructions: {
    name: "instructions",
    group: "Assistants",
    summary: "Show or change the instructions for this channel only",
    usage: "instructions [text|default]",
    role: "person",
    changedBy: "manager",
    parameters: [textParameter("text", "New instructions; “default” takes the assistant's own")],
    examples: ["instructions", "instructions Answer in French.", "instructions default"],
    parse: (rest) =>
      limited(textChange(rest), "Instructions", commandLimits.instructions, (change) => ({
        type: "instructions",
        change,
      })),
  },
  tools: {
    name: "tools",
    group: "Assistants",
    summary: "List the tools, or switch one on or off for the assistant here",
    usage: "tools [on|off <tool>]",
    role: "person",
    changedBy: "manager",
    parameters: [
      word("action", "On or off", ["list", "on", "off"]),
      { name: "tool", summary: "Its name", required: false, kind: "tool" },
    ],
    examples: ["tools", "tools off web_search"],
    parse: parseTools,
  },
  create: {
    name: "create",
    group: "Assistants",
    summary: "Make a new assistant",
    usage: "create <name> [instructions <text>] | from <template or attached file> [as <name>]",
    role: "manager",
    parameters: [
      textParameter("name", "Its name", true),
      word("field", "What follows", ["instructions"]),
      textParameter("text", "Its instructions"),
    ],
    examples: [
      "create Support instructions You answer questions about our product.",
      "create from customer-service",
      "create from my-assistant.yaml as Support",
    ],
    parse: parseCreate,
  },
  edit: {
    name: "edit",
    group: "Assistants",
    summary: "Change an assistant; it holds from the next message on",
    usage: `edit <assistant> ${editFields.join("|")} <value>`,
    role: "manager",
    parameters: [
      assistantParameter(true),
      { ...word("field", "What to change", editFields), required: true },
      textParameter("value", "The new value", true),
    ],
    examples: [
      "edit Support instructions Be brief.",
      "edit Support name Help desk",
      "edit Support tools web_search, calculator",
      "edit Support temperature 0.2",
      "edit Support truncation 20",
    ],
    parse: parseEdit,
  },
  delete: {
    name: "delete",
    group: "Assistants",
    summary: "Delete an assistant; its channels go back to the default",
    usage: "delete <assistant>",
    role: "manager",
    parameters: [
      assistantParameter(true),
      word("confirm", "“yes” does it without asking again", ["yes"]),
    ],
    examples: ["delete Support"],
    parse: parseDelete,
  },
  context: {
    name: "context",
    group: "Settings",
    summary: "What the assistant should always know about you or this channel",
    usage: "context [me|channel] [text|clear]",
    role: "person",
    parameters: [
      word("of", "About you, or about this channel", ["me", "channel"]),
      textParameter("text", "What to know; “clear” removes it"),
    ],
    examples: ["context", "context me Address me formally.", "context channel clear"],
    parse: parseContext,
  },
  scope: {
    name: "scope",
    group: "Settings",
    summary: "Choose how much of this channel is one conversation",
    usage: "scope [thread|person|channel]",
    role: "person",
    changedBy: "manager",
    parameters: [word("scope", "Each thread, each person, or the whole channel", scopes)],
    examples: ["scope", "scope person"],
    parse: (rest) =>
      oneOf(withoutEquals(rest), scopes, "scope", "scope", (scope) => ({ type: "scope", scope })),
  },
  usage: {
    name: "usage",
    group: "Settings",
    summary: "Show what was used and about what it cost",
    usage: "usage [me|channel|run|month]",
    role: "person",
    parameters: [
      word("of", "Yours, this channel's, the last reply's, or everything's", usageTopics),
    ],
    examples: ["usage", "usage channel", "usage run"],
    parse: parseUsage,
  },
  settings: {
    name: "settings",
    group: "Settings",
    summary: "Show everything that is set here; managers and the spending cap",
    usage: "settings [managers [add|remove <person>] | cap <dollars>|off]",
    role: "person",
    changedBy: "manager",
    parameters: [
      word("topic", "Managers of this channel, or its monthly cap", ["managers", "cap"]),
      textParameter("value", "add or remove and a person; or a sum in US dollars"),
    ],
    examples: ["settings", "settings managers add @Ada", "settings cap 20", "settings cap off"],
    parse: parseSettings,
  },
  help: {
    name: "help",
    group: "Settings",
    summary: "Show the commands, or one of them in detail",
    usage: "help [command]",
    role: "person",
    parameters: [word("command", "The command", commandNames)],
    examples: ["help", "help context"],
    parse: parseHelp,
  },
};

function word(name: string, summary: string, choices: readonly string[]): CommandParameter {
  return { name, summary, required: false, kind: "word", choices };
}

function textParameter(name: string, summary: string, required = false): CommandParameter {
  return { name, summary, required, kind: "text" };
}

function assistantParameter(required: boolean): CommandParameter {
  return { name: "assistant", summary: "Its name", required, kind: "assistant" };
}
