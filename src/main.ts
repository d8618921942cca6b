import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { askRunning, controlPathOf, startControl } from "../adapters/control/control.ts";
import { createDemoFetch, demoBaseUrl } from "../adapters/demo/demo-fetch.ts";
import { createDiskFileStore } from "../adapters/disk/file-store.ts";
import { copyFiles, fileIdsIn } from "../adapters/disk/files-folder.ts";
import { folderMark, markName } from "../adapters/disk/folder-mark.ts";
import { createDocumentReader } from "../adapters/documents/document-reader.ts";
import { createDuckdbEngine, isDuckdbHere } from "../adapters/duckdb/engine.ts";
import { startHttpServer } from "../adapters/http/server.ts";
import { createRecordStore } from "../adapters/keyv/record-store.ts";
import { createTableStore } from "../adapters/keyv/table-store.ts";
import { createAssistantsBackend } from "../adapters/openai/assistants.ts";
import { createChatBackend } from "../adapters/openai/chat-completions.ts";
import type { OnCall } from "../adapters/openai/client.ts";
import { createEmbedder } from "../adapters/openai/embedder.ts";
import { chooseApi } from "../adapters/openai/profiles.ts";
import { createResponsesBackend } from "../adapters/openai/responses.ts";
import { createTranscriber } from "../adapters/openai/transcriber.ts";
import { createLog } from "../adapters/pino/log.ts";
import { createPrices, noPrices } from "../adapters/prices/prices.ts";
import { createMetrics } from "../adapters/prometheus/metrics.ts";
import type { RedisStore } from "../adapters/redis/store.ts";
import { type Database, openDatabase } from "../adapters/sqlite/database.ts";
import { createFileIndex } from "../adapters/sqlite/file-index.ts";
import { createKeyValueTable } from "../adapters/sqlite/key-value-table.ts";
import { createSqliteLedger } from "../adapters/sqlite/ledger.ts";
import { createSqlitePortable } from "../adapters/sqlite/portable.ts";
import { createSqliteRunQueue } from "../adapters/sqlite/run-queue.ts";
import { lookUpInSqlite } from "../adapters/sqlite/table-lookup.ts";
import { readDeclaredTools } from "../adapters/tool-files/declared-tools.ts";
import { createVegaPainter, isVegaHere } from "../adapters/vega/painter.ts";
import { createWebPlatform } from "../adapters/web/platform.ts";
import { createAssistantLibrary } from "../adapters/yaml/assistant-library.ts";
import packageJson from "../package.json" with { type: "json" };
import {
  adminCommands,
  dataFileName,
  filesFolderName,
  isAdminCommand,
  type OpenData,
  runAdminCommand,
} from "./admin.ts";
import { assembleBobbin } from "./assemble.ts";
import { banner } from "./banner.ts";
import {
  type Config,
  dataPlaceOf,
  explainProblems,
  readConfig,
  readEnvironment,
  systemFolders,
} from "./config.ts";
import type { Tool } from "./domain/tool.ts";
import { everyDay } from "./every-day.ts";
import { nextSignal } from "./next-signal.ts";
import type { DocumentReader } from "./ports/document-reader.ts";
import type { Embedder } from "./ports/embedder.ts";
import type { Ledger } from "./ports/ledger.ts";
import type { Log } from "./ports/log.ts";
import { noTracer, type Tracer } from "./ports/metrics.ts";
import type { ModelBackend } from "./ports/model-backend.ts";
import type { Platform } from "./ports/platform.ts";
import { alone, type Processes } from "./ports/processes.ts";
import type { RecordStore } from "./ports/record-store.ts";
import type { Retention } from "./ports/retention.ts";
import type { RunQueue } from "./ports/run-queue.ts";
import type { ToolServers } from "./ports/tool-servers.ts";
import type { Transcriber } from "./ports/transcriber.ts";
import { pricing } from "./pricing.ts";
import { readiness } from "./readiness.ts";
import { createVersionedRecords } from "./record-versions.ts";
import { sweep } from "./retention.ts";
import { runLimits } from "./run-limits.ts";
import { secretsOf } from "./secrets.ts";
import { runSharedCommand, type SharedData } from "./shared-admin.ts";
import { builtInTools } from "./tools/built-in.ts";
import { codeInterpreterName, createCodeInterpreter } from "./tools/code-interpreter.ts";
import { createDrawChart } from "./tools/draw-chart.ts";
import { fileSearch } from "./tools/file-search.ts";
import { handOverTool } from "./tools/hand-over.ts";
import { loadTools } from "./tools/load-tools.ts";
import { createQueryData } from "./tools/query-data.ts";
import { wordsOf } from "./words-of.ts";

