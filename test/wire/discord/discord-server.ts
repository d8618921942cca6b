import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type APIApplicationCommand, ChannelType } from "discord-api-types/v10";
import { closeAtOnce, listenOnLoopback } from "../loopback.ts";
import { systemClock, type WireClock } from "../slack/clock.ts";
import { EventFeed } from "./event-feed.ts";
import type { FaultPlan } from "./faults.ts";
import { Gateway } from "./gateway.ts";
import { Interactions } from "./interactions.ts";
import type { DiscordChannel, DiscordGuild, DiscordMessage } from "./model.ts";
import { readBody } from "./multipart.ts";
import { linkSignature, memberPayload, type PrivilegedIntents, rolePayload } from "./payloads.ts";
import { bitsOf, everyonePermissions, type PermissionName } from "./permissions.ts";
import { Person } from "./person.ts";
import type { RateLimiter } from "./rate-limits.ts";
import { type RecordedRequest, RestApi, type WireAnswer } from "./rest-api.ts";
import type { ServerParts, ServerPolicy } from "./routes/route.ts";
import { type SeenMessage, seenMessages } from "./seen.ts";
import { World } from "./world.ts";

export { ManualClock, type WireClock } from "../slack/clock.ts";
export type { Fault } from "./faults.ts";
export type { DiscordChannel, DiscordGuild, DiscordMessage } from "./model.ts";
export type { PrivilegedIntents } from "./payloads.ts";
export type { PermissionName } from "./permissions.ts";
export type { Person } from "./person.ts";
export type { RecordedRequest } from "./rest-api.ts";
export type { SeenMessage } from "./seen.ts";

/** How to start a {@link DiscordServer}. */
export interface DiscordServerOptions {
  readonly clock?: WireClock;
  /** Privileged intents that are switched on in the portal; message content unless said otherwise. */
  readonly privilegedIntents?: Partial<PrivilegedIntents>;
  readonly policy?: Partial<ServerPolicy>;
}

/** What a new channel is like. */
export interface ChannelOptions {
  readonly type?: ChannelType;
  readonly guild?: DiscordGuild;
  /** What the bot may not do there. */
  readonly botLacks?: readonly PermissionName[];
  readonly tags?: readonly string[];
}

/**
 * A Discord on loopback that the real discord.js connects to: `rest: { api: server.apiUrl }`, and
 * through `GET /gateway/bot` its WebSocket. One guild with the bot in it is there from the start.
 * What people would see can be asked at any time; people act through {@link Person}; what went
 * over the wire is in {@link requests} and {@link gateway}.
 */
export class DiscordServer {
  readonly clock: WireClock;
  readonly world: World;
  readonly gateway: Gateway;
  readonly guild: DiscordGuild;
  readonly owner: Person;
  /** Limits a test may lower. */
  readonly policy: ServerPolicy;
  /** The bot's token; another one ends its connections at the next identify. */
  token = "Qm9iYmlu.wire.token";
  readonly #feed: EventFeed;
  readonly #interactions: Interactions;
  readonly #api: RestApi;
  readonly #http: Server;
  readonly #complaints: string[] = [];
  readonly #downloads: string[] = [];
  #portal: PrivilegedIntents;

