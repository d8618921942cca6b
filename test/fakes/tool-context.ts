import type { ToolContext, ToolResult } from "#domain/tool";

/** What a tool sees while it runs, with files by name and a clock that stands still. */
export function toolContext({
  files = {},
  ...rest
}: Partial<Omit<ToolContext, "files">> & {
  readonly files?: { readonly [name: string]: string };
} = {}): ToolContext {
  const names = Object.keys(files);
  const textOf = (id: string) => files[names[Number(id.slice("file-".length))] ?? ""] ?? "";
  return {
    runId: "run-1",
    callId: "call-1",
    conversationKey: "web:general:1",
    personKey: "web:ada",
    personName: "Ada",
    files: names.map((name, i) => ({
      id: `file-${i}`,
      name,
      mimeType: name.endsWith(".csv") ? "text/csv" : "text/plain",
    })),
    readFile: async (id) => new TextEncoder().encode(textOf(id)),
    readText: async (id) => textOf(id),
    now: () => new Date("2026-03-29T01:30:00Z"),
    ...rest,
  };
}

/** The output of a result; fails when the tool asked a form instead. */
export function outputOf(result: ToolResult): string {
  if (result.type !== "output") throw new Error(`the tool ended with ${result.type}`);
  return result.output;
}
