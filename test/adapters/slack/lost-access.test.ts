import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Alarm, systemAlarm } from "../../../adapters/slack/alarm.ts";
import type { SlackPlatform } from "../../../adapters/slack/platform.ts";
import { RememberingLog } from "../../fakes/remembering-log.ts";
import { ScriptedBackend } from "../../fakes/scripted-backend.ts";
import { TestWorld } from "../../fakes/test-world.ts";
import { slackForTest } from "../../wire/slack/slack-for-test.ts";
import type { Person } from "../../wire/slack/slack-server.ts";
import { createInstallable, installs } from "./oauth-harness.ts";
import { createSlack, serve, type Transport } from "./slack-harness.ts";

const patience = { timeout: 20_000 };
const never = new Promise<void>(() => {});

/** The real engine on a data file, the real clients, and a Slack with two workspaces. */
let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

/** A model that thinks for ever about some questions, and stands still in others until it may go on. */
function model(goOn: Promise<void>) {
  return new ScriptedBackend((turn) => {
    const asked = turn.transcript.findLast((entry) => entry.type === "user");
    const text = asked?.type === "user" ? asked.text : "";
    if (text.includes("think")) return [{ type: "wait", for: never }];
    const beginning = "A beginning that is long enough to be shown at once. ";
    if (!text.includes("write")) return [{ type: "say", text: `Heard: ${text}` }];
    return [
      { type: "say", text: beginning },
      { type: "wait", for: goOn },
      { type: "say", text: "More words come, and more after these. " },
      { type: "wait", for: text.includes("at length") ? never : Promise.resolve() },
    ];
  });
}

async function started(transport: Transport) {
  const slack = await slackForTest();
  const log = new RememberingLog();
  const goOn = Promise.withResolvers<void>();
  const backend = model(goOn.promise);
  let platform: SlackPlatform | undefined;
  await world.start({
    backend,
    platforms: (ledger) => {
      platform = createInstallable(slack, { ledger, transport, log });
      return [platform];
    },
  });
  if (!platform) throw new Error("there is no platform");
  if (platform.routes && transport === "http") {
    const server = await serve(platform.routes);
    onTestFinished(server.close);
    await slack.useRequestUrl(`${server.url}/slack/events`);
  }
  const [red, blue] = [slack.addWorkspace("Red"), slack.addWorkspace("Blue")];
  const ruth = slack.addPerson("ruth", { teamId: red.id });
  const bob = slack.addPerson("bob", { teamId: blue.id });
  for (const person of [ruth, bob]) expect((await installs(platform, person)).status).toBe(200);
  return { slack, log, backend, platform, red, ruth, bob, goOn: () => goOn.resolve() };
}

/** In both workspaces an answer is being written; in Red another one thinks, and a question waits. */
async function busy(transport: Transport) {
  const all = await started(transport);
  const { slack, backend, red, ruth, bob } = all;
  const ask = (person: Person, text: string) => {
    const channel = slack.addChannel(`about-${text.replaceAll(" ", "-")}`, { members: [person] });
    return { channel, question: person.mentions(channel, text) };
  };
  const writing = ask(ruth, "write at length");
  const thinking = ask(ruth, "think about it");
  const elsewhere = ask(bob, "write a little");
  await expect.poll(() => backend.turns.length, patience).toBe(3);
  await expect.poll(() => slack.liveStreams.length, patience).toBe(2);
  ruth.posts(writing.channel, "and then?", { threadTs: writing.question.ts });
  const lines = () =>
    Promise.all(
      [writing, thinking].map(async ({ channel, question }) => {
        const key = `slack:${red.id}:${channel.id}:${question.ts}`;
        const { isRunning, waiting, threadId } = await world.bobbin.threads.status(key);
        return { isRunning, waiting: waiting.length, isKept: threadId !== undefined };
      }),
    );
  await expect.poll(lines, patience).toMatchObject([{ waiting: 1 }, { isRunning: true }]);
  const theirs = () => slack.replies(elsewhere.channel, elsewhere.question.ts).at(-1)?.text;
  return { ...all, ask, lines, theirs };
}

describe.each(["socket", "http"] as const)("a workspace that is lost, over %s,", (transport) => {
  test.each(["app_uninstalled", "tokens_revoked"])(
    "because of %s: everything there ends at once and is deleted, the other goes on",
    async (event) => {
      const { slack, backend, red, lines, theirs, goOn } = await busy(transport);
      if (event === "tokens_revoked") slack.revokeToken(red.id);
      else {
        const installation = slack.installation(red.id);
        slack.feed.forInstallation(installation, { type: event });
        installation.state = "uninstalled";
      }
      const gone = { isRunning: false, waiting: 0, isKept: false };
      await expect.poll(lines, patience).toEqual([gone, gone]);
      expect(world.metrics.runs).toEqual(["cancelled", "cancelled"]);
      goOn();
      await expect.poll(theirs, patience).toContain("after these.");
      await expect.poll(() => world.metrics.runs.at(-1), patience).toBe("completed");
      expect(backend.turns).toHaveLength(3);
      expect(JSON.stringify(world.records.contents())).not.toContain("write at length");
    },
  );

  test.each(["account_inactive", "token_revoked"])(
    "because of %s, which nobody announced: everything there ends with the first call that is refused",
    async (problem) => {
      const { slack, log, backend, platform, red, ruth, ask, lines, theirs, goOn } =
        await busy(transport);
      slack.installation(red.id).state = problem === "token_revoked" ? "revoked" : "uninstalled";
      goOn();
      const stopped = { isRunning: false, waiting: 0, isKept: true };
      await expect.poll(lines, patience).toEqual([stopped, stopped]);
      await expect.poll(theirs, patience).toContain("after these.");
      await expect
        .poll(() => [...world.metrics.runs].sort(), patience)
        .toEqual(["cancelled", "cancelled", "completed"]);
      expect(backend.turns).toHaveLength(3);
      expect(log.lines).toContainEqual({
        event: "Slack access ended",
        platform: "slack",
        workspace: red.id,
        problem,
        fix: "Install the app again there, or remove it.",
      });

      slack.installation(red.id).state = "revoked";
      ask(ruth, "hear me");
      await slack.settled();
      expect(backend.turns).toHaveLength(3);

      expect((await installs(platform, ruth)).status).toBe(200);
      const { channel, question } = ask(ruth, "and now");
      await expect
        .poll(() => slack.replies(channel, question.ts).at(-1)?.text, patience)
        .toContain("Heard: and now");
    },
  );
});

