import type { HttpPeer } from "#ports/http";
import type { Processes } from "#ports/processes";
import { createWebPlatform, type WebPlatform } from "../../../adapters/web/platform.ts";
import type { ChatMessage, LiveEvent, MessagePage } from "../../../adapters/web/wire.ts";
import type { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryFileStore } from "../../fakes/memory-file-store.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { MemoryRecordStore } from "../../fakes/memory-record-store.ts";
import { silentLog } from "../../fakes/silent-log.ts";

/** What outlives the console's process: its stores. */
export class WebDisk {
  readonly ledger = new MemoryLedger();
  readonly records = new MemoryRecordStore();
  readonly files = new MemoryFileStore();
}

export interface WebOptions {
  readonly disk?: WebDisk;
  readonly password?: string;
  readonly now?: () => number;
  readonly maxFileBytes?: number;
  readonly retentionDays?: number;
  readonly processes?: Processes;
  /** False: others serve its page. */
  readonly listens?: boolean;
  /** False: who sits at this machine is nobody special. */
  readonly isLocalOperatorAdmin?: boolean;
}

/** A console over stores in memory; not started yet. */
export function createWeb(options: WebOptions = {}): WebPlatform {
  const { ledger, records, files } = options.disk ?? new WebDisk();
  return createWebPlatform({
    ledger,
    records,
    files,
    botName: "Bobbin",
    password: options.password,
    maxFileBytes: options.maxFileBytes ?? 1_000_000,
    maxFilesPerMessage: 10,
    retentionDays: options.retentionDays,
    log: silentLog,
    ...(options.isLocalOperatorAdmin === undefined
      ? {}
      : { isLocalOperatorAdmin: options.isLocalOperatorAdmin }),
    ...(options.now ? { now: options.now } : {}),
    ...(options.processes ? { processes: options.processes } : {}),
    ...(options.listens === undefined ? {} : { listens: options.listens }),
  });
}

export const thisMachine: HttpPeer = { address: "127.0.0.1", isLoopback: true };
export const elsewhere: HttpPeer = { address: "203.0.113.7", isLoopback: false };

let nonces = 0;

/** A browser window of the console, speaking under a name, without the browser. */
export class Window {
  readonly #platform: WebPlatform;
  readonly #name: string;
  readonly #peer: HttpPeer;
  readonly #headers: { readonly [name: string]: string };

  constructor(
    platform: WebPlatform,
    name: string,
    from: { readonly peer?: HttpPeer; readonly headers?: { readonly [name: string]: string } } = {},
  ) {
    this.#platform = platform;
    this.#name = name;
    this.#peer = from.peer ?? thisMachine;
    this.#headers = from.headers ?? {};
  }

  async request(method: string, path: string, body?: unknown, init: RequestInit = {}) {
    const url = new URL(path, "http://localhost:3000/console/api/");
    url.searchParams.set("as", this.#name);
    const headers = { Host: "localhost:3000", ...this.#headers, ...init.headers };
    const json = body === undefined ? {} : { body: JSON.stringify(body) };
    const request = new Request(url, { method, ...json, ...init, headers });
    return this.#platform.routes.handle(request, this.#peer);
  }

  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.request(method, path, body);
    return (await answer.json()) as T;
  }

  nonce(): string {
    nonces += 1;
    return `${this.#name}-nonce-${nonces}`;
  }

  async post<T>(
    text: string,
    where: { channel?: string; root?: string | null; fileIds?: readonly string[] } = {},
  ): Promise<T> {
    return this.json<T>("POST", "messages", {
      nonce: this.nonce(),
      channel: where.channel ?? "general",
      root: where.root ?? null,
      text,
      fileIds: where.fileIds ?? [],
    });
  }

  async messages(channel = "general", root?: string): Promise<readonly ChatMessage[]> {
    const query = root === undefined ? "" : `?root=${root}`;
    const page = await this.json<MessagePage>("GET", `channels/${channel}/messages${query}`);
    return page.messages;
  }

  /** The event stream as a window reads it. */
  async events(lastEventId?: string): Promise<EventReader> {
    const headers = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
    const answer = await this.request("GET", "events", undefined, { headers });
    if (!answer.body) throw new Error("no event stream");
    return new EventReader(answer.body);
  }
}

/** Reads server-sent events one by one. */
export class EventReader {
  lastEventId: string | undefined;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #unread = "";

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader();
  }

  /** The next event; undefined when the stream has ended. */
  async next(): Promise<LiveEvent | undefined> {
    for (;;) {
      const end = this.#unread.indexOf("\n\n");
      if (end !== -1) {
        const frame = this.#unread.slice(0, end);
        this.#unread = this.#unread.slice(end + 2);
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        if (data === undefined) continue;
        this.lastEventId = /^id: (.*)$/m.exec(frame)?.[1];
        return JSON.parse(data) as LiveEvent;
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#unread += this.#decoder.decode(value, { stream: true });
    }
  }

  /** The next event of a type; those before it are passed over. */
  async nextOf<T extends LiveEvent["type"]>(type: T): Promise<Extract<LiveEvent, { type: T }>> {
    for (;;) {
      const event = await this.next();
      if (!event) throw new Error(`the stream ended without ${type}`);
      if (event.type === type) return event as Extract<LiveEvent, { type: T }>;
    }
  }

  async close(): Promise<void> {
    await this.#reader.cancel();
  }
}

export async function startedWeb(bot: FakeBot, options: WebOptions = {}): Promise<WebPlatform> {
  const platform = createWeb(options);
  await platform.start(bot);
  return platform;
}
