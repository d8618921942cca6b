import type { GenericMessageEvent } from "@slack/types";
import { describe, expect, test } from "vitest";
import { slackForTest } from "./slack-for-test.ts";
import type { Delivery } from "./slack-server.ts";
import { clientFor, connectBot } from "./tiny-bot.ts";

type Event = Readonly<Record<string, unknown>> & { readonly type: string };

function eventsOf(deliveries: readonly Delivery[]): readonly Event[] {
  return deliveries
    .filter(({ kind }) => kind === "events_api")
    .map(({ payload }) => payload.event as Event);
}

describe.each(["socket", "http"] as const)("over %s", (transport) => {
  test("a mention is answered in its thread", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    await connectBot(slack, transport, (app) => {
      app.event("app_mention", async ({ event, say }) => {
        await say({ text: `You said: ${event.text}`, thread_ts: event.ts });
      });
    });

    const question = ada.mentions(general, "hello");

    await expect
      .poll(() => slack.replies(general, question.ts).map(({ text }) => text))
      .toEqual(["You said: @Bobbin hello"]);
    expect(slack.seen(general, question.ts).map(({ author }) => author)).toEqual(["ada", "Bobbin"]);
  });

  test("a direct message is answered and the answer edited", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    await connectBot(slack, transport, (app) => {
      app.message(async ({ message, client }) => {
        const { channel, ts, subtype } = message as GenericMessageEvent;
        // The bot's own edit comes back as an event too.
        if (subtype !== undefined) return;
        const posted = await client.chat.postMessage({ channel, thread_ts: ts, text: "one" });
        await client.chat.update({ channel, ts: posted.ts ?? "", text: "one, two" });
      });
    });

    const question = ada.directMessage("count");

    await expect
      .poll(() => ada.sees(ada.directChannel(), question.ts).at(-1))
      .toMatchObject({ text: "one, two", isEdited: true, author: "Bobbin" });
  });

  test("an event is delivered twice when it is meant to be", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const heard: string[] = [];
    await connectBot(slack, transport, (app) => {
      app.message(async ({ body }) => {
        heard.push(body.event_id);
      });
    });

    slack.dispatcher.deliverEachEvent(3);
    ada.directMessage("once");

    await expect.poll(() => heard.length).toBe(3);
    expect(new Set(heard).size).toBe(1);
  });

  test("events held back arrive in the order they are let go", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const heard: string[] = [];
    await connectBot(slack, transport, (app) => {
      app.message(async ({ message }) => {
        heard.push((message as GenericMessageEvent).text ?? "");
      });
    });

    slack.dispatcher.hold();
    ada.directMessage("first");
    ada.directMessage("second");
    slack.dispatcher.release("reversed");

    await slack.settled();
    await expect.poll(() => heard.length).toBe(2);
    expect(heard.toSorted()).toEqual(["first", "second"]);
    const texts = eventsOf(slack.deliveries).map(({ text }) => text);
    expect(texts).toEqual(["first", "second"]);
  });
});

