import { readFileSync } from "node:fs";
import { join } from "node:path";
import { GatewayIntentBits, GatewayOpcodes, PermissionFlagsBits } from "discord-api-types/v10";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Log } from "#ports/log";
import { finalWords, rights } from "../../../adapters/discord/set-up.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import type { DiscordServer } from "../../wire/discord/discord-server.ts";
import { discordForTest } from "../../wire/discord/tiny-bot.ts";
import { createDiscord, type DiscordOptions, started } from "./discord-harness.ts";

const { Guilds, GuildMessages, DirectMessages, MessageContent } = GatewayIntentBits;
const needed = Guilds | GuildMessages | DirectMessages;

/** What an admin reads in the log. */
function readingLog() {
  const lines: string[] = [];
  const write = (fields: object, event: string) =>
    void lines.push(`${event}: ${JSON.stringify(fields)}`);
  const log: Log = { ...silentLog, info: write, warn: write, error: write, child: () => log };
  return { log, lines };
}

const intentsAsked = (discord: DiscordServer) =>
  discord.gateway
    .frames(GatewayOpcodes.Identify)
    .map(({ data }) => (data as { readonly intents: number }).intents);

async function startFails(discord: DiscordServer, options: DiscordOptions = {}): Promise<string> {
  const platform = createDiscord(discord, options);
  onTestFinished(() => platform.stop());
  const failure = await platform.start(new FakeBot()).then(
    () => "it has started",
    (error: unknown) => String(error),
  );
  expect(platform.isConnected()).toBe(false);
  return failure;
}

describe("intents", () => {
  test("are the needed ones and, where it is granted, message content", async () => {
    const { discord } = await started();
    expect(intentsAsked(discord)).toEqual([needed | MessageContent]);
  });

  test("do without message content when it is off in the portal, and say which switch to flip", async () => {
    const { log, lines } = readingLog();
    const server = { privilegedIntents: { messageContent: false } };
    const { discord, platform } = await started({ server, log });

    expect(platform.isConnected()).toBe(true);
    expect(intentsAsked(discord)).toEqual([needed]);
    expect(lines.join("\n")).toMatch(/intent missing.*Message Content Intent on the Bot page/);
  });

  test("leave message content alone when it is not wanted", async () => {
    const { log, lines } = readingLog();
    const { discord } = await started({ asksForContent: false, log });
    expect(intentsAsked(discord)).toEqual([needed]);
    expect(lines.join("\n")).not.toContain("intent missing");
  });

  test("go on without message content when it is switched off while running", async () => {
    const { discord, ada, general, bot, platform } = await started();

    discord.grant({ messageContent: false });
    discord.gateway.close(4014);

    await expect
      .poll(() => intentsAsked(discord), { timeout: 20_000 })
      .toEqual([needed | MessageContent, needed]);
    await expect.poll(() => platform.isConnected()).toBe(true);
    ada.mentions(general, "still there?");
    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["still there?"]);
  });
});

describe("a start that fails says what to do", () => {
  test("with a wrong token", async () => {
    const words = await startFails(await discordForTest(), { token: "bad.token.x" });
    expect(words).toMatch(/does not accept DISCORD_TOKEN.*reset it on the Bot page/);
    expect(words).not.toContain("bad.token.x");
  });

  test("when Discord cannot be reached", async () => {
    const discord = await discordForTest();
    discord.faults.always({}, { type: "reset", accepted: false });
    expect(await startFails(discord)).toMatch(/could not be reached.*DISCORD_API_URL/);
  }, 20_000);

  test("when today's connections are used up", async () => {
    const discord = await discordForTest();
    discord.gateway.settings.identifiesLeft = 0;
    expect(await startFails(discord)).toMatch(/1,000 times a day.*they are back at 2/);
  });

  test("when one connection is not enough", async () => {
    const discord = await discordForTest();
    discord.addGuild("another");
    discord.gateway.settings.maxGuildsPerShard = 1;
    expect(await startFails(discord, { shards: 1 })).toMatch(/take DISCORD_SHARDS out/);
  });

  test("with an intent that turns out to be refused it goes on without", async () => {
    const discord = await discordForTest();
    // Granted when the application is read, and no longer when it identifies.
    const switchOff = ({ path }: { readonly path: string }) => {
      if (path.endsWith("/gateway/bot")) discord.grant({ messageContent: false });
      return false;
    };
    discord.faults.always({ matches: switchOff }, { type: "reset", accepted: false });
    const platform = createDiscord(discord);
    onTestFinished(() => platform.stop());
    await platform.start(new FakeBot());
    expect(platform.isConnected()).toBe(true);
    expect(intentsAsked(discord)).toEqual([needed | MessageContent, needed]);
  });
});

