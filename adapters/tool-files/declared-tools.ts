import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parse, YAMLError } from "yaml";
import { z } from "zod";
import { type GuardOptions, guardedRequest, RequestRefused } from "./guarded-request.ts";
import { secretsIn, templateProblem, toRequest } from "./http-call.ts";
import { lookUp, type SqliteLookup } from "./table-lookup.ts";

export interface DeclaredToolsOptions extends GuardOptions {
  /** Secrets by name; only names with {@link secretPrefix} may be asked for. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly sqlite: SqliteLookup;
}

/** Variables that files with tools may name: nothing else of the environment can leave by a header. */
const secretPrefix = "TOOL_SECRET_";

const texts = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean()]).transform(String),
);

const common = {
  name: z.string(),
  title: z.string().optional(),
  description: z.string(),
  approval: z.boolean().optional(),
  timeout_seconds: z.number().min(1).max(300).default(20),
};

const httpTool = z.strictObject({
  ...common,
  parameters: z.looseObject({ type: z.literal("object") }).optional(),
  http: z.strictObject({
    method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]).default("GET"),
    url: z.string(),
    query: texts.default({}),
    headers: texts.default({}),
    body: z.enum(["arguments", "none"]).default("arguments"),
  }),
});

const tableTool = z.strictObject({
  ...common,
  table: z.strictObject({
    file: z
      .string()
      .regex(/^[^/\\:\0]+$/, "has to be the name of a file in the same folder")
      .refine((name) => !/^\.{1,2}$/.test(name), "has to be the name of a file"),
    table: z.string().optional(),
    keys: z.array(z.string().min(1)).min(1).max(5),
    match: z.enum(["equals", "contains"]).default("equals"),
    columns: z.array(z.string().min(1)).min(1).optional(),
  }),
});

const schema = z.strictObject({
  tools: z
    .array(z.union([httpTool, tableTool]))
    .min(1)
    .max(100),
});

type HttpTool = z.output<typeof httpTool>;
type TableTool = z.output<typeof tableTool>;

/** Reads a file with tools; the objects are what a module in the folder of tools would export. Throws words. */
export async function readDeclaredTools(
  path: string,
  options: DeclaredToolsOptions,
): Promise<readonly object[]> {
  const read = schema.safeParse(parseYaml(await readFile(path, "utf8")));
  if (!read.success) throw new Error(z.prettifyError(read.error));
  return read.data.tools.map((tool) =>
    "http" in tool ? toHttpTool(tool, options) : toTableTool(tool, dirname(path), options),
  );
}

function parseYaml(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 20 });
  } catch (error) {
    if (error instanceof YAMLError || error instanceof ReferenceError) {
      throw new Error(`it is no YAML: ${error.message}`);
    }
    throw error;
  }
}

function toHttpTool(tool: HttpTool, options: DeclaredToolsOptions): object {
  const { http, parameters = { type: "object", properties: {}, additionalProperties: false } } =
    tool;
  const properties = (parameters as { readonly properties?: object }).properties ?? {};
  const problem = templateProblem(http, Object.keys(properties));
  if (problem !== undefined) throw new Error(`${tool.name}: ${problem}`);
  const secrets = secretsOf(tool, options);
  const isReading = http.method === "GET";
  return {
    ...described(tool),
    parameters,
    // What changes something elsewhere is agreed to by a person, unless the admin says otherwise.
    needsApproval: tool.approval ?? !isReading,
    idempotent: isReading,
    async run(args: { readonly [name: string]: unknown }, _context: unknown, signal: AbortSignal) {
      const request = toRequest(http, args, secrets);
      if (typeof request === "string") return request;
      try {
        const answer = await guardedRequest(request, options, signal);
        return masked(wordsOf(answer), secrets);
      } catch (error) {
        if (error instanceof RequestRefused) return `This was not done: ${error.message}`;
        throw new Error(
          masked(`${request.url.host} could not be reached: ${codeOf(error)}`, secrets),
        );
      }
    },
  };
}

function toTableTool(tool: TableTool, folder: string, { sqlite }: DeclaredToolsOptions): object {
  const { table } = tool;
  const properties = Object.fromEntries(
    table.keys.map((key) => [key, { type: "string", maxLength: 200 }]),
  );
  return {
    ...described(tool),
    parameters: { type: "object", properties, required: table.keys, additionalProperties: false },
    needsApproval: tool.approval ?? false,
    idempotent: true,
    run: (args: { readonly [name: string]: unknown }) => lookUp(table, args, { folder, sqlite }),
  };
}

function described({ name, title, description, timeout_seconds }: HttpTool | TableTool) {
  const named = title === undefined ? {} : { title };
  return { name, description, timeoutMs: timeout_seconds * 1_000, ...named };
}

function secretsOf(tool: HttpTool, { secrets }: DeclaredToolsOptions): ReadonlyMap<string, string> {
  return new Map(
    secretsIn(tool.http).map((name) => {
      if (!name.startsWith(secretPrefix)) {
        throw new Error(
          `${tool.name}: a secret's name begins with ${secretPrefix}, unlike ${name}`,
        );
      }
      const value = secrets.get(name);
      if (value === undefined) throw new Error(`${tool.name}: ${name} is not set`);
      return [name, value] as const;
    }),
  );
}

function wordsOf(answer: {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly isCut: boolean;
}): string {
  const { status, contentType, body, isCut } = answer;
  const isText = /json|text|xml|urlencoded/i.test(contentType) || body.length === 0;
  const text = isText ? new TextDecoder().decode(body) : `[${body.length} bytes of ${contentType}]`;
  const cut = isCut ? "\n[The rest was left out.]" : "";
  if (status >= 200 && status < 300) return text === "" ? `Done (${status}).` : text + cut;
  return `The server answered ${status}. ${text.slice(0, 2_000)}`.trim();
}

/** A server that gives a secret back tells it to nobody. */
function masked(text: string, secrets: ReadonlyMap<string, string>): string {
  let shown = text;
  for (const [name, value] of secrets) shown = shown.replaceAll(value, `[${name}]`);
  return shown;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error ? String(error.code) : error.message;
}
