import { Events, GatewayIntentBits, GatewayOpcodes } from "discord.js";
import { describe, expect, test } from "vitest";
import { clientFor, codeOf, connectBot, discordForTest } from "./tiny-bot.ts";

async function listeningScene() {
  const discord = await discordForTest();
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  const heard: string[] = [];
  const client = await connectBot(discord, (bot) => {
    bot.on(Events.MessageCreate, ({ content }) => heard.push(content));
  });
  return { discord, ada, general, heard, client };
}

describe("a connection that breaks", () => {
  test("is resumed, and what was said meanwhile is told once and in order", async () => {
    const { discord, ada, general, heard } = await listeningScene();
    ada.posts(general, "before");
    await expect.poll(() => heard).toEqual(["before"]);

    discord.gateway.settings.isDown = true;
    discord.gateway.cut();
    await expect.poll(() => discord.gateway.connected).toBe(0);
    ada.posts(general, "first");
    ada.posts(general, "second");
    discord.gateway.settings.isDown = false;

    await expect.poll(() => heard, { timeout: 10_000 }).toEqual(["before", "first", "second"]);
    expect(discord.gateway.frames(GatewayOpcodes.Resume)).toHaveLength(1);
    expect(discord.gateway.frames(GatewayOpcodes.Identify)).toHaveLength(1);
  });

  test.each([
    ["asked to reconnect", 0],
    ["closed with 4000", 4000],
  ])("%s, it is resumed", async (_case, code) => {
    const { discord, ada, general, heard } = await listeningScene();

    if (code === 0) discord.gateway.requestReconnect();
    else discord.gateway.close(code);
    ada.posts(general, "meanwhile");

    await expect.poll(() => heard, { timeout: 10_000 }).toEqual(["meanwhile"]);
    await expect.poll(() => discord.gateway.frames(GatewayOpcodes.Resume)).toHaveLength(1);
    expect(discord.gateway.closes).toContain(code === 0 ? 4200 : code);
  });

  test("told that its session can be resumed, it does so on the same connection", async () => {
    const { discord, ada, general, heard } = await listeningScene();

    discord.gateway.invalidateSessions({ canResume: true });
    ada.posts(general, "meanwhile");

    await expect.poll(() => heard, { timeout: 10_000 }).toEqual(["meanwhile"]);
    expect(discord.gateway.frames(GatewayOpcodes.Resume)).toHaveLength(1);
    expect(discord.gateway.closes).toEqual([]);
  });

  test("whose session is forgotten loses what was said, and REST still has it", async () => {
    const { discord, ada, general, heard, client } = await listeningScene();
    const mark = ada.posts(general, "known");
    await expect.poll(() => heard).toEqual(["known"]);

    discord.gateway.settings.isDown = true;
    discord.gateway.cut();
    await expect.poll(() => discord.gateway.connected).toBe(0);
    discord.gateway.forgetSessions();
    const missed = ada.posts(general, "missed");
    discord.gateway.settings.isDown = false;
    await expect
      .poll(() => discord.gateway.frames(GatewayOpcodes.Identify).length, { timeout: 15_000 })
      .toBe(2);
    await expect.poll(() => discord.gateway.connected).toBe(1);
    ada.posts(general, "after");

    await expect.poll(() => heard).toEqual(["known", "after"]);
    const channel = await client.channels.fetch(general.id);
    if (!channel?.isTextBased()) throw new Error("no text channel");
    const found = await channel.messages.fetch({ after: mark.id, limit: 1 });
    expect([...found.keys()]).toEqual([missed.id]);
  });

  test("is given up when heartbeats get no answer, and resumed", async () => {
    const discord = await discordForTest();
    discord.gateway.settings.heartbeatIntervalMs = 200;
    await connectBot(discord, () => undefined);
    discord.gateway.settings.acknowledgesHeartbeats = false;

    await expect
      .poll(() => discord.gateway.frames(GatewayOpcodes.Resume).length, { timeout: 10_000 })
      .toBeGreaterThan(0);
  });
});

describe("an identify is refused", () => {
  test("with 4014 while a privileged intent is off in the portal", async () => {
    const discord = await discordForTest({ privilegedIntents: { messageContent: false } });
    const client = clientFor(discord);

    await expect(client.login(discord.token)).rejects.toThrow(/disallowed intents/i);

    await expect.poll(() => discord.gateway.closes).toEqual([4014]);
  });

  test("with a wrong token, already over REST", async () => {
    const discord = await discordForTest();

    await expect(clientFor(discord).login("bad.token.x")).rejects.toThrow(/invalid token/i);

    expect(discord.requests("GET /gateway/bot").map(({ status }) => status)).toEqual([401]);
  });
});

test("without the message content intent only what concerns the bot can be read", async () => {
  const discord = await discordForTest({ privilegedIntents: { messageContent: false } });
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  const heard: string[] = [];
  const { Guilds, GuildMessages, DirectMessages } = GatewayIntentBits;
  const client = await connectBot(
    discord,
    (bot) => {
      bot.on(Events.MessageCreate, ({ content, attachments }) =>
        heard.push(`${content}|${attachments.size}`),
      );
    },
    { intents: [Guilds, GuildMessages, DirectMessages] },
  );

  const hidden = ada.posts(general, "private words", { files: [{ name: "a.txt", bytes: "a" }] });
  ada.mentions(general, "for you");
  ada.directMessage("also for you");

  await expect.poll(() => heard).toEqual(["|0", `<@${discord.botId}> for you|0`, "also for you|0"]);
  const channel = await client.channels.fetch(general.id);
  if (!channel?.isTextBased()) throw new Error("no text channel");
  expect((await channel.messages.fetch(hidden.id)).content).toBe("");
});

test("each guild is told to its own shard, and direct messages to the first", async () => {
  const discord = await discordForTest();
  discord.gateway.settings.shards = 2;
  const ada = discord.addPerson("ada");
  const guilds = [discord.guild, ...["a", "b", "c"].map((name) => discord.addGuild(name))];
  const channels = guilds.map((guild) => discord.addChannel("general", { guild }));
  const heard: (readonly [string, number])[] = [];
  await connectBot(
    discord,
    (bot) => {
      bot.on(Events.MessageCreate, (message) => {
        heard.push([message.guildId ?? "direct", message.guild?.shardId ?? 0]);
      });
    },
    { shards: "auto" },
  );

  for (const channel of channels) discord.owner.posts(channel, "hello");
  ada.directMessage("hello");

  const shardOf = (id: string) => Number((BigInt(id) >> 22n) % 2n);
  const told = [...guilds.map(({ id }) => [id, shardOf(id)] as const), ["direct", 0] as const];
  await expect.poll(() => heard.toSorted()).toEqual(told.toSorted());
  expect(discord.gateway.frames(GatewayOpcodes.Identify)).toHaveLength(2);
});

test("a guild the bot is removed from is gone", async () => {
  const discord = await discordForTest();
  const general = discord.addChannel("general");
  const left: string[] = [];
  const client = await connectBot(discord, (bot) => {
    bot.on(Events.GuildDelete, ({ name }) => left.push(name));
  });

  discord.removeBot(discord.guild);

  await expect.poll(() => left).toEqual(["Wire"]);
  expect(await codeOf(client.rest.get(`/channels/${general.id}`))).toBe(50001);
});
