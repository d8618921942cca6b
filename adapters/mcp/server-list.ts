import { readFile } from "node:fs/promises";
import { parse, YAMLError } from "yaml";
import { z } from "zod";

/** How a server's tools are offered. */
export interface OfferedTools {
  /** Only these, by the server's own names; all when left out. */
  readonly only?: readonly string[] | undefined;
  readonly except: readonly string[];
  /** When a person is asked: before what the server does not call read-only, always, or never. */
  readonly approval: "effects" | "all" | "none";
  readonly timeoutMs: number;
}

/** A tool server as the admin describes it. */
export type ToolServerEntry = { readonly name: string; readonly tools: OfferedTools } & (
  | {
      readonly type: "http";
      readonly url: string;
      readonly headers: { readonly [name: string]: string };
    }
  | {
      readonly type: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      readonly env: { readonly [name: string]: string };
      readonly cwd: string | undefined;
    }
);

const tools = {
  only: z.array(z.string()).optional(),
  except: z.array(z.string()).default([]),
  approval: z.enum(["effects", "all", "none"]).default("effects"),
  timeout_seconds: z.number().min(1).max(3_600).default(60),
};

const texts = z.record(z.string(), z.string()).default({});

const schema = z.strictObject({
  servers: z.record(
    z.string(),
    z.union([
      z.strictObject({
        url: z.httpUrl().or(z.url({ protocol: /^https?$/ })),
        headers: texts,
        ...tools,
      }),
      z.strictObject({
        command: z.string().min(1),
        args: z.array(z.string()).default([]),
        env: texts,
        cwd: z.string().optional(),
        ...tools,
      }),
    ]),
  ),
});

const secretPrefix = "TOOL_SECRET_";

/**
 * Reads the file that names tool servers. Values of headers and of the environment may hold secrets as
 * `${TOOL_SECRET_X}`. Throws an Error that says everything that is wrong.
 */
export async function readServerList(
  path: string,
  secrets: ReadonlyMap<string, string>,
): Promise<readonly ToolServerEntry[]> {
  const read = schema.safeParse(parseYaml(await readFile(path, "utf8"), path));
  if (!read.success) throw new Error(`${path}: ${z.prettifyError(read.error)}`);
  return Object.entries(read.data.servers).map(([name, server]) => {
    if (!/^[a-zA-Z0-9-]{1,24}$/.test(name)) {
      throw new Error(
        `${path}: a server's name has 1 to 24 letters, digits or -, unlike "${name}"`,
      );
    }
    const fill = (values: { readonly [key: string]: string }) =>
      Object.fromEntries(
        Object.entries(values).map(([key, value]) => [key, withSecrets(value, secrets, name)]),
      );
    const { only, except, approval, timeout_seconds } = server;
    const offered = { only, except, approval, timeoutMs: timeout_seconds * 1_000 };
    return "url" in server
      ? { name, tools: offered, type: "http", url: server.url, headers: fill(server.headers) }
      : {
          name,
          tools: offered,
          type: "stdio",
          command: server.command,
          args: server.args,
          env: fill(server.env),
          cwd: server.cwd,
        };
  });
}

function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text, { maxAliasCount: 20 });
  } catch (error) {
    if (error instanceof YAMLError || error instanceof ReferenceError) {
      throw new Error(`${path} is no YAML: ${error.message}`);
    }
    throw error;
  }
}

function withSecrets(value: string, secrets: ReadonlyMap<string, string>, server: string): string {
  return value.replace(/\$\{([A-Za-z0-9_]+)\}/g, (_, name: string) => {
    const secret = name.startsWith(secretPrefix) ? secrets.get(name) : undefined;
    if (secret !== undefined) return secret;
    throw new Error(
      `the tool server ${server} wants ${name}, which is ${name.startsWith(secretPrefix) ? "not set" : `no name that begins with ${secretPrefix}`}`,
    );
  });
}
