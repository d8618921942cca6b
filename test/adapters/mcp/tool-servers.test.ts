import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Tool } from "#domain/tool";
import { readServerList } from "../../../adapters/mcp/server-list.ts";
import { createToolServers } from "../../../adapters/mcp/tool-servers.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import { outputOf, toolContext } from "../../fakes/tool-context.ts";
import { createShopServer } from "../../wire/mcp-server.ts";

const script = fileURLToPath(new URL("../../wire/mcp-server.ts", import.meta.url));
const patience = { timeout: 30_000 };

function fileWith(yaml: string): string {
  const folder = mkdtempSync(join(tmpdir(), "bobbin-mcp-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "tool-servers.yaml");
  writeFileSync(path, yaml);
  return path;
}

/** Started servers by what a file says, with the tools they offer now. */
async function started(yaml: string, secrets: ReadonlyMap<string, string> = new Map()) {
  const servers = createToolServers({
    entries: await readServerList(fileWith(yaml), secrets),
    taken: new Set(["calculate"]),
    version: "1",
    log: silentLog,
  });
  const now: { tools: readonly Tool[] } = { tools: [] };
  onTestFinished(() => servers.close());
  await servers.start((tools) => {
    now.tools = tools;
  });
  const isThere = (name: string) => now.tools.find(({ spec }) => spec.name === name);
  const call = async (name: string, args: object, signal = new AbortController().signal) => {
    // A busy machine may take longer to start a program than the start waits.
    await vi.waitFor(() => expect(isThere(name)).toBeDefined(), patience);
    const tool = isThere(name);
    if (!tool) throw new Error(`no tool ${name}`);
    return tool.run(args, toolContext(), signal);
  };
  const up = (count: number) =>
    vi.waitFor(() => expect(now.tools.length).toBeGreaterThanOrEqual(count), patience);
  return { servers, now, call, up };
}

const stdio = (more = "") =>
  `servers:\n  shop:\n    command: ${process.execPath}\n    args: [${script}]\n${more}`;

async function overHttp() {
  const headers: Headers[] = [];
  const handler = createMcpHandler(createShopServer);
  const server = serve({
    fetch: (request) => {
      headers.push(request.headers);
      return handler.fetch(request);
    },
    port: 0,
    hostname: "127.0.0.1",
  });
  if (!server.listening) await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}/mcp`, headers };
}

describe("a tool server that is a program", () => {
  test("brings its tools, named after it, asked for when they have effects", async () => {
    const { now, call, servers, up } = await started(stdio());
    await up(6);
    expect(
      now.tools.map(({ spec, title, needsApproval, idempotent }) => [
        spec.name,
        title,
        needsApproval,
        idempotent,
      ]),
    ).toEqual([
      ["shop_find_order", "Finding the order · shop", false, true],
      ["shop_cancel", "cancel · shop", true, false],
      ["shop_picture", "picture · shop", false, true],
      ["shop_environment", "environment · shop", true, false],
      ["shop_die", "die · shop", true, false],
      ["shop_sleep", "sleep · shop", true, false],
    ]);
    expect(now.tools[0]?.spec.parameters).toMatchObject({ required: ["order"] });
    expect(outputOf(await call("shop_find_order", { order: "A1" }))).toBe("Order A1 was sent.");
    await expect(call("shop_cancel", { order: "A1" })).rejects.toThrow("It is on its way.");
    expect(await call("shop_picture", {})).toMatchObject({
      output: "A lamp.\n\n[Attached: picture.png]",
      files: [{ name: "picture.png", mimeType: "image/png" }],
    });
    expect(servers.states()).toEqual([{ name: "shop" }]);
  });

  test("offers only what the file lets through, and asks as it says", async () => {
    const { now, up } = await started(
      stdio("    only: [find.order, cancel, picture]\n    except: [picture]\n    approval: all\n"),
    );
    await up(2);
    expect(now.tools.map(({ spec, needsApproval }) => [spec.name, needsApproval])).toEqual([
      ["shop_find_order", true],
      ["shop_cancel", true],
    ]);
  });

  test("gets none of our variables but those it is given", async () => {
    vi.stubEnv("OPENAI_API_KEY", "sk-not-for-you");
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const { call } = await started(
      stdio('    env: { SHOP_KEY: "${TOOL_SECRET_SHOP}" }\n'),
      new Map([["TOOL_SECRET_SHOP", "for-you"]]),
    );
    const variables = JSON.parse(outputOf(await call("shop_environment", {})));
    expect(variables).toMatchObject({ SHOP_KEY: "for-you" });
    expect(JSON.stringify(variables)).not.toContain("sk-not-for-you");
  });

  test("that dies is said, and is back by itself with its tools", async () => {
    const { servers, call } = await started(stdio());
    await expect(call("shop_die", {})).rejects.toThrow();
    await vi.waitFor(() => expect(servers.states()[0]?.problem).toBeDefined(), patience);
    await expect(call("shop_find_order", { order: "A1" })).rejects.toThrow(
      /the tool server shop is down/,
    );
    await vi.waitFor(() => expect(servers.states()).toEqual([{ name: "shop" }]), patience);
    expect(outputOf(await call("shop_find_order", { order: "A1" }))).toBe("Order A1 was sent.");
  });

  test("that takes long is left when the person stops", async () => {
    const { call, up } = await started(stdio());
    await up(6);
    const stop = new AbortController();
    const called = call("shop_sleep", {}, stop.signal);
    stop.abort(new Error("stopped"));
    await expect(called).rejects.toThrow();
  });
});

describe("a tool server over HTTP", () => {
  test("brings its tools, and is told who calls", async () => {
    const { url, headers } = await overHttp();
    const { call } = await started(
      `servers:\n  shop:\n    url: ${url}\n    headers: { Authorization: "Bearer \${TOOL_SECRET_SHOP}" }\n`,
      new Map([["TOOL_SECRET_SHOP", "for-you"]]),
    );
    expect(outputOf(await call("shop_find_order", { order: "A1" }))).toBe("Order A1 was sent.");
    expect(headers.every((one) => one.get("authorization") === "Bearer for-you")).toBe(true);
  });

  test("that is down does not keep the others away, and is said", async () => {
    const { servers, now, up } = await started(
      `${stdio("    only: [find.order]\n")}  gone:\n    url: http://127.0.0.1:64999/mcp\n  wrong:\n    command: /no/such/program\n`,
    );
    await up(1);
    expect(now.tools.map(({ spec }) => spec.name)).toEqual(["shop_find_order"]);
    expect(servers.states()).toEqual([
      { name: "shop" },
      { name: "gone", problem: expect.stringContaining("ECONNREFUSED") },
      { name: "wrong", problem: expect.stringContaining("ENOENT") },
    ]);
  });
});

test.each([
  ["no YAML", "servers: [", /no YAML/],
  ["a name that is none", "servers: { 'a b': { command: x } }", /letters/],
  ["neither program nor address", "servers: { a: { timeout_seconds: 5 } }", /servers\.a/],
  ["an address that is none", "servers: { a: { url: 'file:///x' } }", /servers\.a/],
  ["a mistyped field", "servers: { a: { command: x, arg: [] } }", /servers\.a/],
  ["a setting of ours", "servers: { a: { command: x, env: { K: '${OPENAI_API_KEY}' } } }", /TOOL_/],
  [
    "a secret that is not set",
    "servers: { a: { command: x, env: { K: '${TOOL_SECRET_K}' } } }",
    /TOOL_SECRET_K, which is not set/,
  ],
])("a list of servers with %s is refused with the reason", async (_what, yaml, problem) => {
  await expect(readServerList(fileWith(yaml), new Map())).rejects.toThrow(problem);
});
