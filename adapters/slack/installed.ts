import { App, type Receiver, type ReceiverEvent } from "@slack/bolt";
import { BotError } from "#domain/errors";
import type { Attachment } from "#domain/message";
import { shortened } from "#domain/shortened";
import type { Bot } from "#ports/bot";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { Metrics } from "#ports/metrics";
import type { ChannelNote, EndedReply, Reply, ReplyJournal, ReplyTarget } from "#ports/platform";
import type { Processes } from "#ports/processes";
import type { Alarm } from "./alarm.ts";
import { clientOptions, createSlackApi, quietLogger, type SlackApi } from "./api.ts";
import { Arrivals, waitingOwner } from "./arrivals.ts";
import { addAsk } from "./ask.ts";
import { Budget } from "./budget.ts";
import { addControls } from "./controls.ts";
import { Courtesies } from "./courtesies.ts";
import { DirectMessages } from "./direct.ts";
import { asReplyError, reasonOf, refusalOf } from "./failures.ts";
import { openAttachment, shareFiles, Uploads, uploadBytes, uploadReasonOf } from "./files.ts";
import { type SlackMessageEvent, targetOf, type Workspace } from "./inbound.ts";
import { sayDirectly } from "./last-resort.ts";
import { toMrkdwn } from "./markdown.ts";
import { Names } from "./names.ts";
import { Policy, type SlackPolicy } from "./policy.ts";
import { SlackReply } from "./reply.ts";
import { checkSetUp } from "./set-up.ts";
import { addSettings } from "./settings.ts";
import { Surfaces } from "./surfaces.ts";
import { Threads } from "./threads.ts";
import { Titles } from "./titles.ts";
import type { TokenSource } from "./tokens.ts";
import { Whispers } from "./whispers.ts";

/** A workspace that refuses streams is asked again after this. */
const refusedForMs = 24 * 60 * 60_000;
const mostNoticeCharacters = 1_900;

/** What the bot needs in one workspace. */
export interface InstalledOptions {
  readonly tokens: TokenSource;
  /** Undefined: Slack's own. */
  readonly apiUrl: string | undefined;
  readonly policy: SlackPolicy;
  /** `auto`: streams where one person takes part. */
  readonly streaming: "auto" | "native" | "update";
  /** Tells this workspace from others. */
  readonly name: string;
  readonly processes: Processes;
  readonly ledger: Ledger;
  readonly metrics: Pick<Metrics, "platformCall">;
  readonly log: Log;
  readonly now: () => number;
  readonly after: Alarm;
}

/** What arrives is handed over by {@link InstalledWorkspace.process}. */
const noReceiver: Receiver = {
  init: () => undefined,
  start: async () => undefined,
  stop: async () => undefined,
};

/** The bot in one workspace: what arrives from there, and the replies that are drawn there. */
export class InstalledWorkspace {
  readonly #options: InstalledOptions;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #bornAtMs: number;
  readonly #api: SlackApi;
  readonly #titles: Titles;
  readonly #courtesies: Courtesies;
  readonly #direct: DirectMessages;
  readonly #refused = new Map<string, number>();
  readonly #stopListening: (() => void)[] = [];
  #bot: Bot | undefined;
  #app: App | undefined;

  constructor(options: InstalledOptions) {
    const { apiUrl, log, metrics, tokens, now } = options;
    this.#options = options;
    this.#log = log;
    this.#now = now;
    this.#bornAtMs = now();
    const budget = new Budget(now, options.processes, options.name);
    this.#api = createSlackApi({ tokens, apiUrl, budget, metrics, log });
    this.#direct = new DirectMessages(this.#api);
    this.#courtesies = new Courtesies(this.#api, log);
    this.#titles = new Titles({ courtesies: this.#courtesies, ledger: options.ledger, log });
  }

  /** Asks Slack who the bot is there and what is missing. Throws a BotError with what to do. */
  check(): Promise<Workspace> {
    return checkSetUp(this.#api, this.#log);
  }

  /** True: {@link process} hands on what arrives. */
  get isHearing(): boolean {
    return this.#app !== undefined;
  }

  /** What replies ask of the bot, they ask of this one from now on. */
  serve(bot: Bot): void {
    this.#bot = bot;
  }

  /** Begins to hear what {@link process} is given. */
  start(workspace: Workspace, bot: Bot): void {
    this.serve(bot);
    this.#app = this.#createApp(workspace);
    const arrivals = this.#listen(this.#app, workspace);
    this.#stopListening.push(
      bot.onWaited(waitingOwner(workspace), (shown) => arrivals.waited(shown)),
    );
  }

