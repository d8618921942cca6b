import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import { KeyedMutex } from "#domain/promises";
import type { Ledger } from "#ports/ledger";
import type { RecordStore } from "#ports/record-store";
import type { ChatChannel, ChatMessage, ChatPerson, MessagePage, ThreadSummary } from "./wire.ts";

const maxChannels = 500;
const maxPeople = 500;
const maxSweptThreads = 10_000;

/** What the history needs. */
export interface HistoryParts {
  readonly ledger: Ledger;
  readonly records: RecordStore;
  readonly now: () => number;
}

/** Where a message is added, without what the history gives it. */
export type NewChatMessage = Omit<ChatMessage, "order" | "version" | "thread">;

/**
 * The console's channels, people and messages, kept in the bot's own stores.
 *
 * A message is a record by its id; rankings by order say which messages a channel or a thread has.
 * Everything is durable when it resolves, and adding the same message twice adds it once.
 */
export class History {
  readonly #parts: HistoryParts;
  /** One change at a time for each message. */
  readonly #changes = new KeyedMutex();
  #lastStamp = 0;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  /**
   * A number greater than all before, also than those before a restart, and than `after`, which
   * another process may have given: microseconds of the clock.
   */
  stamp(after = 0): number {
    this.#lastStamp = Math.max(this.#parts.now() * 1000, this.#lastStamp + 1, after + 1);
    return this.#lastStamp;
  }

