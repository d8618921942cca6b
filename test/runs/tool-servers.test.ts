import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { Tool } from "#domain/tool";
import type { ToolServerState } from "#ports/tool-servers";
import { defineTool } from "../../src/tools/define-tool.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

const find = defineTool({
  name: "shop_find",
  title: "Finding it · shop",
  description: "Finds an order.",
  schema: z.object({}),
  run: () => "It was sent.",
});

/** Servers whose tools come and go as the test says. */
function servers(states: readonly ToolServerState[] = []) {
  let tell: (tools: readonly Tool[]) => void = () => undefined;
  return {
    tell: (tools: readonly Tool[]) => tell(tools),
    toolServers: {
      async start(onTools: (tools: readonly Tool[]) => void) {
        tell = onTools;
      },
      states: () => states,
      close: async () => undefined,
    },
  };
}

const ended = (count: number) =>
  vi.waitFor(() => expect(world.metrics.runs).toHaveLength(count), { timeout: 20_000 });

describe("tools of a server", () => {
  test("are offered from when it is there, and run like any other", async () => {
    const backend = new ScriptedBackend((turn) => {
      const last = turn.transcript.at(-1);
      if (last?.type === "tool-output") return [{ type: "say", text: last.output }];
      return turn.functions.length > 0
        ? [{ type: "call", name: "shop_find" }]
        : [{ type: "say", text: "I have no tools." }];
    });
    const { tell, toolServers } = servers();
    await world.start({ backend, toolServers });
    await world.say("find it");
    await ended(1);
    tell([find]);
    await world.say("find it");
    await ended(2);
    tell([]);
    await world.say("find it");
    await ended(3);
    expect(world.texts()).toEqual(["I have no tools.", "It was sent.", "I have no tools."]);
  });

  test("that is down are said, with the reason", async () => {
    const backend = new ScriptedBackend(() => []);
    const { toolServers } = servers([
      { name: "shop" },
      { name: "tickets", problem: "connect ECONNREFUSED" },
    ]);
    await world.start({ backend, tools: [find], toolServers });
    const answer = await world.say("/assistant tools");
    expect(answer).toMatchObject({
      answer: {
        text: expect.stringContaining("The tool server `tickets` is down: connect ECONNREFUSED"),
      },
    });
  });
});
