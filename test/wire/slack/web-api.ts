import { Arguments } from "./arguments.ts";
import type { WireClock } from "./clock.ts";
import { type Fault, FaultPlan } from "./faults.ts";
import { isObject, type JsonObject, parsed } from "./json.ts";
import type { BotMethod, ServerParts } from "./methods/method.ts";
import type { OAuth } from "./methods/oauth.ts";
import type { Installation } from "./model.ts";
import { RateLimiter } from "./rate-limits.ts";
import { refuse, SlackRefusal } from "./refusal.ts";
import type { SocketRoute } from "./socket-route.ts";

/** A Web API call as it arrived and how it was answered. */
export interface RecordedCall {
  readonly method: string;
  readonly atMs: number;
  /** The workspace of the token; undefined when the token meant none. */
  readonly teamId: string | undefined;
  /** Arguments, JSON in strings opened, the token left out. */
  readonly args: JsonObject;
  readonly status: number;
  /** The refusal, `ratelimited`, or the fault that was ordered; undefined when all was well. */
  readonly error: string | undefined;
  /** True when it changed something in the world, whatever the answer said. */
  readonly wasCarriedOut: boolean;
}

/** What an HTTP server sends back; `reset` cuts the connection instead. */
export type WireAnswer =
  | {
      readonly type: "answer";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | { readonly type: "reset" };

/** A request to `/api/<method>`. */
export interface WireRequest {
  readonly method: string;
  readonly contentType: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** The Web API: tokens, scopes, limits, faults, and a record of every call. */
export class WebApi {
  readonly faults = new FaultPlan();
  /** Told of every call once it was answered, with what it changed already there to be seen. */
  onCall: ((call: RecordedCall) => void) | undefined;
  readonly #clock: WireClock;
  readonly #parts: () => ServerParts;
  readonly #methods: Readonly<Record<string, BotMethod>>;
  readonly #oauth: OAuth;
  readonly #sockets: SocketRoute;
  readonly #limiter: RateLimiter;
  readonly #calls: RecordedCall[] = [];

  constructor(options: {
    readonly clock: WireClock;
    readonly parts: () => ServerParts;
    readonly methods: Readonly<Record<string, BotMethod>>;
    readonly oauth: OAuth;
    readonly sockets: SocketRoute;
  }) {
    this.#clock = options.clock;
    this.#parts = options.parts;
    this.#methods = options.methods;
    this.#oauth = options.oauth;
    this.#sockets = options.sockets;
    this.#limiter = new RateLimiter(options.clock);
  }

  get calls(): readonly RecordedCall[] {
    return this.#calls;
  }

  async handle(request: WireRequest): Promise<WireAnswer> {
    const args = new Arguments(valuesOf(request));
    const token = /^Bearer (.+)$/.exec(request.authorization ?? "")?.[1] ?? args.text("token");
    const fault = this.faults.take(request.method, args.all);
    const record = this.#record(request, args, token);
    if (fault) return await this.#goWrong(fault, { request, args, token, record });
    return this.#carryOut({ request, args, token, record });
  }

  #record(
    request: WireRequest,
    args: Arguments,
    token: string | undefined,
  ): (outcome: Pick<RecordedCall, "status" | "error" | "wasCarriedOut">) => void {
    const atMs = this.#clock.now();
    const { token: _token, ...shown } = args.all;
    const teamId = token ? this.#parts().world.installationOf(token)?.teamId : undefined;
    return (outcome) => {
      const call = { method: request.method, atMs, teamId, args: shown, ...outcome };
      this.#calls.push(call);
      this.onCall?.(call);
    };
  }

  async #goWrong(fault: Fault, call: OpenCall): Promise<WireAnswer> {
    switch (fault.type) {
      case "refusal": {
        call.record({ status: 200, error: fault.error, wasCarriedOut: false });
        return json(200, { ok: false, error: fault.error, ...fault.details });
      }
      case "rate-limit":
        call.record({ status: 429, error: "ratelimited", wasCarriedOut: false });
        return rateLimited(fault.retryAfterSeconds);
      case "http-error":
        if (fault.accepted) this.#carryOut({ ...call, record: () => undefined });
        call.record({ status: fault.status, error: "http-error", wasCarriedOut: fault.accepted });
        return { type: "answer", status: fault.status, headers: {}, body: "upstream error" };
      case "reset":
        if (fault.accepted) this.#carryOut({ ...call, record: () => undefined });
        call.record({ status: 0, error: "reset", wasCarriedOut: fault.accepted });
        return { type: "reset" };
      case "html":
        call.record({ status: 200, error: "html", wasCarriedOut: false });
        return {
          type: "answer",
          status: 200,
          headers: { "content-type": "text/html; charset=utf-8" },
          body: "<!DOCTYPE html><html><body>Please sign in</body></html>",
        };
      case "empty":
        call.record({ status: 200, error: "empty", wasCarriedOut: false });
        return json(200, {});
      case "slow": {
        const early = fault.accepted ? this.#carryOut(call) : undefined;
        await new Promise<void>((resolve) => {
          this.#clock.after(fault.ms, resolve);
        });
        return early ?? this.#carryOut(call);
      }
      case "late":
        await this.faults.untilCleared();
        return this.#carryOut(call);
      case "silence":
        call.record({ status: 0, error: "silence", wasCarriedOut: false });
        await this.faults.untilCleared();
        return { type: "reset" };
    }
  }

  #carryOut(call: OpenCall): WireAnswer {
    const { request, args, record } = call;
    try {
      const answer = this.#run(call);
      if (answer.type === "rate-limited") {
        record({ status: 429, error: "ratelimited", wasCarriedOut: false });
        return rateLimited(answer.seconds);
      }
      for (const name of args.unread()) {
        this.#parts().complain(`${request.method} knows no argument ${name}`);
      }
      record({ status: 200, error: undefined, wasCarriedOut: true });
      return json(200, { ok: true, ...answer.body }, this.#scopesOf(call));
    } catch (error) {
      if (!(error instanceof SlackRefusal)) throw error;
      record({ status: 200, error: error.code, wasCarriedOut: false });
      return json(200, { ok: false, error: error.code, ...error.details }, this.#scopesOf(call));
    }
  }

  /** Every answer names the token's scopes; apps check there what they may do. */
  #scopesOf({ request, token }: OpenCall): Readonly<Record<string, string>> {
    const installation = token ? this.#parts().world.installationOf(token) : undefined;
    if (!installation) return {};
    return {
      "x-oauth-scopes": [...installation.scopes].join(","),
      "x-accepted-oauth-scopes": (this.#methods[request.method]?.scopes ?? []).join(","),
    };
  }

  #run({
    request,
    args,
    token,
  }: OpenCall):
    | { readonly type: "done"; readonly body: JsonObject }
    | { readonly type: "rate-limited"; readonly seconds: number } {
    const parts = this.#parts();
    const { settings, world } = parts;
    if (request.method === "api.test") return done({ args: args.all });
    if (request.method === "oauth.v2.access") {
      return done(this.#oauth.access(args, request.authorization));
    }
    if (request.method === "apps.connections.open") {
      if (!token) return refuse("not_authed");
      if (token !== settings.appToken)
        refuse(token.startsWith("xapp-") ? "invalid_auth" : "not_allowed_token_type");
      return done({ url: this.#sockets.openUrl(world.origin) });
    }
    const method = this.#methods[request.method];
    const installation = authorised(parts, token);
    if (request.method === "auth.test") return done(whoAmI(parts, installation));
    if (!method) return refuse("unknown_method");
    const missing = method.scopes.find((scope) => !installation.scopes.has(scope));
    if (missing) {
      throw new SlackRefusal("missing_scope", {
        needed: missing,
        provided: [...installation.scopes].join(","),
      });
    }
    const seconds = settings.enforcesRateLimits
      ? this.#limiter.take({
          teamId: installation.teamId,
          method: request.method,
          channel: args.text("channel"),
          limit: method.limit,
          isDistributed: settings.isDistributed,
        })
      : 0;
    if (seconds > 0) return { type: "rate-limited", seconds };
    return done(method.run({ ...parts, args, installation }));
  }
}

