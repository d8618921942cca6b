import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import {
  type DiscordChannel,
  type DiscordMessage,
  type DiscordServer,
  type Person,
  startDiscordServer,
} from "../../test/wire/discord/discord-server.ts";
import type { BobbinOptions } from "../bobbin-bot.ts";
import { type Child, startChild } from "../child.ts";
import type { Figures } from "../measures.ts";
import type { ModelNotes } from "../model-server.ts";
import { type Script, tokensOf, toWords } from "../script.ts";
import { mean, nowMs, percentile } from "../statistics.ts";
import type { DiscordFloorOptions } from "./floor-bot.ts";
import { answersTo, type Readable, readableOf, wordsByToken } from "./reading.ts";

/** How much is measured. */
export interface DiscordSizes {
  readonly discordReplies: number;
  readonly discordBurst: number;
  readonly discordStreams: number;
  /** Length of each stream, at 50 tokens a second. */
  readonly discordStreamSeconds: number;
  readonly longCharacters: number;
}

/** What both bots need. */
export interface DiscordBench {
  readonly model: Child<unknown>;
  readonly baseUrl: string;
  readonly body: DiscordFloorOptions["body"];
  readonly folder: string;
  readonly sizes: DiscordSizes;
  readonly rounds: number;
  readonly say: (words: string) => void;
}

/** One bot on a Discord of its own. */
interface Stage {
  readonly model: Child<unknown>;
  readonly bot: Child<unknown>;
  readonly discord: DiscordServer;
  readonly person: Person;
  readonly sizes: DiscordSizes;
}

interface Asked {
  readonly script: Script;
  readonly question: DiscordMessage;
  readonly postedAtMs: number;
}

/** The server's clock counts from another moment than the processes' common one. */
const clockOffsetMs = Date.now() - nowMs();
/** By then the limit of all calls together has passed. */
const restMs = 1_500;
/** A reply that has not come by then is lost. */
const patienceMs = 180_000;
const lookEveryMs = 20;

/** Bobbin against the smallest discord.js bot, each on a Discord with Discord's limits. */
export async function measureDiscord(
  bench: DiscordBench,
): Promise<{ readonly floor: Figures[]; readonly bobbin: Figures[] }> {
  const rounds: { readonly floor: Figures[]; readonly bobbin: Figures[] } = {
    floor: [],
    bobbin: [],
  };
  for (let round = 1; round <= bench.rounds; round += 1) {
    bench.say(`Discord, round ${round} of ${bench.rounds}`);
    const order = round % 2 === 1 ? (["floor", "bobbin"] as const) : (["bobbin", "floor"] as const);
    for (const name of order) {
      const directory = join(bench.folder, `discord-${round}`);
      rounds[name].push(await onStage(bench, { name, directory }, measureAll));
    }
  }
  return rounds;
}

async function onStage(
  { model, baseUrl, body, sizes }: DiscordBench,
  { name, directory }: { readonly name: "floor" | "bobbin"; readonly directory: string },
  work: (stage: Stage) => Promise<Figures>,
): Promise<Figures> {
  const discord = await startDiscordServer();
  const { token, apiUrl } = discord;
  const bot =
    name === "floor"
      ? await startChild(new URL("./floor-bot.ts", import.meta.url), {
          baseUrl,
          body,
          token,
          apiUrl,
        } satisfies DiscordFloorOptions)
      : await startChild(new URL("../bobbin-bot.ts", import.meta.url), {
          baseUrl,
          directory,
          discord: { token, apiUrl },
        } satisfies BobbinOptions);
  try {
    return await work({ model, bot, discord, person: discord.addPerson("ada"), sizes });
  } finally {
    await bot.stop();
    await discord.stop();
  }
}

async function measureAll(stage: Stage): Promise<Figures> {
  await untilRead(stage, many(stage, 20, {}));
  await takeNotes(stage);
  await wait(restMs);
  const figures: Figures[] = [];
  for (const work of [measureSingle, measureBurst, measureThreads, measureChannel, measureLong]) {
    figures.push(await work(stage));
    await wait(restMs);
  }
  return Object.assign({}, ...figures);
}

