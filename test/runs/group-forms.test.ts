import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Person } from "#domain/conversation";
import type { Decision } from "#ports/bot";
import { askForm } from "../../src/tools/ask-form.ts";
import { displayQuiz } from "../../src/tools/display-quiz.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { ada, grace, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

const patience = { timeout: 20_000 };
const linus: Person = { key: "fake:linus", name: "Linus" };

const question = {
  question_text: "2 + 2?",
  question_type: "MULTIPLE_CHOICE",
  choices: ["3", "4"],
};

/** Asks a quiz when somebody says so, and says what came back. */
function teacher(quiz: object = {}, words = (output: string) => output) {
  return new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    if (last?.type === "tool-output") return [{ type: "say", text: words(last.output) }];
    if (last?.type !== "user" || !last.text.includes("quiz")) return [{ type: "say", text: "Hm." }];
    const arguments_ = { title: "Sums", questions: [question], ...quiz };
    return [{ type: "call", name: "display_quiz", callId: "quiz", arguments: arguments_ }];
  });
}

const ended = (count: number) =>
  vi.waitFor(() => expect(world.metrics.runs).toHaveLength(count), patience);

/** A thread in which Ada and Grace have talked, and Ada asks for a quiz. */
async function asked(quiz: object = {}, title = "Sums", words?: (output: string) => string) {
  await world.start({ backend: teacher(quiz, words), tools: [displayQuiz] });
  await world.say("Hello", { author: grace });
  await ended(1);
  await world.say("quiz us");
  return open(title);
}

/** The form that is asked now. */
const open = (title = "Sums") =>
  vi.waitFor(() => {
    const [request] = world.screen.messages().at(-1)?.view.requests ?? [];
    if (request?.type !== "form" || request.title !== title) throw new Error("not asked");
    return request;
  }, patience);

function decide(requestId: string, by: Person, decision: Decision["decision"]) {
  return world.bot.decide({ requestId, by, role: "person", decision });
}

const answer = (requestId: string, by: Person, q1: string) =>
  decide(requestId, by, { type: "answer", answers: { q1 } });

const shownAnswers = (...names: readonly string[]) =>
  vi.waitFor(() => {
    const [request] = world.lastView().requests;
    const answered = request?.type === "form" ? request.answered : undefined;
    expect(answered?.map(({ name }) => name)).toEqual(names);
  }, patience);

/** Each person's answers, by what the bot said in the end. */
async function result(): Promise<{ readonly [name: string]: readonly (string | null)[] }> {
  const text = await vi.waitFor(() => {
    const view = world.screen.messages().at(-1)?.view;
    expect(view?.status).toBe("completed");
    return view?.text ?? "";
  }, patience);
  const { people } = JSON.parse(text) as {
    people: { name: string; answers: { answer: string | null }[] }[];
  };
  return Object.fromEntries(
    people.map(({ name, answers }) => [name, answers.map((one) => one.answer)]),
  );
}

describe("a quiz in a thread of several people", () => {
  test("is answered by each, shows who has, and ends when all have", async () => {
    const { id } = await asked();
    expect(await answer(id, linus, "3")).toMatchObject({ ok: true });
    expect(await answer(id, ada, "4")).toMatchObject({ ok: true });
    await shownAnswers("Linus", "Ada");
    expect(world.metrics.runs).toHaveLength(1);
    expect(await answer(id, grace, "3")).toMatchObject({ ok: true });
    await ended(2);
    expect(await result()).toEqual({ Linus: ["3"], Ada: ["4"], Grace: ["3"] });
    expect(world.lastView().text).toContain("everybody who takes part answered");
    expect(world.lastView().settlements).toMatchObject([
      { outcome: "answered", byName: "Linus, Ada and Grace" },
    ]);
  });

  test("is finished by who asked for it; later presses are refused in words", async () => {
    const { id } = await asked();
    await answer(id, grace, "4");
    expect(await decide(id, grace, { type: "finish" })).toMatchObject({
      ok: false,
      words: "Only the person who asked for this, or a manager, can finish it.",
    });
    expect(await decide(id, grace, { type: "decline" })).toMatchObject({ ok: false });
    expect(await decide(id, ada, { type: "finish" })).toMatchObject({ ok: true });
    expect((await answer(id, ada, "4")).words).toMatch(/no answer is taken|settled already/);
    await ended(2);
    expect(await result()).toEqual({ Grace: ["4"] });
    expect((await answer(id, linus, "4")).words).toContain("settled already");
  });

  test("counts each person's first answer, once", async () => {
    const { id } = await asked();
    await Promise.all([answer(id, grace, "3"), answer(id, linus, "4")]);
    expect(await answer(id, grace, "4")).toMatchObject({
      ok: false,
      words: "You have answered this already.",
    });
    await answer(id, ada, "4");
    await ended(2);
    expect(await result()).toMatchObject({ Grace: ["3"], Linus: ["4"], Ada: ["4"] });
  });

  test("ends when its time is up, with what was answered by then", async () => {
    const { id } = await asked({ minutes: 5 });
    await answer(id, grace, "3");
    await shownAnswers("Grace");
    world.pass(5 * 60_000);
    expect((await answer(id, ada, "4")).words).toContain("no answer is taken any more");
    await world.stop();
    await world.start({ backend: teacher(), tools: [displayQuiz] });
    await ended(2);
    expect(await result()).toEqual({ Grace: ["3"] });
    expect(world.lastView().text).toContain("the time was up");
  });

  test("that nobody answered is said to be so", async () => {
    const { id } = await asked();
    await decide(id, ada, { type: "finish" });
    await ended(2);
    expect(world.lastView().text).toBe("Ada ended this before anybody had answered.");
    expect(world.lastView().settlements).toMatchObject([{ outcome: "declined", byName: "Ada" }]);
  });

  test("of more questions goes on in another form, person by person", async () => {
    const questions = Array.from({ length: 6 }, () => question);
    const first = await asked({ questions }, "Sums (1 of 2)");
    await answer(first.id, grace, "3");
    await answer(first.id, ada, "4");
    const second = await open("Sums (2 of 2)");
    expect(second.answered ?? []).toEqual([]);
    await decide(second.id, ada, { type: "answer", answers: { q6: "4" } });
    await decide(second.id, ada, { type: "finish" });
    await ended(2);
    expect(await result()).toEqual({
      Grace: ["3", null, null, null, null, null],
      Ada: ["4", null, null, null, null, "4"],
    });
  });
});

