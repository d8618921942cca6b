import type {
  Choice,
  CommandAnswer,
  CommandSpec,
  IncomingCommand,
  Panel,
  PartialCommand,
} from "#domain/command";
import { BotError } from "#domain/errors";
import type { FileStatus } from "#domain/file";
import type { Json } from "#domain/json";
import type { EditedOrDeleted, IncomingMessage } from "#domain/message";
import type { ReplyView } from "#domain/reply-view";
import type { AskedForm, ReplyFile } from "#domain/run-event";
import type {
  AmendAnswer,
  Bot,
  Decision,
  LeaveRequest,
  MessageAnswer,
  Overview,
  PressAnswer,
  QueuePosition,
  ReplyPress,
  StopAnswer,
  StopRequest,
  WaitingMark,
} from "#ports/bot";

/**
 * A bot that remembers what platforms hand it and answers what a test tells it to.
 * Unless told otherwise it accepts every message once.
 */
export class FakeBot implements Bot {
  readonly messages: IncomingMessage[] = [];
  readonly amendments: EditedOrDeleted[] = [];
  readonly commandsGiven: IncomingCommand[] = [];
  readonly completionsAsked: PartialCommand[] = [];
  readonly decisions: Decision[] = [];
  readonly presses: ReplyPress[] = [];
  readonly stops: StopRequest[] = [];
  readonly left: LeaveRequest[] = [];
  readonly stoppedUnder: string[] = [];
  readonly held: string[] = [];
  /** The bytes of reply files, by id. */
  readonly files = new Map<string, Uint8Array>();
  /** Forms that are open, by the id of their request. */
  readonly forms = new Map<string, AskedForm>();
  specs: readonly CommandSpec[] = [];
  shownOverview: Overview = { conversations: [], channels: [] };
  panel: Panel = { title: "Settings", text: "", fields: [] };
  onMessage: (message: IncomingMessage) => Promise<MessageAnswer> = async (message) => ({
    status: "accepted",
    position: 0,
    conversationKey: message.place.threadKey,
  });
  onAmend: (change: EditedOrDeleted) => Promise<AmendAnswer> = async () => ({ state: "answered" });
  onCommand: (command: IncomingCommand) => Promise<CommandAnswer> = async (command) => ({
    ok: true,
    text: `did ${command.text}`,
  });
  onComplete: (partial: PartialCommand) => Promise<readonly Choice[]> = async () => [];
  onDecide: (decision: Decision) => Promise<PressAnswer> = async () => ({ ok: true, words: "" });
  onStop: (request: StopRequest) => Promise<StopAnswer> = async () => ({
    stopped: true,
    removedFromQueue: 0,
    words: "Stopped.",
  });
  onPress: (press: ReplyPress) => Promise<PressAnswer> = async () => ({ ok: true, words: "" });
  readonly #seen = new Set<string>();
  readonly #fileListeners = new Set<(eventId: string, statuses: readonly FileStatus[]) => void>();
  readonly #waitingMarks: WaitingMark[] = [];
  readonly #lines = new Map<string, readonly QueuePosition[]>();
  readonly #takers = new Map<string, (shown: Json) => Promise<void>>();
  readonly #queueListeners = new Set<
    (conversationKey: string, waiting: readonly QueuePosition[]) => void
  >();

  async message(message: IncomingMessage): Promise<MessageAnswer> {
    if (this.#seen.has(message.eventId)) return { status: "repeat" };
    const answer = await this.onMessage(message);
    if (answer.status === "accepted") this.#seen.add(message.eventId);
    this.messages.push(message);
    return answer;
  }

  async amend(change: EditedOrDeleted): Promise<AmendAnswer> {
    this.amendments.push(change);
    return this.onAmend(change);
  }

  async command(command: IncomingCommand): Promise<CommandAnswer> {
    this.commandsGiven.push(command);
    return this.onCommand(command);
  }

  commands(): readonly CommandSpec[] {
    return this.specs;
  }

  async complete(partial: PartialCommand): Promise<readonly Choice[]> {
    this.completionsAsked.push(partial);
    return this.onComplete(partial);
  }

  async settings(): Promise<Panel> {
    return this.panel;
  }

  async overview(): Promise<Overview> {
    return this.shownOverview;
  }

  async askedForm(requestId: string): Promise<AskedForm | undefined> {
    return this.forms.get(requestId);
  }

  async decide(decision: Decision): Promise<PressAnswer> {
    this.decisions.push(decision);
    return this.onDecide(decision);
  }

  async press(press: ReplyPress): Promise<PressAnswer> {
    this.presses.push(press);
    return this.onPress(press);
  }

  async stop(request: StopRequest): Promise<StopAnswer> {
    this.stops.push(request);
    return this.onStop(request);
  }

  async leave(request: LeaveRequest): Promise<number> {
    this.left.push(request);
    return 0;
  }

  async stopUnder(keyPrefix: string): Promise<number> {
    this.stoppedUnder.push(keyPrefix);
    return 0;
  }

  holdRuns(platform: string): void {
    this.held.push(platform);
  }

  async openFile(file: ReplyFile): Promise<ReadableStream<Uint8Array>> {
    const data = this.files.get(file.id);
    if (!data) throw new BotError("not-found", { detail: `There is no file ${file.id}.` });
    return new Blob([Uint8Array.from(data)]).stream();
  }

  onFileStatus(listener: (eventId: string, statuses: readonly FileStatus[]) => void): () => void {
    this.#fileListeners.add(listener);
    return () => this.#fileListeners.delete(listener);
  }

  onQueueChange(
    listener: (conversationKey: string, waiting: readonly QueuePosition[]) => void,
  ): () => void {
    this.#queueListeners.add(listener);
    return () => this.#queueListeners.delete(listener);
  }

  /** Forms open with the view that asks them and close with their settlement, as with the real bot. */
  keepForms({ requests = [], settlements = [] }: Partial<ReplyView>): void {
    for (const request of requests)
      if (request.type === "form") this.forms.set(request.id, request);
    for (const { requestId } of settlements) this.forms.delete(requestId);
  }

  /** What became of a message's files, as the real bot would tell it. */
  tellFileStatus(eventId: string, statuses: readonly FileStatus[]): void {
    for (const listener of this.#fileListeners) listener(eventId, statuses);
  }

  /** A conversation's line, as the real bot would tell it. */
  tellQueue(conversationKey: string, waiting: readonly QueuePosition[]): void {
    for (const listener of this.#queueListeners) listener(conversationKey, waiting);
    this.#lines.set(conversationKey, waiting);
    for (const mark of this.#waitingMarks.splice(0)) void this.markWaiting(mark);
  }

  async markWaiting(mark: WaitingMark): Promise<void> {
    const line = this.#lines.get(mark.conversationKey);
    const isWaiting = line?.some(({ eventId }) => eventId === mark.eventId) ?? true;
    if (isWaiting) this.#waitingMarks.push(mark);
    else await this.#takers.get(mark.owner)?.(mark.shown);
  }

  onWaited(owner: string, takeAway: (shown: Json) => Promise<void>): () => void {
    this.#takers.set(owner, takeAway);
    return () => this.#takers.delete(owner);
  }
}