test("a token that is taken away while running is told, and the rest goes on", async () => {
  const { log, lines } = readingLog();
  const { discord, platform } = await started({ log });

  discord.gateway.close(4004);

  await expect.poll(() => lines.join("\n")).toMatch(/connection ended.*DISCORD_TOKEN any more/);
  await expect.poll(() => platform.isConnected()).toBe(false);
});

test("servers are spread over as many connections as Discord recommends", async () => {
  const discord = await discordForTest();
  discord.gateway.settings.shards = 2;
  const guilds = [discord.guild, ...["a", "b", "c"].map((name) => discord.addGuild(name))];
  const bot = new FakeBot();
  const platform = createDiscord(discord);
  onTestFinished(() => platform.stop());
  await platform.start(bot);
  expect(platform.isConnected()).toBe(true);

  for (const guild of guilds) {
    discord.owner.mentions(discord.addChannel("general", { guild }), `from ${guild.name}`);
  }
  await expect.poll(() => bot.messages.length).toBe(4);
  expect(intentsAsked(discord)).toHaveLength(2);
});

test("the invite asks for exactly the needed rights", async () => {
  const { discord, platform } = await started();
  const url = new URL(platform.invite ?? "");
  const { ViewChannel, ReadMessageHistory, SendMessages, SendMessagesInThreads } =
    PermissionFlagsBits;
  const { CreatePublicThreads, AttachFiles } = PermissionFlagsBits;
  expect(url.origin + url.pathname).toBe("https://discord.com/oauth2/authorize");
  expect(Object.fromEntries(url.searchParams)).toEqual({
    client_id: discord.world.applicationId,
    scope: "bot applications.commands",
    permissions: String(
      ViewChannel |
        ReadMessageHistory |
        SendMessages |
        SendMessagesInThreads |
        CreatePublicThreads |
        AttachFiles,
    ),
  });
});

test("the docs name every right with what is lost, in the words of Discord's settings", () => {
  const docs = readFileSync(join(import.meta.dirname, "../../../docs/discord.md"), "utf8");
  for (const [right, lost] of Object.entries(rights)) {
    const words = right.replace(/(?<=[a-z])(?=[A-Z])/g, " ").replace(" In ", " in ");
    expect(docs).toContain(`| ${words} | ${lost}`);
  }
});

test.each([4004, 4010, 4011, 4012, 4013, 4014])("close code %i has words", (code) => {
  expect(finalWords(code)).toMatch(/Bot page|DISCORD_SHARDS|update Bobbin/);
  expect(finalWords(4000)).toBeUndefined();
});

