import { randomBytes } from "node:crypto";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Json } from "#domain/json";
import { emptyView } from "#domain/reply-view";
import type { SlackPlatform } from "../../../adapters/slack/platform.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { slackForTest } from "../../wire/slack/slack-for-test.ts";
import type { Person, SlackServer } from "../../wire/slack/slack-server.ts";
import { createInstallable, get, installs, redirectUrl } from "./oauth-harness.ts";
import { serve, type Transport, targetFor } from "./slack-harness.ts";

const hourMs = 60 * 60_000;

interface World {
  readonly slack: SlackServer;
  readonly bot: FakeBot;
  readonly platform: SlackPlatform;
  readonly ledger: MemoryLedger;
  readonly tomorrow: (ms: number) => void;
}

async function world(transport: Transport = "socket", rotatesTokens = false): Promise<World> {
  const slack = await slackForTest({ app: { rotatesTokens } });
  const bot = new FakeBot();
  const ledger = new MemoryLedger();
  let aheadMs = 0;
  const platform = createInstallable(slack, { ledger, transport, now: () => Date.now() + aheadMs });
  await platform.start(bot);
  onTestFinished(() => platform.stop());
  if (transport === "http" && platform.routes) {
    const server = await serve(platform.routes);
    onTestFinished(server.close);
    await slack.useRequestUrl(`${server.url}/slack/events`);
  }
  const tomorrow = (ms: number) => {
    aheadMs += ms;
  };
  return { slack, bot, platform, ledger, tomorrow };
}

async function twoTeams(transport: Transport = "socket", rotatesTokens = false) {
  const all = await world(transport, rotatesTokens);
  const { slack } = all;
  const [red, blue] = [slack.addWorkspace("Red"), slack.addWorkspace("Blue")];
  const [ruth, bob] = [
    slack.addPerson("ruth", { teamId: red.id }),
    slack.addPerson("bob", { teamId: blue.id }),
  ];
  for (const person of [ruth, bob]) expect((await installs(all.platform, person)).status).toBe(200);
  return { ...all, red, blue, ruth, bob };
}

describe.each(["socket", "http"] as const)("two workspaces over %s", (transport) => {
  test("install the app in a browser, and each is heard and answered as itself", async () => {
    const { slack, bot, platform, red, blue, ruth, bob } = await twoTeams(transport);
    for (const [person, team] of [
      [ruth, red],
      [bob, blue],
    ] as const) {
      const channel = slack.addChannel(`room-${person.name}`, { members: [person] });
      const question = person.mentions(channel, `hello from ${person.name}`);
      const eventId = `slack:${team.id}:${channel.id}:${question.ts}`;
      await expect.poll(() => bot.messages.map((one) => one.eventId)).toContain(eventId);
      const target = targetFor(slack, { channel, message: question, person });
      const installation = slack.installation(team.id);
      const reply = platform.openReply(
        { ...target, target: { ...(target.target as object), team: team.id } },
        new MemoryJournal(target.runId),
      );
      await reply.finish({ ...emptyView(target.runId), text: "Hello.", status: "completed" });
      expect(slack.replies(channel, question.ts)).toMatchObject([{ notification: "Hello." }]);
      expect(slack.calls("chat.postMessage").at(-1)?.teamId).toBe(installation.teamId);
    }
    expect(bot.messages.map(({ text }) => text)).toEqual(["hello from ruth", "hello from bob"]);
  });

  test.each(["uninstalls", "revokes"] as const)(
    "one %s: its conversations end and its token is gone, the other goes on",
    async (how) => {
      const { slack, bot, ledger, red, blue, ruth, bob } = await twoTeams(transport);
      if (how === "revokes") slack.revokeToken(red.id);
      else {
        slack.feed.forInstallation(slack.installation(red.id), { type: "app_uninstalled" });
        slack.installation(red.id).state = "uninstalled";
      }
      await expect.poll(() => bot.left).toHaveLength(1);
      expect(bot.left).toMatchObject([{ keyPrefix: `slack:${red.id}:` }]);
      await slack.settled();
      expect(await ledger.names("slack/installation/", { limit: 10 })).toEqual([
        `slack/installation/${blue.id}`,
      ]);
      const [theirs, ours] = [ruth, bob].map((person) =>
        slack.addChannel(`later-${person.name}`, { members: [person] }),
      );
      if (theirs) ruth.mentions(theirs, "anybody there?");
      if (ours) bob.mentions(ours, "and here?");
      await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["and here?"]);
      await slack.settled();
      expect(bot.messages).toHaveLength(1);
    },
  );
});

