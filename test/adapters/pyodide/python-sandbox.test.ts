import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CodeFile, CodeOutcome } from "#domain/code-run";
import {
  createPythonSandbox,
  type PythonSandboxOptions,
} from "../../../adapters/pyodide/python-sandbox.ts";
import { listenOnLoopback } from "../../wire/loopback.ts";

const onLinux = process.platform === "linux";
const never = new AbortController().signal;
/** Starting Python is seconds of work, and others may be at work, too. */
const patience = { timeout: 240_000 };
const usual: PythonSandboxOptions = { timeoutMs: 200_000, maxMemoryBytes: 256_000_000 };
const sandbox = createPythonSandbox(usual);

function run(code: string, files: readonly CodeFile[] = [], signal = never) {
  return sandbox.run({ code, files }, signal);
}

type Ran = Extract<CodeOutcome, { readonly type: "ran" }>;

async function ran(code: string, files: readonly CodeFile[] = []): Promise<Ran> {
  const outcome = await run(code, files);
  if (outcome.type !== "ran") throw new Error(outcome.why);
  return outcome;
}

const textFile = (name: string, text: string): CodeFile => ({
  name,
  data: new TextEncoder().encode(text),
});
const textOf = (outcome: Ran, name: string) => {
  const file = outcome.files.find((one) => one.name === name);
  return file && new TextDecoder().decode(file.data);
};

/** Tries each in turn, and says by name how it ended: with a value, or with which error. */
async function attempts(tries: { readonly [name: string]: string }, before = "") {
  const code = [
    "import json",
    "results = {}",
    "def attempt(name, code):",
    "    try:",
    '        results[name] = "got " + str(eval(code, globals()))[:500]',
    "    except BaseException as error:",
    '        results[name] = type(error).__name__ + ": " + str(error)',
    before,
    ...Object.entries(tries).map(
      ([name, code]) => `attempt(${JSON.stringify(name)}, ${JSON.stringify(code)})`,
    ),
    "print(json.dumps(results))",
  ].join("\n");
  const { output, error } = await ran(code);
  expect(error).toBeUndefined();
  return JSON.parse(output) as { readonly [name: string]: string };
}

describe("Python", () => {
  test("prints, gives the value of its last expression, and works on files", patience, async () => {
    const code = [
      "import csv, os, sys",
      "rows = list(csv.DictReader(open('sales.csv')))",
      "print('Grüße 🙂', len(rows))",
      "print('beside', file=sys.stderr)",
      "os.makedirs('out')",
      "open('out/total.txt', 'w').write(str(sum(int(row['n']) for row in rows)))",
      "open('sales.csv', 'a').write('d,4\\n')",
      "open('.hidden', 'w').write('x')",
      "os.symlink('/lib', 'link'); os.symlink('/home', 'link.txt')",
      "open('a\\\\..\\\\evil\\u202egnp.txt', 'w').write('x')",
      "sorted(os.listdir('.'))[:3]",
    ].join("\n");
    const outcome = await ran(code, [
      textFile("sales.csv", "k,n\na,1\nb,2\n"),
      textFile("notes.md", "# Unchanged"),
    ]);
    expect(outcome).toMatchObject({
      output: "Grüße 🙂 2\nbeside\n",
      value: expect.stringContaining("'.hidden'"),
      error: undefined,
      leftOut: [],
    });
    expect(outcome.files.map(({ name }) => name)).toEqual([
      "a-evilgnp.txt",
      "sales.csv",
      "out-total.txt",
    ]);
    expect(textOf(outcome, "out-total.txt")).toBe("3");
    expect(textOf(outcome, "sales.csv")).toBe("k,n\na,1\nb,2\nd,4\n");
  });

  test("says what went wrong from its own first line on", patience, async () => {
    const { output, value, error } = await ran(
      "print('before')\ndef half(n):\n    return n / 0\nhalf(1)",
    );
    expect([output, value]).toEqual(["before\n", undefined]);
    expect(error).toMatch(/^Traceback .*\n +File "<code>", line 4, in <module>/);
    expect(error).toMatch(/ZeroDivisionError: division by zero$/);
    expect(error).not.toContain("python314");
  });
});

