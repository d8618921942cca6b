import type { CommandAnswer } from "#domain/command";
import { shortened } from "#domain/shortened";
import { code } from "./command-text.ts";

/** An answer that did what was asked. */
export function done(text: string, choices?: CommandAnswer["choices"]): CommandAnswer {
  return { ok: true, text, ...(choices && choices.length > 0 ? { choices } : {}) };
}

/** An answer that did nothing, and says why. */
export function refused(text: string, choices?: CommandAnswer["choices"]): CommandAnswer {
  return { ok: false, text, ...(choices && choices.length > 0 ? { choices } : {}) };
}

/** A button for a command; labels keep Slack's 75 characters for a button's text. */
export function choice(
  label: string,
  command: string,
): { readonly label: string; readonly command: string } {
  return { label: shortened(label, 75), command };
}

/** `1 message`, `2,000 messages`. */
export function count(number: number, noun: string, nouns = `${noun}s`): string {
  return `${number.toLocaleString("en-US")} ${number === 1 ? noun : nouns}`;
}

/** A text somebody wrote, set apart from the bot's own words. */
export function quote(text: string, maxLength = 1_500): string {
  return shortened(text, maxLength)
    .split("\n")
    .map((line) => `> ${line}`.trimEnd())
    .join("\n");
}

/** `about $0.12`; what is less than a cent is said to be. */
export function dollars(usd: number): string {
  if (usd > 0 && usd < 0.01) return "less than $0.01";
  const amount = usd.toLocaleString("en-US", {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
  });
  return `about $${amount}`;
}

/** A cap: `$20`, `$0.50`. */
export function capDollars(usd: number): string {
  return `$${usd.toLocaleString("en-US", { minimumFractionDigits: Number.isInteger(usd) ? 0 : 2 })}`;
}

/** `just now`, `5 minutes ago`, `3 days ago`. */
export function ago(thenMs: number, nowMs: number): string {
  const minutes = Math.floor(Math.max(0, nowMs - thenMs) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${count(minutes, "minute")} ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${count(hours, "hour")} ago`;
  return `${count(Math.floor(hours / 24), "day")} ago`;
}

/** `612 bytes`, `14 KB`, `3.2 MB`. */
export function size(bytes: number): string {
  if (bytes < 1_000) return count(bytes, "byte");
  if (bytes < 999_500) return `${Math.round(bytes / 1_000)} KB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** A name in bold, whatever it contains. */
export function bold(text: string): string {
  return `**${text.replace(/([\\`*_[\]<>~|])/g, "\\$1").replace(/\s+/g, " ")}**`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(parts: readonly string[], conjunction = "and"): string {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} ${conjunction} ${parts.at(-1) ?? ""}`;
}

/** A command as one would type it. */
export function typed(command: string): string {
  return code(`/assistant ${command}`);
}