describe("somebody who is to be told in a channel", () => {
  const file = { name: "a.md", mimeType: "text/markdown", data: new TextEncoder().encode("x") };

  async function support() {
    const all = await twoTeams();
    const channel = all.slack.addChannel("support", { members: [all.bob] });
    const told = () => all.slack.replies(channel).map(({ text }) => text);
    const notify = (note: { readonly channel: string; readonly about?: Json }) =>
      all.platform.notify?.({ text: "A person is needed.", file, ...note });
    return { ...all, channel, told, notify };
  }

  test("is told in the workspace that is named, whoever needs them", async () => {
    const { slack, blue, red, channel, told, notify } = await support();
    const about = { team: red.id, channel: "C1", threadTs: "1.1" };
    await notify({ channel: `${blue.id}:${channel.id}`, about });
    expect(told()).toEqual(["A person is needed."]);
    expect(slack.calls("files.completeUploadExternal")).toMatchObject([{ teamId: blue.id }]);
  });

  test("is told in the workspace of who needs them, when none is named", async () => {
    const { blue, channel, told, notify } = await support();
    await notify({ channel: channel.id, about: { team: blue.id, channel: "C1", threadTs: "1.1" } });
    expect(told()).toEqual(["A person is needed."]);
  });

  test("is not looked for in every workspace", async () => {
    const { channel, told, notify } = await support();
    await expect(notify({ channel: channel.id })).rejects.toMatchObject({
      code: "not-found",
      detail: expect.stringContaining("which workspace"),
    });
    expect(told()).toEqual([]);
  });
});

test("what is kept of an installation is sealed, and still known after a restart", async () => {
  const { slack, platform, ledger, red, ruth } = await twoTeams();
  await platform.stop();
  const kept = await ledger.read(`slack/installation/${red.id}`);
  expect(String(kept?.value)).not.toContain(slack.installation(red.id).token);
  const bot = new FakeBot();
  const next = createInstallable(slack, { ledger, transport: "socket", now: Date.now });
  await next.start(bot);
  onTestFinished(() => next.stop());
  ruth.mentions(slack.addChannel("again", { members: [ruth] }), "still there?");
  await expect.poll(() => bot.messages.map(({ text }) => text)).toEqual(["still there?"]);
});

test("another key opens nothing, and says which setting is wrong", async () => {
  const { slack, platform, ledger } = await twoTeams();
  await platform.stop();
  const options = { ledger, transport: "socket", now: Date.now, key: randomBytes(32) } as const;
  const next = createInstallable(slack, options);
  await expect(next.start(new FakeBot())).rejects.toThrow(/SLACK_INSTALLATIONS_KEY/);
});

describe("a browser that comes back from Slack", () => {
  test.each([
    ["without the cookie it was sent with", (state: string) => [state, ""]],
    ["with a state nobody signed", () => ["a.99999999999999.b", "a.99999999999999.b"]],
  ] as const)("%s installs nothing", async (_how, change) => {
    const { slack, platform, ledger } = await world();
    const ruth = slack.addPerson("ruth", { teamId: slack.addWorkspace("Red").id });
    if (!platform.routes) throw new Error("there is nowhere to install it");
    const begun = await get(platform.routes, "/slack/install");
    const to = new URL(begun.headers.get("location") ?? "");
    const [state, kept] = change(to.searchParams.get("state") ?? "");
    const code = slack.newOAuthCode(ruth, { redirectUri: redirectUrl });
    const cookie = kept ? `bobbin_slack_install=${kept}` : "";
    const answer = await get(
      platform.routes,
      `/slack/oauth_redirect?code=${code}&state=${state}`,
      cookie,
    );
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("not begun here");
    expect(await ledger.names("slack/installation/", { limit: 10 })).toEqual([]);
  });

  test("with a code Slack does not know is told so", async () => {
    const all = await world();
    const ruth = all.slack.addPerson("ruth", { teamId: all.slack.addWorkspace("Red").id });
    all.slack.faults.next("oauth.v2.access", { type: "refusal", error: "invalid_code" });
    const answer = await installs(all.platform, ruth);
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain("invalid_code");
  });

  test("from an installation in a whole organisation is told that it takes one workspace", async () => {
    const all = await world();
    all.slack.configure({ installsOrgWide: true });
    const ruth = all.slack.addPerson("ruth", { teamId: all.slack.addWorkspace("Red").id });
    const answer = await installs(all.platform, ruth);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("in a workspace, not in a whole organisation");
    expect(await all.ledger.names("slack/installation/", { limit: 10 })).toEqual([]);
    ruth.mentions(all.slack.addChannel("room", { members: [ruth] }), "anybody there?");
    await all.slack.settled();
    expect(all.bot.messages).toEqual([]);
  });
});

