import {
  Client,
  Events,
  GatewayDispatchEvents,
  GatewayIntentBits,
  Options,
  Partials,
  Status,
} from "discord.js";
import type { Log } from "#ports/log";
import { apiOf } from "./api.ts";
import type { PacedApi } from "./paced-api.ts";
import { asSetUpError, contentIntentWords, finalWords, isIntentRefused } from "./set-up.ts";
import { type ShardSet, shardsOf } from "./shard-sets.ts";

/** The intents without which nothing works. Message content is asked for on top, where it is granted. */
const intents = [
  GatewayIntentBits.Guilds,
  GatewayIntentBits.GuildMessages,
  GatewayIntentBits.DirectMessages,
] as const;

/** Messages of a channel that are kept to tell what an edit or a deletion was about. */
const keptMessages = 50;
/** A connection that was ended for good, and may be begun another way, is begun again after this. */
const againAfterMs = 5_000;

/** People whose names are kept: all of them, and in each server. */
const keptPeople = 5_000;

const disallowedIntents = 4014;
const shardingRequired = 4011;

/** What the gateway is opened with. */
export interface GatewayOptions {
  readonly token: string;
  readonly apiUrl: string | undefined;
  /** Whose events are wanted. */
  readonly set: ShardSet;
  readonly asksForContent: boolean;
  /** Adds listeners to a client before anything can arrive. */
  readonly prepare: (client: Client) => void;
  /**
   * A session begins of which nothing is known before: what happened since is not told by the
   * gateway. Called at the begin, before any message of the session arrives.
   */
  readonly onFreshSession: (shardId: number) => void;
  /** Everything a fresh session's servers have to say about themselves is there. */
  readonly onReady: (client: Client<true>, shardId: number) => void;
  /**
   * Resolves when a shard of this bucket may identify itself: one in five seconds
   * (docs.discord.com, gateway#rate-limiting). Undefined: the client sees to it alone.
   */
  readonly mayIdentify: ((bucket: number, signal: AbortSignal) => Promise<void>) | undefined;
  /**
   * The servers have become more than the shards may have. Undefined: the connection is begun again
   * with as many as Discord recommends then, if that was wanted.
   */
  readonly onOutgrown: (() => void) | undefined;
  /** How the client's own requests are sent. */
  readonly makeRequest: PacedApi["makeRequest"];
  readonly log: Log;
}

