import { describe, expect, test } from "vitest";
import { createPythonSandbox } from "../../../adapters/pyodide/python-sandbox.ts";

const never = new AbortController().signal;
const options = { timeoutMs: 200_000, maxMemoryBytes: 256_000_000 };
const sandbox = createPythonSandbox(options);
const run = (code: string) => sandbox.run({ code, files: [] }, never);

describe("Python in its sandbox", () => {
  test("begins afresh every time, whatever was done to it", async () => {
    const spoil =
      "import builtins, os\nbuiltins.print = None\nopen('left', 'w').write('x')\nleft = 1";
    expect(await run(spoil)).toMatchObject({ error: undefined });
    const look = "import os\n('left' in globals(), print is None, os.listdir('.'))";
    expect(await run(look)).toMatchObject({ value: "(False, False, [])" });
  });

  test.each([
    ["the end of the process", "lib.proc_exit(0)"],
    ["a program in JavaScript", "lib.emscripten_run_script(b'process.exit(0)')"],
    ["a function of JavaScript", "lib.emscripten_run_script_string(b'1')"],
    ["memory there is not", "ctypes.string_at(0xfffffff0)"],
    ["the end of Python", "import os; os._exit(0)"],
    ["an abort", "import os; os.abort()"],
  ])("gives up alone when the code calls for %s", async (_what, call) => {
    const code = `import sys\nsys.meta_path.pop(0)\nimport ctypes\nlib = ctypes.CDLL(None)\n${call}`;
    expect(await run(code)).toMatchObject({ type: "stopped" });
  });

  test.each([
    ["sleeps", "import time\ntime.sleep(10_000)"],
    [
      "catches everything",
      "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
    ],
    ["waits in a regular expression", "import re\nre.match('(a+)+$', 'a' * 60 + 'b')"],
    ["makes a number without end", "10 ** 10 ** 9"],
    ["is in one long call", "sum(range(10**15))"],
  ])("is ended at its time when it %s", async (_how, code) => {
    const hasty = createPythonSandbox({ ...options, timeoutMs: 8_000 });
    expect(await hasty.run({ code, files: [] }, never)).toEqual({
      type: "stopped",
      why: "It took longer than 8 seconds and was ended.",
    });
  });

  test.each([
    ["a list", "x = []\nwhile True: x.append('y' * 1_000_000)"],
    ["a text", "x = 'y' * 10**12"],
  ])(
    "finds an end to its memory in %s",
    async (_what, code) => {
      const outcome = await run(code);
      if (outcome.type === "ran") expect(outcome.error).toMatch(/MemoryError|OverflowError/);
      else expect(outcome.why).toMatch(/memory/);
    },
    300_000,
  );
});
