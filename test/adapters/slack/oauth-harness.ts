import { randomBytes } from "node:crypto";
import type { HttpRoutes } from "#ports/http";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import { createSlackPlatform, type SlackPlatform } from "../../../adapters/slack/platform.ts";
import { CountingMetrics } from "../../fakes/counting-metrics.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import type { Person, SlackServer } from "../../wire/slack/slack-server.ts";
import type { Transport } from "./slack-harness.ts";

export const redirectUrl = "https://bobbin.example/slack/oauth_redirect";
const key = randomBytes(32);

/** The platform for every workspace that installs the app; not started yet. */
export function createInstallable(
  slack: SlackServer,
  options: {
    readonly ledger: Ledger;
    /** `none`: it draws for others. */
    readonly transport: Transport | "none";
    readonly now?: () => number;
    /** What installations are sealed with; the same each time when left out. */
    readonly key?: Uint8Array;
    readonly log?: Log;
  },
): SlackPlatform {
  const { appToken, signingSecret, clientId, clientSecret } = slack.settings;
  return createSlackPlatform({
    access: { type: "oauth", clientId, clientSecret, key: options.key ?? key, redirectUrl },
    connection: {
      http: { type: "http", signingSecret } as const,
      socket: { type: "socket", appToken } as const,
      none: undefined,
    }[options.transport],
    apiUrl: slack.apiUrl,
    policy: { allowedUsers: [], allowedChannels: [], allowsExternal: false, needsMention: false },
    streaming: "auto",
    ledger: options.ledger,
    metrics: new CountingMetrics(),
    log: options.log ?? silentLog,
    now: options.now ?? Date.now,
  });
}

/** A browser's request to the app. */
export function get(routes: HttpRoutes, path: string, cookie = ""): Promise<Response> {
  const request = new Request(new URL(path, "https://bobbin.example"), { headers: { cookie } });
  return routes.handle(request, { address: "127.0.0.1", isLoopback: true });
}

/** What a person's browser does: to the app, to Slack, and back with the cookie. */
export async function installs(
  { routes }: Pick<SlackPlatform, "routes">,
  person: Person,
): Promise<Response> {
  if (!routes) throw new Error("there is nowhere to install it");
  const begun = await get(routes, "/slack/install");
  const cookie = begun.headers.get("set-cookie")?.split(";")[0] ?? "";
  const consent = new URL(begun.headers.get("location") ?? "");
  consent.searchParams.set("as", person.id);
  const back = await fetch(consent, { redirect: "manual" });
  return get(routes, back.headers.get("location") ?? "", cookie);
}
