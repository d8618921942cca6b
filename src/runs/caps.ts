import type { IncompleteReason } from "#domain/run";
import { addCost, addUsage, type Cost, noUsage, type Usage } from "#domain/usage";
import type { LedgerChange } from "#ports/ledger";
import type { TurnEnd } from "#ports/model-backend";
import type { RunEnvironment } from "./environment.ts";
import { dayOf, monthOf, names } from "./names.ts";
import type { RunWork } from "./run-work.ts";

/** A bound that forbids the next turn, in words for the person. */
export interface ReachedBudget {
  readonly reason: IncompleteReason;
  readonly words: string;
}

/** Looks, before each turn, whether another one may be paid for. Money that has no price is not counted. */
export async function reachedBudget(
  work: RunWork,
  { ledger, limits, now }: RunEnvironment,
): Promise<ReachedBudget | undefined> {
  const { assistant, asker, place, channel } = work.task;
  const { usage, cost, turns } = work.state;
  if (
    assistant.max_completion_tokens &&
    usage.completion_tokens >= assistant.max_completion_tokens
  ) {
    return {
      reason: "max_completion_tokens",
      words: `This run wrote ${usage.completion_tokens} tokens; ${assistant.max_completion_tokens} are allowed. *Continue* goes on.`,
    };
  }
  if (assistant.max_prompt_tokens && usage.prompt_tokens >= assistant.max_prompt_tokens) {
    return {
      reason: "max_prompt_tokens",
      words: `This run read ${usage.prompt_tokens} tokens; ${assistant.max_prompt_tokens} are allowed. *Continue* goes on.`,
    };
  }
  if (turns >= limits.turnsPerRun) {
    return {
      reason: "cap_reached",
      words: `This run asked the model ${turns} times, which is as often as one run may. *Continue* goes on.`,
    };
  }
  if (limits.runCapUsd !== null && (cost ?? 0) >= limits.runCapUsd) {
    return capped(`one run may cost ${dollars(limits.runCapUsd)}`);
  }
  const at = now();
  if (limits.personDailyCapUsd !== null) {
    const spent = await spentUsd(ledger, names.usage.person(asker.key, dayOf(at)));
    if (spent >= limits.personDailyCapUsd) {
      return capped(
        `each person may spend ${dollars(limits.personDailyCapUsd)} a day. It starts anew at midnight UTC`,
      );
    }
  }
  const channelCap = channel.monthlyCapUsd ?? limits.channelMonthlyCapUsd;
  if (channelCap !== null) {
    const spent = await spentUsd(ledger, names.usage.channel(place.channelKey, monthOf(at)));
    if (spent >= channelCap) {
      return capped(`this channel may spend ${dollars(channelCap)} a month`);
    }
  }
  return undefined;
}

/**
 * Books what a turn used: on the run, in the metrics, and durably on the counters of its person,
 * channel and assistant together with the checkpoint, so that a crash neither loses nor doubles it.
 */
export async function chargeTurn(
  work: RunWork,
  { backend, prices, metrics, now }: RunEnvironment,
  end: Pick<TurnEnd, "usage" | "model">,
): Promise<void> {
  const cost = prices.costOf(end.model, end.usage);
  metrics.turnEnded({ backend: backend.name, model: end.model, usage: end.usage, cost });
  work.update({
    usage: addUsage(work.state.usage, end.usage),
    cost: addCost(work.state.cost, cost),
  });
  await work.save(chargeOf(work, { usage: end.usage, cost, atMs: now() }));
}

/**
 * Books what vectors took, as durably. It counts for person, channel and assistant and in the run's
 * cost; among the run's tokens, which have bounds of their own, it does not.
 */
export async function chargeEmbedding(
  work: RunWork,
  { prices, metrics, now }: RunEnvironment,
  { model, tokens }: { readonly model: string; readonly tokens: number },
): Promise<void> {
  const usage: Usage = { ...noUsage, prompt_tokens: tokens, total_tokens: tokens };
  const cost = prices.costOf(model, usage);
  metrics.turnEnded({ backend: "embeddings", model, usage, cost });
  work.update({ cost: addCost(work.state.cost, cost) });
  await work.save(chargeOf(work, { usage, cost, atMs: now() }));
}

function chargeOf(
  work: RunWork,
  turn: { readonly usage: Usage; readonly cost: Cost; readonly atMs: number },
): LedgerChange {
  const fields: readonly (readonly [string, number])[] = [
    ["prompt_tokens", turn.usage.prompt_tokens],
    ["completion_tokens", turn.usage.completion_tokens],
    ["cached_tokens", turn.usage.cached_tokens],
    ["reasoning_tokens", turn.usage.reasoning_tokens],
    ["cost_micro_usd", turn.cost === null ? 0 : Math.round(turn.cost * 1e6)],
    ["unpriced_tokens", turn.cost === null ? turn.usage.total_tokens : 0],
  ];
  return {
    counts: countersOf(work, turn.atMs).flatMap((counter) =>
      fields.filter(([, by]) => by !== 0).map(([field, by]) => ({ counter, field, by })),
    ),
  };
}

/** Where a run is counted: with its person by day, with everything else by month. */
export function countersOf({ task }: RunWork, atMs: number): readonly string[] {
  return [
    names.usage.person(task.asker.key, dayOf(atMs)),
    names.usage.channel(task.place.channelKey, monthOf(atMs)),
    names.usage.assistant(task.assistant.id, monthOf(atMs)),
    names.usage.all(monthOf(atMs)),
  ];
}

async function spentUsd(ledger: RunEnvironment["ledger"], counter: string): Promise<number> {
  const counts = await ledger.counts(counter);
  return (counts.cost_micro_usd ?? 0) / 1e6;
}

function capped(rule: string): ReachedBudget {
  return { reason: "cap_reached", words: `The spending limit is reached: ${rule}.` };
}

function dollars(amount: number): string {
  return `$${amount.toFixed(2)}`;
}
