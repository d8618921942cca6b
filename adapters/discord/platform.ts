import { type GuildPremiumTier, type RESTGetAPIGatewayBotResult, Routes } from "discord.js";
import { BotError } from "#domain/errors";
import type { Attachment } from "#domain/message";
import { shortened } from "#domain/shortened";
import type { Bot } from "#ports/bot";
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
import type { Cut, Offices, Part } from "#ports/processes";
import { Apologies } from "./apologies.ts";
import { FileLimits } from "./file-limits.ts";
import { openAttachment } from "./files.ts";
import { targetOf } from "./inbound.ts";
import { type Listened, Listening, type ListeningOptions } from "./listening.ts";
import { toDiscord } from "./markdown.ts";
import { Notes } from "./notes.ts";
import { createPacedApi, type PacedApi } from "./paced-api.ts";
import { Refusals } from "./refusals.ts";
import { DiscordReply } from "./reply.ts";
import {
  type Application,
  asSetUpError,
  finalWords,
  inviteLink,
  readApplication,
} from "./set-up.ts";
import { cutOf, everything } from "./shard-sets.ts";
import { Threads } from "./threads.ts";
import { takeBackWaited } from "./waiting.ts";

/** How often Discord is asked whether it takes a token again that it has refused, in milliseconds. */
const askAgainAfterMs = 30_000;

/** A message takes 2,000 (docs.discord.com, Create Message). */
const mostNoticeCharacters = 1_900;

/** What the platform needs. */
export interface DiscordPlatformOptions extends ListeningOptions {
  /** False: the gateway is others' business; replies are drawn for them over REST. Default: true. */
  readonly listens?: boolean;
  /** Undefined: as many connections as Discord recommends. */
  readonly shards: number | undefined;
  readonly metrics: Pick<Metrics, "platformCall">;
  readonly now?: () => number;
  /** Does something once after so many milliseconds; the answer calls it off. Default: the machine's timers. */
  readonly after?: (ms: number, work: () => void) => () => void;
}

/** Discord, and how it comes to have the bot. */
export interface DiscordPlatform extends Platform {
  /** Where an admin of a server invites the bot; known once it has started. */
  readonly invite: string | undefined;
}

