import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** A shop's tool server, as its maker would write it: one tool of each kind. */
export function createShopServer(): McpServer {
  const server = new McpServer({ name: "shop", version: "1.0.0" });
  server.registerTool(
    "find.order",
    {
      title: "Finding the order",
      description: "Finds an order by its number.",
      inputSchema: z.object({ order: z.string() }),
      annotations: { readOnlyHint: true },
    },
    async ({ order }) => ({ content: [{ type: "text", text: `Order ${order} was sent.` }] }),
  );
  server.registerTool(
    "cancel",
    { description: "Cancels an order.", inputSchema: z.object({ order: z.string() }) },
    async () => ({ content: [{ type: "text", text: "It is on its way." }], isError: true }),
  );
  server.registerTool(
    "picture",
    {
      description: "Shows an article.",
      inputSchema: z.object({}),
      annotations: { readOnlyHint: true },
    },
    async () => ({
      content: [
        { type: "text", text: "A lamp." },
        { type: "image", data: pixel, mimeType: "image/png" },
      ],
    }),
  );
  server.registerTool(
    "environment",
    { description: "Tells its variables.", inputSchema: z.object({}) },
    async () => ({ content: [{ type: "text", text: JSON.stringify(process.env) }] }),
  );
  server.registerTool(
    "die",
    { description: "Ends the server.", inputSchema: z.object({}) },
    async () => process.exit(1),
  );
  server.registerTool(
    "sleep",
    { description: "Takes long.", inputSchema: z.object({}) },
    () => new Promise<never>(() => undefined),
  );
  return server;
}

if (import.meta.main) serveStdio(createShopServer);
