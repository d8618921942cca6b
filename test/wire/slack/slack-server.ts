import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { closeAtOnce, listenOnLoopback } from "../loopback.ts";
import { type AppSettings, defaultAppSettings } from "./app-settings.ts";
import { systemClock, type WireClock } from "./clock.ts";
import { type Delivery, Dispatcher } from "./delivery.ts";
import { EventFeed } from "./event-feed.ts";
import type { FaultPlan } from "./faults.ts";
import { HttpRoute } from "./http-route.ts";
import { Interactions } from "./interactions.ts";
import { parsed } from "./json.ts";
import { chatMethods } from "./methods/chat.ts";
import { conversationMethods } from "./methods/conversations.ts";
import {
  canSee,
  fileMethods,
  type UploadPolicy,
  type UploadTicket,
  uploadedBytes,
} from "./methods/files.ts";
import { OAuth } from "./methods/oauth.ts";
import { sessionMethods } from "./methods/sessions.ts";
import { streamMethods } from "./methods/streams.ts";
import { viewMethods } from "./methods/views.ts";
import type { AgentSession, Installation, SlackChannel, SlackMessage, SlackUser } from "./model.ts";
import { Person, type PersonParts } from "./person.ts";
import { type SeenMessage, seenMessages } from "./seen.ts";
import { SocketRoute } from "./socket-route.ts";
import { currentState, expire } from "./stream-state.ts";
import { type RecordedCall, WebApi, type WireAnswer } from "./web-api.ts";
import { type SuggestedPrompts, type Team, type ThreadStatus, World } from "./world.ts";

export type { AppSettings } from "./app-settings.ts";
export { ManualClock, type WireClock } from "./clock.ts";
export type { Delivery } from "./delivery.ts";
export type { Fault } from "./faults.ts";
export type { SlackChannel, SlackMessage } from "./model.ts";
export type { Person } from "./person.ts";
export type { SeenMessage } from "./seen.ts";
export type { RecordedCall } from "./web-api.ts";

/** How to start a {@link SlackServer}. */
export interface SlackServerOptions {
  readonly clock?: WireClock;
  readonly app?: Partial<AppSettings>;
}

/** What a new channel is like. */
export interface ChannelOptions {
  readonly type?: "channel" | "group" | "mpim";
  readonly members?: readonly Person[];
  /** False: the bot is not in it. */
  readonly withBot?: boolean;
  readonly isShared?: boolean;
}

/**
 * A Slack on loopback that the real clients connect to. One workspace with the app installed is
 * there from the start. What people would see can be asked at any time; people act through
 * {@link Person}; what went over the wire is in {@link calls} and {@link deliveries}.
 *
 * ```ts
 * const slack = await startSlackServer({ clock: new ManualClock() });
 * // ... start the app with slack.apiUrl, slack.botToken and slack.settings.appToken ...
 * const ada = slack.addPerson("ada");
 * const general = slack.addChannel("general", { members: [ada] });
 * const question = ada.mentions(general, "hello", { files: [{ name: "a.txt", bytes: "abc" }] });
 * await expect.poll(() => slack.replies(general, question.ts).at(-1)?.text).toBe("Hi!");
 * slack.faults.next("chat.appendStream", { type: "http-error", status: 503, accepted: true });
 * slack.sockets.disconnect("refresh_requested");
 * ```
 */
export class SlackServer {
  readonly clock: WireClock;
  readonly world: World;
  readonly dispatcher: Dispatcher;
  readonly sockets: SocketRoute;
  readonly feed: EventFeed;
  readonly interactions: Interactions;
  readonly workspace: Team;
  /** What apps may upload: a refusal code here is what every upload gets. */
  readonly uploads: UploadPolicy = { refusal: undefined };
  readonly #api: WebApi;
  readonly #oauth: OAuth;
  readonly #http: Server;
  readonly #tickets = new Map<string, UploadTicket>();
  readonly #complaints: string[] = [];
  readonly #downloads: { readonly fileId: string; readonly authorization: string | undefined }[] =
    [];
  #settings: AppSettings;
  #requestUrl = "";

