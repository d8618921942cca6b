import {
  ActionRowBuilder,
  ApplicationCommandType,
  ButtonBuilder,
  ButtonStyle,
  type ChatInputCommandInteraction,
  type Client,
  ContextMenuCommandBuilder,
  Events,
  type Interaction,
  LabelBuilder,
  MessageFlags,
  ModalBuilder,
  SlashCommandBuilder,
  StringSelectMenuBuilder,
  TextInputBuilder,
  TextInputStyle,
} from "discord.js";
import { describe, expect, test } from "vitest";
import { ManualClock } from "./discord-server.ts";
import { codeOf, connectBot, discordForTest } from "./tiny-bot.ts";

const commands = [
  new SlashCommandBuilder()
    .setName("assistant")
    .setDescription("The assistant")
    .addSubcommand((one) =>
      one
        .setName("use")
        .setDescription("Chooses one")
        .addStringOption((option) =>
          option.setName("name").setDescription("Which").setRequired(true).setAutocomplete(true),
        )
        .addAttachmentOption((option) => option.setName("file").setDescription("A file")),
    ),
  new ContextMenuCommandBuilder()
    .setName("Ask the assistant")
    .setType(ApplicationCommandType.Message),
];

async function scene(handle: (interaction: Interaction, client: Client) => Promise<unknown>) {
  const clock = new ManualClock();
  const discord = await discordForTest({ clock });
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  const codes: (number | string)[] = [];
  const client = await connectBot(discord, (bot) => {
    bot.on(Events.InteractionCreate, (interaction) => {
      void codeOf(handle(interaction, bot)).then((code) => codes.push(code));
    });
  });
  await client.application.commands.set(commands.map((one) => one.toJSON()));
  return { clock, discord, ada, general, codes, client };
}

const use = (interaction: Interaction): ChatInputCommandInteraction => {
  if (!interaction.isChatInputCommand()) throw new Error("no slash command");
  return interaction;
};

test("commands are registered by overwriting and keep their ids", async () => {
  const { discord, client } = await scene(async () => undefined);
  const before = discord.commands().map(({ id, name }) => [id, name]);

  await client.application.commands.set(commands.map((one) => one.toJSON()));

  expect(discord.commands().map(({ id, name }) => [id, name])).toEqual(before);
  const bad = { name: "Bad Name", description: "x" };
  expect(await codeOf(client.application.commands.set([bad]))).toBe(50035);
  expect(discord.commands()).toHaveLength(2);
});

test("a slash command with its options is answered to the person alone", async () => {
  const { discord, ada, general } = await scene(async (interaction) => {
    const { options } = use(interaction);
    const file = options.getAttachment("file");
    await use(interaction).reply({
      content: `${options.getSubcommand()} ${options.getString("name")} ${file?.name}`,
      flags: MessageFlags.Ephemeral,
    });
  });
  const grace = discord.addPerson("grace");

  const asked = ada.slash(general, "assistant use", {
    name: "helper",
    file: { name: "a.txt", bytes: "abc" },
  });

  await expect.poll(() => asked.answer?.text).toBe("use helper a.txt");
  expect(asked.answer?.isEphemeral).toBe(true);
  expect(ada.sees(general)).toHaveLength(1);
  expect(grace.sees(general)).toEqual([]);
  expect(() => ada.slash(general, "assistant use", {})).toThrow("needs name");
});

test("a deferred answer is loading until its edit, by the encoded @original", async () => {
  let edit: (() => Promise<unknown>) | undefined;
  const { discord, ada, general } = await scene(async (interaction) => {
    await use(interaction).deferReply({ flags: MessageFlags.Ephemeral });
    edit = () => use(interaction).editReply({ content: "done" });
  });

  const asked = ada.slash(general, "assistant use", { name: "a" });
  await expect.poll(() => asked.answer?.isLoading).toBe(true);
  await expect.poll(() => edit).toBeDefined();
  await edit?.();

  expect(asked.answer).toMatchObject({ text: "done", isLoading: false, isEphemeral: true });
  expect(asked.answer?.isEdited).toBe(false);
  expect(discord.requests().at(-1)?.path).toMatch(/messages\/@original/);
});

test("autocomplete offers what fits what is typed", async () => {
  const { ada, general } = await scene(async (interaction) => {
    if (!interaction.isAutocomplete()) return;
    const typed = interaction.options.getFocused();
    await interaction.respond([{ name: `${typed}elper`, value: "helper" }]);
  });

  const typing = ada.completes(general, "assistant use", { name: "h" });

  await expect.poll(() => typing.choices).toEqual([{ name: "helper", value: "helper" }]);
});

