import type { Run } from "#domain/run";
import type { Ledger } from "#ports/ledger";
import { count, dollars } from "./words.ts";

/** What the run engine counts, in a person's, a channel's, an assistant's and the whole's counters. */
export interface UsageTotal {
  readonly runs: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly cached_tokens: number;
  readonly reasoning_tokens: number;
  readonly cost_micro_usd: number;
  /** Tokens of models whose price is not known. */
  readonly unpriced_tokens: number;
}

/** The counters' names. Days and months are UTC. */
export const usageCounters = {
  person: (personKey: string, day: string) => `usage/person/${personKey}/${day}`,
  channel: (channelKey: string, month: string) => `usage/channel/${channelKey}/${month}`,
  assistant: (assistantId: string, month: string) => `usage/assistant/${assistantId}/${month}`,
  all: (month: string) => `usage/all/${month}`,
} as const;

/** `2026-10-05`. */
export function dayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}

/** `2026-10`. */
export function monthOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 7);
}

/** The days of the month up to and including today. */
export function daysOfMonth(nowMs: number): readonly string[] {
  const today = new Date(nowMs).getUTCDate();
  const month = monthOf(nowMs);
  return Array.from(
    { length: today },
    (_, index) => `${month}-${String(index + 1).padStart(2, "0")}`,
  );
}

/** Counters added up. */
export async function readUsage(ledger: Ledger, counters: readonly string[]): Promise<UsageTotal> {
  const all = await Promise.all(counters.map((counter) => ledger.counts(counter)));
  const sum = (field: keyof UsageTotal) =>
    all.reduce((total, fields) => total + (fields[field] ?? 0), 0);
  return {
    runs: sum("runs"),
    prompt_tokens: sum("prompt_tokens"),
    completion_tokens: sum("completion_tokens"),
    cached_tokens: sum("cached_tokens"),
    reasoning_tokens: sum("reasoning_tokens"),
    cost_micro_usd: sum("cost_micro_usd"),
    unpriced_tokens: sum("unpriced_tokens"),
  };
}

/** `1,234 tokens in 3 replies, about $0.02 (1,000 read, 400 of them cached; 234 written)`. */
export function usageWords(total: UsageTotal): string {
  const tokens = total.prompt_tokens + total.completion_tokens;
  if (tokens === 0 && total.runs === 0) return "nothing";
  return `${count(tokens, "token")} in ${count(total.runs, "reply", "replies")}, ${costWords(total)} (${detailWords(total)})`;
}

/** What one run used. */
export function runUsageWords(run: Run): string {
  const { usage } = run;
  const tokens = usage.prompt_tokens + usage.completion_tokens;
  const cost = run.cost === null ? unknownPrice : dollars(run.cost);
  return `${count(tokens, "token")}, ${tokens === 0 && run.cost === null ? "at no cost" : cost} (${detailWords(usage)})`;
}

const unknownPrice = "at a price I do not know";

function costWords(total: UsageTotal): string {
  const tokens = total.prompt_tokens + total.completion_tokens;
  if (total.unpriced_tokens === 0) return dollars(total.cost_micro_usd / 1_000_000);
  if (total.unpriced_tokens >= tokens) return unknownPrice;
  return `for ${count(total.unpriced_tokens, "token")} of which I know no price`;
}

function detailWords(
  part: Pick<
    UsageTotal,
    "prompt_tokens" | "completion_tokens" | "cached_tokens" | "reasoning_tokens"
  >,
): string {
  const number = (value: number) => value.toLocaleString("en-US");
  const cached = part.cached_tokens > 0 ? `, ${number(part.cached_tokens)} of them cached` : "";
  const reasoning =
    part.reasoning_tokens > 0 ? `, ${number(part.reasoning_tokens)} of them reasoning` : "";
  return `${number(part.prompt_tokens)} read${cached}; ${number(part.completion_tokens)} written${reasoning}`;
}
