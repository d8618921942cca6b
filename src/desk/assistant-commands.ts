import type { Assistant, AssistantTool } from "#domain/assistant";
import type { CommandAnswer } from "#domain/command";
import { BotError } from "#domain/errors";
import {
  type AssistantChange,
  defaultAssistantId,
  defaultModelWord,
  hasAllTools,
  toolName,
} from "../runs/catalogue.ts";
import type { AssistantEdit, Command, TextChange } from "./command.ts";
import { code, nearestOf } from "./command-text.ts";
import { type CommandRequest, type Desk, findAssistant, mayNotWords, whyNotEdit } from "./desk.ts";
import { mayAct } from "./roles.ts";
import { ago, bold, choice, count, done, listed, quote, refused, typed } from "./words.ts";

type Of<T extends Command["type"]> = Extract<Command, { readonly type: T }>;

const fromNextMessage = "from the next message on";

/** `list`: the assistants, the models, or who changed what. */
export async function list(
  desk: Desk,
  request: CommandRequest,
  command: Of<"list">,
): Promise<CommandAnswer> {
  switch (command.what) {
    case "assistants":
      return listAssistants(desk, request);
    case "models":
      return listModels(desk);
    case "audit":
      return listAudit(desk);
  }
}

async function listAssistants(desk: Desk, request: CommandRequest): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const [assistants, answering] = await Promise.all([
    catalogue.list(),
    catalogue.answering(request.place.channelKey),
  ]);
  const lines = assistants.map((assistant) => {
    const marks = [
      ...(assistant.id === answering.id ? ["answers here"] : []),
      ...(assistant.id === defaultAssistantId ? ["default"] : []),
    ];
    const about = assistant.description ? `: ${assistant.description}` : "";
    const mark = marks.length > 0 ? ` (${marks.join(", ")})` : "";
    return `- ${bold(assistant.name)}${mark}${about} · ${code(catalogue.modelOf(assistant))}`;
  });
  const others = assistants.filter((assistant) => assistant.id !== answering.id);
  const choices = mayAct(request.role, "manager")
    ? others.slice(0, 5).map(({ name }) => choice(`Use ${name} here`, `use ${name}`))
    : [];
  return done(lines.join("\n"), choices);
}

async function listModels(desk: Desk): Promise<CommandAnswer> {
  const models = await desk.models();
  if (models.length === 0) {
    return done("The server does not say which models it has. Any name can be tried.");
  }
  const shown = models.slice(0, 100).map((model) => `- ${code(model)}`);
  const more = models.length > 100 ? `\n… and ${models.length - 100} more.` : "";
  return done(`${shown.join("\n")}${more}`);
}

async function listAudit(desk: Desk): Promise<CommandAnswer> {
  const { catalogue, now } = desk.options;
  const entries = await catalogue.audit(30);
  if (entries.length === 0) return done("Nothing was changed yet.");
  const lines = entries.map((entry) => {
    const values = [
      ...(entry.from === undefined ? [] : [`from ${code(entry.from)}`]),
      ...(entry.to === undefined ? [] : [`to ${code(entry.to)}`]),
    ];
    const who = `${bold(entry.by.name)} (${code(entry.by.key)})`;
    return `- ${ago(entry.atMs, now())}, ${who}: ${entry.action}, ${entry.target} ${values.join(" ")}`.trimEnd();
  });
  return done(`The last changes, newest first:\n${lines.join("\n")}`);
}

/** `show`: all there is to know of an assistant. */
export async function show(
  desk: Desk,
  request: CommandRequest,
  command: Of<"show">,
): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const answering = await catalogue.answering(request.place.channelKey);
  let assistant = answering;
  if (command.assistant !== null) {
    const found = await findAssistant(desk, command.assistant, (name) => `show ${name}`);
    if ("answer" in found) return found.answer;
    assistant = found.assistant;
  }
  const channels = await catalogue.channelsUsing(assistant.id, 100);
  const model = catalogue.modelOf(assistant);
  const lines = [
    `${bold(assistant.name)}, version ${assistant.version}${assistant.id === answering.id ? ", answers here" : ""}`,
    ...(assistant.description ? [assistant.description] : []),
    `- Model: ${code(model)}${assistant.model === defaultModelWord ? " (the default)" : ""}`,
    `- Tools: ${toolWords(desk, assistant)}`,
    ...(await fileWords(desk, assistant)),
    ...numberWords(assistant),
    `- Long conversations: ${truncationWords(assistant)}`,
    ...(channels.length > 0 ? [`- Chosen in ${count(channels.length, "channel")}`] : []),
    ...(assistant.id === answering.id ? overrideWords(request) : []),
    "",
    assistant.instructions === "" ? "It has no instructions." : quote(assistant.instructions),
  ];
  return done(lines.join("\n"));
}

