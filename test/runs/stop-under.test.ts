import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { displayQuiz } from "../../src/tools/display-quiz.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { placeOf, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

const patience = { timeout: 20_000 };
const questions = [{ question_text: "Why?", question_type: "FREE_RESPONSE" }];
const quiz = { title: "Sums", questions };

test("where nothing can be shown any more what runs, asks and waits ends, and what was said stays", async () => {
  const goOn = Promise.withResolvers<void>();
  const backend = new ScriptedBackend((turn) => {
    const asked = turn.transcript.at(-1);
    if (asked?.type === "user" && asked.text === "quiz me") {
      return [{ type: "call", name: "display_quiz", arguments: quiz }];
    }
    return [
      { type: "say", text: "So far. " },
      { type: "wait", for: goOn.promise },
      { type: "say", text: "The end." },
    ];
  });
  await world.start({ backend, tools: [displayQuiz] });
  const elsewhere = { ...placeOf("other"), threadKey: "fake:elsewhere:1" };
  await world.say("tell me");
  await world.say("quiz me", { place: placeOf("quiz") });
  await world.say("tell me, too", { place: elsewhere });
  await vi.waitFor(() => expect(world.lastView("quiz").requests).toHaveLength(1), patience);
  await vi.waitFor(() => expect(backend.turns).toHaveLength(3), patience);
  await world.say("waiting");

  expect(await world.bot.stopUnder("fake:general:")).toBe(2);

  await vi.waitFor(() => expect(world.metrics.runs).toEqual(["cancelled", "cancelled"]), patience);
  goOn.resolve();
  await vi.waitFor(() => expect(world.metrics.runs.at(-1)).toBe("completed"), patience);
  for (const thread of ["talk", "quiz"]) {
    const status = await world.bobbin.threads.status(placeOf(thread).threadKey);
    expect(status).toMatchObject({ isRunning: false, waiting: [], waitingFor: undefined });
    expect(status.threadId).toBeDefined();
  }
  expect(backend.turns).toHaveLength(3);
  expect(await world.bot.stopUnder("fake:general:")).toBe(0);
  await world.say("again");
  await vi.waitFor(() => expect(world.metrics.runs).toHaveLength(4), patience);
});
