import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { toolSecretPrefix } from "./env-file.ts";
import { type Environment, type OwnPrices, type Variable, variables } from "./environment.ts";
import { type SlackConfig, slackProblems, toSlack } from "./slack-config.ts";
import { mask } from "./variable.ts";

/** Everything an admin can set, read once at the start. Times are in ms, sizes in bytes. */
export interface Config {
  readonly isProduction: boolean;
  readonly role: Role;
  readonly server: {
    readonly host: string;
    readonly port: number;
    /** True: only this machine can reach it. */
    readonly isLoopback: boolean;
    /** Without a slash at the end. */
    readonly publicUrl: string | undefined;
    readonly shutdownGraceMs: number;
  };
  /** `redisUrl` undefined: everything is in the directory. It may hold a password. */
  readonly data: {
    readonly directory: string;
    readonly redisUrl: string | undefined;
    /** How long a process on Redis that says nothing keeps its conversations. */
    readonly leaseMs: number;
  };
  readonly log: { readonly level: "debug" | "info" | "warn" | "error" | "silent" };
  readonly model: ModelConfig;
  readonly limits: {
    readonly concurrency: number;
    readonly runDeadlineMs: number;
    readonly streamIdleMs: number;
    readonly turnsPerRun: number;
    /** Requests for one turn, the first included. */
    readonly attemptsPerTurn: number;
    readonly retryWaitMaxMs: number;
    readonly contextTokens: number;
    readonly approvalExpiryMs: number;
    readonly waitingPerConversation: number;
    readonly messagesPerPersonPerMinute: number;
  };
  readonly files: {
    readonly maxBytes: number;
    readonly perMessage: number;
    readonly parseTimeoutMs: number;
    readonly parseMaxMemoryBytes: number;
    readonly maxTextCharacters: number;
    readonly queryTimeoutMs: number;
    readonly queryMaxMemoryBytes: number;
  };
  /** `days` undefined: everything is kept. */
  readonly retention: { readonly days: number | undefined };
  readonly console: { readonly isEnabled: boolean; readonly password: string | undefined };
  /** Undefined: Slack is off. */
  readonly slack: SlackConfig | undefined;
  /** Undefined: Discord is off. */
  readonly discord: DiscordConfig | undefined;
  /** Person keys: `web:ada`. */
  readonly admins: readonly string[];
  readonly cost: {
    readonly ownPrices: OwnPrices;
    readonly runMaxUsd: number | undefined;
    readonly personDailyCapUsd: number | undefined;
    readonly channelMonthlyCapUsd: number | undefined;
  };
  readonly assistants: {
    readonly directory: string | undefined;
    readonly handOverChannels: readonly { readonly platform: string; readonly channel: string }[];
  };
  readonly tools: {
    readonly directory: string | undefined;
    /** Names the tool servers. */
    readonly serversFile: string | undefined;
    /** In lower case. */
    readonly allowedHosts: readonly string[];
    /** What files with tools may name, by variable. */
    readonly secrets: ReadonlyMap<string, string>;
  };
  /** Undefined: no code is run here. */
  readonly codeInterpreter:
    | {
        readonly packagesFolder: string | undefined;
        readonly timeoutMs: number;
        readonly maxMemoryBytes: number;
      }
    | undefined;
  readonly observability: {
    readonly metricsToken: string | undefined;
    readonly otlpEndpoint: string | undefined;
  };
}

/** What one process does: takes messages in (`gateway`), answers them (`worker`), or both. */
export type Role = "all" | "gateway" | "worker";

/** One Discord application. */
export interface DiscordConfig {
  readonly token: string;
  /** Undefined: Discord's own. */
  readonly apiUrl: string | undefined;
  readonly asksForContent: boolean;
  readonly threadMode: "follow" | "mention" | "off";
  readonly policy: {
    readonly allowedGuilds: readonly string[];
    readonly allowedChannels: readonly string[];
    readonly allowedRoles: readonly string[];
    readonly allowedUsers: readonly string[];
  };
  /** Empty: commands are registered for everywhere. */
  readonly commandGuilds: readonly string[];
  /** Undefined: as many as Discord recommends. */
  readonly shards: number | undefined;
  readonly onLeave: "forget" | "keep";
}

