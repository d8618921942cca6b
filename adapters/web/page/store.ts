import type {
  ChatChannel,
  ChatMessage,
  ConsoleState,
  LiveDelta,
  LiveEvent,
  MessagePage,
  QueueLine,
  Words,
} from "../wire.ts";
import type { Api } from "./api.ts";
import { grown } from "./growth.ts";

/** What changed, for those who draw it. */
export type Change =
  | { readonly type: "message"; readonly message: ChatMessage; readonly isNew: boolean }
  | { readonly type: "list"; readonly key: string }
  | { readonly type: "queue" }
  | { readonly type: "channels" }
  | { readonly type: "people" }
  | { readonly type: "reset" };

/** Words of the bot to this window alone. */
export interface Whisper {
  readonly id: string;
  readonly order: number;
  readonly about: string;
  readonly words: Words;
}

/** The messages of a channel, or of one thread in it, as far as they are loaded. */
export interface Timeline {
  readonly channel: string;
  readonly root: string | null;
  ids: Set<string>;
  hasOlder: boolean;
  isLoaded: boolean;
  whispers: Whisper[];
}

/** Names a timeline. */
export function timelineKey(channel: string, root: string | null): string {
  return `${channel}/${root ?? ""}`;
}

/** Everything this window knows; events and loads keep it in step with the server. */
export class Store {
  state: ConsoleState;
  readonly #api: Api;
  readonly #messages = new Map<string, ChatMessage>();
  readonly #removed = new Set<string>();
  readonly #timelines = new Map<string, Timeline>();
  readonly #queue = new Map<string, number>();
  readonly #lines = new Map<string, QueueLine>();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #fetching = new Set<string>();
  #whispers = 0;

  constructor(api: Api, state: ConsoleState) {
    this.#api = api;
    this.state = state;
    this.#setQueues(state.queues);
  }

