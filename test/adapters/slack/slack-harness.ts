import { createServer } from "node:http";
import { onTestFinished } from "vitest";
import type { HttpRoutes } from "#ports/http";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { ReplyTarget } from "#ports/platform";
import type { Processes } from "#ports/processes";
import type { Alarm } from "../../../adapters/slack/alarm.ts";
import { toIncomingMessage } from "../../../adapters/slack/inbound.ts";
import { createSlackPlatform, type SlackPlatform } from "../../../adapters/slack/platform.ts";
import type { SlackPolicy } from "../../../adapters/slack/policy.ts";
import { CountingMetrics } from "../../fakes/counting-metrics.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import { listenOnLoopback } from "../../wire/loopback.ts";
import { slackForTest } from "../../wire/slack/slack-for-test.ts";
import type {
  Person,
  SlackChannel,
  SlackMessage,
  SlackServer,
} from "../../wire/slack/slack-server.ts";

export type Transport = "socket" | "http";

/** How a test's Slack platform differs from the usual one. */
export interface SlackOptions {
  readonly ledger?: Ledger;
  readonly policy?: Partial<SlackPolicy>;
  readonly streaming?: "auto" | "native" | "update";
  readonly transport?: Transport;
  readonly now?: () => number;
  readonly after?: Alarm;
  readonly log?: Log;
  readonly processes?: Processes;
}

/** A Slack with a started platform, a bot that remembers, two people and a channel. */
export async function startSlack(
  options: SlackOptions & {
    readonly bot?: FakeBot;
    readonly server?: Parameters<typeof slackForTest>[0];
  } = {},
) {
  const slack = await slackForTest(options.server);
  const bot = options.bot ?? new FakeBot();
  const platform = createSlack(slack, options);
  await platform.start(bot);
  onTestFinished(() => platform.stop());
  if (platform.routes) {
    const server = await serve(platform.routes);
    onTestFinished(() => server.close());
    await slack.useRequestUrl(`${server.url}/slack/events`);
  }
  const ada = slack.addPerson("ada");
  const grace = slack.addPerson("grace");
  const general = slack.addChannel("general", { members: [ada, grace] });
  return { slack, bot, platform, ada, grace, general };
}

const openToAll: SlackPolicy = {
  allowedUsers: [],
  allowedChannels: [],
  allowsExternal: false,
  needsMention: false,
};

/** The platform as it is put together for a workspace of the server; not started yet. */
export function createSlack(slack: SlackServer, options: SlackOptions = {}): SlackPlatform {
  const { appToken, signingSecret } = slack.settings;
  return createSlackPlatform({
    access: { type: "token", token: slack.botToken },
    connection:
      options.transport === "http" ? { type: "http", signingSecret } : { type: "socket", appToken },
    apiUrl: slack.apiUrl,
    policy: { ...openToAll, ...options.policy },
    streaming: options.streaming ?? "auto",
    ledger: options.ledger ?? new MemoryLedger(),
    metrics: new CountingMetrics(),
    log: options.log ?? silentLog,
    ...(options.now ? { now: options.now } : {}),
    ...(options.after ? { after: options.after } : {}),
    ...(options.processes ? { processes: options.processes } : {}),
  });
}

/** Serves routes on a free port of this machine. */
export async function serve(routes: HttpRoutes): Promise<{ url: string; close: () => void }> {
  const server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
    const answer = await routes.handle(
      new Request(`http://127.0.0.1${request.url}`, {
        method: request.method ?? "GET",
        headers: headers as [string, string][],
        ...(request.method === "POST" ? { body: Buffer.concat(chunks) } : {}),
      }),
      { address: "127.0.0.1", isLoopback: true },
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  });
  const port = await listenOnLoopback(server);
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

let runs = 0;

/** Where the reply to a message is drawn, as the core would say it. */
export function targetFor(
  slack: SlackServer,
  at: { readonly channel: SlackChannel; readonly message: SlackMessage; readonly person: Person },
): ReplyTarget {
  runs += 1;
  const { channel, message, person } = at;
  const teamId = slack.workspace.id;
  const { botUserId, botId } = slack.installation();
  const threadTs = message.threadTs ?? message.ts;
  const target = {
    team: teamId,
    channel: channel.id,
    threadTs,
    user: person.id,
    userTeam: person.user.teamId,
    botUser: botUserId,
    isShared: false,
  };
  const { eventId, author } = toIncomingMessage(
    { type: "message", channel: channel.id, user: person.id, ts: message.ts, text: message.text },
    {
      workspace: { teamId, botUser: botUserId, botId },
      place: {
        platform: "slack",
        channelKey: `slack:${teamId}:${channel.id}`,
        channelName: channel.name,
        threadKey: `slack:${teamId}:${channel.id}:${threadTs}`,
        isDirect: channel.type === "im",
        target,
      },
      author: { key: `slack:${teamId}:${person.id}`, name: person.name },
      role: "person",
      names: { user: (id) => id, channel: (id) => id },
    },
  );
  return {
    runId: `run-${runs}`,
    conversationKey: `slack:${teamId}:${channel.id}:${threadTs}`,
    target,
    answers: [eventId],
    asker: author,
  };
}