function toolWords(desk: Desk, assistant: Assistant): string {
  const names = desk.options.catalogue.toolsOf(assistant).map(toolName);
  if (names.length === 0) return "none";
  return `${hasAllTools(assistant) ? "all there are: " : ""}${names.map(code).join(", ")}`;
}

async function fileWords(desk: Desk, assistant: Assistant): Promise<readonly string[]> {
  if (assistant.file_ids.length === 0) return [];
  const names = await Promise.all(
    assistant.file_ids.map(async (id) => (await desk.options.describeFile?.(id))?.filename ?? id),
  );
  return [`- Files: ${names.map(code).join(", ")}`];
}

function numberWords(assistant: Assistant): readonly string[] {
  const numbers: readonly (readonly [string, number | string | null])[] = [
    ["Temperature", assistant.temperature],
    ["Top-p", assistant.top_p],
    ["Reasoning", assistant.reasoning_effort],
    ["Prompt tokens per run, at most", assistant.max_prompt_tokens],
    ["Completion tokens per run, at most", assistant.max_completion_tokens],
  ];
  return numbers
    .filter(([, value]) => value !== null)
    .map(([label, value]) => `- ${label}: ${value?.toLocaleString("en-US")}`);
}

function truncationWords({ truncation_strategy: strategy }: Assistant): string {
  return strategy.type === "auto"
    ? "shortened when they outgrow the model"
    : `the last ${count(strategy.last_messages, "message")} are read`;
}

function overrideWords({ settings }: CommandRequest): readonly string[] {
  return [
    ...(settings.model ? [`- In this channel with the model ${code(settings.model)}`] : []),
    ...(settings.instructions
      ? [`- In this channel with other instructions (${typed("instructions")})`]
      : []),
  ];
}

/** `create`. Not by way of a direct message: there everybody is a manager. */
export async function create(
  desk: Desk,
  request: CommandRequest,
  command: Of<"create">,
): Promise<CommandAnswer> {
  if (!mayAct(request.sharedRole, "manager")) {
    return refused(mayNotWords(desk, request, "manager", "create assistants"));
  }
  if ("from" in command) return createFrom(desk, request, command);
  const { catalogue } = desk.options;
  const { name } = await catalogue.create(command, request.person, request.incoming.eventId);
  return done(
    `Created ${bold(name)} with all tools and the default model${command.instructions ? "" : `; give it its own instructions with ${typed(`edit ${name} instructions …`)}`}.`,
    [choice(`Use ${name} here`, `use ${name}`), choice(`Show ${name}`, `show ${name}`)],
  );
}

async function createFrom(
  desk: Desk,
  request: CommandRequest,
  { from, name: as }: Extract<Of<"create">, { readonly from: string }>,
): Promise<CommandAnswer> {
  const { shelf, threads } = desk.options;
  if (!shelf) return refused("There are no templates here.");
  const { place, person, incoming } = request;
  const attached = await threads.files(await threads.conversationOf(place, person));
  const made = await shelf.install({ from, as, attached, by: person, eventId: incoming.eventId });
  const { name, description } = made.assistant;
  const notes = [
    ...(description ? [description] : []),
    ...(made.missingTools.length > 0
      ? [
          `It names tools that are not here: ${listed(made.missingTools.map(code))}. It works without them, and has them as soon as they are.`,
        ]
      : []),
    ...(made.missingFiles.length > 0
      ? [`It names files that are not here: ${listed(made.missingFiles.map(code))}.`]
      : []),
  ];
  return done(`Created ${bold(name)} from ${code(from)}.\n${notes.join("\n")}`.trim(), [
    choice(`Use ${name} here`, `use ${name}`),
    choice(`Show ${name}`, `show ${name}`),
  ]);
}

