import { DiscordAPIError, HTTPError, RateLimitError, RESTJSONErrorCodes } from "discord.js";
import { BotError } from "#domain/errors";

/** What a failed call came to. `unclear`: it may have been carried out. */
export type DiscordFailure =
  /** `code`: Discord's JSON code, 0 where there is none. */
  | { readonly type: "refused"; readonly code: number; readonly status: number }
  | { readonly type: "rate-limited"; readonly retryAfterMs: number; readonly isGlobal: boolean }
  | { readonly type: "unclear"; readonly cause: string };

/** A page of a proxy, or nothing at all, with a status that says that all is well. */
export class ForeignAnswer extends Error {}

const lostConnection =
  /^(UND_ERR_\w+|ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EPROTO|ERR_(?:SSL|TLS)_\w+|\w*CERT\w*|UNABLE_TO_\w+)$/;

/** Says what an error of the REST client means; undefined when it is none. */
export function failureOf(error: unknown): DiscordFailure | undefined {
  if (error instanceof RateLimitError) {
    return { type: "rate-limited", retryAfterMs: error.retryAfter, isGlobal: error.global };
  }
  if (error instanceof DiscordAPIError) {
    return { type: "refused", code: Number(error.code) || 0, status: error.status };
  }
  if (error instanceof HTTPError) return { type: "unclear", cause: `HTTP ${error.status}` };
  if (!(error instanceof Error)) return undefined;
  if (error instanceof ForeignAnswer) return { type: "unclear", cause: "not Discord's answer" };
  if (error.name === "AbortError") return { type: "unclear", cause: "no answer" };
  // After a 401 the client forgets its token and refuses every call by itself.
  if (error.message.startsWith("Expected token")) return { type: "refused", code: 0, status: 401 };
  const { code } = error as { readonly code?: unknown };
  const isLost = typeof code === "string" && lostConnection.test(code);
  return isLost ? { type: "unclear", cause: "connection" } : undefined;
}

/** The JSON code of a refusal; undefined for everything else. */
export function refusalOf(error: unknown): number | undefined {
  const failure = failureOf(error);
  return failure?.type === "refused" ? failure.code : undefined;
}

/** The bot may not do this here: asking again soon only brings a ban nearer. */
export function isForbidden(code: number | undefined): boolean {
  return (
    code === RESTJSONErrorCodes.MissingAccess || code === RESTJSONErrorCodes.MissingPermissions
  );
}

/** The server's own filter took offence: the same text must not be sent again. */
export function isBlocked(code: number | undefined): boolean {
  return (
    code === RESTJSONErrorCodes.MessageWasBlockedByAutomaticModeration ||
    code === RESTJSONErrorCodes.TitleWasBlockedByAutomaticModeration
  );
}

/** Larger than the server takes: 40005, or a 413 without a code. */
export function isTooLarge(error: unknown): boolean {
  const failure = failureOf(error);
  if (failure?.type !== "refused") return false;
  return failure.code === RESTJSONErrorCodes.RequestEntityTooLarge || failure.status === 413;
}

/** Why a reply cannot be posted, for the person and the log. */
const reasons: { readonly [code: number]: string } = {
  [RESTJSONErrorCodes.UnknownChannel]: "The channel is gone.",
  [RESTJSONErrorCodes.MissingAccess]: "I cannot see this channel: I need the right View Channel.",
  [RESTJSONErrorCodes.MissingPermissions]:
    "I may not write here: I need Send Messages, Send Messages in Threads and Read Message History.",
  [RESTJSONErrorCodes.CannotSendMessagesToThisUser]:
    "You take no direct messages from me: your privacy settings for the server decide that.",
  [RESTJSONErrorCodes.ThreadLocked]: "This thread is locked.",
  [RESTJSONErrorCodes.InvalidActionOnArchivedThread]: "This thread is archived and stays so.",
  [RESTJSONErrorCodes.MessageWasBlockedByAutomaticModeration]:
    "The AutoMod of this server blocked the answer.",
  [RESTJSONErrorCodes.TitleWasBlockedByAutomaticModeration]:
    "The AutoMod of this server blocked the title of the thread.",
};

/** An error of a call that was to show something, in the bot's words: what passes, and what does not. */
export function asReplyError(error: unknown): unknown {
  const failure = failureOf(error);
  if (!failure) return error;
  const isLasting = failure.type === "refused" && failure.status !== 401;
  return new BotError(isLasting ? "reply-impossible" : "platform-unavailable", {
    detail: detailOf(failure),
    cause: error,
  });
}

function detailOf(failure: DiscordFailure): string {
  switch (failure.type) {
    case "rate-limited":
      return "Discord asked me to wait for too long.";
    case "unclear":
      return `Discord could not be reached (${failure.cause}).`;
    case "refused":
      if (failure.status === 401) return "My access to Discord has ended.";
      return reasons[failure.code] ?? `Discord refused it (${failure.code || failure.status}).`;
  }
}