describe("nobody gets out", () => {
  const secret = `secret-${randomUUID()}`;
  beforeAll(() => {
    process.env.BOBBIN_TEST_SECRET = secret;
  });
  afterAll(() => {
    delete process.env.BOBBIN_TEST_SECRET;
  });

  test("by the front door", patience, async () => {
    const server = createServer((socket) => socket.end("reached"));
    const port = await listenOnLoopback(server);
    let connections = 0;
    server.on("connection", () => {
      connections += 1;
    });
    const outside = join(tmpdir(), `escaped-${randomUUID()}`);
    const refused = (name: string) => `ModuleNotFoundError: ${name} cannot be used in here`;
    const results = await attempts({
      js: "__import__('js')",
      "js.process": "__import__('js').process.env",
      pyodide_js: "__import__('pyodide_js')",
      run_js: "__import__('pyodide.code').code.run_js('process.env')",
      "pyodide.ffi": "__import__('pyodide.ffi')",
      "pyodide.http": "__import__('pyodide.http')",
      _pyodide_core: "__import__('_pyodide_core')",
      ctypes: "__import__('ctypes')",
      micropip: "__import__('micropip')",
      subprocess: "__import__('subprocess').run(['id'])",
      multiprocessing: "__import__('multiprocessing').Process(target=print).start()",
      popen: "__import__('os').popen('id').read()",
      system: "__import__('os').system('id')",
      fork: "__import__('os').fork()",
      kill: "__import__('os').kill(__import__('os').getppid(), 9)",
      thread: "__import__('threading').Thread(target=print).start()",
      environment: "' '.join(sorted(__import__('os').environ))",
      passwd: "open('/etc/passwd').read()",
      "environment of the process": "open('/proc/self/environ').read()",
      "this test": `open(${JSON.stringify(import.meta.filename)}).read()`,
      root: "sorted(__import__('os').listdir('/'))",
      "writing outside": `open(${JSON.stringify(outside)}, 'w').write('here')`,
      "up and out": "open('../../../../../../etc/hostname').read()",
      socket: `__import__('socket').create_connection(('127.0.0.1', ${port}), 5)`,
      urllib: `__import__('urllib.request').request.urlopen('http://127.0.0.1:${port}/').read()`,
      listening: "__import__('socket').create_server(('127.0.0.1', 0))",
      input: "input()",
    });
    server.close();
    expect(connections).toBe(0);
    expect(existsSync(outside)).toBe(false);
    expect(JSON.stringify(results)).not.toContain(secret);
    expect(results).toMatchObject({
      js: refused("js"),
      "js.process": refused("js"),
      pyodide_js: refused("pyodide_js"),
      run_js: refused("pyodide"),
      "pyodide.ffi": refused("pyodide"),
      "pyodide.http": refused("pyodide"),
      _pyodide_core: refused("_pyodide_core"),
      ctypes: refused("ctypes"),
      micropip: refused("micropip"),
      subprocess: refused("subprocess"),
      multiprocessing: refused("multiprocessing"),
      popen: refused("subprocess"),
      system: "got -1",
      fork: expect.stringMatching(/^OSError.*not implemented/),
      kill: expect.stringMatching(/^PermissionError/),
      thread: expect.stringMatching(/^RuntimeError/),
      environment: "got HOME LANG LD_LIBRARY_PATH LOGNAME MPLBACKEND PATH PWD PYTHONINSPECT USER _",
      passwd: expect.stringMatching(/^FileNotFoundError/),
      "environment of the process": expect.stringMatching(/^FileNotFoundError/),
      "this test": expect.stringMatching(/^FileNotFoundError/),
      root: "got ['dev', 'home', 'lib', 'mnt', 'proc', 'tmp']",
      "up and out": expect.stringMatching(/^FileNotFoundError/),
      socket: expect.stringMatching(/^OSError.*unreachable/),
      urllib: expect.stringMatching(/^URLError.*unreachable/),
      listening: expect.stringMatching(/^OSError/),
      input: expect.stringMatching(/^EOFError/),
    });
  });

  /** Who digs in Python's own memory finds what leads to JavaScript: it must lead nowhere. */
  const dig = [
    "import gc, sys, types",
    "modules = {o.__name__: o for o in gc.get_objects() if isinstance(o, types.ModuleType)}",
    "finder = next(o for o in gc.get_objects() if type(o).__name__ == 'JsFinder')",
    "js, pyodide_js = finder.jsproxies['js'], finder.jsproxies['pyodide_js']",
    "Function, Object = pyodide_js.runPython.constructor, pyodide_js.constructor",
    "own = lambda o: [str(n) for n in Object.getOwnPropertyNames(o)]",
  ].join("\n");

  test("by what lies about in Python's memory", patience, async () => {
    const noCode = expect.stringMatching(/^JsException: EvalError: Code generation from strings/);
    const results = await attempts(
      {
        "JavaScript's globals": "own(js)",
        Function: "Function('return process')()",
        "new Function": "Function.new('return process')()",
        "async Function": "pyodide_js.loadPackage.constructor.new('return process')",
        "a folder of the host": "pyodide_js.mountNodeFS('/host', '/etc')",
        "a folder of the host, past the check":
          "(pyodide_js.FS.mkdir('/host2'), pyodide_js.FS.mount(pyodide_js.FS.filesystems.NODEFS, Object.fromEntries(pyodide_js.lockfile.constructor.entries(js)), '/host2'))",
        "run_js, found again": "modules['pyodide.code'].run_js('process.env')",
        "the finder, put back": "(sys.meta_path.append(finder), __import__('js'))[1]",
        "the refusal, taken out": "own((sys.meta_path.pop(0), __import__('js'))[1])",
        "run_js, found again, with js": "modules['pyodide.code'].run_js('process.env')",
        ctypes: "(__import__('ctypes').CDLL(None), 'loaded')[1]",
        "the process, by an address":
          "open(f'/proc/{__import__(\"os\").getppid()}/environ').read()",
      },
      dig,
    );
    expect(results).toEqual({
      "JavaScript's globals": "got []",
      Function: noCode,
      "new Function": noCode,
      "async Function": noCode,
      "a folder of the host": expect.stringMatching(/^JsException: Error: mountNodeFS only works/),
      "a folder of the host, past the check": expect.stringMatching(/^JsException/),
      "run_js, found again": expect.stringMatching(/^ModuleNotFoundError: js cannot be used/),
      "the finder, put back": expect.stringMatching(/^ModuleNotFoundError: js cannot be used/),
      // Who takes the sign down gets the module: it is empty, and was from the start.
      "the refusal, taken out": "got []",
      "run_js, found again, with js": expect.stringMatching(/^(ImportError|AttributeError)/),
      ctypes: "got loaded",
      "the process, by an address": expect.stringMatching(/^FileNotFoundError/),
    });
  });
});

