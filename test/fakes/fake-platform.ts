import { BotError, isOutage } from "#domain/errors";
import type { Attachment, IncomingMessage } from "#domain/message";
import type { ReplyView } from "#domain/reply-view";
import type { Bot, MessageAnswer } from "#ports/bot";
import type {
  ChannelNote,
  EndedReply,
  Platform,
  Reply,
  ReplyJournal,
  ReplyTarget,
  SegmentIntent,
  ShownSegment,
} from "#ports/platform";

/** One platform message of the bot, as a person sees it now. */
export interface SeenMessage {
  readonly id: string;
  readonly conversationKey: string;
  readonly runId: string;
  readonly text: string;
  /** Set when the message is a delivered file. */
  readonly file?: { readonly id: string; readonly name: string; readonly data: Uint8Array };
  /** The view it was drawn from: controls, notices, steps. */
  readonly view: ReplyView;
}

/** What a person sees of one run's reply, all its messages together. */
export interface SeenReply {
  readonly text: string;
  readonly messageIds: readonly string[];
  readonly files: readonly { readonly name: string; readonly data: Uint8Array }[];
  /** The newest view drawn; undefined when nothing is shown. */
  readonly view: ReplyView | undefined;
}

/** A message as its platform gives it back. */
export interface SentMessage {
  readonly id: string;
  readonly intentId: string;
  readonly text: string;
}

/** Where a {@link FakePlatform} makes things visible. */
export interface Screen {
  /** True: nothing can be shown for now. */
  readonly isAway?: boolean;
  create(intentId: string, message: Omit<SeenMessage, "id">): Promise<string>;
  edit(id: string, change: { text: string; view: ReplyView }): Promise<void>;
  remove(id: string): Promise<void>;
  /** What a platform answers when asked whether a create happened. */
  findByIntent(intentId: string): Promise<string | undefined>;
  openAttachment(id: string): Promise<Uint8Array | undefined>;
  /** What a platform answers when asked what a run shows. */
  shownBy?(runId: string): Promise<readonly SentMessage[]>;
  /** Told what is said in a channel that is no reply. */
  note?(note: ChannelNote): void;
  /** Told what is deleted for good. */
  forget?(said: Forgotten): void;
}

/** What a platform was told to delete for good. */
export interface Forgotten {
  readonly eventIds: readonly string[];
  readonly runIds: readonly string[];
}

/**
 * The world outside: what people see, and what they attached. It outlives any bot; a second
 * {@link FakePlatform} over the same screen is the bot started again.
 */
export class FakeScreen implements Screen {
  readonly attachments = new Map<string, Uint8Array>();
  readonly forgotten: Forgotten[] = [];
  /** What was said in channels that is no reply. */
  readonly notes: ChannelNote[] = [];
  isAway = false;
  /** Every visible write in order: what was created, changed and removed. */
  readonly writes: {
    readonly type: "create" | "edit" | "remove";
    readonly id: string;
    readonly text: string;
  }[] = [];
  /** Called before every visible write; to hold one up, or to fail it. */
  onWrite: ((write: { readonly type: "create" | "edit" | "remove" }) => Promise<void>) | undefined;
  readonly #messages = new Map<string, SeenMessage>();
  /** The ids of messages, by conversation and by run: thousands may be there. */
  readonly #ofConversation = new Map<string, Set<string>>();
  readonly #ofRun = new Map<string, Set<string>>();
  readonly #byIntent = new Map<string, string>();
  readonly #intents = new Map<string, string>();
  #lastId = 0;

  note(note: ChannelNote): void {
    this.notes.push(note);
  }

