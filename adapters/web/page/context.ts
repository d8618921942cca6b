import type { ChatMessage } from "../wire.ts";
import type { Api } from "./api.ts";
import type { Outbox } from "./outbox.ts";
import type { Store } from "./store.ts";

/** What the parts of the page share. */
export interface PageContext {
  readonly api: Api;
  readonly store: Store;
  readonly outbox: Outbox;
  /** Opens the thread on a message. */
  openThread(channel: string, root: string): void;
  /** Puts a person's message into its composer for a change. */
  startEdit(message: ChatMessage): void;
  /** Says something at the edge of the screen for a moment. */
  toast(words: string, isProblem?: boolean): void;
}

/** Does something a person asked for; a refusal becomes words on the screen. */
export async function attempt<T>(
  page: PageContext,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    page.toast(error instanceof Error ? error.message : "That did not work.", true);
    return undefined;
  }
}

/** `2 minutes ago`, by the reader's language. */
export function timeOf(ms: number): string {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** A day as people say it. */
export function dayOf(ms: number): string {
  const day = new Date(ms);
  const today = new Date();
  const yesterday = new Date(today);
  yesterday.setDate(today.getDate() - 1);
  if (day.toDateString() === today.toDateString()) return "Today";
  if (day.toDateString() === yesterday.toDateString()) return "Yesterday";
  return day.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}

/** `61 MB`: three digits at most, by thousands, as limits are set. */
export function sizeOf(bytes: number): string {
  const units = ["B", "KB", "MB", "GB"];
  let size = bytes;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size >= 10 || unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}