const botName = "Bobbin";
const demoModel = "demo";
/** What files say, to search in; made of the files, and made again when it is not there. */
const searchFileName = "search.sqlite";
/** What is left of the grace period for answers that are still being read. */
const httpGraceMs = 2_000;

// What people write and send is nobody else's business on this machine.
process.umask(0o077);

try {
  await main(process.argv.slice(2));
  process.exit();
} catch (error) {
  process.stderr.write(`Bobbin: ${wordsOf(error)}\n`);
  process.exit(1);
}

async function main([command, ...args]: readonly string[]): Promise<void> {
  const { env, unknown } = readEnvironment(process.cwd(), process.env);
  for (const name of unknown) {
    process.stderr.write(`Bobbin: ${name} in .env is no setting of Bobbin; it is not used.\n`);
  }
  if (command === undefined) return serve(env);
  if (!isAdminCommand(command)) {
    throw new Error(`there is no "${command}"; there are ${adminCommands.join(", ")}`);
  }
  const { directory, redisUrl } = dataPlaceOf(env);
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const now = () => new Date();
  if (redisUrl !== undefined) {
    const open = () => openSharedData(directory, redisUrl);
    return runSharedCommand(command, args, { now, open, print });
  }
  await runAdminCommand(command, args, {
    directory,
    now,
    askRunning: (to) => askRunning(controlPathOf(directory), { type: "backup", to }),
    open: openData,
    print,
  });
}

/** Runs until a signal ends it. What was started is ended in the opposite order, also after a failure. */
async function serve(env: { readonly [name: string]: string | undefined }): Promise<void> {
  const read = readConfig(env, systemFolders);
  if (!read.ok) throw new Error(explainProblems(read.problems));
  const { config } = read;
  const log = createLog({ level: config.log.level, secrets: secretsOf(config) });
  process.on("uncaughtException", (error) => {
    log.error({ error }, "unexpected failure");
    process.exit(70);
  });
  const signal = nextSignal(log);
  await using parts = new AsyncDisposableStack();
  await start(config, log, parts);
  log.info({ action: "stop", signal: await signal }, "stopping");
}