  constructor(options: DiscordServerOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.policy = {
      maxActiveThreads: 1000,
      maxThreadMembers: 1000,
      oldMessageEdits: 3,
      maxFileBytes: 10 * 1024 * 1024,
      blockedWords: [],
      nonceMs: 120_000,
      ...options.policy,
    };
    this.#portal = {
      messageContent: true,
      guildMembers: false,
      presences: false,
      ...options.privilegedIntents,
    };
    this.world = new World(this.clock, "Bobbin");
    const portal = (): PrivilegedIntents => this.#portal;
    this.gateway = new Gateway({ world: this.world, portal, token: () => this.token });
    this.#feed = new EventFeed(this.world, this.gateway, portal);
    this.#interactions = new Interactions(this.world, this.#feed, portal);
    this.#api = new RestApi(
      () => this.#parts(),
      () => this.token,
    );
    this.owner = new Person(this.world.addUser("owner"), () => this.#parts());
    this.guild = this.world.addGuild("Wire", this.owner.id);
    this.world.addMember(this.guild, this.world.bot.id);
    this.#http = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#complaints.push(`the server failed: ${String(error)}`);
        response.destroy();
      });
    });
    this.#http.on("upgrade", (request, socket, head) =>
      this.gateway.upgrade(request, socket, head),
    );
  }

  /** Listens on a free port of 127.0.0.1. */
  async start(): Promise<this> {
    this.world.origin = `http://127.0.0.1:${await listenOnLoopback(this.#http)}`;
    return this;
  }

  async stop(): Promise<void> {
    this.faults.clear();
    await this.gateway.stop();
    await closeAtOnce(this.#http);
  }

  /** The base of the REST API, as `rest.api` wants it. */
  get apiUrl(): string {
    return `${this.world.origin}/api`;
  }

  get botId(): string {
    return this.world.bot.id;
  }

  get faults(): FaultPlan {
    return this.#api.faults;
  }

  get limiter(): RateLimiter {
    return this.#api.limiter;
  }

  /** Requests so far, oldest first: all, or those of a method and route such as `POST /channels/:channel/messages`. */
  requests(target?: string): readonly RecordedRequest[] {
    return this.#api.requests.filter(
      ({ method, route }) => target === undefined || `${method} ${route}` === target,
    );
  }

  /** What Discord let pass and no good bot does: no allowed_mentions, missing alt texts, unknown fields. */
  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** Ids of attachments that were downloaded. */
  get downloads(): readonly string[] {
    return this.#downloads;
  }

  /** Switches privileged intents in the portal. */
  grant(change: Partial<PrivilegedIntents>): void {
    this.#portal = { ...this.#portal, ...change };
  }

  /** Somebody new, in the guild unless said otherwise. */
  addPerson(
    name: string,
    options: {
      readonly isBot?: boolean;
      readonly globalName?: string;
      readonly guild?: DiscordGuild | null;
    } = {},
  ): Person {
    const { guild = this.guild, ...user } = options;
    const person = new Person(this.world.addUser(name, user), () => this.#parts());
    if (guild) this.world.addMember(guild, person.id);
    return person;
  }

  addChannel(name: string, options: ChannelOptions = {}): DiscordChannel {
    const { type = ChannelType.GuildText, guild = this.guild, botLacks = [], tags = [] } = options;
    const channel = this.world.addChannel({
      name,
      type,
      guildId: guild.id,
      tags: tags.map((tag) => ({ id: this.world.id(), name: tag })),
    });
    if (botLacks.length > 0) this.#deny(channel, botLacks);
    this.#feed.channel("CHANNEL_CREATE", channel);
    return channel;
  }

  /** Changes what the bot may do in a channel: exactly these are missing. */
  denyBot(channel: DiscordChannel, ...names: readonly PermissionName[]): void {
    this.#deny(channel, names);
    this.#feed.channel("CHANNEL_UPDATE", channel);
  }

  /** A guild with the bot in it; told when the bot is connected. */
  addGuild(name: string): DiscordGuild {
    const guild = this.world.addGuild(name, this.owner.id);
    this.world.addMember(guild, this.botId);
    this.#feed.joined(guild);
    return guild;
  }

  /** Removes the bot from a guild. */
  removeBot(guild: DiscordGuild): void {
    this.#feed.left(guild, { isOutage: false });
    guild.members.delete(this.botId);
  }

  /** A guild goes away for a time, and comes back with `false`. */
  setOutage(guild: DiscordGuild, isOut: boolean): void {
    guild.isAvailable = !isOut;
    if (isOut) this.#feed.left(guild, { isOutage: true });
    else this.#feed.joined(guild);
  }

  /** A role in the guild, given to the bot or to a person. */
  addRole(
    name: string,
    permissions: readonly PermissionName[],
    options: { readonly for?: readonly string[]; readonly guild?: DiscordGuild } = {},
  ): string {
    const { guild = this.guild } = options;
    const id = this.world.addRole(guild, name, permissions);
    const role = guild.roles.get(id);
    if (role) {
      const data = { guild_id: guild.id, role: rolePayload(role) };
      this.#feed.guildEvent("GUILD_ROLE_CREATE", guild, data);
    }
    for (const userId of options.for ?? []) {
      const member = guild.members.get(userId);
      if (!member) continue;
      member.roleIds.add(id);
      this.#feed.memberChanged(guild, member);
    }
    return id;
  }

  /** A message of a webhook that is not the bot's. */
  webhookPosts(channel: DiscordChannel, name: string, content: string): DiscordMessage {
    const message = this.world.addMessage({
      channelId: channel.id,
      authorId: this.owner.id,
      content,
      webhook: { id: this.world.id(), name },
    });
    this.world.mention(message, undefined);
    this.#feed.posted(message);
    return message;
  }

  /** What stands in a channel or thread, ephemeral messages of everybody included. */
  seen(channel: DiscordChannel | string): readonly SeenMessage[] {
    return seenMessages(this.world, typeof channel === "string" ? channel : channel.id);
  }

  /** The bot's messages among {@link seen}, without ephemeral ones. */
  replies(channel: DiscordChannel | string): readonly SeenMessage[] {
    return this.seen(channel).filter(
      ({ author, isEphemeral }) => author === this.world.bot.username && !isEphemeral,
    );
  }

  /** The thread on a message, when there is one. */
  threadOn(message: DiscordMessage): DiscordChannel | undefined {
    return message.hasThread ? this.world.channels.get(message.id) : undefined;
  }

  /** Names of who is seen typing. */
  typing(channel: DiscordChannel | string): readonly string[] {
    const id = typeof channel === "string" ? channel : channel.id;
    return this.world.typing(id).map((userId) => this.world.user(userId).username);
  }

  /** Commands registered for everywhere, or for a guild. */
  commands(guild?: DiscordGuild): readonly APIApplicationCommand[] {
    return [...(guild?.commands ?? this.world.commands).values()];
  }

  /** Requests Discord counts against the ban at 10,000 in ten minutes: 401, 403 and 429. */
  get invalidRequests(): number {
    return this.#api.requests.filter(({ status }) => [401, 403, 429].includes(status)).length;
  }

  /** Somebody leaves the guild. */
  leaves(person: Person, guild: DiscordGuild = this.guild): void {
    const member = guild.members.get(person.id);
    if (!member) return;
    const { user } = memberPayload(this.world, member);
    guild.members.delete(person.id);
    this.#feed.guildEvent("GUILD_MEMBER_REMOVE", guild, { guild_id: guild.id, user });
  }

  #deny(channel: DiscordChannel, names: readonly PermissionName[]): void {
    channel.overwrites.set(this.botId, {
      id: this.botId,
      type: "member",
      allow: bitsOf(everyonePermissions) & ~bitsOf(names),
      deny: bitsOf(names),
    });
  }

  #parts(): ServerParts {
    return {
      world: this.world,
      feed: this.#feed,
      interactions: this.#interactions,
      portal: this.#portal,
      policy: this.policy,
      complain: (what) => this.#complaints.push(what),
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.world.origin);
    const bytes = await bytesOf(request);
    if (url.pathname.startsWith("/attachments/")) return this.#download(url, response);
    const answer = await this.#api.handle({
      method: request.method ?? "GET",
      url,
      headers: request.headers,
      body: await readBody(bytes, request.headers["content-type"] ?? ""),
      gateway: () => ({
        url: this.world.origin.replace("http", "ws"),
        shards: this.gateway.settings.shards,
        session_start_limit: {
          total: 1000,
          remaining: this.gateway.settings.identifiesLeft,
          reset_after: 14_400_000,
          max_concurrency: this.gateway.settings.maxConcurrency,
        },
      }),
    });
    send(response, answer);
  }

  #download(url: URL, response: ServerResponse): void {
    const id = url.pathname.split("/")[3] ?? "";
    const attachment = this.world.attachments.get(id);
    const ends = url.searchParams.get("ex") ?? "";
    const isSigned = url.searchParams.get("hm") === linkSignature(id, ends);
    const isOver = Number.parseInt(ends, 16) * 1000 <= this.clock.now();
    if (!attachment || !isSigned || isOver) {
      response.writeHead(404, { "content-type": "text/plain" });
      response.end("This content is no longer available.");
      return;
    }
    this.#downloads.push(id);
    response.writeHead(200, { "content-type": attachment.contentType });
    response.end(attachment.bytes);
  }
}

/** A Discord on a free port of loopback, ready for clients. */
export async function startDiscordServer(
  options: DiscordServerOptions = {},
): Promise<DiscordServer> {
  return await new DiscordServer(options).start();
}

async function bytesOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, answer: WireAnswer): void {
  switch (answer.type) {
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "hang-up":
      response.destroy();
      return;
    case "answer":
      response.writeHead(answer.status, { ...answer.headers }).end(answer.body);
  }
}
