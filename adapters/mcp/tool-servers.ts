import { within } from "#domain/promises";
import type { Tool } from "#domain/tool";
import type { Log } from "#ports/log";
import type { ToolServers } from "#ports/tool-servers";
import type { ToolServerEntry } from "./server-list.ts";
import { ToolServer } from "./tool-server.ts";

/** Servers that need longer at the start bring their tools when they are there. */
const startWaitMs = 5_000;

/** Tool servers that speak the Model Context Protocol, over stdio or HTTP. */
export function createToolServers(options: {
  readonly entries: readonly ToolServerEntry[];
  /** Names that a server's tools do not take over. */
  readonly taken: ReadonlySet<string>;
  readonly version: string;
  readonly log: Log;
}): ToolServers {
  const { entries, taken, version, log } = options;
  let tell: (tools: readonly Tool[]) => void = () => undefined;
  const onChange = () => tell(allTools());
  const servers = entries.map((entry) => new ToolServer({ entry, version, log, onChange }));
  const allTools = (): readonly Tool[] => {
    const byName = new Map<string, Tool>();
    for (const tool of servers.flatMap(({ tools }) => tools)) {
      const { name } = tool.spec;
      if (taken.has(name) || byName.has(name)) {
        log.warn({ tool: name }, "tool left out: its name is taken");
      } else byName.set(name, tool);
    }
    return [...byName.values()];
  };
  return {
    async start(onTools) {
      tell = onTools;
      const connected = Promise.all(servers.map((server) => server.connect()));
      await within(startWaitMs, connected, () => undefined);
    },
    states: () =>
      servers.map(({ name, problem }) => ({ name, ...(problem === undefined ? {} : { problem }) })),
    async close() {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}
