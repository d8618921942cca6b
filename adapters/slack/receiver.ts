import { isValidSlackRequest, type ReceiverEvent } from "@slack/bolt";
import { SocketModeClient } from "@slack/socket-mode";
import { within } from "#domain/promises";
import type { HttpRoutes } from "#ports/http";
import type { Log } from "#ports/log";
import { clientOptions, quietLogger } from "./api.ts";
import { failureOf, refusalOf } from "./failures.ts";
import { asSocketError, socketModeOff } from "./set-up.ts";

/** Two, so that Slack can renew one while the other listens. */
const socketCount = 2;
const mostBackoffMs = 30_000;
/** Slack gives up after three seconds; a command nobody answered by then is answered empty. */
const answerWithinMs = 2_700;
const mostBodyBytes = 4 * 1024 * 1024;

type Body = Readonly<Record<string, unknown>>;

/** Resolves once what arrived is stored, or answered. */
type Process = (event: ReceiverEvent) => Promise<void>;

/**
 * Hands on what Slack sends. Events are acknowledged when their listeners are done,
 * which is when they are stored: Bolt's own receivers acknowledge first, and lose what a crash
 * interrupts. A listener that fails leaves the event unacknowledged, and Slack sends it again.
 */
export interface SlackReceiver {
  start(): Promise<void>;
  stop(): Promise<void>;
  isConnected(): boolean;
  /** Where Slack posts to; undefined in Socket Mode. */
  readonly routes: HttpRoutes | undefined;
}

/** Over WebSockets that this process opens: no public address is needed. */
export function createSocketReceiver(options: {
  readonly appToken: string;
  readonly apiUrl: string | undefined;
  readonly process: Process;
  readonly log: Log;
}): SlackReceiver {
  return new SocketReceiver(options);
}

class SocketReceiver implements SlackReceiver {
  readonly routes = undefined;
  readonly #options: {
    readonly appToken: string;
    readonly apiUrl: string | undefined;
    readonly process: Process;
    readonly log: Log;
  };
  #sockets: Socket[] = [];

  constructor(options: {
    readonly appToken: string;
    readonly apiUrl: string | undefined;
    readonly process: Process;
    readonly log: Log;
  }) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { log } = this.#options;
    this.#sockets = Array.from(
      { length: socketCount },
      () => new Socket(this.#options, (envelope) => this.#take(envelope)),
    );
    const [first, ...others] = this.#sockets;
    try {
      await first?.open();
    } catch (error) {
      await this.stop();
      throw asSocketError(error);
    }
    for (const socket of others) {
      socket
        .open()
        .catch(() => log.warn({ platform: "slack" }, "second connection not opened yet"));
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.close()));
  }

  isConnected(): boolean {
    return this.#sockets.some(({ isOpen }) => isOpen);
  }

  async #take({ type, body, ack, retry_num, retry_reason }: Envelope): Promise<void> {
    const retry = {
      ...(retry_num === undefined ? {} : { retryNum: retry_num }),
      ...(retry_reason ? { retryReason: retry_reason } : {}),
    };
    if (type !== "events_api") {
      await this.#options.process({
        body,
        ack: async (answer?: unknown) => ack(answer),
        ...retry,
      });
      return;
    }
    await this.#options.process({ body, ack: async () => undefined, ...retry });
    await ack();
  }
}

interface Envelope {
  readonly type: string;
  readonly body: Body;
  readonly ack: (answer?: unknown) => Promise<void>;
  readonly retry_num?: number;
  readonly retry_reason?: string;
}

/** One connection that comes back by itself. */
class Socket {
  readonly #client: SocketModeClient;
  readonly #log: Log;
  #isClosing = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #opening: Promise<unknown> | undefined;
  isOpen = false;

  constructor(
    options: { readonly appToken: string; readonly apiUrl: string | undefined; readonly log: Log },
    take: (envelope: Envelope) => Promise<void>,
  ) {
    const { appToken, apiUrl, log } = options;
    this.#log = log;
    this.#client = new SocketModeClient({
      appToken,
      // The client's own reconnecting waits five seconds, and a failure in it ends the process.
      autoReconnectEnabled: false,
      clientOptions: clientOptions(apiUrl, log),
      logger: quietLogger(log),
    });
    this.#client.on("connected", () => {
      this.isOpen = true;
      this.#failures = 0;
    });
    this.#client.on("disconnected", () => {
      this.isOpen = false;
      this.#reopen();
    });
    this.#client.on("slack_event", (envelope: Envelope) => {
      take(envelope).catch((error: unknown) => {
        log.warn({ platform: "slack", err: error }, "delivery left for Slack to repeat");
      });
    });
    this.#guardMessages();
  }

  /** Resolves once Slack has said hello. */
  async open(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      // What Slack refuses it refuses again; everything else may be better in a moment.
      if (refusalOf(error) === undefined) this.#reopen();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    this.isOpen = false;
    // One that is just being opened would outlive us.
    await untilEnded(2_000, this.#opening);
    await untilEnded(1_000, this.#client.disconnect());
  }

  async #start(): Promise<void> {
    this.#opening = this.#client.start();
    await this.#opening;
  }

  #reopen(): void {
    if (this.#isClosing || this.#timer) return;
    const waitMs = this.#failures === 0 ? 0 : Math.min(mostBackoffMs, 500 * 2 ** this.#failures);
    this.#failures += 1;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#start().catch((error: unknown) => {
        const problem = failureOf(error)?.type ?? "unknown";
        this.#log.warn({ platform: "slack", problem }, "connection not opened");
        this.#reopen();
      });
    }, waitMs);
  }

  /** The client throws on frames that hold no event (`app_rate_limited`), where nobody can catch it. */
  #guardMessages(): void {
    const handlers = this.#client.listeners("ws_message");
    this.#client.removeAllListeners("ws_message");
    this.#client.on("ws_message", (data: unknown, isBinary: unknown) => {
      const frame = typeof data === "string" ? parsed(data) : undefined;
      const payload = frame?.payload as Body | undefined;
      if (frame?.type === "disconnect" && frame.reason === "link_disabled") {
        this.#log.error({ platform: "slack", problem: socketModeOff }, "connection ended by Slack");
      }
      if (frame?.type === "events_api" && payload?.event === undefined) {
        this.#log.warn({ platform: "slack", problem: String(payload?.type) }, "told by Slack");
        // Not acknowledged: the client lets nobody but itself answer, and Slack does not repeat it for long.
        return;
      }
      for (const handle of handlers) {
        Promise.resolve(handle(data, isBinary)).catch((error: unknown) =>
          this.#log.warn({ platform: "slack", err: error }, "frame not understood"),
        );
      }
    });
  }
}

