import {
  WebAPIHTTPError,
  WebAPIPlatformError,
  WebAPIRateLimitedError,
  WebAPIRequestError,
} from "@slack/web-api";
import { BotError } from "#domain/errors";

/** What a failed call came to. `unclear`: it may have been carried out. */
export type SlackFailure =
  | { readonly type: "refused"; readonly error: string; readonly needed?: string }
  | { readonly type: "rate-limited"; readonly retryAfterMs: number }
  | { readonly type: "unclear"; readonly cause: string };

/** Says what an error of the Web API client means; undefined when it is none. */
export function failureOf(error: unknown): SlackFailure | undefined {
  if (error instanceof WebAPIRateLimitedError) {
    return { type: "rate-limited", retryAfterMs: error.retryAfter * 1_000 };
  }
  if (error instanceof WebAPIHTTPError) {
    return { type: "unclear", cause: `HTTP ${error.statusCode}` };
  }
  if (error instanceof WebAPIRequestError) return { type: "unclear", cause: "connection" };
  if (!(error instanceof WebAPIPlatformError)) return undefined;
  const code: unknown = error.data.error;
  // A page of HTML or nothing at all with status 200: a proxy spoke, not Slack.
  if (typeof code !== "string" || !/^[a-z0-9_]+$/.test(code)) {
    return { type: "unclear", cause: "not Slack's answer" };
  }
  if (code === "ratelimited") return { type: "rate-limited", retryAfterMs: 5_000 };
  if (code === "fatal_error" || code === "internal_error" || code === "service_unavailable") {
    return { type: "unclear", cause: code };
  }
  const { needed } = error.data as { readonly needed?: unknown };
  return { type: "refused", error: code, ...(typeof needed === "string" ? { needed } : {}) };
}

/** The code of a refusal; undefined for everything else. */
export function refusalOf(error: unknown): string | undefined {
  const failure = failureOf(error);
  return failure?.type === "refused" ? failure.error : undefined;
}

/**
 * How far a refusal of a stream reaches: `everywhere` the workspace has none, `channel` not there,
 * `message` not for this answer. Undefined: it was refused for another reason.
 */
export function streamingRefusedFor(
  code: string | undefined,
): "everywhere" | "channel" | "message" | undefined {
  return code === undefined ? undefined : noStreaming[code];
}

/** An optional feature that the app or the workspace does not have. */
export function isAbsent(code: string | undefined): boolean {
  return code !== undefined && absent.has(code);
}

/** The token is no longer good for anything. */
export function isDeadToken(code: string | undefined): boolean {
  return code !== undefined && deadToken.has(code);
}

const noStreaming: { readonly [code: string]: "everywhere" | "channel" | "message" } = {
  unknown_method: "everywhere",
  feature_not_enabled: "everywhere",
  feature_disabled: "everywhere",
  method_deprecated: "everywhere",
  channel_type_not_supported: "channel",
  missing_recipient_user_id: "message",
  missing_recipient_team_id: "message",
  user_not_found: "message",
  team_not_found: "message",
  invalid_thread_ts: "message",
};

const absent = new Set([
  "not_agent_app",
  "feature_disabled",
  "feature_not_enabled",
  "unknown_method",
  "method_deprecated",
  "missing_scope",
  "not_allowed_token_type",
]);

const deadToken = new Set([
  "account_inactive",
  "token_revoked",
  "invalid_auth",
  "token_expired",
  "not_authed",
]);

/** Why a reply cannot be posted, for the person and the log. */
const reasons: { readonly [code: string]: string } = {
  not_in_channel: "I am not a member of this channel: invite me.",
  channel_not_found: "I cannot see this channel.",
  is_archived: "This channel is archived.",
  restricted_action: "This workspace does not let me post here.",
  restricted_action_read_only_channel: "Only some people may post in this channel.",
  restricted_action_thread_only_channel: "This channel takes replies in threads only.",
  messages_tab_disabled: "Direct messages to me are switched off in my app settings.",
  thread_not_found: "The message I was to reply to is gone.",
  invalid_thread_ts: "The message I was to reply to is gone.",
  cannot_reply_to_message: "Slack does not let me reply to that message.",
  missing_scope: "My Slack app lacks a permission.",
};

/** Why something cannot be posted somewhere; undefined for refusals of another kind. */
export function reasonOf(code: string | undefined): string | undefined {
  return code === undefined ? undefined : reasons[code];
}

/**
 * An error of a call that was to show something, in the bot's words: what passes, and what does not.
 * `mayComeBack`: a token that is refused now may be good again later.
 */
export function asReplyError(
  error: unknown,
  { mayComeBack = false }: { readonly mayComeBack?: boolean } = {},
): unknown {
  const failure = failureOf(error);
  if (!failure) return error;
  const isLasting = failure.type === "refused" && !(mayComeBack && isDeadToken(failure.error));
  return new BotError(isLasting ? "reply-impossible" : "platform-unavailable", {
    detail: detailOf(failure),
    cause: error,
  });
}

function detailOf(failure: SlackFailure): string {
  switch (failure.type) {
    case "rate-limited":
      return "Slack asked me to wait for too long.";
    case "unclear":
      return `Slack could not be reached (${failure.cause}).`;
    case "refused":
      if (isDeadToken(failure.error)) return "My access to this workspace has ended.";
      return reasons[failure.error] ?? `Slack refused it: ${failure.error}.`;
  }
}
