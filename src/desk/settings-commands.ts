import type { CommandAnswer, Panel, PanelField } from "#domain/command";
import type { Person, QueuePolicy, Scope } from "#domain/conversation";
import type { Role } from "#domain/settings";
import type { Command } from "./command.ts";
import { code } from "./command-text.ts";
import {
  type Asker,
  type CommandRequest,
  conversationFor,
  type Desk,
  mayNotWords,
} from "./desk.ts";
import { mayAct } from "./roles.ts";
import {
  dayOf,
  daysOfMonth,
  monthOf,
  readUsage,
  runUsageWords,
  usageCounters,
  usageWords,
} from "./usage-words.ts";
import { bold, capDollars, done, listed, quote, refused, typed } from "./words.ts";

type Of<T extends Command["type"]> = Extract<Command, { readonly type: T }>;

/** What each policy means. */
export const policyWords: { readonly [policy in QueuePolicy]: string } = {
  fifo: "one answer per message, in order (`fifo`)",
  merge: "all that waits is answered together (`merge`)",
  latest: "only the newest message that waits is answered (`latest`)",
};

/** What each scope means. */
const scopeWords: { readonly [scope in Scope]: string } = {
  thread: "each thread is one (`thread`)",
  person: "one with each person (`person`)",
  channel: "the whole channel is one (`channel`)",
};

/** How much of the place a command was given in is one conversation. */
export function spanWords({ place, settings }: CommandRequest): string {
  return place.isDirect ? "a direct message is always one" : scopeWords[settings.scope];
}

/** `context`: what the assistant always knows about somebody, or about the channel. */
export async function context(
  desk: Desk,
  request: CommandRequest,
  command: Of<"context">,
): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const { person, place, settings } = request;
  const about = (label: string, text: string | null, how: string) =>
    text ? `About ${label}:\n${quote(text)}` : `Nothing is set about ${label} (${typed(how)}).`;
  if (command.change.type === "show") {
    const own = await catalogue.person(person.key);
    const me = about("you", own.context, "context me …");
    const channel = about("this channel", settings.context, "context channel …");
    if (command.of === "both") return done(`${me}\n\n${channel}`);
    return done(command.of === "me" ? me : channel);
  }
  const text = command.change.type === "set" ? command.change.value : null;
  if (command.of === "me") {
    await catalogue.changePerson(person.key, () => ({ context: text }), person);
    return done(
      text
        ? `From the next message on I know this about you, in every channel:\n${quote(text, 300)}`
        : "From the next message on I know nothing more about you.",
    );
  }
  await catalogue.changeChannel(place.channelKey, () => ({ context: text }), person);
  return done(
    text
      ? `From the next message on I know this about this channel:\n${quote(text, 300)}`
      : "From the next message on I know nothing more about this channel.",
  );
}

/** `scope`: how much of the channel is one conversation. */
export async function scope(
  desk: Desk,
  request: CommandRequest,
  command: Of<"scope">,
): Promise<CommandAnswer> {
  const { settings, place, person } = request;
  const wanted = command.scope;
  if (wanted === null) return done(`Conversations here: ${spanWords(request)}.`);
  if (place.isDirect) return refused("A direct message is always one conversation.");
  const after = await desk.options.catalogue.changeChannel(
    place.channelKey,
    () => ({ scope: wanted }),
    person,
  );
  if (after.version === settings.version) return done(`That is so already: ${scopeWords[wanted]}.`);
  return done(
    `Conversations here from the next message on: ${scopeWords[wanted]}. What was said before stays where it is.`,
  );
}

/** `usage`, from the counters the runs keep. */
export async function usage(
  desk: Desk,
  request: CommandRequest,
  command: Of<"usage">,
): Promise<CommandAnswer> {
  switch (command.of) {
    case null:
      return done(`${await personUsage(desk, request)}\n${await channelUsage(desk, request)}`);
    case "me":
      return done(await personUsage(desk, request));
    case "channel":
      return done(await channelUsage(desk, request));
    case "month":
      return done(await allUsage(desk));
    case "run":
      return runUsage(desk, request, command);
  }
}

async function personUsage(desk: Desk, { person }: CommandRequest): Promise<string> {
  const { ledger, now, caps } = desk.options;
  const counter = (day: string) => usageCounters.person(person.key, day);
  const [today, month] = await Promise.all([
    readUsage(ledger, [counter(dayOf(now()))]),
    readUsage(ledger, daysOfMonth(now()).map(counter)),
  ]);
  const cap = caps?.personDailyUsd;
  const limit = cap === undefined ? "" : ` The cap is ${capDollars(cap)} a day.`;
  return `- You, today: ${usageWords(today)}.${limit}\n- You, this month: ${usageWords(month)}.`;
}

async function channelUsage(desk: Desk, { place, settings }: CommandRequest): Promise<string> {
  const { ledger, now } = desk.options;
  const total = await readUsage(ledger, [usageCounters.channel(place.channelKey, monthOf(now()))]);
  const cap = channelCap(desk, settings.monthlyCapUsd);
  const limit = cap === undefined ? "" : ` The cap is ${capDollars(cap)} a month.`;
  return `- This channel, this month: ${usageWords(total)}.${limit}`;
}