async function measureSingle(stage: Stage): Promise<Figures> {
  const [toModel, toShown, calls]: [number[], number[], number[]] = [[], [], []];
  for (let done = 0; done < stage.sizes.discordReplies; done += 1) {
    const before = stage.discord.requests().length;
    const asked = ask(stage, { characters: 120, everyMs: 10, tokensPerWrite: 4 });
    await untilRead(stage, [asked]);
    const note = noteOf(await takeNotes(stage), asked);
    toModel.push(note.askedAtMs - asked.postedAtMs);
    toShown.push(readWholeAtMs(stage, asked) - (note.tokenAtMs.at(-1) ?? Number.NaN));
    await wait(150);
    calls.push(stage.discord.requests().length - before);
  }
  return {
    discordAskP50: percentile(toModel, 0.5),
    discordAskP99: percentile(toModel, 0.99),
    discordShownP50: percentile(toShown, 0.5),
    discordShownP99: percentile(toShown, 0.99),
    discordCalls: mean(calls),
  };
}

async function measureBurst(stage: Stage): Promise<Figures> {
  const { discordBurst } = stage.sizes;
  const limitedBefore = limitedOf(stage);
  const before = await stage.bot.usage();
  const asked = many(stage, discordBurst, {});
  await untilRead(stage, asked);
  await wait(300);
  const after = await stage.bot.usage();
  await takeNotes(stage);
  const begunMs = Math.min(...asked.map(({ postedAtMs }) => postedAtMs));
  const endedMs = Math.max(...asked.map((one) => readWholeAtMs(stage, one)));
  return {
    discordBurstSeconds: (endedMs - begunMs) / 1_000,
    discordBurstCpu: (after.cpuMs - before.cpuMs) / discordBurst,
    discordBurstLimited: limitedOf(stage) - limitedBefore,
    discordPeakRssMb: after.peakRssBytes / 1e6,
  };
}

async function measureThreads(stage: Stage): Promise<Figures> {
  const { lag, lagP99, edits, limited, cpu } = await measureStreams(stage, undefined);
  return {
    threadsLag: lag,
    threadsLagP99: lagP99,
    threadsEdits: edits,
    threadsLimited: limited,
    threadsCpu: cpu,
  };
}

async function measureChannel(stage: Stage): Promise<Figures> {
  const channel = stage.discord.addChannel("everybody", { botLacks: ["CreatePublicThreads"] });
  const { lag, lagP99, edits, limited, seconds } = await measureStreams(stage, channel);
  return {
    channelLag: lag,
    channelLagP99: lagP99,
    channelEdits: edits,
    channelLimited: limited,
    channelSeconds: seconds,
  };
}

/** Streams at a model's pace: in threads of their own, or all in one channel. */
async function measureStreams(stage: Stage, channel: DiscordChannel | undefined) {
  const { discordStreams, discordStreamSeconds } = stage.sizes;
  const tokens = discordStreamSeconds * 50;
  const characters = tokensOf(tokens * 8)
    .slice(0, tokens)
    .join("").length;
  const [limitedBefore, editsBefore] = [limitedOf(stage), editsOf(stage)];
  const before = await stage.bot.usage();
  const shape = { characters, everyMs: 20, tokensPerWrite: 1 };
  const asked = many(stage, discordStreams, shape, channel);
  await untilRead(stage, asked);
  const after = await stage.bot.usage();
  const notes = await takeNotes(stage);
  const lags = asked.flatMap((one) => lagsOf(stage, one, noteOf(notes, one)));
  const begunMs = Math.min(...asked.map(({ postedAtMs }) => postedAtMs));
  const endedMs = Math.max(...asked.map((one) => readWholeAtMs(stage, one)));
  return {
    lag: mean(lags),
    lagP99: percentile(lags, 0.99),
    edits: (editsOf(stage) - editsBefore) / discordStreams,
    limited: limitedOf(stage) - limitedBefore,
    cpu: (100 * (after.cpuMs - before.cpuMs)) / (endedMs - begunMs),
    seconds: (endedMs - begunMs) / 1_000,
  };
}

