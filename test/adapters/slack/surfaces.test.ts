import { describe, expect, test } from "vitest";
import type { Place } from "#domain/conversation";
import { emptyView } from "#domain/reply-view";
import type { Overview } from "#ports/bot";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import type { SlackServer } from "../../wire/slack/slack-server.ts";
import { type SlackOptions, startSlack, type Transport } from "./slack-harness.ts";

const started = (transport: Transport = "socket", options: SlackOptions = {}) =>
  startSlack({ ...options, transport });

function placeIn(slack: SlackServer, at: { channel: string; ts: string; name: string }): Place {
  const { channel, ts: threadTs, name: channelName } = at;
  const team = slack.workspace.id;
  return {
    platform: "slack",
    channelKey: `slack:${team}:${channel}`,
    channelName,
    threadKey: `slack:${team}:${channel}:${threadTs}`,
    isDirect: channel.startsWith("D"),
    target: { team, channel, threadTs },
  };
}

const suggestions = [{ title: "What can you do?", message: "What can you help me with?" }];

describe.each(["socket", "http"] as const)("the Home tab over %s", (transport) => {
  async function atHome() {
    const world = await started(transport);
    const { slack, bot, ada, general } = world;
    const question = ada.posts(general, "tea or <coffee>?");
    const place = placeIn(slack, { channel: general.id, ts: question.ts, name: "general" });
    const home = placeIn(slack, { channel: ada.directChannel().id, ts: "0", name: "" });
    const overview: Overview = {
      conversations: [
        { title: "tea or <coffee>?", place, updatedAtMs: Date.UTC(2026, 10, 21), isBusy: true },
      ],
      channels: [
        { place: home, assistant: "Bobbin", model: "gpt-5.5", suggestions },
        { place, assistant: "Support", model: "gpt-5.5-mini", suggestions },
      ],
    };
    bot.shownOverview = overview;
    ada.opensHome();
    await expect.poll(() => ada.home?.text).toContain("Hello, ada");
    return { ...world, question };
  }

  test("shows who answers where, what was talked about last, and how to begin", async () => {
    const { ada, general } = await atHome();
    expect(ada.home?.text).toContain("Support · `gpt-5.5-mini`");
    expect(ada.home?.text).toContain("tea or <coffee>?");
    expect(ada.home?.text).toContain("being answered");
    expect(JSON.stringify(ada.home?.blocks)).toContain(`/archives/${general.id}/p`);
    expect(ada.home?.controls).toEqual([
      "All commands",
      "All assistants",
      "My usage",
      "Settings",
      "Settings",
    ]);
  });

  test("opens help in a modal", async () => {
    const { bot, ada } = await atHome();
    bot.onCommand = async () => ({ ok: true, text: "**Commands**\n- `/assistant help`" });
    await ada.presses("home", "All commands");
    await expect.poll(() => ada.modal?.text).toContain("/assistant help");
    expect(bot.commandsGiven).toMatchObject([{ text: "help", place: { isDirect: true } }]);
  });

  test("opens a channel's settings, and shows what was saved", async () => {
    const { bot, ada, general } = await atHome();
    const field = { command: "context channel =", label: "About", value: "", multiline: true };
    bot.panel = { title: "Settings of general", text: "Bobbin answers.", fields: [field] };
    // The first of the two is the direct messages' own.
    await ada.presses("home", general.id);
    await expect.poll(() => ada.modal?.text).toContain("Settings of general");
    bot.shownOverview = { conversations: [], channels: [] };
    await ada.submits({ [field.command]: "We make lace." });
    expect(bot.commandsGiven).toMatchObject([
      { text: "context channel = We make lace.", place: { channelName: "general" } },
    ]);
    await expect.poll(() => ada.home?.text).toContain("None yet");
  });
});

test("somebody who is not on the list is told so on the Home tab", async () => {
  const { ada } = await started("socket", { policy: { allowedUsers: ["U0OTHER"] } });
  ada.opensHome();
  await expect.poll(() => ada.home?.text).toContain("not among the people I may answer");
});

test("the Messages tab suggests what to ask, set once for as long as it stays the same", async () => {
  const { slack, bot, ada } = await started();
  const place = placeIn(slack, { channel: ada.directChannel().id, ts: "0", name: "" });
  const channel = { place, assistant: "Bobbin", model: "m", suggestions };
  bot.shownOverview = { conversations: [], channels: [channel] };
  ada.opensMessages();
  await expect.poll(() => slack.prompts(ada.directChannel())?.prompts).toEqual(suggestions);
  ada.opensMessages();
  ada.opensHome();
  await expect.poll(() => ada.home?.text).toContain("Hello");
  expect(slack.calls("assistant.threads.setSuggestedPrompts")).toHaveLength(1);
});

test("who invites the bot is greeted, and nobody else hears it", async () => {
  const { slack, ada, grace } = await started();
  const fresh = slack.addChannel("fresh", { members: [ada, grace], withBot: false });
  ada.invitesBot(fresh);
  await expect
    .poll(() => ada.sees(fresh).map(({ text }) => text)[0])
    .toContain("Mention me with a question");
  expect(grace.sees(fresh)).toEqual([]);
  expect(slack.replies(fresh)).toEqual([]);
});

