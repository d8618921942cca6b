import type { Ledger } from "./ports/ledger.ts";
import { wordsOf } from "./words-of.ts";

/** Looks at the store, at every platform, and whether the bot has begun. */
export async function readiness(what: {
  readonly ledger: Ledger;
  /** By name: why it is not connected; undefined when it is. */
  readonly platforms: { readonly [platform: string]: string | undefined };
  readonly isWorking: boolean;
}): Promise<{
  readonly isReady: boolean;
  /** By part (`store`, `slack`): `ok`, or in words what is missing. */
  readonly parts: { readonly [part: string]: string };
}> {
  const { ledger, platforms, isWorking } = what;
  const parts: { [part: string]: string } = { bobbin: isWorking ? "ok" : "not at work" };
  parts.store = await ledger.read("readiness").then(
    () => "ok",
    (error) => `does not answer: ${wordsOf(error)}`,
  );
  for (const [name, problem] of Object.entries(platforms)) parts[name] = problem ?? "ok";
  return { isReady: Object.values(parts).every((state) => state === "ok"), parts };
}
