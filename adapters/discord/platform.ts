import { setTimeout as wait } from "node:timers/promises";
import { type Client, Events, Routes } from "discord.js";
import { BotError } from "#domain/errors";
import type { Attachment } from "#domain/message";
import type { Bot } from "#ports/bot";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { Metrics } from "#ports/metrics";
import type {
  ChannelNote,
  EndedReply,
  Platform,
  Reply,
  ReplyJournal,
  ReplyTarget,
} from "#ports/platform";
import type { Office, Processes } from "#ports/processes";
import { Apologies } from "./apologies.ts";
import { Arrivals } from "./arrivals.ts";
import { Asking } from "./ask.ts";
import { Belonging, type ThreadMode } from "./belonging.ts";
import { CommandControls } from "./command-controls.ts";
import { registerCommands } from "./commands.ts";
import { Controls } from "./controls.ts";
import { FileLimits } from "./file-limits.ts";
import { openAttachment } from "./files.ts";
import { Gateway } from "./gateway.ts";
import { Guilds, type OnLeave } from "./guilds.ts";
import { targetOf } from "./inbound.ts";
import { shortened, toDiscord } from "./markdown.ts";
import { Marks } from "./marks.ts";
import { Notes } from "./notes.ts";
import { createPacedApi, type PacedApi } from "./paced-api.ts";
import { type DiscordPolicy, Policy } from "./policy.ts";
import { Refusals } from "./refusals.ts";
import { DiscordReply } from "./reply.ts";
import { Sessions } from "./sessions.ts";
import {
  type Application,
  contentIntentWords,
  inviteLink,
  readApplication,
  sayWhatIsMissing,
} from "./set-up.ts";
import { Threads } from "./threads.ts";
import { Visits } from "./visits.ts";
import { Waiting } from "./waiting.ts";

/** A message takes 2,000 (docs.discord.com, Create Message). */
const mostNoticeCharacters = 1_900;
/** One shard of a bucket may identify itself in five seconds; a little more than that. */
const identifyEveryMs = 5_500;
const lookAgainMs = 500;

/** What the platform needs. */
export interface DiscordPlatformOptions {
  readonly token: string;
  /** False: the gateway is others' business; replies are drawn for them over REST. Default: true. */
  readonly listens?: boolean;
  /** Undefined: Discord's own. */
  readonly apiUrl: string | undefined;
  /** False: messages that do not mention the bot are not read, even where they could be. */
  readonly asksForContent: boolean;
  readonly threadMode: ThreadMode;
  readonly policy: DiscordPolicy;
  /** Servers to register commands in; empty: for everywhere. */
  readonly commandGuilds: readonly string[];
  /** Undefined: as many connections as Discord recommends. */
  readonly shards: number | undefined;
  readonly onLeave: OnLeave;
  readonly ledger: Ledger;
  /** Default: there are no others. */
  readonly processes?: Processes;
  readonly metrics: Pick<Metrics, "platformCall">;
  readonly log: Log;
  readonly now?: () => number;
}

/** Discord as a platform. */
export interface DiscordPlatform extends Platform {
  /** Where an admin of a server invites the bot; known once it has started. */
  readonly invite: string | undefined;
}

/** Creates the Discord platform for one application. */
export function createDiscordPlatform(options: DiscordPlatformOptions): DiscordPlatform {
  return new Discord(options);
}

class Discord implements DiscordPlatform {
  readonly name = "discord";
  readonly #options: DiscordPlatformOptions;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #api: PacedApi;
  readonly #refusals: Refusals;
  readonly #apologies: Apologies;
  readonly #threads: Threads;
  readonly #stopListening: (() => void)[] = [];
  #bot: Bot | undefined;
  #gateway: Gateway | undefined;
  readonly #listens: boolean;
  readonly #fileLimits: FileLimits;
  #application: Application | undefined;
  #marks: Marks | undefined;
  /** Undefined: nobody else connects. */
  #office: Office | undefined;

