import { z } from "zod";
import { messageOf } from "#domain/errors";
import { isObject } from "#domain/json";
import type {
  CheckedArguments,
  FormField,
  JsonSchema,
  Tool,
  ToolContext,
  ToolFile,
  ToolResult,
} from "#domain/tool";
import { checkWith, defaultToolTimeoutMs, toolNamePattern, zodArguments } from "./define-tool.ts";

/** A tool, or everything that is wrong with what somebody offered as one. */
export type ForeignTool =
  | { readonly ok: true; readonly tool: Tool }
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * Makes a {@link Tool} of an object somebody else wrote, without any import of ours:
 *
 * - `name`, `description`, and `run(args, context, signal)`, which returns a string, a
 *   {@link ToolResult}, or anything JSON can hold;
 * - `parameters` (a JSON schema of an object) or `schema` (zod, or anything with `safeParse` or
 *   `parse`; other than zod 4 needs `parameters` beside it), or neither for a tool without arguments;
 * - optionally `title`, `needsApproval`, `idempotent`, `timeoutMs`, with the defaults of `defineTool`.
 *
 * What `defineTool` made is taken as it is.
 */
export function toTool(value: unknown): ForeignTool {
  if (!isObject(value)) return { ok: false, problems: [`a tool is an object, not ${kind(value)}`] };
  if (isTool(value)) return { ok: true, tool: value };
  const problems: string[] = [];
  const { name, description, title, run, needsApproval, idempotent, timeoutMs } = value;
  if (typeof name !== "string" || !toolNamePattern.test(name)) {
    problems.push(`\`name\` has to be 1 to 64 letters, digits, _ or -, not ${seen(name)}`);
  }
  if (typeof description !== "string" || description.trim() === "") {
    problems.push("`description` has to say what the tool does, for the model");
  }
  if (typeof run !== "function") problems.push("`run(args, context, signal)` is missing");
  if (title !== undefined && typeof title !== "string") {
    problems.push(`\`title\` has to be text, not ${seen(title)}`);
  }
  for (const [key, flag] of Object.entries({ needsApproval, idempotent })) {
    if (flag !== undefined && typeof flag !== "boolean") {
      problems.push(`\`${key}\` has to be true or false, not ${seen(flag)}`);
    }
  }
  if (timeoutMs !== undefined && !isTimeout(timeoutMs)) {
    problems.push(
      `\`timeoutMs\` has to be a whole number from 1 to 3600000, not ${seen(timeoutMs)}`,
    );
  }
  const args = argumentsOf(value);
  if (typeof args === "string") problems.push(args);
  if (problems.length > 0 || typeof args === "string" || typeof run !== "function") {
    return { ok: false, problems };
  }
  return {
    ok: true,
    tool: {
      spec: { name: String(name), description: String(description), parameters: args.parameters },
      title: typeof title === "string" ? title : `Running ${name}`,
      needsApproval: needsApproval === true,
      idempotent: idempotent === true,
      timeoutMs: isTimeout(timeoutMs) ? timeoutMs : defaultToolTimeoutMs,
      check: args.check,
      run: async (input, context: ToolContext, signal) =>
        toResult(await run.call(value, input, context, signal)),
    },
  };
}

interface Arguments {
  readonly parameters: JsonSchema;
  readonly check: (args: unknown) => CheckedArguments;
}

/** How arguments are described and checked, or words for what is wrong. */
function argumentsOf({ parameters, schema }: { [key: string]: unknown }): Arguments | string {
  if (parameters !== undefined && !isObjectSchema(parameters)) {
    return '`parameters` has to be a JSON schema of `"type": "object"`';
  }
  if (schema === undefined) {
    const described = parameters ?? { type: "object", properties: {}, additionalProperties: false };
    return byJsonSchema(described);
  }
  if (schema instanceof z.ZodType || isForeignZod(schema)) return byZod(schema, parameters);
  const check = checkOf(schema);
  if (!check) return "`schema` has neither `safeParse` nor `parse`";
  if (!parameters) return "give `parameters` (a JSON schema) beside a `schema` that is not zod 4";
  return { parameters, check };
}

function byJsonSchema(parameters: JsonSchema): Arguments | string {
  try {
    const schema = z.fromJSONSchema(parameters as Parameters<typeof z.fromJSONSchema>[0]);
    return { parameters, check: (args) => checkWith(schema, args) };
  } catch (error) {
    return `\`parameters\` is not a JSON schema this bot can check: ${messageOf(error)}`;
  }
}