test("who is alone with the bot is asked alone, and may decline", async () => {
  await world.start({ backend: teacher(), tools: [displayQuiz] });
  await world.say("/assistant scope person", { role: "manager" });
  await world.say("quiz me");
  const request = await open();
  expect(request.form.everyone).toBeUndefined();
  expect(await answer(request.id, grace, "4")).toMatchObject({
    ok: false,
    words: "Only the person who was asked can answer this.",
  });
  await answer(request.id, ada, "4");
  await ended(1);
  expect(await result()).toEqual({ Ada: ["4"] });
});

test("a thread in which only one person talks does not wait for others", async () => {
  await world.start({ backend: teacher(), tools: [displayQuiz] });
  await world.say("quiz me");
  await answer((await open()).id, ada, "4");
  await ended(1);
  expect(await result()).toEqual({ Ada: ["4"] });
});

test("a poll is a form any tool may ask everyone", async () => {
  const backend = new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    if (last?.type === "tool-output") return [{ type: "say", text: last.output }];
    if (last?.type === "user" && last.text === "Hello") return [{ type: "say", text: "Hi." }];
    const fields = [{ id: "when", label: "When?", choices: ["Mon", "Tue"] }];
    const poll = { title: "Lunch", everyone: true, fields };
    return [{ type: "call", name: "ask_form", arguments: poll }];
  });
  await world.start({ backend, tools: [askForm] });
  await world.say("Hello", { author: grace });
  await ended(1);
  await world.say("When shall we eat?");
  const { id } = await open("Lunch");
  await decide(id, grace, { type: "answer", answers: { when: "Mon" } });
  await decide(id, ada, { type: "answer", answers: { when: "Tue" } });
  await ended(2);
  expect(JSON.parse(world.lastView().text)).toEqual({
    closed: "answered",
    people: [
      { name: "Grace", answers: { when: "Mon" } },
      { name: "Ada", answers: { when: "Tue" } },
    ],
  });
});

describe("no answer that was taken is lost", () => {
  test.each([0, 1, 2, 3, 5, 8, 13, 21])(
    "when it is killed %i steps after a press",
    async (steps) => {
      const { id } = await asked();
      await answer(id, grace, "3");
      const pressed = answer(id, linus, "4");
      for (let step = 0; step < steps; step += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      world.kill();
      const wasTaken = await pressed.then(
        ({ ok }) => ok,
        () => false,
      );
      await world.start({ backend: teacher(), tools: [displayQuiz] });
      const again = await answer(id, linus, "3");
      if (wasTaken) expect(again).toMatchObject({ ok: false });
      await answer(id, ada, "4");
      const answers = await result();
      expect(answers).toMatchObject({ Grace: ["3"], Ada: ["4"] });
      expect(answers.Linus).toEqual([again.ok ? "3" : "4"]);
    },
  );
});

test("what somebody answered is deleted with all else they said", async () => {
  const { id } = await asked({}, "Sums", () => "Thank you all.");
  await answer(id, grace, "3");
  await answer(id, linus, "a secret of Linus");
  await answer(id, ada, "4");
  await ended(2);
  const kept = () => world.records.contents().join("\n");
  expect(kept()).toContain("a secret of Linus");
  await world.say("/assistant forget me yes", { author: linus });
  await vi.waitFor(() => {
    expect(kept()).toContain("What was answered here was deleted.");
    expect(kept()).not.toContain("a secret of Linus");
  }, patience);
  expect(world.screen.forgotten.flatMap(({ runIds }) => runIds)).toHaveLength(1);
});
