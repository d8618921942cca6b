import { setTimeout as wait } from "node:timers/promises";
import {
  DefaultRestOptions,
  parseResponse,
  type RawFile,
  REST,
  RESTJSONErrorCodes,
  type RequestMethod,
  Routes,
} from "discord.js";
import { isOutage } from "#domain/errors";
import type { Log } from "#ports/log";
import type { Metrics } from "#ports/metrics";
import { type ReplyJournal, requestTimeoutMs } from "#ports/platform";
import type { Processes } from "#ports/processes";
import { apiOf } from "./api.ts";
import { Budget, type CallKind, type Priority } from "./budget.ts";
import { ForeignAnswer, failureOf } from "./failures.ts";
import { Pace } from "./pace.ts";

/** How often what may be repeated is tried when nobody knows whether it happened. */
const attempts = 4;
/** How long 429s are waited for before the call fails. */
const mostWaitMs = 5 * 60_000;

/** One request, and what it is counted as. */
export interface DiscordCall {
  readonly method: `${RequestMethod}`;
  /** As `Routes` makes it. */
  readonly route: `/${string}`;
  readonly kind: CallKind;
  /** What its limit hangs on: the channel or thread it is for. */
  readonly channel?: string;
  readonly body?: unknown;
  readonly files?: readonly RawFile[];
  readonly query?: Readonly<Record<string, string>>;
  /** Default: `shown`. */
  readonly priority?: Priority;
  /** True: doing it twice does no harm (a nonce, an edit), so it is tried again when nobody knows. */
  readonly isRepeatable?: boolean;
  /** How long limits are waited for; 5 minutes unless said otherwise. */
  readonly mostWaitMs?: number;
  /** Asked right before it is sent, each time: what it throws is thrown, and nothing is sent. */
  readonly maySend?: () => Promise<void>;
}

/** The REST API for one bot, within its budget. */
export interface PacedApi {
  readonly budget: Budget;
  readonly pace: Pace;
  /** Resolves to the parsed answer. Throws the client's errors; see `failureOf`. A 429 is waited for. */
  call(call: DiscordCall): Promise<unknown>;
  /**
   * Once Discord has refused the token nothing more is sent. This asks whether it takes it again; then
   * all goes on. Throws the client's error when it does not.
   */
  tryTokenAgain(): Promise<void>;
  /** For discord.js' own client (`rest.makeRequest`): what that calls is paid from the same budget. */
  readonly makeRequest: RequestMaker;
}

/**
 * The same for a run's reply: nothing is sent for it once another process has taken over, however long
 * a call waited for its turn, or to be repeated.
 */
export function heldBy(journal: Pick<ReplyJournal, "assertOwner">, api: PacedApi): PacedApi {
  const maySend = () => journal.assertOwner();
  return { ...api, call: (call) => api.call({ ...call, maySend }) };
}

type RequestMaker = typeof DefaultRestOptions.makeRequest;
type RequestInitOf = Parameters<RequestMaker>[1];

/**
 * Puts discord.js' REST client behind the budget. The client would queue every stale edit and wait
 * by itself; here it does neither, and says what happened.
 */
