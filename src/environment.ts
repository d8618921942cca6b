import {
  choice,
  integer,
  list,
  number,
  optionalNumber,
  optionalText,
  optionalUrl,
  prices,
  redisUrl,
  secret,
  text,
  type Variable,
} from "./variable.ts";

export type { OwnPrices, Variable } from "./variable.ts";

/**
 * Every setting there is, in the order of `.env.example` and of the README. A test holds the three
 * together, so this table is the one place to add a setting.
 */
export const variables = {
  HOST: text({
    group: "Server",
    help: "The address to listen on. Beyond loopback the console needs CONSOLE_PASSWORD.",
    sample: "127.0.0.1",
    byDefault: "127.0.0.1",
  }),
  PORT: integer({
    group: "Server",
    help: "The port to listen on; 0 takes a free one.",
    byDefault: 3000,
    min: 0,
    max: 65_535,
  }),
  PUBLIC_URL: optionalUrl({
    group: "Server",
    help: "Where people reach the console from outside. Set it behind a reverse proxy, even when HOST is loopback, and let the proxy pass the Host header on.",
    sample: "https://bobbin.example.com",
    unset: "the address listened on",
  }),
  NODE_ENV: text({
    group: "Server",
    help: "`production` refuses to start without a model; anything else answers with the demo brain then.",
    sample: "production",
    byDefault: "development",
  }),
  SHUTDOWN_GRACE_SECONDS: integer({
    group: "Server",
    help: "How long running replies may go on after SIGTERM; the rest is checkpointed and continued by the next start.",
    byDefault: 20,
    min: 0,
    max: 3_600,
  }),
  DATA_DIR: text({
    group: "Data",
    help: "The folder of the data file and of the files people sent. One process at a time; on a local disk. With REDIS_URL only files are in it, and all processes need the same one.",
    sample: "./data",
    byDefault: "./data",
  }),
  REDIS_URL: redisUrl({
    group: "Data",
    help: "Keeps everything but files in this Redis (6.2 or newer, appendonly yes, noeviction), for any number of processes with the same settings. See docs/operating.md.",
    sample: "redis://127.0.0.1:6379",
    unset: "the data file, one process",
  }),
  BOBBIN_ROLE: choice({
    group: "Data",
    help: "What this process does of the whole; all but `all` need REDIS_URL. `gateway`: holds the connections to Slack and Discord, the endpoints and the console, and takes messages in. `worker`: answers them, over the platforms' HTTP APIs.",
    choices: ["all", "gateway", "worker"],
    byDefault: "all",
  }),
  LEASE_SECONDS: number({
    group: "Data",
    help: "With REDIS_URL: how long a process that was killed or hangs keeps the conversations it is answering; others go on with them within 1.8 times of it. Nothing may block a process for so long.",
    byDefault: 5,
    min: 1,
    max: 120,
  }),
  RETENTION_DAYS: optionalNumber({
    group: "Data",
    help: "What is older than this many days is deleted: messages, answers, files, and what the model provider keeps of them. Looked at once a day.",
    sample: "90",
    unset: "kept for ever",
    min: 1,
    max: 36_500,
    isWhole: true,
  }),
  LOG_LEVEL: choice({
    group: "Log",
    help: "How much is logged, as JSON lines on standard output.",
    choices: ["debug", "info", "warn", "error", "silent"],
    byDefault: "info",
  }),
  MODEL_BACKEND: choice({
    group: "Model",
    help: "Who answers. `auto`: a model when OPENAI_API_KEY or OPENAI_BASE_URL is set, else the demo brain (not in production). `demo`: always the demo brain, which says so on every reply.",
    choices: ["auto", "openai", "demo"],
    byDefault: "auto",
  }),
  OPENAI_API_KEY: secret({
    group: "Model",
    help: "The key of the model API. Local servers often need none.",
    sample: "sk-...",
  }),
  OPENAI_BASE_URL: optionalUrl({
    group: "Model",
    help: "The address of a compatible server (Ollama, vLLM, llama.cpp, LM Studio, OpenRouter, Azure).",
    sample: "http://127.0.0.1:11434/v1",
    unset: "https://api.openai.com/v1",
  }),
  OPENAI_MODEL: optionalText({
    group: "Model",
    help: "The model of assistants that name none. Has to be set with a server of your own.",
    sample: "gpt-5.5",
    unset: "gpt-5.5",
  }),
  OPENAI_API: choice({
    group: "Model",
    help: "Which API to speak. `auto` chooses by the address: an unknown server gets `chat`. `assistants` is for servers that still have threads and runs (version 2); OpenAI's own ended.",
    choices: ["auto", "responses", "chat", "assistants"],
    byDefault: "auto",
  }),
  OPENAI_BACKGROUND: choice({
    group: "Model",
    help: "Whether the server goes on answering when the connection breaks (`responses` only). `auto`: for runs with hosted tools or a reasoning model, where the server can.",
    choices: ["auto", "on", "off"],
    byDefault: "auto",
  }),
  OPENAI_TRANSCRIPTION_MODEL: optionalText({
    group: "Model",
    help: "The model that writes down voice messages and other recordings, where the server has one (`/audio/transcriptions`). `off`: none.",
    sample: "whisper-1",
    unset: "gpt-4o-mini-transcribe at OpenAI, none with a server of your own",
  }),
  OPENAI_EMBEDDINGS_MODEL: optionalText({
    group: "Model",
    help: "The model that finds passages of files by meaning beside their words, where Bobbin searches itself (`/embeddings`). What it takes is counted with the rest.",
    sample: "text-embedding-3-small",
    unset: "none: words alone",
  }),
  RUN_CONCURRENCY: integer({
    group: "Runs and queue",
    help: "How many conversations are answered at the same time.",
    byDefault: 32,
    min: 1,
    max: 10_000,
  }),
  RUN_DEADLINE_SECONDS: integer({
    group: "Runs and queue",
    help: "The working time of one answer; waiting for a person does not count.",
    byDefault: 600,
    min: 1,
    max: 86_400,
  }),
  STREAM_IDLE_SECONDS: integer({
    group: "Runs and queue",
    help: "A model that is silent for this long is cut off and asked again.",
    byDefault: 90,
    min: 1,
    max: 3_600,
  }),
  RUN_MAX_TURNS: integer({
    group: "Runs and queue",
    help: "How often one answer may ask the model, tools in between.",
    byDefault: 40,
    min: 1,
    max: 1_000,
  }),
  MODEL_ATTEMPTS: integer({
    group: "Runs and queue",
    help: "How often the same question is put to a model that fails or is busy.",
    byDefault: 4,
    min: 1,
    max: 20,
  }),
  MODEL_RETRY_WAIT_MAX_SECONDS: integer({
    group: "Runs and queue",
    help: "The longest wait for a busy model; one that asks for more is not asked again.",
    byDefault: 60,
    min: 1,
    max: 3_600,
  }),
  CONTEXT_TOKENS: integer({
    group: "Runs and queue",
    help: "About how many tokens of a conversation are sent to the model; what is older is summarised.",
    byDefault: 100_000,
    min: 1_000,
    max: 10_000_000,
  }),
  APPROVAL_EXPIRY_MINUTES: integer({
    group: "Runs and queue",
    help: "How long an approval or a form waits for its person.",
    byDefault: 30,
    min: 1,
    max: 43_200,
  }),
  QUEUE_PER_CONVERSATION: integer({
    group: "Runs and queue",
    help: "How many messages may wait in one conversation; more are refused in words.",
    byDefault: 20,
    min: 1,
    max: 100_000,
  }),
  MESSAGES_PER_PERSON_PER_MINUTE: integer({
    group: "Runs and queue",
    help: "How many messages one person may send in a minute; more are refused in words.",
    byDefault: 20,
    min: 1,
    max: 100_000,
  }),
  FILE_MAX_MB: number({
    group: "Files",
    help: "The largest file that is read, in megabytes (1,000,000 bytes).",
    byDefault: 20,
    min: 0.001,
    max: 512,
  }),
  FILES_PER_MESSAGE: integer({
    group: "Files",
    help: "How many files of one message are read.",
    byDefault: 10,
    min: 0,
    max: 100,
  }),
  FILE_PARSE_SECONDS: integer({
    group: "Files",
    help: "How long reading one document may take.",
    byDefault: 30,
    min: 1,
    max: 600,
  }),
  FILE_PARSE_MEMORY_MB: integer({
    group: "Files",
    help: "How much memory reading one document may take.",
    byDefault: 512,
    min: 64,
    max: 16_384,
  }),
  FILE_TEXT_MAX_CHARACTERS: integer({
    group: "Files",
    help: "How much text of one document is kept for the model.",
    byDefault: 1_000_000,
    min: 1_000,
    max: 50_000_000,
  }),
  DATA_QUERY_SECONDS: integer({
    group: "Files",
    help: "How long one query over attached tables may take, reading them included.",
    byDefault: 30,
    min: 1,
    max: 100,
  }),
  DATA_QUERY_MEMORY_MB: integer({
    group: "Files",
    help: "How much memory one query over attached tables may take; two are answered at a time.",
    byDefault: 512,
    min: 64,
    max: 65_536,
  }),
  CONSOLE: choice({
    group: "Console and admins",
    help: "The web console. `off` leaves only health, metrics and the endpoints of platforms.",
    choices: ["on", "off"],
    byDefault: "on",
  }),
  CONSOLE_PASSWORD: secret({
    group: "Console and admins",
    help: "What people type to use the console. Has to be set when it is reachable beyond this machine.",
    sample: "correct-horse-battery-staple",
    minLength: 8,
  }),
  ADMINS: list({
    group: "Console and admins",
    help: "Who may change everything: people as `platform:id`, separated by commas.",
    sample: "web:ada",
    unset: "whoever uses the console on this very machine",
    item: /^[a-z]+:\S+$/,
    itemWords: "a person as platform:id, such as web:ada",
  }),
  SLACK_BOT_TOKEN: secret({
    group: "Slack",
    help: "The Bot User OAuth Token of the Slack app. With it, SLACK_APP_TOKEN or SLACK_SIGNING_SECRET has to be set; docs/slack.md leads through it.",
    sample: "xoxb-...",
    minLength: 8,
  }),
  SLACK_APP_TOKEN: secret({
    group: "Slack",
    help: "The app-level token (connections:write) for Socket Mode: Slack is connected from here, and no public address is needed.",
    sample: "xapp-...",
    minLength: 8,
  }),
  SLACK_SIGNING_SECRET: secret({
    group: "Slack",
    help: "The signing secret, where Slack posts to PUBLIC_URL/slack/events instead. Not used with SLACK_APP_TOKEN.",
    sample: "a-secret-of-32-letters-and-digits",
    minLength: 8,
  }),
  SLACK_CLIENT_ID: optionalText({
    group: "Slack",
    help: "The client id of the Slack app, where many workspaces install it (at PUBLIC_URL/slack/install). SLACK_BOT_TOKEN is not used then; SLACK_CLIENT_SECRET, SLACK_INSTALLATIONS_KEY, PUBLIC_URL, and SLACK_SIGNING_SECRET or SLACK_APP_TOKEN have to be set.",
    sample: "1234567890.1234567890",
    unset: "one workspace, by SLACK_BOT_TOKEN",
  }),
  SLACK_CLIENT_SECRET: secret({
    group: "Slack",
    help: "The client secret of the Slack app, for many workspaces.",
    sample: "a-secret-of-32-letters-and-digits",
    minLength: 8,
  }),
  SLACK_INSTALLATIONS_KEY: secret({
    group: "Slack",
    help: "Seals the tokens of many workspaces in the data file: 32 bytes as base64, as `openssl rand -base64 32` makes them. Who loses it has to have the app installed again everywhere.",
    sample: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    minLength: 43,
  }),
  SLACK_API_URL: optionalUrl({
    group: "Slack",
    help: "Where the Web API is, for a proxy in between.",
    sample: "https://slack.com/api/",
    unset: "https://slack.com/api/",
  }),
  SLACK_STREAMING: choice({
    group: "Slack",
    help: "How growing answers are shown. `auto`: as a stream where one person takes part (Slack shows a stream live to one person only), as a message that is updated where several do. `native`: always a stream. `update`: never.",
    choices: ["auto", "native", "update"],
    byDefault: "auto",
  }),
  SLACK_THREADS: choice({
    group: "Slack",
    help: "Threads Bobbin takes part in. `follow`: it answers every message there. `mention`: only those that mention it.",
    choices: ["follow", "mention"],
    byDefault: "follow",
  }),
  SLACK_ALLOWED_USERS: list({
    group: "Slack",
    help: "The only people and user groups it answers, by id, separated by commas.",
    sample: "U012AB3CD,S045EF6GH",
    unset: "everybody of the workspace",
    item: /^[UWS][A-Z0-9]+$/,
    itemWords: "the id of a person or a user group, such as U012AB3CD",
  }),
  SLACK_ALLOWED_CHANNELS: list({
    group: "Slack",
    help: "The only channels it answers in, by id, separated by commas. Direct messages are not meant.",
    sample: "C012AB3CD",
    unset: "every channel it is in",
    item: /^[CG][A-Z0-9]+$/,
    itemWords: "the id of a channel, such as C012AB3CD",
  }),
  SLACK_EXTERNAL: choice({
    group: "Slack",
    help: "Whether people of other organisations are answered in shared channels.",
    choices: ["off", "on"],
    byDefault: "off",
  }),
  DISCORD_TOKEN: secret({
    group: "Discord",
    help: "The token of the bot, from the Bot page of the application. With it Discord is on; docs/discord.md leads through it.",
    sample: "the-token-from-the-bot-page",
    minLength: 8,
  }),
  DISCORD_API_URL: optionalUrl({
    group: "Discord",
    help: "Where the REST API is, for a proxy in between; the gateway is asked for there.",
    sample: "https://discord.com/api",
    unset: "https://discord.com/api",
  }),
  DISCORD_MESSAGE_CONTENT: choice({
    group: "Discord",
    help: "Whether messages that do not mention Bobbin are read, which its own threads need to go on without a mention. `auto`: where Message Content Intent is switched on for the application. `off`: never.",
    choices: ["auto", "off"],
    byDefault: "auto",
  }),
  DISCORD_THREADS: choice({
    group: "Discord",
    help: "How mentions in channels are answered. `follow`: in a thread, in which Bobbin answers every message. `mention`: in a thread, in which it answers only who mentions it. `off`: in the channel.",
    choices: ["follow", "mention", "off"],
    byDefault: "follow",
  }),
  DISCORD_ALLOWED_GUILDS: list({
    group: "Discord",
    help: "The only servers it answers in, by id, separated by commas. Only their members may then write to it directly.",
    sample: "81384788765712384",
    unset: "every server it is in",
    ...snowflakes("a server"),
  }),
  DISCORD_ALLOWED_CHANNELS: list({
    group: "Discord",
    help: "The only channels it answers in, with their threads and posts, by id, separated by commas. Direct messages are not meant.",
    sample: "81384788765712385",
    unset: "every channel it sees",
    ...snowflakes("a channel"),
  }),
  DISCORD_ALLOWED_ROLES: list({
    group: "Discord",
    help: "The only roles it answers, besides DISCORD_ALLOWED_USERS, by id, separated by commas.",
    sample: "81384788765712386",
    unset: "everybody",
    ...snowflakes("a role"),
  }),
  DISCORD_ALLOWED_USERS: list({
    group: "Discord",
    help: "The only people it answers, besides DISCORD_ALLOWED_ROLES, by id, separated by commas.",
    sample: "80351110224678912",
    unset: "everybody",
    ...snowflakes("a person"),
  }),
  DISCORD_COMMAND_GUILDS: list({
    group: "Discord",
    help: "Servers to register the commands in, by id, separated by commas: they appear there at once, and nowhere else.",
    sample: "81384788765712384",
    unset: "everywhere",
    ...snowflakes("a server"),
  }),
  DISCORD_SHARDS: optionalNumber({
    group: "Discord",
    help: "How many connections (shards) the servers are spread over, those of all gateways together.",
    sample: "2",
    unset: "as many as Discord recommends",
    min: 1,
    max: 1_000,
    isWhole: true,
  }),
  DISCORD_ON_LEAVE: choice({
    group: "Discord",
    help: "What becomes of a server's conversations when Bobbin is removed from it.",
    choices: ["forget", "keep"],
    byDefault: "forget",
  }),
  MODEL_PRICES: prices({
    group: "Cost",
    help: "Prices of your own as JSON, US dollars by the million tokens (`input`, `output`, `cached_input`) and by the search (`web_search`, `file_search`). They go before the built-in ones.",
    sample: '{"my-model": {"input": 0.5, "cached_input": 0.1, "output": 1.5}}',
  }),
  RUN_MAX_COST_USD: optionalNumber({
    group: "Cost",
    help: "An answer that has cost this much stops and says so.",
    sample: "1.00",
    unset: "no limit",
    min: 0,
  }),
  PERSON_DAILY_CAP_USD: optionalNumber({
    group: "Cost",
    help: "What one person may spend in a day (UTC).",
    sample: "5.00",
    unset: "no limit",
    min: 0,
  }),
  CHANNEL_MONTHLY_CAP_USD: optionalNumber({
    group: "Cost",
    help: "What one channel may spend in a month (UTC), unless the channel has a cap of its own.",
    sample: "100.00",
    unset: "no limit",
    min: 0,
  }),
  HANDOVER_CHANNELS: list({
    group: "Assistants",
    help: "Where people are told that somebody needs them: a platform and a channel's id each, by commas. The one in the same Slack workspace or on the same platform is taken, else the first. Where the Slack app is in several workspaces, the workspace's id stands before the channel's: slack:T0123456789:C0123456789.",
    sample: "slack:C0123456789,web:general",
    unset: "nobody can be called",
    item: /^(slack:(T[A-Z0-9]+:)?|discord:|web:)[^\s:]+$/,
    itemWords: "a platform and a channel, such as slack:C0123456789",
  }),
  ASSISTANTS_DIR: optionalText({
    group: "Assistants",
    help: "A folder with assistants as .yaml files: a new file makes an assistant at the start, a changed one a new version.",
    sample: "./assistants",
    unset: "none",
  }),
  TOOLS_DIR: optionalText({
    group: "Tools",
    help: "A folder with tools of your own: .ts or .js modules, and .yaml files that connect HTTP APIs and tables. Secrets those name are variables that begin with TOOL_SECRET_.",
    sample: "./tools",
    unset: "only the built-in tools",
  }),
  MCP_SERVERS: optionalText({
    group: "Tools",
    help: "A .yaml file that names tool servers of the Model Context Protocol, over HTTP or as programs (docs/tools.md).",
    sample: "./tool-servers.yaml",
    unset: "none",
  }),
  TOOLS_ALLOWED_HOSTS: list({
    group: "Tools",
    help: "Hosts (name, or name:port) that tools may call although they are on a private network or without encryption, by commas.",
    sample: "shop.internal,127.0.0.1:8080",
    unset: "none: only the public internet, by https",
    item: /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/,
    itemWords: "a host, such as shop.internal or 127.0.0.1:8080",
  }),
  CODE_INTERPRETER: choice({
    group: "Tools",
    help: "Whether models without a code interpreter of their service may run Python here: `local`, in a process without rights (docs/tools.md).",
    choices: ["off", "local"],
    byDefault: "off",
  }),
  PYODIDE_PACKAGES: optionalText({
    group: "Tools",
    help: "A folder with numpy, pandas and matplotlib for it; the image has one. `node adapters/pyodide/fetch-packages.ts <folder>` fetches them.",
    sample: "./pyodide-packages",
    unset: "only Python's standard library",
  }),
  CODE_INTERPRETER_SECONDS: integer({
    group: "Tools",
    help: "How long one piece of code may take, with 2 to 3 seconds for the start of Python.",
    byDefault: 60,
    min: 5,
    max: 600,
  }),
  CODE_INTERPRETER_MEMORY_MB: integer({
    group: "Tools",
    help: "How much memory one piece of code may take, beside about 200 MB for Python itself. Two run at a time.",
    byDefault: 512,
    min: 64,
    max: 4_096,
  }),
  METRICS_TOKEN: secret({
    group: "Observability",
    help: "The bearer token of GET /metrics. Without it only this machine may read them.",
    sample: "a-long-random-word",
    minLength: 8,
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalUrl({
    group: "Observability",
    help: "Where traces go (OTLP over HTTP): a span for each run, turn and step, without content.",
    sample: "http://127.0.0.1:4318",
    unset: "no traces",
  }),
} as const satisfies { readonly [name: string]: Variable<unknown> };

/** A list of Discord's ids. */
function snowflakes(what: string) {
  return { item: /^\d{15,21}$/, itemWords: `the id of ${what}, such as 81384788765712384` };
}

export type VariableName = keyof typeof variables;

/** What the variables hold once all of them could be read. */
export type Environment = {
  readonly [Name in VariableName]: (typeof variables)[Name] extends Variable<infer Value>
    ? Value
    : never;
};

/** The text of `.env.example`: every variable with its comment, commented out. */
export function renderEnvExample(): string {
  const lines = [
    "# Settings of Bobbin. Copy this file to .env and take the # away from what you change;",
    "# a variable of the process goes before the same one here. Nothing has to be set.",
  ];
  let group: string | undefined;
  for (const [name, variable] of Object.entries(variables)) {
    if (variable.group !== group) lines.push("", `## ${variable.group}`);
    group = variable.group;
    lines.push("", ...wrap(`${variable.help} Default: ${variable.unset}.`));
    lines.push(`#${name}=${quoted(variable.sample)}`);
  }
  return `${lines.join("\n")}\n`;
}

/** The README's table of settings, as Markdown. */
export function renderSettingsTable(): string {
  const lines = ["| variable | default | what it does |", "| --- | --- | --- |"];
  for (const [name, variable] of Object.entries(variables)) {
    lines.push(`| \`${name}\` | ${variable.unset} | ${variable.help.replaceAll("|", "\\|")} |`);
  }
  return lines.join("\n");
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > 100 && line !== "#") {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

function quoted(sample: string): string {
  return sample.includes('"') ? `'${sample}'` : sample;
}
