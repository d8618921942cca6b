import { ApplicationCommandOptionType, ApplicationCommandType } from "discord-api-types/v10";
import { type JsonObject, objectsAt, textAt } from "../slack/json.ts";
import { FormProblems } from "./refusal.ts";

/** Names of slash commands and options (docs.discord.com, application-command naming). */
const slashName = /^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$/u;

/** Commands of each type an application may have, globally and in a guild. */
const most: Readonly<Record<number, number>> = {
  [ApplicationCommandType.ChatInput]: 100,
  [ApplicationCommandType.User]: 15,
  [ApplicationCommandType.Message]: 15,
};

/** Checks a list of command definitions; refuses it as a whole. */
export function checkCommands(commands: readonly JsonObject[]): void {
  const problems = new FormProblems();
  const counts = new Map<number, number>();
  const names = new Set<string>();
  commands.forEach((command, index) => {
    const path = String(index);
    const type = typeof command.type === "number" ? command.type : ApplicationCommandType.ChatInput;
    counts.set(type, (counts.get(type) ?? 0) + 1);
    const name = textAt(command, "name") ?? "";
    if (names.has(`${type} ${name}`)) {
      problems.add(
        `${path}.name`,
        "APPLICATION_COMMANDS_DUPLICATE_NAME",
        "Application command names must be unique",
      );
    }
    names.add(`${type} ${name}`);
    if (type !== ApplicationCommandType.ChatInput) {
      if (name.length < 1 || name.length > 32) problems.badLength(`${path}.name`, 1, 32);
      if (textAt(command, "description")) {
        problems.add(`${path}.description`, "APPLICATION_COMMAND_NO_DESCRIPTION", "No description");
      }
      return;
    }
    checkNamed(command, path, problems);
    checkOptions(command, path, problems);
    if (lengthOf(command) > 8000) {
      problems.add(path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)");
    }
  });
  for (const [type, count] of counts) {
    if (count > (most[type] ?? 1)) {
      problems.add(
        "commands",
        "APPLICATION_COMMANDS_LIMIT",
        `Maximum number of application commands reached (${most[type]}).`,
      );
    }
  }
  problems.refuseIfAny();
}

function checkNamed(value: JsonObject, path: string, problems: FormProblems): void {
  const name = textAt(value, "name") ?? "";
  if (!slashName.test(name) || name !== name.toLowerCase()) {
    problems.add(`${path}.name`, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
  }
  const description = textAt(value, "description") ?? "";
  if (description.length < 1 || description.length > 100) {
    problems.badLength(`${path}.description`, 1, 100);
  }
}

function checkOptions(value: JsonObject, path: string, problems: FormProblems): void {
  const options = objectsAt(value, "options");
  if (options.length > 25) problems.tooLong(`${path}.options`, 25);
  const names = new Set<unknown>();
  let isOptional = false;
  options.forEach((option, index) => {
    const here = `${path}.options.${index}`;
    checkNamed(option, here, problems);
    if (names.has(option.name)) {
      problems.add(`${here}.name`, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Duplicate name");
    }
    names.add(option.name);
    if (option.required === true && isOptional) {
      problems.add(
        here,
        "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
        "Required options must be placed before non-required options",
      );
    }
    isOptional ||= option.required !== true;
    const choices = objectsAt(option, "choices");
    if (choices.length > 25) problems.tooLong(`${here}.choices`, 25);
    if (choices.length > 0 && option.autocomplete === true) {
      problems.add(
        `${here}.autocomplete`,
        "APPLICATION_COMMAND_OPTIONS_CHOICES_AUTOCOMPLETE",
        "Choices and autocomplete exclude each other",
      );
    }
    const length = option.max_length;
    if (typeof length === "number" && length > 6000) problems.tooLong(`${here}.max_length`, 6000);
    const nests =
      option.type === ApplicationCommandOptionType.Subcommand ||
      option.type === ApplicationCommandOptionType.SubcommandGroup;
    if (nests) checkOptions(option, here, problems);
  });
}

/** Name, description and values of a command with all its options, as the 8,000 counts them. */
function lengthOf(value: JsonObject): number {
  const own = ["name", "description", "value"].reduce(
    (sum, field) => sum + (textAt(value, field) ?? "").length,
    0,
  );
  return [...objectsAt(value, "options"), ...objectsAt(value, "choices")].reduce(
    (sum, part) => sum + lengthOf(part),
    own,
  );
}
