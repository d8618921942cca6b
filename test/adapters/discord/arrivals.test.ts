import { ChannelType } from "discord-api-types/v10";
import { describe, expect, test } from "vitest";
import { emptyView } from "#domain/reply-view";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import { started, targetFor } from "./discord-harness.ts";

const withoutContent = { server: { privilegedIntents: { messageContent: false } } };

describe("who is heard", () => {
  test("a mention is a message of its own conversation", async () => {
    const { discord, ada, general, bot } = await started();

    const message = ada.mentions(general, "what is a bobbin?");

    await expect.poll(() => bot.messages.length).toBe(1);
    expect(bot.messages[0]).toMatchObject({
      eventId: `discord:${message.id}`,
      text: "what is a bobbin?",
      author: { key: `discord:${ada.id}`, name: "ada" },
      role: "person",
      place: {
        platform: "discord",
        channelKey: `discord:${discord.guild.id}:${general.id}`,
        channelName: "general",
        threadKey: `discord:${discord.guild.id}:${message.id}`,
        isDirect: false,
      },
    });
  });

  test("a mention is heard without the message content intent", async () => {
    const { ada, general, bot } = await started(withoutContent);

    ada.mentions(general, "hello");

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["hello"]);
  });

  test("a direct message is one conversation", async () => {
    const { ada, bot } = await started(withoutContent);

    ada.directMessage("hello");
    ada.directMessage("again");

    await expect.poll(() => bot.messages.length).toBe(2);
    const key = `discord:dm:${ada.directChannel().id}`;
    for (const { place } of bot.messages) {
      expect(place).toMatchObject({ channelKey: key, threadKey: key, isDirect: true });
    }
  });

  test("a reply that pings is heard, a quiet one is not", async () => {
    const { discord, ada, general, bot } = await started();
    const ours = discord.world.addMessage({
      channelId: general.id,
      authorId: discord.botId,
      content: "An answer.",
    });

    ada.replies(ours, general, "quietly", { ping: false });
    ada.replies(ours, general, "and why?");

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["and why?"]);
  });

  test("the bot's own role is its name, too", async () => {
    const { discord, ada, general, bot } = await started();
    const role = discord.addRole("Bobbin", [], { for: [discord.botId] });

    ada.posts(general, `<@&${role}> not for a role that anybody has`);
    ada.mentions(general, "for me");

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["for me"]);
  });

  test("bots, webhooks and everybody else's talk are not heard", async () => {
    const { discord, ada, general, bot } = await started();
    const robot = discord.addPerson("robot", { isBot: true });

    robot.mentions(general, "from a bot");
    discord.webhookPosts(general, "hook", `<@${discord.botId}> from a webhook`);
    ada.posts(general, "not for the bot");
    ada.posts(general, "@everyone look");
    ada.mentions(general, "for the bot");

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["for the bot"]);
  });

  test("who may manage the server manages its channels", async () => {
    const { discord, ada, general, bot } = await started();
    discord.addRole("moderators", ["ManageGuild"], { for: [ada.id] });

    ada.mentions(general, "hello");

    await expect.poll(() => bot.messages[0]?.role).toBe("manager");
  });
});

