import { type Context, Hono } from "hono";
import { z } from "zod";
import { BotError, type BotErrorCode, sentence } from "#domain/errors";
import type { Bot } from "#ports/bot";
import type { HttpPeer } from "#ports/http";
import type { Log } from "#ports/log";
import type { Asset, Assets } from "./assets.ts";
import { fileHeaders, fileOf, type Uploads } from "./files.ts";
import type { History } from "./history.ts";
import { directChannelOf, mayRead, personOf, placeOf, slugOf } from "./inbound.ts";
import type { Live } from "./live.ts";
import type { Posts, Speaker } from "./posts.ts";
import { isLocal, isSameOrigin, type Sessions } from "./session.ts";
import type {
  ChatMessage,
  CompletionAnswer,
  ConsoleState,
  MessagePage,
  QueueLine,
  SessionAnswer,
  SettingsAnswer,
  ThreadListing,
  UploadAnswer,
  Words,
} from "./wire.ts";

const pageLimit = 50;
const maxPageLimit = 200;
const threadsLimit = 50;

/** What the console's HTTP side needs. */
export interface RoutesParts {
  readonly history: History;
  readonly uploads: Uploads;
  readonly live: Live;
  readonly posts: Posts;
  readonly sessions: Sessions;
  readonly assets: Assets;
  readonly bot: () => Bot;
  readonly botName: string;
  readonly queues: () => readonly QueueLine[];
  readonly maxFileBytes: number;
  readonly maxFilesPerMessage: number;
  /** True: who sits at this machine is an admin, without being listed as one. */
  readonly isLocalOperatorAdmin: boolean;
  readonly log: Log;
}

interface Env {
  Bindings: { readonly peer: HttpPeer };
  Variables: { speaker: Speaker };
}

/** The console's page and HTTP API. Every answer carries the headers that keep foreign content inert. */
export function createRoutes(parts: RoutesParts): Hono<Env> {
  const app = new Hono<Env>();
  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(securityHeaders(parts.assets.scriptHash))) {
      if (!context.res.headers.has(name)) context.res.headers.set(name, value);
    }
  });
  app.onError((error, context) => failed(context, error, parts.log));
  app.notFound((context) => context.json({ error: "There is nothing here." }, 404));
  // Not even the page is given to a request that meant another server, or came from another page.
  app.use(async (context, next) => {
    const { peer } = context.env;
    if (!parts.sessions.needsPassword && !isLocal(context.req.raw, peer)) {
      return context.text(
        "This console answers only on its own machine, as http://localhost or http://127.0.0.1.\n" +
          "To reach it from elsewhere, set CONSOLE_PASSWORD.\n",
        403,
      );
    }
    if (context.req.method !== "GET" && !isSameOrigin(context.req.raw)) {
      return context.json({ error: "That request came from another page." }, 403);
    }
    return next();
  });

  app.get("/", (context) => served(context, parts.assets.index));
  app.get("/console/:kind{page|vendor}/*", (context) => {
    const asset = parts.assets.find(context.req.path.slice("/console/".length));
    return asset ? served(context, asset) : context.notFound();
  });

  app.get("/console/api/session", (context) => {
    const isOpen = parts.sessions.isOpen(context.req.raw, context.env.peer);
    const { needsPassword } = parts.sessions;
    return context.json({ needsPassword, isOpen } satisfies SessionAnswer);
  });
  app.post("/console/api/login", async (context) => {
    const { password } = await bodyOf(context, loginBody);
    const answer = parts.sessions.login(password, context.env.peer);
    switch (answer.status) {
      case "open":
        context.header("Set-Cookie", answer.cookie);
        return context.json({ isOpen: true });
      case "wrong":
        parts.log.warn({ address: context.env.peer.address }, "console login refused");
        return context.json({ error: "That is not the password." }, 401);
      case "slow-down": {
        const seconds = Math.ceil(answer.retryAfterMs / 1000);
        context.header("Retry-After", String(seconds));
        const error = `That were too many tries. Please wait ${seconds} seconds.`;
        return context.json({ error }, 429);
      }
    }
  });
  app.post("/console/api/logout", (context) => {
    context.header("Set-Cookie", parts.sessions.logoutCookie());
    return context.json({ isOpen: false });
  });

  app.use("/console/api/*", async (context, next) => {
    if (!parts.sessions.isOpen(context.req.raw, context.env.peer)) {
      return context.json({ error: "Please log in." }, 401);
    }
    const person = personOf(context.req.query("as") ?? "");
    if (!person) {
      return context.json({ error: "Say who is speaking: a name with a letter in it." }, 400);
    }
    const isOperator = parts.isLocalOperatorAdmin && isLocal(context.req.raw, context.env.peer);
    context.set("speaker", { person, role: isOperator ? "admin" : "person" });
    return next();
  });
  addReading(app, parts);
  addWriting(app, parts);
  return app;
}

