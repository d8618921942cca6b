import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import type { BobbinProcess } from "../fakes/bobbin-process.ts";
import { startDiscordServer } from "../wire/discord/discord-server.ts";
import { startSlackServer } from "../wire/slack/slack-server.ts";

const patience = { timeout: 120_000, interval: 50 } as const;
const graceSeconds = 2;
/** It is eight seconds beyond the grace period, and more on a busy machine. */
const endsWithinMs = (graceSeconds + 14) * 1_000;

/** A question somebody asked, and what stands there as its answer: a text for each message. */
interface Asked {
  readonly where: string;
  readonly read: () => readonly string[];
}

/** Slack and Discord with somebody in each, and a fleet that serves both. */
async function served() {
  const slack = await startSlackServer();
  onTestFinished(() => slack.stop());
  const discord = await startDiscordServer();
  onTestFinished(() => discord.stop());
  const fleet = await BobbinFleet.open({
    CONSOLE: "off",
    SHUTDOWN_GRACE_SECONDS: `${graceSeconds}`,
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_APP_TOKEN: slack.settings.appToken,
    SLACK_API_URL: slack.apiUrl,
    DISCORD_TOKEN: discord.token,
    DISCORD_API_URL: discord.apiUrl,
  });
  onTestFinished(() => fleet[Symbol.asyncDispose]());
  const ada = slack.addPerson("ada");
  const grace = discord.addPerson("grace");
  const places = [1, 2].map((number) => ({
    slack: slack.addChannel(`room-${number}`, { members: [ada] }),
    discord: discord.addChannel(`room-${number}`),
  }));
  const ask = (text: string, index: number): readonly Asked[] => {
    const place = places[index];
    if (!place) throw new Error("there is no such place");
    const { ts } = ada.mentions(place.slack, text);
    const question = grace.mentions(place.discord, text);
    return [
      { where: "Slack", read: () => slack.replies(place.slack, ts).map((reply) => reply.text) },
      {
        where: "Discord",
        read() {
          const thread = discord.threadOn(question);
          return thread ? discord.replies(thread).map((reply) => reply.text) : [];
        },
      },
    ];
  };
  return { slack, discord, fleet, ask };
}

/** What the process says of its store. */
async function storeOf(member: BobbinProcess): Promise<unknown> {
  const body: unknown = await (await member.get("readyz")).json();
  return (body as { readonly parts: { readonly store: string } }).parts.store;
}

async function areAnswered(asked: readonly Asked[], words: RegExp): Promise<void> {
  for (const { where, read } of asked) {
    await expect.poll(() => read().join(""), { ...patience, message: where }).toMatch(words);
  }
}

describe.skipIf(!hasRedis)("while Redis takes connections and answers nothing", () => {
  const slow = /takes 12 seconds\. .*That was it\./s;

  test("it is said in time, and all goes on by itself, each answered once", async () => {
    const { slack, discord, fleet, ask } = await served();
    const gateway = await fleet.start("gateway");
    const worker = await fleet.start("worker");
    const begun = ask("slow 12", 0);
    await areAnswered(begun, /takes 12/);
    fleet.redis.freeze();
    const meanwhile = ask("calculate 6 * 7", 1);
    for (const said of await Promise.all([gateway, worker].map(storeOf))) {
      expect(said).toMatch(/does not answer: .*no answer within 5 seconds/);
    }
    fleet.redis.thaw();

    await areAnswered(begun, slow);
    await areAnswered(meanwhile, /42/);
    for (const member of [gateway, worker]) {
      await expect.poll(() => storeOf(member), patience).toBe("ok");
    }
    await expect.poll(() => worker.unsettled(), patience).toBe(0);
    for (const { where, read } of [...begun, ...meanwhile]) {
      expect(read(), where).toHaveLength(1);
    }
    expect([slack.complaints, discord.complaints]).toEqual([[], []]);
  }, 300_000);

  test("SIGTERM ends every process within its time, and others finish what it was at", async () => {
    const { fleet, ask } = await served();
    const members = [await fleet.start("gateway"), await fleet.start("worker")];
    const asked = ask("slow 12", 0);
    await areAnswered(asked, /takes 12/);
    members.push(await fleet.start("worker"));
    fleet.redis.freeze();
    for (const said of await Promise.all(members.map(storeOf))) expect(said).toMatch(/no answer/);
    const signalledAtMs = performance.now();
    const ends = await Promise.all(
      members.map(async (member) => {
        await member.end("SIGTERM");
        return performance.now() - signalledAtMs;
      }),
    );
    for (const tookMs of ends) expect(tookMs).toBeLessThan(endsWithinMs);
    fleet.redis.thaw();
    await fleet.start("worker");
    await areAnswered(asked, slow);
    for (const { where, read } of asked) expect(read(), where).toHaveLength(1);
  }, 300_000);
});

test.skipIf(!hasRedis)(
  "a platform that answers nothing does not hold a process that ends",
  async () => {
    const { slack, fleet, ask } = await served();
    const only = await fleet.start("all");
    const asked = ask("slow 12", 0).filter(({ where }) => where === "Slack");
    await areAnswered(asked, /takes 12/);
    slack.faults.next("chat.appendStream", { type: "late" });
    await expect.poll(() => slack.faults.spent, patience).toBeGreaterThan(0);
    expect(await only.end("SIGTERM")).toBe(1);
    expect(only.stdout).toContain("stopped before all had ended");
  },
  120_000,
);