describe("threads", () => {
  test("in a thread the bot opened everything is for it, unless somebody else is spoken to", async () => {
    const scene = await started();
    const { discord, ada, general, bot } = scene;
    const thread = await ownThread(scene);
    const grace = discord.addPerson("grace");

    ada.posts(thread, "go on");
    const aside = grace.posts(thread, `<@${ada.id}> what do you think?`);
    ada.replies(aside, thread, "it is good", { ping: false });
    grace.posts(thread, "thank you");

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["go on", "thank you"]);
    const threadKey = `discord:${discord.guild.id}:${thread.id}`;
    expect(bot.messages[0]?.place).toMatchObject({
      threadKey,
      channelKey: `discord:${discord.guild.id}:${general.id}`,
      channelName: "general",
    });
  });

  test("where only mentions count, the rest of a thread is not heard", async () => {
    const scene = await started({ threadMode: "mention" });
    const { ada, bot } = scene;
    const thread = await ownThread(scene);

    ada.posts(thread, "to myself");
    ada.mentions(thread, "to you");

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["to you"]);
  });

  test("without the message content intent it is said once how to be heard", async () => {
    const scene = await started(withoutContent);
    const { discord, ada, bot } = scene;
    const thread = await ownThread(scene);

    ada.posts(thread, "go on");
    await expect.poll(() => discord.replies(thread)).toHaveLength(2);
    ada.posts(thread, "hello?");
    ada.mentions(thread, "go on");

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["go on"]);
    expect(discord.replies(thread).map(({ text }) => text)).toEqual([
      "An answer.",
      "-# I cannot read messages here that do not mention me. Mention me, or use Reply on one of my messages.",
    ]);
  });

  test("a thread of others is followed no further than its mentions", async () => {
    const { ada, general, bot } = await started();
    const thread = ada.startsThread(general, "ours");
    ada.posts(thread, "We meet at ten.");

    ada.mentions(thread, "when?");
    ada.posts(thread, "never mind");
    ada.mentions(thread, "where?");

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["when?", "where?"]);
    expect(bot.messages[0]?.quoted?.map(({ text }) => text)).toEqual(["We meet at ten."]);
    expect(bot.messages[0]?.place.target).toMatchObject({ channel: thread.id, thread: null });
  });

  test("a forum post that asks it is answered there, and followed", async () => {
    const { discord, ada, bot } = await started();
    const forum = discord.addChannel("questions", { type: ChannelType.GuildForum });

    const { thread } = ada.forumPost(forum, "Help", `<@${discord.botId}> how does it work?`);
    await expect.poll(() => bot.messages.length).toBe(1);
    ada.posts(thread, "and why?");

    await expect
      .poll(() => bot.messages.map(({ text }) => text))
      .toEqual(["how does it work?", "and why?"]);
    for (const { place } of bot.messages) {
      expect(place).toMatchObject({
        threadKey: `discord:${discord.guild.id}:${thread.id}`,
        channelName: "questions",
        target: { thread: null },
      });
    }
  });

  test("where no thread is wanted a reply goes on in the conversation it answers", async () => {
    const { discord, ada, general, bot } = await started({ threadMode: "off" });

    const asked = ada.mentions(general, "first");
    await expect.poll(() => bot.messages.length).toBe(1);
    const answer = discord.world.addMessage({
      channelId: general.id,
      authorId: discord.botId,
      content: "An answer.",
      reference: { type: 0, channelId: general.id, messageId: asked.id },
    });
    ada.replies(answer, general, "second");

    await expect.poll(() => bot.messages.length).toBe(2);
    const [first, second] = bot.messages;
    expect(first?.place.target).toMatchObject({ thread: null });
    expect(second?.place.threadKey).toBe(first?.place.threadKey);
  });

  test("the thread to open is named after the question", async () => {
    const { ada, general, bot } = await started();

    ada.mentions(general, `**How** do I ${"really ".repeat(30)}start?`);

    await expect.poll(() => bot.messages.length).toBe(1);
    expect(bot.messages[0]?.place.target).toMatchObject({
      thread: expect.stringMatching(/^How do I really .{20,42}…$/),
    });
  });
});

