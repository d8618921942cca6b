import { randomUUID } from "node:crypto";
import { BotError } from "#domain/errors";
import type { Attachment } from "#domain/message";
import type { Bot } from "#ports/bot";
import type { FileStore } from "#ports/file-store";
import type { HttpPeer, HttpRoutes } from "#ports/http";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type {
  ChannelNote,
  EndedReply,
  Platform,
  Reply,
  ReplyJournal,
  ReplyTarget,
} from "#ports/platform";
import type { Processes } from "#ports/processes";
import type { RecordStore } from "#ports/record-store";
import { loadAssets } from "./assets.ts";
import { Uploads } from "./files.ts";
import { History } from "./history.ts";
import { messageIdOf } from "./inbound.ts";
import { Live } from "./live.ts";
import { Posts } from "./posts.ts";
import { WebReply } from "./reply.ts";
import { createRoutes } from "./routes.ts";
import { Sessions } from "./session.ts";
import type { QueueLine } from "./wire.ts";

const clearEveryMs = 60 * 60 * 1000;
const dayMs = 24 * 60 * 60 * 1000;
const clearedAtOnce = 500;

/** What the console needs. */
export interface WebPlatformOptions {
  readonly ledger: Ledger;
  readonly records: RecordStore;
  readonly files: FileStore;
  /** False: others serve the page; replies are drawn for them. Default: true. */
  readonly listens?: boolean;
  /** Default: there are no others. */
  readonly processes?: Processes | undefined;
  /** Whom people mention: `@Bobbin`. */
  readonly botName: string;
  /** Undefined: the console answers only to browsers on this machine. */
  readonly password: string | undefined;
  /**
   * Whether who sits at this machine is an admin without being listed. Everybody who got in may
   * speak under any name, so names alone are no boundary: only those who cannot get in are outside.
   * Behind a password people are admins when ADMINS lists them (`web:ada`). Default: true.
   */
  readonly isLocalOperatorAdmin?: boolean;
  /** True when browsers reach the console by https. */
  readonly isSecure?: boolean;
  readonly maxFileBytes: number;
  readonly maxFilesPerMessage: number;
  /** Messages are deleted after so many days; undefined: never. */
  readonly retentionDays?: number | undefined;
  readonly log: Log;
  readonly now?: () => number;
}

/** The console: a platform whose chat service is the bot itself. */
export interface WebPlatform extends Platform {
  /** Its page and API, for the HTTP server. */
  readonly routes: HttpRoutes;
}

/** Serves its routes from when it is started. */
export function createWebPlatform(options: WebPlatformOptions): WebPlatform {
  return new Web(options);
}

class Web implements WebPlatform {
  readonly name = "web";
  readonly routes: HttpRoutes;
  readonly #options: WebPlatformOptions;
  readonly #now: () => number;
  readonly #history: History;
  readonly #uploads: Uploads;
  readonly #live: Live;
  readonly #posts: Posts;
  readonly #sessions: Sessions;
  readonly #queues = new Map<string, QueueLine>();
  readonly #stopListening: (() => void)[] = [];
  #handle: ((request: Request, peer: HttpPeer) => Promise<Response>) | undefined;
  #bot: Bot | undefined;

