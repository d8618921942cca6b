import { runInNewContext } from "node:vm";

/**
 * Gives away what this process no longer needs, for ever: the right to read files, and every global
 * but those of the language itself. Whoever breaks out of the realm finds that much less.
 */
export function giveUpRights(): void {
  const permission: object = process.permission;
  if ("drop" in permission && typeof permission.drop === "function") permission.drop("fs.read");
  const language = new Set<string>(runInNewContext("Object.getOwnPropertyNames(globalThis)"));
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!language.has(name)) Reflect.deleteProperty(globalThis, name);
  }
}
