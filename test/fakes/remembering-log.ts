import type { Log } from "#ports/log";

/** Warnings and errors of a log, as fields with their event. */
export class RememberingLog implements Log {
  readonly lines: (Readonly<Record<string, unknown>> & { readonly event: string })[] = [];
  debug = (): void => undefined;
  info = (): void => undefined;
  warn = (fields: object, event: string): void => void this.lines.push({ ...fields, event });
  error = (fields: object, event: string): void => void this.lines.push({ ...fields, event });
  child = (): Log => this;
}