function addReading(app: Hono<Env>, parts: RoutesParts): void {
  const { history, live } = parts;

  app.get("/console/api/state", async (context) => {
    const { person, role } = context.var.speaker;
    const isNew = await history.rememberPerson(person);
    const [channels, people] = await Promise.all([history.channels(), history.people()]);
    if (isNew) live.publish({ type: "people", people });
    return context.json({
      botName: parts.botName,
      person,
      role,
      channels: [...channels, directChannelOf(person, parts.botName)],
      people,
      commands: parts.bot().commands(),
      queues: parts.queues(),
      maxFileBytes: parts.maxFileBytes,
      maxFilesPerMessage: parts.maxFilesPerMessage,
      needsPassword: parts.sessions.needsPassword,
    } satisfies ConsoleState);
  });

  app.get("/console/api/events", (context) => {
    const { person } = context.var.speaker;
    const body = live.subscribe({
      mayRead: (channel) => mayRead(channel, person),
      lastEventId: context.req.header("last-event-id") ?? context.req.query("after"),
      signal: context.req.raw.signal,
    });
    return context.body(body, 200, {
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store",
      "X-Accel-Buffering": "no",
    });
  });

  app.get("/console/api/channels/:channel/messages", async (context) => {
    const channel = await parts.posts.channelFor(
      context.var.speaker.person,
      context.req.param("channel"),
    );
    const root = context.req.query("root") || null;
    const before = countIn(context.req.query("before"));
    const limit = Math.min(maxPageLimit, countIn(context.req.query("limit")) ?? pageLimit);
    const page = await history.page({
      channel: channel.id,
      root,
      limit,
      ...(before === undefined ? {} : { before }),
    });
    const messages = page.messages.map((message) => live.newest(message));
    return context.json({ ...page, messages } satisfies MessagePage);
  });

  app.get("/console/api/messages/:id", async (context) => {
    const message = await readable(context, parts);
    const thread = message.root === null && (await history.summary(message.channel, message.id));
    return context.json({ message: thread ? { ...message, thread } : message });
  });

  app.get("/console/api/messages/:id/files/:file", async (context) => {
    const message = await readable(context, parts);
    const file = fileOf(message, context.req.param("file"));
    if (!file) throw new BotError("not-found", { detail: "That file is gone." });
    const bytes =
      message.author.kind === "bot"
        ? await parts.bot().openFile(file)
        : await parts.uploads.open({ id: file.id, name: file.name, source: { upload: file.id } });
    return context.body(bytes as ReadableStream<Uint8Array<ArrayBuffer>>, 200, {
      ...fileHeaders(file),
    });
  });

  app.get("/console/api/threads", async (context) => {
    const { person } = context.var.speaker;
    const roots = await history.threads(threadsLimit);
    const channels = new Map((await history.channels()).map((channel) => [channel.id, channel]));
    const threads = roots
      .filter((root) => mayRead(root.channel, person))
      .flatMap((root): ThreadListing[] => {
        const channel = channels.get(root.channel);
        return channel ? [{ channel, root: live.newest(root) }] : [];
      });
    return context.json({ threads });
  });

  app.get("/console/api/complete", async (context) => {
    const { person } = context.var.speaker;
    const channel = await parts.posts.channelFor(person, context.req.query("channel") ?? "");
    const place = placeOf(channel, context.req.query("root") || null);
    const text = context.req.query("text") ?? "";
    const choices = await parts.bot().complete({ place, person, text });
    return context.json({ choices } satisfies CompletionAnswer);
  });

  app.get("/console/api/settings", async (context) => {
    const { person, role } = context.var.speaker;
    const channel = await parts.posts.channelFor(person, context.req.query("channel") ?? "");
    const place = placeOf(channel, context.req.query("root") || null);
    const panel = await parts.bot().settings({ place, person, role });
    return context.json({ panel } satisfies SettingsAnswer);
  });
}

