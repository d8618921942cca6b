import type {
  Choice,
  CommandAnswer,
  CommandSpec,
  IncomingCommand,
  Panel,
  PartialCommand,
} from "#domain/command";
import type { Person, Place } from "#domain/conversation";
import { explain } from "#domain/errors";
import type { Role } from "#domain/settings";
import { shortened } from "#domain/shortened";
import type { Overview } from "#ports/bot";
import {
  commandSpecs,
  completeCommand,
  describeCommand,
  describeCommands,
  mayAct,
  parseCommand,
  roleFor,
} from "./commands.ts";
import * as assistants from "./desk/assistant-commands.ts";
import type { Command, CommandProblem } from "./desk/command.ts";
import * as conversations from "./desk/conversation-commands.ts";
import {
  type Asker,
  type CommandDeskOptions,
  type CommandRequest,
  type Desk,
  mayNotWords,
  rolesOf,
} from "./desk/desk.ts";
import { files } from "./desk/file-commands.ts";
import { overviewFor } from "./desk/overview.ts";
import * as settings from "./desk/settings-commands.ts";
import { choice, done, refused, typed } from "./desk/words.ts";
import { toolName } from "./runs/catalogue.ts";

export type { CommandDeskOptions } from "./desk/desk.ts";

/**
 * Does what `/assistant` asks for, wherever it was asked: the bot hands it slash commands, text
 * commands and the fields of panels alike.
 */
export interface CommandDesk {
  /** The grammar, for registration and help. */
  commands(): readonly CommandSpec[];
  /**
   * Applies a command and says what it did; never throws: failures are answers, too.
   * The same `eventId` again gets the same answer and changes nothing.
   */
  command(incoming: IncomingCommand): Promise<CommandAnswer>;
  /** What could be typed next; at most 25, empty when nothing is known. Never throws. */
  complete(partial: PartialCommand): Promise<readonly Choice[]>;
  /** The settings of a place as a form. */
  settings(request: {
    readonly place: Place;
    readonly person: Person;
    readonly role: Role;
  }): Promise<Panel>;
  /** A person's newest conversations, and who answers in their channels. */
  overview(request: { readonly place: Place; readonly person: Person }): Promise<Overview>;
  /** What somebody is in a place: for other rights that depend on it (approvals, stops). */
  roleOf(request: {
    readonly place: Place;
    readonly person: Person;
    readonly role: Role;
  }): Promise<Role>;
}

/** Answers kept for redelivered commands, and names kept for people: enough for a busy hour. */
const maxRemembered = 1_000;
/** How long the server's list of models is believed. */
const modelsMaxAgeMs = 5 * 60_000;

export function createCommandDesk(options: CommandDeskOptions): CommandDesk {
  return new StandingDesk(options);
}

class StandingDesk implements CommandDesk, Desk {
  readonly options: CommandDeskOptions;
  readonly #answers = new Map<string, Promise<CommandAnswer>>();
  readonly #names = new Map<string, string>();
  #models: { readonly atMs: number; readonly names: Promise<readonly string[]> } | undefined;

  constructor(options: CommandDeskOptions) {
    this.options = options;
  }

  commands(): readonly CommandSpec[] {
    return commandSpecs;
  }

