import { GatewayOpcodes } from "discord-api-types/v10";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Log } from "#ports/log";
import type { Processes } from "#ports/processes";
import {
  cutOf,
  everything,
  isIn,
  type ShardSet,
  setOf,
  shardsOf,
} from "../../../adapters/discord/shard-sets.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import type { DiscordServer } from "../../wire/discord/discord-server.ts";
import { channelOnEachShard } from "../../wire/discord/shards.ts";
import { discordForTest } from "../../wire/discord/tiny-bot.ts";
import { openNeighbours } from "../redis/neighbours.ts";
import { hasRedis, RedisServer } from "../redis/server.ts";
import { createDiscord } from "./discord-harness.ts";

/** A set is looked for every two seconds, and handed over after half a minute at the latest. */
const patience = { timeout: 90_000, interval: 50 } as const;

describe("sets of shards", () => {
  const setsOf = (shardCount: number): readonly ShardSet[] => {
    const { parts, size } = cutOf(shardCount);
    return Array.from({ length: parts }, (_, index) => ({ index, sets: parts, shardCount: size }));
  };

  test.each([1, 2, 3, 15, 16, 17, 31, 33, 1_000])(
    "of %i shards have each of them once",
    (count) => {
      const sets = setsOf(count);
      expect(sets.length).toBeLessThanOrEqual(16);
      if (count > 1) expect(sets.flatMap((set) => shardsOf(set))).toEqual([...Array(count).keys()]);
      const sizes = sets.map((set) => shardsOf(set)?.length ?? count);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    },
  );

  test.each([2, 3, 17, 40])("have the servers of their shards, of %i", (count) => {
    for (let shard = 0; shard < count; shard += 1) {
      const guild = String(BigInt(shard + 7 * count) << 22n);
      const [home, ...others] = setsOf(count).filter((set) => isIn(guild, set));
      expect(home && shardsOf(home)).toContain(shard);
      expect(others).toEqual([]);
    }
    expect(setOf(null, { sets: count, shardCount: count })).toBe(0);
  });

  test("one of all leaves the shards to the client", () => {
    expect(shardsOf(everything(undefined))).toBeUndefined();
    expect(shardsOf(everything(4))).toBeUndefined();
    expect(isIn("81384788765712384", everything(undefined))).toBe(true);
  });
});

/** A Discord with two shards, and a server with a channel on each. */
async function twoShards() {
  const discord = await discordForTest();
  const [first, second] = await channelOnEachShard(discord, 2);
  if (!first || !second) throw new Error("there are no two");
  return { discord, rooms: [first, second] as const, ada: discord.owner };
}

const identified = (discord: DiscordServer) =>
  discord.gateway
    .frames(GatewayOpcodes.Identify)
    .map(({ data }) => (data as { readonly shard: readonly number[] }).shard);

/** Which sets a platform hears, as its log says. */
function setsInLog() {
  const sets = new Set<number>();
  const info = (fields: object, event: string) => {
    const { set } = fields as { readonly set?: number };
    if (event === "Discord connected") sets.add(set ?? -1);
    if (event === "Discord disconnected") sets.delete(set ?? -1);
  };
  const log: Log = { ...silentLog, info, child: () => log };
  return { log, sets };
}