/** `export assistant`. */
export async function exportAssistant(
  desk: Desk,
  request: CommandRequest,
  wanted: string | null,
): Promise<CommandAnswer> {
  const { shelf, catalogue } = desk.options;
  if (!shelf) return refused("Assistants cannot be exported here.");
  const found =
    wanted === null
      ? { assistant: await catalogue.answering(request.place.channelKey) }
      : await findAssistant(desk, wanted, (name) => `export assistant ${name}`);
  if ("answer" in found) return found.answer;
  const file = await shelf.write(found.assistant);
  const again = typed(`create from ${file.name}`);
  return {
    ...done(
      `Here is ${bold(found.assistant.name)} as a file. Attached to a message, ${again} makes it again, here or elsewhere. The files it keeps are named in it, and not part of it.`,
    ),
    file,
  };
}

/** `edit`. */
export async function edit(
  desk: Desk,
  request: CommandRequest,
  command: Of<"edit">,
): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const found = await findAssistant(
    desk,
    command.assistant,
    (name) => `edit ${name} ${command.edit.field} ${editValue(command.edit)}`,
  );
  if ("answer" in found) return found.answer;
  const { assistant } = found;
  const whyNot = await whyNotEdit(desk, request, assistant);
  if (whyNot) return refused(whyNot);
  if (command.edit.field === "model" && !command.edit.force) {
    const problem = await modelProblem(
      desk,
      command.edit.value,
      (model) => `edit ${assistant.name} model ${model}`,
    );
    if (problem) return problem;
  }
  const wanted = toChange(desk, command.edit);
  if ("answer" in wanted) return wanted.answer;
  const after = await catalogue.edit(assistant.id, () => wanted.change, request.person);
  if (after.version === assistant.version) return done(`${bold(after.name)} is like that already.`);
  const what = command.edit.field === "name" ? ` is called ${bold(after.name)}` : "";
  return done(
    what
      ? `${bold(assistant.name)}${what} now.`
      : `Changed the ${command.edit.field} of ${bold(after.name)} (version ${after.version}): it holds ${fromNextMessage}.`,
    [choice(`Show ${after.name}`, `show ${after.name}`)],
  );
}

function editValue(edit: AssistantEdit): string {
  switch (edit.field) {
    case "name":
    case "description":
    case "instructions":
    case "model":
      return edit.value;
    case "tools":
      return edit.value === "all" ? "all" : edit.value.join(", ");
    case "truncation":
      return edit.value.type === "auto" ? "auto" : String(edit.value.last_messages);
    default:
      return String(edit.value ?? "default");
  }
}

function toChange(
  desk: Desk,
  edit: AssistantEdit,
): { readonly change: AssistantChange } | { readonly answer: CommandAnswer } {
  switch (edit.field) {
    case "name":
      return { change: { name: edit.value } };
    case "description":
      return { change: { description: edit.value || null } };
    case "instructions":
      return { change: { instructions: edit.value } };
    case "model":
      return { change: { model: edit.value } };
    case "temperature":
      return { change: { temperature: edit.value } };
    case "top_p":
      return { change: { top_p: edit.value } };
    case "reasoning":
      return { change: { reasoning_effort: edit.value } };
    case "truncation":
      return { change: { truncation_strategy: edit.value } };
    case "max_prompt":
      return { change: { max_prompt_tokens: edit.value } };
    case "max_completion":
      return { change: { max_completion_tokens: edit.value } };
    case "tools": {
      if (edit.value === "all") return { change: { hasAllTools: true } };
      const tools: AssistantTool[] = [];
      for (const name of edit.value) {
        const tool = toTool(desk, name);
        if (!tool) return { answer: unknownTool(desk, name) };
        if (!tools.some((known) => toolName(known) === toolName(tool))) tools.push(tool);
      }
      return { change: { tools, hasAllTools: false } };
    }
  }
}

