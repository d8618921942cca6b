import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { displayQuiz } from "../../src/tools/display-quiz.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { ada, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

const patience = { timeout: 20_000 };

const questions = Array.from({ length: 7 }, (_, index) => ({
  question_text: `Question ${index + 1}`,
  question_type: "FREE_RESPONSE",
}));

/** Shows the quiz, then says what came back. */
function teacher() {
  return new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    return last?.type === "tool-output"
      ? [{ type: "say", text: last.output }]
      : [
          {
            type: "call",
            name: "display_quiz",
            callId: "quiz",
            arguments: { title: "Sums", questions },
          },
        ];
  });
}

/** The form that is asked now; answers each field with its id, or leaves it blank. */
async function answer(title: string, value: (id: string) => string) {
  const request = await vi.waitFor(() => {
    const [open] = world.lastView().requests;
    if (open?.type !== "form" || open.form.title !== title)
      throw new Error(`${title} is not asked`);
    return open;
  }, patience);
  const answers = Object.fromEntries(request.form.fields.map(({ id }) => [id, value(id)]));
  return world.bot.decide({
    requestId: request.id,
    by: ada,
    role: "person",
    decision: { type: "answer", answers },
  });
}

/** Whoever opens a form is asked what it asked, until it is settled. */
test("an open form is known by its id, over a restart too, and no longer once it is answered", async () => {
  await world.start({ backend: teacher(), tools: [displayQuiz] });
  await world.say("quiz me");
  const asked = await vi.waitFor(() => {
    const [request] = world.lastView().requests;
    if (request?.type !== "form") throw new Error("nothing is asked");
    return request;
  }, patience);
  await world.stop();
  await world.start({ backend: teacher(), tools: [displayQuiz] });
  const { id, title, form } = asked;
  expect(await world.bot.askedForm(id)).toEqual({ id, title, form });
  expect(await world.bot.askedForm("req_unknown")).toBeUndefined();
  await answer("Sums (1 of 2)", () => "");
  await vi.waitFor(async () => expect(await world.bot.askedForm(id)).toBeUndefined(), patience);
});

describe("a tool that asks one form after another", () => {
  test("gets all the answers, also those given before a restart", async () => {
    await world.start({ backend: teacher(), tools: [displayQuiz] });
    await world.say("quiz me");
    expect(await answer("Sums (1 of 2)", () => "")).toMatchObject({ ok: true });
    await vi.waitFor(
      () => expect(world.lastView().requests).toMatchObject([{ form: { title: "Sums (2 of 2)" } }]),
      patience,
    );
    await world.stop();
    await world.start({ backend: teacher(), tools: [displayQuiz] });
    expect(await answer("Sums (2 of 2)", (id) => `answer ${id}`)).toMatchObject({ ok: true });
    await vi.waitFor(() => expect(world.metrics.runs).toHaveLength(1), patience);
    const { people } = JSON.parse(world.lastView().text);
    expect(people[0].answers.map((one: { answer: string | null }) => one.answer)).toEqual([
      null,
      null,
      null,
      null,
      null,
      "answer q6",
      "answer q7",
    ]);
  });
});