interface OpenCall {
  readonly request: WireRequest;
  readonly args: Arguments;
  readonly token: string | undefined;
  readonly record: (outcome: Pick<RecordedCall, "status" | "error" | "wasCarriedOut">) => void;
}

function done(body: JsonObject): { readonly type: "done"; readonly body: JsonObject } {
  return { type: "done", body };
}

/** The installation of a bot token, or the refusal for what is wrong with the token. */
function authorised({ world, settings }: ServerParts, token: string | undefined): Installation {
  if (!token) return refuse("not_authed");
  if (token === settings.appToken) return refuse("not_allowed_token_type");
  const installation = world.installationOf(token);
  if (!installation) return refuse("invalid_auth");
  if (installation.state === "uninstalled") return refuse("account_inactive");
  if (installation.state === "revoked") return refuse("token_revoked");
  const expiresAtMs = installation.earlierTokens.get(token) ?? installation.expiresAtMs;
  if (expiresAtMs !== undefined && expiresAtMs <= world.clock.now()) return refuse("token_expired");
  return installation;
}

function whoAmI({ world }: ServerParts, installation: Installation): JsonObject {
  const team = world.team(installation.teamId);
  return {
    url: `https://${team.domain}.slack.com/`,
    team: team.name,
    user: world.nameOf(installation.botUserId),
    team_id: team.id,
    user_id: installation.botUserId,
    bot_id: installation.botId,
    is_enterprise_install: false,
  };
}

function valuesOf({ contentType, body }: WireRequest): JsonObject {
  if (contentType.startsWith("application/json")) {
    const value = parsed(body);
    return isObject(value) ? value : {};
  }
  return Object.fromEntries(new URLSearchParams(body));
}

function json(
  status: number,
  body: JsonObject,
  headers: Readonly<Record<string, string>> = {},
): WireAnswer {
  return {
    type: "answer",
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
    body: JSON.stringify(body),
  };
}

function rateLimited(seconds: number | undefined): WireAnswer {
  return {
    type: "answer",
    status: 429,
    headers: {
      "content-type": "application/json; charset=utf-8",
      ...(seconds === undefined ? {} : { "retry-after": String(seconds) }),
    },
    body: JSON.stringify({ ok: false, error: "ratelimited" }),
  };
}
