import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Person, Place } from "#domain/conversation";
import type { Attachment, IncomingMessage } from "#domain/message";
import type { FileIndex } from "#ports/file-index";
import type { Ledger } from "#ports/ledger";
import type { ModelBackend } from "#ports/model-backend";
import type { Platform } from "#ports/platform";
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
import { plainParts } from "./plain-parts.ts";

export const ada: Person = { key: "fake:ada", name: "Ada" };
export const grace: Person = { key: "fake:grace", name: "Grace" };

const mostTimerMs = 1_000;

/** What a test may choose of its bot. */
export interface WorldOptions
  extends Partial<
    Pick<
      BobbinParts,
      | "admins"
      | "embedder"
      | "handOverChannels"
      | "library"
      | "log"
      | "prices"
      | "processes"
      | "tools"
      | "toolServers"
      | "transcriber"
    >
  > {
  readonly backend: ModelBackend;
  readonly limits?: Partial<RunLimits>;
  readonly inbox?: Partial<BobbinParts["inbox"]>;
  readonly charactersPerMessage?: number;
  /** Real platforms beside the fake one. */
  readonly platforms?: (ledger: Ledger) => readonly Platform[];
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
    const { limits, inbox, charactersPerMessage, platforms, searches, ...parts } = options;
    const database = openDatabase(join(this.#folder, "bobbin.sqlite"));
    const platform = new FakePlatform({
      screen: this.screen,
      ...(charactersPerMessage ? { charactersPerMessage } : {}),
    });
    this.#database = database;
    if (searches) this.#index ??= createFileIndex(join(this.#folder, "search.sqlite"));
    this.#platform = platform;
    const ledger = createSqliteLedger(database);
    this.#bobbin = assembleBobbin({
      ...plainParts,
      queue: createSqliteRunQueue({
        database,
        now: () => this.#nowMs,
        crashBackoffMs: 1,
        // It waits by the machine's clock for what is due by the world's: it looks often.
        setTimer: (work, ms) => {
          const timer = setTimeout(work, Math.min(ms, mostTimerMs));
          return () => clearTimeout(timer);
        },
      }),
      ledger,
      records: this.records,
      files: this.files,
      ...(this.#index ? { fileIndex: this.#index } : {}),
      metrics: this.metrics,
      now: () => this.#nowMs,
      sleep: (ms) => {
        this.slept.push(ms);
        return plainParts.sleep();
      },
      ...parts,
      platforms: [platform, ...(platforms?.(ledger) ?? [])],
      limits: { ...plainParts.limits, ...limits },
      inbox: { waitingPerConversation: 20, messagesPerPersonPerMinute: 1000, ...inbox },
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
