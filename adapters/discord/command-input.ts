import type { CommandInteractionOption } from "discord.js";
import type { CommandSpec } from "#domain/command";

type Given = Pick<CommandInteractionOption, "name" | "value" | "focused">;

/** The options of a subcommand as the grammar reads them: `edit Support model gpt-5`. */
export function commandText(
  { name, parameters }: Pick<CommandSpec, "name" | "parameters">,
  given: readonly Given[],
): string {
  return [name, ...wordsOf(parameters, given)].join(" ").trim();
}

/** The same while it is being typed, up to the option that is being completed. */
export function partialText(
  { name, parameters }: Pick<CommandSpec, "name" | "parameters">,
  given: readonly Given[],
): string {
  const focused = given.find((option) => option.focused);
  const index = parameters.findIndex((parameter) => parameter.name === focused?.name);
  const before = wordsOf(parameters.slice(0, Math.max(0, index)), given, { fillsAll: true });
  return [name, ...before, String(focused?.value ?? "")].join(" ");
}

/**
 * The values in the grammar's order. A word that was left out and could only have been one thing is
 * filled in where something follows it: `create Support` with a text means `instructions <text>`.
 */
function wordsOf(
  parameters: CommandSpec["parameters"],
  given: readonly Given[],
  { fillsAll = false }: { readonly fillsAll?: boolean } = {},
): readonly string[] {
  const values = parameters.map(({ name }) => {
    const value = given.find((option) => option.name === name)?.value;
    return value === undefined ? undefined : String(value).trim();
  });
  const last = fillsAll ? values.length : values.findLastIndex((value) => value !== undefined);
  return parameters.flatMap(({ choices = [] }, index) => {
    const value = values[index];
    if (value !== undefined) return value === "" ? [] : [value];
    const [only] = choices;
    const isImplied = index < last && only !== undefined && (fillsAll || choices.length === 1);
    return isImplied ? [only] : [];
  });
}
