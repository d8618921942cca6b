import { expect, onTestFinished, test } from "vitest";
import { emptyView, type ReplyView } from "#domain/reply-view";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import { slackForTest } from "../../wire/slack/slack-for-test.ts";
import { createSlack, serve, type Transport, targetFor } from "./slack-harness.ts";

async function started(transport: Transport = "socket") {
  const slack = await slackForTest();
  const bot = new FakeBot();
  const platform = createSlack(slack, { transport });
  await platform.start(bot);
  onTestFinished(() => platform.stop());
  if (platform.routes) {
    const server = await serve(platform.routes);
    onTestFinished(() => server.close());
    await slack.useRequestUrl(`${server.url}/slack/events`);
  }
  const ada = slack.addPerson("ada");
  const general = slack.addChannel("general", { members: [ada] });
  const message = ada.posts(general, "hello");
  const target = targetFor(slack, { channel: general, message, person: ada });
  const shown = async (change: Partial<ReplyView>) => {
    bot.keepForms(change);
    const reply = platform.openReply(target, new MemoryJournal(target.runId));
    reply.show({ ...emptyView(target.runId), text: "An answer.", ...change });
    await reply.settle();
    const [seen] = slack.replies(general, message.ts);
    if (!seen) throw new Error("nothing is shown");
    return seen;
  };
  const whispers = () =>
    ada
      .sees(general, message.ts)
      .filter(({ isEphemeral }) => isEphemeral)
      .map(({ text }) => text);
  return { slack, bot, platform, ada, general, message, target, shown, whispers };
}

test.each(["socket", "http"] as const)(
  "a pressed button reaches the bot, and its words only who pressed (%s)",
  async (transport) => {
    const { bot, ada, target, shown, whispers } = await started(transport);
    bot.onPress = async () => ({ ok: false, words: "Only who asked can do that." });
    const seen = await shown({ status: "failed", actions: ["retry"] });
    await ada.presses(seen, "Try again");
    await expect.poll(() => whispers()).toEqual(["Only who asked can do that."]);
    expect(bot.presses).toMatchObject([
      { runId: target.runId, by: { key: target.asker.key, name: "ada" }, press: { type: "retry" } },
    ]);
  },
);

test("good feedback is taken at once, bad feedback asks why", async () => {
  const { bot, ada, shown } = await started();
  const seen = await shown({ status: "completed", actions: ["feedback"] });
  await ada.presses(seen, "Good answer");
  await expect.poll(() => bot.presses.length).toBe(1);
  await ada.presses(seen, "Bad answer");
  await expect.poll(() => ada.modal?.title).toBe("What was wrong?");
  await ada.submits({ reason: "too long" });
  await expect
    .poll(() => bot.presses.map(({ press }) => press))
    .toEqual([
      { type: "feedback", good: true },
      { type: "feedback", good: false, reason: "too long" },
    ]);
});

test("an approval is decided by a press", async () => {
  const { bot, ada, target, shown } = await started();
  const seen = await shown({
    status: "waiting",
    requests: [
      {
        type: "approval",
        id: "q1",
        callId: "c1",
        toolName: "send_mail",
        title: "Send the mail",
        arguments: "to: grace",
        expiresAtMs: Date.now() + 60_000,
        personKey: target.asker.key,
      },
    ],
  });
  await ada.presses(seen, "Approve");
  await expect
    .poll(() => bot.decisions)
    .toMatchObject([{ requestId: "q1", decision: { type: "approve" }, by: { name: "ada" } }]);
});

test("a form is a modal, and its answers come back by their fields", async () => {
  const { bot, ada, target, shown } = await started();
  const seen = await shown({
    status: "waiting",
    requests: [
      {
        type: "form",
        id: "q2",
        callId: "c1",
        toolName: "ask",
        title: "A question",
        form: {
          title: "A question",
          fields: [
            { id: "colour", label: "Colour", type: "choice", choices: ["red", "green"] },
            { id: "why", label: "Why", type: "text" },
          ],
        },
        expiresAtMs: Date.now() + 60_000,
        personKey: target.asker.key,
      },
    ],
  });
  await ada.presses(seen, "Answer");
  await expect.poll(() => ada.modal?.title).toBe("A question");
  const result = await ada.submits({ field0: "green", field1: "it is calm" });
  expect(result.status).toBe("closed");
  expect(bot.decisions).toMatchObject([
    {
      requestId: "q2",
      decision: { type: "answer", answers: { colour: "green", why: "it is calm" } },
    },
  ]);
});