/** Who answers. */
export type ModelConfig =
  | {
      readonly type: "demo";
      /** True: an admin asked for it; false: no model is configured. */
      readonly isChosen: boolean;
    }
  | {
      readonly type: "openai";
      /** Undefined: the server asks for none. */
      readonly apiKey: string | undefined;
      /** Undefined: OpenAI's own. */
      readonly baseUrl: string | undefined;
      readonly model: string;
      readonly api: "auto" | "responses" | "chat" | "assistants";
      readonly background: "auto" | "on" | "off";
      /** Undefined: recordings are not written down. */
      readonly transcriptionModel: string | undefined;
      /** Undefined: files are searched by words alone. */
      readonly embeddingsModel: string | undefined;
    };

/** One thing that is wrong with the settings. */
export interface ConfigProblem {
  readonly variable: string;
  /** As it was set, secrets masked; undefined when it was not set. */
  readonly seen: string | undefined;
  /** Completes the sentence: "is not a whole number". */
  readonly problem: string;
  readonly fix: string;
}

/** A {@link Config}, or everything that is wrong with the settings. */
export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Looks at folders the settings name; each says what is wrong, or undefined. */
export interface FolderProbe {
  /** Makes it when it is missing: it has to be there, and writable. */
  readonly data: (path: string) => string | undefined;
  /** Has to be there, and readable. */
  readonly tools: (path: string) => string | undefined;
  /** A file; has to be there, and readable. */
  readonly file: (path: string) => string | undefined;
}

/**
 * Looks at every setting and at how they go together; reports all problems at once. Never throws.
 * Folders are looked at only with a probe.
 */
export function readConfig(
  env: { readonly [name: string]: string | undefined },
  folders?: FolderProbe,
): ConfigResult {
  const { environment, problems } = readVariables(env);
  const all = [
    ...problems,
    ...contradictions(environment, new Set(problems.map(nameOf))),
    ...(folders ? folderProblems(environment, folders) : []),
  ];
  if (all.length > 0) return { ok: false, problems: all };
  // Nothing is missing when no variable had a problem.
  return { ok: true, config: toConfig(environment as Environment, toolSecretsOf(env)) };
}

/** Where the data is; for commands that need no other setting. Throws an Error in words when that is not clear. */
export function dataPlaceOf(env: {
  readonly [name: string]: string | undefined;
}): Pick<Config["data"], "directory" | "redisUrl"> {
  const { environment, problems } = readVariables(env);
  const problem = problems.find(({ variable }) => variable === "REDIS_URL");
  // Without it everything would be looked for in the folder, and written there.
  if (problem) throw new Error(explainProblems([problem]));
  return { directory: resolve(environment.DATA_DIR ?? "data"), redisUrl: environment.REDIS_URL };
}

/** The folders of this machine. */
export const systemFolders: FolderProbe = {
  data(path) {
    try {
      // What people write is nobody else's business on this machine.
      mkdirSync(path, { recursive: true, mode: 0o700 });
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      return `is a folder that cannot be made or written to (${codeOf(error)})`;
    }
  },
  tools(path) {
    try {
      if (!statSync(path).isDirectory()) return "is no folder";
      accessSync(path, constants.R_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      return `is a folder that cannot be read (${codeOf(error)})`;
    }
  },
  file(path) {
    try {
      if (!statSync(path).isFile()) return "is no file";
      accessSync(path, constants.R_OK);
      return undefined;
    } catch (error) {
      return `is a file that cannot be read (${codeOf(error)})`;
    }
  },
};

function toolSecretsOf(env: {
  readonly [name: string]: string | undefined;
}): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith(toolSecretPrefix) && value?.trim() ? [[name, value.trim()] as const] : [],
    ),
  );
}

/** What an admin reads after "Bobbin: " when it does not start: every problem with its fix. */
export function explainProblems(problems: readonly ConfigProblem[]): string {
  const count = problems.length === 1 ? "one setting has" : `${problems.length} settings have`;
  const lines = problems.map(({ variable, seen, problem, fix }) => {
    const subject =
      seen === undefined ? `${variable} is not set: it` : `${variable} is ${seen}: it`;
    return `  ${subject} ${problem}.\n    ${fix}`;
  });
  return `cannot start, because ${count} to be corrected:\n\n${lines.join("\n\n")}\n\nAll settings are explained in .env.example.`;
}

function nameOf(problem: ConfigProblem): string {
  return problem.variable;
}

function readVariables(env: { readonly [name: string]: string | undefined }): {
  readonly environment: Partial<Environment>;
  readonly problems: readonly ConfigProblem[];
} {
  const values: { [name: string]: unknown } = {};
  const problems: ConfigProblem[] = [];
  for (const [name, variable] of Object.entries<Variable<unknown>>(variables)) {
    const seen = env[name]?.trim() || undefined;
    const read = variable.read(seen);
    if (read.ok) values[name] = read.value;
    else {
      const shown = seen === undefined ? undefined : mask(seen, variable.isSecret);
      problems.push({ variable: name, seen: shown, problem: read.problem, fix: read.fix });
    }
  }
  return { environment: values as Partial<Environment>, problems };
}