/** `delete`, after a question. */
export async function remove(
  desk: Desk,
  request: CommandRequest,
  command: Of<"delete">,
): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const found = await findAssistant(desk, command.assistant, (name) => `delete ${name}`);
  if ("answer" in found) return found.answer;
  const { assistant } = found;
  if (assistant.id === defaultAssistantId) {
    throw new BotError("not-allowed", {
      detail: `${assistant.name} is the default assistant and cannot be deleted.`,
    });
  }
  const whyNot = await whyNotEdit(desk, request, assistant);
  if (whyNot) return refused(whyNot);
  const [fallback, channels] = await Promise.all([
    catalogue.find(defaultAssistantId),
    catalogue.channelsUsing(assistant.id, 1_000),
  ]);
  const where =
    channels.length === 0
      ? "No channel has chosen it."
      : `${count(channels.length, "channel")} chose it: ${fallback?.name} will answer there, and say so.`;
  if (!command.confirmed) {
    return done(`Delete ${bold(assistant.name)}? ${where}`, [
      choice(`Delete ${assistant.name}`, `delete ${assistant.name} yes`),
    ]);
  }
  await catalogue.remove(assistant.id, request.person);
  return done(`Deleted ${bold(assistant.name)}. ${where}`);
}

/** `use`: which assistant answers in the channel. */
export async function use(
  desk: Desk,
  request: CommandRequest,
  command: Of<"use">,
): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const { channelKey } = request.place;
  if (command.assistant === null) {
    const answering = await catalogue.answering(channelKey);
    const { choices } = await listAssistants(desk, request);
    return done(
      `${bold(answering.name)} answers here. ${typed("use <name>")} chooses another; ${typed("list")} shows them.`,
      choices,
    );
  }
  const found = await findAssistant(desk, command.assistant, (name) => `use ${name}`);
  if ("answer" in found) return found.answer;
  const { assistant } = found;
  const assistantId = assistant.id === defaultAssistantId ? null : assistant.id;
  const before = await catalogue.channel(channelKey);
  const after = await catalogue.changeChannel(channelKey, () => ({ assistantId }), request.person);
  if (after.version === before.version)
    return done(`${bold(assistant.name)} answers here already.`);
  const kept = [
    ...(after.model ? [`its model ${code(after.model)}`] : []),
    ...(after.instructions ? ["its own instructions"] : []),
  ];
  const keeps = kept.length > 0 ? ` The channel keeps ${listed(kept)}.` : "";
  return done(`${bold(assistant.name)} answers here ${fromNextMessage}.${keeps}`);
}

/** `model`: of the channel. */
export async function model(
  desk: Desk,
  request: CommandRequest,
  command: Of<"model">,
): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const { channelKey } = request.place;
  const { change } = command;
  const answering = await catalogue.answering(channelKey);
  const own = catalogue.modelOf(answering);
  if (change.type === "show") {
    const chosen = request.settings.model;
    const models = await desk.models();
    const known =
      models.length > 0
        ? ` There are ${listed(models.slice(0, 15).map((name) => code(name)))}.`
        : "";
    return done(
      chosen
        ? `This channel uses ${code(chosen)} instead of ${answering.name}'s own ${code(own)}.${known}`
        : `${bold(answering.name)} uses ${code(own)} here.${known}`,
    );
  }
  if (change.type === "set" && !command.force) {
    const problem = await modelProblem(desk, change.value, (name) => `model ${name}`);
    if (problem) return problem;
  }
  const chosen = change.type === "set" ? change.value : null;
  const after = await catalogue.changeChannel(
    channelKey,
    () => ({ model: chosen }),
    request.person,
  );
  if (after.version === request.settings.version) return done("That is the model here already.");
  return done(
    chosen
      ? `This channel uses ${code(chosen)} ${fromNextMessage}.`
      : `This channel uses ${answering.name}'s own model ${code(own)} ${fromNextMessage}.`,
  );
}

/** A name the server does not list is mistyped more often than hidden; it can still be insisted on. */
async function modelProblem(
  desk: Desk,
  name: string,
  commandWith: (name: string) => string,
): Promise<CommandAnswer | undefined> {
  if (name === defaultModelWord) return undefined;
  const models = await desk.models();
  if (models.length === 0 || models.includes(name)) return undefined;
  const nearest = nearestOf(name, models);
  const meant = nearest ? ` Did you mean ${typed(commandWith(nearest))}?` : "";
  return refused(`The server lists no model ${code(name)}.${meant}`, [
    ...(nearest ? [choice(`Use ${nearest}`, commandWith(nearest))] : []),
    choice(`Use ${name} all the same`, `${commandWith(name)} force`),
  ]);
}

