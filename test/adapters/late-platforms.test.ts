import { afterEach, beforeEach, expect, test } from "vitest";
import type { Platform } from "#ports/platform";
import { RememberingLog } from "../fakes/remembering-log.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { TestWorld } from "../fakes/test-world.ts";
import { discordForTest } from "../wire/discord/tiny-bot.ts";
import { slackForTest } from "../wire/slack/slack-for-test.ts";
import { createDiscord } from "./discord/discord-harness.ts";
import { createSlack } from "./slack/slack-harness.ts";

const patience = { timeout: 30_000 };

/** The real engine on a data file, with the real clients of a Slack and a Discord. */
let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

async function outside() {
  const [slack, discord] = [await slackForTest(), await discordForTest()];
  const log = new RememberingLog();
  const backend = new ScriptedBackend((turn) => {
    const asked = turn.transcript.findLast((entry) => entry.type === "user");
    return [{ type: "say", text: `Heard: ${asked?.type === "user" ? asked.text : ""}` }];
  });
  let platforms: readonly Platform[] = [];
  const start = () =>
    world.start({
      backend,
      log,
      platforms: (ledger) => {
        platforms = [createSlack(slack, { ledger, log }), createDiscord(discord, { ledger, log })];
        return platforms;
      },
    });
  const problems = () =>
    Object.fromEntries(platforms.map((one) => [one.name, world.bobbin.problemOf(one)]));
  const [ada, bob] = [slack.addPerson("ada"), discord.addPerson("bob")];
  const [inSlack, inDiscord] = [
    slack.addChannel("general", { members: [ada] }),
    discord.addChannel("general"),
  ];
  /** Asks in one of them; what it is answered with. */
  const ask = {
    slack: (text: string) => {
      const question = ada.mentions(inSlack, text);
      return () => slack.replies(inSlack, question.ts).map((one) => one.text.split("\n")[0]);
    },
    discord: (text: string) => {
      const question = bob.mentions(inDiscord, text);
      return () => {
        const thread = discord.threadOn(question);
        return thread ? discord.replies(thread).map((one) => one.text.split("\n")[0]) : [];
      };
    },
  };
  const answered = (said: () => unknown, ...texts: readonly string[]) =>
    expect
      .poll(() => {
        world.pass(1_000);
        return said();
      }, patience)
      .toEqual(texts);
  return { slack, discord, log, backend, start, problems, ask, answered };
}

test("with Discord's gateway out of reach Slack is served at once, and Discord as soon as it is there", async () => {
  const { discord, log, start, problems, ask, answered } = await outside();
  discord.gateway.settings.isDown = true;
  await start();
  expect(problems()).toEqual({ slack: undefined, discord: "not connected yet" });
  expect(log.lines).toContainEqual(
    expect.objectContaining({ event: "platform not connected yet", platform: "discord" }),
  );
  await answered(ask.slack("one"), "Heard: one");

  discord.gateway.settings.isDown = false;
  await expect.poll(problems, patience).toEqual({ slack: undefined, discord: undefined });
  await answered(ask.discord("two"), "Heard: two");
});

const unavailable = { type: "http-error", status: 503, accepted: false } as const;

test("Discord that resets connections is not waited for, and joins later", async () => {
  const { discord, start, problems, ask, answered } = await outside();
  discord.faults.always({}, { type: "reset", accepted: false });
  await start();
  expect(problems().slack).toBeUndefined();
  expect(problems().discord).toBeDefined();
  await answered(ask.slack("one"), "Heard: one");

  discord.faults.clear();
  await expect.poll(problems, patience).toEqual({ slack: undefined, discord: undefined });
  await answered(ask.discord("two"), "Heard: two");
});

test("Slack that answers with 503 is not waited for, and what was accepted there before waits until it is back", async () => {
  const { slack, backend, start, problems, ask, answered } = await outside();
  await start();
  const before = ask.slack("first");
  await answered(before, "Heard: first");
  slack.faults.always("*", unavailable);
  const waiting = ask.slack("second");
  await slack.settled();
  await world.stop(0);
  const turns = backend.turns.length;

  await start();
  expect(problems().slack).toContain("Slack could not be reached");
  await answered(ask.discord("one"), "Heard: one");
  for (let minutes = 0; minutes < 5; minutes += 1) world.pass(60_000);
  expect(backend.turns.length).toBeLessThanOrEqual(turns + 1);

  slack.faults.clear();
  await expect.poll(problems, patience).toEqual({ slack: undefined, discord: undefined });
  await answered(waiting, "Heard: second");
  await answered(ask.slack("third"), "Heard: third");
  expect(backend.turns.length).toBeLessThanOrEqual(turns + 3);
});