/** What is wrong between variables that are fine alone; says nothing of those already complained about. */
function contradictions(
  environment: Partial<Environment>,
  wrong: ReadonlySet<string>,
): readonly ConfigProblem[] {
  const isFine = (...names: readonly string[]) => names.every((name) => !wrong.has(name));
  const problems: ConfigProblem[] = [];
  if (isFine("HOST", "PUBLIC_URL", "CONSOLE", "CONSOLE_PASSWORD", "BOBBIN_ROLE")) {
    problems.push(...openConsole(environment));
  }
  if (isFine("BOBBIN_ROLE", "REDIS_URL")) problems.push(...roleAlone(environment));
  problems.push(...slackProblems(environment, wrong));
  if (isFine("OPENAI_API", "OPENAI_BASE_URL", "MODEL_BACKEND")) {
    problems.push(...endedApi(environment));
  }
  if (isFine("NODE_ENV", "MODEL_BACKEND", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")) {
    problems.push(...noModel(environment));
  }
  return problems;
}

function folderProblems(
  { DATA_DIR, ASSISTANTS_DIR, TOOLS_DIR, ...environment }: Partial<Environment>,
  folders: FolderProbe,
): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const look = (variable: string, path: string, problem: string | undefined, fix: string) => {
    if (problem) problems.push({ variable, seen: `"${path}"`, problem, fix });
  };
  if (DATA_DIR !== undefined) {
    const fix = "Set it to a folder on a local disk that this user may write to.";
    look("DATA_DIR", DATA_DIR, folders.data(resolve(DATA_DIR)), fix);
  }
  if (ASSISTANTS_DIR !== undefined) {
    const fix = "Set it to a folder with assistants, or leave it out.";
    look("ASSISTANTS_DIR", ASSISTANTS_DIR, folders.tools(resolve(ASSISTANTS_DIR)), fix);
  }
  if (TOOLS_DIR !== undefined) {
    const fix = "Set it to a folder with tools, or leave it out.";
    look("TOOLS_DIR", TOOLS_DIR, folders.tools(resolve(TOOLS_DIR)), fix);
  }
  const { MCP_SERVERS, CODE_INTERPRETER, PYODIDE_PACKAGES } = environment;
  if (MCP_SERVERS !== undefined) {
    const fix = "Set it to a .yaml file that names tool servers, or leave it out.";
    look("MCP_SERVERS", MCP_SERVERS, folders.file(resolve(MCP_SERVERS)), fix);
  }
  if (CODE_INTERPRETER === "local" && PYODIDE_PACKAGES !== undefined) {
    const fix = "Set it to a folder with Pyodide's packages, or leave it out.";
    look("PYODIDE_PACKAGES", PYODIDE_PACKAGES, folders.tools(resolve(PYODIDE_PACKAGES)), fix);
  }
  return problems;
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return "for an unknown reason";
}

function roleAlone({ BOBBIN_ROLE, REDIS_URL }: Partial<Environment>): readonly ConfigProblem[] {
  if (BOBBIN_ROLE === "all" || REDIS_URL !== undefined) return [];
  return [
    {
      variable: "BOBBIN_ROLE",
      seen: `"${BOBBIN_ROLE}"`,
      problem: "needs other processes, which without REDIS_URL there are none of",
      fix: "Set REDIS_URL to the Redis that all of them share, or leave BOBBIN_ROLE out.",
    },
  ];
}

function openConsole(environment: Partial<Environment>): readonly ConfigProblem[] {
  const { CONSOLE, CONSOLE_PASSWORD, BOBBIN_ROLE } = environment;
  // A worker serves no console.
  if (CONSOLE === "off" || BOBBIN_ROLE === "worker" || CONSOLE_PASSWORD !== undefined) return [];
  const why = reachableBecause(environment);
  if (why === undefined) return [];
  return [
    {
      variable: "CONSOLE_PASSWORD",
      seen: undefined,
      problem: `has to be, because ${why} makes the console reachable beyond this machine`,
      fix: "Set CONSOLE_PASSWORD, or CONSOLE=off, or HOST=127.0.0.1 without PUBLIC_URL.",
    },
  ];
}