  command(incoming: IncomingCommand): Promise<CommandAnswer> {
    const key = deliveryKey(incoming);
    const known = this.#answers.get(key);
    if (known) return known;
    const answer = this.#answer(incoming);
    remember(this.#answers, key, answer);
    return answer;
  }

  async complete(partial: PartialCommand): Promise<readonly Choice[]> {
    const { catalogue, log } = this.options;
    try {
      const [known, models, files] = await Promise.all([
        catalogue.list(),
        this.models(),
        this.#fileNames(partial),
      ]);
      return completeCommand(partial.text, {
        assistants: known.map(({ name }) => name),
        models,
        tools: catalogue.availableTools().map(toolName),
        files,
      });
    } catch (error) {
      log.warn({ error }, "completion failed");
      return [];
    }
  }

  async settings(request: {
    readonly place: Place;
    readonly person: Person;
    readonly role: Role;
  }): Promise<Panel> {
    return settings.settingsPanel(this, await this.#asker(request));
  }

  overview(request: { readonly place: Place; readonly person: Person }): Promise<Overview> {
    return overviewFor(this, request);
  }

  async roleOf(request: {
    readonly place: Place;
    readonly person: Person;
    readonly role: Role;
  }): Promise<Role> {
    return (await this.#asker(request)).role;
  }

  models(): Promise<readonly string[]> {
    const { backend, now, log } = this.options;
    if (this.#models && now() - this.#models.atMs < modelsMaxAgeMs) return this.#models.names;
    const names = backend.models().catch((error: unknown) => {
      log.warn({ backend: backend.name, error }, "models not listed");
      this.#models = undefined;
      return [];
    });
    this.#models = { atMs: now(), names };
    return names;
  }

  nameOf(personKey: string): string {
    return this.#names.get(personKey) ?? personKey;
  }

  async #answer(incoming: IncomingCommand): Promise<CommandAnswer> {
    const { log } = this.options;
    remember(this.#names, incoming.person.key, incoming.person.name);
    try {
      const command = parseCommand(incoming.text);
      if (command.type === "problem") return problemAnswer(command);
      const request = { incoming, ...(await this.#asker(incoming)) };
      const needs = roleFor(command);
      if (!mayAct(request.role, needs)) {
        return refused(mayNotWords(this, request, needs, doing(command)));
      }
      const answer = await this.#apply(request, command);
      log.info(
        { command: command.type, ok: answer.ok, platform: incoming.place.platform },
        "command answered",
      );
      return answer;
    } catch (error) {
      log.warn({ event: incoming.eventId, error }, "command failed");
      // A redelivery may do better.
      this.#answers.delete(deliveryKey(incoming));
      return refused(explain(error, incoming.eventId));
    }
  }

  async #apply(request: CommandRequest, command: Command): Promise<CommandAnswer> {
    switch (command.type) {
      case "help":
        return done(command.topic ? describeCommand(command.topic) : describeCommands());
      case "status":
        return conversations.status(this, request, command);
      case "list":
        return assistants.list(this, request, command);
      case "show":
        return assistants.show(this, request, command);
      case "create":
        return assistants.create(this, request, command);
      case "edit":
        return assistants.edit(this, request, command);
      case "delete":
        return assistants.remove(this, request, command);
      case "use":
        return assistants.use(this, request, command);
      case "model":
        return assistants.model(this, request, command);
      case "instructions":
        return assistants.instructions(this, request, command);
      case "tools":
        return assistants.tools(this, request, command);
      case "files":
        return files(this, request, command);
      case "context":
        return settings.context(this, request, command);
      case "queue":
        return conversations.queue(this, request, command);
      case "scope":
        return settings.scope(this, request, command);
      case "new":
        return conversations.startNew(this, request, command);
      case "stop":
        return conversations.stop(this, request, command);
      case "retry":
        return conversations.retry(this, request, command);
      case "resume":
        return conversations.resume(this, request, command);
      case "usage":
        return settings.usage(this, request, command);
      case "export":
        return "assistant" in command
          ? assistants.exportAssistant(this, request, command.assistant)
          : conversations.exportConversation(this, request, command);
      case "forget":
        return conversations.forget(this, request, command);
      case "settings":
        return settings.settings(this, request, command);
    }
  }

  async #asker(by: {
    readonly place: Place;
    readonly person: Person;
    readonly role: Role;
  }): Promise<Asker> {
    const { catalogue, admins } = this.options;
    const here = await catalogue.channel(by.place.channelKey);
    const roles = rolesOf(by, here, admins);
    return { place: by.place, person: by.person, settings: here, ...roles };
  }

  /** Only looked up where a file is being named. */
  async #fileNames({ text, place, person }: PartialCommand): Promise<readonly string[]> {
    if (!/\bfiles\s+\S/i.test(text)) return [];
    const { threads } = this.options;
    const known = await threads.files(await threads.conversationOf(place, person));
    return [...new Set(known.map(({ filename }) => filename))];
  }
}

/** A delivery is the same one only if all that decides its answer is the same. */
function deliveryKey({ eventId, place, person, text }: IncomingCommand): string {
  return JSON.stringify([eventId, place.threadKey, person.key, text]);
}

function problemAnswer({ problem, nearest }: CommandProblem): CommandAnswer {
  if (nearest === undefined) return refused(`${problem} ${typed("help")} lists them all.`);
  const command = nearest.replace(/\s+/g, " ");
  if (nearest.startsWith("help"))
    return refused(`${problem} See ${typed(command)}.`, [choice(`/assistant ${command}`, command)]);
  return refused(`${problem} Did you mean ${typed(shortened(command, 200))}?`, [
    choice(`/assistant ${command}`, nearest),
  ]);
}

/** What a command wants, after "may". */
function doing(command: Command): string {
  switch (command.type) {
    case "create":
      return "create assistants";
    case "edit":
    case "delete":
      return "change assistants";
    case "use":
      return "choose the assistant here";
    case "model":
      return "choose the model here";
    case "instructions":
      return "change the instructions here";
    case "tools":
      return "switch tools on and off";
    case "context":
      return "say what to know about this channel";
    case "queue":
      return "choose how waiting messages are answered";
    case "resume":
      return "give a conversation back to the assistant";
    case "scope":
      return "choose what is one conversation here";
    case "usage":
      return "see what everybody used";
    case "list":
      return "see who changed what";
    case "settings":
      return command.topic === "cap" ? "set the spending cap" : "name managers";
    default:
      return "do that";
  }
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= maxRemembered) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