/** `instructions`: of the channel. */
export async function instructions(
  desk: Desk,
  request: CommandRequest,
  command: Of<"instructions">,
): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const { channelKey } = request.place;
  const answering = await catalogue.answering(channelKey);
  if (command.change.type === "show") {
    const chosen = request.settings.instructions;
    return done(
      chosen
        ? `This channel's own instructions, instead of ${answering.name}'s:\n${quote(chosen)}`
        : `${bold(answering.name)}'s instructions hold here:\n${quote(answering.instructions)}`,
    );
  }
  const wanted = textOf(command.change);
  const after = await catalogue.changeChannel(
    channelKey,
    () => ({ instructions: wanted }),
    request.person,
  );
  if (after.version === request.settings.version) return done("That is so already.");
  return done(
    wanted
      ? `These instructions hold in this channel ${fromNextMessage}:\n${quote(wanted, 300)}`
      : `${bold(answering.name)}'s own instructions hold here ${fromNextMessage}.`,
  );
}

function textOf(change: Exclude<TextChange, { readonly type: "show" }>): string | null {
  return change.type === "set" ? change.value : null;
}

/** `tools`: those of the assistant that answers here. */
export async function tools(
  desk: Desk,
  request: CommandRequest,
  command: Of<"tools">,
): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const answering = await catalogue.answering(request.place.channelKey);
  if (command.action === "list") return listTools(desk, answering);
  const tool = toTool(desk, command.tool);
  if (!tool) return unknownTool(desk, command.tool, `tools ${command.action}`);
  const whyNot = await whyNotEdit(desk, request, answering);
  if (whyNot) return refused(whyNot);
  const name = toolName(tool);
  const isOn = command.action === "on";
  const after = await catalogue.edit(
    answering.id,
    (assistant) => {
      const current = hasAllTools(assistant) ? catalogue.availableTools() : assistant.tools;
      if (isOn === current.some((known) => toolName(known) === name)) return {};
      const others = current.filter((known) => toolName(known) !== name);
      return { tools: isOn ? [...others, tool] : others };
    },
    request.person,
  );
  const state = `${code(name)} is ${isOn ? "on" : "off"} for ${bold(answering.name)}`;
  if (after.version === answering.version) return done(`${state} already.`);
  return done(`${state} ${fromNextMessage}.`);
}

function listTools(desk: Desk, assistant: Assistant): CommandAnswer {
  const { catalogue } = desk.options;
  const available = catalogue.availableTools();
  const down = (desk.options.toolServers?.() ?? []).flatMap(({ name, problem }) =>
    problem === undefined ? [] : [`- The tool server ${code(name)} is down: ${problem}`],
  );
  if (available.length === 0) return done(["There are no tools here.", ...down].join("\n"));
  const on = new Set(catalogue.toolsOf(assistant).map(toolName));
  const lines = available.map((tool) => {
    const name = toolName(tool);
    return `- ${on.has(name) ? "on" : "off"} · ${code(name)}: ${describeTool(desk, tool)}`;
  });
  return done(
    `The tools of ${bold(assistant.name)}, which answers here:\n${[...lines, ...down].join("\n")}`,
  );
}

function describeTool(desk: Desk, tool: AssistantTool): string {
  switch (tool.type) {
    case "code_interpreter":
      return "Runs code and makes files and charts.";
    case "file_search":
      return "Searches in files.";
    case "web_search":
      return "Searches the web.";
    case "image_generation":
      return "Makes images.";
    case "function": {
      const about = desk.options
        .toolSpecs()
        .find(({ name }) => name === tool.function.name)?.description;
      return about?.split(/(?<=[.!?])\s/)[0] ?? "A function of this bot.";
    }
  }
}

function toTool(desk: Desk, name: string): AssistantTool | undefined {
  const wanted = name.toLowerCase();
  return desk.options.catalogue
    .availableTools()
    .find((tool) => toolName(tool).toLowerCase() === wanted);
}

function unknownTool(desk: Desk, name: string, command?: string): CommandAnswer {
  const names = desk.options.catalogue.availableTools().map(toolName);
  const nearest = nearestOf(name, names);
  if (nearest && command) {
    return refused(`There is no tool ${code(name)}. Did you mean ${code(nearest)}?`, [
      choice(`/assistant ${command} ${nearest}`, `${command} ${nearest}`),
    ]);
  }
  const known = names.length > 0 ? `There are ${listed(names.map(code))}.` : "There are none here.";
  return refused(`There is no tool ${code(name)}. ${known}`);
}
