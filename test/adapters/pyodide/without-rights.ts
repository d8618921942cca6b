import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { answer, readRequest } from "../../../adapters/confined/inside.ts";
import { giveUpRights } from "../../../adapters/pyodide/rights.ts";

// Not Python, but who broke out of it, with every module still at hand: what is left to do?
const { request } = readRequest<{ readonly file: string }>();
const { env, exit } = process;
const before = attempt(() => readFileSync(request.file, "utf8").length > 0);
giveUpRights();
answer({
  before,
  environment: Object.keys(env),
  globals: Object.getOwnPropertyNames(globalThis),
  reading: attempt(() => readFileSync(request.file, "utf8")),
  looking: attempt(() => existsSync(request.file)),
  writing: attempt(() => writeFileSync("/tmp/bobbin-was-here", "x")),
  spawning: attempt(() => spawnSync("id")),
  threading: attempt(() => new Worker("1", { eval: true })),
  code: attempt(() => Function("return 1")()),
  polluting: attempt(() => {
    Object.assign(Object.prototype, { polluted: true });
    return "done";
  }),
});
exit(0);

function attempt(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : String(error);
  }
}
