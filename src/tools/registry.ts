import type { Tool, ToolSpec } from "#domain/tool";

/** The functions this bot can run, by name. */
export interface ToolRegistry {
  /** Sorted. */
  readonly names: readonly string[];
  get(name: string): Tool | undefined;
  /** What a model is told, in the order asked for; unknown names are left out. All when none is given. */
  specs(names?: readonly string[]): readonly ToolSpec[];
}

/** Throws when two tools have one name: a call must mean one thing. */
export function createToolRegistry(tools: readonly Tool[]): ToolRegistry {
  const byName = new Map<string, Tool>();
  for (const tool of tools) {
    const { name } = tool.spec;
    if (byName.has(name)) throw new Error(`two tools are called \`${name}\``);
    byName.set(name, tool);
  }
  const names = [...byName.keys()].sort();
  return {
    names,
    get: (name) => byName.get(name),
    specs: (wanted = names) =>
      wanted.flatMap((name) => {
        const tool = byName.get(name);
        return tool ? [tool.spec] : [];
      }),
  };
}
