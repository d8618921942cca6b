import { parse, stringify, YAMLError } from "yaml";
import { z } from "zod";
import type { AssistantFile } from "#domain/assistant-file";
import { BotError } from "#domain/errors";

/** Far more than any assistant needs; a text of this size is read in a moment. */
const maxCharacters = 200_000;
/** References within a file multiply what it says: it needs hardly any. */
const maxAliases = 20;

const line = (max: number) => z.string().trim().min(1).max(max);
const lines = z
  .union([line(4_000).transform((one) => [one]), z.array(line(4_000)).max(100)])
  .optional();

/** A file's name and nothing else: no folder, no way out of one. */
const fileName = z
  .string()
  .max(200)
  .regex(/^[^/\\:\0]+$/, "has to be the name of a file in the same folder")
  .refine((name) => !/^\.{1,2}$/.test(name), "has to be the name of a file in the same folder");

const schema = z.strictObject({
  name: line(40),
  description: line(200).nullish(),
  instructions: z.union([
    line(30_000),
    z.strictObject({
      role: line(10_000).optional(),
      abilities: lines,
      rules: lines,
      format: line(10_000).optional(),
      limits: lines,
    }),
  ]),
  model: line(200).default("default"),
  tools: z.union([z.literal("all"), z.array(line(64)).max(200)]).default("all"),
  files: z.array(fileName).max(2_000).default([]),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  reasoning_effort: z.enum(["none", "minimal", "low", "medium", "high"]).nullish(),
  truncation: z.union([z.literal("auto"), z.number().int().min(1).max(10_000)]).default("auto"),
  max_prompt_tokens: z.number().int().min(1).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
});

/** Reads an assistant's file. Throws a BotError `bad-input` that names each field that is wrong. */
export function readAssistant(text: string): AssistantFile {
  const read = schema.safeParse(parseYaml(text));
  if (!read.success) throw bad(z.prettifyError(read.error));
  const { truncation, instructions, ...rest } = read.data;
  return {
    ...rest,
    description: rest.description ?? null,
    instructions: typeof instructions === "string" ? instructions : present(instructions),
    temperature: rest.temperature ?? null,
    top_p: rest.top_p ?? null,
    reasoning_effort: rest.reasoning_effort ?? null,
    truncation_strategy:
      truncation === "auto"
        ? { type: "auto" }
        : { type: "last_messages", last_messages: truncation },
    max_prompt_tokens: rest.max_prompt_tokens ?? null,
    max_completion_tokens: rest.max_completion_tokens ?? null,
  };
}

/** The text of a file; what is as usual is left out. */
export function writeAssistant(file: AssistantFile): string {
  const { truncation_strategy: truncation, files, ...rest } = file;
  const settings = Object.entries({
    ...rest,
    truncation: truncation.type === "auto" ? null : truncation.last_messages,
    files: files.length === 0 ? null : files,
  });
  return stringify(Object.fromEntries(settings.filter(([, value]) => value !== null)), {
    lineWidth: 100,
  });
}

function parseYaml(text: string): unknown {
  if (text.length > maxCharacters) {
    throw bad(`It has ${text.length} characters; an assistant's file may have ${maxCharacters}.`);
  }
  try {
    return parse(text, { maxAliasCount: maxAliases, prettyErrors: true });
  } catch (error) {
    if (error instanceof YAMLError || error instanceof ReferenceError) throw bad(error.message);
    throw error;
  }
}

/** Only the parts that are there. */
function present<T extends object>(parts: T): { [Part in keyof T]: NonNullable<T[Part]> } {
  const given = Object.entries(parts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [Part in keyof T]: NonNullable<T[Part]> };
}

function bad(problem: string): BotError {
  return new BotError("bad-input", { detail: `This is no assistant's file: ${problem.trim()}` });
}