function reachableBecause({ HOST, PUBLIC_URL }: Partial<Environment>): string | undefined {
  if (HOST !== undefined && !isLoopbackHost(HOST)) return `HOST=${HOST}`;
  const publicHost = PUBLIC_URL === undefined ? undefined : URL.parse(PUBLIC_URL)?.hostname;
  if (publicHost !== undefined && !isLoopbackHost(publicHost)) return `PUBLIC_URL=${PUBLIC_URL}`;
  return undefined;
}

function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

function noModel(environment: Partial<Environment>): readonly ConfigProblem[] {
  const { MODEL_BACKEND, OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL, NODE_ENV } = environment;
  if (MODEL_BACKEND === "demo") return [];
  const isOpenAi = OPENAI_BASE_URL === undefined || isOpenAiUrl(OPENAI_BASE_URL);
  if (isOpenAi && OPENAI_API_KEY === undefined) {
    const isWanted = MODEL_BACKEND === "openai" || OPENAI_BASE_URL !== undefined;
    if (!isWanted && NODE_ENV !== "production") return [];
    return [
      {
        variable: "OPENAI_API_KEY",
        seen: undefined,
        problem: isWanted
          ? "has to be, because OpenAI's API answers nobody without a key"
          : "has to be in production, because there is no other model to answer with",
        fix: "Set it, or OPENAI_BASE_URL to a server of your own, or MODEL_BACKEND=demo to try Bobbin without a model.",
      },
    ];
  }
  if (!isOpenAi && OPENAI_MODEL === undefined) {
    return [
      {
        variable: "OPENAI_MODEL",
        seen: undefined,
        problem: "has to be, because a server of your own has models of its own",
        fix: `Set it to the name of a model that ${OPENAI_BASE_URL} offers.`,
      },
    ];
  }
  return [];
}

/** OpenAI's own Assistants API ended on 2026-08-26: nobody should find that out from an answer. */
function endedApi(environment: Partial<Environment>): readonly ConfigProblem[] {
  const { OPENAI_API, OPENAI_BASE_URL, MODEL_BACKEND } = environment;
  const isOpenAi = OPENAI_BASE_URL === undefined || isOpenAiUrl(OPENAI_BASE_URL);
  if (OPENAI_API !== "assistants" || MODEL_BACKEND === "demo" || !isOpenAi) return [];
  return [
    {
      variable: "OPENAI_API",
      seen: '"assistants"',
      problem: "cannot be used with api.openai.com, where the Assistants API ended on 2026-08-26",
      fix: "Set OPENAI_API=responses, or OPENAI_BASE_URL to a server that still has it.",
    },
  ];
}

function isOpenAiUrl(url: string): boolean {
  const host = URL.parse(url)?.hostname;
  return host === "api.openai.com" || (host?.endsWith(".api.openai.com") ?? false);
}

