import { describe, expect, test } from "vitest";
import type { CodeOutcome, CodeRequest } from "#domain/code-run";
import { createCodeInterpreter } from "../../src/tools/code-interpreter.ts";
import { outputOf, toolContext } from "../fakes/tool-context.ts";

const nothing: CodeOutcome = {
  type: "ran",
  output: "",
  value: undefined,
  error: undefined,
  missingModule: undefined,
  files: [],
  leftOut: [],
};

/** The tool over a runner that ends as told, and what it was asked. */
function interpreter(outcome: Partial<CodeOutcome>, packages: readonly string[] = []) {
  const asked: CodeRequest[] = [];
  const tool = createCodeInterpreter({
    packages,
    timeoutMs: 60_000,
    run: async (request) => {
      asked.push(request);
      return { ...nothing, ...outcome } as CodeOutcome;
    },
  });
  const run = (files: { readonly [name: string]: string } = {}) =>
    tool.run({ code: "print(1)" }, toolContext({ files }), new AbortController().signal);
  return { tool, asked, run };
}

const missing = {
  error: "Traceback (most recent call last):\nModuleNotFoundError: No module named 'pandas'",
  missingModule: "pandas",
};

describe("running Python", () => {
  test("tells a model what is there before it writes code", () => {
    expect(interpreter({}).tool.spec.description).toMatch(
      /Only Python's standard library is there \(no numpy, pandas or matplotlib\): draw charts with the chart tool\./,
    );
    const { description } = interpreter({}, ["numpy", "matplotlib"]).tool.spec;
    expect(description).toContain("numpy, matplotlib and what they need");
    expect(description).toContain("figures are attached as PNG");
    expect(description).toContain("At most 60 seconds");
  });

  test("is shown in plain words, and may run again after a crash", () => {
    const { tool } = interpreter({});
    expect([tool.title, tool.idempotent, tool.needsApproval]).toEqual([
      "Running Python",
      true,
      false,
    ]);
  });

  test("gives the code the files of the conversation, of two with one name the newer", async () => {
    const { asked, run } = interpreter({});
    await run({ "sales.csv": "k,n", "my/notes.txt": "old" });
    expect(asked[0]?.files.map(({ name, data }) => [name, new TextDecoder().decode(data)])).toEqual(
      [
        ["my-notes.txt", "old"],
        ["sales.csv", "k,n"],
      ],
    );
  });

  test("says what was printed, the value and the files, and attaches them", async () => {
    const data = new Uint8Array([1, 2]);
    const { run } = interpreter({
      output: "hello\n",
      value: "42",
      files: [{ name: "chart.png", data }],
      leftOut: ["big.bin"],
    });
    expect(await run()).toEqual({
      type: "output",
      output:
        "Printed:\nhello\n\nValue of the last expression:\n42\n\nAttached to the reply: chart.png\n\nNot attached, because too many or too big: big.bin",
      files: [{ name: "chart.png", mimeType: "image/png", data, altText: "chart.png" }],
    });
    expect(outputOf(await interpreter({}).run())).toBe(
      "It ran, printed nothing and wrote no files.",
    );
  });

  test.each([
    [
      "a module that is not installed",
      missing,
      [],
      /`pandas` is not installed here and nothing can be installed\. .*chart tool \(draw_chart or make_chart\)/,
    ],
    ["a module beside those that are", missing, ["numpy"], /of packages there are numpy\./],
    [
      "a file that is not there",
      { error: "FileNotFoundError: 'x.csv'" },
      [],
      /In the working folder: a\.csv$/,
    ],
    [
      "the network",
      { error: "OSError: [Errno 23] Host is unreachable" },
      [],
      /There is no network in here\.$/,
    ],
  ])("helps with %s", async (_what, outcome, packages, words) => {
    expect(outputOf(await interpreter(outcome, packages).run({ "a.csv": "" }))).toMatch(words);
  });

  test("says why code was stopped", async () => {
    const why = "It took longer than 60 seconds and was ended.";
    expect(outputOf(await interpreter({ type: "stopped", why }).run())).toBe(
      `The code was stopped. ${why}`,
    );
  });
});
