import { describe, expect, onTestFinished, test } from "vitest";
import { commandSpecs } from "../../../src/commands.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { type DiscordServer, ManualClock } from "../../wire/discord/discord-server.ts";
import { discordForTest } from "../../wire/discord/tiny-bot.ts";
import { createDiscord, type DiscordOptions } from "./discord-harness.ts";

async function started(options: DiscordOptions & { readonly clock?: ManualClock } = {}) {
  const { clock, ...rest } = options;
  const discord = await discordForTest(clock ? { clock } : {});
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  const bot = await begin(discord, rest);
  return { discord, ada, general, bot };
}

async function begin(discord: DiscordServer, options: DiscordOptions = {}): Promise<FakeBot> {
  const bot = new FakeBot();
  bot.specs = commandSpecs;
  const platform = createDiscord(discord, options);
  onTestFinished(() => platform.stop());
  await platform.start(bot);
  return bot;
}

const writes = (discord: DiscordServer) =>
  discord.requests().filter(({ method, path }) => method === "PUT" && path.endsWith("/commands"));

describe("registration", () => {
  test("the whole grammar is there, for everybody and for managers", async () => {
    const { discord, ada, general } = await started();
    expect(discord.commands().map(({ name, type }) => [name, type])).toEqual([
      ["assistant", 1],
      ["assistant-admin", 1],
      ["Ask the assistant", 3],
    ]);
    const [everybody, managers] = discord.commands();
    const words = everybody?.options?.map(({ name }) => name);
    expect(words).toEqual(["ask", ...commandSpecs.map(({ name }) => name)]);
    expect(managers?.options?.map(({ name }) => name)).toContain("model");
    expect(managers?.options?.map(({ name }) => name)).not.toContain("stop");
    expect(() => ada.slash(general, "assistant-admin settings")).toThrow("does not see");
    expect(discord.complaints).toEqual([]);
  });

  test("is done once, and again only when something has changed", async () => {
    const ledger = new MemoryLedger();
    const { discord } = await started({ ledger });
    expect(writes(discord)).toHaveLength(1);
    await begin(discord, { ledger });
    expect(writes(discord)).toHaveLength(1);

    const changed = new FakeBot();
    changed.specs = commandSpecs.slice(0, 3);
    const platform = createDiscord(discord, { ledger });
    onTestFinished(() => platform.stop());
    await platform.start(changed);
    expect(writes(discord)).toHaveLength(2);
    expect(discord.commands()[0]?.options).toHaveLength(4);
  });

  test("is done again when another program has changed the commands", async () => {
    const ledger = new MemoryLedger();
    const { discord } = await started({ ledger });
    discord.world.commands.clear();
    await begin(discord, { ledger });
    expect(discord.commands()).toHaveLength(3);
  });

  test("for given servers it is nowhere else, and is taken away where it no longer belongs", async () => {
    const ledger = new MemoryLedger();
    const { discord } = await started({ ledger });
    await begin(discord, { ledger, commandGuilds: [discord.guild.id] });
    expect(discord.commands()).toEqual([]);
    expect(discord.commands(discord.guild)).toHaveLength(3);
    await begin(discord, { ledger });
    expect(discord.commands()).toHaveLength(3);
    expect(discord.commands(discord.guild)).toEqual([]);
  });

  test("a server that refuses it harms no other", async () => {
    const discord = await discordForTest();
    const other = discord.addGuild("another");
    discord.faults.always(
      { matches: ({ path }) => path.includes(`/guilds/${other.id}/commands`) },
      { type: "refusal", name: "missingAccess" },
    );
    await begin(discord, { commandGuilds: [other.id, discord.guild.id] });
    expect(discord.commands(discord.guild)).toHaveLength(3);
  });
});

