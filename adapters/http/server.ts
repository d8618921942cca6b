import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { HttpPeer, HttpRoutes } from "#ports/http";
import type { Log } from "#ports/log";

const defaultMaxBodyBytes = 1024 * 1024;

/** What `/readyz` says: ready only when every part is. */
export interface Readiness {
  readonly isReady: boolean;
  /** By part (`store`, `slack`): `ok`, or in words what is missing. */
  readonly parts: { readonly [part: string]: string };
}

/** What the server needs. */
export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** The longest prefix that fits a path answers it. */
  readonly routes: readonly HttpRoutes[];
  /** What this process does of the whole, which `/healthz` and `/readyz` say. Default: all. */
  readonly role?: string;
  /** Asked by every `/readyz`; one that throws counts as not ready. */
  readonly readiness: () => Promise<Readiness>;
  /** The metrics as Prometheus reads them. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Beyond loopback `/metrics` answers only to this bearer token; without one not at all. */
  readonly metricsToken: string | undefined;
  readonly log: Log;
}

/** The one HTTP server, listening. */
export interface HttpServer {
  readonly port: number;
  /** Where a browser on this machine finds it. */
  readonly url: string;
  /** Takes no new connections; what is still open after the grace period is cut. */
  close(graceMs: number): Promise<void>;
}

interface Env {
  Bindings: { readonly incoming: IncomingMessage };
}

/**
 * Starts the one HTTP server: health, readiness, metrics, and the parts it was given.
 * Throws an Error in words when the address cannot be had.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const app = createApp(options);
  const listener = getRequestListener(
    (request, env) => app.fetch(request, { incoming: env.incoming as IncomingMessage }),
    { overrideGlobalObjects: false },
  );
  const server = createServer((incoming, outgoing) => {
    listener(incoming, outgoing).catch((error) => {
      options.log.error({ error: nameOf(error) }, "http request failed");
    });
  });
  // Uploads and event streams take their time; a slow head does not get it.
  server.requestTimeout = 0;
  server.headersTimeout = 30_000;
  await listen(server, options.host, options.port);
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : options.port;
  return {
    port,
    url: `http://${urlHostOf(options.host)}:${port}/`,
    close: (graceMs) => close(server, graceMs),
  };
}

function createApp(options: HttpServerOptions): Hono<Env> {
  const { role = "all" } = options;
  const app = new Hono<Env>();
  app.get("/healthz", (context) => context.json({ status: "ok", role }));
  app.get("/readyz", async (context) => {
    const readiness = await readinessOf(options);
    return context.json({ ...readiness, role }, readiness.isReady ? 200 : 503);
  });
  app.get("/metrics", async (context) => {
    if (!mayReadMetrics(context, options.metricsToken)) {
      return context.text("A bearer token is needed here.\n", 401, {
        "WWW-Authenticate": "Bearer",
      });
    }
    const { contentType, body } = await options.metrics();
    return context.body(body, 200, { "Content-Type": contentType });
  });
  app.all("*", async (context) => {
    const routes = routesFor(new URL(context.req.url).pathname, options.routes);
    if (!routes) return context.text("There is nothing here.\n", 404);
    const maxBytes = routes.maxBodyBytes ?? defaultMaxBodyBytes;
    const declared = Number(context.req.header("content-length") ?? 0);
    if (declared > maxBytes) return tooLarge(maxBytes);
    const limited = limitBody(context.req.raw, maxBytes);
    try {
      return await routes.handle(limited.request, peerOf(context));
    } catch (error) {
      if (limited.isExceeded()) return tooLarge(maxBytes);
      throw error;
    }
  });
  app.onError((error, context) => {
    const { method, path } = context.req;
    options.log.error({ method, path, error: nameOf(error) }, "http request failed");
    return context.text("Something went wrong on this side.\n", 500);
  });
  return app;
}

async function readinessOf(options: HttpServerOptions): Promise<Readiness> {
  try {
    return await options.readiness();
  } catch (error) {
    options.log.warn({ error: nameOf(error) }, "readiness could not be told");
    return { isReady: false, parts: { bobbin: "could not be told" } };
  }
}

function mayReadMetrics(context: Context<Env>, token: string | undefined): boolean {
  const given = context.req.header("authorization");
  if (token !== undefined) return given !== undefined && isSame(given, `Bearer ${token}`);
  return peerOf(context).isLoopback && context.req.header("x-forwarded-for") === undefined;
}

/** Compares in a time that tells nothing about how much was right. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function routesFor(path: string, all: readonly HttpRoutes[]): HttpRoutes | undefined {
  let best: { readonly routes: HttpRoutes; readonly length: number } | undefined;
  for (const routes of all) {
    for (const prefix of routes.prefixes) {
      if (!path.startsWith(prefix) && path !== prefix.replace(/\/$/, "")) continue;
      if (!best || prefix.length > best.length) best = { routes, length: prefix.length };
    }
  }
  return best?.routes;
}

function peerOf(context: Context<Env>): HttpPeer {
  const address = context.env.incoming.socket.remoteAddress ?? "";
  const plain = address.replace(/^::ffff:/, "");
  return { address: plain, isLoopback: plain === "::1" || plain.startsWith("127.") };
}

/** The request with a body that breaks off once it is longer than allowed. */
function limitBody(
  request: Request,
  maxBytes: number,
): { readonly request: Request; readonly isExceeded: () => boolean } {
  // With a length the HTTP parser itself holds the body to it.
  if (request.headers.has("content-length") || !request.body) {
    return { request, isExceeded: () => false };
  }
  let bytes = 0;
  const body = request.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        if (bytes > maxBytes) controller.error(new Error(`the body is over ${maxBytes} bytes`));
        else controller.enqueue(chunk);
      },
    }),
  );
  const { method, headers, signal } = request;
  const init: RequestInit & { readonly duplex: "half" } = {
    method,
    headers,
    signal,
    body,
    duplex: "half",
  };
  return {
    request: new Request(request.url, init),
    isExceeded: () => bytes > maxBytes,
  };
}

function tooLarge(maxBytes: number): Response {
  return new Response(`That is too large: the limit is ${maxBytes} bytes.\n`, {
    status: 413,
    // What is left of the body is not read.
    headers: { "Content-Type": "text/plain; charset=utf-8", Connection: "close" },
  });
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(inWords(error, host, port)));
    server.listen(port, host, () => resolve());
  });
}

function inWords(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `${host}:${port}`;
  switch (error.code) {
    case "EADDRINUSE":
      return new Error(`${where} is in use. Set PORT to a free one, or stop what listens there.`, {
        cause: error,
      });
    case "EACCES":
      return new Error(`${where} may not be used. Set PORT to one above 1023.`, { cause: error });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new Error(`${host} is no address of this machine. Set HOST to one.`, { cause: error });
    default:
      return new Error(`cannot listen on ${where}: ${error.message}`, { cause: error });
  }
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cut);
}

function urlHostOf(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
