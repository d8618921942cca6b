import { randomBytes } from "node:crypto";
import type { Json } from "#domain/json";
import { alone, type Processes } from "#ports/processes";
import { Copies } from "./copies.ts";
import type { ChatMessage, LiveEvent } from "./wire.ts";

/** What processes tell each other of the console. */
const topic = "web/live";
const mostKeptEvents = 4_000;
const mostKeptCharacters = 8 * 1024 * 1024;
const heartbeatMs = 15_000;
/** How soon a browser tries again; its own default is some seconds. */
const reconnectMs = 500;
/** A window that does not read is cut off rather than kept in memory; it comes back by itself. */
const maxUnreadBytes = 16 * 1024 * 1024;

interface SentEvent {
  readonly sequence: number;
  /** Only windows that may read this channel get it; undefined: all. */
  readonly channel: string | undefined;
  readonly frame: string;
}

/** What happened, as another process hears it. */
type Told = { readonly event: LiveEvent } | { readonly released: string };

interface Window {
  readonly mayRead: (channel: string) => boolean;
  readonly send: (frame: string) => void;
  readonly close: () => void;
}

/**
 * Tells every open window what happens, by server-sent events.
 *
 * A window that was away for a moment names the last event it saw and gets what it missed; when
 * that is not known any more (or from before a restart) it is told to load anew. The newest state of
 * replies being written is kept here, so that a reload loses nothing that is not stored yet. What
 * happens in one process is told to the windows of all; when that may have got lost, they load anew.
 */
export class Live {
  readonly #bootId = randomBytes(6).toString("hex");
  readonly #windows = new Set<Window>();
  readonly #open = new Map<string, ChatMessage>();
  readonly #encoder = new TextEncoder();
  readonly #processes: Processes;
  readonly #copies = new Copies();
  #kept: SentEvent[] = [];
  #keptCharacters = 0;
  #sequence = 0;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(processes: Processes = alone) {
    this.#processes = processes;
  }

  /** Begins to show what happens in other processes; call the result to stop. */
  listen(): () => void {
    return this.#processes.hear(topic, {
      told: (words) => {
        const told = words as unknown as Told;
        if ("released" in told) this.#copies.release(told.released);
        else if (this.#copies.take(told.event)) this.#show(told.event);
      },
      missed: () => {
        this.#copies.clear();
        this.#show({ type: "reset" });
      },
    });
  }

  /** Sends an event to every window that may read its channel. Never waits, never throws. */
  publish(event: LiveEvent): void {
    this.#show(event);
    // Every process hears of lines by itself.
    if (event.type !== "queue") this.#tell({ event });
  }

  /** A reply was stored as it is: who has lost track of it has it whole again. */
  stored(message: ChatMessage): void {
    this.#tell({ event: { type: "message", channel: message.channel, message } });
  }

  #tell(told: Told): void {
    this.#processes.tell(topic, told as unknown as Json);
  }

  #show(event: LiveEvent): void {
    this.#sequence += 1;
    const channel = "channel" in event ? event.channel : undefined;
    const frame = `id: ${this.#bootId}.${this.#sequence}\ndata: ${JSON.stringify(event)}\n\n`;
    this.#keep({ sequence: this.#sequence, channel, frame });
    for (const window of this.#windows) {
      if (channel === undefined || window.mayRead(channel)) window.send(frame);
    }
  }

  /** A message as it is now: a reply being written is further than what is stored of it. */
  newest(stored: ChatMessage): ChatMessage;
  newest(stored: ChatMessage | undefined): ChatMessage | undefined;
  newest(stored: ChatMessage | undefined): ChatMessage | undefined {
    if (!stored) return undefined;
    const written = this.#open.get(stored.id) ?? this.#copies.find(stored.id);
    return written && written.version > stored.version ? written : stored;
  }

  hold(message: ChatMessage): void {
    this.#open.set(message.id, message);
  }

  release(id: string): void {
    this.#open.delete(id);
    this.#tell({ released: id });
  }

  /** The body of an event stream. Ends when the window goes away or {@link close} is called. */
  subscribe(options: {
    readonly mayRead: (channel: string) => boolean;
    readonly lastEventId: string | undefined;
    readonly signal: AbortSignal;
  }): ReadableStream<Uint8Array> {
    let window: Window | undefined;
    const leave = () => {
      if (window) this.#windows.delete(window);
      this.#beat();
    };
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          const send = (frame: string) => {
            const bytes = this.#encoder.encode(frame);
            if ((controller.desiredSize ?? 0) < -maxUnreadBytes) {
              close();
              return;
            }
            controller.enqueue(bytes);
          };
          const close = () => {
            leave();
            try {
              controller.close();
            } catch {
              // It is closed already.
            }
          };
          window = { mayRead: options.mayRead, send, close };
          send(`retry: ${reconnectMs}\n\n`);
          for (const frame of this.#missed(options.lastEventId, options.mayRead)) send(frame);
          this.#windows.add(window);
          this.#beat();
          options.signal.addEventListener("abort", close, { once: true });
          if (options.signal.aborted) close();
        },
        cancel: leave,
      },
      new ByteLengthQueuingStrategy({ highWaterMark: 64 * 1024 }),
    );
  }

  /** Ends every stream, so that the server can close. */
  close(): void {
    for (const window of [...this.#windows]) window.close();
  }

  #keep(event: SentEvent): void {
    this.#kept.push(event);
    this.#keptCharacters += event.frame.length;
    if (this.#kept.length <= mostKeptEvents && this.#keptCharacters <= mostKeptCharacters) return;
    // Half at a time, so that keeping an event costs the same however many there are.
    const dropped = this.#kept.slice(0, Math.ceil(this.#kept.length / 2));
    this.#kept = this.#kept.slice(dropped.length);
    for (const { frame } of dropped) this.#keptCharacters -= frame.length;
  }

  #missed(
    lastEventId: string | undefined,
    mayRead: (channel: string) => boolean,
  ): readonly string[] {
    const reset: LiveEvent = { type: "reset" };
    const anew = [`id: ${this.#bootId}.${this.#sequence}\ndata: ${JSON.stringify(reset)}\n\n`];
    const [bootId, sequence] = (lastEventId ?? "").split(".");
    const last = Number(sequence);
    if (bootId !== this.#bootId || !Number.isInteger(last) || last > this.#sequence) return anew;
    const oldest = this.#kept[0]?.sequence ?? this.#sequence + 1;
    if (last + 1 < oldest) return anew;
    return this.#kept
      .filter((event) => event.sequence > last)
      .filter(({ channel }) => channel === undefined || mayRead(channel))
      .map(({ frame }) => frame);
  }

  /** Comments keep proxies from closing a quiet stream; nobody to tell, no timer. */
  #beat(): void {
    if (this.#windows.size === 0) {
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
      return;
    }
    this.#heartbeat ??= setInterval(() => {
      for (const window of [...this.#windows]) window.send(": still here\n\n");
    }, heartbeatMs);
    this.#heartbeat.unref();
  }
}