describe.skipIf(!hasRedis)("two gateways of a Discord bot with two shards", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.remove());

  async function scene() {
    const { discord, rooms, ada } = await twoShards();
    const policy = { allowedRoles: [] as string[] };
    const ledger = new MemoryLedger();
    const neighbours = await openNeighbours(redis, 2);
    const create = (bot: FakeBot, processes: Processes | undefined, shards?: number) => {
      const { log, sets } = setsInLog();
      const shared = processes ? { processes } : {};
      const platform = createDiscord(discord, { ledger, log, policy, shards, ...shared });
      onTestFinished(() => platform.stop());
      return { platform, sets, bot };
    };
    /** Two that have half each. */
    const divided = async (bots: readonly [FakeBot, FakeBot]) => {
      const [first, second] = [create(bots[0], neighbours[0]), create(bots[1], neighbours[1])];
      await Promise.all([first, second].map(({ platform, bot }) => platform.start(bot)));
      const sizes = () => [first, second].map(({ sets }) => sets.size).toSorted();
      const { shards } = discord.gateway.settings;
      await expect.poll(sizes, patience).toEqual([Math.floor(shards / 2), Math.ceil(shards / 2)]);
      await expect.poll(() => discord.gateway.connected, patience).toBe(shards);
      return [first, second] as const;
    };
    const [redisProcess] = neighbours;
    return { discord, rooms, ada, ledger, policy, redisProcess, create, divided };
  }
  const textsOf = ({ messages }: FakeBot) => messages.map(({ text }) => text).toSorted();

  test("each hear one half, and what concerns all is done once", async () => {
    const { discord, rooms, ada, divided, ledger } = await scene();
    const bots = [new FakeBot(), new FakeBot()] as const;
    const gateways = await divided(bots);
    for (const { platform } of gateways) expect(platform.isConnected()).toBe(true);

    ada.mentions(rooms[0], "on the first shard");
    ada.mentions(rooms[1], "on the second shard");
    ada.directMessage("directly");
    const halves = [["directly", "on the first shard"], ["on the second shard"]];
    await expect.poll(() => bots.map(textsOf).toSorted(), patience).toEqual(halves);
    expect(new Set(identified(discord).map(([, count]) => count))).toEqual(new Set([2]));
    expect(discord.requests("PUT /applications/:application/commands")).toHaveLength(1);
    // Neither took the other's servers for servers it was removed from.
    await expect
      .poll(() => ledger.ranked("discord/guilds", { limit: 999 }), patience)
      .toHaveLength(discord.world.guilds.size);
    expect(bots.flatMap(({ left }) => left)).toEqual([]);
  }, 120_000);

  test("one leaves, and the other takes over with what was missed", async () => {
    const { discord, rooms, ada, divided } = await scene();
    // What it has accepted the store knows, whoever asks.
    const bot = new FakeBot();
    const [first, second] = await divided([bot, bot]);
    ada.mentions(rooms[0], "one");
    ada.mentions(rooms[1], "two");
    ada.directMessage("directly");
    const before = ["directly", "one", "two"];
    await expect.poll(() => textsOf(bot), patience).toEqual(before);
    await first.platform.stop();
    ada.mentions(rooms[0], "three");
    ada.mentions(rooms[1], "four");
    ada.directMessage("five");
    await expect.poll(() => second.sets.size, patience).toBe(2);
    ada.mentions(rooms[0], "six");
    ada.mentions(rooms[1], "seven");
    const said = [...before, "three", "four", "five", "six", "seven"];
    await expect.poll(() => textsOf(bot), patience).toEqual(said.toSorted());
    expect(bot.left).toEqual([]);
    // The server that the bot is removed from while nobody is there is told from the others.
    await second.platform.stop();
    const gone = [...discord.world.guilds.values()].find(({ id }) => id === rooms[1].guildId);
    if (!gone) throw new Error("there is a server");
    discord.removeBot(gone);
    const [third] = await divided([bot, bot]);
    expect(third.platform.isConnected()).toBe(true);
    await expect
      .poll(() => bot.left.map(({ keyPrefix }) => keyPrefix), patience)
      .toEqual([`discord:${gone.id}:`]);
  }, 240_000);

  test("who may write directly is asked of servers that the other hears", async () => {
    const { discord, rooms, divided, policy } = await scene();
    const guild = discord.world.guilds.get(rooms[1].guildId ?? "");
    if (!guild) throw new Error("there is a server");
    const [grace, alan] = [
      discord.addPerson("grace", { guild }),
      discord.addPerson("alan", { guild }),
    ];
    policy.allowedRoles.push(discord.addRole("helpers", [], { for: [grace.id], guild }));
    const bot = new FakeBot();
    await divided([bot, bot]);
    alan.directMessage("not alan");
    grace.directMessage("a helper");
    await expect.poll(() => textsOf(bot), patience).toEqual(["a helper"]);
    await expect.poll(() => discord.replies(alan.directChannel()), patience).toHaveLength(1);
  }, 120_000);

  test("with another number of shards, and with one process, nothing is missed or heard twice", async () => {
    const { discord, rooms, ada, create, divided } = await scene();
    const bot = new FakeBot();
    bot.onMessage = async ({ text, place }) =>
      text.startsWith("/")
        ? { status: "command", answer: { ok: true, text: "Done." } }
        : { status: "accepted", position: 0, conversationKey: place.threadKey };
    const said: string[] = [];
    const sayAll = async (when: string) => {
      const words = [0, 1].flatMap((room) => [`/new ${room} ${when}`, `${room} ${when}`]);
      for (const [at, text] of words.entries()) ada.mentions(rooms[at < 2 ? 0 : 1], text);
      said.push(...words);
    };
    const allHeard = () => expect.poll(() => textsOf(bot), patience).toEqual(said.toSorted());

    const alone = create(bot, undefined, 1);
    await alone.platform.start(bot);
    await sayAll("to one process");
    await allHeard();
    await alone.platform.stop();
    await sayAll("to nobody");

    const two = await divided([bot, bot]);
    await sayAll("to two gateways");
    await allHeard();
    await Promise.all(two.map(({ platform }) => platform.stop()));
    await sayAll("again to nobody");

    discord.gateway.settings.shards = 3;
    const three = await divided([bot, bot]);
    await sayAll("to three shards");
    await allHeard();
    expect(new Set(identified(discord).map(([, count]) => count))).toEqual(new Set([1, 2, 3]));
    await Promise.all(three.map(({ platform }) => platform.stop()));
    await sayAll("to nobody once more");

    const last = create(bot, undefined, 1);
    await last.platform.start(bot);
    await sayAll("to one process again");
    await allHeard();
    expect(bot.left).toEqual([]);
  }, 240_000);

  test("a bot that outgrows its one shard is divided anew", async () => {
    const { discord, rooms, ada, create, redisProcess } = await scene();
    discord.gateway.settings.shards = 1;
    const bot = new FakeBot();
    const gateway = create(bot, redisProcess);
    await gateway.platform.start(bot);
    ada.mentions(rooms[0], "before");
    await expect.poll(() => textsOf(bot), patience).toEqual(["before"]);

    discord.gateway.settings.shards = 2;
    discord.gateway.settings.maxGuildsPerShard = discord.world.guilds.size - 1;
    discord.gateway.close(4011);
    await expect.poll(() => [...gateway.sets].toSorted(), patience).toEqual([0, 1]);
    for (const room of rooms) ada.mentions(room, "after");
    await expect.poll(() => textsOf(bot), patience).toEqual(["after", "after", "before"]);
  }, 120_000);
});
