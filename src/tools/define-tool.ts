import { z } from "zod";
import { isObject, type Json } from "#domain/json";
import type { CheckedArguments, JsonSchema, Tool, ToolContext, ToolResult } from "#domain/tool";

/** What a tool is made of; see {@link defineTool}. */
export interface ToolDefinition<Schema extends z.ZodObject> {
  /** What the model calls it: letters, digits, `_` and `-`, at most 64. */
  readonly name: string;
  /** What a person reads while it runs: "Looking up the order". */
  readonly title: string;
  /** For the model: what it does, when to use it, what comes back. */
  readonly description: string;
  /** The arguments. Describe every field: the model reads it. */
  readonly schema: Schema;
  /** Default false. True: a person must agree before each call. */
  readonly needsApproval?: boolean;
  /** Default false: after a crash in the middle of a call the person is asked before it is run again. */
  readonly idempotent?: boolean;
  /** Default 30,000. */
  readonly timeoutMs?: number;
  /** A string is an output for the model. What it throws becomes an output the model can read, too. */
  run(
    args: z.output<Schema>,
    context: ToolContext,
    signal: AbortSignal,
  ): Promise<ToolResult | string> | ToolResult | string;
}

export const defaultToolTimeoutMs = 30_000;

/** Names OpenAI and everybody compatible accept for a function. */
export const toolNamePattern = /^[a-zA-Z0-9_-]{1,64}$/;

/** Makes a {@link Tool}: its arguments' JSON schema, its check and its defaults. Throws on an impossible name. */
export function defineTool<Schema extends z.ZodObject>(definition: ToolDefinition<Schema>): Tool {
  const { name, title, description, schema } = definition;
  if (!toolNamePattern.test(name)) {
    throw new TypeError(
      `a tool's name has 1 to 64 letters, digits, _ or -, but this one is \`${name}\``,
    );
  }
  const { parameters, check } = zodArguments(schema);
  return {
    spec: { name, description, parameters },
    title,
    needsApproval: definition.needsApproval ?? false,
    idempotent: definition.idempotent ?? false,
    timeoutMs: definition.timeoutMs ?? defaultToolTimeoutMs,
    check,
    async run(args, context, signal) {
      const result = await definition.run(args as z.output<Schema>, context, signal);
      return typeof result === "string" ? { type: "output", output: result } : result;
    },
  };
}

/** How arguments are described to a model and checked when they come back, from one zod schema. */
export function zodArguments(schema: z.ZodType): {
  readonly parameters: JsonSchema;
  readonly check: (args: unknown) => CheckedArguments;
} {
  const { $schema: _, ...described } = z.toJSONSchema(schema, { io: "input", target: "draft-7" });
  const plain = described as JsonSchema;
  return {
    parameters: strictSchema(plain),
    check: (args) => checkWith(schema, withoutAbsent(args, plain)),
  };
}

/** Checks arguments by a zod schema; the problem names each field for the model to mend. */
export function checkWith(schema: z.ZodType, args: unknown): CheckedArguments {
  const checked = schema.safeParse(args);
  if (checked.success) return { ok: true, value: checked.data };
  return { ok: false, problem: z.prettifyError(checked.error) };
}

/**
 * The form strict function calling wants: every object closed and with all its properties required,
 * optional ones nullable instead. Models without strict mode understand it just as well.
 * Objects with free keys (`z.record`) stay as they are.
 * Source: developers.openai.com/api/docs/guides/structured-outputs, "supported schemas".
 */
function strictSchema(schema: JsonSchema): JsonSchema {
  const { default: _, ...rest } = schema;
  const properties = asSchemas(rest.properties);
  const isFree = rest.additionalProperties !== undefined && rest.additionalProperties !== false;
  const combined = Object.fromEntries(
    (["anyOf", "oneOf", "allOf"] as const).flatMap((key) => {
      const parts = rest[key];
      return Array.isArray(parts)
        ? [[key, parts.map((part) => (isSchema(part) ? strictSchema(part) : part))]]
        : [];
    }),
  );
  const items = isSchema(rest.items) ? { items: strictSchema(rest.items) } : {};
  const changed = { ...rest, ...combined, ...items };
  if (rest.type !== "object" || isFree) return changed;
  const required = requiredOf(rest);
  return {
    ...changed,
    properties: Object.fromEntries(
      Object.entries(properties).map(([key, value]) => {
        const strict = strictSchema(value);
        return [key, required.has(key) ? strict : nullable(strict)];
      }),
    ),
    required: Object.keys(properties),
    additionalProperties: false,
  };
}

/** Takes out the nulls a strict model must write for what it leaves out. */
function withoutAbsent(value: unknown, schema: JsonSchema): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return isSchema(items) ? value.map((one) => withoutAbsent(one, items)) : value;
  }
  if (typeof value !== "object" || value === null) return value;
  const properties = asSchemas(schema.properties);
  const required = requiredOf(schema);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => {
      const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
      if (!property) return [[key, member]];
      if (member === null && !required.has(key) && !acceptsNull(property)) return [];
      return [[key, withoutAbsent(member, property)]];
    }),
  );
}

function nullable(schema: JsonSchema): JsonSchema {
  if (acceptsNull(schema)) return schema;
  if (typeof schema.type === "string" && schema.enum === undefined && schema.const === undefined) {
    return { ...schema, type: [schema.type, "null"] };
  }
  const { description, ...rest } = schema;
  return { ...(description === undefined ? {} : { description }), anyOf: [rest, { type: "null" }] };
}

function acceptsNull(schema: JsonSchema): boolean {
  if (schema.type === "null") return true;
  if (Array.isArray(schema.type)) return schema.type.includes("null");
  const parts = schema.anyOf ?? schema.oneOf;
  return Array.isArray(parts) && parts.some((part) => isSchema(part) && acceptsNull(part));
}

function requiredOf(schema: JsonSchema): ReadonlySet<Json> {
  return new Set(Array.isArray(schema.required) ? schema.required : []);
}

function asSchemas(value: Json | undefined): { readonly [key: string]: JsonSchema } {
  if (!isSchema(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, JsonSchema] => isSchema(entry[1])),
  );
}

function isSchema(value: Json | undefined): value is JsonSchema {
  return isObject(value);
}