  constructor(options: WebPlatformOptions) {
    const { ledger, records, files, maxFileBytes, password } = options;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const now = this.#now;
    this.#live = new Live(options.processes);
    this.#history = new History({ ledger, records, now });
    this.#uploads = new Uploads({ files, records, ledger, maxFileBytes, now });
    this.#posts = new Posts({
      history: this.#history,
      uploads: this.#uploads,
      live: this.#live,
      botName: options.botName,
      maxFilesPerMessage: options.maxFilesPerMessage,
      now,
      bot: () => this.#startedBot(),
    });
    this.#sessions = new Sessions({ password, isSecure: options.isSecure ?? false, ledger, now });
    this.routes = {
      prefixes: ["/"],
      maxBodyBytes: maxFileBytes + 1024 * 1024,
      handle: async (request, peer) =>
        this.#handle?.(request, peer) ?? new Response("Starting.\n", { status: 503 }),
    };
  }

  async start(bot: Bot): Promise<void> {
    const { botName, listens = true, maxFileBytes, maxFilesPerMessage, log } = this.#options;
    this.#bot = bot;
    if (!listens) return;
    const [history, uploads, live, sessions] = [
      this.#history,
      this.#uploads,
      this.#live,
      this.#sessions,
    ];
    await sessions.open();
    await history.createChannel({ id: "general", name: "general", isDirect: false });
    const assets = await loadAssets();
    const app = createRoutes({
      history,
      uploads,
      live,
      posts: this.#posts,
      sessions,
      assets,
      bot: () => bot,
      botName,
      queues: () => [...this.#queues.values()],
      maxFileBytes,
      maxFilesPerMessage,
      isLocalOperatorAdmin: this.#options.isLocalOperatorAdmin ?? true,
      log,
    });
    this.#handle = async (request, peer) => app.fetch(request, { peer });
    this.#stopListening.push(
      live.listen(),
      bot.onQueueChange((conversationKey, waiting) => this.#showQueue(conversationKey, waiting)),
      bot.onFileStatus((eventId, statuses) => {
        this.#showFileStatus(eventId, statuses).catch(() => {
          log.warn({ event: eventId }, "file status not shown");
        });
      }),
      this.#clearOld(),
    );
  }

  async stop(): Promise<void> {
    this.#bot = undefined;
    this.#handle = async () => new Response("Stopping.\n", { status: 503 });
    for (const stop of this.#stopListening.splice(0)) stop();
    this.#live.close();
  }

  isConnected(): boolean {
    return this.#bot !== undefined;
  }

  openReply(to: ReplyTarget, journal: ReplyJournal): Reply {
    return this.#replyTo(to, journal);
  }

  lookAgain(ended: EndedReply): Promise<void> {
    return this.#replyTo(ended.to, ended.journal).lookAgain(ended);
  }

  #replyTo(to: ReplyTarget, journal: ReplyJournal): WebReply {
    return new WebReply({
      history: this.#history,
      live: this.#live,
      isFar: this.#options.listens === false,
      botName: this.#options.botName,
      to,
      journal,
      log: this.#options.log,
      now: this.#now,
    });
  }

  async openFile(file: Attachment): Promise<ReadableStream<Uint8Array>> {
    return this.#uploads.open(file);
  }

  async notify({ channel, text, file }: ChannelNote): Promise<void> {
    const { message, stored } = await this.#history.begin({
      id: randomUUID(),
      channel,
      root: null,
      author: { kind: "bot", key: "web:bot", name: this.#options.botName },
      text: `${text}\n\n---\n\n${new TextDecoder().decode(file.data)}`,
      sentAtMs: this.#now(),
      files: [],
      isForBot: false,
    });
    await stored;
    this.#live.publish({ type: "message", channel, message });
  }

  async forget(said: {
    readonly eventIds: readonly string[];
    readonly runIds: readonly string[];
  }): Promise<void> {
    // Replies first: a question whose thread is empty goes as a whole.
    for (const runId of said.runIds) {
      const reply = await this.#history.replyOf(runId);
      if (reply) await this.#posts.erase(reply);
    }
    for (const eventId of said.eventIds.toReversed()) {
      const message = await this.#history.message(messageIdOf(eventId) ?? "");
      if (message) await this.#posts.erase(message);
    }
  }

  #startedBot(): Bot {
    if (!this.#bot) throw new BotError("store-unavailable", { detail: "I am stopping." });
    return this.#bot;
  }

  #showQueue(
    conversationKey: string,
    waiting: readonly { readonly eventId: string; readonly position: number }[],
  ): void {
    const line: QueueLine = {
      conversationKey,
      waiting: waiting.flatMap(({ eventId, position }) => {
        const messageId = messageIdOf(eventId);
        return messageId === undefined ? [] : [{ messageId, position }];
      }),
    };
    if (line.waiting.length === 0 && !this.#queues.has(conversationKey)) return;
    if (line.waiting.length === 0) this.#queues.delete(conversationKey);
    else this.#queues.set(conversationKey, line);
    this.#live.publish({ type: "queue", line });
  }

  async #showFileStatus(
    eventId: string,
    fileStatuses: Parameters<Parameters<Bot["onFileStatus"]>[0]>[1],
  ): Promise<void> {
    const id = messageIdOf(eventId);
    if (id === undefined) return;
    const message = await this.#history.change(id, (kept) => ({ ...kept, fileStatuses }));
    if (message) this.#live.publish({ type: "message", channel: message.channel, message });
  }

  /** What nobody sent, and what is older than messages are kept: now, and every hour. */
  #clearOld(): () => void {
    const clear = () => {
      Promise.all([this.#uploads.clearUnsent(), this.#clearOldMessages()]).catch(() => {
        this.#options.log.warn({}, "old console data not cleared");
      });
    };
    clear();
    const timer = setInterval(clear, clearEveryMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  async #clearOldMessages(): Promise<void> {
    const { retentionDays } = this.#options;
    if (retentionDays === undefined) return;
    const before = this.#now() - retentionDays * dayMs;
    for (;;) {
      const old = await this.#history.olderThan(before, clearedAtOnce);
      let erased = 0;
      for (const message of old.filter(({ isDeleted }) => !isDeleted)) {
        await this.#posts.erase(message);
        erased += 1;
      }
      if (erased === 0) return;
    }
  }
}
