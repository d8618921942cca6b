import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Tool } from "#domain/tool";
import { lookUpInSqlite } from "../../../adapters/sqlite/table-lookup.ts";
import {
  type DeclaredToolsOptions,
  readDeclaredTools,
} from "../../../adapters/tool-files/declared-tools.ts";
import { loadTools } from "../../../src/tools/load-tools.ts";
import { outputOf, toolContext } from "../../fakes/tool-context.ts";
import { closeAtOnce, listenOnLoopback } from "../../wire/loopback.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bobbin-declared-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A shop on loopback; answers what the test says, and remembers what it was asked. */
async function shop(answer: (request: Seen, response: ServerResponse) => void) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "", url = "", headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
    seen.push(one);
    answer(one, response);
  });
  const host = `127.0.0.1:${await listenOnLoopback(server)}`;
  onTestFinished(() => closeAtOnce(server));
  return { host, url: `http://${host}`, seen };
}

const json = (value: unknown) => (_request: Seen, response: ServerResponse) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
};

async function load(yaml: string, options: Partial<DeclaredToolsOptions> = {}) {
  writeFileSync(join(folder, "shop.yaml"), yaml);
  return loadTools({
    folder,
    readDeclared: (path) =>
      readDeclaredTools(path, {
        allowedHosts: [],
        secrets: new Map(),
        sqlite: lookUpInSqlite,
        ...options,
      }),
  });
}

async function loadOne(yaml: string, options: Partial<DeclaredToolsOptions> = {}): Promise<Tool> {
  const [tool] = (await load(yaml, options)).tools;
  if (!tool) throw new Error("nothing was loaded");
  return tool;
}

async function call(tool: Tool, args: object): Promise<string> {
  const checked = tool.check(args);
  if (!checked.ok) return `refused: ${checked.problem}`;
  return outputOf(await tool.run(checked.value, toolContext(), new AbortController().signal));
}

const orderTool = (url: string, more = "") => `
tools:
  - name: order_status
    title: Looking up the order
    description: Gives the state of an order.
    parameters:
      type: object
      properties: { order: { type: string }, full: { type: boolean }, note: { type: string } }
      required: [order]
      additionalProperties: false
    http:
      url: ${url}/orders/{order}
      query: { full: "{full}", shop: eu }
${more}`;

describe("a tool that calls an HTTP API", () => {
  test("puts arguments where they belong, escaped, and gives back the answer", async () => {
    const { url, host, seen } = await shop(json({ state: "sent" }));
    const tool = await loadOne(orderTool(url), { allowedHosts: [host] });
    expect(tool).toMatchObject({
      title: "Looking up the order",
      needsApproval: false,
      idempotent: true,
      timeoutMs: 20_000,
    });
    expect(await call(tool, { order: "A 1/2?x=#&é", full: true })).toBe('{"state":"sent"}');
    expect(seen).toMatchObject([
      { method: "GET", url: "/orders/A%201%2F2%3Fx%3D%23%26%C3%A9?full=true&shop=eu", body: "" },
    ]);
    await call(tool, { order: "A1" });
    expect(seen[1]?.url).toBe("/orders/A1?shop=eu");
  });

  test.each(["..", ".", ""])("does not leave its path for %j", async (order) => {
    const { url, host, seen } = await shop(json({}));
    const tool = await loadOne(orderTool(url), { allowedHosts: [host] });
    expect(await call(tool, { order })).toContain("part of an address");
    expect(seen).toEqual([]);
  });

  test("asks a person before it changes something, and sends the other arguments as JSON", async () => {
    const { url, host, seen } = await shop(json({ ok: true }));
    const tool = await loadOne(orderTool(url, "      method: POST"), { allowedHosts: [host] });
    expect(tool).toMatchObject({ needsApproval: true, idempotent: false });
    await call(tool, { order: "A1", note: "broken" });
    expect(seen).toMatchObject([{ method: "POST", body: '{"note":"broken"}' }]);
    const asked = `${orderTool(url, "      method: POST")}\n    approval: false\n`;
    expect((await loadOne(asked, { allowedHosts: [host] })).needsApproval).toBe(false);
  });

  test("sends a secret in a header, and tells it to nobody", async () => {
    const { url, host, seen } = await shop((request, response) => {
      response.setHeader("content-type", "text/plain");
      response.end(`You sent ${request.headers.authorization}`);
    });
    const yaml = orderTool(url, '      headers: { Authorization: "Bearer ${TOOL_SECRET_SHOP}" }');
    const secrets = new Map([["TOOL_SECRET_SHOP", "s3cr3t-value"]]);
    const tool = await loadOne(yaml, { allowedHosts: [host], secrets });
    const output = await call(tool, { order: "A1" });
    expect(seen[0]?.headers.authorization).toBe("Bearer s3cr3t-value");
    expect(output).toBe("You sent Bearer [TOOL_SECRET_SHOP]");
  });

  test("says what a server refuses, and what cannot be reached", async () => {
    const { url, host } = await shop((_request, response) => {
      response.statusCode = 404;
      response.setHeader("content-type", "text/plain");
      response.end("no such order");
    });
    const tool = await loadOne(orderTool(url), { allowedHosts: [host] });
    expect(await call(tool, { order: "A1" })).toBe("The server answered 404. no such order");
    const gone = await loadOne(orderTool("http://127.0.0.1:9"), { allowedHosts: ["127.0.0.1:9"] });
    await expect(call(gone, { order: "A1" })).rejects.toThrow(/127\.0\.0\.1:9.*ECONNREFUSED/);
  });

  test("reads no more than a megabyte", async () => {
    const { url, host } = await shop((_request, response) => {
      response.setHeader("content-type", "text/plain");
      response.end("x".repeat(3_000_000));
    });
    const tool = await loadOne(orderTool(url), { allowedHosts: [host] });
    const output = await call(tool, { order: "A1" });
    expect(output.length).toBeLessThan(1_000_100);
    expect(output).toContain("[The rest was left out.]");
  });
});

