import { describe, expect, onTestFinished, test } from "vitest";
import { scopes } from "../../../adapters/slack/set-up.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { RememberingLog } from "../../fakes/remembering-log.ts";
import { slackForTest } from "../../wire/slack/slack-for-test.ts";
import { ManualClock } from "../../wire/slack/slack-server.ts";
import { createSlack, startSlack } from "./slack-harness.ts";

describe("the start", () => {
  async function notStarted(app: Parameters<typeof slackForTest>[0] = {}) {
    const slack = await slackForTest(app);
    const log = new RememberingLog();
    const platform = createSlack(slack, { log });
    onTestFinished(() => platform.stop());
    return { slack, log, platform };
  }

  test.each([
    ["invalid_auth", "copy the Bot User OAuth Token again"],
    ["not_allowed_token_type", "copy the Bot User OAuth Token again"],
  ])("names SLACK_BOT_TOKEN when Slack refuses it (%s)", async (error, fix) => {
    const { slack, platform } = await notStarted();
    slack.faults.always("auth.test", { type: "refusal", error });
    const start = platform.start(new FakeBot());
    await expect(start).rejects.toMatchObject({ detail: expect.stringContaining(fix) });
    await expect(start).rejects.toMatchObject({ detail: expect.stringContaining(error) });
  });

  test.each([
    ["invalid_auth", "scope connections:write"],
    ["missing_scope", "lacks the scope connections:write"],
    ["not_allowed_token_type", "begins with xapp-"],
  ])("names SLACK_APP_TOKEN when Slack opens no connection (%s)", async (error, fix) => {
    const { slack, platform } = await notStarted();
    slack.faults.always("apps.connections.open", { type: "refusal", error });
    const start = platform.start(new FakeBot());
    await expect(start).rejects.toMatchObject({
      code: "not-allowed",
      detail: expect.stringContaining("SLACK_APP_TOKEN"),
    });
    await expect(start).rejects.toMatchObject({ detail: expect.stringContaining(fix) });
  });

  test("says so when Slack cannot be reached at all", async () => {
    const { slack, platform } = await notStarted();
    slack.faults.always("auth.test", { type: "reset", accepted: false });
    await expect(platform.start(new FakeBot())).rejects.toMatchObject({
      detail: expect.stringContaining("SLACK_API_URL"),
    });
  });

  test("without the scope to post ends with what to add", async () => {
    const { platform } = await notStarted({ app: { botScopes: ["app_mentions:read"] } });
    await expect(platform.start(new FakeBot())).rejects.toMatchObject({
      detail: expect.stringContaining("lacks the scope chat:write: add it"),
    });
  });

  test("warns for each other scope that is missing, with what does not work and the fix", async () => {
    const missing = ["files:read", "users:read"];
    const botScopes = Object.keys(scopes).filter((scope) => !missing.includes(scope));
    const { log, platform } = await notStarted({ app: { botScopes } });
    await platform.start(new FakeBot());
    expect(log.lines).toMatchObject([
      { scope: "files:read", problem: "attached files cannot be read" },
      { scope: "users:read", problem: expect.stringContaining("people have no names") },
    ]);
    for (const line of log.lines) expect(line.fix).toContain("OAuth & Permissions");
  });
});