describe("/assistant", () => {
  test("carries out what its options say, for who typed it alone", async () => {
    const { ada, general, bot } = await started();
    bot.onCommand = async () => ({ ok: true, text: "Changed." });

    const asked = ada.slash(general, "assistant edit", {
      assistant: "Support",
      field: "instructions",
      value: "Be brief.",
    });

    await expect.poll(() => asked.answer?.text).toBe("Changed.");
    expect(asked.answer).toMatchObject({ isEphemeral: true, isLoading: false });
    expect(bot.commandsGiven).toMatchObject([
      {
        text: "edit Support instructions Be brief.",
        knowsThread: false,
        role: "person",
        person: { key: `discord:${ada.id}`, name: "ada" },
        place: { channelName: "general", isDirect: false },
      },
    ]);
  });

  test("fills in a word that could only be one", async () => {
    const { ada, general, bot } = await started();
    const asked = ada.slash(general, "assistant create", { name: "Support", text: "Be kind." });
    await expect.poll(() => asked.answer).toBeDefined();
    expect(bot.commandsGiven[0]?.text).toBe("create Support instructions Be kind.");
  });

  test("knows its thread, and that a direct message is one", async () => {
    const { ada, general, bot } = await started();
    const thread = ada.startsThread(general, "ours");
    ada.slash(thread, "assistant stop", { what: "all" });
    await expect.poll(() => bot.commandsGiven.length).toBe(1);
    ada.slash(ada.directChannel(), "assistant status");
    await expect.poll(() => bot.commandsGiven.length).toBe(2);
    expect(bot.commandsGiven).toMatchObject([
      {
        text: "stop all",
        knowsThread: true,
        place: { threadKey: expect.stringContaining(thread.id), channelName: "general" },
      },
      { text: "status", knowsThread: true, place: { isDirect: true } },
    ]);
  });

  test("is answered by managers of the server as such, and by who runs the bot as an admin", async () => {
    const { discord, ada, general, bot } = await started();
    discord.addRole("moderators", ["ManageGuild"], { for: [ada.id] });
    ada.slash(general, "assistant-admin model", { model: "x" });
    await expect.poll(() => bot.commandsGiven.length).toBe(1);
    discord.owner.slash(general, "assistant model", { model: "x" });
    await expect.poll(() => bot.commandsGiven.length).toBe(2);
    expect(bot.commandsGiven.map(({ role }) => role)).toEqual(["manager", "admin"]);
  });

  test("completes assistants, models and tools while they are typed", async () => {
    const { ada, general, bot } = await started();
    bot.onComplete = async ({ text }) => [{ value: `${text}5`, label: "gpt-5" }];
    const typing = ada.completes(general, "assistant model", { model: "gp" });
    await expect.poll(() => typing.choices).toEqual([{ name: "gpt-5", value: "gpt-5" }]);
    ada.completes(general, "assistant tools", { tool: "web" });
    await expect
      .poll(() => bot.completionsAsked.map(({ text }) => text))
      .toEqual(["model gp", "tools list web"]);
  });

  test("offers what can be done next, and a long answer comes in parts", async () => {
    const { ada, general, bot } = await started();
    bot.onCommand = async ({ text }) =>
      text === "status"
        ? {
            ok: true,
            text: "A line of an answer.\n\n".repeat(150),
            choices: [{ label: "The first", command: "stop in discord:1:2" }],
          }
        : { ok: true, text: "Stopped." };
    const asked = ada.slash(general, "assistant status");
    await expect.poll(() => asked.followUps).toHaveLength(1);
    const [last] = asked.followUps;
    expect(last).toMatchObject({ isEphemeral: true, controls: ["The first"] });
    if (!last) throw new Error("nothing is offered");
    const pressed = ada.presses(last, "The first");
    await expect.poll(() => pressed.answer?.text).toBe("Stopped.");
    expect(bot.commandsGiven.at(-1)?.text).toBe("stop in discord:1:2");
  });

  test("hands over a file", async () => {
    const { ada, general, bot } = await started();
    const data = new TextEncoder().encode("{}\n");
    const file = { name: "talk.jsonl", mimeType: "application/jsonl", data };
    bot.onCommand = async () => ({ ok: true, text: "Here it is.", file });
    const asked = ada.slash(general, "assistant export");
    await expect.poll(() => asked.answer?.files.map(({ name }) => name)).toEqual(["talk.jsonl"]);
  });

  test("that is answered too late is answered directly", async () => {
    const clock = new ManualClock();
    const { discord, ada, general, bot } = await started({ clock });
    const { promise, resolve } = Promise.withResolvers<void>();
    bot.onCommand = async () => {
      await promise;
      return { ok: true, text: "At last." };
    };
    const asked = ada.slash(general, "assistant status");
    await expect.poll(() => asked.answer?.isLoading).toBe(true);
    clock.advance(15 * 60_000);
    resolve();
    await expect
      .poll(() => discord.replies(ada.directChannel()).map(({ text }) => text))
      .toEqual(["At last."]);
  });

  test("whose first answer comes after three seconds is carried out, and answered directly", async () => {
    const { discord, ada, general, bot } = await started();
    discord.faults.next(
      { route: "/interactions/:interaction/:token/callback" },
      { type: "refusal", name: "unknownInteraction" },
    );
    ada.slash(general, "assistant new");
    await expect
      .poll(() => discord.replies(ada.directChannel()).map(({ text }) => text))
      .toEqual(["did new"]);
    expect(bot.commandsGiven).toHaveLength(1);
  });

  test("whose first answer got lost is not stuck", async () => {
    const { discord, ada, general } = await started();
    discord.faults.next(
      { route: "/interactions/:interaction/:token/callback" },
      { type: "reset", accepted: true },
    );
    const asked = ada.slash(general, "assistant new");
    await expect.poll(() => asked.answer?.text, { timeout: 10_000 }).toBe("did new");
  });

  test("that fails says so", async () => {
    const { ada, general, bot } = await started();
    bot.onCommand = async () => {
      throw new Error("the disk is full");
    };
    const asked = ada.slash(general, "assistant new");
    await expect.poll(() => asked.answer?.text).toMatch(/Something went wrong on my side/);
    expect(asked.answer?.text).not.toContain("disk");
  });

  test("of who may not is refused for their eyes only", async () => {
    const { ada, general, bot } = await started({ policy: { allowedUsers: ["1"] } });
    const asked = ada.slash(general, "assistant status");
    await expect.poll(() => asked.answer?.text).toMatch(/not among the people/);
    expect(asked.answer?.isEphemeral).toBe(true);
    expect(bot.commandsGiven).toEqual([]);
  });
});