describe("what is told with a message", () => {
  test("ids are names, and Discord's marks are words", async () => {
    const { discord, ada, general, bot } = await started();
    const grace = discord.addPerson("grace");
    const role = discord.addRole("Helpers", []);
    const random = discord.addChannel("random");

    ada.mentions(
      general,
      `ask <@${grace.id}> or <@&${role}> in <#${random.id}> <:wave:123> at <t:0:F>, not \`<@1>\``,
    );

    await expect
      .poll(() => bot.messages[0]?.text)
      .toBe("ask @grace or @Helpers in #random :wave: at 1970-01-01T00:00:00.000Z, not `<@1>`");
  });

  test("what was said before is quoted with names, fifty messages at most", async () => {
    const { discord, ada, general, bot } = await started();
    const grace = discord.addPerson("grace");
    for (let count = 1; count <= 60; count += 1) grace.posts(general, `point ${count}`);
    grace.posts(general, "see this", { files: [{ name: "plan.txt", bytes: "plan" }] });

    ada.mentions(general, "what do they mean?");

    await expect.poll(() => bot.messages.length).toBe(1);
    const quoted = bot.messages[0]?.quoted ?? [];
    expect(quoted).toHaveLength(50);
    expect(quoted[0]).toMatchObject({ author: "grace", text: "point 12" });
    expect(quoted.at(-1)).toMatchObject({ text: "see this", fileNames: ["plan.txt"] });
  });

  test("of what cannot be read it is said that there was more", async () => {
    const { discord, ada, general, bot } = await started(withoutContent);
    discord.addPerson("grace").posts(general, "private words");

    ada.mentions(general, "what do they mean?");

    await expect.poll(() => bot.messages.length).toBe(1);
    expect(bot.messages[0]?.quoted).toBeUndefined();
    expect(bot.messages[0]?.quotedNote).toBe(
      "I can read 0 of the 1 messages before this one: the others did not mention me.",
    );
  });

  test("without the right to read back it is said", async () => {
    const { discord, ada, general, bot } = await started();
    discord.denyBot(general, "ReadMessageHistory");

    ada.mentions(general, "what did they say?");

    await expect.poll(() => bot.messages[0]?.quotedNote).toMatch(/Read Message History/);
  });

  test("the message that is replied to is told, whoever wrote it", async () => {
    const { discord, ada, general, bot } = await started();
    const plan = discord.addPerson("grace").posts(general, "The plan is to wait.");
    for (let count = 1; count <= 60; count += 1) ada.posts(general, `noise ${count}`);

    ada.replies(plan, general, `<@${discord.botId}> is that wise?`);

    await expect.poll(() => bot.messages.length).toBe(1);
    expect(bot.messages[0]?.quoted?.at(-1)).toMatchObject({
      author: "grace",
      text: "The plan is to wait.",
    });
  });

  test("a forwarded message is context with its files, and its author unknown", async () => {
    const { discord, ada, general, bot, platform } = await started();
    const source = discord
      .addPerson("grace")
      .posts(general, "The plan.", { files: [{ name: "plan.txt", bytes: "step one" }] });

    ada.forwards(source, ada.directChannel());

    await expect.poll(() => bot.messages.length).toBe(1);
    const [message] = bot.messages;
    expect(message).toMatchObject({
      text: "What do you say to this?",
      quoted: [{ author: "(forwarded message)", text: "The plan.", fileNames: ["plan.txt"] }],
    });
    const [file] = message?.attachments ?? [];
    if (!file) throw new Error("the file is not there");
    const bytes = await platform.openFile(file, AbortSignal.timeout(5_000));
    expect(await new Response(bytes).text()).toBe("step one");
  });

  test("attached files come with their names, kinds and alt texts", async () => {
    const { ada, general, bot, platform } = await started();

    ada.mentions(general, "look", {
      files: [{ name: "cat.png", bytes: "cat", contentType: "image/png", description: "A cat" }],
    });

    await expect.poll(() => bot.messages.length).toBe(1);
    const [file] = bot.messages[0]?.attachments ?? [];
    expect(file).toMatchObject({ name: "cat.png", mimeType: "image/png", description: "A cat" });
    if (!file) throw new Error("the file is not there");
    const bytes = await platform.openFile(file, AbortSignal.timeout(5_000));
    expect(await new Response(bytes).text()).toBe("cat");
  });

  test("a voice message is a message with its sound", async () => {
    const { ada, bot } = await started();

    ada.voiceMessage(ada.directChannel(), Buffer.from("sound"));

    await expect.poll(() => bot.messages.length).toBe(1);
    expect(bot.messages[0]?.text).toBe("[voice message]");
    expect(bot.messages[0]?.attachments).toMatchObject([
      { name: "voice-message.ogg", mimeType: "audio/ogg", bytes: 5 },
    ]);
  });

  test("a bare mention is answered with help", async () => {
    const { discord, ada, general, bot } = await started();
    bot.onCommand = async () => ({ ok: true, text: "Mention me with a question." });

    ada.mentions(general, "");

    await expect.poll(() => discord.replies(general)).toHaveLength(1);
    expect(bot.commandsGiven).toMatchObject([{ text: "help" }]);
    expect(bot.messages).toEqual([]);
  });
});

