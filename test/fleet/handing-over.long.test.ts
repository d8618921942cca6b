import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import type { BobbinProcess } from "../fakes/bobbin-process.ts";
import { startDiscordServer } from "../wire/discord/discord-server.ts";
import { startSlackServer } from "../wire/slack/slack-server.ts";

const patience = { timeout: 80_000, interval: 50 } as const;
const steps = 24;
const whole = `${Array.from({ length: steps }, (_, index) => `${index + 1} of ${steps}.`).join(" ")} That was it.`;

/** How many conversations it is at work on. */
async function workOf(worker: BobbinProcess): Promise<number> {
  const metrics = await (await worker.get("metrics")).text();
  return Number(/^bobbin_queue_running_here (\d+)$/m.exec(metrics)?.[1]);
}

describe.skipIf(!hasRedis)("processes that are replaced while they answer", () => {
  test.each([
    // Who waited for this lease would come too late.
    { signal: "SIGTERM", code: 0, leaseSeconds: "120" },
    { signal: "SIGKILL", code: "SIGKILL", leaseSeconds: "5" },
  ] as const)(
    "$signal: others go on in the messages begun in Slack and Discord, and hear what is said meanwhile",
    async ({ signal, code, leaseSeconds }) => {
      const [slack, discord] = await Promise.all([startSlackServer(), startDiscordServer()]);
      onTestFinished(async () => {
        await Promise.all([slack.stop(), discord.stop()]);
      });
      await using fleet = await BobbinFleet.open({
        CONSOLE: "off",
        LEASE_SECONDS: leaseSeconds,
        SHUTDOWN_GRACE_SECONDS: "0",
        SLACK_BOT_TOKEN: slack.botToken,
        SLACK_APP_TOKEN: slack.settings.appToken,
        SLACK_API_URL: slack.apiUrl,
        DISCORD_TOKEN: discord.token,
        DISCORD_API_URL: discord.apiUrl,
      });
      const [gateway, first, second] = await Promise.all([
        fleet.start("gateway"),
        fleet.start("worker"),
        fleet.start("worker"),
      ]);
      const ada = slack.addPerson("ada");
      const bob = discord.addPerson("bob");
      const [room, general] = [
        slack.addChannel("room", { members: [ada] }),
        discord.addChannel("general"),
      ];
      const askSlack = (text: string) => {
        const { ts } = ada.mentions(room, text);
        return () => slack.replies(room, ts).map((reply) => reply.text);
      };
      const askDiscord = (text: string) => {
        const question = bob.mentions(general, text);
        return () => {
          const thread = discord.threadOn(question);
          return thread ? discord.replies(thread).map((reply) => reply.text) : [];
        };
      };
      const ask = (text: string) => [askSlack(text), askDiscord(text)];

      const slow = ask(`slow ${steps / 2}`);
      for (const read of slow) await expect.poll(() => read().join(""), patience).toContain("2 of");
      const [work = 0, rest = 0] = await Promise.all([first, second].map(workOf));
      expect(work + rest).toBe(2);
      const [leaving, staying] = work === 0 ? [second, first] : [first, second];
      expect(await leaving.end(signal)).toBe(code);
      for (const read of slow) expect(read().join("")).not.toContain("That was it.");
      await expect.poll(() => workOf(staying), patience).toBe(2);
      for (const read of slow) await expect.poll(() => read().join(""), patience).toContain(whole);

      await fleet.start("gateway");
      const ended = gateway.end(signal);
      const meanwhile = ask("calculate 6 * 7");
      expect(await ended).toBe(code);
      const afterwards = ask("calculate 6 * 8");
      for (const [reads, answer] of [
        [meanwhile, "42"],
        [afterwards, "48"],
      ] as const) {
        for (const read of reads)
          await expect.poll(() => read().join(""), patience).toContain(answer);
      }
      for (const read of [...slow, ...meanwhile, ...afterwards]) expect(read()).toHaveLength(1);
      expect(slack.complaints).toEqual([]);
      expect(discord.complaints).toEqual([]);
    },
    240_000,
  );
});
