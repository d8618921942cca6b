import { randomBytes } from "node:crypto";
import type { AppSettings } from "../app-settings.ts";
import type { Arguments } from "../arguments.ts";
import type { JsonObject } from "../json.ts";
import type { Installation } from "../model.ts";
import { refuse } from "../refusal.ts";
import type { World } from "../world.ts";

/** A code an installing person's browser carries from Slack to the app. */
export interface OAuthCode {
  readonly teamId: string;
  readonly userId: string;
  /** What the person agreed to; undefined for everything the app is set up for. */
  readonly scopes: readonly string[] | undefined;
  readonly redirectUri: string | undefined;
  readonly goodUntilMs: number;
}

/** Installing the app, and exchanging codes and refresh tokens for bot tokens. */
export class OAuth {
  readonly #world: World;
  readonly #settings: () => AppSettings;
  readonly #codes = new Map<string, OAuthCode>();

  constructor(world: World, settings: () => AppSettings) {
    this.#world = world;
    this.#settings = settings;
  }

  /** The app is in the workspace from now on, with a bot user and a token. */
  install(teamId: string, installerId: string, scopes?: readonly string[]): Installation {
    const settings = this.#settings();
    const known = this.#world.installations.get(teamId);
    const botId = known?.botId ?? this.#world.id("B");
    const botUserId =
      known?.botUserId ??
      this.#world.addUser({ teamId, name: settings.name, isBot: true, botId }).id;
    const installation: Installation = {
      teamId,
      botUserId,
      botId,
      installerId,
      scopes: new Set(scopes ?? settings.botScopes),
      token: "",
      earlierTokens: new Map(),
      refreshToken: undefined,
      expiresAtMs: undefined,
      state: "active",
    };
    this.#issueToken(installation);
    this.#world.installations.set(teamId, installation);
    return installation;
  }

  newCode(code: Omit<OAuthCode, "goodUntilMs">): string {
    const id = randomBytes(12).toString("hex");
    this.#codes.set(id, { ...code, goodUntilMs: this.#world.clock.now() + 600_000 });
    return id;
  }

  /** oauth.v2.access. The client's credentials come as arguments or with HTTP Basic. */
  access(args: Arguments, authorization: string | undefined): JsonObject {
    const settings = this.#settings();
    const basic = /^Basic (.+)$/.exec(authorization ?? "")?.[1];
    const [id, secret] = basic ? Buffer.from(basic, "base64").toString().split(":") : [];
    if ((args.text("client_id") ?? id) !== settings.clientId) refuse("invalid_client_id");
    if ((args.text("client_secret") ?? secret) !== settings.clientSecret)
      refuse("bad_client_secret");
    if (args.text("grant_type") === "refresh_token") return this.#refresh(args);
    const codeId = args.requiredText("code");
    const code = this.#codes.get(codeId);
    this.#codes.delete(codeId);
    if (!code || code.goodUntilMs < this.#world.clock.now()) return refuse("invalid_code");
    const redirectUri = args.text("redirect_uri");
    if (code.redirectUri !== undefined && redirectUri !== code.redirectUri)
      refuse("bad_redirect_uri");
    return this.#grant(this.install(code.teamId, code.userId, code.scopes), code.userId);
  }

  #refresh(args: Arguments): JsonObject {
    const token = args.requiredText("refresh_token");
    const installation = [...this.#world.installations.values()].find(
      ({ refreshToken, state }) => refreshToken === token && state === "active",
    );
    if (!installation) return refuse("invalid_refresh_token");
    this.#issueToken(installation);
    return this.#grant(installation, installation.installerId);
  }

  #issueToken(installation: Installation): void {
    const random = randomBytes(12).toString("hex");
    const rotates = this.#settings().rotatesTokens;
    if (installation.token && installation.expiresAtMs !== undefined) {
      installation.earlierTokens.set(installation.token, installation.expiresAtMs);
    }
    installation.token = rotates
      ? `xoxe.xoxb-1-${random}`
      : `xoxb-${installation.teamId}-${random}`;
    installation.refreshToken = rotates ? `xoxe-1-${random}` : undefined;
    installation.expiresAtMs = rotates ? this.#world.clock.now() + 43_200_000 : undefined;
  }

  #grant(installation: Installation, userId: string): JsonObject {
    const team = this.#world.team(installation.teamId);
    return {
      app_id: this.#world.appId,
      authed_user: { id: userId },
      scope: [...installation.scopes].join(","),
      token_type: "bot",
      access_token: installation.token,
      bot_user_id: installation.botUserId,
      ...(this.#settings().installsOrgWide
        ? {
            team: null,
            enterprise: { id: "E0WIREORG1", name: "Wire Organisation" },
            is_enterprise_install: true,
          }
        : {
            team: { id: team.id, name: team.name },
            enterprise: null,
            is_enterprise_install: false,
          }),
      ...(installation.refreshToken
        ? { refresh_token: installation.refreshToken, expires_in: 43_200 }
        : {}),
    };
  }
}
