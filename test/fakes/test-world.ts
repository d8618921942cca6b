import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Person, Place } from "#domain/conversation";
import { BotError } from "#domain/errors";
import type { Attachment, IncomingMessage } from "#domain/message";
import type { Tool } from "#domain/tool";
import type { AssistantLibrary } from "#ports/assistant-library";
import type { DocumentReader } from "#ports/document-reader";
import type { Embedder } from "#ports/embedder";
import type { FileIndex } from "#ports/file-index";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import { noTracer } from "#ports/metrics";
import type { ModelBackend } from "#ports/model-backend";
import type { Platform } from "#ports/platform";
import type { Transcriber } from "#ports/transcriber";
import { type Database, openDatabase } from "../../adapters/sqlite/database.ts";
import { createFileIndex } from "../../adapters/sqlite/file-index.ts";
import { createSqliteLedger } from "../../adapters/sqlite/ledger.ts";
import { createSqliteRunQueue } from "../../adapters/sqlite/run-queue.ts";
import { assembleBobbin, type Bobbin, type BobbinParts } from "../../src/assemble.ts";
import type { RunLimits } from "../../src/runs/environment.ts";
import { CountingMetrics } from "./counting-metrics.ts";
import { FakePlatform, FakeScreen } from "./fake-platform.ts";
import { MemoryFileStore } from "./memory-file-store.ts";
import { MemoryRecordStore } from "./memory-record-store.ts";
import { silentLog } from "./silent-log.ts";

export const ada: Person = { key: "fake:ada", name: "Ada" };
export const grace: Person = { key: "fake:grace", name: "Grace" };

const defaultLimits: RunLimits = {
  deadlineMs: 600_000,
  approvalExpiryMs: 1_800_000,
  attemptsPerTurn: 3,
  retryWaitMaxMs: 60_000,
  turnsPerRun: 20,
  contextTokens: 100_000,
  fileMaxBytes: 1_000_000,
  filesPerMessage: 5,
  runCapUsd: null,
  personDailyCapUsd: null,
  channelMonthlyCapUsd: null,
};

/** What a test may choose of its bot. */
export interface WorldOptions {
  readonly backend: ModelBackend;
  readonly tools?: readonly Tool[];
  readonly limits?: Partial<RunLimits>;
  readonly inbox?: Partial<BobbinParts["inbox"]>;
  readonly prices?: BobbinParts["prices"];
  readonly admins?: readonly string[];
  readonly charactersPerMessage?: number;
  readonly toolServers?: BobbinParts["toolServers"];
  readonly handOverChannels?: BobbinParts["handOverChannels"];
  readonly library?: AssistantLibrary;
  readonly transcriber?: Transcriber;
  readonly embedder?: Embedder;
  readonly log?: Log;
  /** Real platforms beside the fake one. */
  readonly platforms?: (ledger: Ledger) => readonly Platform[];
  readonly processes?: BobbinParts["processes"];
  /** Searches in files itself, in an index of this file name in the world's folder. */
  readonly searches?: boolean;
}

/**
 * A bot on a real data file, with a platform and a model of the test's own. What people see, the
 * data file and the files outlive it, so that it can be killed and started again.
 */