async function allUsage(desk: Desk): Promise<string> {
  const { ledger, now, catalogue } = desk.options;
  const month = monthOf(now());
  const [all, assistants] = await Promise.all([
    readUsage(ledger, [usageCounters.all(month)]),
    catalogue.list(),
  ]);
  const parts = await Promise.all(
    assistants.map(async ({ id, name }) => ({
      name,
      total: await readUsage(ledger, [usageCounters.assistant(id, month)]),
    })),
  );
  const lines = parts
    .filter(({ total }) => total.runs > 0)
    .sort((a, b) => b.total.cost_micro_usd - a.total.cost_micro_usd)
    .slice(0, 20)
    .map(({ name, total }) => `- ${bold(name)}: ${usageWords(total)}`);
  return [`Everything in ${month}: ${usageWords(all)}.`, ...lines].join("\n");
}

async function runUsage(
  desk: Desk,
  request: CommandRequest,
  command: Of<"usage">,
): Promise<CommandAnswer> {
  const found = await conversationFor(desk, request, { ...command, command: "usage run" });
  if ("answer" in found) return found.answer;
  const { lastRun } = await desk.options.threads.status(found.conversationKey);
  if (!lastRun) return refused("Nothing was answered here yet.");
  return done(`The last reply (${code(lastRun.model)}): ${runUsageWords(lastRun)}.`);
}

/** `settings`: everything at a glance; managers and the cap. */
export async function settings(
  desk: Desk,
  request: CommandRequest,
  command: Of<"settings">,
): Promise<CommandAnswer> {
  switch (command.topic) {
    case "all":
      return showSettings(desk, request);
    case "cap":
      return changeCap(desk, request, command);
    case "managers":
      return command.action === "list"
        ? done(managerWords(desk, request))
        : changeManagers(desk, request, command.action, command.person);
  }
}

async function showSettings(desk: Desk, request: CommandRequest): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const { settings: here } = request;
  const [answering, own] = await Promise.all([
    catalogue.answering(request.place.channelKey),
    catalogue.person(request.person.key),
  ]);
  const cap = channelCap(desk, here.monthlyCapUsd);
  const lines = [
    `- Assistant: ${bold(answering.name)} (${typed("use")})`,
    `- Model: ${code(here.model ?? catalogue.modelOf(answering))}${here.model ? ", for this channel" : ""} (${typed("model")})`,
    `- Instructions: ${here.instructions ? "this channel's own" : `${answering.name}'s`} (${typed("instructions")})`,
    `- Conversations: ${spanWords(request)} (${typed("scope")})`,
    `- What waits: ${policyWords[here.policy]} (${typed("queue")})`,
    `- Known about this channel: ${here.context ? "yes" : "nothing"}; about you: ${own.context ? "yes" : "nothing"} (${typed("context")})`,
    `- Cap: ${cap === undefined ? "none" : `${capDollars(cap)} a month`} (${typed("settings cap")})`,
    `- ${managerWords(desk, request)}`,
    `- You are ${request.role === "admin" ? "an admin" : request.role === "manager" ? "a manager here" : "neither manager nor admin here"}.`,
  ];
  return done(lines.join("\n"));
}

async function changeCap(
  desk: Desk,
  request: CommandRequest,
  command: Extract<Of<"settings">, { readonly topic: "cap" }>,
): Promise<CommandAnswer> {
  const { change } = command;
  const fallback = desk.options.caps?.channelMonthlyUsd;
  if (change.type === "show") {
    const cap = channelCap(desk, request.settings.monthlyCapUsd);
    return done(
      cap === undefined
        ? "This channel has no spending cap."
        : `This channel may spend ${capDollars(cap)} a month.`,
    );
  }
  await desk.options.catalogue.changeChannel(
    request.place.channelKey,
    () => ({ monthlyCapUsd: change.usd }),
    request.person,
  );
  if (change.usd !== null) {
    return done(`This channel may spend ${capDollars(change.usd)} a month from now on.`);
  }
  return done(
    fallback === undefined
      ? "This channel has no spending cap any more."
      : `This channel has no cap of its own any more; ${capDollars(fallback)} a month hold for every channel.`,
  );
}

function channelCap(desk: Desk, own: number | null): number | undefined {
  return own ?? desk.options.caps?.channelMonthlyUsd;
}

function managerWords(desk: Desk, { settings: here }: CommandRequest): string {
  const names = here.managers.map((key) => desk.nameOf(key));
  const set =
    names.length > 0 ? `Managers set here: ${listed(names)}.` : "No managers are set here.";
  return `${set} Admins, and who the platform says manages this channel, may change its settings, too.`;
}

