import { mkdtemp, rm, stat } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { BobbinOptions } from "./bobbin-bot.ts";
import { type Child, type ProcessUsage, startChild } from "./child.ts";
import { measureData } from "./data/measure-data.ts";
import { type DiscordSizes, measureDiscord } from "./discord/measure.ts";
import type { FloorOptions } from "./floor-bot.ts";
import {
  type Figures,
  measureBurst,
  measureLength,
  measureSingle,
  measureStreams,
  type Sizes,
  type Stage,
  warmUp,
} from "./measures.ts";
import { renderReport } from "./report.ts";
import { measureScale } from "./scale/measure-scale.ts";
import { measureSearch } from "./search.ts";
import { measureSlack, type SlackSizes } from "./slack/measure-slack.ts";
import { measureSplitter } from "./splitter.ts";
import { readLines, storeThreads } from "./stored-threads.ts";
import { consoleOf, Window } from "./window.ts";

const full: Sizes &
  DiscordSizes & {
    readonly rounds: number;
    readonly discordRounds: number;
    readonly documents: number;
    readonly dataRows: number;
    readonly slack: SlackSizes;
  } = {
  rounds: 5,
  warmUpReplies: 500,
  singleReplies: 60,
  burst: 500,
  streams: 200,
  streamSeconds: 8,
  longCharacters: 30_000,
  shortCharacters: 3_000,
  longReplies: 5,
  storedThreads: 100_000,
  discordRounds: 3,
  discordReplies: 30,
  discordBurst: 60,
  discordStreams: 20,
  discordStreamSeconds: 10,
  documents: 1_000,
  dataRows: 1_000_000,
  slack: {
    rounds: 3,
    warmUpReplies: 40,
    singleReplies: 40,
    burst: 500,
    few: 20,
    many: 200,
    streamSeconds: 10,
    longCharacters: 30_000,
  },
};

/** For seeing that everything works: its figures say little. */
const quick: typeof full = {
  rounds: 1,
  warmUpReplies: 25,
  singleReplies: 10,
  burst: 50,
  streams: 20,
  streamSeconds: 1,
  longCharacters: 3_000,
  shortCharacters: 600,
  longReplies: 2,
  storedThreads: 500,
  discordRounds: 1,
  discordReplies: 5,
  discordBurst: 10,
  discordStreams: 5,
  discordStreamSeconds: 2,
  documents: 50,
  dataRows: 20_000,
  slack: {
    rounds: 1,
    warmUpReplies: 5,
    singleReplies: 5,
    burst: 20,
    few: 5,
    many: 20,
    streamSeconds: 2,
    longCharacters: 3_000,
  },
};

interface Server {
  readonly url: string;
}

/** `quick`, the names of scenarios (only those are measured), and `profile=FOLDER`. */
const words = process.argv.slice(2);
const profileFolder = words.find((word) => word.startsWith("profile="))?.slice("profile=".length);
const sizes = words.includes("quick") ? quick : full;
const measures: {
  readonly [scenario: string]: (stage: Stage, sizes: Sizes) => Promise<Figures>;
} = {
  single: measureSingle,
  burst: measureBurst,
  streams: measureStreams,
  length: measureLength,
};
const apart = ["splitter", "search", "data", "stored", "discord", "slack"];
const chosen = [...Object.keys(measures), ...apart].filter((name) => words.includes(name));
/** Scenarios that ask no model. */
const withoutModel = ["splitter", "search", "data"];
const isWanted = (name: string) => chosen.length === 0 || chosen.includes(name);

