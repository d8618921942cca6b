import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import {
  type APIApplication,
  GatewayCloseCodes,
  GatewayDispatchEvents,
  GatewayIntentBits,
  GatewayOpcodes,
} from "discord-api-types/v10";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { isObject, type JsonObject, parsed, textAt } from "../slack/json.ts";
import {
  applicationFlags,
  guildCreatePayload,
  memberPayload,
  type PrivilegedIntents,
  userPayload,
} from "./payloads.ts";
import type { World } from "./world.ts";

/** How the gateway behaves; the defaults are Discord's where it has any. */
export interface GatewaySettings {
  heartbeatIntervalMs: number;
  /** How many shards are recommended. */
  shards: number;
  /** How many may identify at the same time. */
  maxConcurrency: number;
  /** Identifies of a key must be this far apart; Discord's is 5000, 0 lets a restarted bot in at once. */
  identifyWindowMs: number;
  /** Identifies that are left today. */
  identifiesLeft: number;
  /** More guilds on one shard than this close with 4011. */
  maxGuildsPerShard: number;
  /** False: a heartbeat gets no answer. */
  acknowledgesHeartbeats: boolean;
  /** True: connections are cut before hello. */
  isDown: boolean;
}

/** A frame the client sent. */
export interface ReceivedFrame {
  readonly op: number;
  readonly data: unknown;
  readonly atMs: number;
}

/** Something sent to a session: kept for its resume. */
export interface SentDispatch {
  readonly sequence: number;
  readonly name: string;
  readonly data: unknown;
}

interface Session {
  readonly id: string;
  readonly intents: number;
  readonly shard: readonly [number, number];
  readonly dispatches: SentDispatch[];
  sequence: number;
  socket: WebSocket | undefined;
}

interface Connection {
  readonly socket: WebSocket;
  session: Session | undefined;
  readonly frameTimes: number[];
  watchdog: NodeJS.Timeout | undefined;
}

/** An event for the bot, with the intent it needs; none for what always comes. */
export interface OutgoingEvent {
  readonly name: string;
  readonly data: unknown;
  readonly guildId: string | undefined;
  readonly intent: GatewayIntentBits | undefined;
}

const privileged = {
  messageContent: GatewayIntentBits.MessageContent,
  guildMembers: GatewayIntentBits.GuildMembers,
  presences: GatewayIntentBits.GuildPresences,
} as const;

const everyIntent = Object.values(GatewayIntentBits)
  .filter((bit) => typeof bit === "number")
  .reduce((sum, bit) => sum | bit, 0);

const clientOpcodes: readonly number[] = [
  GatewayOpcodes.Heartbeat,
  GatewayOpcodes.Identify,
  GatewayOpcodes.PresenceUpdate,
  GatewayOpcodes.VoiceStateUpdate,
  GatewayOpcodes.Resume,
  GatewayOpcodes.RequestGuildMembers,
  GatewayOpcodes.RequestSoundboardSounds,
];

/** The gateway: sessions that outlive their sockets, so that a client can resume. */
export class Gateway {
  readonly settings: GatewaySettings = {
    heartbeatIntervalMs: 41_250,
    shards: 1,
    maxConcurrency: 16,
    identifyWindowMs: 0,
    identifiesLeft: 1000,
    maxGuildsPerShard: 2500,
    acknowledgesHeartbeats: true,
    isDown: false,
  };
  readonly #world: World;
  readonly #portal: () => PrivilegedIntents;
  readonly #token: () => string;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });
  readonly #connections = new Set<Connection>();
  readonly #sessions = new Map<string, Session>();
  readonly #frames: ReceivedFrame[] = [];
  readonly #closes: number[] = [];
  readonly #flushed = new WeakMap<Session, number>();
  #identifyTimes: { readonly key: number; readonly atMs: number }[] = [];
  #isHolding = false;

  constructor(options: {
    readonly world: World;
    readonly portal: () => PrivilegedIntents;
    readonly token: () => string;
  }) {
    this.#world = options.world;
    this.#portal = options.portal;
    this.#token = options.token;
  }

  /** Every frame a client has sent, oldest first; of one opcode when it is named. */
  frames(op?: GatewayOpcodes): readonly ReceivedFrame[] {
    return op === undefined ? this.#frames : this.#frames.filter((frame) => frame.op === op);
  }