/** For one application; nothing is connected before it is started. */
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
  #stopTakingBack: () => void = () => undefined;
  readonly #apologies: Apologies;
  readonly #threads: Threads;
  readonly #listens: boolean;
  readonly #fileLimits: FileLimits;
  /** What this process hears: by set. */
  readonly #listenings = new Map<number, Listening>();
  #bot: Bot | undefined;
  #application: Application | undefined;
  /** Rises with each start and stop: what an earlier start still does is void. */
  #turn = 0;
  #isStarted = false;
  #isTokenRefused = false;
  #callOffAsking: () => void = () => undefined;
  /** As DISCORD_SHARDS says, or Discord recommended last. */
  #wantedShards: number | undefined;
  /** Undefined: nobody else connects. */
  #offices: Offices | undefined;

  constructor(options: DiscordPlatformOptions) {
    const { apiUrl, ledger, log, metrics, processes, token } = options;
    this.#options = options;
    this.#listens = options.listens ?? true;
    this.#log = log;
    this.#now = options.now ?? Date.now;
    const now = this.#now;
    const onTokenRefused = () => this.#tokenRefused();
    this.#api = createPacedApi({ token, apiUrl, processes, metrics, onTokenRefused, log, now });
    this.#refusals = new Refusals(now);
    this.#apologies = new Apologies({ api: this.#api, log, now });
    this.#threads = new Threads(ledger);
    this.#fileLimits = new FileLimits({
      api: this.#api,
      tierOf: (guild) => this.#tierOf(guild),
      now,
    });
  }

  get invite(): string | undefined {
    return this.#application && inviteLink(this.#application.id);
  }

  async start(bot: Bot): Promise<void> {
    this.#bot = bot;
    this.#turn += 1;
    const turn = this.#turn;
    const application = await readApplication(this.#api);
    if (turn !== this.#turn) throw new Error("stopped while starting");
    this.#application = application;
    if (this.#listens) {
      await this.#listen(application, bot);
      const notes = new Notes({ api: this.#api, refusals: this.#refusals, log: this.#log });
      this.#stopTakingBack = takeBackWaited(bot, notes);
    }
    this.#isStarted = true;
  }

  /** Resolves once this process hears what it is to hear. After a failure nothing is left of it. */
  async #listen(application: Application, bot: Bot): Promise<void> {
    // Several connections of one shard would hear and answer everything several times.
    this.#offices = this.#options.processes?.offices?.("discord", {
      cut: () => this.#cut(),
      begin: (part) => this.#takeOver(part, application, bot),
      end: ({ index }) => this.#end(index),
    });
    if (this.#offices) return this.#offices.open();
    const set = everything(this.#options.shards);
    try {
      await this.#begin({ set, isHeld: () => true, onOutgrown: undefined }, application, bot);
    } catch (error) {
      await this.#end(set.index);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#turn += 1;
    this.#isStarted = false;
    this.#stopTakingBack();
    this.#callOffAsking();
    await this.#offices?.close();
    await Promise.all([...this.#listenings.keys()].map((index) => this.#end(index)));
  }

  /** As many shards as are wanted, or as Discord recommends now. */
  async #cut(): Promise<Cut> {
    const { shards } = this.#options;
    this.#wantedShards = shards;
    if (shards !== undefined) return cutOf(shards);
    try {
      const found = (await this.#api.call({
        method: "GET",
        route: Routes.gatewayBot(),
        kind: "other",
        isRepeatable: true,
      })) as RESTGetAPIGatewayBotResult;
      this.#wantedShards = found.shards;
      return cutOf(found.shards);
    } catch (error) {
      throw asSetUpError(error);
    }
  }

  async #takeOver(part: Part, application: Application, bot: Bot): Promise<void> {
    const { shards } = this.#options;
    const { index, of } = part;
    const set = { index, sets: of.parts, shardCount: of.size };
    const wanted = this.#wantedShards;
    if (wanted !== undefined && wanted !== of.size) {
      const fields = { platform: "discord", shards: of.size, wanted, problem: agreedWords };
      this.#log.warn(fields, "other shards");
    }
    // Where the number is an admin's, only an admin can change it.
    const onOutgrown = shards === undefined ? () => part.giveUp() : undefined;
    try {
      await this.#begin({ set, isHeld: () => part.isHeld, onOutgrown }, application, bot);
    } catch (error) {
      if (part.isHeld) this.#log.error({ platform: "discord", error }, "Discord not connected");
      throw error;
    }
  }

  async #begin(listened: Listened, application: Application, bot: Bot): Promise<void> {
    const listening = new Listening(
      {
        options: this.#options,
        application,
        api: this.#api,
        refusals: this.#refusals,
        threads: this.#threads,
        bot,
        now: this.#now,
      },
      listened,
    );
    const { index, sets } = listened.set;
    this.#listenings.set(index, listening);
    await listening.begin();
    this.#log.info(
      { platform: "discord", set: index, sets, invite: this.invite },
      "Discord connected",
    );
  }

  async #end(index: number): Promise<void> {
    const listening = this.#listenings.get(index);
    this.#listenings.delete(index);
    if (!listening) return;
    await listening.end();
    this.#log.info({ platform: "discord", set: index }, "Discord disconnected");
  }

  /** What the gateway has told of a server; undefined where it told nothing. */
  #tierOf(guild: string): GuildPremiumTier | undefined {
    for (const { client } of this.#listenings.values()) {
      const known = client?.guilds.cache.get(guild);
      if (known) return known.premiumTier;
    }
    return undefined;
  }

  /** While it is refused nothing is lost, and nothing paid: what is to be answered waits. */
  #tokenRefused(): void {
    // Before, it is the start that fails.
    if (this.#isTokenRefused || !this.#application) return;
    this.#isTokenRefused = true;
    this.#log.error({ platform: "discord", problem: finalWords(4004) }, "Discord access ended");
    this.#bot?.holdRuns(this.name);
    this.#askAgainLater();
  }

  #askAgainLater(): void {
    const { after = systemAfter } = this.#options;
    this.#callOffAsking = after(askAgainAfterMs, () => {
      this.#api.tryTokenAgain().then(
        () => {
          this.#isTokenRefused = false;
          // A client forgets a token that was refused.
          for (const { client } of this.#listenings.values()) {
            client?.rest.setToken(this.#options.token);
          }
          this.#log.info({ platform: "discord" }, "Discord access is back");
        },
        () => this.#askAgainLater(),
      );
    });
  }

  problem(): string | undefined {
    return this.#isTokenRefused ? finalWords(4004) : undefined;
  }

  isConnected(): boolean {
    if (this.#isTokenRefused) return false;
    if (!this.#listens) return this.#isStarted;
    // Other processes have the connections, and this one stands by.
    if (this.#offices && this.#listenings.size === 0) return this.#isStarted;
    return this.#listenings.size > 0 && [...this.#listenings.values()].every(isListening);
  }

  canShow(): boolean {
    return this.#application !== undefined && !this.#isTokenRefused;
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

  #startedBot(): Bot {
    if (!this.#bot) throw new BotError("not-found", { detail: "Discord is not started." });
    return this.#bot;
  }
}

const agreedWords =
  "The gateways have agreed on another number of shards than Discord recommends now, or DISCORD_SHARDS says here. They agree anew once all of them are stopped at the same time.";

function systemAfter(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

function isListening(listening: Listening): boolean {
  return listening.isListening();
}
