import type { ReceiverEvent } from "@slack/bolt";
import { BotError } from "#domain/errors";
import type { Attachment } from "#domain/message";
import type { Bot } from "#ports/bot";
import type { HttpRoutes } from "#ports/http";
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
import { alone, type Processes } from "#ports/processes";
import { type Alarm, systemAlarm } from "./alarm.ts";
import { teamOf } from "./files.ts";
import { targetOf, type Workspace } from "./inbound.ts";
import { type Installation, Installations } from "./installations.ts";
import { InstalledWorkspace } from "./installed.ts";
import { OAuthRoutes, type SlackOAuth } from "./oauth.ts";
import { OwnToken } from "./own-token.ts";
import type { SlackPolicy } from "./policy.ts";
import { createHttpReceiver, createSocketReceiver, type SlackReceiver } from "./receiver.ts";
import { SecretBox } from "./secret-box.ts";
import { fixedToken, InstalledTokens, noToken, type TokenSource } from "./tokens.ts";

/** How what happens reaches the bot. */
export type SlackConnection =
  | { readonly type: "socket"; readonly appToken: string }
  | { readonly type: "http"; readonly signingSecret: string };

/** One workspace by its token, or every workspace that installs the app. */
export type SlackAccess =
  | { readonly type: "token"; readonly token: string }
  | ({ readonly type: "oauth" } & SlackOAuth);

/** What the platform needs. */
export interface SlackPlatformOptions {
  readonly access: SlackAccess;
  /** Undefined: nothing is heard; replies are drawn for those who hear. */
  readonly connection: SlackConnection | undefined;
  /** Undefined: Slack's own. */
  readonly apiUrl?: string;
  readonly policy: SlackPolicy;
  /** `auto`: streams where one person takes part. */
  readonly streaming: "auto" | "native" | "update";
  readonly ledger: Ledger;
  /** Default: there are no others. */
  readonly processes?: Processes;
  readonly metrics: Pick<Metrics, "platformCall">;
  readonly log: Log;
  readonly now?: () => number;
  /** Default: the machine's timers. */
  readonly after?: Alarm;
}

/** Slack, and what is served to it. */
export interface SlackPlatform extends Platform {
  /** Where Slack posts to and browsers install the app, for the HTTP server. */
  readonly routes: HttpRoutes | undefined;
}

/** For one workspace or for all that install the app; nothing is connected before it is started. */
export function createSlackPlatform(options: SlackPlatformOptions): SlackPlatform {
  return new Slack(options);
}

interface Installed {
  readonly office: InstalledWorkspace;
  /** Undefined: by the token that is set. */
  readonly tokens?: InstalledTokens;
}

/** The workspace of the token that is set. */
interface Own {
  readonly office: InstalledWorkspace;
  readonly workspace: Workspace;
  readonly token: OwnToken;
}

class Slack implements SlackPlatform {
  readonly name = "slack";
  readonly #options: SlackPlatformOptions;
  readonly #log: Log;
  readonly #now: () => number;
  /** Undefined: others hear. */
  readonly #receiver: SlackReceiver | undefined;
  readonly #installed = new Map<string, Installed>();
  readonly #installations: Installations | undefined;
  readonly #oauth: OAuthRoutes | undefined;
  #bot: Bot | undefined;
  #own: Own | undefined;
  /** Rises with each start and stop: what an earlier start still does is void. */
  #turn = 0;
  #isTaking = false;

