import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { createClient } from "redis";
import { RedisServer } from "../../test/adapters/redis/server.ts";
import { type Child, startChild } from "../child.ts";
import { percentile } from "../statistics.ts";
import { measureRecovery } from "./measure-recovery.ts";
import type { ScaleBotOptions, ScaleNotes } from "./scale-bot.ts";

/** How much is measured. */
export interface ScaleSizes {
  /** Answered by each process before it counts: what is compiled late would be charged to the processes. */
  readonly warmUp: number;
  readonly replies: number;
  /** Messages a second. */
  readonly perSecond: number;
  /** How often a process is killed to see how soon others go on. */
  readonly kills: number;
}

/** What a number of processes needs on an engine. */
interface ScaleFigures {
  readonly engine: string;
  readonly processes: number;
  /** Of all processes together. */
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly redisCpuMs: number;
  readonly commands: number;
  readonly askP50: number;
  readonly askP99: number;
}

/** For each process; the same for all, so that each has compiled as much. */
const warmUpPerSecond = 25;
const shape = { tokens: 20, everyMs: 10 } as const;
const threads = 200;
const processCounts = [1, 2, 4] as const;

/**
 * The same messages at the same pace on the data file and on Redis with 1, 2 and 4 processes, and what a
 * kill costs; a report in Markdown. A process with little to do spends more on each reply, whatever the
 * engine: so the data file is also measured with as little as each of the four has.
 */
export async function measureScale(folder: string, sizes: ScaleSizes): Promise<string> {
  const most = Math.max(...processCounts);
  const few = {
    ...sizes,
    replies: Math.ceil(sizes.replies / most),
    perSecond: sizes.perSecond / most,
  };
  const rows = [
    await measureOne({ folder: join(folder, "file"), processes: 1, sizes }),
    await measureOne({ folder: join(folder, "file-few"), processes: 1, sizes: few }),
  ];
  for (const processes of processCounts) {
    const server = await RedisServer.start();
    const one = join(folder, `redis-${processes}`);
    rows.push(await measureOne({ folder: one, processes, sizes, server }));
    await server.remove();
  }
  const [own] = rows;
  const lines = rows.map(
    (row) =>
      `| ${row.engine} | ${row.processes} | ${row.perSecond} | ${row.cpuMs.toFixed(2)} ms | ${(row.cpuMs / (own?.cpuMs ?? Number.NaN)).toFixed(2)} times | ${row.redisCpuMs.toFixed(2)} ms | ${row.commands.toFixed(0)} | ${row.askP50.toFixed(1)} ms | ${row.askP99.toFixed(1)} ms |`,
  );
  return [
    "| engine | processes | messages a second | CPU a reply | against the data file | CPU of Redis a reply | commands a reply | accepted to model asked, p50 | p99 |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...lines,
    "",
    await measureRecovery(join(folder, "recovery"), sizes.kills),
  ].join("\n");
}

async function measureOne(what: {
  readonly folder: string;
  readonly processes: number;
  readonly sizes: ScaleSizes;
  readonly server?: RedisServer;
}): Promise<ScaleFigures> {
  const { folder, processes, sizes, server } = what;
  const options: ScaleBotOptions = {
    ...shape,
    folder,
    ...(server ? { redisUrl: server.url } : {}),
  };
  const module = new URL("./scale-bot.ts", import.meta.url);
  const bots: Child<unknown>[] = [];
  for (let count = 0; count < processes; count += 1) bots.push(await startChild(module, options));
  await answer(bots, "warm", sizes.warmUp * processes, warmUpPerSecond * processes);
  await take(bots);
  const before = await spent(bots, server);
  await answer(bots, "measured", sizes.replies, sizes.perSecond);
  const after = await spent(bots, server);
  const { accepted, asked } = await take(bots);
  const waits = accepted.map(([id, atMs]) => Math.max(0, (asked.get(id) ?? Number.NaN) - atMs));
  for (const bot of bots) await bot.stop();
  return {
    engine: server ? "Redis" : "data file",
    processes,
    perSecond: sizes.perSecond,
    cpuMs: (after.cpuMs - before.cpuMs) / sizes.replies,
    redisCpuMs: (after.redisCpuMs - before.redisCpuMs) / sizes.replies,
    commands: (after.commands - before.commands) / sizes.replies,
    askP50: percentile(waits, 0.5),
    askP99: percentile(waits, 0.99),
  };
}

/** Posts at an even pace to all processes in turn, and waits until everything is answered. */
async function answer(
  bots: readonly Child<unknown>[],
  name: string,
  replies: number,
  perSecond: number,
): Promise<void> {
  const posted: Promise<unknown>[] = [];
  for (let count = 0; count < replies; count += 1) {
    const detail = { id: `${name}${count}`, thread: `t${count % threads}` };
    const bot = bots[count % bots.length];
    if (bot) posted.push(bot.ask("post", detail));
    await wait(1_000 / perSecond);
  }
  await Promise.all(posted);
  while ((await bots[0]?.ask<number>("unsettled")) !== 0) await wait(100);
}

async function take(bots: readonly Child<unknown>[]) {
  const notes = await Promise.all(bots.map((bot) => bot.ask<ScaleNotes>("take")));
  return {
    accepted: notes.flatMap(({ accepted }) => accepted),
    asked: new Map(notes.flatMap(({ asked }) => asked)),
  };
}

/** CPU of the processes, and what Redis has done, the commands inside scripts included. */
async function spent(bots: readonly Child<unknown>[], server: RedisServer | undefined) {
  const usages = await Promise.all(bots.map((bot) => bot.usage()));
  const cpuMs = usages.reduce((sum, usage) => sum + usage.cpuMs, 0);
  if (!server) return { cpuMs, redisCpuMs: 0, commands: 0 };
  const client = createClient({ url: server.url });
  await client.connect();
  const info = `${await client.info("commandstats")}\n${await client.info("cpu")}`;
  client.destroy();
  const sum = (pattern: RegExp) =>
    [...info.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
  return {
    cpuMs,
    redisCpuMs: sum(/used_cpu_(?:user|sys):([\d.]+)/g) * 1_000,
    commands: sum(/calls=(\d+)/g),
  };
}