describe("what Slack sends", () => {
  test("a mention in a channel comes as two events with the same ts and different ids", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });

    const question = ada.mentions(general, "look", { files: [{ name: "a.txt", bytes: "abc" }] });

    const events = eventsOf(slack.deliveries);
    expect(events.map(({ type }) => type)).toEqual(["app_mention", "message"]);
    expect(events.map(({ ts }) => ts)).toEqual([question.ts, question.ts]);
    const ids = slack.deliveries.map(({ payload }) => payload.event_id);
    expect(new Set(ids).size).toBe(2);
    expect(events[1]).toMatchObject({
      type: "message",
      subtype: "file_share",
      channel: general.id,
      channel_type: "channel",
      user: ada.id,
      team: slack.workspace.id,
      text: `<@${slack.botUserId}> look`,
      files: [{ name: "a.txt", mimetype: "text/plain", size: 3, mode: "hosted" }],
    });
    expect(events[0]?.subtype).toBeUndefined();
  });

  test("the envelope says which installation it is for", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");

    ada.directMessage("hello");

    expect(slack.deliveries[0]?.payload).toMatchObject({
      type: "event_callback",
      team_id: slack.workspace.id,
      api_app_id: slack.world.appId,
      context_team_id: slack.workspace.id,
      authorizations: [{ team_id: slack.workspace.id, user_id: slack.botUserId, is_bot: true }],
      is_ext_shared_channel: false,
    });
  });

  test("app_mention can come without its files, which its twin has", async () => {
    const slack = await slackForTest({ app: { mentionCarriesFiles: false } });
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });

    ada.mentions(general, "look", { files: [{ name: "a.txt", bytes: "abc" }] });

    expect(eventsOf(slack.deliveries).map(({ files }) => Array.isArray(files))).toEqual([
      false,
      true,
    ]);
  });

  test("a mention where the bot is not a member goes unheard", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const away = slack.addChannel("away", { members: [ada], withBot: false });

    ada.mentions(away, "anybody?");
    expect(slack.deliveries).toEqual([]);

    ada.invitesBot(away);
    ada.mentions(away, "now?");
    expect(eventsOf(slack.deliveries).map(({ type }) => type)).toEqual([
      "member_joined_channel",
      "app_mention",
      "message",
    ]);
  });

  test("edits and deletes carry what was there before", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const message = ada.directMessage("draft");

    ada.edits(message, "final");
    ada.deletes(message);

    const [, edited, deleted] = eventsOf(slack.deliveries);
    expect(edited).toMatchObject({
      subtype: "message_changed",
      hidden: true,
      message: { text: "final", edited: { user: ada.id } },
      previous_message: { text: "draft" },
    });
    expect(deleted).toMatchObject({
      subtype: "message_deleted",
      deleted_ts: message.ts,
      previous_message: { text: "final" },
    });
    expect(ada.sees(ada.directChannel())).toEqual([]);
  });

  test("an edit that adds a mention mentions again with the same ts", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const message = ada.posts(general, "nobody");

    ada.edits(message, `<@${slack.botUserId}> you`);

    const last = eventsOf(slack.deliveries).at(-1);
    expect(last).toMatchObject({ type: "app_mention", ts: message.ts });
  });

  test("a deleted root leaves its replies under a tombstone", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const root = ada.posts(general, "root");
    ada.posts(general, "reply", { threadTs: root.ts });

    ada.deletes(root);

    expect(slack.seen(general, root.ts).map(({ text }) => text)).toEqual([
      "This message was deleted.",
      "reply",
    ]);
  });

  test("the bot hears its own messages and its own edits", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const client = clientFor(slack);

    const posted = await client.chat.postMessage({ channel: general.id, text: "one" });
    await client.chat.update({ channel: general.id, ts: posted.ts ?? "", text: "two" });

    expect(eventsOf(slack.deliveries)).toMatchObject([
      { type: "message", user: slack.botUserId, bot_id: slack.installation().botId },
      { subtype: "message_changed", message: { bot_id: slack.installation().botId } },
    ]);
  });

  test("somebody of another organisation is told apart by their team", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const partner = slack.addWorkspace("Partner");
    const eve = slack.addPerson("eve", { teamId: partner.id });
    const shared = slack.addChannel("shared", { members: [ada, eve], isShared: true });

    eve.mentions(shared, "hello");

    const [mention] = slack.deliveries;
    expect(mention?.payload).toMatchObject({
      team_id: slack.workspace.id,
      is_ext_shared_channel: true,
      event: { user_team: partner.id, source_team: partner.id, team: partner.id },
    });
  });

  test("a guest's direct message to an agent does not arrive", async () => {
    const slack = await slackForTest();
    const guest = slack.addPerson("guest", { isGuest: true });

    guest.directMessage("hello?");

    expect(slack.deliveries).toEqual([]);
  });

  test("reactions, the Home tab, the context and a joined bot are told", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const message = ada.posts(general, "hm");

    ada.reacts(message, "octagonal_sign");
    ada.takesBackReaction(message, "octagonal_sign");
    ada.opensHome();
    ada.opensMessages();
    ada.looksAt(general);

    expect(eventsOf(slack.deliveries).slice(1)).toMatchObject([
      {
        type: "reaction_added",
        reaction: "octagonal_sign",
        user: ada.id,
        item: { type: "message", channel: general.id, ts: message.ts },
      },
      { type: "reaction_removed" },
      { type: "app_home_opened", tab: "home", user: ada.id },
      { type: "app_home_opened", tab: "messages" },
      {
        type: "app_context_changed",
        context: { entities: [{ type: "slack#/types/channel_id", value: general.id }] },
      },
    ]);
  });

  test("what the app did not subscribe to is not sent", async () => {
    const slack = await slackForTest({ app: { events: new Set(["app_mention"]) } });
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });

    ada.mentions(general, "hello");
    ada.directMessage("hello");

    expect(eventsOf(slack.deliveries).map(({ type }) => type)).toEqual(["app_mention"]);
  });
});

describe("what people see", () => {
  test("markup is undone, mentions are names, and who was notified is known", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });

    await clientFor(slack).chat.postMessage({
      channel: general.id,
      text: `a &lt; b, <@${ada.id}>, <!channel>, <https://example.com|here>, \`<!here>\``,
    });

    expect(slack.seen(general)).toMatchObject([
      { text: "a < b, @ada, @channel, here, `@here`", notified: [ada.id, "channel"] },
    ]);
  });

  test("a message with blocks shows the blocks, and its text is the notification", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const client = clientFor(slack);

    const { ts = "" } = await client.chat.postMessage({
      channel: general.id,
      text: "for the notification",
      blocks: [
        { type: "header", text: { type: "plain_text", text: "Report" } },
        { type: "markdown", text: "**done**" },
        {
          type: "actions",
          elements: [{ type: "button", action_id: "go", text: { type: "plain_text", text: "Go" } }],
        },
      ],
    });
    // Text alone leaves the blocks, and so what people see, as they were.
    await client.chat.update({ channel: general.id, ts, text: "other" });

    expect(slack.seen(general)).toMatchObject([
      { text: "Report\n**done**\n[Go]", notification: "other", controls: ["Go"] },
    ]);
  });

  test("an ephemeral message is seen by one person", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const bob = slack.addPerson("bob");
    const general = slack.addChannel("general", { members: [ada, bob] });

    await clientFor(slack).chat.postEphemeral({
      channel: general.id,
      user: ada.id,
      text: "only you",
    });

    expect(ada.sees(general).map(({ text }) => text)).toEqual(["only you"]);
    expect(bob.sees(general)).toEqual([]);
    expect(slack.replies(general)).toEqual([]);
  });

  test("messages nobody can hear, and made-up arguments, are complained about", async () => {
    const slack = await slackForTest();
    const general = slack.addChannel("general");

    await clientFor(slack).chat.postMessage({
      channel: general.id,
      blocks: [{ type: "divider" }],
    });
    await clientFor(slack).apiCall("chat.postMessage", {
      channel: general.id,
      text: "x",
      sparkle: true,
    });

    expect(slack.takeComplaints()).toEqual([
      "a message has blocks and no text: its notification is empty",
      "chat.postMessage knows no argument sparkle",
    ]);
  });
});
