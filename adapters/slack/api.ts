import { setTimeout as wait } from "node:timers/promises";
import { type Logger, LogLevel, type WebAPICallResult, WebClient } from "@slack/web-api";
import type { Log } from "#ports/log";
import type { Metrics } from "#ports/metrics";
import { type ReplyJournal, requestTimeoutMs } from "#ports/platform";
import type { Budget, Priority } from "./budget.ts";
import { failureOf, isDeadToken } from "./failures.ts";
import type { TokenSource } from "./tokens.ts";

/** How often what may be repeated is repeated when nobody knows whether it happened. */
const repeats = 3;
/** How long 429s are waited for before the call fails. */
const mostWaitMs = 5 * 60_000;

/** What is wanted of one call. */
export interface CallOptions {
  /** Default: `shown`. */
  readonly priority?: Priority;
  /** True: doing it twice does no harm, so it is tried again when nobody knows. */
  readonly isRepeatable?: boolean;
  /** Asked right before it is sent, each time: what it throws is thrown, and nothing is sent. */
  readonly maySend?: () => Promise<void>;
}

/** The Web API of one workspace, within its budget. */
export interface SlackApi {
  readonly budget: Budget;
  /** True: a token that Slack refuses may be good again later. */
  readonly mayComeBack?: boolean;
  /** For what is fetched without a call. Throws a BotError when the access has ended. */
  token(): Promise<string>;
  /** Throws the client's errors; see `failureOf`. A 429 is waited for. */
  call(
    method: string,
    args: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<WebAPICallResult & Readonly<Record<string, unknown>>>;
}

/**
 * The same for a run's reply: nothing is sent for it once another process has taken over, however long
 * a call waited for its turn, or to be repeated.
 */
export function heldBy(journal: Pick<ReplyJournal, "assertOwner">, api: SlackApi): SlackApi {
  const maySend = () => journal.assertOwner();
  return {
    ...api,
    call: (method, args, options) => api.call(method, args, { ...options, maySend }),
  };
}

/** Puts the real client behind the budget. It waits and repeats itself, so the client does neither. */
export function createSlackApi(options: {
  readonly tokens: TokenSource;
  readonly apiUrl: string | undefined;
  readonly budget: Budget;
  readonly metrics: Pick<Metrics, "platformCall">;
  readonly log: Log;
}): SlackApi {
  const { tokens, budget, metrics, log } = options;
  const clientWith = (token: string) => new WebClient(token, clientOptions(options.apiUrl, log));
  let client: WebClient | undefined;
  return {
    budget,
    mayComeBack: tokens.mayComeBack ?? false,
    token: () => tokens.current(),
    async call(method, args, { priority = "shown", isRepeatable = false, maySend } = {}) {
      const channel = typeof args.channel === "string" ? args.channel : undefined;
      let waitedMs = 0;
      let hasRenewed = false;
      for (let attempt = 1; ; attempt += 1) {
        await budget.take(method, channel, priority);
        const token = await tokens.current();
        if (client?.token !== token) client = clientWith(token);
        await maySend?.();
        try {
          const result = await client.apiCall(method, { ...args });
          metrics.platformCall("slack", method, "ok");
          return result as WebAPICallResult & Readonly<Record<string, unknown>>;
        } catch (error) {
          const failure = failureOf(error);
          metrics.platformCall("slack", method, outcomeOf(failure));
          switch (failure?.type) {
            case "rate-limited":
              budget.pause(method, channel, failure.retryAfterMs);
              waitedMs += failure.retryAfterMs;
              log.warn(
                { platform: "slack", action: method, ms: failure.retryAfterMs },
                "told to wait",
              );
              if (waitedMs > mostWaitMs) throw error;
              continue;
            case "refused":
              if (!isDeadToken(failure.error) || hasRenewed) throw error;
              hasRenewed = await tokens.refused(token, failure.error);
              if (!hasRenewed) throw error;
              continue;
            case "unclear":
              if (!isRepeatable || attempt >= repeats) throw error;
              await wait(250 * 2 ** attempt);
              continue;
            default:
              throw error;
          }
        }
      }
    },
  };
}

/** Options for every client of the SDK: it never waits or repeats by itself. */
export function clientOptions(apiUrl: string | undefined, log: Log) {
  return {
    ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl.endsWith("/") ? apiUrl : `${apiUrl}/` }),
    timeout: requestTimeoutMs,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logger: quietLogger(log),
  };
}

/** What the SDK logs may hold message text, so only its errors' first words are kept. */
export function quietLogger(log: Log): Logger {
  const nothing = () => undefined;
  return {
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (...words: unknown[]) =>
      log.debug({ platform: "slack", problem: String(words[0]).slice(0, 200) }, "SDK complained"),
    setLevel: nothing,
    getLevel: () => LogLevel.ERROR,
    setName: nothing,
  };
}

function outcomeOf(failure: ReturnType<typeof failureOf>): string {
  return failure?.type === "rate-limited" ? "429" : "error";
}