/** The connection over which Discord tells what happens. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #log: Log;
  #client: Client<true> | undefined;
  #readsContent: boolean;
  #isStopped = false;
  readonly #stopped = Promise.withResolvers<never>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#readsContent = options.asksForContent;
    this.#stopped.promise.catch(() => undefined);
  }

  /** True: messages that do not mention the bot can be read. */
  get readsContent(): boolean {
    return this.#readsContent;
  }

  /** Undefined while there is no connection. */
  get client(): Client<true> | undefined {
    return this.#client;
  }

  /** Resolves when every server is there. Throws a BotError with what to do, or that it was stopped. */
  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      if (!this.#readsContent || !isIntentRefused(error)) throw asSetUpError(error);
      this.#doWithoutContent();
      await this.#connect().catch((again: unknown) => {
        throw asSetUpError(again);
      });
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopped.reject(new Error("stopped while connecting"));
    const client = this.#client;
    this.#client = undefined;
    await client?.destroy();
  }

  /** True while every shard hears what happens. */
  isListening(): boolean {
    const shards = [...(this.#client?.ws.shards.values() ?? [])];
    return shards.length > 0 && shards.every(({ status }) => status === Status.Ready);
  }

  async #connect(): Promise<void> {
    const { mayIdentify, token, set, onFreshSession, onReady, prepare } = this.#options;
    const shards = shardsOf(set);
    const spawned = Promise.withResolvers<void>();
    const client = new Client({
      intents: this.#readsContent ? [...intents, GatewayIntentBits.MessageContent] : [...intents],
      partials: [Partials.Channel, Partials.Message],
      allowedMentions: { parse: [], repliedUser: false },
      ...(set.shardCount === undefined ? { shards: "auto" } : { shardCount: set.shardCount }),
      ...(shards ? { shards: [...shards] } : {}),
      ...(mayIdentify
        ? { ws: { buildIdentifyThrottler: throttler(mayIdentify, spawned.resolve) } }
        : {}),
      rest: { ...apiOf(this.#options.apiUrl), makeRequest: this.#options.makeRequest },
      makeCache: Options.cacheWithLimits({
        ...Options.DefaultMakeCacheSettings,
        MessageManager: keptMessages,
        UserManager: keptOf(keptPeople),
        GuildMemberManager: keptOf(keptPeople),
        ReactionManager: 0,
        PresenceManager: 0,
        GuildScheduledEventManager: 0,
        GuildEmojiManager: 0,
        GuildStickerManager: 0,
        VoiceStateManager: 0,
      }),
    });
    this.#listen(client);
    // Only once all shards are ready is anything of them handed on.
    const early = new Set<number>();
    client.ws.on(GatewayDispatchEvents.Ready, (_data: unknown, shardId: number) => {
      onFreshSession(shardId);
    });
    client.on(Events.ShardReady, (shardId) => {
      if (client.isReady()) onReady(client, shardId);
      else early.add(shardId);
    });
    const whole = new Promise<void>((resolve) => {
      client.once(Events.ClientReady, (ready) => {
        this.#client = ready;
        // Within the event: what was said meanwhile is handed on right after it.
        for (const shardId of early) onReady(ready, shardId);
        resolve();
      });
    });
    prepare(client);
    const connected = client.login(token).then(() => whole);
    try {
      await Promise.race([connected, this.#stopped.promise]);
    } catch (error) {
      // Connections that are being made can be ended only once they are there.
      void Promise.race([spawned.promise, connected])
        .catch(() => undefined)
        .then(() => client.destroy());
      throw error;
    }
  }

  #listen(client: Client): void {
    const log = this.#log;
    client.on(Events.Error, (error) => log.error({ platform: "discord", error }, "client failed"));
    client.on(Events.ShardError, (error, shard) =>
      log.warn({ platform: "discord", shard, problem: error.message }, "connection failed"),
    );
    client.on(Events.ShardReconnecting, (shard) => {
      if (!this.#isStopped) log.info({ platform: "discord", shard }, "connecting again");
    });
    client.on(Events.ShardResume, (shard, replayed) =>
      log.info({ platform: "discord", shard, replayed }, "connection resumed"),
    );
    client.on(Events.ShardDisconnect, ({ code }, shard) => {
      // While the first connection is being made, its own failure says this.
      if (client === this.#client) this.#ended(code, shard);
    });
  }

  /** A connection was ended for good. What can be had another way is; otherwise an admin is told. */
  #ended(code: number, shard: number): void {
    const problem = finalWords(code) ?? `Discord ended the connection with code ${code}.`;
    this.#log.error({ platform: "discord", shard, code, problem }, "connection ended");
    const { onOutgrown, set } = this.#options;
    const isOutgrown = code === shardingRequired;
    if (isOutgrown && onOutgrown) {
      onOutgrown();
      return;
    }
    if (code === disallowedIntents && this.#readsContent) this.#doWithoutContent();
    else if (!isOutgrown || set.shardCount !== undefined) return;
    void this.#begin();
  }

  async #begin(): Promise<void> {
    const old = this.#client;
    this.#client = undefined;
    await old?.destroy();
    while (!this.#isStopped && !this.#client) {
      try {
        await this.#connect();
      } catch (error) {
        this.#log.error({ platform: "discord", error: asSetUpError(error) }, "not connected");
        await new Promise((resolve) => setTimeout(resolve, againAfterMs).unref());
      }
    }
  }

  #doWithoutContent(): void {
    this.#readsContent = false;
    this.#log.warn({ platform: "discord", problem: contentIntentWords }, "intent missing");
  }
}

function throttler(mayIdentify: NonNullable<GatewayOptions["mayIdentify"]>, onFirst: () => void) {
  return async (manager: {
    fetchGatewayInformation(): Promise<{
      readonly session_start_limit: { readonly max_concurrency: number };
    }>;
  }) => {
    const { session_start_limit: limit } = await manager.fetchGatewayInformation();
    return {
      waitForIdentify: (shardId: number, signal: AbortSignal) => {
        onFirst();
        return mayIdentify(shardId % limit.max_concurrency, signal);
      },
    };
  };
}

/** The bot itself is always known. */
function keptOf(maxSize: number) {
  return {
    maxSize,
    keepOverLimit: ({ id, client }: { readonly id: string; readonly client: Client }) =>
      id === client.user?.id,
  };
}