  constructor(options: DiscordPlatformOptions) {
    const { apiUrl, ledger, log, metrics, processes, token } = options;
    this.#options = options;
    this.#listens = options.listens ?? true;
    this.#log = log;
    this.#now = options.now ?? Date.now;
    const now = this.#now;
    this.#api = createPacedApi({ token, apiUrl, processes, metrics, log, now });
    this.#refusals = new Refusals(now);
    this.#apologies = new Apologies({ api: this.#api, log, now });
    this.#threads = new Threads(ledger);
    this.#fileLimits = new FileLimits({
      api: this.#api,
      tierOf: (guild) => this.#gateway?.client?.guilds.cache.get(guild)?.premiumTier,
      now,
    });
  }

  get invite(): string | undefined {
    return this.#application && inviteLink(this.#application.id);
  }

  async start(bot: Bot): Promise<void> {
    this.#bot = bot;
    const application = await readApplication(this.#api);
    this.#application = application;
    if (!this.#listens) return;
    this.#office = this.#options.processes?.office?.("discord", {
      begin: () => this.#takeOver(application, bot),
      end: () => this.#disconnect(),
    });
    if (this.#office) await this.#office.open();
    else await this.#connect(application, bot);
  }

  async #takeOver(application: Application, bot: Bot): Promise<void> {
    try {
      await this.#connect(application, bot);
    } catch (error) {
      this.#log.error({ platform: "discord", error }, "Discord not connected");
      await this.#disconnect();
      throw error;
    }
  }

  /** Several connections at once would hear and answer everything several times: one has them all. */
  async #connect(application: Application, bot: Bot): Promise<void> {
    const log = this.#log;
    const marks = new Marks({
      ledger: this.#options.ledger,
      mayWrite: () => this.#isOurs,
      log,
      now: this.#now,
    });
    this.#marks = marks;
    const notes = new Notes({ api: this.#api, refusals: this.#refusals, log });
    const waiting = new Waiting(notes);
    const policy = this.#policy();
    const arrivals = this.#arrivals(application, { marks, notes, waiting, policy });
    const controls = this.#controls(application, { notes, policy });
    const guilds = this.#guilds();
    const { since } = await marks.begin();
    const sessions = new Sessions({ arrivals, marks, leftOff: since, log });
    const gateway = this.#createGateway(application, sessions, (client) => {
      const ours: Ours =
        (hear) =>
        (...told) => {
          if (this.#isOurs) void hear(...told);
        };
      addArrivals(client, arrivals, ours);
      client.on(
        Events.InteractionCreate,
        ours((interaction) => controls.handle(interaction)),
      );
      addGuilds(client, { guilds, sessions, refusals: this.#refusals, ours, log });
    });
    this.#gateway = gateway;
    this.#stopListening.push(bot.onQueueChange((key, line) => waiting.moved(key, line)));
    await gateway.start();
    const { client } = gateway;
    if (client) await guilds.compare(client);
    for (const guild of client?.guilds.cache.values() ?? []) sayWhatIsMissing(guild, log);
    await registerCommands({
      api: this.#api,
      applicationId: application.id,
      specs: bot.commands(),
      guilds: this.#options.commandGuilds,
      ledger: this.#options.ledger,
      log,
    });
    log.info({ platform: "discord", invite: this.invite }, "Discord connected");
  }

  async stop(): Promise<void> {
    if (this.#office) await this.#office.close();
    else await this.#disconnect();
  }

  async #disconnect(): Promise<void> {
    for (const stop of this.#stopListening.splice(0)) stop();
    await this.#gateway?.stop();
    this.#gateway = undefined;
    await this.#marks?.end();
  }

  /** Also between processes that follow each other quickly. */
  #mayIdentify = async (bucket: number, signal: AbortSignal): Promise<void> => {
    const limit = {
      type: "windowed",
      key: `discord/identify/${bucket}`,
      calls: 1,
      windowMs: identifyEveryMs,
    } as const;
    for (;;) {
      const spent = this.#isOurs ? await this.#options.processes?.spend?.([limit]) : undefined;
      if (spent?.isGranted) {
        spent.done();
        if (this.#isOurs) return;
      }
      const waitMs = spent && !spent.isGranted ? Math.max(...spent.waitMs) : lookAgainMs;
      await wait(waitMs, undefined, { signal });
    }
  };

  /** False from the moment on at which another process may have the connection. */
  get #isOurs(): boolean {
    return this.#office?.isHeld ?? true;
  }

  isConnected(): boolean {
    if (!this.#listens) return this.#application !== undefined;
    // Another process has the connection, and this one stands by.
    if (this.#office && !this.#gateway) return true;
    return this.#gateway?.isListening() ?? false;
  }

  openReply(to: ReplyTarget, journal: ReplyJournal): Reply {
    return this.#replyTo(to, journal);
  }

  lookAgain(ended: EndedReply): Promise<void> {
    return this.#replyTo(ended.to, ended.journal).lookAgain(ended);
  }

  #replyTo(to: ReplyTarget, journal: ReplyJournal): DiscordReply {
    return new DiscordReply({
      api: this.#api,
      to,
      target: targetOf(to.target),
      journal,
      refusals: this.#refusals,
      apologies: this.#apologies,
      fileLimit: (guild) => this.#fileLimits.of(guild),
      botUser: () => this.#application?.botId ?? "",
      openFile: (file) => this.#startedBot().openFile(file),
      log: this.#log,
      now: this.#now,
    });
  }

  async openFile(file: Attachment, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    return openAttachment(file, { api: this.#api, signal });
  }

  async notify({ channel, text, file }: ChannelNote): Promise<void> {
    await this.#api.call({
      method: "POST",
      route: Routes.channelMessages(channel),
      kind: "create",
      channel,
      body: {
        content: toDiscord(shortened(text, mostNoticeCharacters)),
        allowed_mentions: { parse: [] },
      },
      files: [{ name: file.name, data: Buffer.from(file.data), contentType: file.mimeType }],
    });
  }

  #policy(): Policy {
    const { policy } = this.#options;
    return new Policy({ policy, client: () => this.#client(), log: this.#log, now: this.#now });
  }

  #arrivals(
    { botId, ownerIds }: Application,
    shared: {
      readonly marks: Marks;
      readonly notes: Notes;
      readonly waiting: Waiting;
      readonly policy: Policy;
    },
  ): Arrivals {
    return new Arrivals({
      botId,
      belonging: new Belonging({
        botId,
        ownerIds,
        threadMode: this.#options.threadMode,
        threads: this.#threads,
      }),
      readsContent: () => this.#gateway?.readsContent ?? false,
      threads: this.#threads,
      ...shared,
      bot: () => this.#startedBot(),
      log: this.#log,
      now: this.#now,
    });
  }

  #controls(
    { ownerIds }: Application,
    { notes, policy }: { readonly notes: Notes; readonly policy: Policy },
  ): Controls {
    const { ledger, threadMode } = this.#options;
    const bot = () => this.#startedBot();
    const visits = new Visits({ policy, ownerIds });
    const commands = new CommandControls({
      opensThreads: threadMode !== "off",
      asking: new Asking(ledger),
      threads: this.#threads,
      visits,
      bot,
      log: this.#log,
    });
    return new Controls({ commands, visits, notes, bot, log: this.#log });
  }

  #guilds(): Guilds {
    const { ledger, onLeave } = this.#options;
    const [log, now] = [this.#log, this.#now];
    return new Guilds({ ledger, onLeave, bot: () => this.#startedBot(), log, now });
  }

  #createGateway(
    application: Application,
    sessions: Sessions,
    prepare: (client: Client) => void,
  ): Gateway {
    const { apiUrl, asksForContent, shards, token } = this.#options;
    const isMissed = asksForContent && !application.readsContent;
    if (isMissed) {
      this.#log.warn({ platform: "discord", problem: contentIntentWords }, "intent missing");
    }
    return new Gateway({
      token,
      apiUrl,
      shards,
      asksForContent: asksForContent && application.readsContent,
      prepare,
      makeRequest: this.#api.makeRequest,
      mayIdentify: this.#options.processes?.spend && this.#mayIdentify,
      onFreshSession: (shardId) => sessions.begins(shardId),
      onReady: (client, shardId) => sessions.ready(client, shardId),
      log: this.#log,
    });
  }

  #client(): Client {
    const client = this.#gateway?.client;
    if (!client) throw new BotError("not-found", { detail: "Discord is not connected." });
    return client;
  }

  #startedBot(): Bot {
    if (!this.#bot) throw new BotError("not-found", { detail: "Discord is not started." });
    return this.#bot;
  }
}

/** Makes a listener deaf while another process may have the connection: it hears the same. */
type Ours = <Told extends unknown[]>(hear: (...told: Told) => unknown) => (...told: Told) => void;

function addArrivals(client: Client, arrivals: Arrivals, ours: Ours): void {
  client.on(
    Events.MessageCreate,
    ours((message) => arrivals.said(message)),
  );
  client.on(
    Events.MessageUpdate,
    ours((before, message) => arrivals.edited(before, message)),
  );
  client.on(
    Events.MessageDelete,
    ours((message) => arrivals.deleted(message)),
  );
  client.on(
    Events.MessageBulkDelete,
    ours(async (messages) => {
      for (const message of messages.values()) await arrivals.deleted(message);
    }),
  );
}

function addGuilds(
  client: Client,
  parts: {
    readonly guilds: Guilds;
    readonly sessions: Sessions;
    readonly refusals: Refusals;
    readonly ours: Ours;
    readonly log: Log;
  },
): void {
  const { guilds, sessions, refusals, ours, log } = parts;
  client.on(Events.GuildCreate, (guild) => {
    sayWhatIsMissing(guild, log);
    void guilds.joined(guild.id);
  });
  client.on(
    Events.GuildDelete,
    ours((guild) => {
      sessions.gone(guild.id);
      void guilds.left(guild.id);
    }),
  );
  client.on(Events.GuildUnavailable, ({ id }) => sessions.lost(id));
  client.on(Events.GuildAvailable, ({ id, client: ready }) => sessions.found(ready, id));
  // What was refused may be allowed now.
  const forget = () => refusals.forget();
  client.on(Events.ChannelUpdate, forget);
  client.on(Events.GuildRoleUpdate, forget);
  client.on(Events.GuildRoleCreate, forget);
  client.on(Events.GuildMemberUpdate, forget);
}
