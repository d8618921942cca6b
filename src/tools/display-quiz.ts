import { z } from "zod";
import type { Asked, Form, FormField } from "#domain/tool";
import { defineTool } from "./define-tool.ts";

/** As many questions as one modal takes on Discord; a longer quiz goes on in another form. */
const questionsPerForm = 5;
const maxQuestions = 25;
const maxChoices = 25;
/** A longer question does not stand whole above its field on every platform: it is written out first. */
const longQuestion = 45;

const question = z.object({
  question_text: z.string().trim().min(1).max(1_000),
  question_type: z.enum(["MULTIPLE_CHOICE", "FREE_RESPONSE"]),
  choices: z
    .array(z.string().trim().min(1).max(100))
    .max(maxChoices)
    .optional()
    .describe("For MULTIPLE_CHOICE: what can be picked, at least two."),
});

type Question = z.output<typeof question>;

/** Shows a quiz to all who take part in the conversation, and gives back each person's answers. */
export const displayQuiz = defineTool({
  name: "display_quiz",
  title: "Asking a quiz",
  description:
    "Shows a quiz with controls and returns each person's answer to each question; null where they left one out. Where several people talk, everybody may answer; it closes when all have, when the person who asked finishes it, or after `minutes`. Use it for exercises and tests instead of writing questions as text. It does not know the right answers: check them yourself, and keep the score of each person apart.",
  schema: z.object({
    title: z.string().trim().min(1).max(100),
    questions: z.array(question).min(1).max(maxQuestions),
    minutes: z
      .number()
      .min(1)
      .max(1_440)
      .optional()
      .describe("How long it may be answered; leave out for as long as people need."),
  }),
  idempotent: true,
  timeoutMs: 5_000,
  run({ title, questions, minutes }, { asked }) {
    const problem = questions.map(problemOf).find((one) => one !== undefined);
    if (problem) return `The quiz was not shown: ${problem}`;
    const from = (asked?.forms ?? 0) * questionsPerForm;
    const isOver = from >= questions.length || (asked !== undefined && asked.ended !== "answered");
    if (asked && isOver) return JSON.stringify(resultOf({ title, questions }, asked));
    const form = toForm({ title, questions, from });
    return { type: "ask", form: minutes === undefined ? form : { ...form, minutes } };
  },
});

function resultOf(
  { title, questions }: { readonly title: string; readonly questions: readonly Question[] },
  { people, ended }: Asked,
) {
  return {
    title,
    closed: closedWords[ended],
    people: people.map(({ personName, answers }) => ({
      name: personName,
      answers: questions.map(({ question_text }, index) => ({
        question_text,
        answer: answers[idOf(index)] || null,
      })),
    })),
  };
}

const closedWords: { readonly [E in Asked["ended"]]: string } = {
  answered: "everybody who takes part answered",
  finished: "finished by a person before everybody had answered",
  expired: "the time was up before everybody had answered",
};

function toForm(quiz: {
  readonly title: string;
  readonly questions: readonly Question[];
  readonly from: number;
}): Form {
  const { title, questions, from } = quiz;
  const page = questions.slice(from, from + questionsPerForm);
  const forms = Math.ceil(questions.length / questionsPerForm);
  const part = forms === 1 ? "" : ` (${from / questionsPerForm + 1} of ${forms})`;
  const written = page.flatMap(({ question_text: text }, index) =>
    text.length > longQuestion ? [`${from + index + 1}. ${text}`] : [],
  );
  return {
    title: `${title}${part}`,
    everyone: true,
    ...(written.length > 0 ? { text: written.join("\n") } : {}),
    fields: page.map((one, index) => toField(one, from + index)),
  };
}

function toField({ question_text, choices }: Question, index: number): FormField {
  const about = { id: idOf(index), label: `${index + 1}. ${question_text}` };
  return choices && choices.length > 0
    ? { ...about, type: "choice", choices: [...new Set(choices)] }
    : { ...about, type: "text", optional: true };
}

function idOf(index: number): string {
  return `q${index + 1}`;
}

function problemOf({ question_type, choices = [] }: Question, index: number): string | undefined {
  const isChoice = question_type === "MULTIPLE_CHOICE";
  if (isChoice && new Set(choices).size < 2) {
    return `question ${index + 1} is MULTIPLE_CHOICE and needs at least two different choices.`;
  }
  if (!isChoice && choices.length > 0) {
    return `question ${index + 1} is FREE_RESPONSE and takes no choices.`;
  }
  return undefined;
}
