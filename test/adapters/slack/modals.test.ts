import { describe, expect, test } from "vitest";
import { answersIn, formModal } from "../../../adapters/slack/modals.ts";

const form = {
  id: "req_1",
  title: "Sums",
  form: {
    title: "Sums",
    fields: [
      { id: "q1", label: "What is 2 + 2?", type: "choice", choices: ["3", "4"] },
      { id: "q2", label: "Why?", type: "text", optional: true },
    ],
  },
} as const;

const submitted = (values: object) => ({ state: { values } });

describe("a form with a field that may be left blank", () => {
  test("asks for it as an optional input", () => {
    expect(formModal(form).blocks).toMatchObject([
      { block_id: "field0", element: { type: "static_select" } },
      { block_id: "field1", optional: true, element: { type: "plain_text_input" } },
    ]);
    expect(formModal(form).blocks[0]).not.toHaveProperty("optional");
  });

  test("takes an empty answer there, and no other", () => {
    const chosen = { field0: { answer: { selected_option: { value: "1" } } } };
    expect(answersIn(submitted(chosen), form)).toEqual({
      answers: { q1: "4", q2: "" },
      errors: {},
    });
    expect(answersIn(submitted({}), form).errors).toEqual({ field0: "Please answer this." });
  });
});
