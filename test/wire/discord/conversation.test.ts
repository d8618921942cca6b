import { Events, GatewayOpcodes } from "discord.js";
import { expect, test } from "vitest";
import { connectBot, discordForTest } from "./tiny-bot.ts";

test("a mention is answered in a thread on it, and the answer is edited", async () => {
  const discord = await discordForTest();
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  await connectBot(discord, (client) => {
    client.on(Events.MessageCreate, async (message) => {
      if (!client.user || !message.mentions.has(client.user) || message.author.bot) return;
      const thread = await message.startThread({ name: "hello", autoArchiveDuration: 1440 });
      await thread.sendTyping();
      const reply = await thread.send({ content: "One", allowedMentions: { parse: [] } });
      await reply.edit({ content: "One, two", allowedMentions: { parse: [] } });
    });
  });

  const question = ada.mentions(general, "count");

  await expect
    .poll(() => discord.replies(question.id).map(({ history }) => history))
    .toEqual([["One", "One, two"]]);
  expect(discord.threadOn(question)?.name).toBe("hello");
  expect(discord.replies(question.id)[0]).toMatchObject({ isEdited: true, notified: [] });
  expect(discord.seen(general).map(({ author }) => author)).toEqual(["ada"]);
  expect(discord.gateway.frames(GatewayOpcodes.Identify)).toHaveLength(1);
  expect(discord.complaints).toEqual([]);
});