test.each(["socket", "http"] as const)(
  "/assistant is answered for who typed it, and knows no thread (%s)",
  async (transport) => {
    const { bot, ada, general } = await started(transport);
    bot.onCommand = async () => ({
      ok: true,
      text: "Which **one**?",
      choices: [{ label: "The first", command: "stop first" }],
    });
    const result = await ada.types("/assistant stop", general);
    expect(result.status).toBe("acknowledged");
    await expect
      .poll(() => ada.sees(general).at(-1))
      .toMatchObject({ isEphemeral: true, controls: ["The first"] });
    const offer = ada.sees(general).at(-1);
    if (!offer) throw new Error("no offer");
    await ada.presses(offer, "The first");
    await expect.poll(() => bot.commandsGiven.length).toBe(2);
    expect(bot.commandsGiven).toMatchObject([
      { text: "stop", knowsThread: false, person: { name: "ada" }, role: "person" },
      { text: "stop first" },
    ]);
  },
);

test("an admin of the workspace is the bot's admin there", async () => {
  const { slack, bot, general } = await started();
  const boss = slack.addPerson("boss", { isAdmin: true });
  general.members.add(boss.id);
  await boss.types("/assistant model x", general);
  await expect.poll(() => bot.commandsGiven[0]?.role).toBe("admin");
});

test("Slack's own Stop button and a stop sign stop the conversation of their thread", async () => {
  const { slack, bot, ada, general, message, target, shown } = await started();
  const reply = await shown({ status: "working" });
  await slack.settled();
  ada.reacts({ ts: reply.ts, channelId: general.id }, "octagonal_sign");
  await expect.poll(() => bot.stops.length).toBe(1);
  slack.feed.sessionStopped({
    channel: general,
    userId: ada.id,
    threadTs: message.ts,
    streams: [],
  });
  await expect.poll(() => bot.stops.length).toBe(2);
  expect(slack.calls("conversations.replies")).toEqual([]);
  for (const stop of bot.stops) {
    expect(stop).toMatchObject({
      place: { threadKey: target.conversationKey },
      by: { key: target.asker.key },
      what: "current",
    });
  }
});

test("a stop sign stops only what its person asked for; others are told, bystanders are not", async () => {
  const { slack, bot, ada, general, message, shown, whispers } = await started();
  const reply = await shown({ status: "working" });
  const words = "Only the person who asked can do that.";
  bot.onStop = async () => ({ stopped: false, removedFromQueue: 0, words, isRefused: true });
  ada.reacts({ ts: reply.ts, channelId: general.id }, "octagonal_sign");
  await expect.poll(() => whispers()).toEqual([words]);
  expect(bot.stops).toMatchObject([{ onlyOwn: true }]);
  bot.onStop = async () => ({ stopped: false, removedFromQueue: 0, words: "Nothing was." });
  const other = ada.posts(general, "between people");
  ada.reacts({ ts: other.ts, channelId: general.id }, "octagonal_sign");
  await expect.poll(() => bot.stops.length).toBe(2);
  await slack.settled();
  expect(ada.sees(general, other.ts).filter(({ isEphemeral }) => isEphemeral)).toEqual([]);
  expect(ada.sees(general, message.ts).filter(({ isEphemeral }) => isEphemeral)).toHaveLength(1);
});

test("a stop sign on a message from before a restart is understood as well", async () => {
  const { slack, bot, ada, general, message, target, shown, platform } = await started();
  const reply = await shown({ status: "working" });
  await platform.stop();
  const again = createSlack(slack);
  onTestFinished(() => again.stop());
  await again.start(bot);
  ada.reacts({ ts: reply.ts, channelId: general.id }, "octagonal_sign");
  await expect.poll(() => bot.stops.length).toBe(1);
  expect(bot.stops[0]?.place.threadKey).toBe(target.conversationKey);
  expect(reply.threadTs).toBe(message.ts);
});
