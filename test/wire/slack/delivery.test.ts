import { createHmac } from "node:crypto";
import { SocketModeClient } from "@slack/socket-mode";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { slackForTest } from "./slack-for-test.ts";
import { ManualClock, type SlackServer } from "./slack-server.ts";
import { connectBot, connectHandler, silentLogger } from "./tiny-bot.ts";

interface Heard {
  readonly body: { readonly event_id: string; readonly event: { readonly text: string } };
  readonly retry_num?: number;
  readonly retry_reason?: string;
  ack(): Promise<void>;
}

async function connectSocket(
  slack: SlackServer,
  listener: (heard: Heard) => void,
): Promise<SocketModeClient> {
  const client = new SocketModeClient({
    appToken: slack.settings.appToken,
    logger: silentLogger,
    clientPingTimeout: 100,
    clientOptions: { slackApiUrl: slack.apiUrl },
  });
  client.on("slack_event", listener);
  await client.start();
  onTestFinished(async () => {
    await client.disconnect();
  });
  return client;
}

async function ticketUrl(slack: SlackServer): Promise<string> {
  const response = await fetch(`${slack.apiUrl}apps.connections.open`, {
    method: "POST",
    headers: { authorization: `Bearer ${slack.settings.appToken}` },
  });
  const { url } = (await response.json()) as { readonly url: string };
  return url;
}

/** A bare socket: resolves with its first frame, or with the reason it was refused. */
async function firstFrame(
  url: string,
): Promise<{ readonly frame: string; readonly socket: WebSocket }> {
  const socket = new WebSocket(url);
  const frame = await new Promise<string>((resolve) => {
    socket.once("message", (data) => resolve(String(data)));
    socket.once("error", (error) => resolve(error.message));
  });
  return { frame, socket };
}

describe("Socket Mode", () => {
  test("what is not acknowledged within three seconds comes again, on another connection", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const ada = slack.addPerson("ada");
    const heard: {
      readonly by: string;
      readonly retry: number | undefined;
      readonly id: string;
    }[] = [];
    for (const by of ["deaf", "deaf too"]) {
      await connectSocket(slack, ({ body, retry_num }) => {
        heard.push({ by, retry: retry_num, id: body.event_id });
      });
    }

    ada.directMessage("hello?");
    for (const count of [1, 2, 3, 4]) {
      await expect.poll(() => heard.length).toBe(count);
      clock.advance(3000);
    }

    await slack.settled();
    expect(slack.deliveries[0]?.state).toBe("failed");
    expect(heard.map(({ retry }) => retry)).toEqual([0, 1, 2, 3]);
    expect(new Set(heard.map(({ id }) => id)).size).toBe(1);
    expect(heard[0]?.by).not.toBe(heard[1]?.by);
  });

  test("what is acknowledged comes once", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    await connectSocket(slack, ({ ack }) => {
      ack().catch(() => undefined);
    });

    ada.directMessage("hello");
    await slack.settled();

    expect(slack.deliveries.map(({ state, attempts }) => [state, attempts.length])).toEqual([
      ["acknowledged", 1],
    ]);
  });

  test("what a cut connection took with it comes again after the reconnection", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const heard: string[] = [];
    await connectSocket(slack, ({ body, ack }) => {
      heard.push(body.event.text);
      if (heard.length === 1) slack.sockets.cut();
      else ack().catch(() => undefined);
    });

    ada.directMessage("hello");
    await slack.settled();

    expect(heard).toEqual(["hello", "hello"]);
    expect(slack.deliveries[0]?.attempts.map(({ result }) => result.type)).toEqual([
      "failed",
      "acknowledged",
    ]);
    expect(slack.sockets.openedCount).toBe(2);
  });

  test("what happens while nobody is connected waits for somebody", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    ada.directMessage("early");
    const heard: string[] = [];

    await connectSocket(slack, ({ body, ack }) => {
      heard.push(body.event.text);
      ack().catch(() => undefined);
    });

    await slack.settled();
    expect(heard).toEqual(["early"]);
  });

  test.each(["refresh_requested", "warning", "link_disabled"] as const)(
    "the real client comes back after a disconnect: %s",
    async (reason) => {
      const slack = await slackForTest();
      await connectSocket(slack, () => undefined);

      slack.sockets.disconnect(reason);

      await expect.poll(() => slack.sockets.openedCount, { timeout: 5000 }).toBe(2);
      await expect.poll(() => slack.sockets.connectionCount).toBe(1);
    },
  );

  test("a silent connection is given up by the real client", async () => {
    const slack = await slackForTest();
    await connectSocket(slack, () => undefined);

    slack.sockets.fallSilent();

    await expect.poll(() => slack.sockets.openedCount, { timeout: 10_000 }).toBe(2);
  });

  test("a URL works once, and for thirty seconds", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const url = await ticketUrl(slack);
    const late = await ticketUrl(slack);

    const { frame } = await firstFrame(url);
    expect(JSON.parse(frame)).toMatchObject({
      type: "hello",
      num_connections: 1,
      connection_info: { app_id: slack.world.appId },
    });
    expect((await firstFrame(url)).frame).toContain("404");
    clock.advance(30_001);
    expect((await firstFrame(late)).frame).toContain("404");
  });

  test("an eleventh connection is one too many", async () => {
    const slack = await slackForTest();
    for (let index = 0; index < 10; index += 1) await firstFrame(await ticketUrl(slack));
    expect(slack.sockets.connectionCount).toBe(10);

    const socket = new WebSocket(await ticketUrl(slack));
    const frames: string[] = [];
    socket.on("message", (data) => frames.push(String(data)));

    await expect.poll(() => frames.length).toBe(2);
    expect(JSON.parse(frames[1] ?? "")).toMatchObject({
      type: "disconnect",
      reason: "too_many_websockets",
    });
    expect(slack.sockets.connectionCount).toBe(10);
  });

  test("an acknowledgement that gets lost means the same event again", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const ada = slack.addPerson("ada");
    const heard: (number | undefined)[] = [];
    await connectSocket(slack, ({ retry_num, ack }) => {
      heard.push(retry_num);
      ack().catch(() => undefined);
    });

    slack.sockets.hearAcknowledgements(false);
    ada.directMessage("hello");
    await expect.poll(() => heard).toEqual([0]);
    slack.sockets.hearAcknowledgements(true);
    clock.advance(3000);

    await slack.settled();
    expect(heard).toEqual([0, 1]);
  });
});