describe("a private network", () => {
  test.each([
    "https://127.0.0.1",
    "https://localhost",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://2130706433",
    "https://0x7f.1",
    "https://169.254.169.254",
    "https://10.0.0.1",
  ])("is not called as %s", async (url) => {
    const tool = await loadOne(orderTool(url));
    expect(await call(tool, { order: "A1" })).toMatch(/was not done.*TOOLS_ALLOWED_HOSTS/);
  });

  test("is not called by a public name that leads there", async () => {
    const { host, seen } = await shop(json({}));
    const port = host.split(":")[1];
    for (const addresses of [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::1"], []]) {
      const tool = await loadOne(orderTool(`https://shop.example.com:${port}`), {
        lookup: ((_name: string, _options: object, done: (...found: unknown[]) => void) =>
          done(
            null,
            addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
          )) as never,
      });
      expect(await call(tool, { order: "A1" })).toMatch(/shop\.example\.com is an address of a/);
    }
    expect(seen).toEqual([]);
  });

  test("is not reached by a redirect from a host that is allowed", async () => {
    const inside = await shop(json({ secret: true }));
    const outside = await shop((_request, response) => {
      response.writeHead(302, { location: `${inside.url}/admin` });
      response.end();
    });
    const tool = await loadOne(orderTool(outside.url), { allowedHosts: [outside.host] });
    expect(await call(tool, { order: "A1" })).toMatch(/was not done.*private network/);
    expect(inside.seen).toEqual([]);
  });

  test("is reached where it is allowed, and a redirect to another origin gets no secret", async () => {
    const other = await shop(json({ state: "sent" }));
    const first = await shop((_request, response) => {
      response.writeHead(307, { location: `${other.url}/moved` });
      response.end();
    });
    const yaml = orderTool(first.url, '      headers: { X-Key: "${TOOL_SECRET_SHOP}" }');
    const tool = await loadOne(yaml, {
      allowedHosts: [first.host, other.host],
      secrets: new Map([["TOOL_SECRET_SHOP", "s3cr3t-value"]]),
    });
    expect(await call(tool, { order: "A1" })).toBe('{"state":"sent"}');
    expect(first.seen[0]?.headers["x-key"]).toBe("s3cr3t-value");
    expect(other.seen[0]?.headers["x-key"]).toBeUndefined();
  });

  test("a host that redirects for ever is given up", async () => {
    const { url, host, seen } = await shop((_request, response) => {
      response.writeHead(302, { location: "/again" });
      response.end();
    });
    const tool = await loadOne(orderTool(url), { allowedHosts: [host] });
    expect(await call(tool, { order: "A1" })).toContain("redirects more than 5 times");
    expect(seen).toHaveLength(6);
  });
});

describe("a file with tools that is wrong", () => {
  const about = "name: t\n    description: Does a thing.\n    ";
  test.each([
    ["no YAML", "tools: [", /no YAML/],
    ["nothing in it", "tools: []", /tools/],
    ["an argument as the host", `tools:\n  - ${about}http: { url: "https://{host}/x" }`, /fixed/],
    ["an argument in the host", `tools:\n  - ${about}http: { url: "https://a.{x}.com/" }`, /fixed/],
    ["another protocol", `tools:\n  - ${about}http: { url: "file:///etc/passwd" }`, /fixed/],
    ["an unknown argument", `tools:\n  - ${about}http: { url: "https://a.com/{x}" }`, /\{x\}/],
    [
      "a secret in the address",
      `tools:\n  - ${about}http: { url: "https://a.com/\${TOOL_SECRET_A}" }`,
      /header/,
    ],
    [
      "a setting of ours as a secret",
      `tools:\n  - ${about}http: { url: "https://a.com/", headers: { a: "\${OPENAI_API_KEY}" } }`,
      /TOOL_SECRET_/,
    ],
    [
      "a secret that is not set",
      `tools:\n  - ${about}http: { url: "https://a.com/", headers: { a: "\${TOOL_SECRET_X}" } }`,
      /TOOL_SECRET_X is not set/,
    ],
    [
      "a table outside the folder",
      `tools:\n  - ${about}table: { file: ../../etc/passwd, keys: [a] }`,
      /same folder/,
    ],
  ])("with %s is left out, with the reason", async (_what, yaml, problem) => {
    writeFileSync(
      join(folder, "fine.mjs"),
      'export default { name: "fine", description: "Is fine.", run: () => "ok" };',
    );
    const { tools, problems } = await load(yaml);
    expect(tools.map(({ spec }) => spec.name)).toEqual(["fine"]);
    expect(problems).toMatchObject([
      { file: "shop.yaml", problem: expect.stringMatching(problem) },
    ]);
  });
});

describe("a tool that looks into a table", () => {
  const stock = (table: string) => `
tools:
  - name: stock
    description: Says how many of an article are left.
    table: ${table}`;
  const csv =
    "sku,name,left,cost\nA-1,Lamp,3,9\nB-2,=HYPERLINK(1),0,1\na-1,Old lamp,1,2\nC-3,Lamp shade,7,4\n";

  test("finds rows by their key, and tells only the columns it may", async () => {
    writeFileSync(join(folder, "stock.csv"), csv);
    const tool = await loadOne(stock("{ file: stock.csv, keys: [sku], columns: [name, left] }"));
    expect(JSON.parse(await call(tool, { sku: "a-1" })).rows).toEqual([
      { name: "Lamp", left: "3" },
      { name: "Old lamp", left: "1" },
    ]);
    expect(JSON.parse(await call(tool, { sku: "B-2" })).rows).toEqual([
      { name: "=HYPERLINK(1)", left: "0" },
    ]);
    expect(await call(tool, { sku: "Z" })).toContain("Nothing fits");
    expect(await call(tool, { sku: " " })).toContain("has to be given");
    expect(await call(tool, { sku: "A-1", more: 1 })).toContain("refused");
  });

  test("by a part of it, when it may, and sees changes at once", async () => {
    writeFileSync(join(folder, "stock.csv"), csv);
    const tool = await loadOne(stock("{ file: stock.csv, keys: [name], match: contains }"));
    expect(JSON.parse(await call(tool, { name: "lamp" })).rows).toHaveLength(3);
    writeFileSync(join(folder, "stock.csv"), "sku,name\nD-4,Lamp post\n");
    expect(JSON.parse(await call(tool, { name: "lamp" })).rows).toEqual([
      { sku: "D-4", name: "Lamp post" },
    ]);
  });

  test("asks for every key: an order's number alone shows nobody's order", async () => {
    writeFileSync(join(folder, "orders.csv"), "order,email,state\nA1,ada@example.com,sent\n");
    const tool = await loadOne(stock("{ file: orders.csv, keys: [order, email] }"));
    expect(await call(tool, { order: "A1" })).toContain("refused");
    expect(await call(tool, { order: "A1", email: "eve@example.com" })).toContain("Nothing fits");
    expect(await call(tool, { order: "A1", email: "ada@example.com" })).toContain("sent");
  });

  test("reads SQLite, where words stay words", async () => {
    const database = new DatabaseSync(join(folder, "shop.sqlite"));
    database.exec(
      "create table stock (sku text, left integer); insert into stock values ('A-1', 3), ('B-2', 0)",
    );
    database.close();
    const tool = await loadOne(stock("{ file: shop.sqlite, table: stock, keys: [sku] }"));
    expect(JSON.parse(await call(tool, { sku: "a-1" })).rows).toEqual([{ sku: "A-1", left: 3 }]);
    for (const sku of ["' or 1=1 --", '" or ""="', "A-1'; drop table stock; --"]) {
      expect(await call(tool, { sku })).toContain("Nothing fits");
    }
    expect(JSON.parse(await call(tool, { sku: "B-2" })).rows).toHaveLength(1);
    const other = await loadOne(
      stock("{ file: shop.sqlite, table: sqlite_master x, keys: [sku] }"),
    );
    await expect(call(other, { sku: "a" })).rejects.toThrow("there is no table");
  });

  test("follows no link out of the folder", async () => {
    symlinkSync("/etc/passwd", join(folder, "stock.csv"));
    const tool = await loadOne(stock("{ file: stock.csv, keys: [sku] }"));
    await expect(call(tool, { sku: "root" })).rejects.toThrow("there is no stock.csv");
  });
});