export class TestWorld {
  readonly screen = new FakeScreen();
  readonly metrics = new CountingMetrics();
  readonly files = new MemoryFileStore();
  readonly records = new MemoryRecordStore();
  /** The pauses it made, in ms. */
  readonly slept: number[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "bobbin-world-"));
  #nowMs = Date.UTC(2026, 10, 21, 9);
  #database: Database | undefined;
  #platform: FakePlatform | undefined;
  #bobbin: Bobbin | undefined;
  #index: FileIndex | undefined;
  #messages = 0;

  get bobbin(): Bobbin {
    if (!this.#bobbin) throw new Error("the bot was not started");
    return this.#bobbin;
  }

  get bot() {
    return this.bobbin.bot;
  }

  /** What the bot's clock says. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Moves the bot's clock. Timers that are already set are not moved. */
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  async start(options: WorldOptions): Promise<void> {
    const database = openDatabase(join(this.#folder, "bobbin.sqlite"));
    const platform = new FakePlatform({
      screen: this.screen,
      ...(options.charactersPerMessage
        ? { charactersPerMessage: options.charactersPerMessage }
        : {}),
    });
    this.#database = database;
    if (options.searches) this.#index ??= createFileIndex(join(this.#folder, "search.sqlite"));
    this.#platform = platform;
    const ledger = createSqliteLedger(database);
    this.#bobbin = assembleBobbin({
      queue: createSqliteRunQueue({
        database,
        now: () => this.#nowMs,
        crashBackoffMs: 1,
      }),
      ledger,
      records: this.records,
      files: this.files,
      documents: plainTextReader,
      ...(options.toolServers ? { toolServers: options.toolServers } : {}),
      ...(options.handOverChannels ? { handOverChannels: options.handOverChannels } : {}),
      ...(options.library ? { library: options.library } : {}),
      ...(options.processes ? { processes: options.processes } : {}),
      ...(this.#index ? { fileIndex: this.#index } : {}),
      ...(options.transcriber ? { transcriber: options.transcriber } : {}),
      ...(options.embedder ? { embedder: options.embedder } : {}),
      backend: options.backend,
      platforms: [platform, ...(options.platforms?.(ledger) ?? [])],
      tools: options.tools ?? [],
      prices: options.prices ?? { costOf: () => null },
      metrics: this.metrics,
      tracer: noTracer,
      log: options.log ?? silentLog,
      limits: { ...defaultLimits, ...options.limits },
      inbox: { waitingPerConversation: 20, messagesPerPersonPerMinute: 1000, ...options.inbox },
      concurrency: 8,
      admins: options.admins ?? [],
      defaultModel: "scripted-model",
      now: () => this.#nowMs,
      // Waiting is not what these tests are about: a pause is one turn of the loop.
      sleep: (ms) => {
        this.slept.push(ms);
        return new Promise((resolve) => setImmediate(resolve));
      },
    });
    await this.#bobbin.start();
  }

  /** Like kill -9: nothing more is shown or stored, and nothing is told. */
  kill(): void {
    this.#platform?.kill();
    this.#database?.close();
  }

  async stop(graceMs = 1000): Promise<void> {
    await this.#bobbin?.stop(graceMs);
    this.#database?.close();
  }

  async end(): Promise<void> {
    await this.#index?.close();
    if (this.#database?.isOpen) await this.stop(0);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  message(text: string, change: Partial<IncomingMessage> = {}): IncomingMessage {
    this.#messages += 1;
    return {
      eventId: `fake:${this.#messages}`,
      place: placeOf("talk"),
      author: ada,
      text,
      attachments: [],
      sentAtMs: this.#nowMs,
      ...change,
    };
  }

  /** A person writes; resolves once the bot has accepted it. */
  say(text: string, change: Partial<IncomingMessage> = {}) {
    return this.bot.message(this.message(text, change));
  }

  attach(name: string, text: string): Attachment {
    const id = `attachment-${name}`;
    this.screen.attachments.set(id, new TextEncoder().encode(text));
    return { id, name, bytes: text.length, source: null };
  }

  /** What the bot's finished and unfinished replies say, in order. */
  texts(thread = "talk"): readonly string[] {
    return this.screen.messages(placeOf(thread).threadKey).map(({ text }) => text);
  }

  /** The newest view of the last reply in a chat thread. */
  lastView(thread = "talk") {
    const view = this.screen.messages(placeOf(thread).threadKey).at(-1)?.view;
    if (!view) throw new Error(`nothing is shown in ${thread}`);
    return view;
  }
}

/** A chat thread of the channel `fake:general`. */
export function placeOf(thread: string): Place {
  return {
    platform: "fake",
    channelKey: "fake:general",
    channelName: "general",
    threadKey: `fake:general:${thread}`,
    isDirect: false,
    target: null,
  };
}

/** Text with a form feed between pages; `broken` in the name makes a file that cannot be read. */
const plainTextReader: DocumentReader = {
  kindOf: async (_head, name) =>
    name.endsWith(".ogg")
      ? { mimeType: "audio/ogg", family: "unsupported" }
      : name.endsWith(".exe")
        ? { mimeType: "application/x-msdownload", family: "unsupported" }
        : { mimeType: "text/plain", family: "text" },
  async read(data, _kind, name) {
    if (name.includes("broken"))
      throw new BotError("file-broken", { detail: `${name} is damaged.` });
    const pages = new TextDecoder().decode(data).split("\f");
    const isPaged = pages.length > 1;
    return {
      pages: pages.map((text, index) => (isPaged ? { page: index + 1, text } : { text })),
      truncated: false,
    };
  },
  readSheets: async (data, name) => [{ name, csv: new TextDecoder().decode(data) }],
};