/** Puts the parts together and starts them. Each says to `parts` how it is ended. */
async function start(config: Config, log: Log, parts: AsyncDisposableStack): Promise<void> {
  const { directory, redisUrl, leaseMs } = config.data;
  const { queue, ledger, records, files, processes, searchFile, backup } =
    redisUrl === undefined
      ? await openOwn(directory, log, parts)
      : await openShared({ directory, redisUrl, leaseMs, log, parts });
  const metrics = createMetrics({ queue: () => queue.inspect(), here: () => queue.here() });
  const tracer = await createTracer(config, parts);
  const backend = createBackend(config, { onCall: metrics.modelCall, log });
  const fileIndex = backend.capabilities.hostedTools.includes("file_search")
    ? undefined
    : createFileIndex(searchFile);
  parts.defer(() => fileIndex?.close());
  const canHandOver = config.assistants.handOverChannels.length > 0;
  const codeInterpreter = await codeInterpreterFor(backend, config);
  const possible = [
    ...(fileIndex ? [fileSearch] : []),
    ...(codeInterpreter ? [codeInterpreter] : []),
    ...(canHandOver ? [handOverTool] : []),
  ];
  const documents = createDocumentReader({
    timeoutMs: config.files.parseTimeoutMs,
    maxMemoryBytes: config.files.parseMaxMemoryBytes,
    maxCharacters: config.files.maxTextCharacters,
  });
  const fromPackages = dataTools(config, documents, log);
  // Whether these are there depends on the settings: their names are taken all the same.
  const known = [...builtInTools, ...fromPackages, fileSearch, handOverTool];
  const taken = [...known.map(({ spec }) => spec.name), codeInterpreterName];
  const toolServers = await createServers(config, taken, log);
  const tools = [
    ...builtInTools,
    ...fromPackages,
    ...possible,
    ...(await ownTools(config, taken, log)),
  ];
  const listens = config.role !== "worker";
  const works = config.role !== "gateway";
  const console = config.console.isEnabled
    ? createWebPlatform({
        listens,
        processes,
        ledger,
        records,
        files,
        botName,
        password: config.console.password,
        // Behind a proxy everybody seems to sit at this machine.
        isLocalOperatorAdmin: config.server.publicUrl === undefined,
        isSecure: config.server.publicUrl?.startsWith("https:") ?? false,
        maxFileBytes: config.files.maxBytes,
        maxFilesPerMessage: config.files.perMessage,
        retentionDays: config.retention.days,
        log,
      })
    : undefined;
  // The packages of a platform are many: they are loaded by those who use them.
  const slack = config.slack
    ? (await import("../adapters/slack/platform.ts")).createSlackPlatform({
        access: config.slack.access,
        connection: listens ? config.slack.connection : undefined,
        ...(config.slack.apiUrl === undefined ? {} : { apiUrl: config.slack.apiUrl }),
        policy: config.slack.policy,
        streaming: config.slack.streaming,
        ledger,
        processes,
        metrics,
        log,
      })
    : undefined;
  const discord = config.discord
    ? (await import("../adapters/discord/platform.ts")).createDiscordPlatform({
        ...config.discord,
        listens,
        ledger,
        processes,
        metrics,
        log,
      })
    : undefined;
  const platforms: readonly Platform[] = [console, slack, discord].filter(
    (one) => one !== undefined,
  );
  const transcriber = transcriberOf(config, metrics.modelCall);
  const embedder = embedderOf(config, metrics.modelCall);
  const bobbin = assembleBobbin({
    queue,
    processes,
    ledger,
    records,
    files,
    documents,
    ...(fileIndex ? { fileIndex } : {}),
    ...(transcriber ? { transcriber } : {}),
    ...(embedder ? { embedder } : {}),
    handOverChannels: config.assistants.handOverChannels,
    library: createAssistantLibrary({
      folder: config.assistants.directory,
      maxFileBytes: config.files.maxBytes,
    }),
    backend,
    tools,
    ...(toolServers ? { toolServers } : {}),
    platforms,
    prices: config.model.type === "demo" ? noPrices : createPrices(pricing(config)),
    metrics,
    tracer,
    log,
    limits: runLimits(config),
    inbox: {
      waitingPerConversation: config.limits.waitingPerConversation,
      messagesPerPersonPerMinute: config.limits.messagesPerPersonPerMinute,
    },
    concurrency: works ? config.limits.concurrency : 0,
    admins: config.admins,
    defaultModel: config.model.type === "demo" ? demoModel : config.model.model,
    now: Date.now,
    sleep: (ms, signal) => wait(ms, undefined, { signal }).catch(() => undefined),
  });

  // Listening comes before working: a port that is taken ends the start before anything is answered.
  let isWorking = false;
  const http = await startHttpServer({
    host: config.server.host,
    port: config.server.port,
    routes: listens ? [console?.routes, slack?.routes].filter((one) => one !== undefined) : [],
    readiness: () => readiness({ ledger, platforms, isWorking }),
    role: config.role,
    metrics: metrics.scrape,
    metricsToken: config.observability.metricsToken,
    log,
  });
  parts.defer(() => http.close(httpGraceMs));
  parts.defer(() => {
    isWorking = false;
    return bobbin.stop(config.server.shutdownGraceMs);
  });
  await bobbin.start();
  isWorking = true;
  if (backup) {
    const control = await startControl({
      path: controlPathOf(directory),
      handle: ({ to }) => backup(to),
      log,
    });
    parts.defer(() => control.close());
  }
  if (works) {
    const { days } = config.retention;
    const { threads } = bobbin;
    parts.defer(
      everyDay(() =>
        sweep({ threads, queue, days, now: Date.now, log }).catch((error) =>
          log.error({ error }, "sweep failed"),
        ),
      ),
    );
  }
  process.stderr.write(
    banner(config, { url: http.url, backend: backend.name, discordInvite: discord?.invite }),
  );
}

/** What keeps everything, and what is asked of the data folder. */
interface Stores {
  readonly queue: RunQueue & Retention;
  readonly ledger: Ledger;
  readonly records: RecordStore;
  readonly files: Awaited<ReturnType<typeof createDiskFileStore>>;
  readonly processes: Processes;
  readonly searchFile: string;
  /** Copies everything to a folder; undefined when that is somebody else's business. */
  readonly backup: ((to: string) => Promise<string>) | undefined;
}

/** Everything in the data folder, for this process alone. */
async function openOwn(directory: string, log: Log, parts: AsyncDisposableStack): Promise<Stores> {
  const { database, ...stores } = await openStores(directory);
  parts.defer(() => database.close());
  return {
    ...stores,
    queue: createSqliteRunQueue({ database, log }),
    processes: alone,
    searchFile: join(directory, searchFileName),
    backup: (to) => backUp({ database, directory, to }),
  };
}

