import { createHash } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { messageOf } from "#domain/errors";
import type { Log } from "#ports/log";

/** What the owner of the machine may ask of the process that has the data open. */
export interface ControlRequest {
  readonly type: "backup";
  /** The folder to write it to. */
  readonly to: string;
}

/** What came of it, in words. */
export interface ControlAnswer {
  readonly ok: boolean;
  readonly words: string;
}

/** Where it listens; close it before the data file. */
export interface ControlServer {
  /** Resolves once requests under way are answered. */
  close(): Promise<void>;
}

const maxRequestBytes = 64 * 1024;
/** The longest path of a socket that both Linux (108) and macOS (104) take, with the final zero. */
const maxSocketPathBytes = 100;

/**
 * The socket of the process that works on this folder: inside it, or, when that would be too long a
 * name for a socket, in the folder for temporary files. A named pipe on Windows.
 */
export function controlPathOf(directory: string): string {
  const inside = join(resolve(directory), "control.sock");
  const id = createHash("sha256").update(inside).digest("hex").slice(0, 32);
  if (process.platform === "win32") return `\\\\.\\pipe\\bobbin-${id}`;
  if (Buffer.byteLength(inside) <= maxSocketPathBytes) return inside;
  return join(tmpdir(), `bobbin-${id}.sock`);
}

/**
 * Listens for requests of this machine's own user (mode 0600). Call it only after the data file is
 * open: that lock proves that a socket found there is a dead process' leftover.
 */
export async function startControl(options: {
  readonly path: string;
  /** A rejection is answered in its words. */
  readonly handle: (request: ControlRequest) => Promise<string>;
  readonly log: Log;
}): Promise<ControlServer> {
  const { path, log } = options;
  const open = new Set<Promise<void>>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const work = answer(socket, options).catch((error) => {
      log.warn({ error }, "control request failed");
    });
    open.add(work);
    void work.finally(() => open.delete(work));
  });
  const isFile = process.platform !== "win32";
  if (isFile) rmSync(path, { force: true });
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    // The name is bound inside this call: nobody else can connect before the mode is set.
    const previous = isFile ? process.umask(0o177) : undefined;
    try {
      server.listen(path, done);
    } finally {
      if (previous !== undefined) process.umask(previous);
    }
  });
  if (isFile) chmodSync(path, 0o600);
  return {
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      await Promise.all(open);
      await closed;
    },
  };
}

/** Asks the process that works on a folder; undefined when none is running. */
export async function askRunning(
  path: string,
  request: ControlRequest,
): Promise<ControlAnswer | undefined> {
  const socket = await reach(path);
  if (socket === undefined) return undefined;
  socket.end(JSON.stringify(request));
  const text = await readAll(socket, Number.POSITIVE_INFINITY);
  const answer: unknown = JSON.parse(text === "" ? "null" : text);
  if (isAnswer(answer)) return answer;
  return { ok: false, words: "The running process ended before it had answered." };
}

async function answer(
  socket: Socket,
  { handle, log }: { handle: (request: ControlRequest) => Promise<string>; log: Log },
): Promise<void> {
  // Whoever asked may hang up; the work goes on, and nobody is told.
  socket.on("error", () => undefined);
  const reply = (value: ControlAnswer) => void socket.end(JSON.stringify(value));
  try {
    const request: unknown = JSON.parse(await readAll(socket, maxRequestBytes));
    if (!isRequest(request)) return reply({ ok: false, words: "This version cannot do that." });
    log.info({ action: request.type }, "control request");
    return reply({ ok: true, words: await handle(request) });
  } catch (error) {
    return reply({ ok: false, words: messageOf(error) });
  }
}

function reach(path: string): Promise<Socket | undefined> {
  return new Promise((done, failed) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once("connect", () => done(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ECONNREFUSED") done(undefined);
      else failed(error);
    });
  });
}

async function readAll(socket: Socket, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`the request is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function isRequest(value: unknown): value is ControlRequest {
  if (typeof value !== "object" || value === null) return false;
  const { type, to } = value as { type?: unknown; to?: unknown };
  return type === "backup" && typeof to === "string";
}

function isAnswer(value: unknown): value is ControlAnswer {
  if (typeof value !== "object" || value === null) return false;
  const { ok, words } = value as { ok?: unknown; words?: unknown };
  return typeof ok === "boolean" && typeof words === "string";
}
