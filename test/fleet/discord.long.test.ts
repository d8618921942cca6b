import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import type { BobbinProcess } from "../fakes/bobbin-process.ts";
import { type DiscordMessage, startDiscordServer } from "../wire/discord/discord-server.ts";
import { channelOnEachShard } from "../wire/discord/shards.ts";

const patience = { timeout: 120_000, interval: 100 } as const;
const shards = 4;

/** How many sets a process hears, as its log says. */
function setsOf({ stdout }: BobbinProcess): number {
  const count = (words: string) => stdout.split(`"${words}"`).length - 1;
  return count("Discord connected") - count("Discord disconnected");
}

describe.skipIf(!hasRedis)("a gateway of a Discord bot that comes later", () => {
  test("is handed over its half while people write, and gives it back: each is answered once", async () => {
    const discord = await startDiscordServer();
    onTestFinished(() => discord.stop());
    const rooms = await channelOnEachShard(discord, shards);
    const people = rooms.flatMap((room) => {
      const guild = discord.world.guilds.get(room.guildId ?? "");
      if (!guild) throw new Error("every channel is on a server");
      // Nobody writes more than is answered in a minute.
      const names = Array.from({ length: 4 }, (_, index) => `${room.id}-${index}`);
      return names.map((name) => ({ room, person: discord.addPerson(name, { guild }) }));
    });
    const fleet = await BobbinFleet.open({
      CONSOLE: "off",
      DISCORD_TOKEN: discord.token,
      DISCORD_API_URL: discord.apiUrl,
    });
    onTestFinished(() => fleet[Symbol.asyncDispose]());

    const first = await fleet.start("all");
    await expect.poll(() => setsOf(first), patience).toBe(shards);
    const second = await fleet.start("all");
    const said: { readonly message: DiscordMessage; readonly answer: string }[] = [];
    const timer = setInterval(() => {
      const factor = 10 + said.length;
      const one = people[said.length % people.length];
      const message = one?.person.mentions(one.room, `calculate 6 * ${factor}`);
      if (message) said.push({ message, answer: String(6 * factor) });
    }, 500);
    onTestFinished(() => clearInterval(timer));

    await expect.poll(() => [first, second].map(setsOf), patience).toEqual([2, 2]);
    await first.end("SIGTERM");
    await expect.poll(() => setsOf(second), patience).toBe(shards);
    clearInterval(timer);

    const answersTo = (message: DiscordMessage) => {
      const thread = discord.threadOn(message);
      return thread ? discord.replies(thread).map(({ text }) => text) : [];
    };
    for (const { message, answer } of said) {
      await expect.poll(() => answersTo(message).join(""), patience).toContain(answer);
    }
    for (const { message } of said) expect(answersTo(message)).toHaveLength(1);
    for (const room of rooms) expect(discord.replies(room)).toEqual([]);
    expect(discord.complaints).toEqual([]);
  }, 400_000);
});