  /** The codes connections have ended with: the server's own, and what clients closed with. */
  get closes(): readonly number[] {
    return this.#closes;
  }

  /** Sessions with a socket now. */
  get connected(): number {
    return [...this.#sessions.values()].filter(({ socket }) => socket).length;
  }

  /** What was sent to all sessions, by name, oldest first. */
  dispatches(name?: string): readonly SentDispatch[] {
    return [...this.#sessions.values()]
      .flatMap(({ dispatches }) => dispatches)
      .filter((one) => name === undefined || one.name === name);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.settings.isDown) {
      socket.destroy();
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const version = new URL(request.url ?? "/", "ws://gateway").searchParams.get("v");
      this.#open(webSocket, version);
    });
  }

  /** Hands an event to every session that has asked for it and has its guild on its shard. */
  dispatch(event: OutgoingEvent): void {
    for (const session of this.#sessions.values()) {
      if (event.intent !== undefined && (session.intents & event.intent) === 0) continue;
      if (!isOnShard(event.guildId, session.shard)) continue;
      this.#send(session, event.name, event.data);
    }
  }

  /** The connection breaks without a word. */
  cut(): void {
    for (const { socket } of this.#connections) socket.terminate();
  }

  /** Closes every connection with a code; final ones (4004, 4010-4014) end their sessions too. */
  close(code: number): void {
    for (const connection of this.#connections) this.#close(connection, code);
  }

  /** Asks every client to connect again (opcode 7). */
  requestReconnect(): void {
    for (const { socket } of this.#connections) {
      frame(socket, { op: GatewayOpcodes.Reconnect, d: null });
    }
  }

  /** Tells every client that its session is invalid (opcode 9). */
  invalidateSessions(options: { readonly canResume: boolean }): void {
    for (const connection of this.#connections) {
      // The client resumes on the same connection.
      if (connection.session) connection.session.socket = undefined;
      connection.session = undefined;
      frame(connection.socket, { op: GatewayOpcodes.InvalidSession, d: options.canResume });
    }
    if (!options.canResume) this.forgetSessions();
  }

  /** Sessions can no longer be resumed: what happens until the next identify is never told. */
  forgetSessions(): void {
    this.#sessions.clear();
  }

  /** Events wait, as when the connection is stuck; {@link release} sends them on. */
  hold(): void {
    this.#isHolding = true;
  }

  release(): void {
    this.#isHolding = false;
    for (const session of this.#sessions.values()) this.#flush(session);
  }

  async stop(): Promise<void> {
    this.cut();
    for (const { watchdog } of this.#connections) clearTimeout(watchdog);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #open(socket: WebSocket, version: string | null): void {
    const connection: Connection = {
      socket,
      session: undefined,
      frameTimes: [],
      watchdog: undefined,
    };
    this.#connections.add(connection);
    socket.on("error", () => socket.terminate());
    socket.on("close", (code) => {
      this.#closes.push(code);
      clearTimeout(connection.watchdog);
      this.#connections.delete(connection);
      const { session } = connection;
      if (session?.socket !== socket) return;
      session.socket = undefined;
      // Closing with 1000 or 1001 ends the session (docs.discord.com, events/gateway, Disconnecting).
      if (code === 1000 || code === 1001) this.#sessions.delete(session.id);
    });
    socket.on("message", (data) => this.#receive(connection, data));
    if (version !== "10") {
      this.#close(connection, GatewayCloseCodes.InvalidAPIVersion);
      return;
    }
    frame(socket, {
      op: GatewayOpcodes.Hello,
      d: { heartbeat_interval: this.settings.heartbeatIntervalMs, _trace: [] },
    });
    this.#watch(connection);
  }

  #receive(connection: Connection, raw: RawData): void {
    const text = raw.toString();
    const message = parsed(text);
    // A frame of more than 4096 bytes is a decode error (docs.discord.com, events/gateway).
    if (Buffer.byteLength(text) > 4096 || !isObject(message) || typeof message.op !== "number") {
      this.#close(connection, GatewayCloseCodes.DecodeError);
      return;
    }
    const atMs = Date.now();
    this.#frames.push({ op: message.op, data: message.d, atMs });
    connection.frameTimes.push(atMs);
    if (connection.frameTimes.filter((time) => time > atMs - 60_000).length > 120) {
      this.#close(connection, GatewayCloseCodes.RateLimited);
      return;
    }
    if (!clientOpcodes.includes(message.op)) {
      this.#close(connection, GatewayCloseCodes.UnknownOpcode);
      return;
    }
    switch (message.op) {
      case GatewayOpcodes.Heartbeat:
        this.#watch(connection);
        if (this.settings.acknowledgesHeartbeats) {
          frame(connection.socket, { op: GatewayOpcodes.HeartbeatAck });
        }
        return;
      case GatewayOpcodes.Identify:
        this.#identify(connection, isObject(message.d) ? message.d : {});
        return;
      case GatewayOpcodes.Resume:
        this.#resume(connection, isObject(message.d) ? message.d : {});
        return;
      default: {
        if (!connection.session) {
          this.#close(connection, GatewayCloseCodes.NotAuthenticated);
          return;
        }
        if (message.op === GatewayOpcodes.RequestGuildMembers) {
          this.#sendMembers(connection.session, isObject(message.d) ? message.d : {});
        }
      }
    }
  }

  #identify(connection: Connection, data: JsonObject): void {
    const token = textAt(data, "token");
    const intents = typeof data.intents === "number" ? data.intents : -1;
    const [index = 0, count = 1] = Array.isArray(data.shard) ? (data.shard as number[]) : [];
    const shard = [index, count] as const;
    const guilds = [...this.#world.guilds.values()].filter(
      ({ id, members }) => members.has(this.#world.bot.id) && index < count && isOnShard(id, shard),
    );
    const portal = this.#portal();
    const refusal = this.#identifyRefusal(connection, {
      token,
      intents,
      shard,
      guildCount: guilds.length,
    });
    if (refusal !== undefined) {
      this.#close(connection, refusal);
      return;
    }
    if (!this.#mayIdentify(index)) {
      frame(connection.socket, { op: GatewayOpcodes.InvalidSession, d: false });
      return;
    }
    const session: Session = {
      id: randomBytes(16).toString("hex"),
      intents,
      shard,
      dispatches: [],
      sequence: 0,
      socket: connection.socket,
    };
    this.#sessions.set(session.id, session);
    connection.session = session;
    this.#send(session, GatewayDispatchEvents.Ready, {
      v: 10,
      user: { ...userPayload(this.#world.bot), mfa_enabled: false, verified: true, email: null },
      guilds: guilds.map(({ id }) => ({ id, unavailable: true })),
      session_id: session.id,
      session_type: "normal",
      resume_gateway_url: this.#world.origin.replace("http", "ws"),
      shard,
      application: {
        id: this.#world.applicationId,
        flags: applicationFlags(portal),
      } satisfies Partial<APIApplication>,
    });
    if ((intents & GatewayIntentBits.Guilds) === 0) return;
    for (const guild of guilds) {
      if (!guild.isAvailable) continue;
      this.#send(
        session,
        GatewayDispatchEvents.GuildCreate,
        guildCreatePayload(this.#world, guild),
      );
    }
  }

  /** The close code an identify gets that cannot be taken. */
  #identifyRefusal(
    connection: Connection,
    identify: {
      readonly token: string | undefined;
      readonly intents: number;
      readonly shard: readonly [number, number];
      readonly guildCount: number;
    },
  ): GatewayCloseCodes | undefined {
    const { token, intents, shard, guildCount } = identify;
    if (connection.session) return GatewayCloseCodes.AlreadyAuthenticated;
    if (token !== this.#token()) return GatewayCloseCodes.AuthenticationFailed;
    if (intents < 0 || (intents & ~everyIntent) !== 0) return GatewayCloseCodes.InvalidIntents;
    const portal = this.#portal();
    const isDisallowed = Object.entries(privileged).some(
      ([name, bit]) => (intents & bit) !== 0 && !portal[name as keyof PrivilegedIntents],
    );
    if (isDisallowed) return GatewayCloseCodes.DisallowedIntents;
    if (!(shard[0] >= 0 && shard[0] < shard[1])) return GatewayCloseCodes.InvalidShard;
    if (guildCount > this.settings.maxGuildsPerShard) return GatewayCloseCodes.ShardingRequired;
    return undefined;
  }

  /** `maxConcurrency` keys, one identify each in the window; and so many a day. */
  #mayIdentify(shardIndex: number): boolean {
    const atMs = Date.now();
    const { identifyWindowMs, maxConcurrency } = this.settings;
    const key = shardIndex % maxConcurrency;
    this.#identifyTimes = this.#identifyTimes.filter((one) => one.atMs > atMs - identifyWindowMs);
    const isTooSoon = this.#identifyTimes.some((one) => one.key === key);
    if (isTooSoon || this.settings.identifiesLeft <= 0) return false;
    this.settings.identifiesLeft -= 1;
    this.#identifyTimes.push({ key, atMs });
    return true;
  }

  #resume(connection: Connection, data: JsonObject): void {
    if (connection.session) {
      this.#close(connection, GatewayCloseCodes.AlreadyAuthenticated);
      return;
    }
    if (textAt(data, "token") !== this.#token()) {
      this.#close(connection, GatewayCloseCodes.AuthenticationFailed);
      return;
    }
    const session = this.#sessions.get(textAt(data, "session_id") ?? "");
    if (!session) {
      frame(connection.socket, { op: GatewayOpcodes.InvalidSession, d: false });
      return;
    }
    const after = typeof data.seq === "number" ? data.seq : 0;
    if (after > session.sequence) {
      this.#close(connection, GatewayCloseCodes.InvalidSeq);
      return;
    }
    session.socket?.terminate();
    session.socket = connection.socket;
    connection.session = session;
    this.#flushed.set(session, after);
    this.#flush(session);
    this.#send(session, GatewayDispatchEvents.Resumed, { _trace: [] });
  }