describe("asking", () => {
  test("/assistant ask shows the question and hands it over with its file", async () => {
    const { discord, ada, general, bot } = await started();

    const asked = ada.slash(general, "assistant ask", {
      question: "What is in @everyone's file?",
      file: { name: "a.txt", bytes: "abc" },
    });

    await expect.poll(() => bot.messages.length).toBe(1);
    expect(asked.answer).toMatchObject({
      text: "**ada** asks:\n> What is in @everyone's file?",
      isEphemeral: false,
      notified: [],
    });
    const shown = discord.replies(general).at(-1);
    expect(bot.messages[0]).toMatchObject({
      text: "What is in @everyone's file?",
      author: { key: `discord:${ada.id}` },
      attachments: [{ name: "a.txt", bytes: 3 }],
      place: {
        threadKey: `discord:${discord.guild.id}:${shown?.id}`,
        target: { message: shown?.id, channel: general.id, thread: expect.stringMatching(/^What/) },
      },
    });
  });

  test("Ask the assistant asks about a message, read without the intent", async () => {
    const { discord, ada, general, bot } = await started();
    const grace = discord.addPerson("grace");
    const message = grace.posts(general, "The plan is to wait.", {
      files: [{ name: "plan.txt", bytes: "wait" }],
    });

    const used = ada.usesMessageCommand(message, "Ask the assistant");
    await expect.poll(() => used.status).toBe("modal");
    const sent = ada.submits(used, { "What do you want to know about it?": "Is that wise?" });

    await expect.poll(() => bot.messages.length).toBe(1);
    expect(sent.answer?.text).toMatch(
      /^\*\*ada\*\* asks about \[a message\]\(<http.*>\):\n> Is that wise\?$/,
    );
    expect(bot.messages[0]).toMatchObject({
      text: "Is that wise?",
      author: { name: "ada" },
      quoted: [{ author: "grace", text: "The plan is to wait.", fileNames: ["plan.txt"] }],
      attachments: [{ name: "plan.txt" }],
    });
    expect(() => ada.submits(used, {})).not.toThrow();
    await expect.poll(() => bot.messages.length).toBe(1);
  });

  test("a question that is refused does not stay there", async () => {
    const { discord, ada, general, bot } = await started();
    bot.onMessage = async () => ({ status: "refused", words: "Too many messages wait." });
    const asked = ada.slash(general, "assistant ask", { question: "Why?" });
    await expect
      .poll(() => asked.followUps.map(({ text }) => text))
      .toEqual(["Too many messages wait."]);
    expect(discord.replies(general)).toEqual([]);
  });
});

describe("settings", () => {
  const panel = {
    title: "Settings of #general",
    text: "They hold from the next message on.",
    fields: [
      {
        command: "model =",
        label: "Model",
        value: "",
        multiline: false,
        choices: [
          { value: "", label: "Bobbin's own" },
          { value: "gpt-5", label: "gpt-5" },
        ],
      },
      { command: "context me =", label: "What to know about you", value: "", multiline: true },
      {
        command: "scope =",
        label: "Conversations",
        value: "thread",
        multiline: false,
        locked: "Only a manager may choose.",
      },
    ],
  };

  test("are a panel, and each is changed in a modal", async () => {
    const { ada, general, bot } = await started();
    bot.panel = panel;

    const asked = ada.slash(general, "assistant settings");
    await expect.poll(() => asked.answer?.text).toMatch(/Settings of #general/);
    expect(asked.answer?.isEphemeral).toBe(true);
    expect(asked.answer?.text).toContain("Only a manager may choose.");
    const shown = asked.answer;
    if (!shown) throw new Error("no panel");
    expect(() => ada.selects(shown, "Change a setting", ["Conversations"])).toThrow();

    const chosen = ada.selects(shown, "Change a setting", ["Model"]);
    await expect.poll(() => chosen.status).toBe("modal");
    bot.onCommand = async ({ text }) => ({ ok: true, text: `did ${text}` });
    const sent = ada.submits(chosen, { Model: ["1"] });
    await expect.poll(() => bot.commandsGiven.map(({ text }) => text)).toEqual(["model = gpt-5"]);
    await expect.poll(() => sent.followUps.map(({ text }) => text)).toEqual(["did model = gpt-5"]);

    const again = ada.selects(shown, "Change a setting", ["What to know about you"]);
    await expect.poll(() => again.status).toBe("modal");
    ada.submits(again, { "What to know about you": "I like brevity." });
    await expect.poll(() => bot.commandsGiven.at(-1)?.text).toBe("context me = I like brevity.");
  });
});
