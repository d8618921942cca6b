import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import { startDiscordServer } from "../wire/discord/discord-server.ts";
import { startSlackServer } from "../wire/slack/slack-server.ts";

const patience = { timeout: 60_000, interval: 50 } as const;

describe.skipIf(!hasRedis)("gateways and workers", () => {
  test("a worker without sockets answers in Slack, and hears what is pressed at a gateway", async () => {
    const slack = await startSlackServer();
    onTestFinished(() => slack.stop());
    await using fleet = await BobbinFleet.open({
      CONSOLE: "off",
      SLACK_BOT_TOKEN: slack.botToken,
      SLACK_APP_TOKEN: slack.settings.appToken,
      SLACK_API_URL: slack.apiUrl,
    });
    const gateway = await fleet.start("gateway");
    const ada = slack.addPerson("ada", { isAdmin: true });
    const general = slack.addChannel("general", { members: [ada] });
    const { ts } = ada.mentions(general, "calculate 6 * 7");
    // A second gateway takes its part of what arrives, and its settings.
    const other = await fleet.start("gateway");
    const worker = await fleet.start("worker");
    const answered = (question: string) => slack.replies(general, question).at(-1)?.text;
    await expect.poll(() => answered(ts), patience).toContain("42");
    for (const [process, role] of [
      [gateway, "gateway"],
      [other, "gateway"],
      [worker, "worker"],
    ] as const) {
      expect(await (await process.get("healthz")).json()).toEqual({ status: "ok", role });
      expect(await (await process.get("readyz")).json()).toMatchObject({ isReady: true, role });
    }
    expect((await worker.get("slack/install")).status).toBe(404);

    // Presses, commands and settings go to whichever gateway Slack chooses.
    const slow = ada.mentions(general, "slow 60");
    await expect.poll(() => answered(slow.ts), patience).toBeTruthy();
    ada.pressesStop(general, slow.ts);
    await expect
      .poll(() => slack.replies(general, slow.ts).at(-1)?.controls, patience)
      .toContain("Try again");
    for (const name of ["Lace", "Bobbin lace"]) {
      await ada.types(`/assistant context channel We make ${name}.`, general);
      await expect.poll(() => ada.sees(general).at(-1)?.isEphemeral, patience).toBe(true);
      const { ts: about } = ada.mentions(general, "about");
      await expect.poll(() => answered(about), patience).toContain(`We make ${name}.`);
    }
    const asked = ada.mentions(
      general,
      'call ask_form {"title": "Lunch", "fields": [{"id": "dish", "label": "Which dish?"}]}',
    );
    await expect
      .poll(() => slack.replies(general, asked.ts).at(-1)?.controls, patience)
      .toContain("Answer");
    const [question] = slack.replies(general, asked.ts).slice(-1);
    if (question) await ada.presses(question, "Answer");
    await expect.poll(() => ada.modal?.title, patience).toBe("Lunch");
    await ada.submits({ "Which dish?": "Soup" });
    await expect.poll(() => answered(asked.ts), patience).toContain("Soup");
    for (const taker of [gateway, other]) {
      const metrics = await (await taker.get("metrics")).text();
      expect(metrics).not.toMatch(/^bobbin_run_wait_seconds_count\{/m);
    }
    expect(slack.complaints).toEqual([]);
  }, 180_000);

  test("two workers share one budget: Slack tells neither to wait", async () => {
    const slack = await startSlackServer();
    onTestFinished(() => slack.stop());
    await using fleet = await BobbinFleet.open({
      CONSOLE: "off",
      MESSAGES_PER_PERSON_PER_MINUTE: "1000",
      SLACK_BOT_TOKEN: slack.botToken,
      SLACK_APP_TOKEN: slack.settings.appToken,
      SLACK_API_URL: slack.apiUrl,
    });
    const [, ...workers] = await Promise.all([
      fleet.start("gateway"),
      fleet.start("worker"),
      fleet.start("worker"),
    ]);
    const ada = slack.addPerson("ada");
    // Each of the two alone would begin nineteen streams, of the twenty a minute that there are.
    const asked = Array.from({ length: 36 }, (_, index) => {
      const room = slack.addChannel(`room-${index}`, { members: [ada] });
      return { room, ts: ada.mentions(room, "slow 4").ts };
    });
    const isAnswered = ({ room, ts }: (typeof asked)[number]) =>
      slack.replies(room, ts).some(({ text }) => text.includes("That was it."));
    await expect
      .poll(() => asked.filter(isAnswered).length, { ...patience, timeout: 90_000 })
      .toBe(asked.length);
    for (const worker of workers) {
      const metrics = await (await worker.get("metrics")).text();
      expect(metrics).toMatch(/bobbin_run_wait_seconds_count\{platform="slack"\} [1-9]/);
    }
    expect(slack.calls().filter(({ status }) => status === 429)).toEqual([]);
  }, 150_000);

  test("a worker without a gateway connection answers in Discord", async () => {
    const discord = await startDiscordServer();
    onTestFinished(() => discord.stop());
    await using fleet = await BobbinFleet.open({
      CONSOLE: "off",
      DISCORD_TOKEN: discord.token,
      DISCORD_API_URL: discord.apiUrl,
    });
    await fleet.start("worker");
    expect(discord.gateway.connected).toBe(0);
    await fleet.start("gateway");
    const ada = discord.addPerson("ada");
    const question = ada.mentions(discord.addChannel("general"), "calculate 6 * 7");
    const answer = () => {
      const thread = discord.threadOn(question);
      return thread && discord.replies(thread).at(-1)?.text;
    };
    await expect.poll(answer, patience).toContain("42");
    expect(discord.complaints).toEqual([]);
  }, 120_000);
});
