import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { BotError } from "#domain/errors";
import { defineTool } from "../../src/tools/define-tool.ts";
import { RememberingLog } from "../fakes/remembering-log.ts";
import { ScriptedBackend, type ScriptStep } from "../fakes/scripted-backend.ts";
import { ada, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

const patience = { timeout: 20_000 };
/** Looks again and again, while the bot's time goes by. */
const inTime = <T>(look: () => T, everyMs = 1_000) =>
  vi.waitFor(() => {
    world.pass(everyMs);
    return look();
  }, patience);
const seen = (...texts: readonly string[]) => inTime(() => expect(world.texts()).toEqual(texts));
const ended = (...statuses: readonly string[]) =>
  inTime(() => expect(world.metrics.runs).toEqual(statuses));
const status = () => world.bobbin.threads.status("fake:general:talk");
const isRunning = async () => (await status()).isRunning;

/** Answers what the last message says. */
function answering(script: (said: string) => readonly ScriptStep[]) {
  return new ScriptedBackend((turn) => {
    const last = turn.transcript.findLast(({ type }) => type === "user");
    return script(last?.type === "user" ? last.text : "");
  });
}

const echo = () => answering((said) => [{ type: "say", text: `Heard ${said}` }]);

/** Every write fails until the answer is called; resolves `tried` with the first. */
function breakScreen() {
  const tried = Promise.withResolvers<void>();
  world.screen.onWrite = async () => {
    tried.resolve();
    throw new BotError("platform-unavailable", { detail: "It answers with 503." });
  };
  return {
    tried: tried.promise,
    mend() {
      world.screen.onWrite = undefined;
    },
  };
}

test("while nothing can be shown no model is asked, and afterwards all is answered in order", async () => {
  const backend = echo();
  await world.start({ backend });
  world.screen.isAway = true;
  await world.say("one");
  await world.say("two");
  await vi.waitFor(async () => expect(await isRunning()).toBe(true), patience);
  for (let tries = 0; tries < 3; tries += 1) {
    world.pass(60_000);
    await world.say("/status");
  }
  expect(backend.turns).toEqual([]);
  expect(world.screen.writes).toEqual([]);

  world.screen.isAway = false;

  await seen("Heard one", "Heard two");
  expect(backend.turns).toHaveLength(2);
});

test("what waits may be stopped, and asks no model then either", async () => {
  const backend = echo();
  await world.start({ backend });
  world.screen.isAway = true;
  await world.say("one");
  await vi.waitFor(async () => expect(await isRunning()).toBe(true), patience);
  await world.say("stop");
  await ended("cancelled");
  expect(backend.turns).toEqual([]);
});

test("what is being answered stops where it is, and goes on in the same message", async () => {
  const never = new Promise<void>(() => {});
  const backend = new ScriptedBackend(() => [
    { type: "say", text: "A beginning" },
    ...(backend.turns.length === 1 ? [{ type: "wait", for: never } as const] : []),
    { type: "say", text: " and an end" },
  ]);
  await world.start({ backend });
  await world.say("tell me");
  await seen("A beginning");
  const [begun] = world.screen.messages();

  world.screen.isAway = true;
  world.bot.holdRuns("fake");
  world.screen.isAway = false;

  await seen("A beginning and an end");
  await ended("completed");
  expect(world.screen.messages()[0]?.id).toBe(begun?.id);
});

test("an answer that could not be shown is shown later, and the model is asked once", async () => {
  const backend = echo();
  await world.start({ backend });
  const screen = breakScreen();
  await world.say("one");
  await world.say("two");
  await screen.tried;
  screen.mend();
  await seen("Heard one", "Heard two");
  await ended("completed", "completed");
  expect(backend.turns).toHaveLength(2);
});

test("an end that is no answer is shown later, too: what was stopped is not begun again", async () => {
  const never = new Promise<void>(() => {});
  const backend = answering(() => [
    { type: "say", text: "So far." },
    { type: "wait", for: never },
  ]);
  await world.start({ backend });
  await world.say("go on for ever");
  await seen("So far.");
  const screen = breakScreen();
  await world.say("stop");
  await screen.tried;
  screen.mend();
  await ended("cancelled");
  expect(world.lastView()).toMatchObject({ status: "cancelled", text: "So far." });
  expect(backend.turns).toHaveLength(1);
});

test("a question that cannot be shown is asked as soon as it can, however often that failed", async () => {
  const send = defineTool({
    name: "send",
    title: "Sending",
    description: "Sends something",
    schema: z.object({}),
    needsApproval: true,
    run: async () => ({ type: "output", output: "sent" }),
  });
  const backend = new ScriptedBackend((turn) =>
    turn.transcript.at(-1)?.type === "tool-output"
      ? [{ type: "say", text: "Done." }]
      : [{ type: "call", name: "send" }],
  );
  await world.start({ backend, tools: [send] });
  let failures = 0;
  world.screen.onWrite = async () => {
    failures += 1;
    if (failures > 3) return;
    throw new BotError("platform-unavailable");
  };
  await world.say("send it");
  const request = await inTime(() => {
    const [found] = world.lastView().requests;
    if (!found) throw new Error("nothing is asked yet");
    return found;
  }, 100);
  const decision = { type: "approve" } as const;
  await world.bot.decide({ requestId: request.id, by: ada, role: "person", decision });
  await seen("Done.");
  expect(backend.turns).toHaveLength(2);
});

test.each([
  ["was stopped while it waited", async () => void (await world.say("stop"))],
  ["has waited for a day", async () => world.pass(25 * 60 * 60_000)],
])(
  "an answer that cannot be shown and %s is given up, and the next one comes",
  async (_why, end) => {
    const backend = echo();
    const log = new RememberingLog();
    await world.start({ backend, log });
    const screen = breakScreen();
    await world.say("one");
    await vi.waitFor(
      () => expect(log.lines.map(({ event }) => event)).toContain("reply waits for its platform"),
      patience,
    );
    await end();
    await ended("completed");
    screen.mend();
    await world.say("two");
    await seen("Heard two");
    expect(backend.turns).toHaveLength(2);
  },
);
