import {
  AttachmentBuilder,
  ChannelType,
  type Client,
  Events,
  type GuildTextBasedChannel,
} from "discord.js";
import { expect, test } from "vitest";
import { ManualClock } from "./discord-server.ts";
import { clientFor, codeOf, connectBot, discordForTest, readingIntents } from "./tiny-bot.ts";

/** A bot that notes what it hears. */
async function scene(prepare: (client: Client, heard: string[]) => void) {
  const clock = new ManualClock();
  const discord = await discordForTest({ clock });
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  const heard: string[] = [];
  const client = await connectBot(discord, (bot) => prepare(bot, heard), {
    // GuildMessageReactions
    intents: [...readingIntents, 1 << 10],
  });
  return { clock, discord, ada, general, heard, client };
}

test("a reply mentions the bot when it pings, and does not otherwise", async () => {
  const { discord, ada, general, heard, client } = await scene((bot, notes) => {
    bot.on(Events.MessageCreate, ({ mentions, content }) => {
      if (bot.user && content) notes.push(`${content} ${mentions.has(bot.user)}`);
    });
  });
  const channel = await client.channels.fetch(general.id);
  if (!channel?.isSendable()) throw new Error("cannot send");
  await channel.send({ content: "said" });
  const [said] = discord.replies(general);
  if (!said) throw new Error("nothing said");

  ada.replies(said, general, "loud");
  ada.replies(said, general, "quiet", { ping: false });

  await expect.poll(() => heard).toEqual(["said false", "loud true", "quiet false"]);
});

test("edits, deletes and reactions are heard", async () => {
  const { ada, general, heard } = await scene((bot, notes) => {
    bot.on(Events.MessageUpdate, (_old, { content }) => notes.push(`edit ${content}`));
    bot.on(Events.MessageDelete, ({ id }) => notes.push(`delete ${id}`));
    bot.on(Events.MessageReactionAdd, ({ emoji }) => notes.push(`react ${emoji.name}`));
  });
  const message = ada.posts(general, "a");

  ada.edits(message, "b");
  ada.reacts(message, "👍");
  ada.deletes(message);

  await expect.poll(() => heard).toEqual(["edit b", "react 👍", `delete ${message.id}`]);
});

test("a forum post is a thread whose first message has its id", async () => {
  const { discord, ada, heard } = await scene((bot, notes) => {
    bot.on(Events.MessageCreate, ({ channel, content, id }) => {
      const { name, parent } = channel as GuildTextBasedChannel & { parent: { type: number } };
      notes.push(`${name}: ${content} ${parent.type === ChannelType.GuildForum} ${id}`);
    });
  });
  const forum = discord.addChannel("help", { type: ChannelType.GuildForum });

  const { thread, message } = ada.forumPost(forum, "How?", "Please explain");

  expect(message.id).toBe(thread.id);
  await expect.poll(() => heard).toEqual([`How?: Please explain true ${thread.id}`]);
});

test("a forwarded message brings its words and a voice message its sound", async () => {
  const { discord, ada, general, heard } = await scene((bot, notes) => {
    bot.on(Events.MessageCreate, ({ messageSnapshots, attachments }) => {
      for (const { content } of messageSnapshots.values()) notes.push(`forward ${content}`);
      for (const { duration } of attachments.values()) notes.push(`voice ${duration}`);
    });
  });
  const other = discord.addChannel("other");

  ada.forwards(ada.posts(general, "the plan"), other);
  ada.voiceMessage(other, new Uint8Array([1, 2]), { durationSeconds: 2 });

  await expect.poll(() => heard).toEqual(["forward the plan", "voice 2"]);
});