describe("servers", () => {
  test("one that is left takes its conversations with it, an outage does not", async () => {
    const { discord, bot } = await started();
    const other = discord.addGuild("another");

    discord.setOutage(discord.guild, true);
    discord.setOutage(discord.guild, false);
    discord.removeBot(other);

    await expect.poll(() => bot.left).toMatchObject([{ keyPrefix: `discord:${other.id}:` }]);
  });

  test("one that was left while the program was down is noticed at the start", async () => {
    const ledger = new MemoryLedger();
    const { discord, bot, platform } = await started({ ledger });
    const other = discord.addGuild("another");
    await expect.poll(() => ledger.ranked("discord/guilds", { limit: 9 })).toHaveLength(2);
    await platform.stop();
    discord.removeBot(other);

    const again = createDiscord(discord, { ledger });
    onTestFinished(() => again.stop());
    await again.start(bot);

    expect(bot.left).toMatchObject([{ keyPrefix: `discord:${other.id}:` }]);
  });

  test("what was said there is kept where that is the policy", async () => {
    const ledger = new MemoryLedger();
    const { discord, bot } = await started({ ledger, onLeave: "keep" });
    discord.removeBot(discord.guild);
    await expect.poll(() => ledger.ranked("discord/guilds", { limit: 9 })).toEqual([]);
    expect(bot.left).toEqual([]);
  });

  test("a failure in one stays there", async () => {
    const { discord, ada, general, bot } = await started();
    const other = discord.addGuild("another");
    const away = discord.addChannel("general", { guild: other });
    discord.faults.always(
      { matches: ({ path }) => path.includes(away.id) },
      { type: "refusal", name: "missingAccess" },
    );

    discord.owner.mentions(away, "from the broken one");
    ada.mentions(general, "from a good one");

    await expect
      .poll(() => bot.messages.map(({ text }) => text).toSorted())
      .toEqual(["from a good one", "from the broken one"]);
  });
});

describe("who may", () => {
  test("others than the listed servers, channels and people are refused in words", async () => {
    const discord = await discordForTest();
    const [general, secret] = [discord.addChannel("general"), discord.addChannel("secret")];
    const other = discord.addChannel("other", { guild: discord.addGuild("another") });
    const [ada, grace] = [discord.addPerson("ada"), discord.addPerson("grace")];
    const bot = new FakeBot();
    const platform = createDiscord(discord, {
      policy: {
        allowedGuilds: [discord.guild.id],
        allowedChannels: [general.id],
        allowedUsers: [ada.id, discord.owner.id],
      },
    });
    onTestFinished(() => platform.stop());
    await platform.start(bot);

    ada.mentions(general, "allowed");
    grace.mentions(general, "not grace");
    ada.mentions(secret, "not there");
    discord.owner.mentions(other, "not on that server");
    ada.directMessage("allowed directly");

    await expect
      .poll(() => bot.messages.map(({ text }) => text).toSorted())
      .toEqual(["allowed", "allowed directly"]);
    const said = () => [general, secret, other].map((one) => discord.replies(one)[0]?.text);
    await expect
      .poll(said)
      .toEqual([
        expect.stringContaining("not among the people"),
        expect.stringContaining("not answer in this channel"),
        expect.stringContaining("not answer on this server"),
      ]);
    grace.mentions(general, "really not?");
    ada.mentions(general, "again");
    await expect.poll(() => bot.messages.length).toBe(3);
    // Said once, not every time.
    expect(discord.replies(general)).toHaveLength(1);
  });

  test("roles count also in direct messages", async () => {
    const discord = await discordForTest();
    const [ada, grace] = [discord.addPerson("ada"), discord.addPerson("grace")];
    const helpers = discord.addRole("helpers", [], { for: [ada.id] });
    const bot = new FakeBot();
    const platform = createDiscord(discord, { policy: { allowedRoles: [helpers] } });
    onTestFinished(() => platform.stop());
    await platform.start(bot);

    grace.directMessage("not grace");
    ada.directMessage("a helper");

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["a helper"]);
    await expect.poll(() => discord.replies(grace.directChannel())).toHaveLength(1);
  });

  test("strangers to the listed servers may not write directly", async () => {
    const discord = await discordForTest();
    const stranger = discord.addPerson("stranger", { guild: null });
    const bot = new FakeBot();
    const platform = createDiscord(discord, { policy: { allowedGuilds: [discord.guild.id] } });
    onTestFinished(() => platform.stop());
    await platform.start(bot);

    stranger.directMessage("hello");

    await expect
      .poll(() => discord.replies(stranger.directChannel()).map(({ text }) => text))
      .toEqual(["I answer only members of the servers I was set up for."]);
    expect(bot.messages).toEqual([]);
  });
});