  #sendMembers(session: Session, data: JsonObject): void {
    const guild = this.#world.guilds.get(textAt(data, "guild_id") ?? "");
    if (!guild) return;
    const asked = [data.user_ids].flat().filter((id) => typeof id === "string");
    const members = [...guild.members.values()].filter(
      ({ userId }) => asked.length === 0 || asked.includes(userId),
    );
    this.#send(session, GatewayDispatchEvents.GuildMembersChunk, {
      guild_id: guild.id,
      members: members.map((member) => memberPayload(this.#world, member)),
      chunk_index: 0,
      chunk_count: 1,
      not_found: asked.filter((id) => !guild.members.has(id)),
      ...(typeof data.nonce === "string" ? { nonce: data.nonce } : {}),
    });
  }

  #send(session: Session, name: string, data: unknown): void {
    session.sequence += 1;
    // Kept as it is now: a replay tells what happened then.
    session.dispatches.push({
      sequence: session.sequence,
      name,
      data: JSON.parse(JSON.stringify(data)),
    });
    this.#flush(session);
  }

  #flush(session: Session): void {
    if (!session.socket || this.#isHolding) return;
    const after = this.#flushed.get(session) ?? 0;
    for (const { sequence, name, data } of session.dispatches) {
      if (sequence <= after) continue;
      frame(session.socket, { op: GatewayOpcodes.Dispatch, t: name, s: sequence, d: data });
    }
    this.#flushed.set(session, session.sequence);
  }

  #close(connection: Connection, code: number): void {
    const isFinal = code === 4004 || (code >= 4010 && code <= 4014);
    if (isFinal && connection.session) this.#sessions.delete(connection.session.id);
    connection.socket.close(code);
  }

  /** A client that is silent for two intervals is dropped, by the machine's clock: its timers run by it. */
  #watch(connection: Connection): void {
    clearTimeout(connection.watchdog);
    connection.watchdog = setTimeout(
      () => connection.socket.terminate(),
      this.settings.heartbeatIntervalMs * 2,
    );
    connection.watchdog.unref();
  }
}

/** A guild's shard; direct messages are on the first (docs.discord.com, sharding formula). */
function isOnShard(
  guildId: string | undefined,
  [index, count]: readonly [number, number],
): boolean {
  if (guildId === undefined) return index === 0;
  return Number((BigInt(guildId) >> 22n) % BigInt(count)) === index;
}

function frame(socket: WebSocket, message: JsonObject): void {
  if (socket.readyState !== socket.OPEN) return;
  socket.send(JSON.stringify({ s: null, t: null, ...message }));
}
