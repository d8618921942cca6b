import { describe, expect, onTestFinished, test } from "vitest";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { MemoryProcesses } from "../../fakes/memory-processes.ts";
import { slackForTest } from "../../wire/slack/slack-for-test.ts";
import type { SlackServer } from "../../wire/slack/slack-server.ts";
import { createSlack, startSlack } from "./slack-harness.ts";

function idOf(slack: SlackServer, { channelId, ts }: { channelId: string; ts: string }): string {
  return `slack:${slack.workspace.id}:${channelId}:${ts}`;
}

describe.each(["socket", "http"] as const)("over %s", (transport) => {
  test("a mention and its twin are one message, without the mention and with names", async () => {
    const { slack, bot, ada, grace, general } = await startSlack({ transport });
    const message = ada.mentions(general, `ask <@${grace.id}> &amp; tell <#${general.id}>`);
    await slack.settled();
    expect(bot.messages.filter(({ eventId }) => eventId === idOf(slack, message))).toHaveLength(1);
    expect(bot.messages[0]).toMatchObject({
      text: "ask @grace & tell #general",
      author: { key: `slack:${slack.workspace.id}:${ada.id}`, name: "ada" },
      place: { platform: "slack", channelName: "general", isDirect: false },
    });
  });

  test("an event is acknowledged only once its message is stored", async () => {
    const { slack, bot, ada } = await startSlack({ transport });
    const stored = Promise.withResolvers<void>();
    bot.onMessage = async (message) => {
      await stored.promise;
      return { status: "accepted", position: 0, conversationKey: message.place.threadKey };
    };
    ada.directMessage("hello");
    await expect.poll(() => slack.deliveries.length).toBe(1);
    expect(slack.deliveries[0]?.state).toBe("pending");
    stored.resolve();
    await slack.settled();
    expect(slack.deliveries[0]?.state).toBe("acknowledged");
  });

  test("what could not be stored is sent again and then stored", async () => {
    const { slack, bot, ada } = await startSlack({ transport });
    let failures = 1;
    bot.onMessage = async (message) => {
      if (failures-- > 0) throw new Error("disk full");
      return { status: "accepted", position: 0, conversationKey: message.place.threadKey };
    };
    ada.directMessage("hello");
    await expect
      .poll(() => bot.messages.map(({ text }) => text), { timeout: 10_000 })
      .toEqual(["hello"]);
    await slack.settled();
    expect(slack.deliveries[0]?.state).toBe("acknowledged");
  });

  test("deliveries made three times are one message", async () => {
    const { slack, bot, ada, general } = await startSlack({ transport });
    slack.dispatcher.deliverEachEvent(3);
    ada.mentions(general, "hello");
    ada.directMessage("hi");
    await slack.settled();
    expect(bot.messages.map(({ text }) => text).sort()).toEqual(["hello", "hi"]);
  });

  test("a sign-in page is not taken for a file", async () => {
    const { slack, bot, platform, ada } = await startSlack({ transport });
    ada.directMessage("x", { files: [{ name: "a.pdf", bytes: "abc", download: "login-page" }] });
    await slack.settled();
    const [file] = bot.messages[0]?.attachments ?? [];
    if (!file) throw new Error("no attachment");
    await expect(platform.openFile(file, AbortSignal.timeout(5_000))).rejects.toMatchObject({
      code: "file-unavailable",
      detail: expect.stringContaining("files:read"),
    });
  });
});

test("nobody but Slack can post events", async () => {
  const { platform } = await startSlack({ transport: "http" });
  const body = JSON.stringify({ type: "event_callback", event: {} });
  const request = new Request("http://127.0.0.1/slack/events", {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-slack-request-timestamp": String(Math.floor(Date.now() / 1_000)),
      "x-slack-signature": "v0=0000",
    },
  });
  const answer = await platform.routes?.handle(request, { address: "127.0.0.1", isLoopback: true });
  expect(answer?.status).toBe(401);
});