/** Everything but files in Redis, shared with other processes. Its packages are loaded by those who use them. */
async function openShared(options: {
  readonly directory: string;
  readonly redisUrl: string;
  readonly leaseMs: number;
  readonly log: Log;
  readonly parts: AsyncDisposableStack;
}): Promise<Stores> {
  const { directory, redisUrl, leaseMs, log, parts } = options;
  const { openRedisStore } = await import("../adapters/redis/store.ts");
  const warn = (problem: string) => {
    log.warn({ problem }, "Redis may lose data");
    process.stderr.write(`Bobbin: the Redis of REDIS_URL may lose data: ${problem}\n`);
  };
  const store = parts.use(await openRedisStore({ url: redisUrl, leaseMs, log, warn }));
  const { queue, processes, ledger, records } = store;
  await refuseOtherFolder(store, directory);
  // Each process makes its own of the files: SQLite's is for one.
  const scratch = await mkdtemp(join(tmpdir(), "bobbin-search-"));
  parts.defer(() => rm(scratch, { recursive: true, force: true }));
  return {
    queue,
    processes,
    ledger,
    records: createVersionedRecords(createRecordStore(records)),
    files: await createDiskFileStore(join(directory, filesFolderName)),
    searchFile: join(scratch, searchFileName),
    backup: undefined,
  };
}

/** Redis and the files, for an admin's commands. */
async function openSharedData(directory: string, redisUrl: string): Promise<SharedData> {
  const { openRedisData } = await import("../adapters/redis/shared-data.ts");
  return {
    ...(await openRedisData(redisUrl)),
    files: await createDiskFileStore(join(directory, filesFolderName)),
    fileIds: () => fileIdsIn(join(directory, filesFolderName)),
  };
}

/** Each process keeps files in a folder of its own only by mistake: the others would not find them. */
async function refuseOtherFolder(store: RedisStore, directory: string): Promise<void> {
  const mark = await folderMark(directory);
  const kept = await store.agreeOn("files-folder", mark);
  if (kept === mark) return;
  throw new Error(
    `DATA_DIR (${directory}) is not the folder in which the other processes on this Redis keep files: mount that one in all of them. If this one takes its place, write ${kept} into ${join(directory, markName)}`,
  );
}

/** What keeps everything, on one open data file. */
async function openStores(directory: string) {
  const database = openDatabase(join(directory, dataFileName));
  return {
    database,
    ledger: createSqliteLedger(database),
    records: createVersionedRecords(
      createRecordStore(createTableStore(createKeyValueTable(database))),
    ),
    files: await createDiskFileStore(join(directory, filesFolderName)),
  };
}

/** The same, for an admin's commands. */
async function openData(directory: string): Promise<OpenData> {
  const { database, files } = await openStores(directory);
  return {
    portable: createSqlitePortable(database),
    files,
    fileIds: () => fileIdsIn(join(directory, filesFolderName)),
    backup: (to) => backUp({ database, directory, to }),
    close: () => database.close(),
  };
}

/** Copies a data folder that is open. Files come second: the data file names none that is not there yet. */
async function backUp(what: {
  readonly database: Database;
  readonly directory: string;
  readonly to: string;
}): Promise<string> {
  const { database, directory, to } = what;
  await mkdir(to, { recursive: true });
  if ((await readdir(to)).length > 0) throw new Error(`${to} is not empty`);
  await database.backup(join(to, dataFileName));
  const copied = await copyFiles(join(directory, filesFolderName), join(to, filesFolderName));
  return `Backed up everything, with ${copied} file${copied === 1 ? "" : "s"}, to ${to}`;
}

async function createTracer(config: Config, parts: AsyncDisposableStack): Promise<Tracer> {
  const endpoint = config.observability.otlpEndpoint;
  if (endpoint === undefined) return noTracer;
  // Its packages are many: they are loaded by those who use them.
  const { createTracer: create } = await import("../adapters/opentelemetry/tracer.ts");
  const provider = config.model.type === "demo" ? demoModel : providerOf(config.model.baseUrl);
  const tracer = create({ endpoint, provider, version: packageJson.version });
  parts.defer(() => tracer.stop());
  return tracer;
}

function providerOf(baseUrl: string | undefined): string {
  return baseUrl === undefined ? "openai" : (URL.parse(baseUrl)?.hostname ?? "openai");
}

