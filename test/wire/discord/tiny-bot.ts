import {
  Client,
  type ClientOptions,
  DiscordAPIError,
  Events,
  GatewayIntentBits,
  Partials,
} from "discord.js";
import { onTestFinished } from "vitest";
import {
  type DiscordServer,
  type DiscordServerOptions,
  startDiscordServer,
} from "./discord-server.ts";

/** A Discord that ends with the test. */
export async function discordForTest(options: DiscordServerOptions = {}): Promise<DiscordServer> {
  const discord = await startDiscordServer(options);
  onTestFinished(() => discord.stop());
  return discord;
}

/** Intents of a bot that reads messages. */
export const readingIntents = [
  GatewayIntentBits.Guilds,
  GatewayIntentBits.GuildMessages,
  GatewayIntentBits.DirectMessages,
  GatewayIntentBits.MessageContent,
] as const;

/** A discord.js client for the server, not connected yet. */
export function clientFor(discord: DiscordServer, options: Partial<ClientOptions> = {}): Client {
  const client = new Client({
    intents: [...readingIntents],
    partials: [Partials.Channel, Partials.Message, Partials.Reaction],
    allowedMentions: { parse: [], repliedUser: false },
    ...options,
    rest: { api: discord.apiUrl, retries: 0, ...options.rest },
  });
  client.on(Events.Error, () => undefined);
  onTestFinished(() => client.destroy());
  return client;
}

/** Connects a plain discord.js bot for one test; `prepare` adds listeners. Resolves when it is ready. */
export async function connectBot(
  discord: DiscordServer,
  prepare: (client: Client) => void,
  options: Partial<ClientOptions> = {},
): Promise<Client<true>> {
  const client = clientFor(discord, options);
  prepare(client);
  const ready = new Promise<Client<true>>((resolve) => client.once(Events.ClientReady, resolve));
  await client.login(discord.token);
  return await ready;
}

/** The JSON code a call ends with; 0 when it succeeds. */
export async function codeOf(call: Promise<unknown>): Promise<number | string> {
  try {
    await call;
    return 0;
  } catch (error) {
    return error instanceof DiscordAPIError ? error.code : String(error);
  }
}
