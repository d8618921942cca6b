import { createHash } from "node:crypto";
import {
  type APIApplicationCommandBasicOption,
  type APIApplicationCommandSubcommandOption,
  ApplicationCommandOptionType,
  ApplicationCommandType,
  ApplicationIntegrationType,
  InteractionContextType,
  PermissionFlagsBits,
  type RESTGetAPIApplicationCommandsResult,
  RESTJSONErrorCodes,
  type RESTPostAPIApplicationCommandsJSONBody,
  Routes,
} from "discord.js";
import type { CommandParameter, CommandSpec } from "#domain/command";
import type { Json } from "#domain/json";
import { shortened } from "#domain/shortened";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import { failureOf, refusalOf } from "./failures.ts";
import type { PacedApi } from "./paced-api.ts";

/** The names people see. */
export const commandNames = {
  everybody: "assistant",
  managers: "assistant-admin",
  message: "Ask the assistant",
} as const;

/** The subcommand that asks a question; all others are the grammar's. */
export const askWord = "ask";
export const askOptions = { question: "question", file: "file" } as const;

/** Discord's limits (docs.discord.com/developers/interactions/application-commands). */
const mostDescription = 100;
const mostStringOption = 6_000;
const mostChoices = 25;
const register = "discord/commands";

/** The commands as Discord takes them. Those for one server carry no contexts: they are only there. */
function commandDefinitions(
  specs: readonly CommandSpec[],
  scope: "everywhere" | "server",
): readonly RESTPostAPIApplicationCommandsJSONBody[] {
  const { Guild, BotDM } = InteractionContextType;
  const where = (contexts: readonly InteractionContextType[]) =>
    scope === "server"
      ? {}
      : {
          contexts: [...contexts],
          integration_types: [ApplicationIntegrationType.GuildInstall],
        };
  return [
    {
      type: ApplicationCommandType.ChatInput,
      name: commandNames.everybody,
      description: "Ask the assistant, and see or change how it works here",
      options: [askSubcommand(), ...specs.map(subcommand)],
      ...where([Guild, BotDM]),
    },
    {
      type: ApplicationCommandType.ChatInput,
      name: commandNames.managers,
      description: "Configure the assistant for this channel and this server",
      default_member_permissions: String(PermissionFlagsBits.ManageGuild),
      options: specs.filter(isForManagers).map(subcommand),
      ...where([Guild]),
    },
    {
      type: ApplicationCommandType.Message,
      name: commandNames.message,
      ...where([Guild, BotDM]),
    },
  ];
}

function isForManagers({ role, changedBy }: CommandSpec): boolean {
  return role !== "person" || changedBy !== undefined;
}

function askSubcommand(): APIApplicationCommandSubcommandOption {
  return {
    type: ApplicationCommandOptionType.Subcommand,
    name: askWord,
    description: "Ask a question; the answer comes in a thread, for everybody here",
    options: [
      {
        type: ApplicationCommandOptionType.String,
        name: askOptions.question,
        description: "What you want to know",
        required: true,
        max_length: mostStringOption,
      },
      {
        type: ApplicationCommandOptionType.Attachment,
        name: askOptions.file,
        description: "A file the question is about",
      },
    ],
  };
}

function subcommand({
  name,
  summary,
  parameters,
}: CommandSpec): APIApplicationCommandSubcommandOption {
  return {
    type: ApplicationCommandOptionType.Subcommand,
    name,
    description: shortened(summary, mostDescription),
    options: parameters.map(optionOf),
  };
}

function optionOf({
  name,
  summary,
  required,
  kind,
  choices = [],
}: CommandParameter): APIApplicationCommandBasicOption {
  const common = {
    type: ApplicationCommandOptionType.String as const,
    name,
    description: shortened(summary, mostDescription),
    required,
  };
  if (kind === "text") return { ...common, max_length: mostStringOption };
  if (kind === "word" && choices.length > 0 && choices.length <= mostChoices) {
    return { ...common, choices: choices.map((choice) => ({ name: choice, value: choice })) };
  }
  return { ...common, autocomplete: true };
}

/** What is known of the commands of one place, to tell whether anything has changed. */
interface Registered {
  readonly hash: string;
  /** Ids and versions as Discord gave them: another program may have changed them since. */
  readonly versions: string;
}

/**
 * Registers the commands where they belong and takes them away where they no longer do; calls for a
 * change only when something has changed. Never throws: a place that refuses is said in the log.
 */
export async function registerCommands(parts: {
  readonly api: PacedApi;
  readonly applicationId: string;
  readonly specs: readonly CommandSpec[];
  /** Empty: everywhere. */
  readonly guilds: readonly string[];
  readonly ledger: Ledger;
  readonly log: Log;
}): Promise<void> {
  const { guilds, ledger, log, specs } = parts;
  const found = await ledger.read(register);
  const known = new Map(
    Object.entries((found?.value ?? {}) as unknown as { readonly [place: string]: Registered }),
  );
  const wanted = new Map<string, readonly RESTPostAPIApplicationCommandsJSONBody[]>();
  for (const place of known.keys()) wanted.set(place, []);
  wanted.set(everywhere, guilds.length === 0 ? commandDefinitions(specs, "everywhere") : []);
  for (const guild of guilds) wanted.set(guild, commandDefinitions(specs, "server"));
  for (const [place, definitions] of wanted) {
    try {
      const now = await bringTo(definitions, place, known.get(place), parts);
      if (now) known.set(place, now);
      else known.delete(place);
    } catch (error) {
      log.warn(
        { platform: "discord", place, problem: problemOf(error) },
        "commands not registered",
      );
    }
  }
  const value = Object.fromEntries(known) as unknown as Json;
  if (JSON.stringify(value) === JSON.stringify(found?.value ?? {})) return;
  await ledger.apply({ registers: [{ name: register, value }] });
}

const everywhere = "everywhere";

/** Undefined: nothing is registered there now. */
async function bringTo(
  definitions: readonly RESTPostAPIApplicationCommandsJSONBody[],
  place: string,
  known: Registered | undefined,
  parts: { readonly api: PacedApi; readonly applicationId: string; readonly log: Log },
): Promise<Registered | undefined> {
  const { api, applicationId, log } = parts;
  if (definitions.length === 0 && !known) return undefined;
  const route =
    place === everywhere
      ? Routes.applicationCommands(applicationId)
      : Routes.applicationGuildCommands(applicationId, place);
  const hash = createHash("sha256").update(JSON.stringify(definitions)).digest("hex");
  const call = { route, kind: "other", isRepeatable: true } as const;
  if (known?.hash === hash) {
    const there = (await api.call({
      ...call,
      method: "GET",
    })) as RESTGetAPIApplicationCommandsResult;
    if (versionsOf(there) === known.versions) return known;
  }
  const now = (await api.call({
    ...call,
    method: "PUT",
    body: definitions,
  })) as RESTGetAPIApplicationCommandsResult;
  log.info({ platform: "discord", place, commands: now.length }, "commands registered");
  return definitions.length === 0 ? undefined : { hash, versions: versionsOf(now) };
}

function versionsOf(commands: RESTGetAPIApplicationCommandsResult): string {
  return commands
    .map(({ id, version }) => `${id}/${version}`)
    .sort()
    .join(" ");
}

function problemOf(error: unknown): string {
  const code = refusalOf(error);
  if (code === RESTJSONErrorCodes.MissingAccess) {
    return "the server has to invite the application with the scope applications.commands: use the invite link";
  }
  return code === undefined ? (failureOf(error)?.type ?? String(error)) : String(code);
}
