import { afterEach, expect, test, vi } from "vitest";
import { MemoryProcesses } from "../fakes/memory-processes.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { TestWorld } from "../fakes/test-world.ts";

const worlds: TestWorld[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.end()));
});

/** Two processes of one bot; what each has stored is its own here. */
async function two(backends: readonly [ScriptedBackend, ScriptedBackend]) {
  const all = new MemoryProcesses();
  const [first, second] = [new TestWorld(), new TestWorld()];
  worlds.push(first, second);
  await first.start({ backend: backends[0], processes: all.join() });
  await second.start({ backend: backends[1], processes: all.join() });
  return { first, second };
}

const answers = () => new ScriptedBackend(() => [{ type: "say", text: "Here." }]);
const shown = (world: TestWorld, texts: readonly string[]) =>
  vi.waitFor(() => expect(world.texts()).toEqual(texts));

test("a text command that reaches two processes is carried out by one", async () => {
  const { first, second } = await two([answers(), answers()]);
  const command = first.message("/assistant status");
  const outcomes = await Promise.all([first.bot.message(command), second.bot.message(command)]);
  expect(outcomes.map(({ status }) => status)).toEqual(["command", "repeat"]);
  // The one that has it answers its redelivery as well.
  expect((await first.bot.message(command)).status).toBe("command");
});

test("a model that says how long it is busy is left alone by all of them for so long", async () => {
  let asked = 0;
  const busy = new ScriptedBackend(() => {
    asked += 1;
    return asked === 1
      ? [{ type: "fail", code: "model-busy", retryAfterMs: 20_000 }]
      : [{ type: "say", text: "At last." }];
  });
  const { first, second } = await two([busy, answers()]);
  await first.say("hello");
  await shown(first, ["At last."]);
  await second.say("hello");
  await shown(second, ["Here."]);
  expect(second.slept).toEqual([expect.closeTo(20_250, -3)]);
  // Nobody waits when the time is over.
  second.pass(21_000);
  await second.say("and now?");
  await shown(second, ["Here.", "Here."]);
  expect(second.slept).toHaveLength(1);
});

test("a model that is busy for longer than anybody waits is asked by the others all the same", async () => {
  const forLong = { type: "fail", code: "model-busy", retryAfterMs: 3_600_000 } as const;
  const { first, second } = await two([new ScriptedBackend(() => [forLong]), answers()]);
  await first.say("hello");
  await vi.waitFor(() => expect(first.lastView().status).toBe("failed"));
  await second.say("hello");
  await shown(second, ["Here."]);
  expect(second.slept).toEqual([]);
});