async function changeManagers(
  desk: Desk,
  request: CommandRequest,
  action: "add" | "remove",
  mention: string,
): Promise<CommandAnswer> {
  if (request.place.isDirect) return refused("A direct message has no managers but you.");
  const key = toPersonKey(mention, request.person);
  if (!key) {
    return refused(
      `I cannot tell who ${code(mention)} is. Mention them, or give their key, like your own: ${code(request.person.key)}.`,
    );
  }
  const before = request.settings;
  const after = await desk.options.catalogue.changeChannel(
    request.place.channelKey,
    ({ managers }) => {
      const others = managers.filter((manager) => manager !== key);
      if (action === "remove") return { managers: others };
      return managers.includes(key) ? {} : { managers: [...others, key] };
    },
    request.person,
  );
  const name = desk.nameOf(key);
  const isManager = action === "add";
  const state = isManager ? `${name} manages this channel` : `${name} is not set as its manager`;
  if (after.version === before.version) return done(`${state} already.`);
  return done(isManager ? `${state} from now on.` : `${name} is no longer set as its manager.`);
}

/**
 * The key of somebody who is mentioned (`<@U1>`, `<@U1|ada>`, `<@!1>`), named by key, or, in the
 * console, by name. Keys of one platform differ in their last part only.
 */
export function toPersonKey(mention: string, asker: Person): string | undefined {
  const prefix = asker.key.slice(0, asker.key.lastIndexOf(":") + 1);
  const id = /^<@!?([A-Za-z0-9]+)(?:\|[^>]*)?>$/.exec(mention)?.[1];
  if (id) return `${prefix}${id}`;
  const plain = mention.replace(/^@/, "");
  if (plain.startsWith(prefix) && plain.length > prefix.length && !/\s/.test(plain)) return plain;
  if (prefix !== "web:" || plain.includes(":")) return undefined;
  const name = plain.toLowerCase().trim().replace(/\s+/g, "-");
  return name === "" ? undefined : `${prefix}${name}`;
}

/** The settings as a form, for a modal or a page; what somebody may not change says why. */
export async function settingsPanel(desk: Desk, asker: Asker): Promise<Panel> {
  const { catalogue } = desk.options;
  const { settings: here, place, person } = asker;
  const [answering, own, assistants, models] = await Promise.all([
    catalogue.answering(place.channelKey),
    catalogue.person(person.key),
    catalogue.list(),
    desk.models(),
  ]);
  const ownModel = catalogue.modelOf(answering);
  const lock = (needs: Role, what: string) =>
    mayAct(asker.role, needs) ? {} : { locked: mayNotWords(desk, asker, needs, what) };
  const modelNames = [...new Set([...(here.model ? [here.model] : []), ...models])];
  const fields: PanelField[] = [
    {
      command: "use =",
      label: "Assistant",
      value: answering.name,
      multiline: false,
      choices: assistants.map(({ name }) => ({ value: name, label: name })),
      ...lock("manager", "choose the assistant"),
    },
    {
      command: "model =",
      label: "Model",
      value: here.model ?? "",
      multiline: false,
      ...(modelNames.length > 0
        ? {
            choices: [
              { value: "", label: `${answering.name}'s own (${ownModel})` },
              ...modelNames.map((name) => ({ value: name, label: name })),
            ],
          }
        : {}),
      ...lock("manager", "choose the model"),
    },
    {
      command: "instructions =",
      label: "Instructions for this channel",
      value: here.instructions ?? "",
      multiline: true,
      ...lock("manager", "change the instructions"),
    },
    {
      command: "context channel =",
      label: "What to know about this channel",
      value: here.context ?? "",
      multiline: true,
      ...lock("manager", "say what to know about this channel"),
    },
    {
      command: "context me =",
      label: "What to know about you",
      value: own.context ?? "",
      multiline: true,
    },
    {
      command: "queue =",
      label: "Messages that wait",
      value: here.policy,
      multiline: false,
      choices: (["fifo", "merge", "latest"] as const).map((policy) => ({
        value: policy,
        label: plain(policyWords[policy]),
      })),
      ...lock("manager", "choose how waiting messages are answered"),
    },
    ...(place.isDirect
      ? []
      : [
          {
            command: "scope =",
            label: "Conversations",
            value: here.scope,
            multiline: false,
            choices: (["thread", "person", "channel"] as const).map((one) => ({
              value: one,
              label: plain(scopeWords[one]),
            })),
            ...lock("manager", "choose what is one conversation"),
          },
        ]),
    {
      command: "settings cap =",
      label: "Spending cap a month, in US dollars",
      value: here.monthlyCapUsd === null ? "" : String(here.monthlyCapUsd),
      multiline: false,
      ...lock("admin", "set the cap"),
    },
  ];
  return {
    title: place.isDirect ? "Settings of this conversation" : `Settings of ${place.channelName}`,
    text: `${answering.name} answers here with ${here.model ?? ownModel}. Changes hold from the next message on.`,
    fields,
  };
}

function plain(text: string): string {
  return text.replace(/\s*\(`[^`]*`\)/, "");
}
