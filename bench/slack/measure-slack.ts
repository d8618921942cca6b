import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { BobbinOptions } from "../bobbin-bot.ts";
import { type Child, startChild } from "../child.ts";
import type { FloorOptions } from "../floor-bot.ts";
import { charactersOf, type Figures, script } from "../measures.ts";
import type { ModelNotes } from "../model-server.ts";
import { type Script, tokensOf, toWords } from "../script.ts";
import { mean, percentile } from "../statistics.ts";
import type {
  SlackAccess,
  SlackCalls,
  SlackOptions,
  SlackPost,
  SlackSeen,
} from "./slack-process.ts";

/** How much is measured in Slack. */
export interface SlackSizes {
  readonly rounds: number;
  readonly warmUpReplies: number;
  readonly singleReplies: number;
  readonly burst: number;
  readonly few: number;
  readonly many: number;
  /** Length of each of the replies side by side, at 50 tokens a second. */
  readonly streamSeconds: number;
  readonly longCharacters: number;
}

/** What the measuring needs of the bench around it. */
export interface SlackBench {
  readonly model: Child<unknown>;
  readonly baseUrl: string;
  /** The body Bobbin sends: the floor sends the same. */
  readonly body: FloorOptions["body"];
  /** Where data folders go. */
  readonly folder: string;
  readonly sizes: SlackSizes;
  readonly say: (text: string) => void;
}

interface Stage {
  readonly model: Child<unknown>;
  readonly slack: Child<SlackAccess>;
  readonly bot: Child<unknown>;
}

type Kind = "floor" | "bobbin";

/** A reply as it was written by the model and read in Slack. */
interface Reply {
  readonly asked: Script;
  readonly note: ModelNotes;
  readonly seen: SlackSeen;
  /** Characters without white space, up to and including each token. */
  readonly characters: readonly number[];
}

let folders = 0;

/**
 * Everything about Slack. Each scenario gets a Slack whose limits are all rested, and bots that were
 * just started.
 */
export async function measureSlack(
  bench: SlackBench,
): Promise<{ readonly floor: readonly Figures[]; readonly bobbin: readonly Figures[] }> {
  const { sizes, say } = bench;
  const floor: Figures[] = [];
  const bobbin: Figures[] = [];
  for (let round = 1; round <= sizes.rounds; round += 1) {
    say(`slack, one at a time, ${round} of ${sizes.rounds}`);
    floor.push(await onStage(bench, "floor", (stage) => measureSingle(stage, sizes)));
    bobbin.push(await onStage(bench, "bobbin", (stage) => measureSingle(stage, sizes)));
  }
  say(`slack, a burst of ${sizes.burst}`);
  floor.push(await onStage(bench, "floor", (stage) => measureBurst(stage, sizes.burst), false));
  bobbin.push(await onStage(bench, "bobbin", (stage) => measureBurst(stage, sizes.burst), false));
  for (const [name, count] of [
    ["few", sizes.few],
    ["many", sizes.many],
  ] as const) {
    say(`slack, ${count} side by side`);
    bobbin.push(
      await onStage(bench, "bobbin", (stage) =>
        measureSideBySide(stage, { name, count, seconds: sizes.streamSeconds }),
      ),
    );
  }
  say(`slack, ${sizes.longCharacters} characters`);
  bobbin.push(
    await onStage(bench, "bobbin", (stage) => measureLength(stage, sizes.longCharacters)),
  );
  return { floor, bobbin };
}

