import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { BobbinProcess } from "./fakes/bobbin-process.ts";
import { discordForTest } from "./wire/discord/tiny-bot.ts";
import { slackForTest } from "./wire/slack/slack-for-test.ts";

const patience = { timeout: 60_000, interval: 50 } as const;

/** The program, with a Slack that never answers and a Discord whose gateway is out of reach. */
async function begun() {
  const [slack, discord] = [await slackForTest(), await discordForTest()];
  slack.faults.always("*", { type: "silence" });
  discord.gateway.settings.isDown = true;
  const folder = mkdtempSync(join(tmpdir(), "bobbin-start-"));
  const env = {
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_APP_TOKEN: slack.settings.appToken,
    SLACK_API_URL: slack.apiUrl,
    DISCORD_TOKEN: discord.token,
    DISCORD_API_URL: discord.apiUrl,
  };
  const bobbin = new BobbinProcess({ folder, env });
  onTestFinished(async () => {
    await bobbin.end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  return { slack, discord, bobbin };
}

/** How long the program takes to end after SIGTERM, in milliseconds; it has to end well. */
async function endedWithin(bobbin: BobbinProcess): Promise<number> {
  const askedMs = performance.now();
  expect(await bobbin.end("SIGTERM")).toBe(0);
  return performance.now() - askedMs;
}

test("platforms out of reach are named everywhere, hold nothing up, and join when they can", async () => {
  const { slack, discord, bobbin } = await begun();
  await bobbin.ready();
  for (const name of ["slack", "discord"]) {
    await vi.waitFor(
      () =>
        expect(bobbin.stderr).toContain(`Bobbin: ${name} is not connected, and joins when it can`),
      patience,
    );
    expect(bobbin.stdout).toMatch(
      new RegExp(`"platform":"${name}".*"msg":"platform not connected yet"`),
    );
  }
  await bobbin.say("calculate 6 * 7");
  await vi.waitFor(async () => expect((await bobbin.answers())[0]?.text).toContain("42"), patience);
  const health = async () => {
    const response = await bobbin.get("readyz");
    const { parts } = (await response.json()) as { readonly parts: object };
    return { status: response.status, parts };
  };
  const none = "not connected yet";
  expect(await health()).toMatchObject({
    status: 503,
    parts: { bobbin: "ok", web: "ok", slack: none, discord: none },
  });
  const connected = async () =>
    (await (await bobbin.get("metrics")).text()).match(/^bobbin_platform_connected.*$/gm);
  const gauge = (name: string, value: 0 | 1) =>
    `bobbin_platform_connected{platform="${name}"} ${value}`;
  expect(await connected()).toEqual([gauge("web", 1), gauge("slack", 0), gauge("discord", 0)]);

  slack.faults.clear();
  discord.gateway.settings.isDown = false;
  await vi.waitFor(async () => expect((await health()).status).toBe(200), patience);
  expect(await connected()).toEqual([gauge("web", 1), gauge("slack", 1), gauge("discord", 1)]);
  expect(await endedWithin(bobbin)).toBeLessThan(5_000);
});

test("SIGTERM while platforms are waited for ends the program at once", async () => {
  const { slack, bobbin } = await begun();
  await vi.waitFor(() => expect(slack.faults.spent).toBeGreaterThan(0), patience);
  expect(bobbin.stderr).toBe("");
  expect(await endedWithin(bobbin)).toBeLessThan(5_000);
});
