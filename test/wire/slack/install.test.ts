import type { AddressInfo } from "node:net";
import { App, type Installation, LogLevel } from "@slack/bolt";
import { describe, expect, onTestFinished, test } from "vitest";
import { slackForTest } from "./slack-for-test.ts";
import { ManualClock, type SlackServer } from "./slack-server.ts";
import { clientFor, codeOf, connectBot } from "./tiny-bot.ts";

/** A Bolt app that people install over OAuth, with its address and what it has stored. */
async function connectInstallable(slack: SlackServer) {
  const stored = new Map<string, Installation>();
  const { clientId, clientSecret, signingSecret } = slack.settings;
  const app = new App({
    clientId,
    clientSecret,
    signingSecret,
    stateSecret: "state-secret",
    scopes: ["chat:write", "app_mentions:read"],
    logLevel: LogLevel.ERROR,
    clientOptions: { slackApiUrl: slack.apiUrl },
    redirectUri: "http://127.0.0.1/slack/oauth_redirect",
    installerOptions: {
      authorizationUrl: slack.authorizationUrl,
      clientOptions: { slackApiUrl: slack.apiUrl },
      directInstall: true,
      redirectUriPath: "/slack/oauth_redirect",
    },
    installationStore: {
      async storeInstallation(installation) {
        stored.set(installation.team?.id ?? "", installation as Installation);
      },
      async fetchInstallation({ teamId }) {
        const found = stored.get(teamId ?? "");
        if (!found) throw new Error("not installed");
        return found;
      },
      async deleteInstallation({ teamId }) {
        stored.delete(teamId ?? "");
      },
    },
  });
  app.event("app_mention", async ({ event, say }) => {
    await say({ text: "here", thread_ts: event.ts });
  });
  const server = await app.start({ port: 0, host: "127.0.0.1" });
  onTestFinished(async () => {
    await app.stop();
  });
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  await slack.useRequestUrl(`${origin}/slack/events`);
  return { app, stored, origin };
}

describe("installing over OAuth", () => {
  test("ends with a token that works in the new workspace", async () => {
    const slack = await slackForTest();
    const team = slack.addWorkspace("New");
    const eve = slack.addPerson("eve", { teamId: team.id, isAdmin: true });
    const { stored, origin } = await connectInstallable(slack);

    const page = await eve.installs(`${origin}/slack/install`);

    expect(page.status).toBe(200);
    expect(stored.get(team.id)).toMatchObject({
      team: { id: team.id },
      user: { id: eve.id },
      bot: {
        token: slack.installation(team.id).token,
        scopes: ["chat:write", "app_mentions:read"],
      },
    });
    const general = slack.addChannel("general", { members: [eve] });
    const question = eve.mentions(general, "hello");
    await expect
      .poll(() => slack.replies(general, question.ts).map(({ text }) => text))
      .toEqual(["here"]);
  });

  test("fails with a code that is unknown, used, too old or for another address", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const eve = slack.addPerson("eve");
    const client = clientFor(slack);
    const { clientId, clientSecret } = slack.settings;
    const access = (code: string, more: object = {}) =>
      codeOf(
        client.oauth.v2.access({
          client_id: clientId,
          client_secret: clientSecret,
          code,
          ...more,
        }),
      );
    const redirect_uri = "http://127.0.0.1/back";

    expect(await access("nonsense")).toBe("invalid_code");
    const code = slack.newOAuthCode(eve, { redirectUri: redirect_uri });
    expect(await access(code, { redirect_uri })).toBe("none");
    expect(await access(code, { redirect_uri })).toBe("invalid_code");
    const elsewhere = slack.newOAuthCode(eve, { redirectUri: redirect_uri });
    expect(await access(elsewhere, { redirect_uri: "http://127.0.0.1/other" })).toBe(
      "bad_redirect_uri",
    );
    const late = slack.newOAuthCode(eve, { redirectUri: redirect_uri });
    clock.advance(600_001);
    expect(await access(late, { redirect_uri })).toBe("invalid_code");
    expect(await access("x", { client_secret: "wrong" })).toBe("bad_client_secret");
    expect(await access("x", { client_id: "wrong" })).toBe("invalid_client_id");
  });
});

describe("token rotation", () => {
  test("a token lives twelve hours; its successor is had for the refresh token", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock, app: { rotatesTokens: true } });
    const { refreshToken = "", token } = slack.installation();
    const { clientId, clientSecret } = slack.settings;
    const test = (one: string) => codeOf(clientFor(slack, {}, one).auth.test());
    const refresh = () =>
      clientFor(slack).oauth.v2.access({
        client_id: clientId,
        client_secret: clientSecret,
        grant_type: "refresh_token",
        refresh_token: refreshToken,
      });
    expect(token).toMatch(/^xoxe\.xoxb-/);

    clock.advance(43_100_000);
    const granted = await refresh();
    expect(granted).toMatchObject({ expires_in: 43_200, bot_user_id: slack.botUserId });
    // The old one lives to its end.
    expect(await test(token)).toBe("none");
    clock.advance(100_000);
    expect(await test(token)).toBe("token_expired");
    expect(await test(granted.access_token ?? "")).toBe("none");
    expect(await codeOf(refresh())).toBe("invalid_refresh_token");
  });
});

describe.each(["socket", "http"] as const)("uninstalling, over %s", (transport) => {
  test("is told, and the token is dead", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const heard: string[] = [];
    await connectBot(slack, transport, (app) => {
      app.event("app_uninstalled", async ({ event }) => {
        heard.push(event.type);
      });
      app.event("tokens_revoked", async ({ event }) => {
        heard.push(event.type);
      });
    });

    ada.uninstalls();

    await expect.poll(() => heard.toSorted()).toEqual(["app_uninstalled", "tokens_revoked"]);
    expect(await codeOf(clientFor(slack).auth.test())).toBe("account_inactive");
    const before = slack.deliveries.length;
    ada.posts(general, "still there?");
    expect(slack.deliveries).toHaveLength(before);
  });
});
