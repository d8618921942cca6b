import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CodeRunner } from "#ports/code-runner";
import { createPythonSandbox } from "../../adapters/pyodide/python-sandbox.ts";
import { createCodeInterpreter } from "../../src/tools/code-interpreter.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

/** Starting Python is seconds of work, and others may be at work, too. */
const patience = { timeout: 200_000 };
const ended = () => vi.waitFor(() => expect(world.metrics.runs).toHaveLength(1), patience);

/** A model that runs this code and says what came of it. */
function programmer(code: string, capabilities = {}) {
  return new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    if (last?.type === "tool-output") return [{ type: "say", text: last.output }];
    if (turn.functions.length === 0) return [{ type: "say", text: "I have no functions." }];
    return [{ type: "call", name: "code_interpreter", arguments: { code } }];
  }, capabilities);
}

test("code runs on what a person attached, and what it writes is posted", {
  timeout: 240_000,
}, async () => {
  const code =
    "import csv\nrows = list(csv.reader(open('sales.csv')))\nopen('first.csv', 'w').write(','.join(rows[0]))\nlen(rows)";
  const runner = createPythonSandbox({ timeoutMs: 180_000, maxMemoryBytes: 256_000_000 });
  const backend = programmer(code);
  await world.start({ backend, tools: [createCodeInterpreter(runner)] });
  await world.say("How many rows?", { attachments: [world.attach("sales.csv", "a,1\nb,2\n")] });
  await ended();
  const view = world.lastView();
  expect(view).toMatchObject({
    status: "completed",
    text: "Value of the last expression:\n2\n\nAttached to the reply: first.csv",
    steps: [
      { type: "code_interpreter", title: "Running Python", input: code, status: "completed" },
    ],
    files: [{ name: "first.csv", mimeType: "text/csv", bytes: 3 }],
  });
});

test("code is ended when its run is stopped", async () => {
  let isAborted = false;
  const runner: CodeRunner = {
    packages: [],
    timeoutMs: 60_000,
    run: (_request, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          isAborted = true;
          reject(signal.reason);
        });
      }),
  };
  await world.start({
    backend: programmer("while True: pass"),
    tools: [createCodeInterpreter(runner)],
  });
  await world.say("Go on for ever");
  await vi.waitFor(() => expect(world.lastView().steps).toHaveLength(1), patience);
  expect(await world.say("stop")).toMatchObject({ answer: { ok: true } });
  await ended();
  expect(isAborted).toBe(true);
  expect(world.lastView().status).toBe("cancelled");
});

test("where the service runs code itself, it is not offered a second time", async () => {
  const backend = programmer("1", { hostedTools: ["code_interpreter"] });
  const runner: CodeRunner = { packages: [], timeoutMs: 1, run: () => Promise.reject() };
  await world.start({ backend, tools: [createCodeInterpreter(runner)] });
  await world.say("Hello");
  await ended();
  expect(world.lastView().text).toBe("I have no functions.");
  expect(backend.turns[0]?.hostedTools).toEqual(["code_interpreter"]);
});