export function createPacedApi(options: {
  readonly token: string;
  /** Undefined: Discord's own. */
  readonly apiUrl: string | undefined;
  /** Default: there are no others. */
  readonly processes?: Processes | undefined;
  readonly metrics: Pick<Metrics, "platformCall">;
  /** Told with each call whose token Discord refuses. */
  readonly onTokenRefused?: () => void;
  readonly log: Log;
  readonly now?: () => number;
}): PacedApi {
  const { token, apiUrl, metrics, onTokenRefused, log, now = Date.now } = options;
  const budget = new Budget(now, options.processes);
  const pace = new Pace(now, options.processes);
  const restOptions = {
    ...apiOf(apiUrl),
    version: "10",
    retries: 0,
    timeout: requestTimeoutMs,
    rejectOnRateLimit: () => true,
    makeRequest,
  };
  const rest = new REST(restOptions).setToken(token);

  const send = async (call: DiscordCall): Promise<unknown> => {
    const { kind, channel, body, files, query } = call;
    const response = await rest.queueRequest({
      fullRoute: call.route,
      method: call.method as RequestMethod,
      ...(body === undefined ? {} : { body }),
      ...(files === undefined ? {} : { files: [...files] }),
      ...(query === undefined ? {} : { query: new URLSearchParams(query) }),
    });
    const remaining = response.headers.get("x-ratelimit-remaining");
    if (remaining !== null) {
      const resetAfterMs = Number(response.headers.get("x-ratelimit-reset-after") ?? 0) * 1_000;
      budget.told(kind, channel, { remaining: Number(remaining), resetAfterMs });
    }
    return await answerIn(response);
  };

  return {
    budget,
    pace,
    async tryTokenAgain() {
      await new REST(restOptions).setToken(token).get(Routes.currentApplication());
      rest.setToken(token);
    },
    makeRequest: async (url, init) => {
      // Answers to interactions are outside of the limit of all calls (docs.discord.com, rate-limits).
      if (/\/(interactions|webhooks)\//.test(url)) return makeRequest(url, init);
      const channel = /\/channels\/(\d+)/.exec(url)?.[1];
      const done = await budget.take(init.method === "GET" ? "read" : "other", channel, "shown");
      try {
        return await makeRequest(url, init);
      } finally {
        done();
      }
    },
    async call(call) {
      const { kind, channel, priority = "shown" } = call;
      let waitedMs = 0;
      let unclear: unknown;
      for (let attempt = 1; ; attempt += 1) {
        const done = await budget.take(kind, channel, priority);
        try {
          await maySend(call, unclear);
          const answer = await send(call);
          metrics.platformCall("discord", kind, "ok");
          return answer;
        } catch (error) {
          const failure = failureOf(error);
          if (failure) metrics.platformCall("discord", kind, outcomeOf(failure));
          switch (failure?.type) {
            case "rate-limited": {
              const { retryAfterMs: forMs, isGlobal } = failure;
              budget.pause(kind, channel, { forMs, isGlobal });
              if (channel !== undefined) pace.slowDown(channel);
              waitedMs += forMs;
              log.warn({ platform: "discord", action: kind, ms: forMs }, "told to wait");
              if (waitedMs > (call.mostWaitMs ?? mostWaitMs)) throw error;
              continue;
            }
            case "unclear":
              if (!call.isRepeatable || attempt >= attempts) throw error;
              unclear = error;
              await wait(250 * 2 ** attempt);
              continue;
            case "refused":
              if (failure.status === 401) onTokenRefused?.();
              throw error;
            default:
              throw error;
          }
        } finally {
          done();
        }
      }
    },
  };
}

/** What Discord answered. Throws {@link ForeignAnswer} for what something on the way said in its place. */
async function answerIn(response: Awaited<ReturnType<RequestMaker>>): Promise<unknown> {
  if (response.status === 204) return undefined;
  const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  const answer: unknown = isJson ? await parseResponse(response).catch(() => undefined) : undefined;
  const isDiscords =
    Array.isArray(answer) ||
    (typeof answer === "object" && answer !== null && Object.keys(answer).length > 0);
  if (!isDiscords) throw new ForeignAnswer();
  return answer;
}

/** While nobody can say whose run it is, what is not known of an earlier try stays not known. */
async function maySend(call: DiscordCall, unclear: unknown): Promise<void> {
  try {
    await call.maySend?.();
  } catch (error) {
    throw unclear !== undefined && isOutage(error) ? unclear : error;
  }
}

function outcomeOf({ type }: { readonly type: string }): string {
  return type === "rate-limited" ? "429" : "error";
}

/**
 * The client takes every 429 for a limit that passes. One does not (30046: a message older than an
 * hour was edited too often), so it is handed on as a refusal. The exact time to wait is in the
 * body; its header is rounded up to whole seconds.
 */
const makeRequest: RequestMaker = async (url, init) => {
  const response = await DefaultRestOptions.makeRequest(url, await withPlainBody(init));
  if (response.status !== 429) return response;
  const body = await response.text();
  const said = saidIn(body);
  const headers = new Headers([...response.headers]);
  if (said.retry_after !== undefined) headers.set("retry-after", String(said.retry_after));
  const isRefusal =
    said.code === RESTJSONErrorCodes.MaximumNumberOfEditsToMessagesOlderThanOneHourReached;
  return new Response(body, { status: isRefusal ? 400 : 429, headers });
};

/**
 * A form as bytes. The client's undici hands its requests to whichever undici was loaded first in the
 * process, and one of another version refuses a form that it did not make itself.
 */
async function withPlainBody(init: RequestInitOf): Promise<RequestInitOf> {
  if (!(init.body instanceof FormData)) return init;
  const form = new Response(init.body);
  const headers = new Headers(init.headers as Record<string, string>);
  headers.set("content-type", form.headers.get("content-type") ?? "multipart/form-data");
  const body = new Uint8Array(await form.arrayBuffer());
  return { ...init, body, headers: Object.fromEntries(headers) };
}

function saidIn(body: string): { readonly code?: number; readonly retry_after?: number } {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}