describe("changes", () => {
  test("an edit is told once with the whole message, and a preview is none", async () => {
    const { discord, ada, general, bot } = await started();
    const message = ada.mentions(general, "first");
    await expect.poll(() => bot.messages.length).toBe(1);

    discord.world.changeMessage(message, { embeds: [{ title: "A preview" }] });
    ada.edits(message, `<@${discord.botId}> second`);

    await expect.poll(() => bot.amendments.length).toBe(1);
    expect(bot.amendments[0]).toMatchObject({
      eventId: `discord:${message.id}`,
      by: { key: `discord:${ada.id}` },
      change: { type: "edited", message: { text: "second" } },
    });
  });

  test("an edit whose words cannot be read empties nothing", async () => {
    const scene = await started(withoutContent);
    const { discord, ada, bot } = scene;
    const thread = await ownThread(scene);
    const hidden = ada.posts(thread, "cannot be read");
    const heard = ada.mentions(thread, "can be read");
    await expect.poll(() => bot.messages.length).toBe(1);

    ada.edits(hidden, "cannot be read, either");
    ada.edits(heard, `<@${discord.botId}> can be read, too`);

    await expect
      .poll(() => bot.amendments.map(({ eventId }) => eventId))
      .toEqual([`discord:${heard.id}`]);
  });

  test("a mention that is added later is a message", async () => {
    const { discord, ada, general, bot } = await started();
    bot.onAmend = async () => ({ state: "unknown" });
    const message = ada.posts(general, "what is a bobbin?");

    ada.edits(message, `<@${discord.botId}> what is a bobbin?`);

    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["what is a bobbin?"]);
  });

  test("who changes what was answered is offered another answer", async () => {
    const { discord, ada, general, bot } = await started();
    bot.onAmend = async () => ({ state: "answered", runId: "run_1" });
    const message = ada.mentions(general, "first");
    await expect.poll(() => bot.messages.length).toBe(1);

    ada.edits(message, `<@${discord.botId}> second`);

    await expect.poll(() => discord.replies(general)).toHaveLength(1);
    expect(discord.replies(general)[0]).toMatchObject({
      text: "-# You changed a message that I have answered.",
      controls: ["Answer the new version"],
      notified: [],
    });
  });

  test("a deletion is told of what was handed over, and of nothing else", async () => {
    const { discord, ada, general, bot } = await started();
    const idle = ada.posts(general, "to nobody");
    const message = ada.mentions(general, "for the bot");
    const direct = ada.directMessage("for the bot, too");
    await expect.poll(() => bot.messages.length).toBe(2);

    ada.deletes(idle);
    ada.deletes(message);
    ada.deletes(direct);

    await expect
      .poll(() => bot.amendments.map(({ eventId }) => eventId).toSorted())
      .toEqual([`discord:${message.id}`, `discord:${direct.id}`].toSorted());
    for (const { change } of bot.amendments) expect(change).toEqual({ type: "deleted" });
    expect(discord.complaints).toEqual([]);
  });
});

