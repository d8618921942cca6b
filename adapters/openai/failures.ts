import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from "openai";
import { BotError, type BotErrorCode } from "#domain/errors";
import type { TurnEnd } from "#ports/model-backend";

/** How a turn failed, as a turn's end says it. */
export type TurnFailure = Extract<TurnEnd["result"], { readonly status: "failed" }>;

/**
 * What an error of the SDK (or of a stream that broke) means.
 *
 * Codes are read before statuses: servers send `insufficient_quota` as a 429 and also in the middle
 * of a stream that began with 200, and a locked conversation as a 400.
 */
export function toTurnFailure(error: unknown, now: () => number = Date.now): TurnFailure {
  if (error instanceof BotError) {
    return failure(error.code, error, {
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    });
  }
  if (error instanceof APIConnectionTimeoutError) return failure("model-unreachable", error);
  if (error instanceof APIUserAbortError) return failure("stream-cut", error);
  if (error instanceof APIConnectionError) return failure("model-unreachable", error);
  if (error instanceof APIError) return ofApiError(error, now);
  if (isBrokenStream(error)) return failure("stream-cut", error);
  return failure("model-failed", error);
}

/** What the `error` of a failed response (or of an error event) means. */
export function toReportedFailure(
  reported: {
    readonly code?: string | null;
    readonly type?: string | null;
    readonly message?: string | null;
  } | null,
): TurnFailure {
  const message = reported?.message ?? "";
  const known = ofCode(reported?.code ?? "", reported?.type ?? "", message);
  const waitMs = waitInWords(message);
  return failure(known?.code ?? "model-failed", reported, {
    ...(known?.detail === undefined ? {} : { detail: known.detail }),
    ...(known?.code === "model-busy" && waitMs !== undefined ? { retryAfterMs: waitMs } : {}),
  });
}

/** Something the service no longer has, though our state names it. */
export type RemoteLoss = "response" | "file" | "container" | "vector-store" | "reasoning";

/** Says whether a request failed because something our state names is gone; it can be built again. */
export function remoteLoss(error: unknown): RemoteLoss | undefined {
  if (!(error instanceof APIError)) return undefined;
  if (error.status !== undefined && error.status !== 400 && error.status !== 404) return undefined;
  const code = error.code ?? "";
  const text = error.message.toLowerCase();
  const gone = /not found|no such|expired|does not exist|deleted|no longer/.test(text);
  if (code === "previous_response_not_found" || error.param === "previous_response_id") {
    return "response";
  }
  // An unanswered or unknown call of a response we cannot see into: our own transcript is whole.
  if (/no tool (output|call) found/.test(text)) return "response";
  if (gone && text.includes("previous response")) return "response";
  if (code === "invalid_encrypted_content" || text.includes("encrypted content")) {
    return "reasoning";
  }
  if (gone && text.includes("container")) return "container";
  if (gone && /vector.?store/.test(text)) return "vector-store";
  if (gone && /\bfiles?\b/.test(text)) return "file";
  return undefined;
}

/** The name of a request field the server does not take for this model, when that is what it says. */
export function refusedParameter(error: unknown): string | undefined {
  if (!(error instanceof APIError) || (error.status !== 400 && error.status !== 422)) {
    return undefined;
  }
  if (typeof error.param !== "string" || error.param === "") return undefined;
  const says = /unsupported|unknown_parameter|unrecognized|not supported|unknown parameter/i;
  return says.test(`${error.code ?? ""} ${error.message}`) ? error.param : undefined;
}

/** A connection that broke, as opposed to a service that said what is wrong. */
export function isCut(error: unknown): boolean {
  if (error instanceof APIConnectionError) return true;
  if (error instanceof APIError) return false;
  return toTurnFailure(error).code === "stream-cut";
}

/** Trouble of the service's own, or on the way to it: the same request may do later. */
export function isServerTrouble(error: APIError): boolean {
  return error.status === undefined || error.status === 429 || error.status >= 500;
}

/** A stream that broke, however that showed. */
export function cut(cause: unknown): BotError {
  return new BotError("stream-cut", { cause });
}

/** A response that was being followed and is not there any more. */
export function gone(cause: unknown): BotError {
  return new BotError("model-failed", {
    detail: "The answer in progress was no longer there.",
    cause,
  });
}