describe("a token that lives twelve hours", () => {
  async function asked() {
    const all = await twoTeams("socket", true);
    const { slack, ruth, red, platform } = all;
    const channel = slack.addChannel("hours", { members: [ruth] });
    const say = async (text: string) => {
      const message = ruth.posts(channel, "a question");
      const target = targetFor(slack, { channel, message, person: ruth });
      const at = { ...(target.target as object), team: red.id };
      const reply = platform.openReply({ ...target, target: at }, new MemoryJournal(target.runId));
      await reply.finish({ ...emptyView(target.runId), text, status: "completed" });
      return slack.replies(channel, message.ts).map(({ notification }) => notification);
    };
    const renewals = () =>
      slack.calls("oauth.v2.access").filter(({ args }) => args.grant_type === "refresh_token");
    return { ...all, say, renewals };
  }

  test("is renewed before its end, once for all who need it", async () => {
    const { say, renewals, tomorrow } = await asked();
    await say("Early.");
    expect(renewals()).toHaveLength(0);
    tomorrow(11 * hourMs);
    const said = await Promise.all(["one", "two", "three"].map(say));
    expect(said).toEqual([["one"], ["two"], ["three"]]);
    expect(renewals()).toHaveLength(1);
  });

  test("is renewed when Slack says that it has expired, and the call is made again", async () => {
    const { slack, say, renewals } = await asked();
    slack.faults.next("chat.postMessage", { type: "refusal", error: "token_expired" });
    expect(await say("All the same.")).toEqual(["All the same."]);
    expect(renewals()).toHaveLength(1);
  });

  test("is used to its end when it cannot be renewed yet", async () => {
    const { slack, say, tomorrow } = await asked();
    slack.faults.next("oauth.v2.access", { type: "http-error", status: 503, accepted: false });
    tomorrow(11 * hourMs);
    expect(await say("Still good.")).toEqual(["Still good."]);
  });
});

test.each(["account_inactive", "token_revoked", "invalid_auth", "token_expired", "not_authed"])(
  "a token refused with %s ends the access there, says so, and nobody asks Slack again",
  async (error) => {
    const { slack, platform, red, blue, ruth, bob } = await twoTeams();
    const finish = async (person: Person, team: string) => {
      const channel = slack.addChannel(`for-${person.name}`, { members: [person] });
      const message = person.posts(channel, "a question");
      const target = targetFor(slack, { channel, message, person });
      const at = { ...(target.target as object), team };
      const reply = platform.openReply({ ...target, target: at }, new MemoryJournal(target.runId));
      await reply.finish({ ...emptyView(target.runId), text: "Here.", status: "completed" });
    };
    slack.faults.next("chat.postMessage", { type: "refusal", error });
    await expect(finish(ruth, red.id)).rejects.toMatchObject({
      code: "reply-impossible",
      detail: "My access to this workspace has ended.",
    });
    const calls = slack.calls().length;
    await expect(finish(ruth, red.id)).rejects.toMatchObject({ code: "reply-impossible" });
    expect(slack.calls()).toHaveLength(calls);
    await vi.waitFor(() => finish(bob, blue.id));
  },
);

test("what one process saw installed, others hear and draw for, with the token that holds", async () => {
  const all = await world("socket", true);
  const { slack, bot, ledger } = all;
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const otherBot = new FakeBot();
  const gateway = createInstallable(slack, { ledger, transport: "socket", now });
  const workers = [1, 2].map(() => createInstallable(slack, { ledger, transport: "none", now }));
  await Promise.all([gateway, ...workers].map((one) => one.start(otherBot)));
  onTestFinished(() => gateway.stop());
  const red = slack.addWorkspace("Red");
  const ruth = slack.addPerson("ruth", { teamId: red.id });
  expect((await installs(all.platform, ruth)).status).toBe(200);

  const channel = slack.addChannel("both", { members: [ruth] });
  const asked = Array.from({ length: 8 }, (_, index) =>
    ruth.mentions(channel, `question ${index}`),
  );
  await expect.poll(() => bot.messages.length + otherBot.messages.length).toBe(asked.length);
  expect(otherBot.messages.length).toBeGreaterThan(0);

  const draw = async (worker: SlackPlatform, index: number, text: string) => {
    const message = asked[index];
    if (!message) throw new Error("nothing was asked");
    const to = targetFor(slack, { channel, message, person: ruth });
    const target = { ...(to.target as object), team: red.id };
    const reply = worker.openReply({ ...to, target }, new MemoryJournal(to.runId));
    await reply.finish({ ...emptyView(to.runId), text, status: "completed" });
    return slack.replies(channel, message.ts).map(({ notification }) => notification);
  };
  for (const [index, worker] of workers.entries()) {
    expect(await draw(worker, index, "Today.")).toEqual(["Today."]);
  }
  // Each of them finds its token too old, and only one renews it: a refresh token is good for once.
  aheadMs = 13 * hourMs;
  const later = await Promise.all(workers.map((one, index) => draw(one, 2 + index, "Tomorrow.")));
  expect(later).toEqual([["Tomorrow."], ["Tomorrow."]]);
});