  /** Everything the bot shows in a conversation, in order. */
  messages(conversationKey?: string): readonly SeenMessage[] {
    if (conversationKey === undefined) return [...this.#messages.values()];
    return this.#those(this.#ofConversation.get(conversationKey));
  }

  message(id: string): SeenMessage | undefined {
    return this.#messages.get(id);
  }

  /** The runs that show something, in order of their first message. */
  runIds(): readonly string[] {
    return [...new Set(this.messages().map(({ runId }) => runId))];
  }

  reply(runId: string): SeenReply {
    const own = this.#those(this.#ofRun.get(runId));
    return {
      text: own.map((message) => message.text).join(""),
      messageIds: own.map((message) => message.id),
      files: own.flatMap(({ file }) => (file ? [{ name: file.name, data: file.data }] : [])),
      view: own.at(-1)?.view,
    };
  }

  forget(said: Forgotten): void {
    this.forgotten.push(said);
  }

  async create(intentId: string, message: Omit<SeenMessage, "id">): Promise<string> {
    await this.onWrite?.({ type: "create" });
    this.#lastId += 1;
    const id = `m${this.#lastId}`;
    this.#messages.set(id, { ...message, id });
    addTo(this.#ofConversation, message.conversationKey, id);
    addTo(this.#ofRun, message.runId, id);
    this.#byIntent.set(intentId, id);
    this.#intents.set(id, intentId);
    this.writes.push({ type: "create", id, text: message.text });
    return id;
  }

  async edit(id: string, change: { text: string; view: ReplyView }): Promise<void> {
    await this.onWrite?.({ type: "edit" });
    const message = this.#messages.get(id);
    if (!message) throw new BotError("reply-impossible", { detail: `Message ${id} is gone.` });
    this.#messages.set(id, { ...message, ...change });
    this.writes.push({ type: "edit", id, text: change.text });
  }

  async remove(id: string): Promise<void> {
    await this.onWrite?.({ type: "remove" });
    const message = this.#messages.get(id);
    if (message) this.#ofConversation.get(message.conversationKey)?.delete(id);
    if (message) this.#ofRun.get(message.runId)?.delete(id);
    this.#messages.delete(id);
    this.writes.push({ type: "remove", id, text: "" });
  }

  async findByIntent(intentId: string): Promise<string | undefined> {
    return this.#byIntent.get(intentId);
  }

  async shownBy(runId: string): Promise<readonly SentMessage[]> {
    const own = this.#those(this.#ofRun.get(runId));
    return own.map(({ id, text }) => ({ id, text, intentId: this.#intents.get(id) ?? "" }));
  }

  async openAttachment(id: string): Promise<Uint8Array | undefined> {
    return this.attachments.get(id);
  }

  #those(ids: ReadonlySet<string> | undefined): readonly SeenMessage[] {
    return [...(ids ?? [])].flatMap((id) => this.#messages.get(id) ?? []);
  }
}

function addTo(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids) ids.add(id);
  else index.set(key, new Set([id]));
}

/** How the fake platform behaves. */
export interface FakePlatformOptions {
  readonly name?: string;
  readonly screen?: Screen;
  /** The longest message it shows; longer text goes on in further messages. Default: no limit. */
  readonly charactersPerMessage?: number;
}

/**
 * A platform in memory that keeps the whole discipline of replies (journal, lease, newest wins,
 * going on after a crash) and records what a person sees on its {@link FakeScreen}.
 */
export class FakePlatform implements Platform {
  readonly name: string;
  readonly screen: Screen;
  readonly #limit: number;
  #bot: Bot | undefined;
  #isConnected = false;
  #isDead = false;

  constructor(options: FakePlatformOptions = {}) {
    this.name = options.name ?? "fake";
    this.screen = options.screen ?? new FakeScreen();
    this.#limit = options.charactersPerMessage ?? Number.POSITIVE_INFINITY;
  }

  async start(bot: Bot): Promise<void> {
    this.#bot = bot;
    this.#isConnected = true;
  }

  async stop(): Promise<void> {
    this.#isConnected = false;
  }

  isConnected(): boolean {
    return this.#isConnected;
  }

  canShow(): boolean {
    return this.screen.isAway !== true;
  }

  /** Like kill -9: whatever it was about to show is never shown. */
  kill(): void {
    this.#isDead = true;
    this.#isConnected = false;
  }

  /** A person writes; resolves with what the bot said to the delivery. */
  async say(message: IncomingMessage): Promise<MessageAnswer> {
    return this.#startedBot().message(message);
  }

  async notify(note: ChannelNote): Promise<void> {
    this.screen.note?.(note);
  }

  openReply(to: ReplyTarget, journal: ReplyJournal): Reply {
    return this.#replyTo(to, journal);
  }

  lookAgain(ended: EndedReply): Promise<void> {
    return this.#replyTo(ended.to, ended.journal).lookAgain(ended);
  }

  #replyTo(to: ReplyTarget, journal: ReplyJournal): FakeReply {
    return new FakeReply({
      screen: this.screen,
      limit: this.#limit,
      bot: () => this.#startedBot(),
      isDead: () => this.#isDead,
      to,
      journal,
    });
  }

  async forget(said: Forgotten): Promise<void> {
    this.screen.forget?.(said);
  }

  async openFile(file: Attachment): Promise<ReadableStream<Uint8Array>> {
    const data = await this.screen.openAttachment(file.id);
    if (!data) {
      throw new BotError("file-unavailable", { detail: `${file.name} is not there any more.` });
    }
    return new Blob([Uint8Array.from(data)]).stream();
  }

  #startedBot(): Bot {
    if (!this.#bot) throw new Error("the platform was not started");
    return this.#bot;
  }
}

interface FakeReplyParts {
  readonly screen: Screen;
  readonly limit: number;
  readonly bot: () => Bot;
  readonly isDead: () => boolean;
  readonly to: ReplyTarget;
  readonly journal: ReplyJournal;
}

class FakeReply implements Reply {
  readonly #parts: FakeReplyParts;
  readonly #segments = new Map<number, ShownSegment>();
  readonly #doubtful: Map<number, SegmentIntent>;
  #newest: ReplyView | undefined;
  #drawing: Promise<void> | undefined;
  #failure: unknown;
  #isFinished = false;

  constructor(parts: FakeReplyParts) {
    this.#parts = parts;
    for (const segment of parts.journal.saved) this.#segments.set(segment.index, segment);
    this.#doubtful = new Map(parts.journal.doubtful.map((intent) => [intent.index, intent]));
  }

  show(view: ReplyView): void {
    if (this.#isFinished || this.#failure !== undefined) return;
    this.#newest = view;
    this.#drawing ??= this.#drawNewest();
  }

  async settle(): Promise<void> {
    await this.#drawing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async finish(view: ReplyView): Promise<void> {
    this.show(view);
    this.#isFinished = true;
    await this.settle();
  }

  async lookAgain({ view, inherited, isOwnIntent }: EndedReply): Promise<void> {
    const { screen, to } = this.#parts;
    const known = new Set([...this.#segments.values()].map(({ id }) => id));
    for (const { id, intentId, text } of (await screen.shownBy?.(to.runId)) ?? []) {
      if (!known.has(id) && isOwnIntent(intentId)) await screen.remove(id);
      const segment = [...this.#segments.values()].find((one) => one.id === id);
      if (!segment || !inherited.has(id) || segment.content.type !== "text") continue;
      const right = textOf(segment.content, view);
      if (text !== right) await screen.edit(id, { text: right, view });
    }
  }

  /** Never rejects: what went wrong is kept for `settle` and `finish`. */
  async #drawNewest(): Promise<void> {
    try {
      // Lets everything shown in the same tick be drawn once.
      await Promise.resolve();
      for (let view = this.#newest; view; view = this.#newest) {
        this.#newest = undefined;
        await this.#drawThroughOutages(view);
      }
    } catch (error) {
      this.#failure = error;
    } finally {
      // In the same step as the last look at #newest, so that no view falls in between.
      this.#drawing = undefined;
    }
  }

  /** What could not be written down is shown a little later; at its end a reply must know. */
  async #drawThroughOutages(view: ReplyView): Promise<void> {
    try {
      await this.#draw(view);
    } catch (error) {
      if (!isOutage(error) || this.#isFinished) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
      this.#newest ??= view;
    }
  }

  async #draw(view: ReplyView): Promise<void> {
    const wanted = view.removed ? [] : contentsOf(view, this.#parts.limit, this.#isFinished);
    for (const [index, content] of wanted.entries()) {
      const isLast = index === wanted.length - 1;
      await this.#drawSegment({ index, content, view, closed: this.#isFinished || !isLast });
    }
    const surplus = [...this.#segments.keys()].filter((index) => index >= wanted.length);
    for (const index of surplus.sort((a, b) => b - a)) await this.#remove(index);
    for (const index of [...this.#doubtful.keys()].filter((index) => index >= wanted.length)) {
      await this.#removeDoubtful(index);
    }
  }

  async #drawSegment(wanted: {
    index: number;
    content: ShownSegment["content"];
    view: ReplyView;
    closed: boolean;
  }): Promise<void> {
    const { index, content, view, closed } = wanted;
    const { screen, journal } = this.#parts;
    const known = this.#segments.get(index) ?? (await this.#recover(index));
    if (known && known.content.type !== content.type) {
      await this.#remove(index);
      await this.#create(index, content, view, closed);
      return;
    }
    if (!known) {
      await this.#create(index, content, view, closed);
      return;
    }
    if (content.type === "file") return;
    await this.#assertMayWrite();
    await screen.edit(known.id, { text: textOf(content, view), view });
    const segment = { ...known, content, closed, revision: view.revision };
    if (isNews(segment, known)) await journal.after(segment);
    this.#segments.set(index, segment);
  }

  /** A create of an earlier attempt whose outcome nobody wrote down. */
  async #recover(index: number): Promise<ShownSegment | undefined> {
    const intent = this.#doubtful.get(index);
    if (!intent) return undefined;
    this.#doubtful.delete(index);
    const id = await this.#parts.screen.findByIntent(intent.intentId);
    if (id === undefined) {
      await this.#parts.journal.drop(index);
      return undefined;
    }
    const { content, revision } = intent;
    const segment: ShownSegment = { index, id, content, revision, closed: false };
    await this.#parts.journal.after(segment);
    this.#segments.set(index, segment);
    return segment;
  }

  async #create(
    index: number,
    content: ShownSegment["content"],
    view: ReplyView,
    closed: boolean,
  ): Promise<void> {
    const { screen, journal, to } = this.#parts;
    const intentId = journal.intentId(index, view.revision);
    const { revision } = view;
    await journal.before({ index, content, revision, intentId, atMs: Date.now() });
    await this.#assertMayWrite();
    const message = { conversationKey: to.conversationKey, runId: to.runId, view };
    const id = await screen.create(intentId, {
      ...message,
      text: textOf(content, view),
      ...(await this.#fileOf(content, view)),
    });
    const segment: ShownSegment = { index, id, content, revision, closed };
    await journal.after(segment);
    this.#segments.set(index, segment);
  }

  async #fileOf(
    content: ShownSegment["content"],
    view: ReplyView,
  ): Promise<Pick<SeenMessage, "file">> {
    if (content.type !== "file") return {};
    const file = view.files.find((one) => one.id === content.fileId);
    if (!file) return {};
    const bytes = await new Response(await this.#parts.bot().openFile(file)).bytes();
    return { file: { id: file.id, name: file.name, data: bytes } };
  }

  async #remove(index: number): Promise<void> {
    const segment = this.#segments.get(index);
    if (!segment) return;
    await this.#assertMayWrite();
    await this.#parts.screen.remove(segment.id);
    await this.#parts.journal.drop(index);
    this.#segments.delete(index);
  }

  async #removeDoubtful(index: number): Promise<void> {
    if (await this.#recover(index)) await this.#remove(index);
  }

  async #assertMayWrite(): Promise<void> {
    await this.#parts.journal.assertOwner();
    if (this.#parts.isDead()) await new Promise(() => {});
  }
}

/** What each message of the reply shows, in order: the text in parts, then the files. */
function contentsOf(
  view: ReplyView,
  limit: number,
  isFinished: boolean,
): readonly ShownSegment["content"][] {
  const contents: ShownSegment["content"][] = [];
  let from = 0;
  do {
    const to = from + cutWithin(view.text.slice(from), limit);
    contents.push({ type: "text", from, to });
    from = to;
  } while (from < view.text.length);
  if (!isFinished) return contents;
  for (const file of view.files) contents.push({ type: "file", fileId: file.id });
  return contents;
}

/** After the last space that fits, or hard at the limit. */
function cutWithin(text: string, limit: number): number {
  if (text.length <= limit) return text.length;
  const space = text.lastIndexOf(" ", limit - 1);
  return space > 0 ? space + 1 : limit;
}

function textOf(content: ShownSegment["content"], view: ReplyView): string {
  switch (content.type) {
    case "text":
      return view.text.slice(content.from, content.to);
    case "file":
    case "other":
      return "";
  }
}

/** More text in an open message is not worth a write, as on real platforms: an edit harms nothing twice. */
function isNews(now: ShownSegment, before: ShownSegment): boolean {
  const worth = now.closed ? now : { ...now, content: before.content };
  return JSON.stringify(worth) !== JSON.stringify(before);
}