test("a mention without its files gets them from its twin", async () => {
  const { slack, bot, ada, general } = await startSlack({
    server: { app: { mentionCarriesFiles: false } },
  });
  ada.mentions(general, "look", { files: [{ name: "a.txt", bytes: "abc" }] });
  await slack.settled();
  const files = bot.messages.flatMap(({ attachments }) => attachments.map(({ name }) => name));
  expect(files).toEqual(["a.txt"]);
});

test("an attachment is fetched with the token, and its bytes are whole", async () => {
  const { slack, bot, platform, ada } = await startSlack();
  ada.directMessage("read this", { files: [{ name: "a.txt", bytes: "abc" }] });
  await slack.settled();
  const [file] = bot.messages[0]?.attachments ?? [];
  if (!file) throw new Error("no attachment");
  const bytes = await new Response(
    await platform.openFile(file, AbortSignal.timeout(5_000)),
  ).text();
  expect(bytes).toBe("abc");
  expect(slack.downloads[0]?.authorization).toBe(`Bearer ${slack.botToken}`);
});

test("a file Slack only hints at is looked up", async () => {
  const { slack, bot, platform, ada } = await startSlack();
  ada.directMessage("x", { files: [{ name: "a.txt", bytes: "abc", needsFileInfo: true }] });
  await slack.settled();
  const [file] = bot.messages[0]?.attachments ?? [];
  if (!file) throw new Error("no attachment");
  const text = await new Response(await platform.openFile(file, AbortSignal.timeout(5_000))).text();
  expect(text).toBe("abc");
});

describe("which messages are for the bot", () => {
  test("a reply in a thread it takes part in is, also after a restart; others are not", async () => {
    const ledger = new MemoryLedger();
    const { slack, bot, platform, ada, general } = await startSlack({ ledger });
    const root = ada.mentions(general, "hello");
    await slack.settled();
    ada.posts(general, "and more", { threadTs: root.ts });
    ada.posts(general, "nobody");
    await slack.settled();
    expect(bot.messages.map(({ text }) => text)).toEqual(["hello", "and more"]);
    expect(new Set(bot.messages.map(({ place }) => place.threadKey)).size).toBe(1);

    await platform.stop();
    const again = createSlack(slack, { ledger });
    onTestFinished(() => again.stop());
    await again.start(bot);
    ada.posts(general, "still there?", { threadTs: root.ts });
    await expect.poll(() => bot.messages.at(-1)?.text).toBe("still there?");
  });

  test("a reply that speaks to somebody else is not", async () => {
    const { slack, bot, ada, grace, general } = await startSlack();
    const root = ada.mentions(general, "hello");
    await slack.settled();
    ada.posts(general, `<@${grace.id}> what do you think?`, { threadTs: root.ts });
    await slack.settled();
    expect(bot.messages.map(({ text }) => text)).toEqual(["hello"]);
  });

  test("with mentions required, replies without one are not", async () => {
    const { slack, bot, ada, general } = await startSlack({ policy: { needsMention: true } });
    const root = ada.mentions(general, "hello");
    await slack.settled();
    ada.posts(general, "and more", { threadTs: root.ts });
    ada.mentions(general, "this one", { threadTs: root.ts });
    await slack.settled();
    expect(bot.messages.map(({ text }) => text)).toEqual(["hello", "this one"]);
  });

  test("other bots and the bot's own messages are not", async () => {
    const { slack, bot, general } = await startSlack();
    const robot = slack.addPerson("robot", { isBot: true, botId: "B0ROBOT" });
    general.members.add(robot.id);
    robot.mentions(general, "hello");
    await slack.settled();
    expect(bot.messages).toEqual([]);
  });

  test("an edit that adds a mention makes it one", async () => {
    const { slack, bot, ada, general } = await startSlack();
    const message = ada.posts(general, "nobody");
    ada.edits(message, `<@${slack.botUserId}> you`);
    await slack.settled();
    expect(bot.messages.map(({ text, eventId }) => [text, eventId])).toEqual([
      ["you", idOf(slack, message)],
    ]);
    expect(bot.amendments).toEqual([]);
  });
});

