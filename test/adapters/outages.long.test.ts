import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RememberingLog } from "../fakes/remembering-log.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { TestWorld } from "../fakes/test-world.ts";
import type { Fault as DiscordFault } from "../wire/discord/discord-server.ts";
import { discordForTest } from "../wire/discord/tiny-bot.ts";
import { slackForTest } from "../wire/slack/slack-for-test.ts";
import type { Fault as SlackFault } from "../wire/slack/slack-server.ts";
import { createDiscord } from "./discord/discord-harness.ts";
import { createSlack } from "./slack/slack-harness.ts";

const patience = { timeout: 15_000 };

/** The real engine on a data file, with the real client. */
let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

const text = `${"Some words of an answer that is long enough. ".repeat(20)}The end.`;

/** A model that has said all of it once the outage is there. */
function model(isDown: Promise<void>) {
  return new ScriptedBackend(() => [
    { type: "say", text: text.slice(0, 200) },
    { type: "wait", for: isDown },
    { type: "say", text: text.slice(200) },
  ]);
}

/** Looks again and again, while the bot's time goes by. */
const inTime = <T>(look: () => T) =>
  expect.poll(() => {
    world.pass(1_000);
    return look();
  }, patience);

const waits = (log: RememberingLog) => () =>
  log.lines.filter(({ event }) => event === "reply waits for its platform").length;

/** Without what stands under it. */
const answer = (texts: readonly string[]) => texts.join(" ").split("The end.");

describe("while Slack", () => {
  test.each<[string, SlackFault]>([
    ["answers with 503", { type: "http-error", status: 503, accepted: false }],
    ["cuts connections after it carried calls out", { type: "reset", accepted: true }],
    ["answers with a page of HTML", { type: "html" }],
    ["answers with an empty object", { type: "empty" }],
    ["asks to wait for an hour", { type: "rate-limit", retryAfterSeconds: 3600 }],
  ])("%s an answer is kept, and shown once when that is over", async (_how, fault) => {
    const slack = await slackForTest();
    const down = Promise.withResolvers<void>();
    const backend = model(down.promise);
    const log = new RememberingLog();
    const clock = { aheadMs: 0 };
    await world.start({
      backend,
      log,
      platforms: (ledger) => [
        createSlack(slack, { ledger, log, now: () => Date.now() + clock.aheadMs }),
      ],
    });
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const { ts } = ada.mentions(general, "tell me");
    await expect.poll(() => slack.liveStreams.length, patience).toBe(1);
    slack.faults.always("*", fault);
    down.resolve();
    await inTime(waits(log)).toBeGreaterThan(0);
    slack.faults.clear();
    clock.aheadMs = 3_700_000;
    await inTime(() => world.metrics.runs).toEqual(["completed"]);
    const shown = answer(slack.replies(general, ts).map((one) => one.text));
    expect(shown).toHaveLength(2);
    expect(shown[0]?.replaceAll(/\s+/g, " ")).toBe(text.slice(0, -"The end.".length));
    expect(slack.liveStreams).toEqual([]);
    expect(backend.turns).toHaveLength(1);
  });
});

describe("while Discord", () => {
  test.each<[string, DiscordFault]>([
    ["answers with 503", { type: "http-error", status: 503, accepted: false }],
    ["cuts connections after it carried requests out", { type: "reset", accepted: true }],
    [
      "answers with a page of HTML",
      { type: "foreign", contentType: "text/html", body: "<p>Sorry" },
    ],
    [
      "answers with an empty object",
      { type: "foreign", contentType: "application/json", body: "{}" },
    ],
    ["answers with nothing", { type: "foreign", contentType: "application/json", body: "" }],
    ["asks to wait for an hour", { type: "rate-limit", retryAfterSeconds: 3600, scope: "user" }],
  ])("%s an answer is kept, and shown once when that is over", async (_how, fault) => {
    const discord = await discordForTest();
    const down = Promise.withResolvers<void>();
    const backend = model(down.promise);
    const log = new RememberingLog();
    const clock = { aheadMs: 0 };
    await world.start({
      backend,
      log,
      platforms: (ledger) => [
        createDiscord(discord, { ledger, log, now: () => Date.now() + clock.aheadMs }),
      ],
    });
    const bob = discord.addPerson("bob");
    const question = bob.mentions(discord.addChannel("general"), "tell me");
    const replies = () => {
      const thread = discord.threadOn(question);
      return thread ? discord.replies(thread) : [];
    };
    await expect.poll(() => replies().length, patience).toBe(1);
    discord.faults.always({}, fault);
    down.resolve();
    await inTime(waits(log)).toBeGreaterThan(0);
    discord.faults.clear();
    clock.aheadMs = 3_700_000;
    await inTime(() => world.metrics.runs).toEqual(["completed"]);
    const shown = answer(replies().map((one) => one.text));
    expect(shown).toHaveLength(2);
    expect(shown[0]?.replaceAll(/\s+/g, " ")).toBe(text.slice(0, -"The end.".length));
    expect(backend.turns).toHaveLength(1);
  });
});