describe("request URL", () => {
  test("events come again at once, after a minute and after five, each saying why", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const ada = slack.addPerson("ada");
    const retries: unknown[] = [];
    await connectHandler(slack, ({ headers }) => {
      retries.push([headers["x-slack-retry-num"], headers["x-slack-retry-reason"]]);
      return { status: 500 };
    });

    ada.directMessage("hello");

    await expect.poll(() => retries.length).toBe(2);
    clock.advance(59_999);
    expect(retries).toHaveLength(2);
    clock.advance(1);
    await expect.poll(() => retries.length).toBe(3);
    await expect.poll(() => slack.deliveries[0]?.attempts.length).toBe(3);
    clock.advance(300_000);
    await slack.settled();
    expect(retries).toEqual([
      [undefined, undefined],
      ["1", "http_error"],
      ["2", "http_error"],
      ["3", "http_error"],
    ]);
    expect(slack.deliveries[0]?.state).toBe("failed");
  });

  test("no answer within three seconds is a timeout", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const ada = slack.addPerson("ada");
    const retries: unknown[] = [];
    await connectHandler(slack, ({ headers }) => {
      retries.push(headers["x-slack-retry-reason"]);
      return retries.length === 1 ? undefined : { status: 200 };
    });

    ada.directMessage("hello");
    await expect.poll(() => retries.length).toBe(1);
    clock.advance(3000);

    await slack.settled();
    expect(retries).toEqual([undefined, "http_timeout"]);
    expect(slack.deliveries[0]?.state).toBe("acknowledged");
  });

  test("a retry that waits for its minute can be had at once", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    let heard = 0;
    await connectHandler(slack, () => {
      heard += 1;
      return { status: heard < 3 ? 500 : 200 };
    });

    ada.directMessage("hello");
    await expect.poll(() => slack.deliveries[0]?.attempts.length).toBe(2);
    slack.dispatcher.retryNow();

    await slack.settled();
    expect(slack.deliveries[0]?.state).toBe("acknowledged");
    expect(heard).toBe(3);
  });

  test("an app may ask not to be tried again", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    let heard = 0;
    await connectHandler(slack, () => {
      heard += 1;
      return { status: 500, headers: { "x-slack-no-retry": "1" } };
    });

    ada.directMessage("hello");
    await slack.settled();

    expect(heard).toBe(1);
  });

  test("requests are signed as the documentation says", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const signatures: unknown[] = [];
    await connectHandler(slack, ({ headers, body }) => {
      const time = String(headers["x-slack-request-timestamp"]);
      const digest = createHmac("sha256", slack.settings.signingSecret).update(
        `v0:${time}:${body}`,
      );
      signatures.push(headers["x-slack-signature"] === `v0=${digest.digest("hex")}`);
      return { status: 200 };
    });

    ada.directMessage("hello");
    await slack.settled();

    expect(signatures).toEqual([true]);
  });

  test("a URL that fails the challenge is not accepted", async () => {
    const slack = await slackForTest();

    await expect(slack.useRequestUrl(`${slack.world.origin}/nothing`)).rejects.toThrow("challenge");
  });

  test("a Bolt app with another secret hears nothing", async () => {
    const slack = await slackForTest({ clock: new ManualClock() });
    const ada = slack.addPerson("ada");
    let heard = 0;
    await connectBot(slack, "http", (app) => {
      app.message(async () => {
        heard += 1;
      });
    });
    slack.configure({ signingSecret: "another" });
    await slack.useRequestUrl(slack.requestUrl, { unverified: true });

    ada.directMessage("hello");

    await expect.poll(() => slack.deliveries[0]?.attempts.length).toBe(2);
    expect(slack.deliveries[0]?.attempts[0]?.result).toMatchObject({ status: 401 });
    expect(heard).toBe(0);
  });
});

test("app_rate_limited comes as a body without an event", async () => {
  const slack = await slackForTest();
  const bodies: string[] = [];
  await connectHandler(slack, ({ body }) => {
    bodies.push(body);
    return { status: 200 };
  });

  slack.feed.rateLimited(slack.workspace.id);
  await slack.settled();

  expect(JSON.parse(bodies[0] ?? "")).toMatchObject({
    type: "app_rate_limited",
    team_id: slack.workspace.id,
  });
});
