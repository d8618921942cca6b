import { isObject } from "../slack/json.ts";
import { type Fault, FaultPlan } from "./faults.ts";
import type { RequestBody } from "./multipart.ts";
import { limitedHeaders, limits, RateLimiter } from "./rate-limits.ts";
import { DiscordRefusal, refusalOf } from "./refusal.ts";
import { applicationRoutes } from "./routes/application.ts";
import { channelRoutes } from "./routes/channels.ts";
import { interactionRoutes } from "./routes/interactions.ts";
import { messageRoutes } from "./routes/messages.ts";
import type { Route, RouteAnswer, ServerParts } from "./routes/route.ts";

/** A request as it was received and answered. */
export interface RecordedRequest {
  readonly method: string;
  /** In Discord's notation: `/channels/:channel/messages`. */
  readonly route: string;
  /** The decoded path with its query. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly fileNames: readonly string[];
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly atMs: number;
  /** 0 while there is no answer, or the connection was cut instead. */
  status: number;
  /** The JSON error code of a refusal. */
  code: number | undefined;
  wasCarriedOut: boolean;
}

/** What goes back over the wire. */
export type WireAnswer =
  | {
      readonly type: "answer";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | { readonly type: "reset" | "hang-up" };

const routes: readonly Route[] = [
  ...messageRoutes,
  ...channelRoutes,
  ...interactionRoutes,
  ...applicationRoutes,
];

/** The REST API: authorization, limits, faults, then the route. */
export class RestApi {
  readonly faults = new FaultPlan();
  readonly limiter: RateLimiter;
  readonly requests: RecordedRequest[] = [];
  readonly #parts: () => ServerParts;
  readonly #token: () => string;

  constructor(parts: () => ServerParts, token: () => string) {
    this.#parts = parts;
    this.#token = token;
    this.limiter = new RateLimiter(parts().world.clock);
  }

  async handle(request: {
    readonly method: string;
    readonly url: URL;
    readonly headers: RecordedRequest["headers"];
    readonly body: RequestBody;
    /** What `GET /gateway/bot` says. */
    readonly gateway: () => unknown;
  }): Promise<WireAnswer> {
    const { method, url, headers, body } = request;
    const path = url.pathname.replace(/^\/api\/v10/, "");
    const segments = path.split("/").slice(1).map(decodeURIComponent);
    const found = match(method, segments);
    const isGateway = method === "GET" && path === "/gateway/bot";
    const record: RecordedRequest = {
      method,
      route: isGateway ? path : (found?.route.path ?? path),
      path: `/${segments.join("/")}${url.search}`,
      params: found?.params ?? {},
      body: body.json,
      fileNames: body.files.map(({ fileName }) => fileName),
      headers,
      atMs: this.#parts().world.clock.now(),
      status: 0,
      code: undefined,
      wasCarriedOut: false,
    };
    this.requests.push(record);
    const parts = this.#parts();
    if (
      typeof headers["user-agent"] === "string" &&
      !headers["user-agent"].startsWith("DiscordBot")
    ) {
      parts.complain("a request came without the DiscordBot user agent");
    }
    if (!isGateway && !found) return this.#refuse(record, refusalOf("unknownRoute"), {});
    const needsToken = found?.route.needsToken !== false;
    if (needsToken && headers.authorization !== `Bot ${this.#token()}`) {
      return this.#refuse(record, refusalOf("unauthorized"), {});
    }
    const use = {
      name: `${method} ${record.route}`,
      major: found?.major ?? "",
      limit: found?.route.limit ?? limits.other,
      isGlobal: needsToken,
    };
    const sublimit = found?.route.sublimit?.(isObject(body.json) ? body.json : {});
    const passed = this.limiter.take(use);
    const inner = sublimit
      ? this.limiter.take({
          ...use,
          name: `${use.name} sublimit`,
          limit: sublimit,
          isGlobal: false,
        })
      : passed;
    // A sublimit is not in the headers until it is met.
    const verdict = passed.type === "pass" && inner.type === "limited" ? inner : passed;
    if (verdict.type === "limited") {
      return limited(record, verdict.headers, {
        retryAfterSeconds: verdict.retryAfterSeconds,
        isGlobal: verdict.scope === "global",
      });
    }
    const work = (): WireAnswer => {
      if (isGateway) {
        record.wasCarriedOut = true;
        return answered(record, { status: 200, body: request.gateway() }, verdict.headers);
      }
      if (!found) return this.#refuse(record, refusalOf("unknownRoute"), verdict.headers);
      try {
        const done = found.route.handle({
          ...parts,
          params: found.params,
          query: url.searchParams,
          body: isObject(body.json) ? body.json : {},
          list: Array.isArray(body.json) ? body.json.filter(isObject) : [],
          files: body.files,
        });
        record.wasCarriedOut = true;
        return answered(record, done, verdict.headers);
      } catch (error) {
        if (error instanceof DiscordRefusal) return this.#refuse(record, error, verdict.headers);
        throw error;
      }
    };
    const fault = this.faults.take(record);
    return fault ? await this.#fail(record, { fault, work }) : work();
  }

  async #fail(
    record: RecordedRequest,
    { fault, work }: { readonly fault: Fault; readonly work: () => WireAnswer },
  ): Promise<WireAnswer> {
    switch (fault.type) {
      case "refusal":
        return this.#refuse(record, refusalOf(fault.name), {});
      case "rate-limit":
        return limited(record, limitedHeaders(fault.retryAfterSeconds, fault.scope), {
          retryAfterSeconds: fault.retryAfterSeconds,
          isGlobal: fault.scope === "global",
        });
      case "http-error":
        if (fault.accepted) work();
        record.status = fault.status;
        return { type: "answer", status: fault.status, headers: {}, body: "upstream error" };
      case "foreign": {
        record.status = 200;
        const headers = { "content-type": fault.contentType };
        return { type: "answer", status: 200, headers, body: fault.body };
      }
      case "reset":
      case "hang-up":
        if (fault.accepted) work();
        record.status = 0;
        return { type: fault.type };
      case "late":
        await this.faults.untilCleared();
        return work();
      case "silence":
        if (fault.accepted) work();
        record.status = 0;
        await this.faults.untilCleared();
        return { type: "reset" };
    }
  }

  #refuse(
    record: RecordedRequest,
    refusal: DiscordRefusal,
    headers: Readonly<Record<string, string>>,
  ): WireAnswer {
    record.status = refusal.status;
    record.code = refusal.code;
    const { message, code, errors } = refusal;
    const retry = refusal.status === 429 ? { retry_after: 1, global: false } : {};
    return json(refusal.status, headers, {
      message,
      code,
      ...(errors ? { errors } : {}),
      ...retry,
    });
  }
}

