import { setTimeout as wait } from "node:timers/promises";
import type { Child } from "./child.ts";
import type { ModelNotes } from "./model-server.ts";
import { gatesOf, type Script, tokensOf, toWords } from "./script.ts";
import { mean, percentile } from "./statistics.ts";
import { type SeenReply, shownAtMs, shownOf, type Window } from "./window.ts";

/** How much is measured. */
export interface Sizes {
  readonly warmUpReplies: number;
  readonly singleReplies: number;
  readonly burst: number;
  readonly streams: number;
  /** Length of each of the streams, at 50 tokens a second. */
  readonly streamSeconds: number;
  readonly longCharacters: number;
  readonly shortCharacters: number;
  /** Long replies at once. */
  readonly longReplies: number;
  readonly storedThreads: number;
}

/** One bot under test, with the model it asks and a window that looks on. */
export interface Stage {
  readonly model: Child<unknown>;
  readonly bot: Child<unknown>;
  readonly window: Window;
}

/** The figures of one run, by name. */
export type Figures = { readonly [name: string]: number };

let scripts = 0;

/** What the model is to do, as usual but for this. */
export function script(shape: Partial<Script>): Script {
  scripts += 1;
  const usual = {
    characters: 240,
    everyMs: 2,
    tokensPerWrite: 5,
    isGated: false,
  };
  return { ...usual, ...shape, id: `r${scripts}` };
}

/** What the bot does after the last reply was shown (storing it) is charged to it as well. */
const settleMs = 300;

async function answerAll(
  { window }: Stage,
  asked: readonly Script[],
): Promise<readonly SeenReply[]> {
  const seen = await Promise.all(asked.map((one) => window.post(one.id, toWords(one))));
  await window.until(
    () => seen.every(({ completedAtMs }) => !Number.isNaN(completedAtMs)),
    "the end of a reply",
  );
  for (const [index, reply] of seen.entries()) {
    const wanted = asked[index]?.characters;
    if (shownOf(reply) !== wanted) {
      throw new Error(`a reply of ${wanted} characters ended at ${shownOf(reply)}`);
    }
  }
  return seen;
}

async function takeNotes({ model }: Stage): Promise<ReadonlyMap<string, ModelNotes>> {
  return new Map(await model.ask<[string, ModelNotes][]>("take"));
}

function noteOf(notes: ReadonlyMap<string, ModelNotes>, id: string): ModelNotes {
  const note = notes.get(id);
  if (!note) throw new Error(`the model was never asked ${id}`);
  return note;
}

/** Code that has not run yet is slow in any bot. */
export async function warmUp(stage: Stage, { warmUpReplies }: Sizes): Promise<void> {
  for (let done = 0; done < warmUpReplies; done += 100) {
    const replies = Math.min(100, warmUpReplies - done);
    await answerAll(
      stage,
      Array.from({ length: replies }, () => script({})),
    );
  }
  await takeNotes(stage);
}

/** One conversation at a time: what the bot adds before the model is asked and after its last word. */
export async function measureSingle(stage: Stage, { singleReplies }: Sizes): Promise<Figures> {
  const toModel: number[] = [];
  const toAcknowledgement: number[] = [];
  const toShown: number[] = [];
  const added: number[] = [];
  const addedAfterAcceptance: number[] = [];
  for (let done = 0; done < singleReplies; done += 1) {
    const asked = script({ characters: 120, everyMs: 10, tokensPerWrite: 4 });
    const [seen] = await answerAll(stage, [asked]);
    const note = noteOf(await takeNotes(stage), asked.id);
    if (!seen) continue;
    const before = note.askedAtMs - seen.postedAtMs;
    const after = shownAtMs(seen, asked.characters) - (note.tokenAtMs.at(-1) ?? Number.NaN);
    toModel.push(before);
    toAcknowledgement.push(seen.acknowledgedAtMs - seen.postedAtMs);
    toShown.push(after);
    added.push(before + after);
    addedAfterAcceptance.push(note.askedAtMs - seen.acknowledgedAtMs + after);
    // What is stored after the reply is not in the way of the next one.
    await wait(50);
  }
  return {
    askP50: percentile(toModel, 0.5),
    askP99: percentile(toModel, 0.99),
    acknowledgeP50: percentile(toAcknowledgement, 0.5),
    shownP50: percentile(toShown, 0.5),
    shownP99: percentile(toShown, 0.99),
    addedP50: percentile(added, 0.5),
    addedAfterAcceptanceP50: percentile(addedAfterAcceptance, 0.5),
  };
}

/** Many conversations at once. */
export async function measureBurst(stage: Stage, { burst }: Sizes): Promise<Figures> {
  const asked = Array.from({ length: burst }, () => script({}));
  const before = await stage.bot.usage();
  const seen = await answerAll(stage, asked);
  await wait(settleMs);
  const after = await stage.bot.usage();
  await takeNotes(stage);
  const begunMs = Math.min(...seen.map(({ postedAtMs }) => postedAtMs));
  const endedMs = Math.max(...seen.map(({ completedAtMs }) => completedAtMs));
  return {
    repliesPerSecond: burst / ((endedMs - begunMs) / 1000),
    cpuPerReply: (after.cpuMs - before.cpuMs) / burst,
    peakRssMb: after.peakRssBytes / 1e6,
  };
}

