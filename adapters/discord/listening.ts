import { setTimeout as wait } from "node:timers/promises";
import { type Client, Events } from "discord.js";
import { BotError } from "#domain/errors";
import type { Bot } from "#ports/bot";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { Processes } from "#ports/processes";
import { Arrivals } from "./arrivals.ts";
import { Asking } from "./ask.ts";
import { Belonging, type ThreadMode } from "./belonging.ts";
import { CommandControls } from "./command-controls.ts";
import { registerCommands } from "./commands.ts";
import { Controls } from "./controls.ts";
import { Gateway } from "./gateway.ts";
import { Guilds, type OnLeave } from "./guilds.ts";
import { Marks } from "./marks.ts";
import { Notes } from "./notes.ts";
import type { PacedApi } from "./paced-api.ts";
import { type DiscordPolicy, Policy } from "./policy.ts";
import type { Refusals } from "./refusals.ts";
import { Sessions } from "./sessions.ts";
import { type Application, contentIntentWords, sayWhatIsMissing } from "./set-up.ts";
import type { ShardSet } from "./shard-sets.ts";
import type { Threads } from "./threads.ts";
import { Visits } from "./visits.ts";

/** One shard of a bucket may identify itself in five seconds; a little more than that. */
const identifyEveryMs = 5_500;
const lookAgainMs = 500;

/** What everything that listens shares. */
export interface ListeningParts {
  readonly options: ListeningOptions;
  readonly application: Application;
  readonly api: PacedApi;
  readonly refusals: Refusals;
  readonly threads: Threads;
  readonly bot: Bot;
  readonly now: () => number;
}

/** Which Discord is listened to, and to what of it. */
export interface ListeningOptions {
  readonly token: string;
  /** Undefined: Discord's own. */
  readonly apiUrl: string | undefined;
  /** False: messages that do not mention the bot are not read, even where they could be. */
  readonly asksForContent: boolean;
  readonly threadMode: ThreadMode;
  readonly policy: DiscordPolicy;
  /** Servers to register commands in; empty: for everywhere. */
  readonly commandGuilds: readonly string[];
  readonly onLeave: OnLeave;
  readonly ledger: Ledger;
  /** Default: there are no others. */
  readonly processes?: Processes;
  readonly log: Log;
}

/** What is listened to, and as long as what. */
export interface Listened {
  readonly set: ShardSet;
  /** False from the moment on at which another process may listen to it. */
  readonly isHeld: () => boolean;
  /** The servers have become more than the shards may have; undefined: the connection sees to it. */
  readonly onOutgrown: (() => void) | undefined;
}

/** Hears what happens in the servers of a set, from one connection on until its end. */
export class Listening {
  readonly #parts: ListeningParts;
  readonly #listened: Listened;
  readonly #log: Log;
  readonly #marks: Marks;
  readonly #guilds: Guilds;
  #gateway: Gateway | undefined;
  #isEnded = false;

  constructor(parts: ListeningParts, listened: Listened) {
    const { bot, now, options } = parts;
    const { ledger, log, onLeave } = options;
    const { isHeld, set } = listened;
    this.#parts = parts;
    this.#listened = listened;
    this.#log = log;
    this.#marks = new Marks({ set, ledger, mayWrite: isHeld, log, now });
    this.#guilds = new Guilds({ set, ledger, onLeave, bot: () => bot, log, now });
  }

  /** Undefined while there is no connection. */
  get client(): Client<true> | undefined {
    return this.#gateway?.client;
  }

  /** True while every shard hears what happens. */
  isListening(): boolean {
    return this.#gateway?.isListening() ?? false;
  }

