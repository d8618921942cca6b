import { BotError } from "#domain/errors";
import type { Log } from "#ports/log";
import type { SlackApi } from "./api.ts";
import { failureOf } from "./failures.ts";
import type { Workspace } from "./inbound.ts";

/** The scopes of the manifest, and what does not work without each. */
export const scopes: { readonly [scope: string]: string } = {
  "app_mentions:read": "mentions in channels are not heard",
  "assistant:write": "the Messages tab suggests nothing to ask",
  "chat:write": "nothing can be answered",
  commands: "/assistant does not work",
  "channels:history": "replies without a mention in public channels are not heard",
  "groups:history": "replies without a mention in private channels are not heard",
  "im:history": "direct messages are not heard",
  "mpim:history": "group messages are not heard",
  "channels:read": "public channels have no names",
  "groups:read": "private channels have no names",
  "im:read": "direct messages cannot be looked up",
  "im:write":
    "the bot cannot begin a direct message: exports, Ask the assistant, and answers it cannot post",
  "mpim:read": "group messages have no names",
  "files:read": "attached files cannot be read",
  "files:write": "files cannot be delivered",
  "reactions:read": "a stop sign as a reaction does not stop",
  "reactions:write": "waiting messages get no mark",
  "users:read": "people have no names, and admins are not known",
  "usergroups:read": "user groups in SLACK_ALLOWED_USERS are not known",
};

const needed = ["chat:write"];

/** Asks Slack who we are and says exactly what is missing. Throws a BotError with what to do. */
export async function checkSetUp(api: SlackApi, log: Log): Promise<Workspace> {
  const result = await api.call("auth.test", {}, { isRepeatable: true }).catch((error: unknown) => {
    throw asSetUpError(error);
  });
  const { team_id, user_id, bot_id, response_metadata } = result;
  if (typeof team_id !== "string" || typeof user_id !== "string" || typeof bot_id !== "string") {
    throw new BotError("bad-input", {
      detail:
        "SLACK_BOT_TOKEN is no bot's token: copy the one that begins with xoxb- from OAuth & Permissions.",
    });
  }
  const granted = response_metadata?.scopes;
  if (granted) sayWhatIsMissing(granted, log);
  return { teamId: team_id, botUser: user_id, botId: bot_id };
}

function sayWhatIsMissing(granted: readonly string[], log: Log): void {
  const missing = Object.keys(scopes).filter((scope) => !granted.includes(scope));
  const vital = missing.filter((scope) => needed.includes(scope));
  if (vital.length > 0) {
    throw new BotError("not-allowed", {
      detail: `The Slack app lacks the scope ${vital.join(", ")}: add it under OAuth & Permissions and install the app again.`,
    });
  }
  for (const scope of missing) {
    const fix = "Add it under OAuth & Permissions and install the app again.";
    log.warn({ platform: "slack", scope, problem: scopes[scope], fix }, "Slack scope missing");
  }
}

/** What is wrong when Slack opens no connection for Socket Mode, with what to do. */
export function asSocketError(error: unknown): unknown {
  const failure = failureOf(error);
  switch (failure?.type) {
    case "refused":
      return new BotError("not-allowed", {
        detail: `Slack does not accept SLACK_APP_TOKEN (${failure.error}): ${socketFix(failure.error)}`,
        cause: error,
      });
    case "unclear":
    case "rate-limited":
      return new BotError("platform-unavailable", {
        detail:
          "Slack opened no connection for Socket Mode. Check that WebSockets to wss-primary.slack.com are let through, or use SLACK_SIGNING_SECRET instead of SLACK_APP_TOKEN.",
        cause: error,
      });
    case undefined:
      return error;
  }
}

/** What to do when Slack ends connections because Socket Mode is off. */
export const socketModeOff =
  "Socket Mode is switched off for the app: switch it on under Socket Mode in its settings.";

function socketFix(code: string): string {
  switch (code) {
    case "missing_scope":
      return "it lacks the scope connections:write. Generate another under Basic Information, App-Level Tokens.";
    case "not_allowed_token_type":
      return "it has to be an app-level token, which begins with xapp-. Generate one under Basic Information, App-Level Tokens.";
    default:
      return "generate an app-level token with the scope connections:write under Basic Information, and check that Socket Mode is on.";
  }
}

function asSetUpError(error: unknown): unknown {
  const failure = failureOf(error);
  if (failure?.type === "refused") {
    return new BotError("not-allowed", {
      detail: `Slack does not accept SLACK_BOT_TOKEN (${failure.error}): copy the Bot User OAuth Token again, after installing the app.`,
      cause: error,
    });
  }
  if (failure) {
    const why = failure.type === "unclear" ? failure.cause : "it asks to wait";
    return new BotError("platform-unavailable", {
      detail: `Slack could not be reached (${why}). Check the network, and SLACK_API_URL if it is set.`,
      cause: error,
    });
  }
  return error;
}
