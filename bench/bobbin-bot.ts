import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { createDiskFileStore } from "../adapters/disk/file-store.ts";
import { createDocumentReader } from "../adapters/documents/document-reader.ts";
import { startHttpServer } from "../adapters/http/server.ts";
import { createRecordStore } from "../adapters/keyv/record-store.ts";
import { createTableStore } from "../adapters/keyv/table-store.ts";
import { profiles } from "../adapters/openai/profiles.ts";
import { createResponsesBackend } from "../adapters/openai/responses.ts";
import { createLog } from "../adapters/pino/log.ts";
import { createPrices } from "../adapters/prices/prices.ts";
import { createMetrics } from "../adapters/prometheus/metrics.ts";
import { openDatabase } from "../adapters/sqlite/database.ts";
import { createKeyValueTable } from "../adapters/sqlite/key-value-table.ts";
import { createSqliteLedger } from "../adapters/sqlite/ledger.ts";
import { createSqliteRunQueue } from "../adapters/sqlite/run-queue.ts";
import { createWebPlatform } from "../adapters/web/platform.ts";
import { assembleBobbin } from "../src/assemble.ts";
import { readConfig, systemFolders } from "../src/config.ts";
import { noTracer } from "../src/ports/metrics.ts";
import { builtInTools } from "../src/tools/built-in.ts";
import { serve, startedWith } from "./child.ts";

/** What Bobbin is started with. */
export interface BobbinOptions {
  readonly baseUrl: string;
  /** Its data folder. */
  readonly directory: string;
  /** A Discord to be on besides its console. */
  readonly discord?: { readonly token: string; readonly apiUrl: string };
  /** A Slack to be on besides its console, in Socket Mode. */
  readonly slack?: {
    readonly apiUrl: string;
    readonly botToken: string;
    readonly appToken: string;
  };
}

/**
 * Bobbin as `npm start` runs it with an OpenAI key and nothing else set: the data file on disk, all
 * tools offered, background responses, the log written, metrics counted, prices looked up.
 *
 * Three things differ from `src/main.ts`, which knows OpenAI by its address: the model server at
 * loopback gets OpenAI's profile and prices, as many conversations are answered at once as the bench
 * has, and one person may write as much as the bench does.
 */
const { baseUrl, directory, discord, slack } = startedWith<BobbinOptions>();
const read = readConfig(
  {
    OPENAI_API_KEY: "none",
    DATA_DIR: directory,
    ...(discord ? { DISCORD_TOKEN: discord.token, DISCORD_API_URL: discord.apiUrl } : {}),
    ...(slack
      ? {
          SLACK_API_URL: slack.apiUrl,
          SLACK_BOT_TOKEN: slack.botToken,
          SLACK_APP_TOKEN: slack.appToken,
        }
      : {}),
  },
  systemFolders,
);
if (!read.ok) throw new Error("the bench's own settings are wrong");
const { config } = read;
const model = config.model.type === "openai" ? config.model : undefined;

const log = createLog({ level: config.log.level });
const database = openDatabase(join(directory, "bobbin.sqlite"));
const ledger = createSqliteLedger(database);
const records = createRecordStore(createTableStore(createKeyValueTable(database)));
const files = await createDiskFileStore(join(directory, "files"));
const queue = createSqliteRunQueue({ database, log });
const metrics = createMetrics({ queue: () => queue.inspect() });
const backend = createResponsesBackend({
  apiKey: "none",
  baseUrl,
  profile: profiles.openai,
  background: model?.background ?? "auto",
  idleTimeoutMs: config.limits.streamIdleMs,
  compactThresholdTokens: config.limits.contextTokens,
  onCall: metrics.modelCall,
  log,
});
const console = createWebPlatform({
  ledger,
  records,
  files,
  botName: "Bobbin",
  password: undefined,
  maxFileBytes: config.files.maxBytes,
  maxFilesPerMessage: config.files.perMessage,
  log,
});
const discordPlatform = config.discord
  ? (await import("../adapters/discord/platform.ts")).createDiscordPlatform({
      ...config.discord,
      ledger,
      metrics,
      log,
    })
  : undefined;
const slackPlatform = config.slack
  ? (await import("../adapters/slack/platform.ts")).createSlackPlatform({
      ...config.slack,
      apiUrl: slack?.apiUrl ?? "",
      ledger,
      metrics,
      log,
    })
  : undefined;
const bobbin = assembleBobbin({
  queue,
  ledger,
  records,
  files,
  documents: createDocumentReader({
    timeoutMs: config.files.parseTimeoutMs,
    maxMemoryBytes: config.files.parseMaxMemoryBytes,
    maxCharacters: config.files.maxTextCharacters,
  }),
  backend,
  tools: builtInTools,
  platforms: [console, discordPlatform, slackPlatform].filter((one) => one !== undefined),
  prices: createPrices({ ownPrices: {}, baseUrl: undefined }),
  metrics,
  tracer: noTracer,
  log,
  limits: {
    deadlineMs: config.limits.runDeadlineMs,
    approvalExpiryMs: config.limits.approvalExpiryMs,
    attemptsPerTurn: config.limits.attemptsPerTurn,
    retryWaitMaxMs: config.limits.retryWaitMaxMs,
    turnsPerRun: config.limits.turnsPerRun,
    contextTokens: config.limits.contextTokens,
    fileMaxBytes: config.files.maxBytes,
    filesPerMessage: config.files.perMessage,
    runCapUsd: null,
    personDailyCapUsd: null,
    channelMonthlyCapUsd: null,
  },
  inbox: {
    waitingPerConversation: config.limits.waitingPerConversation,
    messagesPerPersonPerMinute: 1_000_000,
  },
  concurrency: 1_000,
  admins: [],
  defaultModel: model?.model ?? "gpt-5.5",
  now: Date.now,
  sleep: (ms, signal) => wait(ms, undefined, { signal }).catch(() => undefined),
});
const http = await startHttpServer({
  host: "127.0.0.1",
  port: 0,
  routes: [console.routes],
  readiness: async () => ({ isReady: true, parts: {} }),
  metrics: metrics.scrape,
  metricsToken: undefined,
  log,
});
await bobbin.start();

serve(
  { url: http.url },
  {
    stop: async () => {
      await bobbin.stop(1_000);
      await http.close(100);
      database.close();
    },
  },
);
