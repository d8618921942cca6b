import type { Assistant } from "#domain/assistant";

/** Instructions in parts, as they are written in an assistant's file. Each part may be left out. */
export interface InstructionSections {
  /** Who it is and whom it serves. */
  readonly role?: string;
  readonly abilities?: readonly string[];
  readonly rules?: readonly string[];
  /** What its answers look like. */
  readonly format?: string;
  /** What it must not do, and what then. */
  readonly limits?: readonly string[];
}

/** An assistant as a file: everything but ids and versions, so that it can be copied anywhere. */
export interface AssistantFile
  extends Pick<
    Assistant,
    | "name"
    | "description"
    | "model"
    | "temperature"
    | "top_p"
    | "reasoning_effort"
    | "truncation_strategy"
    | "max_prompt_tokens"
    | "max_completion_tokens"
  > {
  readonly instructions: string | InstructionSections;
  /** Names of tools; `all`: whatever there is. */
  readonly tools: "all" | readonly string[];
  /** Names of files that stand beside it. */
  readonly files: readonly string[];
}

const listHeadings = {
  abilities: "## What you can do",
  rules: "## Rules",
  limits: "## Limits",
} as const;
const formatHeading = "## Format";

/** The text a model is given. */
export function instructionsText(instructions: AssistantFile["instructions"]): string {
  if (typeof instructions === "string") return instructions.trim();
  const { role, abilities, rules, format, limits } = instructions;
  const list = (heading: string, lines: readonly string[] = []) =>
    lines.length === 0
      ? []
      : [`${heading}\n${lines.map((line) => `- ${oneLine(line)}`).join("\n")}`];
  return [
    ...(role ? [role.trim()] : []),
    ...list(listHeadings.abilities, abilities),
    ...list(listHeadings.rules, rules),
    ...(format ? [`${formatHeading}\n${format.trim()}`] : []),
    ...list(listHeadings.limits, limits),
  ].join("\n\n");
}

/** The parts of a text that {@link instructionsText} made; any other text as it is. */
export function instructionsOf(text: string): AssistantFile["instructions"] {
  const [role = "", ...rest] = text.split(/\n*^(?=## )/m);
  const sections: { -readonly [Part in keyof InstructionSections]: InstructionSections[Part] } =
    role.trim() === "" ? {} : { role: role.trim() };
  for (const part of rest) {
    const [heading = "", ...lines] = part.split("\n");
    if (heading === formatHeading) sections.format = lines.join("\n").trim();
    for (const name of ["abilities", "rules", "limits"] as const) {
      if (heading === listHeadings[name]) {
        sections[name] = lines.filter((line) => line !== "").map((line) => line.slice("- ".length));
      }
    }
  }
  return rest.length > 0 && instructionsText(sections) === text ? sections : text;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").trim();
}