describe("two sockets", () => {
  test("are renewed one by one, and what arrives meanwhile is heard at once", async () => {
    const { slack, bot, platform, ada } = await startSlack();
    await expect.poll(() => slack.sockets.connectionCount).toBe(2);
    slack.sockets.disconnect("refresh_requested", "oldest");
    expect(slack.sockets.connectionCount).toBe(1);
    expect(platform.isConnected()).toBe(true);
    ada.directMessage("in between");
    await slack.settled();
    expect(bot.messages.map(({ text }) => text)).toEqual(["in between"]);
    expect(slack.deliveries[0]?.attempts).toHaveLength(1);
    await expect.poll(() => slack.sockets.connectionCount, { timeout: 5_000 }).toBe(2);
  });

  test("that fall silent are given up and opened anew", async () => {
    const { slack, bot, platform, ada } = await startSlack();
    await expect.poll(() => slack.sockets.connectionCount).toBe(2);
    slack.sockets.fallSilent();
    await expect.poll(() => slack.sockets.openedCount, { timeout: 20_000 }).toBe(4);
    ada.directMessage("still there?");
    await slack.settled();
    expect(bot.messages.map(({ text }) => text)).toEqual(["still there?"]);
    expect(platform.isConnected()).toBe(true);
  }, 40_000);

  test("that Slack ends because Socket Mode is off say where to switch it on", async () => {
    const log = new RememberingLog();
    const { slack } = await startSlack({ log });
    slack.sockets.disconnect("link_disabled", "oldest");
    await expect
      .poll(() => log.lines.map(({ problem }) => problem))
      .toContainEqual(expect.stringContaining("Socket Mode is switched off"));
  });

  test("an acknowledgement that got lost makes no second message", async () => {
    const { slack, bot, ada } = await startSlack();
    slack.sockets.hearAcknowledgements(false);
    ada.directMessage("once");
    await expect.poll(() => bot.messages.length).toBe(1);
    slack.sockets.cut();
    slack.sockets.hearAcknowledgements(true);
    await slack.settled();
    expect(slack.deliveries[0]?.attempts.length).toBeGreaterThan(1);
    expect(slack.deliveries[0]?.state).toBe("acknowledged");
    expect(bot.messages).toHaveLength(1);
  });
});

test("requests are repeated at once, after a minute and after five, and count once", async () => {
  const clock = new ManualClock();
  const { slack, bot, ada } = await startSlack({ transport: "http", server: { clock } });
  let failures = 3;
  bot.onMessage = async ({ place }) => {
    if (failures-- > 0) throw new Error("disk full");
    return { status: "accepted", position: 0, conversationKey: place.threadKey };
  };
  ada.directMessage("hello");
  const attempts = () => slack.deliveries[0]?.attempts.length;
  await expect.poll(attempts).toBe(2);
  clock.advance(60_000);
  await expect.poll(attempts).toBe(3);
  clock.advance(300_000);
  await slack.settled();
  expect(slack.deliveries[0]).toMatchObject({ state: "acknowledged" });
  expect(slack.deliveries[0]?.attempts.map(({ retry }) => retry)).toEqual([0, 1, 2, 3]);
  expect(bot.messages.map(({ text }) => text)).toEqual(["hello"]);
});

describe.each(["socket", "http"] as const)("over %s", (transport) => {
  test("being told that too much is sent changes nothing", async () => {
    const log = new RememberingLog();
    const { slack, bot, ada } = await startSlack({ transport, log });
    slack.feed.rateLimited(slack.workspace.id);
    ada.directMessage("still there?");
    await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["still there?"]);
    await expect
      .poll(() => log.lines.map(({ problem }) => problem))
      .toContainEqual("app_rate_limited");
  });

  test("events in another order than they happened are answered all the same", async () => {
    const { slack, bot, ada, general } = await startSlack({ transport });
    slack.dispatcher.hold();
    ada.mentions(general, "one");
    ada.directMessage("two");
    slack.dispatcher.release("reversed");
    await slack.settled();
    expect(bot.messages.map(({ text }) => text).sort()).toEqual(["one", "two"]);
  });

  test("what was said while the bot was down is answered when Slack delivers it", async () => {
    const ledger = new MemoryLedger();
    const { slack, bot, platform, ada } = await startSlack({ transport, ledger });
    await platform.stop();
    ada.directMessage("anybody?");
    await expect.poll(() => slack.deliveries.length).toBe(1);
    expect(bot.messages).toEqual([]);
    if (transport === "http") {
      await expect.poll(() => slack.deliveries[0]?.attempts.length).toBe(2);
      await platform.start(bot);
      slack.dispatcher.retryNow();
    } else {
      const again = createSlack(slack, { ledger });
      onTestFinished(() => again.stop());
      await again.start(bot);
    }
    await expect
      .poll(() => bot.messages.map(({ text }) => text), { timeout: 10_000 })
      .toEqual(["anybody?"]);
  });
});