/** Many streams side by side at the pace of a model. */
export async function measureStreams(stage: Stage, sizes: Sizes): Promise<Figures> {
  const characters = charactersOf(sizes.streamSeconds * 50);
  const asked = Array.from({ length: sizes.streams }, () =>
    script({ characters, everyMs: 20, tokensPerWrite: 1 }),
  );
  const before = await stage.bot.usage();
  const seen = await answerAll(stage, asked);
  await wait(settleMs);
  const after = await stage.bot.usage();
  const notes = await takeNotes(stage);
  const lags = seen.flatMap((reply) => lagsOf(reply, noteOf(notes, reply.id)));
  const tokens = lags.length;
  const begunMs = Math.min(...seen.map(({ postedAtMs }) => postedAtMs));
  const endedMs = Math.max(...seen.map(({ completedAtMs }) => completedAtMs));
  return {
    streamCpuPercent: (100 * (after.cpuMs - before.cpuMs)) / (endedMs - begunMs),
    streamCpuPerToken: (1000 * (after.cpuMs - before.cpuMs)) / tokens,
    lagMean: mean(lags),
    lagP99: percentile(lags, 0.99),
  };
}

/** So many characters that they make so many tokens. */
export function charactersOf(tokens: number, isPlain = false): number {
  const enough = tokensOf(tokens * 8, isPlain);
  return enough.slice(0, tokens).join("").length;
}

/** From a token's write by the model to the arrival of the text that holds it. */
function lagsOf(reply: SeenReply, { tokenAtMs, characters }: ModelNotes): readonly number[] {
  const lags: number[] = [];
  let state = 0;
  for (const [index, atMs] of tokenAtMs.entries()) {
    const wanted = characters[index] ?? 0;
    while ((reply.shown[state]?.characters ?? Number.POSITIVE_INFINITY) < wanted) state += 1;
    lags.push((reply.shown[state]?.atMs ?? Number.NaN) - atMs);
  }
  return lags;
}

/** Whether a token costs the same at the end of a long reply as at its beginning. */
export async function measureLength(stage: Stage, sizes: Sizes): Promise<Figures> {
  const { longCharacters, shortCharacters, longReplies } = sizes;
  const long = await thirdsOf(stage, longCharacters, longReplies);
  const short: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    const thirds = await thirdsOf(stage, shortCharacters, longReplies);
    short.push(...thirds);
  }
  return {
    firstThirdCpu: long[0] ?? Number.NaN,
    lastThirdCpu: long[2] ?? Number.NaN,
    thirdsRatio: (long[2] ?? Number.NaN) / (long[0] ?? Number.NaN),
    shortCpu: mean(short),
    longCpu: mean(long),
    lengthRatio: mean(long) / mean(short),
  };
}

/** CPU of the bot in µs a token, in each third of some replies that are streamed side by side. */
async function thirdsOf(
  stage: Stage,
  characters: number,
  replies: number,
): Promise<readonly number[]> {
  const { window, model, bot } = stage;
  const asked = Array.from({ length: replies }, () =>
    script({ characters, everyMs: 1, tokensPerWrite: 2, isGated: true }),
  );
  const tokens = tokensOf(characters);
  const gates = gatesOf(tokens.length);
  const marks = gates.map((gate) => tokens.slice(0, gate).join("").length);
  const seen = await Promise.all(asked.map((one) => window.post(one.id, toWords(one))));
  const cpuMs: number[] = [];
  for (const [index] of marks.entries()) {
    await allWaiting(model, replies);
    // What may still be rewritten is held back by the bot; the rest is shown.
    const mark = (marks[index] ?? 0) - 40;
    await window.until(() => seen.every((reply) => shownOf(reply) >= mark), "a third of a reply");
    await wait(50);
    cpuMs.push((await bot.usage()).cpuMs);
    await model.ask("release");
  }
  await window.until(
    () => seen.every(({ completedAtMs }) => !Number.isNaN(completedAtMs)),
    "the end of a long reply",
  );
  await wait(settleMs);
  await takeNotes(stage);
  return [0, 1, 2].map((third) => {
    const spentMs = (cpuMs[third + 1] ?? Number.NaN) - (cpuMs[third] ?? Number.NaN);
    const streamed = (gates[third + 1] ?? Number.NaN) - (gates[third] ?? Number.NaN);
    return (1000 * spentMs) / (streamed * replies);
  });
}

async function allWaiting(model: Child<unknown>, replies: number): Promise<void> {
  const deadline = performance.now() + 120_000;
  while ((await model.ask<number>("waiting")) < replies) {
    if (performance.now() > deadline) throw new Error("the model's streams did not come so far");
    await wait(50);
  }
}
