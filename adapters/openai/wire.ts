import { isObject } from "#domain/json";
/**
 * The wire as it really is: compatible servers leave fields out, add fields and events of their own,
 * and OpenAI's traffic is ahead of its type declarations. So only what was looked at is believed.
 */
export type WireObject = { readonly [key: string]: unknown };

/** An object, or undefined for anything else. */
export function asObject(value: unknown): WireObject | undefined {
  return isObject(value) ? value : undefined;
}

/** The objects of an array; nothing for anything else. */
export function asObjects(value: unknown): readonly WireObject[] {
  if (!Array.isArray(value)) return [];
  return value.map(asObject).filter((one) => one !== undefined);
}

/** A string, or undefined for anything else. */
export function asString(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The strings of an array; nothing for anything else. */
export function asStrings(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((one) => typeof one === "string");
}

/** A finite number, or undefined for anything else. */
export function asNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