  stop(): void {
    for (const stop of this.#stopListening.splice(0)) stop();
  }

  async process(event: ReceiverEvent): Promise<void> {
    await this.#app?.processEvent(event);
  }

  openReply(to: ReplyTarget, journal: ReplyJournal): Reply {
    return this.#replyTo(to, journal);
  }

  lookAgain(ended: EndedReply): Promise<void> {
    return this.#replyTo(ended.to, ended.journal).lookAgain(ended);
  }

  #replyTo(to: ReplyTarget, journal: ReplyJournal): SlackReply {
    const target = targetOf(to.target);
    return new SlackReply({
      api: this.#api,
      to,
      target: { ...target, isShared: this.#isUpdated(target.isShared) },
      journal,
      mayGoOn: this.#isFromBefore(to),
      courtesies: this.#courtesies,
      uploads: new Uploads((file) => this.#startedBot().openFile(file)),
      streaming: {
        isRefused: (channel) => this.#isRefused(channel) || this.#isRefused("*"),
        refuse: (channel, how) => this.#refuse(channel, how),
      },
      stopRun: () => this.#stopRun(to),
      sayDirectly: (view, why) =>
        sayDirectly(
          { direct: this.#direct, log: this.#log, now: this.#now },
          { to, journal, view, why },
        ),
      nameConversation: () => this.#titles.give(target),
      log: this.#log,
      now: this.#now,
      after: this.#options.after,
    });
  }

  async openFile(file: Attachment, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { apiUrl } = this.#options;
    return openAttachment(file, { api: this.#api, apiUrl, signal });
  }

  async notify({ channel, text, file }: ChannelNote): Promise<void> {
    const { name, data } = file;
    const comment = toMrkdwn(shortened(text, mostNoticeCharacters));
    try {
      const id = await uploadBytes(this.#api, { name, altText: name, bytes: data });
      await shareFiles(this.#api, { files: [{ id, title: name }], channel, comment });
    } catch (error) {
      const code = refusalOf(error);
      if (code === undefined) throw asReplyError(error);
      const detail = reasonOf(code) ?? `${uploadReasonOf(code)}.`;
      throw new BotError("not-allowed", { detail, cause: error });
    }
  }

  #createApp(workspace: Workspace): App {
    const { apiUrl } = this.#options;
    const { teamId, botId, botUser: botUserId } = workspace;
    const app = new App({
      receiver: noReceiver,
      // Without a token: nothing is called by the app, and what arrives is taken while there is none.
      authorize: async () => ({ botId, botUserId, teamId }),
      convoStore: false,
      // Its own messages tell where they stand; that they are no messages to it, each listener sees.
      ignoreSelf: false,
      clientOptions: clientOptions(apiUrl, this.#log),
      logger: quietLogger(this.#log),
    });
    // What a listener throws reaches the receiver, which then leaves the event to be sent again.
    app.error(async (error) => {
      throw error;
    });
    return app;
  }

  /** Tells the app what to do with everything that can arrive. */
  #listen(app: App, workspace: Workspace): Arrivals {
    const [api, log, now, ledger] = [this.#api, this.#log, this.#now, this.#options.ledger];
    const shared = {
      api,
      log,
      ledger,
      workspace,
      names: new Names(api, now),
      threads: new Threads(ledger),
      policy: new Policy({ policy: this.#options.policy, api, teamId: workspace.teamId, log, now }),
      whispers: new Whispers(api, log),
      direct: this.#direct,
      courtesies: this.#courtesies,
      processes: this.#options.processes,
      bot: () => this.#startedBot(),
    };
    const arrivals = new Arrivals(shared);
    const parts = { ...shared, arrivals };
    const surfaces = new Surfaces(parts, this.#titles);
    addEvents(app, arrivals);
    addControls(app, parts);
    addAsk(app, parts);
    surfaces.add(app);
    addSettings(app, parts, (spot) => surfaces.publishHome(spot));
    return arrivals;
  }

  /** Asked before this process began. */
  #isFromBefore({ answers }: ReplyTarget): boolean {
    return answers.some((eventId) => Number(eventId.split(":").at(-1)) * 1_000 < this.#bornAtMs);
  }

  #isUpdated(isShared: boolean): boolean {
    switch (this.#options.streaming) {
      case "auto":
        return isShared;
      case "native":
        return false;
      case "update":
        return true;
    }
  }

  #isRefused(channel: string): boolean {
    return (this.#refused.get(channel) ?? 0) > this.#now();
  }

  #refuse(channel: string, how: { reach: "everywhere" | "channel"; why: string }): void {
    const where = how.reach === "everywhere" ? "*" : channel;
    this.#refused.set(where, this.#now() + refusedForMs);
    const fields = { platform: "slack", problem: how.why, where: how.reach };
    this.#log.info(fields, "messages are updated instead of streamed");
  }

  /** Slack says so with every call; the event for it may come later or get lost. */
  async #stopRun({ runId, asker: by }: ReplyTarget): Promise<void> {
    const press = { type: "stop" } as const;
    const eventId = `slack:stopped:${runId}`;
    await this.#startedBot().press({ eventId, runId, by, role: "person", press });
  }

  #startedBot(): Bot {
    if (!this.#bot) throw new BotError("not-found", { detail: "Slack is not started." });
    return this.#bot;
  }
}

function addEvents(app: App, arrivals: Arrivals): void {
  // The SDK's types promise more than Slack does; inbound.ts looks at everything itself.
  app.event("message", ({ event }) => arrivals.message(event as unknown as SlackMessageEvent));
  app.event("app_mention", ({ event }) => arrivals.mention(event as unknown as SlackMessageEvent));
}