describe("what is said beside the answers", () => {
  test("a waiting message says so, and takes it back when its turn has come", async () => {
    const { discord, ada, bot } = await started();
    const direct = ada.directChannel();
    const conversationKey = `discord:dm:${direct.id}`;
    bot.onMessage = async () => ({ status: "accepted", position: 2, conversationKey });

    ada.directMessage("me, too");

    await expect
      .poll(() => discord.replies(direct).map(({ text }) => text))
      .toEqual(["-# I am answering something else here; 2 messages are before this one."]);
    bot.tellQueue(conversationKey, []);
    await expect.poll(() => discord.replies(direct)).toEqual([]);
  });

  test("who waits behind somebody's decision can decline it", async () => {
    const { discord, ada, general, bot } = await started();
    bot.onMessage = async ({ place }) => ({
      status: "accepted",
      position: 1,
      conversationKey: place.threadKey,
      waitingFor: { personName: "Grace", requestId: "request_1" },
    });

    ada.mentions(general, "hello?");

    await expect.poll(() => discord.replies(general)).toHaveLength(1);
    expect(discord.replies(general)[0]).toMatchObject({
      text: "-# I am waiting for Grace to decide something first.",
      controls: ["Decline and answer me"],
    });
  });

  test("a text command is answered to its author alone", async () => {
    const { discord, ada, general, bot } = await started();
    bot.onMessage = async () => ({
      status: "command",
      answer: {
        ok: true,
        text: "The model is **x**.",
        choices: [{ label: "List", command: "list" }],
      },
    });

    ada.mentions(general, "/model");

    await expect.poll(() => discord.replies(ada.directChannel())).toHaveLength(1);
    expect(discord.replies(ada.directChannel())[0]).toMatchObject({
      text: "The model is **x**.",
      controls: ["List"],
    });
    expect(discord.replies(general)).toEqual([]);
  });

  test("a stop that worked is seen on the answer, and not said again", async () => {
    const { discord, ada, general, bot } = await started();
    bot.onMessage = async ({ text }) => ({
      status: "command",
      answer: text === "stop" ? { ok: true, text: "Stopped." } : { ok: true, text: "Done." },
    });

    ada.mentions(general, "stop");
    ada.mentions(general, "/new");

    await expect
      .poll(() => discord.replies(ada.directChannel()).map(({ text }) => text))
      .toEqual(["Done."]);
  });

  test("who takes no direct messages is told how to ask", async () => {
    const { discord, ada, general, bot } = await started();
    ada.closesDirectMessages();
    bot.onMessage = async () => ({ status: "command", answer: { ok: true, text: "Secret." } });

    ada.mentions(general, "/context");

    await expect.poll(() => discord.replies(general)).toHaveLength(1);
    expect(discord.replies(general)[0]?.text).toMatch(/Use `\/assistant` here/);
  });

  test("what is refused is said where it was asked, or directly where that is not allowed", async () => {
    const { discord, ada, general, bot } = await started();
    bot.onMessage = async () => ({ status: "refused", words: "Too many messages wait." });

    ada.mentions(general, "one more");
    await expect
      .poll(() => discord.replies(general).map(({ text }) => text))
      .toEqual(["Too many messages wait."]);
    discord.denyBot(general, "SendMessages");
    ada.mentions(general, "and another");
    await expect
      .poll(() => discord.replies(ada.directChannel()).map(({ text }) => text))
      .toEqual(["Too many messages wait."]);
    const refused = discord.invalidRequests;

    // What was refused is not asked again so soon.
    ada.mentions(general, "and a third");
    await expect.poll(() => discord.replies(ada.directChannel())).toHaveLength(2);
    expect(discord.invalidRequests).toBe(refused);
  });

  test("a message that cannot be stored is tried again, and is never answered twice", async () => {
    const { ada, general, bot } = await started();
    let failures = 2;
    bot.onMessage = async ({ place }) => {
      failures -= 1;
      if (failures >= 0) throw new Error("the disk is full");
      return { status: "accepted", position: 0, conversationKey: place.threadKey };
    };

    ada.mentions(general, "hello");

    await expect.poll(() => bot.messages.length, { timeout: 10_000 }).toBe(1);
  });
});

/** A thread the bot has opened by answering in it. */
async function ownThread({
  ada,
  bot,
  discord,
  general,
  platform,
}: Awaited<ReturnType<typeof started>>) {
  const message = ada.mentions(general, "hello");
  await expect.poll(() => bot.messages.length).toBe(1);
  bot.messages.splice(0);
  const target = targetFor({ channel: general, message, person: ada });
  const reply = platform.openReply(target, new MemoryJournal(target.runId));
  await reply.finish({ ...emptyView(target.runId), text: "An answer.", status: "completed" });
  const thread = discord.threadOn(message);
  if (!thread) throw new Error("no thread was opened");
  return thread;
}
