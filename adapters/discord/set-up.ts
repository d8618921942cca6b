import {
  ApplicationFlags,
  type Guild,
  OAuth2Scopes,
  type PermissionFlagsBits,
  PermissionsBitField,
  type RESTGetCurrentApplicationResult,
  Routes,
} from "discord.js";
import { BotError, messageOf } from "#domain/errors";
import type { Log } from "#ports/log";
import { failureOf } from "./failures.ts";
import type { PacedApi } from "./paced-api.ts";

/** The rights the invite link asks for, and what does not work without each. */
export const rights = {
  ViewChannel: "channels are not seen",
  ReadMessageHistory: "nothing said before is read, and missed mentions are not found",
  SendMessages: "answers that have no thread are not posted",
  CreatePublicThreads: "answers stand in the channel instead of in a thread",
  SendMessagesInThreads: "nothing can be answered in threads and forum posts",
  AttachFiles: "files cannot be delivered",
} as const satisfies { readonly [right in keyof typeof PermissionFlagsBits]?: string };

const allRights = new PermissionsBitField(Object.keys(rights) as (keyof typeof rights)[]);
const portal = "https://discord.com/developers/applications";

/** The application as Discord knows it. */
export interface Application {
  readonly id: string;
  readonly botId: string;
  /** Who the application belongs to: their word counts as an admin's. */
  readonly ownerIds: readonly string[];
  /** True: the portal grants the message content intent. */
  readonly readsContent: boolean;
}

/** Asks Discord who we are. Throws a BotError that says what to do. */
export async function readApplication(api: PacedApi): Promise<Application> {
  const route = Routes.currentApplication();
  const found = (await api
    .call({ method: "GET", route, kind: "other", isRepeatable: true })
    .catch((error: unknown) => {
      throw asSetUpError(error);
    })) as RESTGetCurrentApplicationResult;
  const { id, bot, flags = 0, owner, team } = found;
  const members = team?.members.map(({ user }) => user.id) ?? [];
  const contentFlags =
    ApplicationFlags.GatewayMessageContent | ApplicationFlags.GatewayMessageContentLimited;
  return {
    id,
    botId: bot?.id ?? id,
    ownerIds: team ? members : owner ? [owner.id] : [],
    readsContent: (flags & contentFlags) !== 0,
  };
}

/** Where an admin of a server invites the bot with exactly the rights it needs. */
export function inviteLink(applicationId: string): string {
  const query = new URLSearchParams({
    client_id: applicationId,
    scope: [OAuth2Scopes.Bot, OAuth2Scopes.ApplicationsCommands].join(" "),
    permissions: String(allRights.bitfield),
  });
  return `https://discord.com/oauth2/authorize?${query}`;
}

/** Says in the log which rights a server has not given, and what is lost without each. */
export function sayWhatIsMissing(guild: Guild, log: Log): void {
  const { me } = guild.members;
  for (const right of me?.permissions.missing(allRights) ?? []) {
    const problem = rights[right as keyof typeof rights];
    log.warn({ platform: "discord", guild: guild.id, right, problem }, "Discord right missing");
  }
}

/** What an admin does about an intent that is off, or is refused. */
export const contentIntentWords = `Messages that do not mention me cannot be read. To let me follow threads without a mention, switch on Message Content Intent on the Bot page of the application (${portal}), or set DISCORD_MESSAGE_CONTENT=off to do without it for good.`;

/** Close codes after which connecting again the same way is of no use (docs.discord.com, Gateway close event codes). */
const closeWords: { readonly [code: number]: string } = {
  4004: `Discord does not accept DISCORD_TOKEN any more: reset it on the Bot page of the application (${portal}) and set the new one.`,
  4010: "Discord refuses the shard: take DISCORD_SHARDS out, so that Discord recommends a number.",
  4011: "The bot is in more servers than one connection may serve: take DISCORD_SHARDS out, so that Discord recommends a number. Several gateways ask for it once all of them are stopped at the same time.",
  4012: "Discord no longer speaks this version of its gateway: update Bobbin.",
  4013: "Discord does not know the intents that were asked for: update Bobbin.",
  4014: contentIntentWords,
};

/** Why the gateway has ended a connection for good; undefined for codes that end none. */
export function finalWords(code: number): string | undefined {
  return closeWords[code];
}

/** What the client says in words of its own when a close code ends its first connection. */
const clientWords: readonly (readonly [RegExp, number])[] = [
  [/invalid token|authentication failed/i, 4004],
  [/invalid shard/i, 4010],
  [/sharding is required/i, 4011],
  [/invalid api version/i, 4012],
  [/invalid intents/i, 4013],
  [/disallowed intents/i, 4014],
];

/** True when the gateway refused an intent that is off in the portal. */
export function isIntentRefused(error: unknown): boolean {
  return codeOf(error) === 4014;
}

/** A failure to connect in words an admin can act on. */
export function asSetUpError(error: unknown): unknown {
  if (error instanceof BotError) return error;
  const failure = failureOf(error);
  const isRefused = failure?.type === "refused" && failure.status === 401;
  const code = isRefused ? 4004 : codeOf(error);
  if (code !== undefined) {
    return new BotError("not-allowed", { detail: closeWords[code] ?? "", cause: error });
  }
  const message = messageOf(error);
  if (/not enough sessions/i.test(message)) {
    const until = /resets at (\S+)/.exec(message)?.[1] ?? "tomorrow";
    return new BotError("platform-unavailable", {
      detail: `Discord lets a bot connect 1,000 times a day, and today's are used up: they are back at ${until}. Something restarts Bobbin again and again.`,
      cause: error,
    });
  }
  const isForeign = error instanceof TypeError || error instanceof SyntaxError;
  if (failure?.type === "unclear" || isForeign) {
    return new BotError("platform-unavailable", {
      detail: `Discord could not be reached (${failure?.type === "unclear" ? failure.cause : message}). Check the network, and DISCORD_API_URL if it is set.`,
      cause: error,
    });
  }
  return error;
}

function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  return clientWords.find(([words]) => words.test(error.message))?.[1];
}
