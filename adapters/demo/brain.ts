import type { Entry, Turn } from "./conversation.ts";
import type { Act, Plan } from "./plan.ts";
import { about } from "./skills/about.ts";
import { arithmetic } from "./skills/arithmetic.ts";
import { call, tellOutputs } from "./skills/call.ts";
import { fail } from "./skills/fail.ts";
import { describeAttached, fileFacts, tableAnswers } from "./skills/file-facts.ts";
import { help } from "./skills/help.ts";
import { image } from "./skills/image.ts";
import { continueLong, long, slow } from "./skills/long.ts";
import { makeFiles } from "./skills/make-files.ts";
import { memory } from "./skills/memory.ts";
import { reason } from "./skills/reason.ts";
import { search, searchAnything } from "./skills/search.ts";
import { showcase } from "./skills/showcase.ts";
import type { Ask, Skill } from "./skills/skill.ts";
import { summarise } from "./skills/summarise.ts";
import { chartByColumn, cleanTable, queryTables } from "./skills/tables.ts";

/** Stands at the head of every reply: nothing here pretends to be a model. */
export const label = "**Demo brain: no model is configured.**";

/** In the order of asking: the first that understands a message answers it. */
const skills: readonly Skill[] = [
  fail,
  slow,
  long,
  continueLong,
  showcase,
  reason,
  about,
  memory,
  makeFiles,
  chartByColumn,
  cleanTable,
  queryTables,
  image,
  tableAnswers,
  fileFacts,
  search,
  arithmetic,
];

/** Longer messages hold no command but `call`: they are not searched for one. */
const maxCommandLength = 1_500;

/** For what is no command: whatever can still be said truthfully. */
const guesses: readonly Skill[] = [summarise, searchAnything, describeAttached];

/**
 * Decides what to answer: by fixed rules, from what the request says, and from nothing else. The
 * same request gives the same answer, except for `fail … once`, which counts its attempts.
 */
export function think(turn: Turn, attempts: (key: string) => number): Plan {
  const sinceUser = turn.entries.slice(turn.entries.findLastIndex(isUser) + 1);
  if (sinceUser.some((entry) => entry.type === "output")) {
    return { type: "answer", acts: labelled([tellOutputs(sinceUser)], sinceUser) };
  }
  const asks = asksOf(turn);
  const last = answerTo(asks.at(-1) ?? nothing, turn, attempts);
  if (last.type === "refuse") return last;
  const earlier = asks.slice(0, -1).flatMap((ask) => stillOwed(answerTo(ask, turn, () => 1)));
  return { ...last, acts: labelled(callsLast([...earlier, ...last.acts]), []) };
}

/**
 * What is said to a message that was not answered yet, but is not the last. It may have waited
 * together with the last one; or its own answer failed or was stopped on request, which must not
 * happen to every later message again.
 */
function stillOwed(plan: Plan): readonly Act[] {
  if (plan.type === "refuse" || plan.fault) return [];
  return plan.lastsMs === undefined && plan.lastsAtMostMs === undefined ? plan.acts : [];
}

const nothing: Ask = { text: "", files: [], imageCount: 0 };

/** The messages nobody has answered yet: several when they were put together. */
function asksOf(turn: Turn): readonly Ask[] {
  const answered = turn.entries.findLastIndex((entry) => entry.type !== "user");
  const open = turn.entries.slice(answered + 1).filter(isUser);
  return open.map(({ text, files, imageCount }) => ({ text: text.trim(), files, imageCount }));
}

function answerTo(ask: Ask, turn: Turn, attempts: (key: string) => number): Plan {
  const readings = readingsOf(ask.text);
  const called = firstOf([call], readings);
  if (called) return called;
  const isShort = ask.text.length <= maxCommandLength;
  const commanded = isShort ? firstOf(skills, readings.map(squeezed)) : undefined;
  return (
    commanded ?? firstOf(guesses, readings) ?? help({ ...ask, text: readings.at(-1) ?? "" }, turn)
  );

  function firstOf(some: readonly Skill[], texts: readonly string[]): Plan | undefined {
    for (const text of texts) {
      for (const skill of some) {
        const plan = skill({ ...ask, text }, turn, attempts);
        if (plan) return plan;
      }
    }
    return undefined;
  }
}

/** With single spaces and line breaks, which is all that the patterns of commands tell apart. */
function squeezed(text: string): string {
  return text.replace(/[^\S\n]+/g, " ").replace(/ ?\n[ \n]*/g, "\n");
}

/** As written; without who wrote it (`Ada: …`); and each way without a mention at the front. */
function readingsOf(text: string): readonly string[] {
  const unsigned = text.replace(/^\[?[^\n:[\]{}]{1,80}\]?:\s+/, "");
  const readings = [text, unsigned].flatMap((one) => [one, one.replace(/^@\S+\s+/, "")]);
  return [...new Set(readings.map((one) => one.trim()))];
}

function labelled(acts: readonly Act[], said: readonly Entry[]): readonly Act[] {
  if (said.some((entry) => entry.type === "assistant" && entry.text.includes(label))) return acts;
  const first = acts.findIndex((act) => act.type === "say");
  return acts.map((act, i) => {
    if (i !== first || act.type !== "say") return act;
    const head = `${label}\n\n`;
    const citations = (act.citations ?? []).map((one) => ({
      ...one,
      index: one.index + head.length,
    }));
    return { ...act, text: head + act.text, citations };
  });
}

/** A model says what it has to say before it waits for functions. */
function callsLast(acts: readonly Act[]): readonly Act[] {
  return [
    ...acts.filter((act) => act.type !== "call"),
    ...acts.filter((act) => act.type === "call"),
  ];
}

function isUser(entry: Entry): entry is Extract<Entry, { type: "user" }> {
  return entry.type === "user";
}