  constructor(options: SlackServerOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.#settings = { ...defaultAppSettings, ...options.app };
    this.world = new World(this.clock);
    this.sockets = new SocketRoute(this.clock, this.world.appId);
    this.dispatcher = new Dispatcher(this.clock, this.sockets);
    const settings = (): AppSettings => this.#settings;
    this.feed = new EventFeed(this.world, settings, this.dispatcher);
    this.interactions = new Interactions(this.world, this.feed, (what) =>
      this.#complaints.push(what),
    );
    this.#oauth = new OAuth(this.world, settings);
    this.#api = new WebApi({
      clock: this.clock,
      parts: () => this.#parts(),
      oauth: this.#oauth,
      sockets: this.sockets,
      methods: {
        ...chatMethods,
        ...streamMethods,
        ...sessionMethods,
        ...conversationMethods,
        ...viewMethods,
        ...fileMethods(this.#tickets, this.uploads),
      },
    });
    this.workspace = this.world.addTeam("Wire");
    this.#oauth.install(
      this.workspace.id,
      this.addPerson("owner", { isAdmin: true, isOwner: true }).id,
    );
    this.#http = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#complaints.push(`the server failed: ${String(error)}`);
        response.destroy();
      });
    });
    this.#http.on("upgrade", (request, socket, head) =>
      this.sockets.upgrade(request, socket, head),
    );
  }

  /** Listens on a free port of 127.0.0.1. */
  async start(): Promise<this> {
    this.world.origin = `http://127.0.0.1:${await listenOnLoopback(this.#http)}`;
    return this;
  }

  async stop(): Promise<void> {
    this.faults.clear();
    await this.sockets.close();
    await closeAtOnce(this.#http);
  }

  /** The base of the Web API, as `slackApiUrl` wants it. */
  get apiUrl(): string {
    return `${this.world.origin}/api/`;
  }

  /** Where an installing browser is sent, as `authorizationUrl` wants it. */
  get authorizationUrl(): string {
    return `${this.world.origin}/oauth/v2/authorize`;
  }

  get settings(): AppSettings {
    return this.#settings;
  }

  /** Changes how the app is set up while it runs. */
  configure(change: Partial<AppSettings>): void {
    this.#settings = { ...this.#settings, ...change };
  }

  get botToken(): string {
    return this.installation().token;
  }

  get botUserId(): string {
    return this.installation().botUserId;
  }

  /** Every Web API call so far, oldest first; of one method when it is named. */
  calls(method?: string): readonly RecordedCall[] {
    return method === undefined
      ? this.#api.calls
      : this.#api.calls.filter((call) => call.method === method);
  }

  /** Tells of every call from now on, once what it changed can be seen. */
  onCall(listener: (call: RecordedCall) => void): void {
    this.#api.onCall = listener;
  }

  /** Everything sent to the app so far. */
  get deliveries(): readonly Delivery[] {
    return this.dispatcher.all;
  }

  /** What Slack let pass and no good app does: empty notifications, missing alt texts, made-up arguments. */
  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** The complaints so far, which are none any more: for tests whose point they are. */
  takeComplaints(): readonly string[] {
    return this.#complaints.splice(0);
  }

  /** Downloads so far, with the credentials they came with. */
  get downloads(): readonly {
    readonly fileId: string;
    readonly authorization: string | undefined;
  }[] {
    return this.#downloads;
  }

  /** Orders faults for Web API calls. */
  get faults(): FaultPlan {
    return this.#api.faults;
  }

  /**
   * From now on everything goes to this request URL, once it has answered Slack's challenge; or
   * at once, for a URL that was verified before.
   */
  async useRequestUrl(url: string, options: { readonly unverified?: boolean } = {}): Promise<void> {
    const { signingSecret } = this.#settings;
    const route = new HttpRoute({ clock: this.clock, url, signingSecret });
    if (options.unverified !== true) await route.verify();
    this.#requestUrl = url;
    this.dispatcher.useRoute(route);
  }

  /** The request URL in use; empty in Socket Mode. */
  get requestUrl(): string {
    return this.#requestUrl;
  }

  installation(teamId: string = this.workspace.id): Installation {
    const installation = this.world.installations.get(teamId);
    if (!installation) throw new Error("the app is not installed there");
    return installation;
  }

  addWorkspace(name: string): Team {
    return this.world.addTeam(name);
  }

  /** Installs the app as an admin would from its settings page. */
  install(team: Team, installer: Person, scopes?: readonly string[]): Installation {
    return this.#oauth.install(team.id, installer.id, scopes);
  }

  /** A code as an installing browser brings it to the app. */
  newOAuthCode(person: Person, options: { readonly redirectUri?: string } = {}): string {
    return this.#oauth.newCode({
      teamId: person.user.teamId,
      userId: person.id,
      scopes: undefined,
      redirectUri: options.redirectUri,
    });
  }

  addPerson(name: string, user: Partial<SlackUser> = {}): Person {
    return new Person(this.world.addUser({ teamId: this.workspace.id, ...user, name }), () =>
      this.#parts(),
    );
  }

  addChannel(name: string, options: ChannelOptions = {}): SlackChannel {
    const { members = [], withBot = true, type = "channel", isShared = false } = options;
    const teamId = members[0]?.user.teamId ?? this.workspace.id;
    const installed = this.world.installations.get(teamId) ?? this.installation();
    return this.world.addChannel({
      teamId,
      name,
      type,
      isShared,
      members: new Set([...members.map(({ id }) => id), ...(withBot ? [installed.botUserId] : [])]),
    });
  }

  addGroup(handle: string, members: readonly Person[]): string {
    const id = this.world.id("S");
    this.world.groups.set(id, { handle, members: new Set(members.map((one) => one.id)) });
    return id;
  }

  /**
   * What stands in a channel, or in one of its threads (the root first), in order, as somebody who
   * sees everything at once would read it; with `person`, as that person does.
   */
  seen(channel: SlackChannel | string, threadTs?: string, person?: Person): readonly SeenMessage[] {
    const channelId = typeof channel === "string" ? channel : channel.id;
    return seenMessages(
      this.world,
      { channelId, threadTs },
      { userId: person?.id, settings: this.#settings },
    );
  }

  /** The bot's messages among {@link seen}, without ephemeral ones. */
  replies(channel: SlackChannel | string, threadTs?: string): readonly SeenMessage[] {
    return this.seen(channel, threadTs).filter(({ isBot, isEphemeral }) => isBot && !isEphemeral);
  }

  session(channel: SlackChannel, threadTs: string): AgentSession | undefined {
    return this.world.session(channel.id, threadTs);
  }

  /** The status text under a thread; undefined when there is none any more. */
  status(channel: SlackChannel, threadTs: string): ThreadStatus | undefined {
    return this.world.status(channel.id, threadTs);
  }

  prompts(channel: SlackChannel, threadTs?: string): SuggestedPrompts | undefined {
    return this.world.prompts.get(`${channel.id} ${threadTs ?? ""}`);
  }

  /** Streams that still run, oldest first. */
  get liveStreams(): readonly SlackMessage[] {
    return [...this.world.channels.values()]
      .flatMap(({ messages }) => messages)
      .filter(
        (message) =>
          currentState(message, { world: this.world, settings: this.#settings }) === "live",
      );
  }

  /** Ends a stream as if its five minutes were over; all of them when none is named. */
  expireStreams(ts?: string): void {
    for (const message of this.liveStreams) {
      if (ts === undefined || message.ts === ts) expire(message);
    }
  }

  /** The token is no longer good, though the app is still installed. */
  revokeToken(teamId?: string): void {
    const installation = this.installation(teamId);
    installation.state = "revoked";
    this.feed.forInstallation(installation, {
      type: "tokens_revoked",
      tokens: { oauth: [], bot: [installation.botUserId] },
    });
  }

  /**
   * Resolves when everything sent was acknowledged or given up. What waits for a connection, for
   * its retry or to be released is neither.
   */
  settled(): Promise<void> {
    return this.dispatcher.settled();
  }

  #parts(): PersonParts {
    return {
      world: this.world,
      settings: this.#settings,
      feed: this.feed,
      interactions: this.interactions,
      dispatcher: this.dispatcher,
      complain: (what) => this.#complaints.push(what),
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.world.origin);
    const [, area = "", ...rest] = url.pathname.split("/");
    const body = await bodyOf(request);
    switch (area) {
      case "api":
        return send(
          response,
          await this.#api.handle({
            method: rest.join("/"),
            contentType: request.headers["content-type"] ?? "",
            authorization: request.headers.authorization,
            body: body.toString(),
          }),
        );
      case "upload":
        return await this.#takeUpload(rest.at(-1) ?? "", request, { body, response });
      case "files-pri":
        return this.#download(rest, request, response);
      case "actions": {
        const answer = this.interactions.respond(rest.at(-1) ?? "", parsed(body.toString()));
        response.writeHead(answer.status, { "content-type": "text/plain" }).end(answer.body);
        return;
      }
      case "oauth":
        return this.#authorise(url, response);
      default:
        response.writeHead(404).end();
    }
  }

  async #takeUpload(
    fileId: string,
    request: IncomingMessage,
    { body, response }: { readonly body: Buffer; readonly response: ServerResponse },
  ): Promise<void> {
    const ticket = this.#tickets.get(fileId);
    const contentType = request.headers["content-type"] ?? "";
    const bytes = await uploadedBytes({ body, contentType });
    if (!ticket || ticket.isComplete || !bytes) {
      response.writeHead(404).end("no such upload");
      return;
    }
    if (bytes.byteLength !== ticket.length) {
      this.#complaints.push(
        `${ticket.fileName} was announced with ${ticket.length} bytes and has ${bytes.byteLength}`,
      );
    }
    ticket.bytes = bytes;
    response.writeHead(200, { "content-type": "text/plain" }).end(`OK - ${bytes.byteLength}`);
  }

  #download(path: readonly string[], request: IncomingMessage, response: ServerResponse): void {
    const fileId = path[0]?.split("-")[1] ?? "";
    const file = this.world.files.get(fileId);
    const { authorization } = request.headers;
    this.#downloads.push({ fileId, authorization });
    const token = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
    const installation = token ? this.world.installationOf(token) : undefined;
    if (!file || file.download === "not-found") {
      response.writeHead(404).end();
      return;
    }
    if (file.download === "redirect") {
      response.writeHead(302, { location: "http://127.0.0.1:9/elsewhere" }).end();
      return;
    }
    const mayRead =
      installation?.state === "active" &&
      installation.scopes.has("files:read") &&
      canSee({ world: this.world, installation }, file);
    if (!mayRead || file.download === "login-page") {
      // No 401 here: who may not read gets the sign-in page, with status 200.
      response
        .writeHead(200, { "content-type": "text/html; charset=utf-8" })
        .end("<!DOCTYPE html><html><head><title>Sign in | Slack</title></head></html>");
      return;
    }
    response
      .writeHead(200, { "content-type": file.mimeType, "content-length": file.bytes.byteLength })
      .end(file.bytes);
  }

  /** The consent page, agreed to at once by the person whose browser came (`as`, a test's own). */
  #authorise(url: URL, response: ServerResponse): void {
    const redirectUri = url.searchParams.get("redirect_uri");
    const scopes = url.searchParams.get("scope")?.split(",") ?? [];
    const person = this.world.users.get(url.searchParams.get("as") ?? "");
    if (url.searchParams.get("client_id") !== this.#settings.clientId || !redirectUri || !person) {
      response.writeHead(400).end("invalid_client_id");
      return;
    }
    const back = new URL(redirectUri);
    back.searchParams.set("state", url.searchParams.get("state") ?? "");
    if (scopes.length === 0) back.searchParams.set("error", "invalid_scope");
    else {
      const { teamId, id: userId } = person;
      back.searchParams.set("code", this.#oauth.newCode({ teamId, userId, scopes, redirectUri }));
    }
    response.writeHead(302, { location: back.href }).end();
  }
}

/** A Slack on a free port of loopback, ready for clients. */
export async function startSlackServer(options: SlackServerOptions = {}): Promise<SlackServer> {
  return await new SlackServer(options).start();
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, answer: WireAnswer): void {
  if (answer.type === "reset") {
    response.destroy();
    return;
  }
  response.writeHead(answer.status, { ...answer.headers }).end(answer.body);
}
