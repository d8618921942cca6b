import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { WebClient } from "@slack/web-api";
import type { Log } from "#ports/log";
import { clientOptions } from "./api.ts";
import { failureOf, refusalOf } from "./failures.ts";
import type { Installation } from "./installations.ts";
import { scopes } from "./set-up.ts";

const stateMs = 10 * 60_000;
const cookieName = "bobbin_slack_install";

/** The app as Slack knows it, for installing it in workspaces. */
export interface SlackOAuth {
  readonly clientId: string;
  readonly clientSecret: string;
  /** 32 bytes that seal what is kept of installations. */
  readonly key: Uint8Array;
  /** Where Slack sends the browser back to: `https://.../slack/oauth_redirect`. */
  readonly redirectUrl: string;
}

type Granted = Pick<Installation, "token" | "rotation">;

/**
 * Installing the app: `/slack/install` sends the browser to Slack, `/slack/oauth_redirect` takes it
 * back. What comes back counts only in the browser that was sent, within ten minutes
 * (docs.slack.dev/authentication/installing-with-oauth).
 */
export class OAuthRoutes {
  readonly #oauth: SlackOAuth;
  readonly #apiUrl: string | undefined;
  readonly #client: WebClient;
  readonly #installed: (installation: Installation) => Promise<void>;
  readonly #log: Log;
  readonly #now: () => number;

  constructor(parts: {
    readonly oauth: SlackOAuth;
    readonly apiUrl: string | undefined;
    readonly installed: (installation: Installation) => Promise<void>;
    readonly log: Log;
    readonly now: () => number;
  }) {
    this.#oauth = parts.oauth;
    this.#apiUrl = parts.apiUrl;
    this.#client = new WebClient(undefined, clientOptions(parts.apiUrl, parts.log));
    this.#installed = parts.installed;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  /** Undefined: the path is not ours. */
  async handle(request: Request): Promise<Response | undefined> {
    const url = new URL(request.url);
    if (url.pathname === "/slack/install") return this.#begin();
    if (url.pathname === "/slack/oauth_redirect") return this.#end(url, request.headers);
    return undefined;
  }

  /** Exchanges a refresh token. Throws the client's error. */
  async renew(refreshToken: string): Promise<Granted> {
    const { clientId: client_id, clientSecret: client_secret } = this.#oauth;
    const grant = await this.#client.apiCall("oauth.v2.access", {
      client_id,
      client_secret,
      grant_type: "refresh_token",
      refresh_token: refreshToken,
    });
    return this.#granted(grant as unknown as Grant);
  }

  #begin(): Response {
    const { clientId, redirectUrl } = this.#oauth;
    const plain = `${randomBytes(18).toString("base64url")}.${this.#now() + stateMs}`;
    const state = `${plain}.${this.#signatureOf(plain)}`;
    const to = new URL("/oauth/v2/authorize", this.#apiUrl ?? "https://slack.com");
    to.searchParams.set("client_id", clientId);
    to.searchParams.set("scope", Object.keys(scopes).join(","));
    to.searchParams.set("redirect_uri", redirectUrl);
    to.searchParams.set("state", state);
    return new Response(null, {
      status: 302,
      headers: { location: to.href, "set-cookie": this.#cookie(state, stateMs / 1_000) },
    });
  }

  async #end(url: URL, headers: Headers): Promise<Response> {
    const state = url.searchParams.get("state") ?? "";
    if (!this.#isOurs(state, headers.get("cookie") ?? "")) {
      return page(400, "This installation was not begun here, or too long ago.", "/slack/install");
    }
    const denied = url.searchParams.get("error");
    if (denied !== null) return page(200, "Nothing was installed.", "/slack/install");
    try {
      const installation = await this.#exchange(url.searchParams.get("code") ?? "");
      if (!installation) {
        const words = "I can be installed in a workspace, not in a whole organisation.";
        return page(400, words, "/slack/install");
      }
      await this.#installed(installation);
      const words = `I am installed in ${installation.teamName}. Write to me in Slack.`;
      return page(200, words, undefined, { "set-cookie": this.#cookie("", 0) });
    } catch (error) {
      if (!failureOf(error)) throw error;
      const problem = refusalOf(error) ?? "no answer";
      this.#log.warn({ platform: "slack", action: "install", problem }, "not installed");
      return page(502, `Slack did not let me in (${problem}).`, "/slack/install");
    }
  }

  /** Undefined for an installation in a whole organisation. */
  async #exchange(code: string): Promise<Installation | undefined> {
    const { clientId: client_id, clientSecret: client_secret, redirectUrl } = this.#oauth;
    const answer = await this.#client.apiCall("oauth.v2.access", {
      client_id,
      client_secret,
      code,
      redirect_uri: redirectUrl,
    });
    const grant = answer as unknown as Grant;
    if (grant.is_enterprise_install || !grant.team) return undefined;
    const granted = this.#granted(grant);
    const token = granted.token;
    const me = (await this.#client.apiCall("auth.test", { token })) as { readonly bot_id?: string };
    return {
      workspace: {
        teamId: grant.team.id,
        botUser: grant.bot_user_id,
        botId: me.bot_id ?? "",
      },
      teamName: grant.team.name,
      ...granted,
    };
  }

  #granted({ access_token: token, refresh_token, expires_in }: Grant): Granted {
    if (refresh_token === undefined || expires_in === undefined) return { token };
    const expiresAtMs = this.#now() + expires_in * 1_000;
    return { token, rotation: { refreshToken: refresh_token, expiresAtMs } };
  }

  #isOurs(state: string, cookies: string): boolean {
    const [nonce = "", untilMs = "", signature = ""] = state.split(".");
    const kept = cookies.split(/;\s*/).includes(`${cookieName}=${state}`);
    const isSigned = isSame(signature, this.#signatureOf(`${nonce}.${untilMs}`));
    return kept && isSigned && Number(untilMs) > this.#now();
  }

  #signatureOf(plain: string): string {
    return createHmac("sha256", this.#oauth.key).update(`state ${plain}`).digest("base64url");
  }

  #cookie(value: string, seconds: number): string {
    const secure = this.#oauth.redirectUrl.startsWith("https:") ? "; Secure" : "";
    return `${cookieName}=${value}; Path=/slack/; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`;
  }
}

interface Grant {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly expires_in?: number;
  readonly bot_user_id: string;
  readonly team?: { readonly id: string; readonly name: string } | null;
  readonly is_enterprise_install?: boolean;
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.byteLength === right.byteLength && timingSafeEqual(left, right);
}

function page(
  status: number,
  words: string,
  again?: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const link = again === undefined ? "" : ` <a href="${again}">Install it</a>`;
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Bobbin in Slack</title><p>${safe}${link}</p></html>`;
  return new Response(html, {
    status,
    headers: { "content-type": "text/html; charset=utf-8", ...headers },
  });
}