function toConfig(env: Environment, toolSecrets: ReadonlyMap<string, string>): Config {
  return {
    isProduction: env.NODE_ENV === "production",
    role: env.BOBBIN_ROLE,
    server: {
      host: env.HOST,
      port: env.PORT,
      isLoopback: isLoopbackHost(env.HOST),
      publicUrl: env.PUBLIC_URL,
      shutdownGraceMs: env.SHUTDOWN_GRACE_SECONDS * 1_000,
    },
    data: {
      directory: resolve(env.DATA_DIR),
      redisUrl: env.REDIS_URL,
      leaseMs: env.LEASE_SECONDS * 1_000,
    },
    log: { level: env.LOG_LEVEL },
    model: toModel(env),
    limits: {
      concurrency: env.RUN_CONCURRENCY,
      runDeadlineMs: env.RUN_DEADLINE_SECONDS * 1_000,
      streamIdleMs: env.STREAM_IDLE_SECONDS * 1_000,
      turnsPerRun: env.RUN_MAX_TURNS,
      attemptsPerTurn: env.MODEL_ATTEMPTS,
      retryWaitMaxMs: env.MODEL_RETRY_WAIT_MAX_SECONDS * 1_000,
      contextTokens: env.CONTEXT_TOKENS,
      approvalExpiryMs: env.APPROVAL_EXPIRY_MINUTES * 60_000,
      waitingPerConversation: env.QUEUE_PER_CONVERSATION,
      messagesPerPersonPerMinute: env.MESSAGES_PER_PERSON_PER_MINUTE,
    },
    files: {
      maxBytes: Math.round(env.FILE_MAX_MB * 1_000_000),
      perMessage: env.FILES_PER_MESSAGE,
      parseTimeoutMs: env.FILE_PARSE_SECONDS * 1_000,
      parseMaxMemoryBytes: env.FILE_PARSE_MEMORY_MB * 1_000_000,
      maxTextCharacters: env.FILE_TEXT_MAX_CHARACTERS,
      queryTimeoutMs: env.DATA_QUERY_SECONDS * 1_000,
      queryMaxMemoryBytes: env.DATA_QUERY_MEMORY_MB * 1_000_000,
    },
    retention: { days: env.RETENTION_DAYS },
    console: { isEnabled: env.CONSOLE === "on", password: env.CONSOLE_PASSWORD },
    slack: toSlack(env),
    discord: toDiscord(env),
    admins: env.ADMINS,
    cost: {
      ownPrices: env.MODEL_PRICES,
      runMaxUsd: env.RUN_MAX_COST_USD,
      personDailyCapUsd: env.PERSON_DAILY_CAP_USD,
      channelMonthlyCapUsd: env.CHANNEL_MONTHLY_CAP_USD,
    },
    assistants: {
      directory: env.ASSISTANTS_DIR === undefined ? undefined : resolve(env.ASSISTANTS_DIR),
      handOverChannels: env.HANDOVER_CHANNELS.map((item) => {
        const [platform = "", ...channel] = item.split(":");
        return { platform, channel: channel.join(":") };
      }),
    },
    tools: {
      directory: env.TOOLS_DIR === undefined ? undefined : resolve(env.TOOLS_DIR),
      serversFile: env.MCP_SERVERS === undefined ? undefined : resolve(env.MCP_SERVERS),
      allowedHosts: env.TOOLS_ALLOWED_HOSTS.map((host) => host.toLowerCase()),
      secrets: toolSecrets,
    },
    codeInterpreter: toCodeInterpreter(env),
    observability: {
      metricsToken: env.METRICS_TOKEN,
      otlpEndpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    },
  };
}

function toDiscord(env: Environment): DiscordConfig | undefined {
  if (env.DISCORD_TOKEN === undefined) return undefined;
  // People copy it with the word that goes before it in a header.
  const token = env.DISCORD_TOKEN.replace(/^Bot\s+/i, "");
  return {
    token,
    apiUrl: env.DISCORD_API_URL,
    asksForContent: env.DISCORD_MESSAGE_CONTENT === "auto",
    threadMode: env.DISCORD_THREADS,
    policy: {
      allowedGuilds: env.DISCORD_ALLOWED_GUILDS,
      allowedChannels: env.DISCORD_ALLOWED_CHANNELS,
      allowedRoles: env.DISCORD_ALLOWED_ROLES,
      allowedUsers: env.DISCORD_ALLOWED_USERS,
    },
    commandGuilds: env.DISCORD_COMMAND_GUILDS,
    shards: env.DISCORD_SHARDS,
    onLeave: env.DISCORD_ON_LEAVE,
  };
}

function toCodeInterpreter(env: Environment): Config["codeInterpreter"] {
  if (env.CODE_INTERPRETER === "off") return undefined;
  return {
    packagesFolder: env.PYODIDE_PACKAGES === undefined ? undefined : resolve(env.PYODIDE_PACKAGES),
    timeoutMs: env.CODE_INTERPRETER_SECONDS * 1_000,
    maxMemoryBytes: env.CODE_INTERPRETER_MEMORY_MB * 1_000_000,
  };
}

function toModel(env: Environment): ModelConfig {
  if (env.MODEL_BACKEND === "demo") return { type: "demo", isChosen: true };
  if (env.OPENAI_API_KEY === undefined && env.OPENAI_BASE_URL === undefined) {
    return { type: "demo", isChosen: false };
  }
  return {
    type: "openai",
    apiKey: env.OPENAI_API_KEY,
    baseUrl: env.OPENAI_BASE_URL,
    model: env.OPENAI_MODEL ?? "gpt-5.5",
    api: env.OPENAI_API,
    background: env.OPENAI_BACKGROUND,
    transcriptionModel: transcriptionModel(env),
    embeddingsModel: env.OPENAI_EMBEDDINGS_MODEL,
  };
}

function transcriptionModel(env: Environment): string | undefined {
  const { OPENAI_TRANSCRIPTION_MODEL: model, OPENAI_BASE_URL: baseUrl } = env;
  if (model === "off") return undefined;
  if (model !== undefined) return model;
  const isOpenAi = baseUrl === undefined || isOpenAiUrl(baseUrl);
  return isOpenAi ? "gpt-4o-mini-transcribe" : undefined;
}