function addWriting(app: Hono<Env>, parts: RoutesParts): void {
  const { history, live, posts } = parts;

  app.post("/console/api/messages", async (context) => {
    const { speaker } = context.var;
    return context.json(await posts.post(speaker, await bodyOf(context, postBody)));
  });

  app.patch("/console/api/messages/:id", async (context) => {
    const body = await bodyOf(context, editBody);
    const id = context.req.param("id");
    return context.json(await posts.edit(context.var.speaker, { id, ...body }));
  });

  app.delete("/console/api/messages/:id", async (context) => {
    const { nonce } = await bodyOf(context, removeBody);
    await posts.remove(context.var.speaker, { id: context.req.param("id"), nonce });
    return context.json({});
  });

  app.post("/console/api/files", async (context) => {
    const name = context.req.query("name") ?? "file";
    const mimeType = context.req.header("content-type") ?? "application/octet-stream";
    const data = context.req.raw.body ?? new Blob([]).stream();
    const declared = Number(context.req.header("content-length") ?? 0);
    if (declared > parts.maxFileBytes) {
      const detail = `${name} has ${declared} bytes; the limit is ${parts.maxFileBytes}.`;
      throw new BotError("file-too-large", { detail });
    }
    const file = await parts.uploads.take({ name, mimeType, data });
    return context.json({ file } satisfies UploadAnswer);
  });

  app.post("/console/api/channels", async (context) => {
    const { name } = await bodyOf(context, channelBody);
    const id = slugOf(name);
    if (id === "") throw new BotError("bad-input", { detail: "A channel's name needs a letter." });
    const channel = { id, name: id, isDirect: false };
    if (!(await history.createChannel(channel))) {
      throw new BotError("name-taken", { detail: `There is a channel ${id} already.` });
    }
    live.publish({ type: "channels", channels: await history.channels() });
    return context.json({ channel });
  });

  app.post("/console/api/command", async (context) => {
    const { channel: id, ...command } = await bodyOf(context, commandBody);
    const { speaker } = context.var;
    const channel = await posts.channelFor(speaker.person, id);
    return context.json((await posts.command(speaker, { channel, ...command })) satisfies Words);
  });

  app.post("/console/api/decide", async (context) => {
    const { person, role } = context.var.speaker;
    const { requestId, decision } = await bodyOf(context, decideBody);
    const answer = await parts.bot().decide({ requestId, by: person, role, decision });
    return context.json({ ok: answer.ok, text: answer.words } satisfies Words);
  });

  app.post("/console/api/press", async (context) => {
    const { person, role } = context.var.speaker;
    const { nonce, runId, press, messageId } = await bodyOf(context, pressBody);
    const eventId = `web:press:${person.key}:${nonce}`;
    const answer = await parts.bot().press({ eventId, runId, by: person, role, press });
    if (answer.ok && messageId !== undefined) await posts.answeredAgain(person, messageId);
    return context.json({ ok: answer.ok, text: answer.words } satisfies Words);
  });
}

