import type { Choice, CommandAnswer, CommandSpec, Panel } from "#domain/command";
import { conversationKeyOf, type Person, type Place } from "#domain/conversation";
import { sentence } from "#domain/errors";
import type { FileStatus } from "#domain/file";
import type { EditedOrDeleted, IncomingMessage } from "#domain/message";
import type { Role } from "#domain/settings";
import type {
  AmendAnswer,
  Bot,
  Decision,
  LeaveRequest,
  MessageAnswer,
  PressAnswer,
  ReplyPress,
  StopAnswer,
  StopRequest,
} from "#ports/bot";
import type { Ledger } from "#ports/ledger";
import type { RunQueue } from "#ports/run-queue";
import type { BotEnvironment } from "./bot-environment.ts";
import type { CommandDesk } from "./command-desk.ts";
import { mayAct, toTextCommand } from "./commands.ts";
import type { AttachmentStore } from "./runs/attachments.ts";
import type { Catalogue } from "./runs/catalogue.ts";
import { toJson } from "./runs/checkpoint.ts";
import type { AtHand, ConversationControl, QueuedMessage, RunPlace } from "./runs/controls.ts";
import type { LiveRuns } from "./runs/converse.ts";
import { handedOver, keepMissed, missedMessages, withMissed } from "./runs/hand-over.ts";
import { names } from "./runs/names.ts";
import { type OpenRequest, pressGroupForm, readAskedForm } from "./runs/open-requests.ts";
import type { DecisionControl } from "./runs/tool-calls.ts";

/** What is delivered twice at once comes so close together; later, the first one has failed. */
const redeliveredWithinMs = 10_000;

/**
 * What platforms may ask of the bot. It decides nothing about answers: messages go into the
 * conversation's inbox, decisions and presses become control items there, and stopping goes past it.
 */
export function createBot(environment: BotEnvironment): Bot {
  return new DurableBot(environment);
}

class DurableBot implements Bot {
  readonly #environment: BotEnvironment;
  readonly #queue: RunQueue;
  readonly #ledger: Ledger;
  readonly #catalogue: Catalogue;
  readonly #desk: CommandDesk;
  readonly #live: LiveRuns;
  readonly #attachments: AttachmentStore;
  readonly #fileListeners = new Set<Parameters<Bot["onFileStatus"]>[0]>();

  constructor(environment: BotEnvironment) {
    this.#environment = environment;
    this.#queue = environment.queue;
    this.#ledger = environment.ledger;
    this.#catalogue = environment.catalogue;
    this.#desk = environment.desk;
    this.#live = environment.live;
    this.#attachments = environment.attachments;
  }

  async message(message: IncomingMessage): Promise<MessageAnswer> {
    const { metrics } = this.#environment;
    const { platform } = message.place;
    const command = toTextCommand(message.text);
    const hasFiles = message.attachments.length > 0;
    // With files a slip of the pen is more likely a message.
    if (command && (!hasFiles || command.type === "command")) {
      // Delivered twice, it may have come to two processes.
      const id = `command/${message.eventId}`;
      if (!(await this.#environment.processes.claim(id, redeliveredWithinMs))) {
        return { status: "repeat" };
      }
      metrics.messageReceived(platform, "command");
      const answer = hasFiles
        ? await this.#commandWithFiles(message, command)
        : await this.#textCommand(message, command);
      return { status: "command", answer };
    }
    const answer = await this.#accept(message);
    metrics.messageReceived(platform, answer.status);
    return answer;
  }

  async #accept(message: IncomingMessage): Promise<MessageAnswer> {
    const { limits, log } = this.#environment;
    const { place, author, eventId } = message;
    const { scope, policy } = await this.#catalogue.channel(place.channelKey);
    const conversationKey = conversationKeyOf(place, author, scope);
    const [byPerson, missed] = await Promise.all([
      handedOver(this.#ledger, conversationKey),
      missedMessages(this.#ledger, conversationKey),
    ]);
    if (byPerson) {
      await keepMissed(this.#ledger, conversationKey, message);
      return { status: "handed-over" };
    }
    const queued: QueuedMessage = { message: withMissed(message, missed), policy };
    const result = await this.#queue.accept({
      eventId,
      conversationKey,
      personKey: author.key,
      payload: toJson(queued),
      detail: message.attachments.length,
      bounds: {
        waitingPerConversation: limits.waitingPerConversation,
        perPersonPerMinute: limits.messagesPerPersonPerMinute,
      },
    });
    log.info(
      { conversation: conversationKey, event: eventId, action: "message", status: result.status },
      "message received",
    );
    switch (result.status) {
      case "duplicate":
        return { status: "repeat" };
      case "conversation-full":
        return {
          status: "refused",
          words: `${sentence("queue-full")} ${limits.waitingPerConversation} may wait here.`,
        };
      case "person-too-fast":
        return {
          status: "refused",
          words: `You are writing faster than I may answer: ${limits.messagesPerPersonPerMinute} messages a minute. Please send this again in a moment.`,
        };
      case "accepted":
        if (missed.length > 0) {
          await this.#ledger.apply({ removes: [names.missed(conversationKey)] });
        }
        this.#fetchFiles(message, conversationKey);
        if (result.position === 0) return { status: "accepted", position: 0, conversationKey };
        if (policy === "latest") await this.#replaceRunning(conversationKey, eventId);
        return this.#inLine(conversationKey, eventId);
    }
  }

  async #inLine(conversationKey: string, eventId: string): Promise<MessageAnswer> {
    const { waiting, running, parked } = await this.#queue.inspect(conversationKey);
    const index = waiting.findIndex((item) => item.eventId === eventId);
    const position = index === -1 ? 0 : index + running + parked;
    if (parked === 0 || position === 0) return { status: "accepted", position, conversationKey };
    const atHand = await this.#atHand(conversationKey);
    return {
      status: "accepted",
      position,
      conversationKey,
      ...(atHand?.requestId
        ? { waitingFor: { personName: atHand.personName, requestId: atHand.requestId } }
        : {}),
    };
  }