function byZod(schema: z.ZodType, parameters: JsonSchema | undefined): Arguments | string {
  try {
    if (parameters) return { parameters, check: (args) => checkWith(schema, args) };
    const described = zodArguments(schema);
    if (!isObjectSchema(described.parameters)) return "`schema` has to describe an object";
    return described;
  } catch (error) {
    return `\`schema\` cannot be described to a model: ${messageOf(error)}`;
  }
}

/** zod 4 from another copy of the package: the same inside, another class. */
function isForeignZod(schema: unknown): schema is z.ZodType {
  return isObject(schema) && "_zod" in schema && typeof schema.safeParse === "function";
}

function checkOf(schema: unknown): Arguments["check"] | undefined {
  if (!isObject(schema) && typeof schema !== "function") return undefined;
  const { safeParse, parse } = schema as { safeParse?: unknown; parse?: unknown };
  if (typeof safeParse === "function") {
    return (args) => {
      const result: unknown = safeParse.call(schema, args);
      if (isObject(result) && result.success === true) return { ok: true, value: result.data };
      return { ok: false, problem: isObject(result) ? messageOf(result.error) : "refused" };
    };
  }
  if (typeof parse !== "function") return undefined;
  return (args) => {
    try {
      return { ok: true, value: parse.call(schema, args) };
    } catch (error) {
      return { ok: false, problem: messageOf(error) };
    }
  };
}

/** What a tool returned, as a result: text as it is, results as they are, anything else as JSON. */
export function toResult(value: unknown): ToolResult {
  if (typeof value === "string") return { type: "output", output: value };
  if (value === undefined) return { type: "output", output: "done" };
  if (isObject(value) && value.type === "ask" && isForm(value.form)) {
    return { type: "ask", form: value.form };
  }
  if (isObject(value) && value.type === "output" && typeof value.output === "string") {
    const { output, files } = value;
    if (files === undefined) return { type: "output", output };
    if (Array.isArray(files) && files.every(isFile)) return { type: "output", output, files };
    throw new TypeError("a file is {name, mimeType, data: Uint8Array, altText?}");
  }
  const output = JSON.stringify(value);
  if (output === undefined) throw new TypeError(`a tool cannot return ${kind(value)}`);
  return { type: "output", output };
}

function isForm(value: unknown): value is Extract<ToolResult, { type: "ask" }>["form"] {
  return (
    isObject(value) &&
    typeof value.title === "string" &&
    (value.everyone === undefined || typeof value.everyone === "boolean") &&
    (value.minutes === undefined || (typeof value.minutes === "number" && value.minutes > 0)) &&
    Array.isArray(value.fields) &&
    value.fields.length > 0 &&
    value.fields.every(isField)
  );
}

function isField(value: unknown): value is FormField {
  if (!isObject(value) || typeof value.id !== "string" || typeof value.label !== "string") {
    return false;
  }
  if (value.type === "text") return true;
  const { choices } = value;
  return (
    value.type === "choice" &&
    Array.isArray(choices) &&
    choices.length > 0 &&
    choices.every((choice) => typeof choice === "string")
  );
}

function isFile(value: unknown): value is ToolFile {
  return (
    isObject(value) &&
    typeof value.name === "string" &&
    typeof value.mimeType === "string" &&
    value.data instanceof Uint8Array &&
    (value.altText === undefined || typeof value.altText === "string")
  );
}

function isTool(value: { [key: string]: unknown }): value is { [key: string]: unknown } & Tool {
  const { spec, check, run, title, timeoutMs, needsApproval, idempotent } = value;
  return (
    isObject(spec) &&
    typeof spec.name === "string" &&
    toolNamePattern.test(spec.name) &&
    typeof spec.description === "string" &&
    isObjectSchema(spec.parameters) &&
    typeof check === "function" &&
    typeof run === "function" &&
    typeof title === "string" &&
    isTimeout(timeoutMs) &&
    typeof needsApproval === "boolean" &&
    typeof idempotent === "boolean"
  );
}

function isTimeout(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 3_600_000;
}

function isObjectSchema(value: unknown): value is JsonSchema {
  return isObject(value) && value.type === "object";
}

function kind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value;
}

function seen(value: unknown): string {
  return typeof value === "string" ? `\`${value.slice(0, 80)}\`` : kind(value);
}
