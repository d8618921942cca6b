import type { Assistant } from "#domain/assistant";
import type { AuditNote } from "./audit-log.ts";
import { type AssistantChange, hasAllTools, toolName } from "./catalogue.ts";
import { tidyName } from "./catalogue-registers.ts";

export function applyAssistantChange(
  before: Assistant,
  { hasAllTools: all, ...fields }: AssistantChange,
  version: number,
): Assistant | undefined {
  const { tools, ...others } = before.metadata;
  const isAll = all ?? (fields.tools ? false : tools === "all");
  const next: Assistant = {
    ...before,
    ...fields,
    ...(fields.name ? { name: tidyName(fields.name) } : {}),
    ...(isAll ? { tools: [] } : {}),
    metadata: isAll ? { ...others, tools: "all" } : others,
  };
  return isSame(before, next) ? undefined : { ...next, version };
}

export function describeEdit(before: Assistant, after: Assistant): AuditNote {
  const changed = (Object.keys(after) as (keyof Assistant)[]).find(
    (field) => field !== "version" && field !== "metadata" && !isSame(before[field], after[field]),
  );
  const target = `assistant ${before.name}`;
  const field = changed ?? "tools";
  const value = (assistant: Assistant) => {
    if (field !== "tools") return shown(assistant[field]);
    return hasAllTools(assistant) ? "all" : assistant.tools.map(toolName).join(", ");
  };
  return { action: `edit ${field}`, target, from: value(before), to: value(after) };
}

export function shown(value: unknown): string {
  if (value === null || value === undefined) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The same JSON, whatever the order of its keys. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a);
  const right = new Map(Object.entries(b));
  return (
    left.length === right.size &&
    left.every(([key, value]) => right.has(key) && isSame(value, right.get(key)))
  );
}
