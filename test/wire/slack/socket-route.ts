import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import type { WireClock } from "./clock.ts";
import type { AttemptResult, Delivery, DeliveryRoute } from "./delivery.ts";
import { isObject, parsed, textAt } from "./json.ts";

const acknowledgeWithinMs = 3000;
/** A URL from apps.connections.open is good for this long, and once. */
const ticketLifeMs = 30_000;
const mostConnections = 10;
const pingEveryMs = 10_000;

interface Connection {
  readonly socket: WebSocket;
  /** Told to go: gets nothing new. */
  isLeaving: boolean;
  /** Answers neither pings nor anything else. */
  isSilent: boolean;
}

interface Envelope {
  readonly delivery: Delivery;
  readonly connection: Connection;
  readonly settle: (result: AttemptResult) => void;
}

/**
 * Socket Mode: single-use URLs, hello, envelopes to any one of up to ten connections, an
 * acknowledgement within three seconds or the same again, if possible on another connection
 * (docs.slack.dev/apis/events-api/using-socket-mode).
 */
export class SocketRoute implements DeliveryRoute {
  readonly retryDelaysMs = [0, 0, 0];
  readonly #clock: WireClock;
  readonly #appId: string;
  readonly #server = new WebSocketServer({ noServer: true, autoPong: false });
  readonly #tickets = new Map<string, number>();
  readonly #connections: Connection[] = [];
  readonly #envelopes = new Map<string, Envelope>();
  readonly #waiting: (() => void)[] = [];
  readonly #pings: NodeJS.Timeout;
  #turn = 0;
  #opened = 0;
  #acknowledges = true;