  constructor(options: SlackPlatformOptions) {
    const { access, apiUrl, connection, ledger, log } = options;
    this.#options = options;
    this.#log = log;
    this.#now = options.now ?? Date.now;
    if (access.type === "oauth") {
      this.#installations = new Installations(ledger, new SecretBox(access.key));
      this.#oauth = new OAuthRoutes({
        oauth: access,
        apiUrl,
        installed: (installation) => this.#install(installation),
        log,
        now: this.#now,
      });
    }
    this.#receiver = connection && this.#createReceiver(connection);
  }

  get routes(): HttpRoutes | undefined {
    const oauth = this.#oauth;
    const events = this.#receiver?.routes;
    if (!this.#receiver || !oauth) return events;
    return {
      prefixes: ["/slack/"],
      ...events,
      handle: async (request, peer) =>
        (await oauth.handle(request)) ??
        (await events?.handle(request, peer)) ??
        new Response("Not found.", { status: 404 }),
    };
  }

  async start(bot: Bot): Promise<void> {
    this.#bot = bot;
    this.#turn += 1;
    const turn = this.#turn;
    const { access } = this.#options;
    if (access.type === "token") {
      const own = this.#own ?? (await this.#checked(access.token));
      this.#goOnOnly(turn);
      this.#own = own;
      this.#open(own.workspace, { office: own.office });
    }
    if (this.#receiver) {
      for (const one of (await this.#installations?.all()) ?? []) this.#enter(one);
      this.#goOnOnly(turn);
      try {
        await this.#receiver.start();
      } catch (error) {
        this.#closeOffices();
        throw error;
      }
      this.#goOnOnly(turn);
    }
    this.#isTaking = true;
  }

  async stop(): Promise<void> {
    this.#turn += 1;
    this.#isTaking = false;
    this.#own?.token.end();
    this.#closeOffices();
    await this.#receiver?.stop();
  }

  isConnected(): boolean {
    if (this.#own?.token.refusedWith !== undefined) return false;
    return this.#isTaking && (this.#receiver?.isConnected() ?? true);
  }

  problem(): string | undefined {
    const code = this.#own?.token.refusedWith;
    return code === undefined
      ? undefined
      : `Slack refuses SLACK_BOT_TOKEN (${code}). ${ownTokenFix}`;
  }

  canShow(): boolean {
    if (this.#options.access.type === "oauth") return true;
    return this.#own !== undefined && this.#own.token.refusedWith === undefined;
  }

  openReply(to: ReplyTarget, journal: ReplyJournal): Reply {
    const { team } = targetOf(to.target);
    const office = this.#officeOf(team);
    void this.#stopWithoutAccess(team);
    return office.openReply(to, journal);
  }

  async lookAgain(ended: EndedReply): Promise<void> {
    return this.#officeOf(targetOf(ended.to.target).team).lookAgain(ended);
  }

  async openFile(file: Attachment, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    return this.#officeOf(teamOf(file)).openFile(file, signal);
  }

  async notify(note: ChannelNote): Promise<void> {
    const [channel = "", named] = note.channel.split(":").reverse();
    const near = note.about === undefined ? undefined : targetOf(note.about).team;
    const team = named ?? near ?? (await this.#soleTeam());
    if (team === undefined) {
      const fix = `Set the channel with its workspace before it: slack:T0123456789:${channel}.`;
      this.#log.error({ platform: "slack", action: "notify", fix }, "workspace not named");
      throw new BotError("not-found", { detail: "I cannot tell which workspace it is in." });
    }
    await this.#officeOf(team).notify({ ...note, channel });
  }

  /** What the token that is set is good for. Throws a BotError with what to do. */
  async #checked(token: string): Promise<Own> {
    const checking = this.#office(fixedToken(token), "slack");
    const workspace = await checking.check();
    const own = new OwnToken({
      token,
      check: () => checking.check(),
      onChange: (problem) => this.#ownTokenChanged(workspace.teamId, problem),
      after: this.#options.after ?? systemAlarm,
    });
    return { token: own, workspace, office: this.#office(own, "slack") };
  }

  /** While it is refused nothing is lost, and nothing paid: what comes is kept, and waits. */
  #ownTokenChanged(workspace: string, problem: string | undefined): void {
    const fields = { platform: "slack", workspace };
    if (problem === undefined) {
      this.#log.info(fields, "Slack access is back");
      return;
    }
    this.#log.error({ ...fields, problem, fix: ownTokenFix }, "Slack access ended");
    this.#bot?.holdRuns(this.name);
  }

  /** Throws in a start that was overtaken by a stop. */
  #goOnOnly(turn: number): void {
    if (turn !== this.#turn) throw new Error("stopped while starting");
  }

  #closeOffices(): void {
    for (const { office } of this.#installed.values()) office.stop();
  }

  #createReceiver(connection: SlackConnection): SlackReceiver {
    const { apiUrl, log } = this.#options;
    const process = (event: ReceiverEvent) => this.#process(event);
    switch (connection.type) {
      case "socket":
        return createSocketReceiver({ appToken: connection.appToken, apiUrl, process, log });
      case "http":
        return createHttpReceiver({ signingSecret: connection.signingSecret, process, log });
    }
  }

  /** Hands what arrives to the workspace it is for, which is the installation's, not the sender's. */
  async #process(event: ReceiverEvent): Promise<void> {
    const teamId = installedTeamOf(event.body);
    const installed = await this.#hearing(teamId ?? "");
    if (!installed) {
      // Of a workspace the app was removed from: nobody waits for an answer there.
      this.#log.info({ platform: "slack", workspace: teamId }, "not installed there");
      await event.ack();
      return;
    }
    if (installed.tokens && isRemoval(event.body)) {
      await this.#leave(teamId ?? "", String(event.body.event_id));
      return;
    }
    if (installed.tokens && !(await installed.tokens.isGood())) {
      // Nothing could be answered there, not even with the reason.
      this.#log.info({ platform: "slack", workspace: teamId }, "not heard: no access");
      await event.ack();
      return;
    }
    await installed.office.process(event);
  }

  /** The workspace as it listens here; another process may have seen the app installed there. */
  async #hearing(teamId: string): Promise<Installed | undefined> {
    const known = this.#installed.get(teamId) ?? this.#only;
    if (known?.office.isHearing) return known;
    const installation = await this.#installations?.find(teamId);
    return installation && this.#enter(installation);
  }

  /** Somebody installed the app, or installed it again. */
  async #install(installation: Installation): Promise<void> {
    await this.#installations?.put(installation);
    const { teamId } = installation.workspace;
    this.#installed.get(teamId)?.office.stop();
    this.#installed.delete(teamId);
    this.#enter(installation);
    this.#log.info({ platform: "slack", action: "install", workspace: teamId }, "installed");
  }

  #enter({ workspace }: Installation): Installed {
    const installed = this.#drawing(workspace.teamId);
    this.#open(workspace, installed);
    return installed;
  }

  /** A workspace as replies are drawn there: its token is looked up when it is needed. */
  #drawing(teamId: string): Installed {
    const known = this.#installed.get(teamId);
    if (known) return known;
    const fix = "Install the app again there, or remove it.";
    const tokens = new InstalledTokens(teamId, {
      find: async () => this.#installations?.find(teamId),
      renew: (refreshToken) => {
        if (!this.#oauth) throw new BotError("not-allowed");
        return this.#oauth.renew(refreshToken);
      },
      keep: async (renewed) => this.#installations?.put(renewed),
      ended: (problem) => this.#accessEnded(teamId, { problem, fix }),
      log: this.#log,
      now: this.#now,
    });
    const installed = { office: this.#office(tokens, `slack/${teamId}`), tokens };
    this.#installed.set(teamId, installed);
    if (this.#bot) installed.office.serve(this.#bot);
    return installed;
  }

  /** Slack takes the token no longer, without a word why: what was said stays, until somebody decides. */
  #accessEnded(teamId: string, why: { readonly problem: string; readonly fix: string }): void {
    this.#log.error({ platform: "slack", workspace: teamId, ...why }, "Slack access ended");
    void this.#stopUnder(teamId);
  }

  /** A message may have been accepted before that was known: nobody would see what it comes to. */
  async #stopWithoutAccess(teamId: string): Promise<void> {
    try {
      if ((await this.#installed.get(teamId)?.tokens?.isGood()) !== false) return;
    } catch {
      // Whoever needs the token hears why it cannot be had.
      return;
    }
    await this.#stopUnder(teamId);
  }

  /** Whatever is answered in a workspace is stopped at once. Never throws. */
  async #stopUnder(teamId: string): Promise<void> {
    try {
      await this.#bot?.stopUnder(`slack:${teamId}:`);
    } catch (error) {
      this.#log.error({ platform: "slack", workspace: teamId, err: error }, "not stopped there");
    }
  }

  /** The app was removed: no token is kept, nothing more is shown, and what was said there is deleted. */
  async #leave(teamId: string, eventId: string): Promise<void> {
    const installed = this.#installed.get(teamId);
    installed?.tokens?.end();
    await this.#installations?.remove(teamId);
    await this.#bot?.leave({ eventId: `slack:left:${eventId}`, keyPrefix: `slack:${teamId}:` });
    installed?.office.stop();
    this.#installed.delete(teamId);
    this.#log.info({ platform: "slack", action: "leave", workspace: teamId }, "removed");
  }

  #open(workspace: Workspace, installed: Installed): void {
    if (!this.#bot) throw new BotError("not-found", { detail: "Slack is not started." });
    if (this.#receiver) installed.office.start(workspace, this.#bot);
    else installed.office.serve(this.#bot);
    this.#installed.set(workspace.teamId, installed);
  }

  #office(tokens: TokenSource, name: string): InstalledWorkspace {
    const { apiUrl, policy, processes = alone, streaming, ledger, metrics, log } = this.#options;
    const { after = systemAlarm } = this.#options;
    const now = this.#now;
    return new InstalledWorkspace({
      tokens,
      name,
      processes,
      apiUrl,
      policy,
      streaming,
      ledger,
      metrics,
      log,
      now,
      after,
    });
  }

  #officeOf(team: string | undefined): InstalledWorkspace {
    if (this.#only) return this.#only.office;
    if (team === undefined || !this.#installations) return this.#office(noToken, "slack/none");
    return this.#drawing(team).office;
  }

  /** The workspace that needs no naming: the only one there is. */
  async #soleTeam(): Promise<string | undefined> {
    const all = (await this.#installations?.all())?.map(({ workspace }) => workspace.teamId);
    const [team, ...others] = all ?? this.#installed.keys();
    return others.length === 0 ? team : undefined;
  }

  /** The one workspace of a token that is set: whatever arrives is for it. */
  get #only(): Installed | undefined {
    if (this.#options.access.type === "oauth") return undefined;
    return this.#installed.values().next().value;
  }
}

const ownTokenFix =
  "Set SLACK_BOT_TOKEN to the app's token (OAuth & Permissions), and start Bobbin again. What is said meanwhile waits.";

/** The workspace whose installation something is for; in shared channels not that of who did it. */
function installedTeamOf(body: Body): string | undefined {
  const { authorizations, team_id, team, view } = body;
  const [authorization] = Array.isArray(authorizations) ? (authorizations as Body[]) : [];
  const candidates = [
    authorization?.team_id,
    (view as Body | undefined)?.app_installed_team_id,
    team_id,
    (team as Body | null | undefined)?.id,
  ];
  return candidates.find((one) => typeof one === "string") as string | undefined;
}

/** The app was removed, or the token of its bot taken away (docs.slack.dev/reference/events/tokens_revoked). */
function isRemoval(body: Body): boolean {
  const event = body.event as Body | undefined;
  if (event?.type === "app_uninstalled") return true;
  const tokens = event?.tokens as Body | undefined;
  return event?.type === "tokens_revoked" && Array.isArray(tokens?.bot) && tokens.bot.length > 0;
}

type Body = Readonly<Record<string, unknown>>;