describe("a token that is set and no longer taken", () => {
  async function own(transport: Transport) {
    const slack = await slackForTest();
    const log = new RememberingLog();
    const goOn = Promise.withResolvers<void>();
    const backend = model(goOn.promise);
    const due: (() => void)[] = [];
    let platform: SlackPlatform | undefined;
    await world.start({
      backend,
      platforms: (ledger) => {
        const after: Alarm = (ms, work) => {
          if (ms < 30_000) return systemAlarm(ms, work);
          due.push(work);
          return () => undefined;
        };
        platform = createSlack(slack, { ledger, log, transport, after });
        return [platform];
      },
    });
    if (!platform) throw new Error("there is no platform");
    if (platform.routes) {
      const server = await serve(platform.routes);
      onTestFinished(server.close);
      await slack.useRequestUrl(`${server.url}/slack/events`);
    }
    const ada = slack.addPerson("ada");
    const ask = (text: string) => {
      const channel = slack.addChannel(text.replaceAll(" ", "-"), { members: [ada] });
      const question = ada.mentions(channel, text);
      return {
        ...question,
        channel,
        said: () => slack.replies(channel, question.ts).map(({ text }) => text.split("\n")[0]),
      };
    };
    /** Half a minute has gone by. */
    const askAgain = () => {
      for (const work of due.splice(0)) work();
    };
    return { slack, log, backend, platform, ada, ask, askAgain, goOn: () => goOn.resolve() };
  }

  /** The bot's own time goes on while it is looked. */
  const inTime = (look: () => unknown) =>
    expect.poll(() => {
      world.pass(1_000);
      return look();
    }, patience);

  test.each([
    ["token_revoked", "socket"],
    ["invalid_auth", "http"],
  ] as const)(
    "because of %s, over %s: nothing is asked of the model, and all is answered once it is taken again",
    async (problem, transport) => {
      const { slack, log, backend, platform, ada, ask, askAgain, goOn } = await own(transport);
      const writing = ask("write a little");
      await expect.poll(() => slack.liveStreams.length, patience).toBe(1);
      ada.posts(writing.channel, "and then?", { threadTs: writing.ts });
      slack.faults.always("*", { type: "refusal", error: problem });
      goOn();
      await expect.poll(() => platform.isConnected(), patience).toBe(false);
      await expect.poll(() => world.metrics.runs, patience).toEqual([]);
      const turns = backend.turns.length;

      const late = ask("hear me");
      await slack.settled();
      expect(slack.deliveries.map(({ state }) => state)).not.toContain("given up");
      const checks = () => slack.calls("auth.test").length;
      const checked = checks();
      let calls = 0;
      for (let tries = 0; tries < 5; tries += 1) {
        world.pass(60_000);
        askAgain();
        await expect.poll(checks, patience).toBe(checked + tries + 1);
        // By then what was on its way when the token was refused has been answered.
        if (tries === 0) calls = slack.calls().length;
      }
      expect(
        slack
          .calls()
          .slice(calls)
          .every(({ method }) => method === "auth.test"),
      ).toBe(true);
      expect(backend.turns).toHaveLength(turns);
      expect(platform.problem?.()).toContain(problem);
      expect(log.lines.filter(({ event }) => event === "Slack access ended")).toEqual([
        {
          event: "Slack access ended",
          platform: "slack",
          workspace: slack.workspace.id,
          problem,
          fix: expect.stringContaining("SLACK_BOT_TOKEN"),
        },
      ]);

      slack.faults.clear();
      askAgain();
      await expect.poll(() => platform.isConnected(), patience).toBe(true);
      await inTime(() => late.said()).toEqual(["Heard: hear me"]);
      await inTime(() => world.metrics.runs).toEqual(["completed", "completed", "completed"]);
      expect(writing.said()).toEqual([expect.stringContaining("after these."), "Heard: and then?"]);
      expect(slack.liveStreams).toEqual([]);
    },
  );

  test("is put right by another one after a restart: what was said meanwhile is answered", async () => {
    const { slack, backend, platform, ask } = await own("socket");
    slack.faults.always("*", { type: "refusal", error: "token_revoked" });
    const first = ask("one");
    await expect.poll(() => platform.isConnected(), patience).toBe(false);
    const second = ask("two");
    await slack.settled();
    await world.stop(0);
    const turns = backend.turns.length;

    slack.faults.clear();
    world.pass(60_000);
    await world.start({
      backend,
      platforms: (ledger) => [createSlack(slack, { ledger })],
    });
    await inTime(() => second.said()).toEqual(["Heard: two"]);
    await inTime(() => first.said()).toEqual(["Heard: one"]);
    expect(backend.turns.length).toBeLessThanOrEqual(turns + 2);
  });
});
