import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import type { IncomingMessage } from "#domain/message";
import { emptyView, type ReplyView } from "#domain/reply-view";
import type { Reply } from "#ports/platform";
import { type HttpServer, startHttpServer } from "../../../adapters/http/server.ts";
import type { WebPlatform } from "../../../adapters/web/platform.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { JournalMemory, MemoryJournal } from "../../fakes/memory-journal.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import { createWeb, WebDisk } from "./web-harness.ts";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** True where there is a browser to test with. Without one the tests are skipped, and say so. */
export const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser) console.warn(`Browser tests are skipped: there is no Chromium at ${CHROMIUM}.`);

/** Starts the browser the tests look through. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A console over a real socket, with a bot that says what the test tells it to. */
export class Stage {
  readonly bot = new FakeBot();
  readonly disk: WebDisk;
  readonly #password: string | undefined;
  readonly #journals = new Map<string, JournalMemory>();
  #platform: WebPlatform;
  #server: HttpServer | undefined;
  #port = 0;

  constructor(options: { readonly disk?: WebDisk; readonly password?: string } = {}) {
    this.disk = options.disk ?? new WebDisk();
    this.#password = options.password;
    this.#platform = this.#createPlatform();
  }

  get url(): string {
    return this.#server?.url ?? "";
  }

  async start(): Promise<void> {
    await this.#platform.start(this.bot);
    this.#server = await startHttpServer({
      host: "127.0.0.1",
      port: this.#port,
      routes: [this.#platform.routes],
      readiness: async () => ({ isReady: true, parts: {} }),
      metrics: async () => ({ contentType: "text/plain", body: "" }),
      metricsToken: undefined,
      log: silentLog,
    });
    this.#port = this.#server.port;
  }

  async stop(): Promise<void> {
    await this.#platform.stop();
    await this.#server?.close(0);
  }

  /** The same console as a new process on the same port and the same disk. */
  async restart(): Promise<void> {
    await this.stop();
    this.#platform = this.#createPlatform();
    await this.start();
  }

  /** Opens the reply to a message, as a run would; after a restart it is the same reply. */
  reply(message: IncomingMessage, runId = `run-${message.eventId.slice(-12)}`): StageReply {
    const memory = this.#journals.get(runId) ?? new JournalMemory();
    this.#journals.set(runId, memory);
    const reply = this.#platform.openReply(
      {
        runId,
        conversationKey: message.place.threadKey,
        target: message.place.target,
        answers: [message.eventId],
        asker: message.author,
      },
      new MemoryJournal(runId, memory),
    );
    return new StageReply(reply, emptyView(runId));
  }

  /** The message the bot was handed last. */
  lastMessage(): IncomingMessage {
    const message = this.bot.messages.at(-1);
    if (!message) throw new Error("the bot was handed no message");
    return message;
  }

  #createPlatform(): WebPlatform {
    return createWeb({
      disk: this.disk,
      ...(this.#password === undefined ? {} : { password: this.#password }),
    });
  }
}

/** A reply with the view it shows, changed step by step. */
export class StageReply {
  readonly #reply: Reply;
  view: ReplyView;

  constructor(reply: Reply, view: ReplyView) {
    this.#reply = reply;
    this.view = view;
  }

  show(change: Partial<ReplyView>): void {
    this.view = { ...this.view, ...change };
    this.#reply.show(this.view);
  }

  settle(): Promise<void> {
    return this.#reply.settle();
  }

  async finish(change: Partial<ReplyView> = {}): Promise<void> {
    this.view = { ...this.view, status: "completed", actions: ["feedback"], ...change };
    await this.#reply.finish(this.view);
  }
}

/** A window that speaks under a name. Fails the test on anything the page complains about. */
export async function openWindow(
  browser: Browser,
  url: string,
  name: string,
  look: {
    readonly width?: number;
    readonly height?: number;
    readonly colorScheme?: "light" | "dark";
    readonly hasTouch?: boolean;
    readonly moves?: boolean;
  } = {},
): Promise<{ readonly page: Page; readonly problems: string[] }> {
  const {
    width = 1280,
    height = 800,
    colorScheme = "light",
    hasTouch = false,
    moves = false,
  } = look;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    hasTouch,
    reducedMotion: moves ? "no-preference" : "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(`${url}?as=${encodeURIComponent(name)}`);
  return { page, problems };
}
