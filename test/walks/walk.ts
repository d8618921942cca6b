import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { createAssistantLibrary } from "../../adapters/yaml/assistant-library.ts";
import { allTools } from "../fakes/all-tools.ts";
import { ScriptedBackend, type ScriptStep } from "../fakes/scripted-backend.ts";
import { TestWorld } from "../fakes/test-world.ts";
import { listenOnLoopback } from "../wire/loopback.ts";
import type { Stage, Talk } from "./stage.ts";

/** For what is to be seen on a machine with much to do. */
export const patience = { timeout: 30_000 };
const library = createAssistantLibrary({ folder: undefined, maxFileBytes: 1_000_000 });
const examples = join(import.meta.dirname, "../../examples/tools");

/** What a model does, by the last thing said or by what a tool gave. */
type Script = (last: { readonly said?: string; readonly output?: string }) => readonly ScriptStep[];

/** A bot on a platform with an assistant that Boss made of a template and chose for the channel. */
export async function walk<S extends Stage>(
  createStage: () => Promise<S>,
  template: string,
  script: Script,
) {
  const stage = await createStage();
  const world = new TestWorld();
  onTestFinished(async () => {
    await world.end();
    await stage.end();
  });
  const backend = new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    if (last?.type === "tool-output") return script({ output: last.output });
    return script({ said: last?.type === "user" ? last.text.trim() : "" });
  });
  const tools = await toolsOfShop();
  const start = () =>
    world.start({
      backend,
      library,
      tools,
      searches: true,
      platforms: (ledger) => [stage.create(ledger)],
      handOverChannels: [stage.staff],
      admins: [stage.boss],
    });
  await start();
  const { file } = (await library.templates()).find(({ name }) => name === template) ?? {};
  const office = stage.talk();
  await office.says("Boss", "hello");
  await done(office);
  await commands(office, [`create from ${template}`, `use ${file?.name}`]);
  return { stage, world, backend, office, start };
}

/** Everything an installation has with the examples' stock and a shop's order API on this machine. */
async function toolsOfShop() {
  const folder = mkdtempSync(join(tmpdir(), "bobbin-shop-"));
  const shop = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://shop");
    const isTheirs = pathname === "/orders/A-1042" && searchParams.get("email") === "ada@a.example";
    response.writeHead(isTheirs ? 200 : 404, { "content-type": "application/json" });
    response.end(isTheirs ? '{"order":"A-1042","state":"sent"}' : '{"error":"no such order"}');
  });
  const port = await listenOnLoopback(shop);
  onTestFinished(() => {
    shop.close();
    rmSync(folder, { recursive: true, force: true });
  });
  cpSync(join(examples, "stock.csv"), join(folder, "stock.csv"));
  writeFileSync(join(folder, "shop.yaml"), shopTools(port));
  return allTools(folder, [`127.0.0.1:${port}`]);
}

function shopTools(port: number): string {
  return `tools:
  - name: order_status
    description: Gives the state of an order.
    parameters:
      type: object
      properties: { order: { type: string }, email: { type: string } }
      required: [order, email]
      additionalProperties: false
    http: { url: "http://127.0.0.1:${port}/orders/{order}", query: { email: "{email}" } }
  - name: stock
    description: Says how many are left.
    table: { file: stock.csv, keys: [name], match: contains, columns: [article, name, left] }
`;
}

/** Waits for the answer to be complete. */
export const done = (talk: Talk) =>
  expect.poll(async () => (await talk.shown()).isDone, patience).toBe(true);

/** Waits for words of the bot. */
export const says = (talk: Talk, words: string | RegExp) =>
  expect.poll(async () => (await talk.shown()).text, patience).toMatch(words);

/** Boss gives commands, each once the one before it was answered. */
export async function commands(
  talk: Talk,
  lines: readonly string[],
  file?: Parameters<Talk["says"]>[2],
) {
  for (const line of lines) {
    const before = (await talk.whispersTo("Boss")).length;
    await talk.says("Boss", `/assistant ${line}`, file);
    await expect
      .poll(async () => (await talk.whispersTo("Boss")).length, patience)
      .toBeGreaterThan(before);
  }
}

export const call = (name: string, args: object): readonly ScriptStep[] => [
  { type: "call", name, arguments: args },
];
export const say = (text: string): readonly ScriptStep[] => [{ type: "say", text }];
