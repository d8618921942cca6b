import { findPackageJSON } from "node:module";
import { dirname } from "node:path";

/** The folder of a package, or undefined where it is not installed: optional ones may be left out. */
export function folderOfPackage(name: string): string | undefined {
  try {
    const file = findPackageJSON(name, import.meta.url);
    return file === undefined ? undefined : dirname(file);
  } catch {
    return undefined;
  }
}

export function isInstalled(name: string): boolean {
  return folderOfPackage(name) !== undefined;
}