function ofApiError(error: APIError, now: () => number): TurnFailure {
  const waitMs = retryAfterMs(error.headers, now) ?? waitInWords(error.message);
  const code = typeof error.code === "string" ? error.code : "";
  const known = ofCode(code, error.type ?? "", error.message) ?? ofStatus(error.status);
  const waits = known.code === "model-busy" || known.code === "model-failed";
  return failure(known.code, error, {
    ...(known.detail === undefined ? {} : { detail: known.detail }),
    ...(waits && waitMs !== undefined ? { retryAfterMs: waitMs } : {}),
    ...(code === "conversation_locked" ? { retryAfterMs: waitMs ?? 3000 } : {}),
  });
}

interface Meaning {
  readonly code: BotErrorCode;
  readonly detail?: string;
}

function ofCode(code: string, type: string, message: string): Meaning | undefined {
  const names = [code, type];
  const isOneOf = (...known: readonly string[]) => names.some((name) => known.includes(name));
  if (isOneOf("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")) {
    return { code: "model-quota" };
  }
  if (isOneOf("context_length_exceeded", "exceed_context_size_error")) {
    return { code: "context-too-long" };
  }
  if (isOneOf("conversation_locked", "rate_limit_exceeded", "rate_limit_error")) {
    return { code: "model-busy" };
  }
  if (saysContextTooLong(message)) return { code: "context-too-long" };
  if (isOneOf("overloaded", "overloaded_error", "server_overloaded", "slow_down")) {
    return { code: "model-busy" };
  }
  if (isOneOf("invalid_api_key", "authentication_error", "invalid_authentication")) {
    return { code: "model-auth" };
  }
  if (isOneOf("model_not_found", "invalid_model")) return { code: "model-not-found" };
  if (isOneOf("content_filter", "content_policy_violation", "image_content_policy_violation")) {
    return { code: "content-filter" };
  }
  if (isOneOf("server_error", "vector_store_timeout")) return { code: "model-failed" };
  if (isOneOf("invalid_prompt", "bio_policy", "misalignment_policy_violation")) {
    return { code: "model-refused" };
  }
  if (/image/.test(code)) return { code: "model-refused", detail: "It could not read an image." };
  return undefined;
}

function ofStatus(status: number | undefined): Meaning {
  if (status === undefined) return { code: "model-failed" };
  if (status === 401 || status === 403) return { code: "model-auth" };
  if (status === 402) return { code: "model-quota" };
  if (status === 404) return { code: "model-not-found" };
  if (status === 413) return { code: "model-refused", detail: "The request was too large." };
  if ([408, 409, 429, 503, 529].includes(status)) return { code: "model-busy" };
  if (status >= 500) return { code: "model-failed" };
  return { code: "model-refused" };
}

/** Compatible servers seldom send the code; these are their sentences. */
function saysContextTooLong(message: string): boolean {
  return /maximum context length|context (window|length|size)[^.]*exceed|exceeds? (the )?(available |model's |maximum )?context|prompt is too long|input is too long/i.test(
    message,
  );
}

/** A reset, a body that ends in the middle, JSON that is not: raw errors of the runtime, not of the SDK. */
function isBrokenStream(error: unknown): boolean {
  if (error instanceof SyntaxError) return true;
  if (error instanceof TypeError) return true;
  const code = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return typeof code === "string" && /^(UND_ERR|ECONN|EPIPE|ETIMEDOUT|ERR_STREAM)/.test(code);
}

function retryAfterMs(headers: Headers | undefined, now: () => number): number | undefined {
  const ms = Number.parseFloat(headers?.get("retry-after-ms") ?? "");
  if (ms >= 0) return ms;
  const after = headers?.get("retry-after") ?? "";
  if (/^\s*[\d.]+\s*$/.test(after)) return Number.parseFloat(after) * 1000;
  const at = Date.parse(after);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now());
}

/** "Please try again in 1.5s": all there is in the middle of a stream, which has no headers of its own. */
function waitInWords(message: string): number | undefined {
  const found = /try again in ([\d.]+)\s*(ms|s|m)\b/i.exec(message);
  if (found === null) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000 }[(found[2] ?? "s").toLowerCase()] ?? 1000;
  return Math.ceil(Number.parseFloat(found[1] ?? "0") * unit);
}

function failure(
  code: BotErrorCode,
  cause: unknown,
  more: { readonly detail?: string; readonly retryAfterMs?: number } = {},
): TurnFailure {
  return { status: "failed", code, ...more, cause };
}