  /** The channels everybody sees, by name. */
  async channels(): Promise<readonly ChatChannel[]> {
    const names = await this.#parts.ledger.names(channelPrefix, { limit: maxChannels });
    const registers = await Promise.all(names.map((name) => this.#parts.ledger.read(name)));
    return names.flatMap((name, index) => {
      const value = registers[index]?.value;
      if (value === undefined) return [];
      const id = name.slice(channelPrefix.length);
      return [{ id, name: nameIn(value) ?? id, isDirect: false }];
    });
  }

  async channel(id: string): Promise<ChatChannel | undefined> {
    const register = await this.#parts.ledger.read(channelPrefix + id);
    if (!register) return undefined;
    return { id, name: nameIn(register.value) ?? id, isDirect: false };
  }

  /** False when there is a channel with that id already. */
  async createChannel(channel: ChatChannel): Promise<boolean> {
    const value = { name: channel.name, createdAtMs: this.#parts.now() };
    return this.#parts.ledger.apply({
      registers: [{ name: channelPrefix + channel.id, value, ifVersion: 0 }],
    });
  }

  /** Everybody who ever spoke here. */
  async people(): Promise<readonly ChatPerson[]> {
    const names = await this.#parts.ledger.names(personPrefix, { limit: maxPeople });
    const registers = await Promise.all(names.map((name) => this.#parts.ledger.read(name)));
    return names.map((name, index) => {
      const key = name.slice(personPrefix.length);
      return { key, name: nameIn(registers[index]?.value) ?? key };
    });
  }

  /** True when the person was not known before. */
  async rememberPerson(person: ChatPerson): Promise<boolean> {
    const name = personPrefix + person.key;
    return this.#parts.ledger.apply({
      registers: [{ name, value: { name: person.name }, ifVersion: 0 }],
    });
  }

  async message(id: string): Promise<ChatMessage | undefined> {
    return fromRecord(await this.#parts.records.read(messagePrefix + id));
  }

  /** The newest messages before `before` (an order), oldest first. `root` null: of the channel itself. */
  async page(where: {
    readonly channel: string;
    readonly root: string | null;
    readonly before?: number;
    readonly limit: number;
  }): Promise<MessagePage> {
    const ranked = await this.#parts.ledger.ranked(rankingOf(where.channel, where.root), {
      ...(where.before === undefined ? {} : { to: where.before - 1 }),
      limit: where.limit + 1,
      highestFirst: true,
    });
    const wanted = ranked.slice(0, where.limit).reverse();
    const records = await this.#parts.records.readMany(
      wanted.map(({ member }) => messagePrefix + member),
    );
    const messages = records.flatMap((record) => fromRecord(record) ?? []);
    return {
      messages: await Promise.all(messages.map((message) => this.#withThread(message))),
      hasOlder: ranked.length > where.limit,
    };
  }

  /** The roots of the threads something was said in last, newest first. */
  async threads(limit: number): Promise<readonly ChatMessage[]> {
    const ranked = await this.#parts.ledger.ranked(threadsRanking, { limit, highestFirst: true });
    const records = await this.#parts.records.readMany(
      ranked.map(({ member }) => messagePrefix + member),
    );
    const roots = records.flatMap((record) => fromRecord(record) ?? []);
    return Promise.all(roots.map((root) => this.#withThread(root)));
  }

  /** How much was said below a message; undefined when nothing was. */
  async summary(channel: string, root: string): Promise<ThreadSummary | undefined> {
    const [counts, newest] = await Promise.all([
      this.#parts.ledger.counts(countsOf(channel, root)),
      this.#parts.ledger.ranked(rankingOf(channel, root), { limit: 1, highestFirst: true }),
    ]);
    const last = newest[0];
    if (!last || !counts.replies) return undefined;
    return { replies: counts.replies, lastAtMs: Math.floor(last.score / 1000) };
  }

  /** True once the bot has been called into the thread. */
  async isBotIn(channel: string, root: string): Promise<boolean> {
    return (await this.#parts.ledger.read(botIn(channel, root))) !== undefined;
  }

  async letBotIn(channel: string, root: string): Promise<void> {
    await this.#parts.ledger.apply({
      registers: [
        { name: botIn(channel, root), value: { sinceMs: this.#parts.now() }, ifVersion: 0 },
      ],
    });
  }

  /** Adds a message, or gives the one that was added under its id before. */
  async add(message: NewChatMessage): Promise<ChatMessage> {
    const { message: added, stored } = await this.begin(message);
    await stored;
    return added;
  }

  /**
   * The same for who has more to store with it: resolves as soon as it is known what is added;
   * `stored` once that is durable. What is handed over in the same turn shares one write to disk.
   */
  async begin(
    message: NewChatMessage,
  ): Promise<{ readonly message: ChatMessage; readonly stored: Promise<unknown> }> {
    const begun = Promise.withResolvers<ChatMessage>();
    const stored = this.#changes.runExclusive(message.id, async () => {
      const known = await this.message(message.id);
      const order = known?.order ?? this.stamp();
      const added = known ?? { ...message, order, version: order };
      begun.resolve(added);
      if (known && (await this.#isRanked(known))) return;
      const { channel, root, reply } = added;
      await Promise.all([
        known ? undefined : this.#parts.records.write(messagePrefix + added.id, toRecord(added)),
        this.#parts.ledger.apply({
          ...(reply ? { registers: [{ name: replyPrefix + reply.runId, value: added.id }] } : {}),
          ranks: [
            { ranking: rankingOf(channel, root), member: added.id, score: order },
            ...(root === null ? [] : [{ ranking: threadsRanking, member: root, score: order }]),
          ],
          counts:
            root === null ? [] : [{ counter: countsOf(channel, root), field: "replies", by: 1 }],
        }),
      ]);
    });
    stored.catch(begun.reject);
    return { message: await begun.promise, stored };
  }

  /** Changes a message; undefined when there is none, or `change` says there is nothing to do. */
  async change(
    id: string,
    change: (message: ChatMessage) => ChatMessage | undefined,
  ): Promise<ChatMessage | undefined> {
    return this.#changes.runExclusive(id, async () => {
      const message = await this.message(id);
      const changed = message && change(message);
      if (!changed) return undefined;
      const { thread: _, ...rest } = changed;
      const stored = { ...rest, version: this.stamp(message.version) };
      await this.#parts.records.write(messagePrefix + id, toRecord(stored));
      return this.#withThread(stored);
    });
  }

  /** Stores a message of which the caller has the only newest version (an open reply). */
  async write(message: ChatMessage): Promise<void> {
    await this.#changes.runExclusive(message.id, () =>
      this.#parts.records.write(messagePrefix + message.id, toRecord(message)),
    );
  }

  async remove(message: ChatMessage): Promise<void> {
    await this.#changes.runExclusive(message.id, async () => {
      const { channel, root, reply } = message;
      if (await this.#isRanked(message)) {
        await this.#parts.ledger.apply({
          ...(reply ? { registers: [{ name: replyPrefix + reply.runId, value: null }] } : {}),
          ranks: [{ ranking: rankingOf(channel, root), member: message.id, score: null }],
          counts:
            root === null ? [] : [{ counter: countsOf(channel, root), field: "replies", by: -1 }],
        });
      }
      await this.#parts.records.remove(messagePrefix + message.id);
    });
  }

  /** The message a run's reply is shown in. */
  async replyOf(runId: string): Promise<ChatMessage | undefined> {
    const id = (await this.#parts.ledger.read(replyPrefix + runId))?.value;
    return typeof id === "string" ? this.message(id) : undefined;
  }

  /** Up to `limit` messages sent before a time, replies before what they hang on. */
  async olderThan(beforeMs: number, limit: number): Promise<readonly ChatMessage[]> {
    const { ledger } = this.#parts;
    const to = beforeMs * 1000;
    const found: ChatMessage[] = [];
    for (const { member } of await ledger.ranked(threadsRanking, { limit: maxSweptThreads })) {
      const root = await this.message(member);
      if (!root) continue;
      const replies = await ledger.ranked(rankingOf(root.channel, root.id), { to, limit });
      found.push(...(await this.#messages(replies.map((reply) => reply.member))));
      if (found.length >= limit) return found;
    }
    const channels = (await this.channels()).map(({ id }) => id);
    const direct = (await this.people()).map(({ key }) => `@${key.slice("web:".length)}`);
    for (const channel of [...channels, ...direct]) {
      const old = await ledger.ranked(rankingOf(channel, null), { to, limit });
      found.push(...(await this.#messages(old.map(({ member }) => member))));
      if (found.length >= limit) return found;
    }
    return found;
  }

  /** The thread on a message is over: nothing of it is left to list. */
  async closeThread(channel: string, root: string): Promise<void> {
    await this.#parts.ledger.apply({
      registers: [{ name: botIn(channel, root), value: null }],
      ranks: [{ ranking: threadsRanking, member: root, score: null }],
      removes: [rankingOf(channel, root), countsOf(channel, root)],
    });
  }

  async #messages(ids: readonly string[]): Promise<readonly ChatMessage[]> {
    const records = await this.#parts.records.readMany(ids.map((id) => messagePrefix + id));
    return records.flatMap((record) => fromRecord(record) ?? []);
  }

  async #withThread(message: ChatMessage): Promise<ChatMessage> {
    if (message.root !== null) return message;
    const thread = await this.summary(message.channel, message.id);
    return thread ? { ...message, thread } : message;
  }

  async #isRanked(message: ChatMessage): Promise<boolean> {
    const { channel, root, order } = message;
    const found = await this.#parts.ledger.ranked(rankingOf(channel, root), {
      from: order,
      to: order,
      limit: 100,
    });
    return found.some(({ member }) => member === message.id);
  }
}

const channelPrefix = "web/channel/";
const personPrefix = "web/person/";
const threadsRanking = "web/threads";
const messagePrefix = "web:message:";
const replyPrefix = "web/reply-of/";

function rankingOf(channel: string, root: string | null): string {
  return root === null ? `web/messages/${channel}` : `web/thread/${channel}/${root}`;
}

function countsOf(channel: string, root: string): string {
  return `web/thread-counts/${channel}/${root}`;
}

function botIn(channel: string, root: string): string {
  return `web/bot-in/${channel}/${root}`;
}

function nameIn(value: Json | undefined): string | undefined {
  if (typeof value !== "object" || value === null || !("name" in value)) return undefined;
  return typeof value.name === "string" ? value.name : undefined;
}

/** Messages are plain data by construction; only their interfaces do not say so. */
function toRecord(message: ChatMessage): Json {
  return { v: 1, message: message as unknown as Json };
}

function fromRecord(record: Json | undefined): ChatMessage | undefined {
  if (record === undefined) return undefined;
  if (typeof record !== "object" || record === null || !("v" in record) || record.v !== 1) {
    throw new BotError("store-unavailable", { detail: "A stored chat message has another shape." });
  }
  return (record as unknown as { readonly message: ChatMessage }).message;
}