describe("nobody takes too much", () => {
  test("of time", patience, async () => {
    const hasty = createPythonSandbox({ ...usual, timeoutMs: 5_000 });
    expect(await hasty.run({ code: "while True: pass", files: [] }, never)).toEqual({
      type: "stopped",
      why: "It took longer than 5 seconds and was ended.",
    });
  });

  test("after it was called off", patience, async () => {
    const caller = new AbortController();
    const running = run("while True: pass", [], caller.signal);
    caller.abort(new Error("called off"));
    await expect(running).rejects.toThrow("called off");
  });

  test("of memory, inside Python or beside it", patience, async () => {
    const small = createPythonSandbox({ ...usual, maxMemoryBytes: 96_000_000 });
    const code = [
      "try:",
      "    x = bytearray(500_000_000)",
      "except MemoryError:",
      "    for i in range(200):",
      "        with open(f'{i}.bin', 'wb') as f: f.write(b'x' * 10_000_000)",
    ].join("\n");
    const outcome = await small.run({ code, files: [] }, never);
    // What it holds beside its own memory is watched where the system tells.
    const beside = {
      type: "stopped",
      why: "It took more than 96 MB of memory and was ended.",
    };
    if (onLinux) expect(outcome).toEqual(beside);
    else expect(outcome.type).toBe("ran");
  });

  test("of its reader's patience", patience, async () => {
    const code = [
      "def f(): return f()",
      "try: f()",
      "except RecursionError: print('too deep')",
      "for i in range(50_000): print(i)",
      "open('big.bin', 'wb').write(b'x' * 21_000_000)",
      "for i in range(30): open(f'many-{i:02}.txt', 'w').write('x')",
      "raise ValueError('z' * 1_000_000)",
    ].join("\n");
    const outcome = await ran(code);
    expect(outcome.output).toMatch(/^too deep\n0\n1\n2\n/);
    expect(outcome.output).toMatch(/\n\[… 26\d,\d{3} characters left out …\]\n/);
    expect(outcome.output).toMatch(/49998\n49999\n$/);
    expect(outcome.output.length).toBeLessThan(20_100);
    expect(outcome.error?.length).toBeLessThan(4_100);
    expect(outcome.files).toHaveLength(10);
    expect(outcome.leftOut).toHaveLength(20);
    expect(outcome.leftOut[0]).toBe("big.bin");
  });
});
