import { afterEach, beforeEach, expect, test } from "vitest";
import type { DiscordPlatform } from "../../../adapters/discord/platform.ts";
import { RememberingLog } from "../../fakes/remembering-log.ts";
import { ScriptedBackend } from "../../fakes/scripted-backend.ts";
import { TestWorld } from "../../fakes/test-world.ts";
import { discordForTest } from "../../wire/discord/tiny-bot.ts";
import { createDiscord } from "./discord-harness.ts";

const patience = { timeout: 20_000 };

/** The real engine on a data file, with the real client. */
let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

test("a token that Discord refuses costs nothing and loses nothing: all is answered once it is taken again", async () => {
  const discord = await discordForTest();
  const goOn = Promise.withResolvers<void>();
  const backend = new ScriptedBackend(() => [
    { type: "wait", for: goOn.promise },
    { type: "say", text: "Here I am." },
  ]);
  const log = new RememberingLog();
  const due: (() => void)[] = [];
  let platform: DiscordPlatform | undefined;
  await world.start({
    backend,
    platforms: (ledger) => {
      const after = (_ms: number, work: () => void) => {
        due.push(work);
        return () => undefined;
      };
      platform = createDiscord(discord, { ledger, log, after });
      return [platform];
    },
  });
  const bob = discord.addPerson("bob");
  const ask = (name: string) => {
    const question = bob.mentions(discord.addChannel(name), "hello");
    return () => {
      const thread = discord.threadOn(question);
      return thread ? discord.replies(thread).map(({ text }) => text.split("\n")[0]) : [];
    };
  };
  /** Half a minute has gone by. */
  const askAgain = () => {
    for (const work of due.splice(0)) work();
  };
  const first = ask("one");
  await expect.poll(() => backend.turns.length, patience).toBe(1);
  const { token } = discord;
  discord.token = "another.one";
  goOn.resolve();
  await expect.poll(() => platform?.isConnected(), patience).toBe(false);
  expect(platform?.problem?.()).toContain("DISCORD_TOKEN");

  const second = ask("two");
  const sent = discord.requests().length;
  for (let tries = 0; tries < 3; tries += 1) {
    world.pass(60_000);
    askAgain();
    await expect.poll(() => due.length, patience).toBe(1);
  }
  // The gateway's client has to be refused once itself, with a message it looks up.
  const later = discord.requests().slice(sent);
  const asked = later.filter(({ route }) => route === "/applications/@me");
  expect(asked).toHaveLength(3);
  expect(later.length).toBeLessThanOrEqual(4);
  expect(backend.turns).toHaveLength(1);
  expect(log.lines.filter(({ event }) => event === "Discord access ended")).toHaveLength(1);

  discord.token = token;
  askAgain();
  await expect.poll(() => platform?.isConnected(), patience).toBe(true);
  for (const said of [first, second]) {
    await expect
      .poll(() => {
        world.pass(1_000);
        return said();
      }, patience)
      .toEqual(["Here I am."]);
  }
});
