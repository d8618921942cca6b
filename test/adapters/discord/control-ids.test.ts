import { expect, test } from "vitest";
import { type Control, controlOf, customIdOf } from "../../../adapters/discord/control-ids.ts";

test.each<Control>([
  { type: "press", action: "stop", id: "run_1" },
  { type: "press", action: "answer-new-version", id: "run_1" },
  { type: "good", id: "run_1" },
  { type: "form", id: "run_1/question/2" },
  { type: "command", id: "stop all in discord:1:2" },
])("the id of $type says what it does and to what", (control) => {
  expect(controlOf(customIdOf(control) ?? "")).toEqual(control);
});

test("an id that is not ours means nothing", () => {
  expect(controlOf("somebody_elses")).toBeUndefined();
  expect(controlOf("delete everything")).toBeUndefined();
});

test("what Discord would refuse gets no id", () => {
  expect(customIdOf({ type: "command", id: "x".repeat(100) })).toBeUndefined();
});