test("called into a thread of people, it hears what was said before, with names and files", async () => {
  const { slack, bot, ada, grace, general } = await startSlack();
  const root = grace.posts(general, "the plan", { files: [{ name: "plan.txt", bytes: "x" }] });
  grace.posts(general, `<@${ada.id}> agree?`, { threadTs: root.ts });
  ada.mentions(general, "sum it up", { threadTs: root.ts });
  await slack.settled();
  expect(bot.messages[0]).toMatchObject({
    text: "sum it up",
    quoted: [
      { author: "grace", text: "the plan", fileNames: ["plan.txt"] },
      { author: "grace", text: "@ada agree?" },
    ],
    place: { target: { isShared: true } },
  });
});

test("where only 15 messages can be read, it says so", async () => {
  const { slack, bot, ada, grace, general } = await startSlack({
    server: { app: { isDistributed: true } },
  });
  const root = grace.posts(general, "one");
  for (let at = 0; at < 20; at += 1) grace.posts(general, `more ${at}`, { threadTs: root.ts });
  ada.mentions(general, "sum it up", { threadTs: root.ts });
  await slack.settled();
  expect(bot.messages[0]?.quoted).toHaveLength(15);
  expect(bot.messages[0]?.quotedNote).toBe("I could read back 15 messages.");
});

describe("edits and deletions", () => {
  test("reach the bot once, with the message as it stands now", async () => {
    const { slack, bot, ada } = await startSlack();
    const message = ada.directMessage("draft");
    await slack.settled();
    slack.dispatcher.deliverEachEvent(2);
    ada.edits(message, "final");
    ada.deletes(message);
    await slack.settled();
    const changes = new Map(bot.amendments.map((change) => [change.changeId, change]));
    expect([...changes.values()]).toMatchObject([
      { eventId: idOf(slack, message), change: { type: "edited", message: { text: "final" } } },
      { eventId: idOf(slack, message), change: { type: "deleted" } },
    ]);
  });

  test("of messages between people are none of its business", async () => {
    const { slack, bot, ada, general } = await startSlack();
    const message = ada.posts(general, "to you all");
    ada.edits(message, "to all of you");
    ada.deletes(message);
    await slack.settled();
    expect(bot.amendments).toEqual([]);
  });

  test("of what was answered offer to answer again", async () => {
    const { slack, bot, ada } = await startSlack();
    bot.onAmend = async () => ({ state: "answered", runId: "run-7" });
    const message = ada.directMessage("draft");
    await slack.settled();
    ada.edits(message, "final");
    await expect
      .poll(() => ada.sees(ada.directChannel(), message.ts).at(-1)?.controls)
      .toEqual(["Answer the new version"]);
    const offer = ada.sees(ada.directChannel(), message.ts).at(-1);
    if (!offer) throw new Error("no offer");
    await ada.presses(offer, "Answer the new version");
    await expect
      .poll(() => bot.presses.map(({ runId, press }) => [runId, press.type]))
      .toEqual([["run-7", "answer-new-version"]]);
  });
});

