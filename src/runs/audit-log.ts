import type { Person } from "#domain/conversation";
import type { Json } from "#domain/json";
import { shortened } from "#domain/shortened";

/** A line of the audit log, without who and when. Texts are shortened when they are written. */
export interface AuditNote {
  /** What was done: `model`, `create`, `forget`. */
  readonly action: string;
  /** To what: `channel web:general`, `assistant Bobbin`. */
  readonly target: string;
  readonly from?: string;
  readonly to?: string;
}

/** A line of the audit log. */
export interface AuditEntry extends AuditNote {
  readonly atMs: number;
  readonly by: Person;
}

/** The list that holds it, in the ledger. */
export const auditList = "audit";
const maxText = 80;

/** A note as it is appended, in the same atomic step as what it tells of. */
export function auditAppend(
  note: AuditNote,
  by: Person,
  atMs: number,
): { readonly list: string; readonly value: Json } {
  const value = {
    v: 1,
    atMs,
    by: { key: by.key, name: by.name },
    action: note.action,
    target: note.target,
    ...(note.from === undefined ? {} : { from: shorten(note.from) }),
    ...(note.to === undefined ? {} : { to: shorten(note.to) }),
  };
  return { list: auditList, value };
}

export function toAuditEntry(value: Json): AuditEntry | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return value as unknown as AuditEntry;
}

function shorten(text: string): string {
  return shortened(text.replace(/\s+/g, " ").trim(), maxText);
}
