import type { CallToolResult, Tool as McpTool } from "@modelcontextprotocol/client";
import { isObject } from "#domain/json";
import type { JsonSchema, Tool, ToolFile, ToolResult } from "#domain/tool";
import type { OfferedTools } from "./server-list.ts";

/** Calls a tool by the server's own name for it. */
export type CallTool = (
  name: string,
  args: { readonly [name: string]: unknown },
  signal: AbortSignal,
) => Promise<CallToolResult>;

const maxNameCharacters = 64;

/** The tools of a server that are offered, as tools like any other. */
export function toTools(
  server: { readonly name: string; readonly tools: OfferedTools },
  offered: readonly McpTool[],
  call: CallTool,
): readonly Tool[] {
  const { only, except } = server.tools;
  return offered
    .filter(({ name }) => (only ? only.includes(name) : true) && !except.includes(name))
    .map((tool) => toTool(server, tool, call));
}

function toTool(
  server: { readonly name: string; readonly tools: OfferedTools },
  { name, title, description, inputSchema, annotations }: McpTool,
  call: CallTool,
): Tool {
  const { approval, timeoutMs } = server.tools;
  const isReading = annotations?.readOnlyHint === true;
  return {
    spec: {
      name: nameOf(server.name, name),
      description: `${description ?? title ?? name} (from ${server.name})`,
      parameters: inputSchema as JsonSchema,
    },
    title: `${title ?? annotations?.title ?? name} · ${server.name}`,
    needsApproval: approval === "all" || (approval === "effects" && !isReading),
    idempotent: isReading || annotations?.idempotentHint === true,
    timeoutMs,
    // The server checks what its schema says; a model reads its answer like ours.
    check: (args) =>
      isObject(args) ? { ok: true, value: args } : { ok: false, problem: "an object is expected" },
    run: async (args, _context, signal) =>
      toResult(await call(name, args as { readonly [name: string]: unknown }, signal), name),
  };
}

/** `shop_find-order`: unique among servers, and what every model API takes for a name. */
export function nameOf(server: string, tool: string): string {
  const plain = `${server}_${tool}`.replace(/[^a-zA-Z0-9_-]/g, "_");
  return plain.slice(0, maxNameCharacters);
}

/** What a server answered: texts for the model, pictures and other bytes as files of the reply. */
export function toResult(result: CallToolResult, name: string): ToolResult {
  const texts: string[] = [];
  const files: ToolFile[] = [];
  for (const part of result.content ?? []) {
    switch (part.type) {
      case "text":
        texts.push(part.text);
        break;
      case "image":
      case "audio":
        files.push(fileOf(name, files.length, part.mimeType, part.data));
        break;
      case "resource":
        if ("text" in part.resource) texts.push(part.resource.text);
        else {
          const { blob, mimeType = "application/octet-stream" } = part.resource;
          files.push(fileOf(name, files.length, mimeType, blob));
        }
        break;
      case "resource_link":
        texts.push(`${part.name}: ${part.uri}`);
        break;
    }
  }
  if (texts.length === 0 && result.structuredContent !== undefined) {
    texts.push(JSON.stringify(result.structuredContent));
  }
  const attached =
    files.length > 0 ? [`[Attached: ${files.map((file) => file.name).join(", ")}]`] : [];
  const output = [...texts, ...attached].join("\n\n");
  // The core tells a failed call from a good one by what it throws.
  if (result.isError) throw new Error(output || "the server says that it failed");
  return { type: "output", output: output || "Done.", ...(files.length > 0 ? { files } : {}) };
}

function fileOf(tool: string, index: number, mimeType: string, base64: string): ToolFile {
  const ending = /^[a-z]+\/([a-z0-9]+)/i.exec(mimeType)?.[1] ?? "bin";
  const stem = tool.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, 40) || "file";
  return {
    name: `${stem}${index === 0 ? "" : `-${index + 1}`}.${ending}`,
    mimeType,
    data: Buffer.from(base64, "base64"),
  };
}