  listen(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  message(id: string): ChatMessage | undefined {
    return this.#messages.get(id);
  }

  channel(id: string): ChatChannel | undefined {
    return this.state.channels.find((channel) => channel.id === id);
  }

  /** Messages before this one; undefined when it does not wait. */
  queuePosition(messageId: string): number | undefined {
    return this.#queue.get(messageId);
  }

  timeline(channel: string, root: string | null): Timeline {
    const key = timelineKey(channel, root);
    const known = this.#timelines.get(key);
    if (known) return known;
    const timeline: Timeline = {
      channel,
      root,
      ids: new Set(),
      hasOlder: false,
      isLoaded: false,
      whispers: [],
    };
    this.#timelines.set(key, timeline);
    return timeline;
  }

  /** The loaded messages in order. */
  messagesOf(timeline: Timeline): readonly ChatMessage[] {
    return [...timeline.ids]
      .flatMap((id) => this.#messages.get(id) ?? [])
      .sort((a, b) => a.order - b.order);
  }

  /** Loads the newest page, or the one before what is loaded. */
  async load(channel: string, root: string | null, older = false): Promise<void> {
    const timeline = this.timeline(channel, root);
    const before = older ? this.messagesOf(timeline)[0]?.order : undefined;
    const page = await this.#api.messages(channel, root, before);
    this.#takePage(timeline, page, older);
    if (root !== null && !this.#messages.has(root)) await this.#fetch(root);
    this.#tell({ type: "list", key: timelineKey(channel, root) });
  }

  whisper(channel: string, root: string | null, about: string, words: Words): void {
    const timeline = this.timeline(channel, root);
    this.#whispers += 1;
    const last = this.messagesOf(timeline).at(-1)?.order ?? 0;
    const order = Math.max(last, Date.now() * 1000) + this.#whispers / 1000;
    timeline.whispers.push({ id: `whisper-${this.#whispers}`, order, about, words });
    this.#tell({ type: "list", key: timelineKey(channel, root) });
  }

  dismiss(timeline: Timeline, whisperId: string): void {
    timeline.whispers = timeline.whispers.filter(({ id }) => id !== whisperId);
    this.#tell({ type: "list", key: timelineKey(timeline.channel, timeline.root) });
  }

  /** Takes a message the server answered with, without waiting for its event. */
  take(message: ChatMessage): void {
    this.#put(message);
  }

  /** A channel this window has just created, without waiting for its event. */
  addChannel(channel: ChatChannel): void {
    if (this.channel(channel.id)) return;
    this.state = { ...this.state, channels: [channel, ...this.state.channels] };
    this.#tell({ type: "channels" });
  }

  apply(event: LiveEvent): void {
    switch (event.type) {
      case "reset":
        this.#reload().catch(() => {});
        return;
      case "message":
        this.#put(event.message);
        return;
      case "delta":
        this.#grow(event);
        return;
      case "remove":
        this.#remove(event.id);
        return;
      case "thread": {
        const root = this.#messages.get(event.root);
        if (!root) return;
        const { thread: _, ...rest } = root;
        const summary = event.summary.replies > 0 ? { thread: event.summary } : {};
        const message = { ...rest, ...summary };
        this.#messages.set(root.id, message);
        this.#tell({ type: "message", message, isNew: false });
        return;
      }
      case "queue":
        this.#lines.set(event.line.conversationKey, event.line);
        this.#setQueues([...this.#lines.values()]);
        this.#tell({ type: "queue" });
        return;
      case "channels": {
        const direct = this.state.channels.filter((channel) => channel.isDirect);
        this.state = { ...this.state, channels: [...event.channels, ...direct] };
        this.#tell({ type: "channels" });
        return;
      }
      case "people":
        this.state = { ...this.state, people: event.people };
        this.#tell({ type: "people" });
        return;
    }
  }

  async #reload(): Promise<void> {
    this.state = await this.#api.state();
    this.#lines.clear();
    this.#setQueues(this.state.queues);
    for (const timeline of this.#timelines.values()) {
      if (!timeline.isLoaded) continue;
      const page = await this.#api.messages(timeline.channel, timeline.root);
      timeline.ids = new Set();
      this.#takePage(timeline, page, false);
      if (timeline.root !== null) await this.#fetch(timeline.root);
    }
    this.#tell({ type: "reset" });
  }

  #takePage(timeline: Timeline, page: MessagePage, older: boolean): void {
    for (const message of page.messages) {
      if (this.#removed.has(message.id)) continue;
      const known = this.#messages.get(message.id);
      if (!known || known.version <= message.version) this.#messages.set(message.id, message);
      timeline.ids.add(message.id);
    }
    if (older || !timeline.isLoaded || timeline.ids.size <= page.messages.length) {
      timeline.hasOlder = page.hasOlder;
    }
    timeline.isLoaded = true;
  }

  #put(message: ChatMessage): void {
    const known = this.#messages.get(message.id);
    if (this.#removed.has(message.id)) return;
    if (known && known.version >= message.version) return;
    const thread = message.thread ?? known?.thread;
    const merged = thread ? { ...message, thread } : message;
    this.#messages.set(message.id, merged);
    const timeline = this.#timelines.get(timelineKey(message.channel, message.root));
    if (timeline && !timeline.ids.has(message.id)) {
      timeline.ids.add(message.id);
      this.#tell({ type: "list", key: timelineKey(message.channel, message.root) });
    }
    this.#tell({ type: "message", message: merged, isNew: !known });
  }

  #grow(delta: LiveDelta): void {
    const known = this.#messages.get(delta.id);
    if (!known?.reply || delta.version <= known.version) return;
    const message = grown(known, delta);
    if (!message) {
      this.#fetch(delta.id).catch(() => {});
      return;
    }
    this.#messages.set(delta.id, message);
    this.#tell({ type: "message", message, isNew: false });
  }

  #remove(id: string): void {
    this.#removed.add(id);
    const known = this.#messages.get(id);
    if (!known) return;
    this.#messages.delete(id);
    const key = timelineKey(known.channel, known.root);
    this.#timelines.get(key)?.ids.delete(id);
    this.#tell({ type: "list", key });
  }

  async #fetch(id: string): Promise<void> {
    if (this.#fetching.has(id)) return;
    this.#fetching.add(id);
    try {
      this.#put(await this.#api.message(id));
    } finally {
      this.#fetching.delete(id);
    }
  }

  #setQueues(lines: readonly QueueLine[]): void {
    this.#queue.clear();
    for (const line of lines) {
      this.#lines.set(line.conversationKey, line);
      for (const { messageId, position } of line.waiting) this.#queue.set(messageId, position);
    }
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}