test("buttons, selects and modals work, and an update changes the message", async () => {
  const row = new ActionRowBuilder<ButtonBuilder>().addComponents(
    new ButtonBuilder().setCustomId("ask").setLabel("Ask me").setStyle(ButtonStyle.Primary),
  );
  const select = new ActionRowBuilder<StringSelectMenuBuilder>().addComponents(
    new StringSelectMenuBuilder()
      .setCustomId("colour")
      .setPlaceholder("Colour")
      .addOptions({ label: "Red", value: "r" }, { label: "Blue", value: "b" }),
  );
  const modal = new ModalBuilder()
    .setCustomId("form")
    .setTitle("A form")
    .addLabelComponents(
      new LabelBuilder()
        .setLabel("Why?")
        .setTextInputComponent(
          new TextInputBuilder().setCustomId("why").setStyle(TextInputStyle.Short),
        ),
    );
  const { discord, ada, general, client } = await scene(async (interaction) => {
    if (interaction.isButton()) await interaction.showModal(modal);
    else if (interaction.isStringSelectMenu()) {
      await interaction.update({ content: `chose ${interaction.values.join()}`, components: [] });
    } else if (interaction.isModalSubmit()) {
      await interaction.reply({ content: interaction.fields.getTextInputValue("why") });
    }
  });
  const channel = await client.channels.fetch(general.id);
  if (!channel?.isSendable()) throw new Error("cannot send");
  await channel.send({ content: "controls", components: [row, select] });
  const [shown] = discord.replies(general);
  if (!shown) throw new Error("nothing shown");
  expect(shown.controls).toEqual(["Ask me", "Colour"]);

  const pressed = ada.presses(shown, "Ask me");
  await expect.poll(() => pressed.status).toBe("modal");
  const submitted = ada.submits(pressed, { "Why?": "because" });
  await expect.poll(() => submitted.answer?.text).toBe("because");
  const chosen = ada.selects(shown, "Colour", ["Blue"]);
  await expect.poll(() => chosen.status).toBe("updated");

  expect(discord.replies(general)[0]).toMatchObject({ text: "chose b", controls: [] });
  expect(() => ada.presses(shown, "Ask me")).toThrow("has no Ask me");
});

test("a message command carries its message, read without the intent", async () => {
  const { ada, general, discord } = await scene(async (interaction) => {
    if (!interaction.isMessageContextMenuCommand()) return;
    await interaction.reply({ content: `about: ${interaction.targetMessage.content}` });
  });
  discord.grant({ messageContent: false });

  const used = ada.usesMessageCommand(ada.posts(general, "the plan"), "Ask the assistant");

  await expect.poll(() => used.answer?.text).toBe("about: the plan");
});

describe("a token dies", () => {
  test("after three seconds without an answer", async () => {
    let reply: (() => Promise<unknown>) | undefined;
    const { clock, ada, general } = await scene(async (interaction) => {
      reply = () => use(interaction).reply({ content: "late" });
    });

    const asked = ada.slash(general, "assistant use", { name: "a" });
    await expect.poll(() => reply).toBeDefined();
    clock.advance(3000);

    expect(asked.status).toBe("failed");
    expect(await codeOf(reply?.() ?? Promise.resolve())).toBe(10062);
    expect(asked.answer).toBeUndefined();
  });

  test("fifteen minutes after it was made", async () => {
    let edit: ((content: string) => Promise<unknown>) | undefined;
    const { clock, ada, general } = await scene(async (interaction) => {
      await use(interaction).reply({ content: "one" });
      edit = (content) => use(interaction).editReply({ content });
    });

    const asked = ada.slash(general, "assistant use", { name: "a" });
    await expect.poll(() => edit).toBeDefined();
    clock.advance(899_000);
    expect(await codeOf(edit?.("two") ?? Promise.resolve())).toBe(0);
    clock.advance(1000);
    expect(await codeOf(edit?.("three") ?? Promise.resolve())).toBe(50027);

    expect(asked.answer?.history).toEqual(["one", "two"]);
  });

  test("not by answering twice, which is refused", async () => {
    const { ada, general, client } = await scene(async (interaction) => {
      await use(interaction).reply({ content: "one" });
    });

    const asked = ada.slash(general, "assistant use", { name: "a" });
    await expect.poll(() => asked.answer?.text).toBe("one");
    const { id, token } = asked.state;
    const again = client.rest.post(`/interactions/${id}/${token}/callback`, {
      body: { type: 4, data: { content: "two" } },
      auth: false,
    });

    expect(await codeOf(again)).toBe(40060);
  });

  test("and has no webhook before the first answer", async () => {
    const { ada, general, client } = await scene(async () => undefined);

    const asked = ada.slash(general, "assistant use", { name: "a" });
    const early = client.rest.post(`/webhooks/${client.application.id}/${asked.state.token}`, {
      body: { content: "early" },
      auth: false,
    });

    expect(await codeOf(early)).toBe(10015);
  });
});