  /** Resolves when every server is there. Throws a BotError with what to do, or that it was lost. */
  async begin(): Promise<void> {
    const { api, application, bot, options, refusals } = this.#parts;
    const log = this.#log;
    const { since } = await this.#marks.begin();
    const marks = this.#marks;
    const notes = new Notes({ api, refusals, log });
    const policy = this.#policy();
    const arrivals = this.#arrivals({ marks, notes, policy });
    const controls = this.#controls({ notes, policy });
    const sessions = new Sessions({ arrivals, marks, leftOff: since, log });
    const guilds = this.#guilds;
    const gateway = this.#createGateway(sessions, (client) => {
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
      addGuilds(client, { guilds, sessions, refusals, ours, log });
    });
    if (this.#isEnded) {
      await this.#marks.end();
      throw new Error("ended before it was connected");
    }
    this.#gateway = gateway;
    await gateway.start();
    const { client } = gateway;
    if (!this.#isOurs) throw new Error("lost before it was connected");
    if (client) await guilds.compare(client);
    for (const guild of client?.guilds.cache.values() ?? []) sayWhatIsMissing(guild, log);
    // Once, by whoever hears the first set.
    if (this.#listened.set.index > 0) return;
    await registerCommands({
      api,
      applicationId: application.id,
      specs: bot.commands(),
      guilds: options.commandGuilds,
      ledger: options.ledger,
      log,
    });
  }

  /** Also while it begins, which then throws. */
  async end(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    await this.#gateway?.stop();
    await this.#marks.end();
  }

  get #isOurs(): boolean {
    return !this.#isEnded && this.#listened.isHeld();
  }

  /** Also between processes that follow each other quickly. */
  #mayIdentify = async (bucket: number, signal: AbortSignal): Promise<void> => {
    const limit = {
      type: "windowed",
      key: `discord/identify/${bucket}`,
      calls: 1,
      windowMs: identifyEveryMs,
    } as const;
    const { processes } = this.#parts.options;
    for (;;) {
      const spent = this.#isOurs ? await processes?.spend?.([limit]) : undefined;
      if (spent?.isGranted) {
        spent.done();
        if (this.#isOurs) return;
      }
      const waitMs = spent && !spent.isGranted ? Math.max(...spent.waitMs) : lookAgainMs;
      await wait(waitMs, undefined, { signal });
    }
  };

  #policy(): Policy {
    const { api, now, options } = this.#parts;
    const guilds = () => this.#guilds.all(this.#client());
    return new Policy({ policy: options.policy, api, guilds, log: this.#log, now });
  }

  #arrivals(shared: {
    readonly marks: Marks;
    readonly notes: Notes;
    readonly policy: Policy;
  }): Arrivals {
    const { application, bot, now, options, threads } = this.#parts;
    const { botId, ownerIds } = application;
    const { threadMode } = options;
    return new Arrivals({
      botId,
      belonging: new Belonging({ botId, ownerIds, threadMode, threads }),
      readsContent: () => this.#gateway?.readsContent ?? false,
      threads,
      ...shared,
      bot: () => bot,
      log: this.#log,
      now,
    });
  }

  #controls({ notes, policy }: { readonly notes: Notes; readonly policy: Policy }): Controls {
    const { application, bot, options, threads } = this.#parts;
    const { ledger, threadMode } = options;
    const visits = new Visits({ policy, ownerIds: application.ownerIds });
    const common = { visits, bot: () => bot, log: this.#log };
    const commands = new CommandControls({
      opensThreads: threadMode !== "off",
      asking: new Asking(ledger),
      threads,
      ...common,
    });
    return new Controls({ commands, notes, ...common });
  }

  #createGateway(sessions: Sessions, prepare: (client: Client) => void): Gateway {
    const { api, application, options } = this.#parts;
    const { apiUrl, asksForContent, processes, token } = options;
    const isMissed = asksForContent && !application.readsContent;
    if (isMissed) {
      this.#log.warn({ platform: "discord", problem: contentIntentWords }, "intent missing");
    }
    const { onOutgrown, set } = this.#listened;
    return new Gateway({
      token,
      apiUrl,
      set,
      asksForContent: asksForContent && application.readsContent,
      prepare,
      makeRequest: api.makeRequest,
      mayIdentify: processes?.spend && this.#mayIdentify,
      onFreshSession: (shardId) => sessions.begins(shardId),
      onReady: (client, shardId) => sessions.ready(client, shardId),
      onOutgrown,
      log: this.#log,
    });
  }

  #client(): Client {
    const client = this.#gateway?.client;
    if (!client) throw new BotError("not-found", { detail: "Discord is not connected." });
    return client;
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