function createBackend(
  { model, limits }: Config,
  { onCall, log }: { readonly onCall: OnCall; readonly log: Log },
): ModelBackend {
  const common = { onCall, idleTimeoutMs: limits.streamIdleMs };
  if (model.type === "demo") {
    return createResponsesBackend({
      ...common,
      apiKey: "none",
      baseUrl: demoBaseUrl,
      fetch: createDemoFetch(),
      log,
    });
  }
  const server = {
    ...common,
    // The client insists on one; servers that ask for none ignore it.
    apiKey: model.apiKey ?? "none",
    ...(model.baseUrl === undefined ? {} : { baseUrl: model.baseUrl }),
  };
  switch (chooseApi(model.baseUrl, model.api)) {
    case "responses":
      return createResponsesBackend({
        ...server,
        background: model.background,
        compactThresholdTokens: limits.contextTokens,
        log,
      });
    case "chat":
      return createChatBackend(server);
    case "assistants":
      return createAssistantsBackend(server);
  }
}

/** Tool servers, if there are any: their packages are loaded by those who use them. */
async function createServers(
  { tools }: Config,
  taken: readonly string[],
  log: Log,
): Promise<ToolServers | undefined> {
  if (tools.serversFile === undefined) return undefined;
  const [{ readServerList }, { createToolServers }] = await Promise.all([
    import("../adapters/mcp/server-list.ts"),
    import("../adapters/mcp/tool-servers.ts"),
  ]);
  return createToolServers({
    entries: await readServerList(tools.serversFile, tools.secrets),
    taken: new Set(taken),
    version: packageJson.version,
    log,
  });
}

/** Runs code here where that is wanted and the model's service does not; loaded by those who use it. */
async function codeInterpreterFor(backend: ModelBackend, { codeInterpreter }: Config) {
  const isHosted = backend.capabilities.hostedTools.includes(codeInterpreterName);
  if (codeInterpreter === undefined || isHosted) return undefined;
  const { createPythonSandbox } = await import("../adapters/pyodide/python-sandbox.ts");
  return createCodeInterpreter(createPythonSandbox(codeInterpreter));
}

function transcriberOf({ model }: Config, onCall: OnCall): Transcriber | undefined {
  if (model.type === "demo" || model.transcriptionModel === undefined) return undefined;
  return createTranscriber({ ...serverOf(model), model: model.transcriptionModel, onCall });
}

function serverOf({ apiKey, baseUrl }: Extract<Config["model"], { readonly type: "openai" }>) {
  return { apiKey: apiKey ?? "none", ...(baseUrl === undefined ? {} : { baseUrl }) };
}

function embedderOf({ model }: Config, onCall: OnCall): Embedder | undefined {
  if (model.type === "demo" || model.embeddingsModel === undefined) return undefined;
  return createEmbedder({ ...serverOf(model), model: model.embeddingsModel, onCall });
}

/** The tools that need packages which are not made for every machine. */
function dataTools({ files }: Config, documents: DocumentReader, log: Log): readonly Tool[] {
  const engine = isDuckdbHere()
    ? createDuckdbEngine({
        timeoutMs: files.queryTimeoutMs,
        maxMemoryBytes: files.queryMaxMemoryBytes,
        readSheets: documents.readSheets.bind(documents),
      })
    : undefined;
  if (!engine) log.warn({ tool: "query_data" }, "DuckDB is not installed: its tool is left out");
  const painter = isVegaHere() ? createVegaPainter() : undefined;
  if (!painter) log.warn({ tool: "draw_chart" }, "resvg is not installed: its tool is left out");
  return [
    ...(engine ? [createQueryData(engine, { maxFileBytes: files.maxBytes })] : []),
    ...(painter ? [createDrawChart(painter, engine)] : []),
  ];
}

async function ownTools(
  { tools }: Config,
  taken: readonly string[],
  log: Log,
): Promise<readonly Tool[]> {
  if (tools.directory === undefined) return [];
  const declared = {
    allowedHosts: tools.allowedHosts,
    secrets: tools.secrets,
    sqlite: lookUpInSqlite,
  };
  const loaded = await loadTools({
    folder: tools.directory,
    taken,
    readDeclared: (path) => readDeclaredTools(path, declared),
  });
  for (const { file, problem } of loaded.problems) {
    log.warn({ file, problem }, "tool left out");
    process.stderr.write(`Bobbin: the tool ${file} is left out: ${problem}\n`);
  }
  return loaded.tools;
}