/** Resolves once this has ended, well or badly, and after so long at the latest. */
async function untilEnded(ms: number, work: Promise<unknown> | undefined): Promise<void> {
  await within(ms, Promise.resolve(work), () => undefined).catch(() => undefined);
}

/** Over requests that Slack makes to `/slack/events`, on the bot's own server. */
export function createHttpReceiver(options: {
  readonly signingSecret: string;
  readonly process: Process;
  readonly log: Log;
}): SlackReceiver {
  return new HttpReceiver(options);
}

class HttpReceiver implements SlackReceiver {
  readonly routes: HttpRoutes;
  readonly #options: {
    readonly signingSecret: string;
    readonly process: Process;
    readonly log: Log;
  };
  #isStarted = false;

  constructor(options: {
    readonly signingSecret: string;
    readonly process: Process;
    readonly log: Log;
  }) {
    this.#options = options;
    this.routes = {
      prefixes: ["/slack/"],
      maxBodyBytes: mostBodyBytes,
      handle: (request) => this.#handle(request),
    };
  }

  async start(): Promise<void> {
    this.#isStarted = true;
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
  }

  isConnected(): boolean {
    return this.#isStarted;
  }

  async #handle(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== "/slack/events") return say(404, "Not found.");
    if (request.method !== "POST") return say(405, "Slack posts here.");
    const raw = await request.text();
    const headers = {
      "x-slack-signature": request.headers.get("x-slack-signature") ?? "",
      "x-slack-request-timestamp": Number(
        request.headers.get("x-slack-request-timestamp") ?? Number.NaN,
      ),
    };
    const { signingSecret } = this.#options;
    // The SDK compares without looking whether there is a time at all.
    const isTimed = Number.isFinite(headers["x-slack-request-timestamp"]);
    if (!isTimed || !isValidSlackRequest({ signingSecret, body: raw, headers })) {
      return say(401, "The signature is not Slack's.");
    }
    const body = bodyOf(raw, request.headers.get("content-type") ?? "");
    if (!body) return say(400, "The body is neither JSON nor a form.");
    if (body.type === "url_verification") return Response.json({ challenge: body.challenge });
    if (body.ssl_check !== undefined) return say(200, "");
    if (!this.#isStarted) return say(503, "Starting or stopping.");
    if (body.type === "app_rate_limited") {
      this.#options.log.warn({ platform: "slack", problem: "app_rate_limited" }, "told by Slack");
      return say(200, "");
    }
    return this.#process(body, request.headers);
  }

  async #process(body: Body, headers: Headers): Promise<Response> {
    const retryNum = Number(headers.get("x-slack-retry-num") ?? 0);
    const retryReason = headers.get("x-slack-retry-reason");
    const retry = { ...(retryNum ? { retryNum } : {}), ...(retryReason ? { retryReason } : {}) };
    const { log } = this.#options;
    if (body.type === "event_callback") {
      try {
        await this.#options.process({ body, ack: async () => undefined, ...retry });
        return say(200, "");
      } catch (error) {
        log.warn({ platform: "slack", err: error }, "delivery left for Slack to repeat");
        return say(500, "Not stored.");
      }
    }
    const answered = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => answered.resolve(undefined), answerWithinMs);
    const work = this.#options.process({
      body,
      ack: async (answer?: unknown) => answered.resolve(answer),
      ...retry,
    });
    work?.catch((error: unknown) => {
      log.warn({ platform: "slack", err: error }, "interaction failed");
      answered.resolve(undefined);
    });
    const answer = await answered.promise;
    clearTimeout(timer);
    if (answer === undefined || answer === "") return say(200, "");
    return typeof answer === "string" ? say(200, answer) : Response.json(answer);
  }
}

function bodyOf(raw: string, contentType: string): Body | undefined {
  if (contentType.startsWith("application/json")) return parsed(raw);
  const form = new URLSearchParams(raw);
  const payload = form.get("payload");
  return payload === null ? Object.fromEntries(form) : parsed(payload);
}

function parsed(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Body) : undefined;
  } catch {
    return undefined;
  }
}

function say(status: number, text: string): Response {
  return new Response(text === "" ? null : text, { status });
}
