import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import { startDiscordServer } from "../wire/discord/discord-server.ts";
import { startSlackServer } from "../wire/slack/slack-server.ts";

const patience = { timeout: 90_000, interval: 50 } as const;

describe.skipIf(!hasRedis)("what says of a message that it waits", () => {
  test.each(["SIGKILL", "SIGTERM"] as const)(
    "goes when its turn has come, although its gateway ended by %s",
    async (signal) => {
      const slack = await startSlackServer();
      onTestFinished(() => slack.stop());
      const discord = await startDiscordServer();
      onTestFinished(() => discord.stop());
      const fleet = await BobbinFleet.open({
        CONSOLE: "off",
        SLACK_BOT_TOKEN: slack.botToken,
        SLACK_APP_TOKEN: slack.settings.appToken,
        SLACK_API_URL: slack.apiUrl,
        DISCORD_TOKEN: discord.token,
        DISCORD_API_URL: discord.apiUrl,
      });
      onTestFinished(() => fleet[Symbol.asyncDispose]());
      const gateway = await fleet.start("gateway");
      await fleet.start("worker");
      const ada = slack.addPerson("ada");
      const general = slack.addChannel("general", { members: [ada] });
      const grace = discord.addPerson("grace");
      const lobby = discord.addChannel("lobby");

      const first = ada.mentions(general, "slow 20");
      const question = grace.mentions(lobby, "slow 20");
      await expect.poll(() => discord.threadOn(question), patience).toBeTruthy();
      const thread = discord.threadOn(question);
      if (!thread) throw new Error("there is no thread");
      const said = () => discord.replies(thread).map(({ text }) => text);
      await expect.poll(() => said().join(), patience).toContain("takes 20");
      await expect
        .poll(
          () =>
            slack
              .replies(general, first.ts)
              .map(({ text }) => text)
              .join(),
          patience,
        )
        .toContain("takes 20");
      const second = ada.mentions(general, "calculate 6 * 7", { threadTs: first.ts });
      grace.mentions(thread, "calculate 6 * 7");
      const reactions = () =>
        slack.seen(general, first.ts).find(({ ts }) => ts === second.ts)?.reactions;
      await expect.poll(reactions, patience).toEqual({ hourglass_flowing_sand: ["Bobbin"] });
      await expect.poll(() => said().join(), patience).toContain("this is next");
      await gateway.end(signal);
      await fleet.start("gateway");

      await expect.poll(() => said().join(), patience).toContain("42");
      await expect.poll(reactions, patience).toEqual({});
      await expect.poll(() => said().join(), patience).not.toContain("this is next");
      expect([slack.complaints, discord.complaints]).toEqual([[], []]);
    },
    240_000,
  );
});
