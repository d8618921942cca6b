import type { ConfigProblem } from "./config.ts";
import type { Environment } from "./environment.ts";
import { mask } from "./variable.ts";

/** Slack: one workspace by its token, or every workspace that installs the app. */
export interface SlackConfig {
  readonly access:
    | { readonly type: "token"; readonly token: string }
    | {
        readonly type: "oauth";
        readonly clientId: string;
        readonly clientSecret: string;
        /** 32 bytes. */
        readonly key: Uint8Array;
        readonly redirectUrl: string;
      };
  readonly connection:
    | { readonly type: "socket"; readonly appToken: string }
    | { readonly type: "http"; readonly signingSecret: string };
  /** Undefined: Slack's own. */
  readonly apiUrl: string | undefined;
  readonly streaming: "auto" | "native" | "update";
  readonly policy: {
    readonly allowedUsers: readonly string[];
    readonly allowedChannels: readonly string[];
    readonly allowsExternal: boolean;
    readonly needsMention: boolean;
  };
}

/** What is wrong with the Slack tokens together: one alone is good for nothing. */
export function slackProblems(
  environment: Partial<Environment>,
  wrong: ReadonlySet<string>,
): readonly ConfigProblem[] {
  const isFine = (...names: readonly string[]) => names.every((name) => !wrong.has(name));
  const tokens = isFine("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET");
  const many = isFine("SLACK_CLIENT_SECRET", "SLACK_INSTALLATIONS_KEY", "SLACK_SIGNING_SECRET");
  return [...(tokens ? halfSlack(environment) : []), ...(many ? halfInstallable(environment) : [])];
}

function halfSlack(environment: Partial<Environment>): readonly ConfigProblem[] {
  const { SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET } = environment;
  const problems: ConfigProblem[] = [];
  const wrong = (variable: string, prefix: string, token: string | undefined, fix: string) => {
    if (token === undefined || token.startsWith(prefix)) return;
    const seen = mask(token, true);
    problems.push({ variable, seen, problem: `does not begin with ${prefix}`, fix });
  };
  wrong(
    "SLACK_BOT_TOKEN",
    "xoxb-",
    SLACK_BOT_TOKEN,
    "Copy the Bot User OAuth Token from OAuth & Permissions in the app's settings.",
  );
  wrong(
    "SLACK_APP_TOKEN",
    "xapp-",
    SLACK_APP_TOKEN,
    "Copy an app-level token from Basic Information in the app's settings.",
  );
  const hasConnection = SLACK_APP_TOKEN !== undefined || SLACK_SIGNING_SECRET !== undefined;
  if (SLACK_BOT_TOKEN !== undefined && !hasConnection) {
    problems.push({
      variable: "SLACK_APP_TOKEN",
      seen: undefined,
      problem: "has to be, because SLACK_BOT_TOKEN alone hears nothing",
      fix: "Set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for requests from Slack.",
    });
  }
  if (SLACK_BOT_TOKEN === undefined && hasConnection && !isInstallable(environment)) {
    problems.push({
      variable: "SLACK_BOT_TOKEN",
      seen: undefined,
      problem: "has to be, because nothing can be answered in Slack without it",
      fix: "Set it to the Bot User OAuth Token, or leave the other Slack settings out.",
    });
  }
  return problems;
}

function isInstallable(environment: Partial<Environment>): boolean {
  const { SLACK_CLIENT_ID, SLACK_CLIENT_SECRET, SLACK_INSTALLATIONS_KEY } = environment;
  const all = [SLACK_CLIENT_ID, SLACK_CLIENT_SECRET, SLACK_INSTALLATIONS_KEY];
  return all.some((one) => one !== undefined);
}

/** What is missing for many workspaces: the settings for it go together. */
function halfInstallable(environment: Partial<Environment>): readonly ConfigProblem[] {
  if (!isInstallable(environment)) return [];
  const { SLACK_APP_TOKEN, SLACK_INSTALLATIONS_KEY: key } = environment;
  const fix = "docs/slack.md leads through it. For one workspace, set SLACK_BOT_TOKEN instead.";
  const problems: ConfigProblem[] = [];
  const needed = ["SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_INSTALLATIONS_KEY"] as const;
  for (const variable of [...needed, "PUBLIC_URL"] as const) {
    if (environment[variable] !== undefined) continue;
    const problem = "has to be, because many workspaces are to install the Slack app";
    problems.push({ variable, seen: undefined, problem, fix });
  }
  if (SLACK_APP_TOKEN === undefined && environment.SLACK_SIGNING_SECRET === undefined) {
    const problem = "has to be, because without it nothing of what Slack sends can be trusted";
    problems.push({ variable: "SLACK_SIGNING_SECRET", seen: undefined, problem, fix });
  }
  if (key !== undefined && keyOf(key).byteLength !== 32) {
    problems.push({
      variable: "SLACK_INSTALLATIONS_KEY",
      seen: mask(key, true),
      problem: `holds ${keyOf(key).byteLength} bytes, not 32`,
      fix: "Make one with `openssl rand -base64 32`.",
    });
  }
  return problems;
}

function keyOf(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}

/** Undefined: Slack is off. */
export function toSlack(env: Environment): SlackConfig | undefined {
  const { SLACK_BOT_TOKEN: token, SLACK_APP_TOKEN: appToken, SLACK_CLIENT_ID: clientId } = env;
  if (token === undefined && clientId === undefined) return undefined;
  const signingSecret = env.SLACK_SIGNING_SECRET ?? "";
  return {
    access:
      clientId === undefined
        ? { type: "token", token: token ?? "" }
        : {
            type: "oauth",
            clientId,
            clientSecret: env.SLACK_CLIENT_SECRET ?? "",
            key: keyOf(env.SLACK_INSTALLATIONS_KEY ?? ""),
            redirectUrl: `${env.PUBLIC_URL ?? ""}/slack/oauth_redirect`,
          },
    connection:
      appToken === undefined ? { type: "http", signingSecret } : { type: "socket", appToken },
    apiUrl: env.SLACK_API_URL,
    streaming: env.SLACK_STREAMING,
    policy: {
      allowedUsers: env.SLACK_ALLOWED_USERS,
      allowedChannels: env.SLACK_ALLOWED_CHANNELS,
      allowsExternal: env.SLACK_EXTERNAL === "on",
      needsMention: env.SLACK_THREADS === "mention",
    },
  };
}
