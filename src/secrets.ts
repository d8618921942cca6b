import type { Config } from "./config.ts";

/** Every secret of the settings, as it is written: none may stand in the log. */
export function secretsOf(config: Config): readonly string[] {
  const { model, console, slack, discord, observability, tools } = config;
  const key = model.type === "openai" ? model.apiKey : undefined;
  const connection = slack?.connection;
  const slackSecret =
    connection?.type === "socket" ? connection.appToken : connection?.signingSecret;
  const access = slack?.access;
  const slackAccess = access?.type === "oauth" ? access.clientSecret : access?.token;
  return [
    ...redisSecrets(config.data.redisUrl),
    key,
    console.password,
    slackAccess,
    slackSecret,
    discord?.token,
    observability.metricsToken,
    ...tools.secrets.values(),
  ].filter((secret) => secret !== undefined);
}

/** The address as it is, and the password in it, written both ways. */
function redisSecrets(redisUrl: string | undefined): readonly string[] {
  const password = redisUrl === undefined ? undefined : URL.parse(redisUrl)?.password;
  if (redisUrl === undefined || !password) return [];
  return [redisUrl, password, decodeURIComponent(password)];
}