async function onStage(
  { model, baseUrl, body, folder }: SlackBench,
  kind: Kind,
  work: (stage: Stage) => Promise<Figures>,
  enforcesRateLimits = true,
): Promise<Figures> {
  const slack = await startChild<SlackAccess>(new URL("./slack-process.ts", import.meta.url), {
    enforcesRateLimits,
  } satisfies SlackOptions);
  folders += 1;
  const bot =
    kind === "floor"
      ? await startChild(new URL("./floor-bot.ts", import.meta.url), {
          baseUrl,
          body,
          slack: slack.ready,
        } satisfies FloorOptions & { slack: SlackAccess })
      : await startChild(new URL("../bobbin-bot.ts", import.meta.url), {
          baseUrl,
          directory: join(folder, `slack-${folders}`),
          slack: slack.ready,
        } satisfies BobbinOptions);
  try {
    return await work({ model, slack, bot });
  } finally {
    await bot.stop();
    await slack.stop();
  }
}

/** One after the other, in channels of their own. */
async function measureSingle(
  stage: Stage,
  { warmUpReplies, singleReplies }: SlackSizes,
): Promise<Figures> {
  await answerAll(
    stage,
    Array.from({ length: warmUpReplies }, () => script({ isPlain: true })),
  );
  const replies: Reply[] = [];
  for (let done = 0; done < singleReplies; done += 1) {
    const shape = { characters: 120, everyMs: 10, tokensPerWrite: 4, isPlain: true };
    replies.push(...(await answerAll(stage, [script(shape)])));
    // What is stored after the reply is not in the way of the next one.
    await wait(50);
  }
  const toModel = replies.map(({ note, seen }) => note.askedAtMs - seen.postedAtMs);
  const toShown = replies.map((reply) => completeAtMs(reply) - lastTokenAtMs(reply));
  return {
    slackAskP50: percentile(toModel, 0.5),
    slackAskP99: percentile(toModel, 0.99),
    slackShownP50: percentile(toShown, 0.5),
    slackShownP99: percentile(toShown, 0.99),
  };
}

/** Many at once; Slack takes 300 posts and then five a second. */
async function measureBurst(stage: Stage, count: number): Promise<Figures> {
  const before = await stage.bot.usage();
  const replies = await answerAll(
    stage,
    Array.from({ length: count }, () => script({ isPlain: true })),
  );
  const after = await stage.bot.usage();
  const calls = await stage.slack.ask<SlackCalls>("calls");
  const toModel = replies.map(({ note, seen }) => note.askedAtMs - seen.postedAtMs);
  const begunMs = Math.min(...replies.map(({ seen }) => seen.postedAtMs));
  return {
    slackBurstAskP50: percentile(toModel, 0.5),
    slackBurstAskP99: percentile(toModel, 0.99),
    slackBurstSeconds: (Math.max(...replies.map(completeAtMs)) - begunMs) / 1_000,
    slackBurstCpu: (after.cpuMs - before.cpuMs) / count,
    slackBurstRssMb: after.peakRssBytes / 1e6,
    slackBurstTooMany: calls.tooMany,
    slackBurstCalls: sum(calls) / count,
  };
}

/** Replies that grow side by side for some seconds, each in a channel of its own. */
async function measureSideBySide(
  stage: Stage,
  { name, count, seconds }: { name: "few" | "many"; count: number; seconds: number },
): Promise<Figures> {
  const characters = charactersOf(seconds * 50, true);
  const replies = await answerAll(
    stage,
    Array.from({ length: count }, () =>
      script({ characters, everyMs: 20, tokensPerWrite: 1, isPlain: true }),
    ),
  );
  const calls = await stage.slack.ask<SlackCalls>("calls");
  const lags = replies.flatMap(lagsOf);
  const late = replies.map((reply) => (completeAtMs(reply) - lastTokenAtMs(reply)) / 1_000);
  return {
    [`${name}Lag`]: mean(lags) / 1_000,
    [`${name}LagP99`]: percentile(lags, 0.99) / 1_000,
    [`${name}Late`]: Math.max(...late),
    [`${name}TooMany`]: calls.tooMany,
    [`${name}Calls`]: sum(calls) / count,
  };
}

