import { describe, expect, test } from "vitest";
import type { Asked, FormAnswers, ToolResult } from "#domain/tool";
import { displayQuiz } from "../../src/tools/display-quiz.ts";
import { outputOf, toolContext } from "../fakes/tool-context.ts";

const choice = {
  question_text: "What is 2 + 2?",
  question_type: "MULTIPLE_CHOICE",
  choices: ["3", "4", "4"],
};
const free = {
  question_text: "Why is the sum of two odd numbers even? Explain it in your own words.",
  question_type: "FREE_RESPONSE",
};

async function quiz(questions: readonly object[], asked?: Asked): Promise<ToolResult> {
  const checked = displayQuiz.check({ title: "Sums", questions });
  if (!checked.ok) throw new Error(checked.problem);
  const context = toolContext(asked ? { asked } : {});
  return displayQuiz.run(checked.value, context, new AbortController().signal);
}

function askedBy(
  people: { readonly [name: string]: FormAnswers },
  rest: Partial<Asked> = {},
): Asked {
  const all = Object.entries(people).map(([personName, answers]) => ({
    personKey: `web:${personName.toLowerCase()}`,
    personName,
    answers,
  }));
  return { forms: 1, people: all, ended: "answered", ...rest };
}

describe("a quiz", () => {
  test("is a form: choices to pick from, free text that may be left out", async () => {
    expect(await quiz([choice, free])).toEqual({
      type: "ask",
      form: {
        title: "Sums",
        everyone: true,
        text: `2. ${free.question_text}`,
        fields: [
          { id: "q1", label: "1. What is 2 + 2?", type: "choice", choices: ["3", "4"] },
          { id: "q2", label: `2. ${free.question_text}`, type: "text", optional: true },
        ],
      },
    });
  });

  test("gives back each person's answer to each question, and null for one left out", async () => {
    const asked = askedBy({ Ada: { q1: "4", q2: "" }, Grace: { q1: "3", q2: "Halves." } });
    expect(JSON.parse(outputOf(await quiz([choice, free], asked)))).toEqual({
      title: "Sums",
      closed: "everybody who takes part answered",
      people: [
        {
          name: "Ada",
          answers: [
            { question_text: choice.question_text, answer: "4" },
            { question_text: free.question_text, answer: null },
          ],
        },
        {
          name: "Grace",
          answers: [
            { question_text: choice.question_text, answer: "3" },
            { question_text: free.question_text, answer: "Halves." },
          ],
        },
      ],
    });
  });

  test.each(["finished", "expired"] as const)(
    "that is %s goes on in no other form, and keeps what was answered",
    async (ended) => {
      const questions = Array.from({ length: 12 }, () => choice);
      const result = await quiz(questions, askedBy({ Ada: { q1: "4" } }, { ended }));
      const { closed, people } = JSON.parse(outputOf(result));
      expect(closed).toContain("before everybody had answered");
      expect(people[0].answers.slice(0, 2)).toMatchObject([{ answer: "4" }, { answer: null }]);
    },
  );

  test("that is long goes on in another form", async () => {
    const questions = Array.from({ length: 12 }, () => choice);
    const answers: { [id: string]: string } = {};
    const titles: string[] = [];
    for (;;) {
      const forms = titles.length;
      const result = await quiz(
        questions,
        forms === 0 ? undefined : askedBy({ Ada: answers }, { forms }),
      );
      if (result.type === "output") break;
      titles.push(result.form.title);
      for (const { id } of result.form.fields) answers[id] = id;
    }
    expect(titles).toEqual(["Sums (1 of 3)", "Sums (2 of 3)", "Sums (3 of 3)"]);
    const asked = askedBy({ Ada: answers }, { forms: 3 });
    const { people } = JSON.parse(outputOf(await quiz(questions, asked)));
    expect(people[0].answers.map(({ answer }: { answer: string }) => answer)).toEqual(
      Object.keys(answers),
    );
  });

  test.each([
    ["a choice of one", [{ ...choice, choices: ["4", "4"] }], "at least two"],
    ["free text with choices", [{ ...free, choices: ["a", "b"] }], "takes no choices"],
  ])("with %s says so to the model", async (_what, questions, words) => {
    expect(outputOf(await quiz(questions))).toContain(words);
  });

  test("of nothing, or of too much, does not fit", () => {
    const many = Array.from({ length: 26 }, () => choice);
    for (const questions of [[], many]) {
      expect(displayQuiz.check({ title: "Sums", questions }).ok).toBe(false);
    }
  });
});
