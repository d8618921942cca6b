import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPythonSandbox } from "../../../adapters/pyodide/python-sandbox.ts";
import { nativeModule, writeWheels } from "../../fakes/wheels.ts";

const patience = { timeout: 240_000 };
const never = new AbortController().signal;

/** As much of matplotlib as counts when code ends: figures that are open, and can be saved. */
const pyplot = `
figures = []
def plot():
    figures.append(1)
def get_fignums():
    return figures
class Figure:
    def savefig(self, name, **about):
        open(name, "w").write("a picture")
def figure(number):
    return Figure()
`;

describe("packages from a folder", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "bobbin-packages-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("are installed when the code imports them, with what they need", patience, async () => {
    const suffix = ".cpython-314-wasm32-emscripten.so";
    writeWheels(folder, [
      {
        name: "pandas",
        depends: ["tiny-machine"],
        files: { "pandas/__init__.py": "import tiny_machine\nabout = tiny_machine.__doc__" },
      },
      {
        name: "tiny-machine",
        files: { [`tiny_machine${suffix}`]: nativeModule("tiny_machine", "machine code") },
      },
      { name: "numpy", isForged: true, files: { "numpy.py": "" } },
      {
        name: "matplotlib",
        files: { "matplotlib/__init__.py": "", "matplotlib/pyplot.py": pyplot },
      },
      { name: "scipy", files: { "scipy.py": "" } },
    ]);
    rmSync(join(folder, "scipy-1.0-py3-none-any.whl"));
    const sandbox = createPythonSandbox({
      packagesFolder: folder,
      timeoutMs: 200_000,
      maxMemoryBytes: 256_000_000,
    });
    expect(sandbox.packages).toEqual(["numpy", "pandas", "matplotlib"]);
    const run = (code: string) => sandbox.run({ code, files: [] }, never);
    const drawing = "import pandas as pd\nimport matplotlib.pyplot as plt\nplt.plot()\npd.about";
    expect(await run(drawing)).toMatchObject({
      error: undefined,
      value: "'machine code'",
      files: [{ name: "figure-1.png", data: Buffer.from("a picture") }],
    });
    expect(await run("import numpy")).toEqual({
      type: "stopped",
      why: "A package it imports could not be installed: numpy-1.0-py3-none-any.whl is not what Pyodide's lock names",
    });
    expect(await run("import scipy")).toMatchObject({
      missingModule: "scipy",
      error: expect.stringContaining("ModuleNotFoundError: No module named 'scipy'"),
    });
  });

  test("for another version of Pyodide are refused in words", () => {
    const other = JSON.stringify({ info: { abi_version: "2031_0" }, packages: {} });
    writeFileSync(join(folder, "pyodide-lock.json"), other);
    const options = { packagesFolder: folder, timeoutMs: 1_000, maxMemoryBytes: 1_000_000 };
    expect(() => createPythonSandbox(options)).toThrow(/are for Pyodide's ABI 2031_0, but it has/);
  });
});
