import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { sep } from "node:path";
import { folderOfPackage } from "../confined/installed.ts";

/** A package as Pyodide's lock file lists it. */
interface LockedPackage {
  readonly name: string;
  readonly file_name: string;
  readonly sha256: string;
  readonly depends: readonly string[];
  readonly imports: readonly string[];
}

export type Lock = ReadonlyMap<string, LockedPackage>;

/** What is fetched for everybody: enough to compute with tables and to draw. */
export const usualPackages = ["numpy", "pandas", "matplotlib"] as const;

/** Pyodide's package, ending in a slash. Throws when it, an optional one, is not installed. */
export function pyodideFolderOf(): string {
  const folder = folderOfPackage("pyodide");
  if (folder !== undefined) return folder + sep;
  throw new Error("the package `pyodide` is not installed: run `npm install --include=optional`");
}

const lockName = "pyodide-lock.json";

/**
 * The text of the lock that counts: a folder with packages may bring its own, as a whole distribution
 * of Pyodide does. Throws when that is for another Python than the one there is.
 */
export function lockTextOf(pyodideFolder: string, packagesFolder: string | undefined): string {
  const text = readFileSync(pyodideFolder + lockName, "utf8");
  const own = packagesFolder === undefined ? undefined : packagesFolder + lockName;
  if (own === undefined || !existsSync(own)) return text;
  const ownText = readFileSync(own, "utf8");
  const [wanted, seen] = [abiOf(text), abiOf(ownText)];
  if (wanted === seen) return ownText;
  throw new Error(
    `the packages in ${packagesFolder} are for Pyodide's ABI ${seen}, but it has ${wanted}`,
  );
}

function abiOf(lockText: string): string {
  const { info } = JSON.parse(lockText) as { info: { abi_version: string } };
  return info.abi_version;
}

/** The packages by their names in the lock, from its text. */
export function readLock(text: string): Lock {
  const { packages } = JSON.parse(text) as { packages: { [name: string]: LockedPackage } };
  return new Map(Object.entries(packages));
}

/** These packages and all they need, each once, what is needed first; unknown names are left out. */
export function withNeeded(names: Iterable<string>, lock: Lock): readonly LockedPackage[] {
  const found = new Map<string, LockedPackage>();
  const seen = new Set<string>();
  const add = (name: string) => {
    const one = lock.get(name);
    if (seen.has(name) || !one) return;
    seen.add(name);
    for (const needed of one.depends) add(needed);
    found.set(name, one);
  };
  for (const name of names) add(name);
  return [...found.values()];
}

/** The packages whose modules are imported, and that are in the folder with all they need. */
export function packagesFor(
  modules: readonly string[],
  lock: Lock,
  folder: string,
): readonly { readonly name: string; readonly needs: readonly LockedPackage[] }[] {
  const wanted = new Set(modules);
  return [...lock].flatMap(([name, { imports }]) => {
    if (!imports.some((module) => wanted.has(module))) return [];
    const needs = withNeeded([name], lock);
    return needs.every((one) => existsSync(folder + one.file_name)) ? [{ name, needs }] : [];
  });
}

/** The wheel's bytes. Throws when they are not those the lock names: nothing else is let in. */
export function readWheel(folder: string, { file_name, sha256 }: LockedPackage): Uint8Array {
  const data = readFileSync(folder + file_name);
  if (!isGenuine(data, sha256)) throw new Error(`${file_name} is not what Pyodide's lock names`);
  return data;
}

export function isGenuine(data: Uint8Array, sha256: string): boolean {
  return createHash("sha256").update(data).digest("hex") === sha256;
}