function match(
  method: string,
  segments: readonly string[],
):
  | { readonly route: Route; readonly params: Record<string, string>; readonly major: string }
  | undefined {
  for (const route of routes) {
    if (route.method !== method) continue;
    const pattern = route.path.split("/").slice(1);
    if (pattern.length !== segments.length) continue;
    const params: Record<string, string> = {};
    const fits = pattern.every((part, index) => {
      const segment = segments[index] ?? "";
      if (!part.startsWith(":")) return part === segment;
      params[part.slice(1)] = segment;
      return segment !== "";
    });
    if (!fits) continue;
    // Major parameters: channel, guild, and a webhook with its token (docs.discord.com, rate-limits).
    const major = params.channel ?? params.guild ?? params.token ?? "";
    return { route, params, major };
  }
  return undefined;
}

function limited(
  record: RecordedRequest,
  headers: Readonly<Record<string, string>>,
  {
    retryAfterSeconds,
    isGlobal,
  }: { readonly retryAfterSeconds: number; readonly isGlobal: boolean },
): WireAnswer {
  record.status = 429;
  return json(429, headers, {
    message: "You are being rate limited.",
    retry_after: retryAfterSeconds,
    global: isGlobal,
  });
}

function answered(
  record: RecordedRequest,
  answer: RouteAnswer,
  headers: Readonly<Record<string, string>>,
): WireAnswer {
  record.status = answer.status;
  // A 204 with a content type makes the client parse nothing.
  if (answer.status === 204) return { type: "answer", status: 204, headers, body: "" };
  return json(answer.status, headers, answer.body);
}

function json(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: unknown,
): WireAnswer {
  return {
    type: "answer",
    status,
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  };
}
