import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  isGenuine,
  type Lock,
  lockTextOf,
  pyodideFolderOf,
  readLock,
  usualPackages,
  withNeeded,
} from "./packages.ts";

/** Where Pyodide publishes its packages, by its own version. Source: pyodide.org, "Downloading and deploying". */
const published = "https://cdn.jsdelivr.net/pyodide";
const timeoutMs = 120_000;

/**
 * Fetches the usual packages, and what they need, for the Pyodide that is installed; each is checked
 * against its lock. What is there already and genuine is kept. Throws with the address and the reason
 * when one cannot be had.
 */
export async function fetchPackages(options: {
  readonly folder: string;
  /** Ending without a slash. Default: where Pyodide publishes them. */
  readonly from?: string;
  /** Default: that of the Pyodide installed. */
  readonly lock?: Lock;
  readonly print: (line: string) => void;
}): Promise<void> {
  const { folder, print } = options;
  const pyodideFolder = pyodideFolderOf();
  const { version } = JSON.parse(await readFile(`${pyodideFolder}package.json`, "utf8"));
  const from = options.from ?? `${published}/v${version}/full`;
  const lock = options.lock ?? readLock(lockTextOf(pyodideFolder, undefined));
  await mkdir(folder, { recursive: true });
  let bytes = 0;
  const wanted = withNeeded(usualPackages, lock);
  for (const { file_name, sha256 } of wanted) {
    const path = join(folder, file_name);
    const known = await readFile(path).catch(() => undefined);
    const data =
      known && isGenuine(known, sha256) ? known : await fetchFile(`${from}/${file_name}`);
    if (!isGenuine(data, sha256)) {
      throw new Error(`${from}/${file_name} is not what Pyodide ${version} names in its lock`);
    }
    if (data !== known) {
      await writeFile(`${path}.part`, data);
      await rename(`${path}.part`, path);
    }
    bytes += data.length;
    print(`${file_name}: ${(data.length / 1_000_000).toFixed(1)} MB`);
  }
  print(
    `${wanted.length} packages for Pyodide ${version}, ${(bytes / 1_000_000).toFixed(1)} MB, are in ${folder}`,
  );
}

async function fetchFile(url: string): Promise<Uint8Array> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    const reason = cause instanceof Error ? reasonOf(cause) : String(cause);
    throw new Error(`${url} cannot be fetched: ${reason}`, { cause });
  }
}

/** `fetch` says "fetch failed", and the reason below. */
function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error && cause.message !== "" ? cause.message : message;
}

if (import.meta.main) {
  const [folder, from] = process.argv.slice(2);
  try {
    if (folder === undefined)
      throw new Error("say where to: fetch-packages.ts <folder> [<address>]");
    await fetchPackages({ folder, ...(from === undefined ? {} : { from }), print: console.log });
  } catch (error) {
    console.error(`Python's packages: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
