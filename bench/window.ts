import { Agent, get, type IncomingMessage, request } from "node:http";
import { findScript } from "./script.ts";
import { nowMs } from "./statistics.ts";

/** One state of a reply as it arrived in the window. */
export interface ShownText {
  readonly atMs: number;
  readonly characters: number;
}

/** What a person saw of one message and its reply; moments of the shared clock. */
export interface SeenReply {
  readonly id: string;
  postedAtMs: number;
  /** The bot had answered that it has the message. */
  acknowledgedAtMs: number;
  /** Every growth of the text. */
  readonly shown: ShownText[];
  /** The reply was shown as finished. */
  completedAtMs: number;
}

interface WireMessage {
  readonly id: string;
  readonly root: string | null;
  readonly author: { readonly kind: string };
  readonly text: string;
  readonly reply?: { readonly status: string };
}

interface WireEvent {
  readonly type: string;
  readonly id?: string;
  readonly from?: number;
  readonly text?: string;
  readonly message?: WireMessage;
  readonly patch?: { readonly set: { readonly status?: string } };
}

/** Where a bot takes messages and shows what happens. */
export interface Console {
  readonly messagesUrl: string;
  readonly eventsUrl: string;
}

/** The console of a bot: Bobbin's own API, which the floor imitates. */
export function consoleOf(bot: "bobbin" | "floor", url: string): Console {
  const api = bot === "floor" ? url : `${url}console/api/`;
  return { messagesUrl: `${api}messages`, eventsUrl: `${api}events?as=Ada` };
}

/** How many people write. */
const people = 100;

/** An open browser window without the browser: posts messages, and notes when what is shown arrives. */
export class Window {
  readonly #console: Console;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #seen = new Map<string, SeenReply>();
  readonly #byMessage = new Map<string, SeenReply>();
  readonly #byReply = new Map<string, SeenReply>();
  #posted = 0;
  #stream: IncomingMessage | undefined;
  #unread = "";
  #changed: () => void = () => undefined;

  constructor(console: Console) {
    this.#console = console;
  }

  async open(): Promise<void> {
    this.#stream = await new Promise<IncomingMessage>((resolve, reject) => {
      get(this.#console.eventsUrl, resolve).on("error", reject);
    });
    this.#stream.setEncoding("utf8");
    this.#stream.on("data", (text: string) => this.#read(text));
  }

  close(): void {
    this.#stream?.destroy();
    this.#agent.destroy();
  }

  /** Posts a message that begins a conversation of its own. Resolves once the bot has acknowledged it. */
  async post(id: string, text: string): Promise<SeenReply> {
    const body = JSON.stringify({
      nonce: `nonce-${id}`,
      channel: "general",
      root: null,
      text: `@Bobbin ${text}`,
      fileIds: [],
    });
    const seen: SeenReply = {
      id,
      postedAtMs: nowMs(),
      acknowledgedAtMs: Number.NaN,
      shown: [],
      completedAtMs: Number.NaN,
    };
    this.#seen.set(id, seen);
    this.#posted += 1;
    const url = `${this.#console.messagesUrl}?as=Person-${this.#posted % people}`;
    await new Promise<void>((resolve, reject) => {
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      };
      const posting = request(url, { method: "POST", agent: this.#agent, headers }, (response) => {
        seen.acknowledgedAtMs = nowMs();
        response.resume();
        response.on("end", () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`a message was answered with ${response.statusCode}`));
        });
      });
      posting.on("error", reject);
      posting.end(body);
    });
    return seen;
  }

  /** Resolves once something that arrives makes it true; throws when that takes too long. */
  async until(isTrue: () => boolean, what: string, timeoutMs = 120_000): Promise<void> {
    if (isTrue()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`${what} did not come`)), timeoutMs);
    this.#changed = () => {
      if (isTrue()) resolve();
    };
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#changed = () => undefined;
    }
  }

  #read(text: string): void {
    const atMs = nowMs();
    const frames = (this.#unread + text).split("\n\n");
    this.#unread = frames.pop() ?? "";
    for (const frame of frames) {
      const begin = frame.indexOf("data: ");
      if (begin !== -1) this.#note(JSON.parse(frame.slice(begin + 6)) as WireEvent, atMs);
    }
    this.#changed();
  }

  #note(event: WireEvent, atMs: number): void {
    if (event.type === "message" && event.message) this.#noteMessage(event.message, atMs);
    if (event.type !== "delta") return;
    const seen = this.#byReply.get(event.id ?? "");
    if (!seen) return;
    grown(seen, atMs, (event.from ?? 0) + (event.text?.length ?? 0));
    if (event.patch?.set.status === "completed") seen.completedAtMs = atMs;
  }

  #noteMessage(message: WireMessage, atMs: number): void {
    if (message.author.kind === "person") {
      const seen = this.#seen.get(findScript(message.text)?.id ?? "");
      if (seen) this.#byMessage.set(message.id, seen);
      return;
    }
    const seen = this.#byMessage.get(message.root ?? "");
    if (!seen) return;
    this.#byReply.set(message.id, seen);
    grown(seen, atMs, message.text.length);
    if (message.reply?.status === "completed") seen.completedAtMs = atMs;
  }
}

function grown(seen: SeenReply, atMs: number, characters: number): void {
  if (characters > (seen.shown.at(-1)?.characters ?? 0)) seen.shown.push({ atMs, characters });
}

/** How much of a reply's text is shown. */
export function shownOf(seen: SeenReply): number {
  return seen.shown.at(-1)?.characters ?? 0;
}

/** When so many characters were there to be read. */
export function shownAtMs(seen: SeenReply, characters: number): number {
  return seen.shown.find((state) => state.characters >= characters)?.atMs ?? Number.NaN;
}