async function measureLong(stage: Stage): Promise<Figures> {
  const characters = stage.sizes.longCharacters;
  const limitedBefore = limitedOf(stage);
  const asked = ask(stage, { characters, everyMs: 10, tokensPerWrite: 10 });
  const { question } = asked;
  const text = tokensOf(characters).join("");
  const wholeFile = () =>
    answersTo(stage.discord, question)
      .flatMap(({ attachments }) => attachments)
      .some(({ bytes }) => Buffer.from(bytes).toString() === text);
  await until(() => wholeFile() || isRead(stage, asked), "the long reply");
  const note = noteOf(await takeNotes(stage), asked);
  const endedMs = Math.max(
    ...answersTo(stage.discord, question).map(({ versions }) => versions.at(-1)?.atMs ?? 0),
  );
  // A fence that a message cuts is torn unless it is closed there and opened again.
  const torn = answersTo(stage.discord, question).filter(
    ({ content }) => (content.match(/^```/gm) ?? []).length % 2 === 1,
  );
  const missing = wholeFile() ? 0 : wordsMissing(stage, asked);
  return {
    longMissing: missing,
    longTorn: torn.length,
    longMessages: answersTo(stage.discord, question).length,
    longAfterMs: endedMs - clockOffsetMs - (note.tokenAtMs.at(-1) ?? Number.NaN),
    longLimited: limitedOf(stage) - limitedBefore,
  };
}

let scripts = 0;

function ask(stage: Stage, shape: Partial<Script>, channel?: DiscordChannel): Asked {
  scripts += 1;
  const usual = { characters: 240, everyMs: 2, tokensPerWrite: 5, isGated: false };
  const script = { ...usual, ...shape, id: `d${scripts}` };
  const place = channel ?? stage.discord.addChannel(`room-${scripts}`);
  const postedAtMs = nowMs();
  return { script, postedAtMs, question: stage.person.mentions(place, toWords(script)) };
}

function many(stage: Stage, count: number, shape: Partial<Script>, channel?: DiscordChannel) {
  return Array.from({ length: count }, () => ask(stage, shape, channel));
}

async function untilRead(stage: Stage, asked: readonly Asked[]): Promise<void> {
  await until(() => asked.every((one) => isRead(stage, one)), "the end of a reply");
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come`);
    await wait(lookEveryMs);
  }
}

function isRead(stage: Stage, asked: Asked): boolean {
  return wordsMissing(stage, asked) <= 0;
}

function wordsMissing({ discord }: Stage, { question, script }: Asked): number {
  const wanted = wordsByToken(script.characters).at(-1) ?? 0;
  return Math.max(0, wanted - (readableOf(discord, question).at(-1)?.words ?? 0));
}

/** When the whole answer could be read, on the processes' clock; whole milliseconds. */
function readWholeAtMs({ discord }: Stage, { question, script }: Asked): number {
  const wanted = wordsByToken(script.characters).at(-1) ?? 0;
  return readAtMs(readableOf(discord, question), wanted);
}

function readAtMs(readable: readonly Readable[], words: number): number {
  const atMs = readable.find((one) => one.words >= words)?.atMs ?? Number.NaN;
  return atMs - clockOffsetMs;
}

/** From a token's write by the model until its words could be read. */
function lagsOf(
  { discord }: Stage,
  { question, script }: Asked,
  { tokenAtMs }: ModelNotes,
): readonly number[] {
  const readable = readableOf(discord, question);
  const words = wordsByToken(script.characters);
  return [...tokenAtMs].map((atMs, token) => readAtMs(readable, words[token] ?? 0) - atMs);
}

async function takeNotes({ model }: Stage): Promise<ReadonlyMap<string, ModelNotes>> {
  return new Map(await model.ask<[string, ModelNotes][]>("take"));
}

function noteOf(notes: ReadonlyMap<string, ModelNotes>, { script }: Asked): ModelNotes {
  const note = notes.get(script.id);
  if (!note) throw new Error(`the model was never asked ${script.id}`);
  return note;
}

function limitedOf({ discord }: Stage): number {
  return discord.requests().filter(({ status }) => status === 429).length;
}

function editsOf({ discord }: Stage): number {
  return discord.requests("PATCH /channels/:channel/messages/:message").length;
}
