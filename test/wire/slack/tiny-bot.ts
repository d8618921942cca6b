import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { App, HTTPReceiver, type Logger, LogLevel } from "@slack/bolt";
import { WebAPIRateLimitedError, WebClient, type WebClientOptions } from "@slack/web-api";
import { onTestFinished } from "vitest";
import { closeAtOnce, listenOnLoopback } from "../loopback.ts";
import type { SlackServer } from "./slack-server.ts";

/** Both ways an app can be connected. */
export type Transport = "socket" | "http";

/** For clients whose complaints are the point of a test. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  setLevel: () => undefined,
  getLevel: () => LogLevel.ERROR,
  setName: () => undefined,
};

/** The real Web API client with the bot's token; it never tries twice unless told to. */
export function clientFor(
  slack: SlackServer,
  options: WebClientOptions = {},
  token: string = slack.botToken,
): WebClient {
  return new WebClient(token, {
    slackApiUrl: slack.apiUrl,
    logger: silentLogger,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    ...options,
  });
}

/** Connects a plain Bolt app for one test, as Bolt's documentation says; `prepare` adds listeners. */
export async function connectBot(
  slack: SlackServer,
  transport: Transport,
  prepare: (app: App) => void,
): Promise<App> {
  const common = {
    token: slack.botToken,
    logLevel: LogLevel.ERROR,
    clientOptions: { slackApiUrl: slack.apiUrl },
  };
  if (transport === "socket") {
    const app = new App({ ...common, socketMode: true, appToken: slack.settings.appToken });
    prepare(app);
    await app.start();
    onTestFinished(async () => {
      await app.stop();
    });
    return app;
  }
  const { signingSecret } = slack.settings;
  const receiver = new HTTPReceiver({ signingSecret, logLevel: LogLevel.ERROR });
  const app = new App({ ...common, receiver });
  prepare(app);
  const server = await app.start({ port: 0, host: "127.0.0.1" });
  onTestFinished(async () => {
    await app.stop();
  });
  const { port } = server.address() as AddressInfo;
  await slack.useRequestUrl(`http://127.0.0.1:${port}/slack/events`);
  return app;
}

/** A request URL that is no Bolt app: answers the challenge, then whatever `answer` says. */
export async function connectHandler(
  slack: SlackServer,
  answer: (request: {
    readonly headers: Readonly<Record<string, unknown>>;
    readonly body: string;
  }) =>
    | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
    | undefined,
): Promise<void> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const challenge = /"challenge":"([^"]+)"/.exec(body)?.[1];
      if (challenge) {
        response.end(challenge);
        return;
      }
      const answered = answer({ headers: request.headers, body });
      // Undefined: no answer at all.
      if (answered) response.writeHead(answered.status, { ...answered.headers }).end();
    });
  });
  const port = await listenOnLoopback(server);
  onTestFinished(() => closeAtOnce(server));
  await slack.useRequestUrl(`http://127.0.0.1:${port}/`);
}

/** The error code a Web API call ends with; `none` when it succeeds, `ratelimited` for a 429. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "none";
  } catch (error) {
    if (error instanceof WebAPIRateLimitedError) return "ratelimited";
    const data = error instanceof Error && "data" in error ? error.data : undefined;
    const code = data as { readonly error?: string } | undefined;
    return code?.error ?? String(error);
  }
}
