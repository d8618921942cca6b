import { readFileSync } from "node:fs";
import { constants, createContext, runInContext, SourceTextModule } from "node:vm";

/** Python, up and running in a realm of its own. */
export interface Realm {
  /** Runs Python of ours, before anything of a stranger is in there. */
  python(code: string): unknown;
  /** Puts a file into Python's own file system. */
  write(path: string, data: Uint8Array): void;
  /** Installs packages by their names in the lock, with those they need, from what was provided. */
  install(names: readonly string[]): Promise<void>;
  /** Gives a wheel, to be installed. */
  provide(name: string, data: Uint8Array): void;
  /** A Python function as one of text to text. Gives anything at all once a stranger's code has run. */
  call(name: string, text: string): unknown;
}

const modulePath = "/pyodide/";

/**
 * Starts Pyodide in a JavaScript realm that holds nothing but the language itself: no `process`, no
 * `require`, no `import`, no `fetch`, no timers, and no making of code from text. Whoever gets from
 * Python to JavaScript finds nothing there to go on with.
 *
 * That holds only as long as no object of this side gets in. So functions of the realm are called,
 * never the other way round, with text as the only argument and the only result; bytes are copied in
 * before a stranger's code runs.
 */
export async function startRealm(from: {
  /** Pyodide's package, ending in `/`. */
  readonly folder: string;
  /** The text of its lock file. */
  readonly lock: string;
}): Promise<Realm> {
  const context = createContext(constants.DONT_CONTEXTIFY, {
    codeGeneration: { strings: false, wasm: true },
  });
  const prelude = readFileSync(new URL("./realm.js", import.meta.url), "utf8");
  const files: Map<string, Uint8Array> = runInContext(prelude, context);
  const RealmBytes: Uint8ArrayConstructor = runInContext("Uint8Array", context);
  const copyIn = (data: Uint8Array) => {
    const copy = new RealmBytes(data.length);
    copy.set(data);
    return copy;
  };
  for (const name of ["pyodide.asm.wasm", "python_stdlib.zip"]) {
    files.set(name, copyIn(readFileSync(from.folder + name)));
  }
  const load = async (name: string) => {
    const module = new SourceTextModule(readFileSync(from.folder + name, "utf8"), {
      context,
      identifier: modulePath + name,
      initializeImportMeta: (meta) => {
        meta.url = `file://${modulePath}${name}`;
      },
    });
    await module.link(() => {
      throw new Error("Pyodide imports something by name");
    });
    await module.evaluate();
    return module.namespace;
  };
  const { default: createPyodideModule } = (await load("pyodide.asm.mjs")) as { default: unknown };
  const { loadPyodide } = (await load("pyodide.mjs")) as { loadPyodide: unknown };
  const start: Start = runInContext(starter, context);
  const pyodide = await start(loadPyodide, createPyodideModule, from.lock);
  return {
    provide: (name, data) => void files.set(name, copyIn(data)),
    python: (code) => pyodide.python(code),
    write: (path, data) => pyodide.write(path, copyIn(data)),
    install: (names) => pyodide.install(JSON.stringify(names)),
    call: (name, text) => pyodide.call(name, text),
  };
}

interface Started {
  python(code: string): unknown;
  write(path: string, data: Uint8Array): void;
  install(names: string): Promise<void>;
  call(name: string, text: string): unknown;
}

type Start = (loadPyodide: unknown, createModule: unknown, lock: string) => Promise<Started>;

/** Inside the realm: its own functions around Pyodide's, so that none of ours gets in. */
const starter = `(async (loadPyodide, createPyodideModule, lockFileContents) => {
  "use strict";
  const pyodide = await loadPyodide({
    indexURL: "${modulePath}",
    packageBaseUrl: "${modulePath}",
    createPyodideModule,
    lockFileContents,
    jsglobals: Object.create(null),
    env: { HOME: "/home/python", MPLBACKEND: "agg", PYTHONINSPECT: "" },
  });
  return Object.freeze({
    python: (code) => pyodide.runPython(code),
    write: (path, data) => pyodide.FS.writeFile(path, data),
    install: async (names) => {
      const problems = [];
      await pyodide.loadPackage(JSON.parse(names), {
        messageCallback: () => {},
        errorCallback: (problem) => problems.push(problem),
        checkIntegrity: false,
      });
      if (problems.length > 0) throw new Error(problems.join(" "));
    },
    call: (name, text) => pyodide.globals.get(name)(text),
  });
})`;