describe.each(["socket", "http"] as const)("settings over %s", (transport) => {
  const models = [
    { value: "", label: "Bobbin's own" },
    { value: "gpt-5.5", label: "gpt-5.5" },
  ];
  const model = {
    command: "model =",
    label: "Model",
    value: "",
    multiline: false,
    choices: models,
  };
  const about = {
    command: "context me =",
    label: "About you",
    value: "I knit.",
    multiline: true,
  };
  const cap = {
    command: "settings cap =",
    label: "Cap",
    value: "20",
    multiline: false,
    locked: "Only an admin may set the cap.",
  };

  async function opened() {
    const world = await started(transport);
    world.bot.panel = { title: "Settings of general", text: "", fields: [model, about, cap] };
    await world.ada.types("/assistant settings", world.general);
    await expect.poll(() => world.ada.modal?.text).toContain("Settings of general");
    return world;
  }

  test("are a form, in which what somebody may not change says why", async () => {
    const { ada } = await opened();
    expect(ada.modal?.text).toContain("Only an admin may set the cap.");
    expect(ada.modal?.submit).toBe("Save");
    expect(JSON.stringify(ada.modal?.blocks)).not.toContain('"block_id":"settings cap ="');
  });

  test("save what was changed and nothing else, and say so", async () => {
    const { bot, ada, general } = await opened();
    const result = await ada.submits({ "model =": "gpt-5.5" });
    expect(result.status).toBe("closed");
    expect(bot.commandsGiven.map(({ text }) => text)).toEqual(["model = gpt-5.5"]);
    await expect.poll(() => ada.sees(general).at(-1)?.text).toContain("Saved: Model.");
  });

  test("do not set back what somebody else has changed meanwhile", async () => {
    const { bot, ada } = await opened();
    bot.panel = { ...bot.panel, fields: [{ ...model, value: "gpt-5.5" }, about, cap] };
    await ada.submits({ "context me =": "I weave." });
    expect(bot.commandsGiven.map(({ text }) => text)).toEqual(["context me = I weave."]);
  });

  test("say below its field why something was refused", async () => {
    const { bot, ada } = await opened();
    bot.onCommand = async () => ({ ok: false, text: "I know no model `x`." });
    const result = await ada.submits({ "model =": "gpt-5.5" });
    expect(result.status).toBe("errors");
    expect(ada.modal?.errors).toEqual({ "model =": "I know no model x." });
  });

  test("with more choices than a list may hold are looked up while typing", async () => {
    const { bot, ada, general } = await started(transport);
    const choices = Array.from({ length: 150 }, (_, at) => ({
      value: `model-${at}`,
      label: `model-${at}`,
    }));
    bot.panel = { title: "Settings", text: "", fields: [{ ...model, choices }] };
    await ada.types("/assistant settings", general);
    await expect.poll(() => ada.modal?.submit).toBe("Save");
    expect(await ada.looksUp("bobbin_setting", "14")).toEqual([
      "model-14",
      "model-114",
      ...Array.from({ length: 10 }, (_, at) => `model-${140 + at}`),
    ]);
  });
});

test("the settings form is asked for before anything else is looked up", async () => {
  const { slack, ada, general } = await started();
  slack.faults.always("users.info", { type: "silence" });
  await ada.types("/assistant settings", general);
  await expect.poll(() => ada.modal?.title).toBe("Settings");
  slack.faults.clear();
});

test("settings asked for in a thread come in words, with a button for the form", async () => {
  const { bot, ada, general } = await started();
  bot.onMessage = async () => ({ status: "command", answer: { ok: true, text: "All is well." } });
  ada.mentions(general, "/settings");
  const offered = () => ada.sees(general).find(({ isEphemeral }) => isEphemeral);
  await expect.poll(() => offered()?.controls).toEqual(["Open the form"]);
  const offer = offered();
  if (!offer) throw new Error("no offer");
  await ada.presses(offer, "Open the form");
  await expect.poll(() => ada.modal?.title).toBe("Settings");
});

