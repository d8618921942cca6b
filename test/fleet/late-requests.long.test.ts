import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import { startDiscordServer } from "../wire/discord/discord-server.ts";
import { startSlackServer } from "../wire/slack/slack-server.ts";

const patience = { timeout: 90_000, interval: 50 } as const;
const isWhole = /takes 6 seconds\. .*That was it\./;

/** A chat in which the first process has a request on its way that comes when all is over. */
interface Chat {
  readonly env: { readonly [name: string]: string };
  /** Asks the bot something that takes a while. */
  ask(): void;
  /** What stands there as its answer, a text for each message. */
  read(): readonly string[];
  /** The next request to do this is on its way until {@link arrive}. */
  delay(what: "create" | "edit"): void;
  readonly isOnItsWay: boolean;
  arrive(): void;
}

async function slackChat(): Promise<Chat> {
  const slack = await startSlackServer();
  onTestFinished(() => slack.stop());
  const ada = slack.addPerson("ada");
  const general = slack.addChannel("general", { members: [ada] });
  let question = "";
  return {
    env: {
      SLACK_BOT_TOKEN: slack.botToken,
      SLACK_APP_TOKEN: slack.settings.appToken,
      SLACK_API_URL: slack.apiUrl,
      SLACK_STREAMING: "update",
    },
    ask() {
      question = ada.mentions(general, "slow 6").ts;
    },
    read: () => slack.replies(general, question).map(({ text }) => text),
    delay(what) {
      const method = what === "create" ? "chat.postMessage" : "chat.update";
      slack.faults.next(method, { type: "late" });
    },
    get isOnItsWay() {
      return slack.faults.spent > 0;
    },
    arrive: () => slack.faults.clear(),
  };
}

async function discordChat(): Promise<Chat> {
  const discord = await startDiscordServer();
  onTestFinished(() => discord.stop());
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  let question: ReturnType<typeof ada.mentions> | undefined;
  return {
    env: { DISCORD_TOKEN: discord.token, DISCORD_API_URL: discord.apiUrl },
    ask() {
      question = ada.mentions(general, "slow 6");
    },
    read() {
      const thread = question && discord.threadOn(question);
      return thread ? discord.replies(thread).map(({ text }) => text) : [];
    },
    delay(what) {
      const [method, route] =
        what === "create"
          ? ["POST", "/channels/:channel/messages"]
          : ["PATCH", "/channels/:channel/messages/:message"];
      discord.faults.next({ method, route }, { type: "late" });
    },
    get isOnItsWay() {
      return discord.faults.spent > 0;
    },
    arrive: () => discord.faults.clear(),
  };
}

describe.skipIf(!hasRedis)(
  "a request of a process that sleeps, which comes when its answer is over",
  () => {
    const chats = { Slack: slackChat, Discord: discordChat } as const;

    /** The first process sleeps with a request on its way, and a second one has finished the answer. */
    async function takenOver(name: keyof typeof chats, what: "create" | "edit") {
      const chat = await chats[name]();
      const fleet = await BobbinFleet.open({ CONSOLE: "off", LEASE_SECONDS: "10", ...chat.env });
      onTestFinished(() => fleet[Symbol.asyncDispose]());
      await fleet.start("gateway");
      const first = await fleet.start("worker");
      if (what === "create") chat.delay(what);
      chat.ask();
      if (what === "edit") {
        await expect.poll(() => chat.read().join(""), patience).not.toBe("");
        chat.delay(what);
      }
      await expect.poll(() => chat.isOnItsWay, patience).toBe(true);
      first.signal("SIGSTOP");
      const second = await fleet.start("worker");
      await expect.poll(() => chat.read().join(""), patience).toMatch(isWhole);
      return { chat, fleet, second };
    }

    test("with older text is put right in Discord", async () => {
      const { chat } = await takenOver("Discord", "edit");
      chat.arrive();
      await expect.poll(() => chat.read().join(""), patience).not.toMatch(isWhole);
      await expect.poll(() => chat.read().join(""), patience).toMatch(isWhole);
      expect(chat.read()).toHaveLength(1);
    }, 300_000);

    test("with older text is put right in Slack, although who finished the answer is killed", async () => {
      const { chat, fleet, second } = await takenOver("Slack", "edit");
      await second.end("SIGKILL");
      chat.arrive();
      await expect.poll(() => chat.read().join(""), patience).not.toMatch(isWhole);
      await fleet.start("worker");
      await expect.poll(() => chat.read().join(""), patience).toMatch(isWhole);
      expect(chat.read()).toHaveLength(1);
    }, 300_000);

    test("with the same message once more leaves one in Slack", async () => {
      const { chat } = await takenOver("Slack", "create");
      chat.arrive();
      await expect.poll(() => chat.read(), patience).toHaveLength(2);
      await expect.poll(() => chat.read(), patience).toHaveLength(1);
      expect(chat.read()[0]).toMatch(isWhole);
    }, 300_000);
  },
);
