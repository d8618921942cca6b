import { onTestFinished } from "vitest";
import type { ReplyTarget } from "#ports/platform";
import {
  type DiscordTarget,
  eventIdOf,
  personOf,
  placeOf,
} from "../../../adapters/discord/inbound.ts";
import {
  createDiscordPlatform,
  type DiscordPlatform,
  type DiscordPlatformOptions,
} from "../../../adapters/discord/platform.ts";
import { CountingMetrics } from "../../fakes/counting-metrics.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import type {
  DiscordChannel,
  DiscordMessage,
  DiscordServer,
  DiscordServerOptions,
  Person,
} from "../../wire/discord/discord-server.ts";
import { discordForTest } from "../../wire/discord/tiny-bot.ts";

/** How a test's Discord platform differs from the usual one. */
export interface DiscordOptions
  extends Partial<Omit<DiscordPlatformOptions, "policy" | "token" | "apiUrl">> {
  readonly token?: string;
  readonly policy?: Partial<DiscordPlatformOptions["policy"]>;
}

const openToAll = {
  allowedGuilds: [],
  allowedChannels: [],
  allowedRoles: [],
  allowedUsers: [],
} as const;

/** The platform as it is put together for the server; not started yet. */
export function createDiscord(
  discord: DiscordServer,
  options: DiscordOptions = {},
): DiscordPlatform {
  return createDiscordPlatform({
    token: discord.token,
    apiUrl: discord.apiUrl,
    asksForContent: true,
    threadMode: "follow",
    commandGuilds: [],
    shards: undefined,
    onLeave: "forget",
    ledger: new MemoryLedger(),
    metrics: new CountingMetrics(),
    log: silentLog,
    ...options,
    policy: { ...openToAll, ...options.policy },
  });
}

/** A server with a started platform on it, a person and a channel; all of it ends with the test. */
export async function started(
  options: DiscordOptions & { readonly server?: DiscordServerOptions } = {},
) {
  const discord = await discordForTest(options.server);
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  const bot = new FakeBot();
  const platform = createDiscord(discord, options);
  await platform.start(bot);
  onTestFinished(() => platform.stop());
  return { discord, ada, general, bot, platform };
}

let runs = 0;

/** Where the reply to a message is drawn, as the core would say it. */
export function targetFor(at: {
  readonly channel: DiscordChannel;
  readonly message: DiscordMessage;
  readonly person: Person;
}): ReplyTarget {
  runs += 1;
  const { channel, message, person } = at;
  const guild = channel.guildId ?? null;
  const isThread = channel.thread !== undefined;
  const target: DiscordTarget = {
    guild,
    channel: channel.id,
    message: message.id,
    thread: guild === null || isThread ? null : "Question",
    user: person.id,
  };
  const place = placeOf({
    target,
    home: channel.id,
    homeName: channel.name,
    root: isThread ? channel.id : message.id,
  });
  return {
    runId: `run-${runs}`,
    conversationKey: place.threadKey,
    target: place.target,
    answers: [eventIdOf(message.id)],
    asker: personOf(person.id, person.name),
  };
}