  constructor(clock: WireClock, appId: string) {
    this.#clock = clock;
    this.#appId = appId;
    this.#pings = setInterval(() => {
      for (const { socket, isSilent } of this.#connections) if (!isSilent) socket.ping("ping");
    }, pingEveryMs);
    this.#pings.unref();
  }

  /** A fresh URL for one connection. */
  openUrl(origin: string): string {
    const ticket = randomUUID();
    this.#tickets.set(ticket, this.#clock.now() + ticketLifeMs);
    return `${origin.replace(/^http/, "ws")}/link/?ticket=${ticket}&app_id=${this.#appId}`;
  }

  /** Connections that are open and stay. */
  get connectionCount(): number {
    return this.#staying().length;
  }

  /** Connections ever opened: how often the app came back. */
  get openedCount(): number {
    return this.#opened;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const ticket = url.searchParams.get("ticket") ?? "";
    const goodUntilMs = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    if (url.pathname !== "/link/" || goodUntilMs === undefined || goodUntilMs < this.#clock.now()) {
      socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (accepted) => this.#accept(accepted));
  }

  isReady(): boolean {
    return this.#staying().length > 0;
  }

  ready(): Promise<void> {
    if (this.isReady()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  send(
    delivery: Delivery,
    retry: { readonly number: number; readonly reason: string },
  ): Promise<AttemptResult> {
    const connection = this.#next();
    if (!connection) {
      return Promise.resolve({ type: "failed", reason: "connection_failed", mayRetry: true });
    }
    const id = randomUUID();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(acknowledgeWithinMs, () =>
        settle({ type: "failed", reason: "http_timeout", mayRetry: true }),
      );
      const settle = (result: AttemptResult): void => {
        cancel();
        this.#envelopes.delete(id);
        resolve(result);
      };
      this.#envelopes.set(id, { delivery, connection, settle });
      connection.socket.send(
        JSON.stringify({
          envelope_id: id,
          payload: delivery.payload,
          type: delivery.kind,
          accepts_response_payload: delivery.kind !== "events_api",
          ...(delivery.kind === "events_api"
            ? { retry_attempt: retry.number, retry_reason: retry.number > 0 ? "timeout" : "" }
            : {}),
        }),
      );
    });
  }

  /** Sends something that is no envelope to every connection. */
  broadcast(frame: unknown): void {
    for (const { socket } of this.#staying()) socket.send(JSON.stringify(frame));
  }

  /** Asks connections to go, the way Slack renews them every few hours. All of them, or the oldest. */
  disconnect(
    reason: "warning" | "refresh_requested" | "link_disabled" | "too_many_websockets",
    which: "all" | "oldest" = "all",
  ): void {
    const staying = this.#staying();
    for (const connection of which === "all" ? staying : staying.slice(0, 1)) {
      this.#tellToGo(connection, reason);
    }
  }

  /** Cuts the TCP connections, without a word. */
  cut(which: "all" | "oldest" = "all"): void {
    const open = [...this.#connections];
    for (const { socket } of which === "all" ? open : open.slice(0, 1)) socket.terminate();
  }

  /** Connections stay open and answer nothing more, pings included. */
  fallSilent(): void {
    for (const connection of this.#connections) connection.isSilent = true;
  }

  /** While off, what the app acknowledges is not heard: everything is delivered again. */
  hearAcknowledgements(isOn: boolean): void {
    this.#acknowledges = isOn;
  }

  /** Says goodbye to every connection and cuts those that do not answer it. */
  async close(): Promise<void> {
    clearInterval(this.#pings);
    const closed = this.#connections.map(
      ({ socket }) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
    );
    for (const { socket } of this.#connections) socket.close(1001);
    const patience = setTimeout(() => this.cut(), 500);
    await Promise.all(closed);
    clearTimeout(patience);
    this.#server.close();
  }

  #accept(socket: WebSocket): void {
    const connection: Connection = { socket, isLeaving: false, isSilent: false };
    this.#connections.push(connection);
    this.#opened += 1;
    socket.on("ping", (data) => {
      if (!connection.isSilent) socket.pong(data);
    });
    socket.on("message", (data) => {
      if (!connection.isSilent) this.#hear(String(data));
    });
    socket.on("error", () => socket.terminate());
    socket.on("close", () => this.#gone(connection));
    const count = this.#staying().length;
    socket.send(
      JSON.stringify({
        type: "hello",
        num_connections: count,
        debug_info: {
          host: "applink-wire",
          build_number: 1,
          approximate_connection_time: 18_060,
        },
        connection_info: { app_id: this.#appId },
      }),
    );
    if (count > mostConnections) {
      this.#tellToGo(connection, "too_many_websockets");
      return;
    }
    for (const resume of this.#waiting.splice(0)) resume();
  }

  #tellToGo(connection: Connection, reason: string): void {
    // A warning comes some seconds before the end; the connection still works until then.
    if (reason !== "warning") connection.isLeaving = true;
    connection.socket.send(
      JSON.stringify({ type: "disconnect", reason, debug_info: { host: "applink-wire" } }),
    );
  }

  #hear(text: string): void {
    const frame = parsed(text);
    const envelope = this.#envelopes.get(textAt(frame, "envelope_id") ?? "");
    if (!envelope || !this.#acknowledges) return;
    envelope.settle({
      type: "acknowledged",
      answer: isObject(frame) ? (frame.payload ?? {}) : {},
      mayRetry: true,
    });
  }

  #gone(connection: Connection): void {
    this.#connections.splice(this.#connections.indexOf(connection), 1);
    for (const envelope of [...this.#envelopes.values()]) {
      if (envelope.connection === connection) {
        envelope.settle({ type: "failed", reason: "connection_failed", mayRetry: true });
      }
    }
  }

  #staying(): readonly Connection[] {
    return this.#connections.filter(
      ({ socket, isLeaving }) => socket.readyState === WebSocket.OPEN && !isLeaving,
    );
  }

  #next(): Connection | undefined {
    const staying = this.#staying();
    this.#turn += 1;
    return staying[this.#turn % Math.max(1, staying.length)];
  }
}