const nonce = z.string().min(8).max(100);
const loginBody = z.object({ password: z.string().max(1000) });
const postBody = z.object({
  nonce,
  channel: z.string().max(100),
  root: z.string().max(100).nullable(),
  text: z.string(),
  fileIds: z.array(z.string().max(100)).max(100),
});
const editBody = z.object({ nonce, text: z.string() });
const removeBody = z.object({ nonce });
const channelBody = z.object({ name: z.string().max(60) });
const commandBody = z.object({
  nonce,
  channel: z.string().max(100),
  root: z.string().max(100).nullable(),
  text: z.string().max(20_000),
});
const decideBody = z.object({
  requestId: z.string().max(200),
  decision: z.discriminatedUnion("type", [
    z.object({ type: z.literal("approve") }),
    z.object({ type: z.literal("decline") }),
    z.object({ type: z.literal("finish") }),
    z.object({
      type: z.literal("answer"),
      answers: z.record(z.string().max(200), z.string().max(20_000)),
    }),
  ]),
});
const pressBody = z.object({
  nonce,
  /** The edited message whose new version is answered. */
  messageId: z.string().max(100).exactOptional(),
  runId: z.string().max(200),
  press: z.discriminatedUnion("type", [
    z.object({ type: z.literal("stop") }),
    z.object({ type: z.literal("retry") }),
    z.object({ type: z.literal("continue") }),
    z.object({ type: z.literal("answer-new-version") }),
    z.object({
      type: z.literal("feedback"),
      good: z.boolean(),
      reason: z.string().max(2000).exactOptional(),
    }),
  ]),
});

async function bodyOf<T>(context: Context<Env>, schema: z.ZodType<T>): Promise<T> {
  const json: unknown = await context.req.json().catch(() => undefined);
  const checked = schema.safeParse(json);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const where = issue?.path.join(".") || "the body";
  throw new BotError("bad-input", { detail: `${where}: ${issue?.message ?? "not understood"}` });
}

/** A number to count by; undefined for anything else. */
function countIn(text: string | undefined): number | undefined {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/** A message this person may read. Throws a BotError `not-found`. */
async function readable(context: Context<Env>, parts: RoutesParts): Promise<ChatMessage> {
  const id = context.req.param("id") ?? "";
  const message = parts.live.newest(await parts.history.message(id));
  if (message && mayRead(message.channel, context.var.speaker.person)) return message;
  throw new BotError("not-found", { detail: "That message is gone." });
}

function served(context: Context<Env>, asset: Asset): Response {
  const headers = { ETag: asset.etag, "Cache-Control": "no-cache" };
  if (context.req.header("if-none-match") === asset.etag) return context.body(null, 304, headers);
  return context.body(asset.body, 200, { ...headers, "Content-Type": asset.contentType });
}

function securityHeaders(scriptHash: string): { readonly [name: string]: string } {
  return {
    "Content-Security-Policy": [
      "default-src 'none'",
      `script-src 'self' ${scriptHash}`,
      "style-src 'self'",
      "img-src 'self' blob:",
      "font-src 'self'",
      "connect-src 'self'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ].join("; "),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
  };
}

function failed(context: Context<Env>, error: unknown, log: Log): Response {
  if (error instanceof BotError) {
    return context.json({ error: sentence(error.code, error.detail) }, statusOf(error.code));
  }
  log.error({ path: context.req.path, error: String(error) }, "console request failed");
  return context.json({ error: "Something went wrong on this side." }, 500);
}

function statusOf(code: BotErrorCode): 400 | 403 | 404 | 409 | 413 | 429 | 503 {
  switch (code) {
    case "not-allowed":
      return 403;
    case "not-found":
    case "file-unavailable":
      return 404;
    case "conflict":
    case "name-taken":
      return 409;
    case "file-too-large":
      return 413;
    case "queue-full":
      return 429;
    case "store-unavailable":
      return 503;
    default:
      return 400;
  }
}
