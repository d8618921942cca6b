import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { SlackPlatform } from "../../../adapters/slack/platform.ts";
import { ScriptedBackend } from "../../fakes/scripted-backend.ts";
import { TestWorld } from "../../fakes/test-world.ts";
import { slackForTest } from "../../wire/slack/slack-for-test.ts";
import type { Person } from "../../wire/slack/slack-server.ts";
import { createInstallable, installs } from "./oauth-harness.ts";
import { createSlack, RememberingLog, serve, type Transport } from "./slack-harness.ts";

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

test("a token that is set and no longer taken ends what is answered with it, and says what to do", async () => {
  const slack = await slackForTest();
  const log = new RememberingLog();
  const goOn = Promise.withResolvers<void>();
  const backend = model(goOn.promise);
  await world.start({ backend, platforms: (ledger) => [createSlack(slack, { ledger, log })] });
  const ada = slack.addPerson("ada");
  const ask = (text: string) =>
    ada.mentions(slack.addChannel(text.replaceAll(" ", "-"), { members: [ada] }), text);
  ask("write at length");
  ask("think about it");
  await expect.poll(() => slack.liveStreams.length, patience).toBe(1);
  slack.installation().state = "revoked";
  goOn.resolve();
  await expect.poll(() => world.metrics.runs, patience).toEqual(["cancelled", "cancelled"]);
  expect(log.lines).toContainEqual(
    expect.objectContaining({
      event: "Slack access ended",
      problem: "token_revoked",
      fix: expect.stringContaining("SLACK_BOT_TOKEN"),
    }),
  );
});