test("a file comes by a link that dies, and goes with its alt text", async () => {
  const links: string[] = [];
  const { clock, discord, ada, general, client } = await scene((bot) => {
    bot.on(Events.MessageCreate, ({ attachments }) => {
      for (const { url } of attachments.values()) links.push(url);
    });
  });
  ada.posts(general, "look", { files: [{ name: "a b.txt", bytes: "abc" }] });
  await expect.poll(() => links).toHaveLength(1);
  const [link = ""] = links;
  expect(await (await fetch(link)).text()).toBe("abc");
  clock.advance(24 * 60 * 60 * 1000);
  expect((await fetch(link)).status).toBe(404);

  const channel = await client.channels.fetch(general.id);
  if (!channel?.isSendable()) throw new Error("cannot send");
  const bytes = Buffer.from("name,value\n");
  await channel.send({
    files: [new AttachmentBuilder(bytes, { name: "t.csv", description: "A table" })],
  });
  const [shown] = discord.replies(general);
  expect(shown?.files).toMatchObject([{ name: "t.csv", altText: "A table" }]);
  expect(Buffer.from(shown?.files[0]?.bytes ?? []).toString()).toBe("name,value\n");
  expect(discord.complaints).toEqual([]);
  discord.policy.maxFileBytes = 5;
  expect(await codeOf(channel.send({ files: [new AttachmentBuilder(bytes)] }))).toBe(40005);
});

test("typing is seen for ten seconds or until the message", async () => {
  const { clock, discord, general, client } = await scene(() => undefined);
  const channel = await client.channels.fetch(general.id);
  if (!channel?.isSendable()) throw new Error("cannot send");

  await channel.sendTyping();
  expect(discord.typing(general)).toEqual(["Bobbin"]);
  clock.advance(10_000);
  expect(discord.typing(general)).toEqual([]);
  await channel.sendTyping();
  await channel.send({ content: "here" });
  expect(discord.typing(general)).toEqual([]);
});

test("a thread is renamed twice in ten minutes and no more", async () => {
  const { ada, general, client } = await scene(() => undefined);
  client.rest.options.rejectOnRateLimit = () => true;
  const channel = await client.channels.fetch(general.id);
  if (channel?.type !== ChannelType.GuildText) throw new Error("no text channel");
  const message = await channel.messages.fetch(ada.posts(general, "a").id);
  const thread = await message.startThread({ name: "a" });

  expect(await codeOf(thread.setName("b"))).toBe(0);
  expect(await codeOf(thread.setName("c"))).toBe(0);
  expect(await codeOf(thread.setName("d"))).toMatch(/RateLimit/);
});

test("history is read in pages, newest first", async () => {
  const { ada, general, client } = await scene(() => undefined);
  const posted = ["a", "b", "c", "d"].map((text) => ada.posts(general, text));
  const channel = await client.channels.fetch(general.id);
  if (!channel?.isTextBased()) throw new Error("no text channel");
  const read = async (options: { after?: string; before?: string; limit: number }) =>
    [...(await channel.messages.fetch(options)).values()].map(({ content }) => content);

  expect(await read({ limit: 2 })).toEqual(["d", "c"]);
  expect(await read({ limit: 2, after: posted[0]?.id ?? "" })).toEqual(["c", "b"]);
  expect(await read({ limit: 1, before: posted[2]?.id ?? "" })).toEqual(["b"]);
  expect(await codeOf(client.rest.get(`/channels/${general.id}/messages?limit=101`))).toBe(50035);
});

test("a bot that starts again is told nothing of before, and finds it by the last message's id", async () => {
  const { discord, ada, general, client } = await scene(() => undefined);
  await client.destroy();
  const missed = ada.mentions(general, "anybody?");

  const heard: string[] = [];
  const second = clientFor(discord);
  second.on(Events.MessageCreate, ({ content }) => heard.push(content));
  const ready = new Promise((resolve) => second.once(Events.ClientReady, resolve));
  await second.login(discord.token);
  await ready;

  const channel = await second.channels.fetch(general.id);
  if (!channel?.isTextBased()) throw new Error("no text channel");
  expect(channel.lastMessageId).toBe(missed.id);
  expect(heard).toEqual([]);
});
