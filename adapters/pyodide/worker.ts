import { readFileSync } from "node:fs";
import { answer, readRequest } from "../confined/inside.ts";
import { lockTextOf, packagesFor, readLock, readWheel } from "./packages.ts";
import type { SandboxRequest } from "./protocol.ts";
import { type Realm, startRealm } from "./realm.ts";
import { giveUpRights } from "./rights.ts";

/**
 * The process Python runs in: one piece of code, one answer, then the end. Everything it needs is
 * read first; then it gives away its rights, and only then does the stranger's code begin.
 */
const workingFolder = "/mnt/data";
const { request, data } = readRequest<SandboxRequest>();
const runner = readFileSync(new URL("./runner.py", import.meta.url), "utf8");
const lockText = lockTextOf(request.pyodideFolder, request.packagesFolder);
const { exit } = process;

const realm = await startRealm({ folder: request.pyodideFolder, lock: lockText });
realm.python(runner);
try {
  await installPackages();
} catch (error) {
  const problem = error instanceof Error ? error.message : String(error);
  answer({ type: "unprepared", problem: problem.slice(0, 1_000) });
  exit(0);
}
writeFiles(realm);
realm.call("prepare", JSON.stringify(request.limits));
giveUpRights();
answer(run());
exit(0);

/** The wheels that the code's imports ask for; what is not there is left for the import to say. */
async function installPackages(): Promise<void> {
  const { packagesFolder: folder } = request;
  if (folder === undefined) return;
  const modules: string[] = JSON.parse(String(realm.call("imports_of", request.code)));
  const packages = packagesFor(modules, readLock(lockText), folder);
  for (const one of new Set(packages.flatMap(({ needs }) => needs))) {
    realm.provide(one.file_name, readWheel(folder, one));
  }
  if (packages.length > 0) await realm.install(packages.map(({ name }) => name));
}

function writeFiles({ python, write }: Realm): void {
  python(`os.makedirs(${JSON.stringify(workingFolder)})`);
  let from = 0;
  for (const { name, bytes } of request.files) {
    write(`${workingFolder}/${name}`, data.subarray(from, from + bytes));
    from += bytes;
  }
}

/** Text, whatever happened in there; nothing else is even looked at. */
function run(): unknown {
  try {
    const said = realm.call("run", request.code);
    if (typeof said === "string") return { ...JSON.parse(said), type: "ran" };
  } catch {
    // Neither what was thrown nor why is to be trusted.
  }
  return { type: "crashed" };
}