describe("who may", () => {
  test("people of another organisation are refused in words, unless they are let in", async () => {
    const { slack, bot, ada } = await startSlack();
    const partner = slack.addWorkspace("Partner");
    const eve = slack.addPerson("eve", { teamId: partner.id });
    const shared = slack.addChannel("shared", { members: [ada, eve], isShared: true });
    eve.mentions(shared, "hello");
    await expect
      .poll(
        () =>
          eve
            .sees(shared)
            .filter(({ isEphemeral }) => isEphemeral)
            .map(({ text }) => text)[0],
      )
      .toBe("I answer only people of this organisation here.");
    expect(bot.messages).toEqual([]);
  });

  test("people and groups on the list are answered, others are told", async () => {
    const { slack, bot, platform, ada, grace, general } = await startSlack();
    await platform.stop();
    const group = slack.addGroup("friends", [ada]);
    const strict = createSlack(slack, { policy: { allowedUsers: [group] } });
    onTestFinished(() => strict.stop());
    await strict.start(bot);
    ada.mentions(general, "me");
    grace.mentions(general, "and me");
    await expect
      .poll(() => grace.sees(general).filter(({ isEphemeral }) => isEphemeral).length)
      .toBeGreaterThan(0);
    expect(bot.messages.map(({ text }) => text)).toEqual(["me"]);
  });

  test("who may not is told once, also when a mention and its twin reach two gateways", async () => {
    const all = new MemoryProcesses();
    const policy = { allowedUsers: ["U0OTHER"] };
    const { slack, bot, ada, general } = await startSlack({ policy, processes: all.join() });
    const other = createSlack(slack, { policy, processes: all.join() });
    onTestFinished(() => other.stop());
    await other.start(bot);
    const told = () => ada.sees(general).filter(({ isEphemeral }) => isEphemeral).length;
    for (let mention = 1; mention <= 4; mention += 1) {
      ada.mentions(general, "hello");
      await expect.poll(told).toBe(mention);
    }
    await slack.settled();
    expect(told()).toBe(4);
  });

  test("channels that are not on the list are refused", async () => {
    const { slack, bot, ada, general } = await startSlack({
      policy: { allowedChannels: ["C0OTHER"] },
    });
    ada.mentions(general, "hello");
    await slack.settled();
    expect(bot.messages).toEqual([]);
  });
});

test("a waiting message is marked, its place is said once, and the mark goes when its turn comes", async () => {
  const { slack, bot, ada, general } = await startSlack();
  bot.onMessage = async ({ place }) => ({
    status: "accepted",
    position: 1,
    conversationKey: place.threadKey,
  });
  const message = ada.mentions(general, "hello");
  await expect
    .poll(() => slack.seen(general)[0]?.reactions)
    .toEqual({ hourglass_flowing_sand: ["Bobbin"] });
  bot.tellQueue(`${idOf(slack, message)}`, []);
  await expect.poll(() => slack.seen(general)[0]?.reactions).toEqual({});
});

describe("the connection", () => {
  test("is two sockets, which come back when Slack renews or cuts them", async () => {
    const { slack, bot, platform, ada } = await startSlack();
    await expect.poll(() => slack.sockets.connectionCount).toBe(2);
    slack.sockets.disconnect("refresh_requested");
    await expect.poll(() => slack.sockets.openedCount, { timeout: 4_000 }).toBe(4);
    slack.sockets.cut();
    await expect.poll(() => slack.sockets.openedCount, { timeout: 4_000 }).toBe(6);
    ada.directMessage("still there?");
    await slack.settled();
    expect(bot.messages.map(({ text }) => text)).toEqual(["still there?"]);
    expect(platform.isConnected()).toBe(true);
  });

  test("survives being told that too much is sent", async () => {
    const { slack, bot, ada } = await startSlack();
    slack.sockets.broadcast({
      type: "events_api",
      envelope_id: "e1",
      payload: { type: "app_rate_limited", team_id: slack.workspace.id, minute_rate_limited: 1 },
    });
    ada.directMessage("still there?");
    await slack.settled();
    expect(bot.messages.map(({ text }) => text)).toEqual(["still there?"]);
  });

  test("with a wrong token ends the start with what to do", async () => {
    const slack = await slackForTest();
    slack.revokeToken();
    await expect(createSlack(slack).start(new FakeBot())).rejects.toMatchObject({
      detail: expect.stringContaining("SLACK_BOT_TOKEN"),
    });
  });
});
