import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { BobbinProcess } from "../../fakes/bobbin-process.ts";
import { slackForTest } from "../../wire/slack/slack-for-test.ts";
import type { SlackChannel, SlackServer } from "../../wire/slack/slack-server.ts";

const root = join(import.meta.dirname, "../../..");
const manifest = parse(readFileSync(join(root, "slack-manifest.yaml"), "utf8"));
const patience = { timeout: 30_000 };

/** A workspace whose app is set up by the manifest, and by nothing else (step 1 of the guide). */
function appByManifest(): Promise<SlackServer> {
  const { features, oauth_config, settings } = manifest;
  return slackForTest({
    app: {
      name: manifest.display_information.name,
      botScopes: oauth_config.scopes.bot,
      events: new Set<string>(settings.event_subscriptions.bot_events),
      commands: new Set<string>(
        features.slash_commands.map((one: { command: string }) => one.command),
      ),
      shortcuts: new Set<string>(
        features.shortcuts.map((one: { callback_id: string }) => one.callback_id),
      ),
      isAgent: features.agent_view !== undefined,
    },
  });
}

/** The program with these lines in its `.env`. */
function bobbinWith(env: { readonly [name: string]: string }): BobbinProcess {
  const folder = mkdtempSync(join(tmpdir(), "bobbin-slack-"));
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(folder, ".env"), lines.join(""));
  const bobbin = new BobbinProcess({ folder });
  onTestFinished(async () => {
    await bobbin.end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  return bobbin;
}

/** What the guide promises once Bobbin runs, as a person tries it out. */
async function tryItOut(slack: SlackServer): Promise<void> {
  const ada = slack.addPerson("ada", { isAdmin: true });
  const general = slack.addChannel("general", { members: [ada], withBot: false });

  // Step 5: write in the Messages tab.
  const greeting = ada.directMessage("What is 2 + 2?");
  const direct = ada.directChannel();
  await expect.poll(() => slack.replies(direct, greeting.ts).at(-1)?.text, patience).toContain("4");

  // Step 5: invite it into a channel, and mention it there.
  ada.invitesBot(general);
  await expect.poll(() => ada.sees(general).at(-1)?.text, patience).toContain("Mention me");
  const question = ada.mentions(general, "What is 3 + 4?");
  await expect
    .poll(() => slack.replies(general, question.ts).at(-1)?.text, patience)
    .toContain("7");
  ada.posts(general, "What is 5 + 6?", { threadTs: question.ts });
  await expect
    .poll(() => slack.replies(general, question.ts).at(-1)?.text, patience)
    .toContain("11");

  // Commands, the settings form, the Home tab, the message shortcut, an export.
  await ada.types("/assistant status", general);
  await expect.poll(() => ada.sees(general).at(-1)?.text, patience).toContain("answers here");
  await ada.types("/assistant settings", general);
  await expect.poll(() => ada.modal?.text, patience).toContain("Settings of general");
  const saved = await ada.submits({ "context channel =": "We make lace." });
  expect(saved.status).toBe("closed");
  await expect.poll(() => ada.sees(general).at(-1)?.text, patience).toContain("Saved:");
  ada.opensHome();
  await expect.poll(() => ada.home?.text, patience).toContain("What is 3 + 4?");
  await ada.usesShortcut("ask_about_message", question);
  await expect.poll(() => ada.modal?.title, patience).toBe("Ask the assistant");
  await ada.submits({ question: "What is 8 + 9?" });
  await expect
    .poll(
      () =>
        JSON.stringify(
          slack.world
            .channel(direct.id)
            .messages.map(({ text, stream, blocks }) => [text, stream?.text, blocks]),
        ),
      patience,
    )
    .toContain("17");
  await ada.types("/assistant export", general);
  await expect
    .poll(
      () => slack.replies(direct).flatMap(({ files }) => files.map(({ name }) => name)),
      patience,
    )
    .toEqual([expect.stringMatching(/\.jsonl$/)]);

  // One open conversation in the channel: slash commands know which one is meant.
  await ada.types("/assistant new", general);
  await expect
    .poll(() => ada.sees(general).at(-1)?.text, patience)
    .toContain("A new conversation begins");

  expect(slack.calls().filter(({ error }) => error !== undefined)).toEqual([]);
}

test("led by the guide, Bobbin works in Slack over Socket Mode", async () => {
  const slack = await appByManifest();
  const bobbin = bobbinWith({
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_APP_TOKEN: slack.settings.appToken,
    SLACK_API_URL: slack.apiUrl,
  });
  await bobbin.ready();
  expect(bobbin.stderr).not.toContain("Slack scope missing");
  await tryItOut(slack);
}, 120_000);

test("led by the guide, Bobbin works in Slack over requests to it", async () => {
  const slack = await appByManifest();
  const bobbin = bobbinWith({
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_SIGNING_SECRET: slack.settings.signingSecret,
    SLACK_API_URL: slack.apiUrl,
  });
  await bobbin.ready();
  await slack.useRequestUrl(new URL("slack/events", bobbin.url).href);
  await tryItOut(slack);
}, 120_000);

describe.each(["SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"] as const)("connected by %s", (by) => {
  test("each way to stop ends the reply and its session, and keeps what was said", async () => {
    const slack = await appByManifest();
    const { appToken, signingSecret } = slack.settings;
    const bobbin = bobbinWith({
      SLACK_BOT_TOKEN: slack.botToken,
      [by]: by === "SLACK_APP_TOKEN" ? appToken : signingSecret,
      SLACK_API_URL: slack.apiUrl,
    });
    await bobbin.ready();
    if (by === "SLACK_SIGNING_SECRET") {
      await slack.useRequestUrl(new URL("slack/events", bobbin.url).href);
    }
    const ada = slack.addPerson("ada");
    const ways: { readonly [way: string]: (room: SlackChannel, ts: string) => unknown } = {
      "Slack's own button": (room, ts) => ada.pressesStop(room, ts),
      "the word": (room, ts) => ada.posts(room, "stop", { threadTs: ts }),
      "the command": (room) => ada.types("/assistant stop", room),
      "a stop sign": (room, ts) => ada.reacts({ channelId: room.id, ts }, "octagonal_sign"),
    };
    for (const [way, stop] of Object.entries(ways)) {
      const room = slack.addChannel(way.replaceAll(/\W+/g, "-").toLowerCase(), { members: [ada] });
      const { ts } = ada.mentions(room, "slow 60");
      await expect.poll(() => slack.replies(room, ts).at(-1)?.text, patience).toBeTruthy();
      await expect.poll(() => slack.session(room, ts)?.status, patience).toBe("processing");
      await stop(room, ts);
      const ended = { ...patience, message: way };
      await expect.poll(() => slack.session(room, ts)?.status, ended).toBe("active");
      await expect
        .poll(() => slack.replies(room, ts).at(-1)?.controls, patience)
        .toContain("Try again");
      expect(slack.replies(room, ts)).toHaveLength(1);
      expect(slack.liveStreams).toEqual([]);
    }
  }, 120_000);
});

test("a token that Slack refuses ends the start with what to do", async () => {
  const slack = await appByManifest();
  const bobbin = bobbinWith({
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_APP_TOKEN: "xapp-1-A0OTHER-1-wrong",
    SLACK_API_URL: slack.apiUrl,
  });
  expect(await bobbin.exit()).toBe(1);
  expect(bobbin.stderr).toContain("Slack does not accept SLACK_APP_TOKEN (invalid_auth)");
  expect(bobbin.stderr).not.toContain("xapp-1-A0OTHER-1-wrong");
}, 60_000);