/** One long reply with tables and code: whole, and every message of it balanced. */
async function measureLength(stage: Stage, characters: number): Promise<Figures> {
  const asked = script({ characters, everyMs: 10, tokensPerWrite: 5 });
  const [reply] = await answerAll(stage, [asked]);
  if (!reply) throw new Error("the long reply did not come");
  const { parts } = reply.seen;
  const wanted = bare(wholeOf(asked));
  const shown = bare(parts.join("\n"));
  const calls = await stage.slack.ask<SlackCalls>("calls");
  return {
    slackLongMissing: wanted === shown ? 0 : Math.max(1, wanted.length - shown.length),
    slackLongUnbalanced: parts.filter((part) => !isBalanced(part)).length,
    slackLongParts: parts.length,
    slackLongTooMany: calls.tooMany,
    slackLongLate: (completeAtMs(reply) - lastTokenAtMs(reply)) / 1_000,
  };
}

/** Posts everything at once; resolves when every reply can be read whole. */
async function answerAll(
  { slack, model }: Stage,
  asked: readonly Script[],
): Promise<readonly Reply[]> {
  const wanted = new Map(asked.map((one) => [one.id, bare(wholeOf(one)).length]));
  const posts = asked.map((one): SlackPost => ({ id: one.id, text: toWords(one) }));
  await slack.ask("post", posts);
  const deadline = performance.now() + 300_000;
  for (;;) {
    const lengths = await slack.ask<readonly [string, number][]>("lengths");
    if (lengths.every(([id, characters]) => characters >= (wanted.get(id) ?? 0))) break;
    if (performance.now() > deadline) throw new Error("a reply in Slack did not become complete");
    await wait(asked.length === 1 ? 20 : 200);
  }
  // The end of a stream and what is stored after a reply belong to it.
  await wait(300);
  const notes = new Map(await model.ask<[string, ModelNotes][]>("take"));
  const seen = new Map(
    (await slack.ask<readonly SlackSeen[]>("take")).map((one) => [one.id, one] as const),
  );
  return asked.map((one) => {
    const [note, shown] = [notes.get(one.id), seen.get(one.id)];
    if (!note || !shown) throw new Error("a message in Slack got lost");
    return { asked: one, note, seen: shown, characters: charactersIn(one) };
  });
}

function lagsOf({ note, seen, characters }: Reply): readonly number[] {
  let state = 0;
  return characters.map((wanted, token) => {
    while ((seen.shown[state]?.characters ?? Number.POSITIVE_INFINITY) < wanted) state += 1;
    return (seen.shown[state]?.atMs ?? Number.NaN) - (note.tokenAtMs[token] ?? Number.NaN);
  });
}

function lastTokenAtMs({ note }: Reply): number {
  return note.tokenAtMs.at(-1) ?? Number.NaN;
}

function completeAtMs({ seen, asked }: Reply): number {
  const whole = bare(wholeOf(asked)).length;
  return seen.shown.find((state) => state.characters >= whole)?.atMs ?? Number.NaN;
}

const known = new Map<string, readonly number[]>();

function charactersIn({ characters, isPlain }: Script): readonly number[] {
  const shape = `${characters} ${isPlain}`;
  let total = 0;
  const counted =
    known.get(shape) ??
    tokensOf(characters, isPlain).map((token) => {
      total += bare(token).length;
      return total;
    });
  known.set(shape, counted);
  return counted;
}

function wholeOf({ characters, isPlain }: Script): string {
  return tokensOf(characters, isPlain).join("");
}

/** Without white space, and with formulas as Slack gets them. */
function bare(text: string): string {
  return text.replaceAll("\\( (150 - 104) / 150 \\)", "(150−104)/150").replace(/[\s\u200b]/g, "");
}

function isBalanced(part: string): boolean {
  return (part.match(/^\s*```/gm) ?? []).length % 2 === 0;
}

function sum({ byMethod }: SlackCalls): number {
  return Object.values(byMethod).reduce((total, calls) => total + calls, 0);
}
