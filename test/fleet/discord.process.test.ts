import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import type { BobbinProcess } from "../fakes/bobbin-process.ts";
import {
  type DiscordMessage,
  type DiscordServer,
  startDiscordServer,
} from "../wire/discord/discord-server.ts";
import { channelOnEachShard } from "../wire/discord/shards.ts";

const patience = { timeout: 60_000, interval: 50 } as const;

async function fleetOn(discord: DiscordServer): Promise<BobbinFleet> {
  const fleet = await BobbinFleet.open({
    CONSOLE: "off",
    DISCORD_TOKEN: discord.token,
    DISCORD_API_URL: discord.apiUrl,
  });
  onTestFinished(() => fleet[Symbol.asyncDispose]());
  return fleet;
}

/** The answers under a message that was said in a channel. */
function answersTo(discord: DiscordServer, question: DiscordMessage): readonly string[] {
  const thread = discord.threadOn(question);
  return thread ? discord.replies(thread).map(({ text }) => text) : [];
}

describe.skipIf(!hasRedis)("two gateways of one Discord bot", () => {
  async function world() {
    const discord = await startDiscordServer();
    onTestFinished(() => discord.stop());
    const fleet = await fleetOn(discord);
    const holder = await fleet.start("all");
    const standby = await fleet.start("all");
    const ada = discord.addPerson("ada");
    const general = discord.addChannel("general");
    const answers = (question: DiscordMessage) => answersTo(discord, question);
    const answered = (question: DiscordMessage, what: string) =>
      expect.poll(() => answers(question).join(""), patience).toContain(what);
    const first = ada.mentions(general, "calculate 6 * 7");
    await answered(first, "42");
    return { discord, fleet, holder, standby, ada, general, answers, answered, first };
  }

  test("one is connected, the other stands by and takes over, with what was missed", async () => {
    const { discord, holder, standby, ada, general, answers, answered, first } = await world();
    expect(discord.gateway.connected).toBe(1);
    expect((await standby.get("readyz")).status).toBe(200);
    await holder.end("SIGKILL");
    const missed = ada.mentions(general, "calculate 6 * 8");
    await answered(missed, "48");
    const after = ada.mentions(general, "calculate 6 * 9");
    await answered(after, "54");
    for (const question of [first, missed, after]) expect(answers(question)).toHaveLength(1);
    expect(discord.complaints).toEqual([]);
  }, 150_000);

  test("one that slept past its time answers nothing that the other has answered", async () => {
    const { discord, holder, ada, general, answers, answered, first } = await world();
    holder.signal("SIGSTOP");
    const said = ada.mentions(general, "calculate 6 * 8");
    await answered(said, "48");
    const status = ada.slash(general, "assistant status");
    await expect.poll(() => status.answer?.text, patience).toContain("answers here");
    expect(discord.gateway.connected).toBe(2);
    holder.signal("SIGCONT");
    await expect.poll(() => discord.gateway.connected, patience).toBe(1);
    const last = ada.mentions(general, "calculate 6 * 9");
    await answered(last, "54");
    for (const question of [first, said, last]) expect(answers(question)).toHaveLength(1);
    expect(discord.complaints).toEqual([]);
  }, 150_000);
});

/** The sets a process hears, as its log says. */
function setsOf({ stdout }: BobbinProcess): readonly number[] {
  const sets = new Set<number>();
  for (const [, line = ""] of stdout.matchAll(/^(\{.*\})$/gm)) {
    const { msg, set } = JSON.parse(line) as { readonly msg?: string; readonly set?: number };
    if (msg === "Discord connected" && set !== undefined) sets.add(set);
    if (msg === "Discord disconnected" && set !== undefined) sets.delete(set);
  }
  return [...sets].toSorted();
}

describe.skipIf(!hasRedis)("two gateways of a Discord bot with two shards", () => {
  test("hear half each, and the one that stays takes the other half, with what was missed", async () => {
    const discord = await startDiscordServer();
    onTestFinished(() => discord.stop());
    const rooms = await channelOnEachShard(discord, 2);
    const ada = discord.owner;
    const fleet = await fleetOn(discord);
    const members = await Promise.all([fleet.start("all"), fleet.start("all")]);
    // One that came much later than the other is handed over its half in some half a minute.
    await expect
      .poll(() => members.map(setsOf).toSorted(), { ...patience, timeout: 120_000 })
      .toEqual([[0], [1]]);
    await expect.poll(() => discord.gateway.connected, patience).toBe(2);

    const said: DiscordMessage[] = [];
    const asks = (room: (typeof rooms)[number], factor: number) => {
      const question = ada.mentions(room, `calculate 6 * ${factor}`);
      said.push(question);
      return expect
        .poll(() => answersTo(discord, question).join(""), patience)
        .toContain(String(6 * factor));
    };
    const asksAll = (factor: number) =>
      Promise.all(rooms.map((room, index) => asks(room, factor + index)));
    const direct = ada.directChannel();
    ada.directMessage("calculate 3 * 5");
    const told = () => discord.replies(direct).map(({ text }) => text);
    await expect.poll(() => told().join(""), patience).toContain("15");
    await asksAll(10);

    // Whoever hears the first set, and with it direct messages, dies.
    const [gone, left] = setsOf(members[0])[0] === 0 ? members : members.toReversed();
    if (!gone || !left) throw new Error("there are two");
    await gone.end("SIGKILL");
    ada.directMessage("calculate 3 * 7");
    await asksAll(20);
    await expect.poll(() => told().join(""), patience).toContain("21");
    await expect.poll(() => setsOf(left), patience).toEqual([0, 1]);
    await asksAll(30);
    const status = ada.slash(rooms[0] ?? direct, "assistant status");
    await expect.poll(() => status.answer?.text, patience).toContain("answers here");

    for (const question of said) expect(answersTo(discord, question)).toHaveLength(1);
    for (const room of rooms) expect(discord.replies(room)).toEqual([]);
    expect(told()).toHaveLength(2);
    expect(discord.requests("PUT /applications/:application/commands")).toHaveLength(1);
    expect(discord.complaints).toEqual([]);
    expect((await left.get("readyz")).status).toBe(200);
  }, 300_000);
});