describe.each(["socket", "http"] as const)("Ask the assistant over %s", (transport) => {
  test("answers in a direct message unless told otherwise, with the message quoted", async () => {
    const { slack, bot, ada, grace } = await started(transport);
    // The bot is no member there: the shortcut works all the same.
    const far = slack.addChannel("far", { members: [ada, grace], withBot: false });
    const message = grace.posts(far, `<@${ada.id}> the plan is <tea>`, {
      files: [{ name: "plan.txt", bytes: "x" }],
    });
    await ada.usesShortcut("ask_about_message", message);
    await expect.poll(() => ada.modal?.title).toBe("Ask the assistant");
    const result = await ada.submits({ question: "Is it good?" });
    expect(result.status).toBe("closed");
    const [taken] = bot.messages;
    expect(taken).toMatchObject({
      text: "Is it good?",
      place: { isDirect: true, target: { title: "Is it good?" } },
      author: { name: "ada" },
      quoted: [{ author: "grace", text: "@ada the plan is <tea>", fileNames: ["plan.txt"] }],
      attachments: [{ name: "plan.txt" }],
    });
    const [root] = slack.replies(ada.directChannel());
    expect(root?.text).toContain(`@${ada.id} asks: Is it good?`);
    expect(taken?.place.threadKey.endsWith(String(root?.ts))).toBe(true);
    expect(slack.replies(far)).toEqual([]);
  });

  test("in the thread puts the question there, and hears what is said after it", async () => {
    const { slack, bot, ada, grace, general } = await started(transport);
    const message = grace.posts(general, "the plan");
    await ada.usesShortcut("ask_about_message", message);
    await expect.poll(() => ada.modal?.title).toBe("Ask the assistant");
    await ada.submits({ question: "Is it good?", where: "thread" });
    await expect
      .poll(() => slack.replies(general, message.ts).map(({ text }) => text)[0])
      .toContain(`@${ada.id} asks: Is it good?`);
    expect(bot.messages[0]?.place.threadKey.endsWith(message.ts)).toBe(true);
    grace.posts(general, "and this?", { threadTs: message.ts });
    await slack.settled();
    expect(bot.messages.map(({ text }) => text)).toEqual(["Is it good?", "and this?"]);
  });

  test("in a channel the bot is not in says what to do", async () => {
    const { slack, bot, ada, grace } = await started(transport);
    const far = slack.addChannel("far", { members: [ada, grace], withBot: false });
    const message = grace.posts(far, "the plan");
    await ada.usesShortcut("ask_about_message", message);
    await expect.poll(() => ada.modal?.title).toBe("Ask the assistant");
    const result = await ada.submits({ question: "Is it good?", where: "thread" });
    expect(result.status).toBe("errors");
    expect(ada.modal?.errors.where).toContain("invite me");
    expect(bot.messages).toEqual([]);
  });
});

test("an export comes as a file in a direct message", async () => {
  const { slack, bot, ada, general } = await started();
  const data = new TextEncoder().encode("{}\n");
  bot.onCommand = async () => ({
    ok: true,
    text: "Here is this conversation.",
    file: { name: "conversation.jsonl", mimeType: "application/jsonl", data },
  });
  await ada.types("/assistant export", general);
  await expect
    .poll(() => slack.replies(ada.directChannel()).flatMap(({ files }) => files))
    .toMatchObject([{ name: "conversation.jsonl", altText: "Here is this conversation." }]);
  await expect.poll(() => ada.sees(general).at(-1)?.text).toContain("as a direct message");
  expect(slack.replies(general)).toEqual([]);
});

test("an export that cannot be sent says why", async () => {
  const { slack, bot, ada, general } = await started();
  slack.uploads.refusal = "file_uploads_disabled";
  const data = new TextEncoder().encode("{}\n");
  const file = { name: "conversation.jsonl", mimeType: "application/jsonl", data };
  bot.onCommand = async () => ({ ok: true, text: "Here.", file });
  await ada.types("/assistant export", general);
  await expect
    .poll(() => ada.sees(general).at(-1)?.text)
    .toContain("this workspace does not allow uploads");
});

test("group messages are answered where the bot is mentioned, and then in that thread", async () => {
  const { slack, bot, ada, grace } = await started();
  const group = slack.addChannel("mpdm-ada--grace-1", { type: "mpim", members: [ada, grace] });
  ada.posts(group, "between us");
  const root = ada.posts(group, `<@${slack.botUserId}> hello`);
  await slack.settled();
  grace.posts(group, "me too", { threadTs: root.ts });
  await slack.settled();
  expect(bot.messages.map(({ text, place }) => [text, place.channelName])).toEqual([
    ["hello", "group message"],
    ["me too", "group message"],
  ]);
});

test("a conversation is named after its first message, unless somebody named it", async () => {
  const { slack, bot, platform, ada } = await started();
  const first = ada.directMessage("Tea: which one?");
  const second = ada.directMessage("Coffee");
  ada.directMessage("and milk", { threadTs: second.ts });
  await slack.settled();
  const direct = ada.directChannel();
  ada.renamesSession(direct, second.ts, "Mine");
  await slack.settled();
  const titles = () => [first, second].map(({ ts }) => slack.session(direct, ts)?.title);
  for (const { eventId, place, author } of bot.messages) {
    const target = {
      runId: `run-${eventId}`,
      conversationKey: place.channelKey,
      answers: [eventId],
    };
    const reply = platform.openReply(
      { ...target, target: place.target, asker: author },
      new MemoryJournal(target.runId),
    );
    const text = "Long enough to be streamed while it grows. ";
    reply.show({ ...emptyView(target.runId), text });
    await expect.poll(() => slack.liveStreams.length).toBe(1);
    await reply.finish({ ...emptyView(target.runId), text, status: "completed" });
  }
  await expect.poll(titles).toEqual(["Tea which one?", "Mine"]);
  expect(slack.calls("agents.sessions.rename")).toHaveLength(1);
});