const folder = await mkdtemp(join(tmpdir(), "bobbin-bench-"));
try {
  // Nothing else is measured with it: it takes all of the machine.
  if (words.includes("scale")) {
    const small = words.includes("quick");
    const scale = small
      ? { warmUp: 50, replies: 100, perSecond: 25, kills: 1 }
      : { warmUp: 400, replies: 600, perSecond: 25, kills: 12 };
    process.stdout.write(await measureScale(folder, scale));
  } else {
    const begun = performance.now();
    const rounds = await run();
    const seconds = Math.round((performance.now() - begun) / 1000);
    process.stdout.write(
      renderReport(rounds, [
        `Bobbin against the smallest bot that makes the same SDK calls and keeps nothing: medians of the rounds.`,
        `Node ${process.versions.node}, ${availableParallelism()} cores, ${seconds} seconds. What is measured: docs/bench.md.`,
      ]),
    );
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function run(): Promise<{ readonly floor: Figures[]; readonly bobbin: Figures[] }> {
  const rounds: { readonly floor: Figures[]; readonly bobbin: Figures[] } = {
    floor: [],
    bobbin: [],
  };
  if (isWanted("splitter")) {
    for (let round = 0; round < sizes.rounds; round += 1) rounds.bobbin.push(measureSplitter());
  }
  if (isWanted("search")) {
    say(`indexing ${sizes.documents} documents, twice`);
    const { floor, bobbin } = await measureSearch(folder, sizes.documents);
    rounds.floor.push(floor);
    rounds.bobbin.push(bobbin);
  }
  if (isWanted("data")) {
    say(`asking a table of ${sizes.dataRows} rows`);
    const { floor, bobbin } = await measureData(folder, sizes.dataRows);
    rounds.floor.push(floor);
    rounds.bobbin.push(bobbin);
  }
  if (chosen.length > 0 && chosen.every((name) => withoutModel.includes(name))) return rounds;
  const model = await startChild<{ readonly baseUrl: string }>(
    new URL("./model-server.ts", import.meta.url),
  );
  const { baseUrl } = model.ready;
  const template = await learn(model, baseUrl);
  const needsBots = Object.keys(measures).some(isWanted);
  for (let round = 1; needsBots && round <= sizes.rounds; round += 1) {
    say(`round ${round} of ${sizes.rounds}`);
    // Whoever goes second meets a machine the first has warmed: they take turns.
    const order = round % 2 === 1 ? (["floor", "bobbin"] as const) : (["bobbin", "floor"] as const);
    for (const name of order) {
      const bot =
        name === "floor"
          ? await startFloor({ baseUrl, body: template.body })
          : await startBobbin({ baseUrl, directory: join(folder, `round-${round}`) });
      rounds[name].push(await measure(model, bot, name));
      await bot.stop();
    }
  }
  if (isWanted("stored")) rounds.bobbin.push(...(await measureStored(model, baseUrl, template)));
  if (isWanted("discord")) {
    const { body } = template;
    // A round takes three minutes: alone it is measured more often.
    const times = chosen.includes("discord") ? sizes.discordRounds : 1;
    const bench = { model, baseUrl, body, folder, sizes, rounds: times, say };
    const { floor, bobbin } = await measureDiscord(bench);
    rounds.floor.push(...floor);
    rounds.bobbin.push(...bobbin);
  }
  if (isWanted("slack")) {
    const measured = await measureSlack({
      model,
      baseUrl,
      body: template.body,
      folder,
      sizes: sizes.slack,
      say,
    });
    rounds.floor.push(...measured.floor);
    rounds.bobbin.push(...measured.bobbin);
  }
  await model.stop();
  return rounds;
}

function startFloor(options: FloorOptions): Promise<Child<Server>> {
  return startChild<Server>(new URL("./floor-bot.ts", import.meta.url), options);
}

function startBobbin(options: BobbinOptions): Promise<Child<Server>> {
  return startChild<Server>(new URL("./bobbin-bot.ts", import.meta.url), options);
}

async function onStage<Result>(
  model: Child<unknown>,
  bot: Child<Server>,
  kind: "floor" | "bobbin",
  work: (stage: Stage) => Promise<Result>,
): Promise<Result> {
  const window = new Window(consoleOf(kind, bot.ready.url));
  await window.open();
  try {
    return await work({ model, bot, window });
  } catch (error) {
    throw new Error(`${kind}: ${error instanceof Error ? error.message : error}`, { cause: error });
  } finally {
    window.close();
  }
}

function measure(
  model: Child<unknown>,
  bot: Child<Server>,
  kind: "floor" | "bobbin",
): Promise<Figures> {
  return onStage(model, bot, kind, async (stage) => {
    await warmUp(stage, sizes);
    const figures: Figures[] = [];
    for (const [name, work] of Object.entries(measures)) {
      if (!isWanted(name)) continue;
      if (profileFolder !== undefined) await bot.ask("startProfile");
      figures.push(await work(stage, sizes));
      if (profileFolder === undefined) continue;
      await bot.ask("writeProfile", resolve(profileFolder, `${kind}-${name}.cpuprofile`));
    }
    return Object.assign({}, ...figures);
  });
}

/** What a real conversation looks like: to the model, and in the data file. */
interface Template {
  readonly body: FloorOptions["body"];
  readonly before: readonly string[];
  readonly after: readonly string[];
}

async function learn(model: Child<unknown>, baseUrl: string): Promise<Template> {
  const directory = join(folder, "template");
  await (await startBobbin({ baseUrl, directory })).stop();
  const before = await readLines(directory);
  const bot = await startBobbin({ baseUrl, directory });
  await onStage(model, bot, "bobbin", (stage) => warmUp(stage, { ...sizes, warmUpReplies: 1 }));
  await bot.stop();
  const body = await model.ask<FloorOptions["body"]>("lastBody");
  return { body, before, after: await readLines(directory) };
}

async function measureStored(
  model: Child<unknown>,
  baseUrl: string,
  template: Template,
): Promise<Figures[]> {
  say(`storing ${sizes.storedThreads} threads`);
  const directory = join(folder, "stored");
  await storeThreads({ ...template, directory, threads: sizes.storedThreads });
  const figures: Figures[] = [];
  for (let round = 1; round <= sizes.rounds; round += 1) {
    say(`stored threads, ${round} of ${sizes.rounds}`);
    const empty = await measureMemory(model, {
      baseUrl,
      directory: join(folder, `empty-${round}`),
    });
    const filled = await measureMemory(model, { baseUrl, directory });
    figures.push({
      emptyRssMb: empty.restMb,
      fullRssMb: filled.restMb,
      addedRssMb: filled.restMb - empty.restMb,
      addedBusyRssMb: filled.busyMb - empty.busyMb,
      emptyStartMs: empty.startMs,
      fullStartMs: filled.startMs,
      dataFileMb: (await stat(join(directory, "bobbin.sqlite"))).size / 1e6,
    });
  }
  return figures;
}

/** Memory right after the start, and once it has answered and everything was looked at. */
async function measureMemory(model: Child<unknown>, options: BobbinOptions) {
  const bot = await startBobbin(options);
  const rest = await bot.ask<ProcessUsage>("collect");
  await onStage(model, bot, "bobbin", async (stage) => {
    await warmUp(stage, sizes);
    const api = `${bot.ready.url}console/api/`;
    for (const path of ["state", "threads", "channels/general/messages"]) {
      await (await fetch(`${api}${path}?as=Ada`)).text();
    }
  });
  const busy = await bot.ask<ProcessUsage>("collect");
  await bot.stop();
  return { startMs: bot.startMs, restMb: rest.rssBytes / 1e6, busyMb: busy.rssBytes / 1e6 };
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
