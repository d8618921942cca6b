import type { JsonObject } from "../../slack/json.ts";
import type { EventFeed } from "../event-feed.ts";
import type { Interactions } from "../interactions.ts";
import type { UploadedPart } from "../multipart.ts";
import type { PrivilegedIntents } from "../payloads.ts";
import type { BucketLimit } from "../rate-limits.ts";
import type { World } from "../world.ts";

/** What a route works with. */
export interface ServerParts {
  readonly world: World;
  readonly feed: EventFeed;
  readonly interactions: Interactions;
  readonly portal: PrivilegedIntents;
  readonly policy: ServerPolicy;
  /** Notes what Discord lets pass and no good bot does. */
  readonly complain: (what: string) => void;
}

/** Limits of Discord's that a test may want to reach sooner. */
export interface ServerPolicy {
  maxActiveThreads: number;
  maxThreadMembers: number;
  /** Edits of messages older than an hour, until no more are taken (30046). */
  oldMessageEdits: number;
  maxFileBytes: number;
  /** Words AutoMod blocks. */
  blockedWords: readonly string[];
  /** How long a nonce is remembered. */
  nonceMs: number;
}

/** One request, matched to its route. */
export interface RouteRequest extends ServerParts {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: JsonObject;
  /** The body when it is a list. */
  readonly list: readonly JsonObject[];
  readonly files: readonly UploadedPart[];
}

/** What a route answers: a body, or nothing (204). */
export type RouteAnswer =
  | { readonly status: 200 | 201 | 202; readonly body: unknown }
  | { readonly status: 204 };

/** A route of the API; `:name` takes one segment of the path. */
export interface Route {
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  readonly path: string;
  readonly limit: BucketLimit;
  /** Another bucket the request pays from as well, by what it changes. */
  readonly sublimit?: (body: JsonObject) => BucketLimit | undefined;
  /** False for interaction callbacks and webhooks, which carry their token in the path. */
  readonly needsToken?: boolean;
  readonly handle: (request: RouteRequest) => RouteAnswer;
}

export function ok(body: unknown): RouteAnswer {
  return { status: 200, body };
}

export const nothing: RouteAnswer = { status: 204 };

/** A parameter of the path. */
export function param(request: RouteRequest, name: string): string {
  return request.params[name] ?? "";
}