  /** The newest message replaces the run at work before it, unless that has begun something with effects. */
  async #replaceRunning(conversationKey: string, eventId: string): Promise<void> {
    const { waiting, running } = await this.#queue.inspect(conversationKey);
    if (running === 0 || !waiting.some((item) => item.eventId === eventId)) return;
    if ((await this.#atHand(conversationKey))?.hasEffects) return;
    await this.#queue.cancel(conversationKey, "current");
  }

  /** Files are fetched while the message waits: links to them do not live for ever. */
  #fetchFiles(message: IncomingMessage, conversationKey: string): void {
    if (message.attachments.length === 0) return;
    const { log } = this.#environment;
    this.#attachments
      .store(message, conversationKey)
      .then((statuses) => {
        for (const listener of this.#fileListeners) listener(message.eventId, statuses);
      })
      .catch((error) => log.error({ event: message.eventId, err: error }, "files not fetched"));
  }

  /** Its files are stored first; a command whose files take long is carried out when they are there. */
  async #commandWithFiles(message: IncomingMessage, command: TextCommand): Promise<CommandAnswer> {
    const { attachments, catalogue, log } = this.#environment;
    const { scope } = await catalogue.channel(message.place.channelKey);
    const conversationKey = conversationKeyOf(message.place, message.author, scope);
    const answering = attachments
      .store(message, conversationKey)
      .then((files) => this.#textCommand(message, command, files));
    const later: CommandAnswer = {
      ok: true,
      text: "I am still reading the files, and do this when I have. `/assistant files` shows how far it is.",
    };
    answering.catch((error) => log.error({ event: message.eventId, err: error }, "command failed"));
    return Promise.race([answering, after(filesAwaitedMs, later)]);
  }

  async #textCommand(
    message: IncomingMessage,
    command: TextCommand,
    files?: readonly FileStatus[],
  ): Promise<CommandAnswer> {
    if (command.type === "suggestion") {
      return {
        ok: false,
        text: `I do not know \`${command.typed}\`. Did you mean \`/assistant ${command.nearest}\`?`,
        choices: [{ label: `/assistant ${command.nearest}`, command: command.nearest }],
      };
    }
    return this.#desk.command({
      eventId: message.eventId,
      place: message.place,
      person: message.author,
      role: message.role ?? "person",
      text: command.text,
      knowsThread: true,
      ...(files ? { files } : {}),
    });
  }

  async amend(change: EditedOrDeleted): Promise<AmendAnswer> {
    const { eventId, changeId } = change;
    const result = await this.#queue.amend({
      eventId,
      changeId,
      change:
        change.change.type === "deleted"
          ? { type: "deleted" }
          : { type: "edited", payload: toJson(await this.#queued(change.change.message)) },
    });
    if (result.state !== "answered") return { state: result.state };
    const answered = await this.#ledger.read(names.answered(eventId));
    if (!answered) return { state: "answered" };
    const { runId, conversationKey } = answered.value as unknown as RunOfMessage;
    await this.#control(conversationKey, `${changeId}/revise`, {
      type: "revise",
      eventId,
      change: change.change,
    });
    return { state: "answered", runId };
  }

  async #queued(message: IncomingMessage): Promise<QueuedMessage> {
    const { policy } = await this.#catalogue.channel(message.place.channelKey);
    return { message, policy };
  }

  command: Bot["command"] = (command) => this.#desk.command(command);
  commands = (): readonly CommandSpec[] => this.#desk.commands();
  complete: Bot["complete"] = (partial): Promise<readonly Choice[]> => this.#desk.complete(partial);
  settings: Bot["settings"] = (request): Promise<Panel> => this.#desk.settings(request);

  overview: Bot["overview"] = (request) => this.#desk.overview(request);

  askedForm: Bot["askedForm"] = (requestId) => readAskedForm(this.#ledger, requestId);

  async decide({ requestId, by, role, decision }: Decision): Promise<PressAnswer> {
    const register = await this.#ledger.read(names.request(requestId));
    if (!register) return no("This question is settled already, or its run has ended.");
    const open = register.value as unknown as OpenRequest;
    const place = await this.#placeOf(open.runId);
    const isAsked = open.personKey === by.key;
    const mayAnyway = await this.#isManager(by, role, place?.place);
    if (open.group) {
      const mayFinish = isAsked || mayAnyway;
      return this.#decideForEveryone(open, { requestId, by, decision, mayFinish });
    }
    if (open.expiresAtMs <= this.#environment.now()) {
      return no("This question has expired: nothing was done.");
    }
    if (decision.type === "finish") return no("This is answered or declined, by one person.");
    // Anyone may decline: it is the safe answer, and frees the conversation for the next one.
    if (!isAsked && !mayAnyway && decision.type !== "decline") {
      return no("Only the person who was asked can answer this.");
    }
    const result = await this.#wakeRun(open, `decision/${requestId}`, { requestId, by, decision });
    if (result === "duplicate") return no("This has been answered already.");
    return yes(decisionWords[decision.type]);
  }

  /** The press is durable and in order before the run hears of it: what it finds is what counts. */
  async #decideForEveryone(
    open: OpenRequest,
    press: Pick<Decision, "requestId" | "by" | "decision"> & { readonly mayFinish: boolean },
  ): Promise<PressAnswer> {
    const { requestId, by, decision } = press;
    const nowMs = this.#environment.now();
    const { isTaken, ok, words } = await pressGroupForm(this.#ledger, { ...press, nowMs });
    const what = decision.type === "answer" ? by.key : "finish";
    if (isTaken) {
      await this.#wakeRun(open, `decision/${requestId}/${what}`, { requestId, by, decision });
    }
    return { ok, words };
  }

  async #wakeRun(
    { conversationKey, runId }: OpenRequest,
    eventId: string,
    { requestId, by, decision }: Pick<Decision, "requestId" | "by" | "decision">,
  ) {
    const control: DecisionControl = {
      type: "decision",
      requestId,
      byKey: by.key,
      byName: by.name,
      decision,
    };
    const payload = toJson(control);
    const status = await this.#queue.control({ eventId, conversationKey, payload, to: "run" });
    const fields = { conversation: conversationKey, run: runId, action: decision.type, status };
    this.#environment.log.info(fields, "decision received");
    return status;
  }

  async press({ eventId, runId, by, role, press }: ReplyPress): Promise<PressAnswer> {
    const run = await this.#placeOf(runId);
    if (!run) return no("I no longer know this answer.");
    if (press.type === "feedback") return this.#feedback({ runId, by, press });
    const isAsker = run.personKey === by.key;
    if (!isAsker && !(await this.#isManager(by, role, run.place))) {
      return no("Only the person who asked, or a manager of this channel, can do that.");
    }
    const { conversationKey } = run;
    switch (press.type) {
      case "stop": {
        const atHand = await this.#atHand(conversationKey);
        if (atHand?.runId !== runId) return no("This answer is finished already.");
        const { current } = await this.#queue.cancel(conversationKey, "current");
        return current ? yes("Stopping.") : no("This answer is finished already.");
      }
      case "retry":
      case "continue":
        return this.#again(conversationKey, eventId, { as: press.type, runId, by });
      case "answer-new-version": {
        const atHand = await this.#atHand(conversationKey);
        if (atHand?.runId === runId) await this.#queue.cancel(conversationKey, "current");
        return this.#again(conversationKey, eventId, { as: "new-version", runId, by });
      }
    }
  }

  async #again(
    conversationKey: string,
    eventId: string,
    again: { as: "retry" | "continue" | "new-version"; runId: string; by: Person },
  ): Promise<PressAnswer> {
    const result = await this.#control(conversationKey, eventId, { type: "again", ...again });
    return result === "duplicate" ? no("That was asked already.") : yes("On it.");
  }

  async #feedback({
    runId,
    by,
    press,
  }: {
    runId: string;
    by: Person;
    press: Extract<ReplyPress["press"], { type: "feedback" }>;
  }): Promise<PressAnswer> {
    const value = { good: press.good, reason: press.reason ?? null, atMs: this.#environment.now() };
    await this.#ledger.apply({ registers: [{ name: names.feedback(runId, by.key), value }] });
    this.#environment.log.info(
      { run: runId, action: "feedback", good: press.good },
      "feedback received",
    );
    return yes("Thank you for telling.");
  }

  async stop({ place, by, role, what, onlyOwn = false }: StopRequest): Promise<StopAnswer> {
    const { threads, now } = this.#environment;
    const conversationKey = await threads.conversationOf(place, by);
    if (onlyOwn) {
      const asker = await this.#askerIn(conversationKey);
      const isOthers = asker !== undefined && asker !== by.key;
      if (isOthers && !(await this.#isManager(by, role, place))) {
        const words = "Only the person who asked, or a manager of this channel, can do that.";
        return { stopped: false, removedFromQueue: 0, words, isRefused: true };
      }
    }
    const before = await threads.status(conversationKey);
    const answer = await this.#desk.command({
      eventId: `stop/${conversationKey}/${by.key}/${now()}`,
      place,
      person: by,
      role,
      text: what === "all" ? "stop all" : "stop",
      knowsThread: true,
    });
    const wasBusy = before.isRunning || before.waitingFor !== undefined;
    return {
      stopped: answer.ok && wasBusy,
      removedFromQueue: answer.ok && what === "all" ? before.waiting.length : 0,
      words: answer.text,
    };
  }

  async leave({ keyPrefix, eventId }: LeaveRequest): Promise<number> {
    const { catalogue, log, threads } = this.#environment;
    const conversations = await threads.forgetUnder(keyPrefix, eventId);
    await catalogue.forgetChannels(keyPrefix);
    log.info({ event: eventId, action: "leave", conversations }, "place left");
    return conversations;
  }

  async stopUnder(keyPrefix: string): Promise<number> {
    const conversations = await this.#environment.threads.stopUnder(keyPrefix);
    this.#environment.log.info({ action: "stop", conversations }, "everything stopped there");
    return conversations;
  }

  holdRuns(platform: string): void {
    for (const work of this.#live.values()) {
      if (work.task.place.platform === platform) work.hold();
    }
  }

  openFile: Bot["openFile"] = (file) => this.#environment.files.open(file.id);

  onFileStatus: Bot["onFileStatus"] = (listener) => {
    this.#fileListeners.add(listener);
    return () => this.#fileListeners.delete(listener);
  };

  onQueueChange: Bot["onQueueChange"] = (listener) => {
    const { log } = this.#environment;
    return this.#queue.onChange((conversationKey) => {
      this.#queue
        .inspect(conversationKey)
        .then(({ waiting, running, parked }) =>
          listener(
            conversationKey,
            waiting.map(({ eventId }, index) => ({ eventId, position: index + running + parked })),
          ),
        )
        .catch((error) =>
          log.warn({ conversation: conversationKey, err: error }, "queue not shown"),
        );
    });
  };

  markWaiting: Bot["markWaiting"] = (mark) => this.#environment.waitingMarks.keep(mark);

  onWaited: Bot["onWaited"] = (owner, takeAway) =>
    this.#environment.waitingMarks.listen(owner, takeAway);

  #control(conversationKey: string, eventId: string, control: ConversationControl) {
    return this.#queue.control({
      eventId,
      conversationKey,
      payload: toJson(control),
      to: "conversation",
    });
  }

  async #placeOf(runId: string): Promise<RunPlace | undefined> {
    const register = await this.#ledger.read(names.run(runId));
    return register?.value as unknown as RunPlace | undefined;
  }

  /** Who is being answered; of a run that has only just begun, this process knows alone. */
  async #askerIn(conversationKey: string): Promise<string | undefined> {
    const atHand = await this.#atHand(conversationKey);
    return atHand?.personKey ?? this.#live.get(conversationKey)?.task.asker.key;
  }

  async #atHand(conversationKey: string): Promise<AtHand | undefined> {
    const register = await this.#ledger.read(names.atHand(conversationKey));
    return register?.value as unknown as AtHand | undefined;
  }

  async #isManager(person: Person, role: Role, place: Place | undefined): Promise<boolean> {
    if (!place) return mayAct(role, "manager");
    return mayAct(await this.#desk.roleOf({ place, person, role }), "manager");
  }
}

type TextCommand = NonNullable<ReturnType<typeof toTextCommand>>;

/** Slack waits three seconds for an acknowledgement before it sends the message again. */
const filesAwaitedMs = 2_000;

function after<T>(ms: number, value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(resolve, ms, value).unref());
}

interface RunOfMessage {
  readonly runId: string;
  readonly conversationKey: string;
}

const decisionWords = {
  approve: "Approved.",
  decline: "Declined.",
  answer: "Thank you, answered.",
} as const;

function yes(words: string): PressAnswer {
  return { ok: true, words };
}

function no(words: string): PressAnswer {
  return { ok: false, words };
}
