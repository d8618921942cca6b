import { setTimeout as wait } from "node:timers/promises";
import { askRunning, controlPathOf, startControl } from "../adapters/control/control.ts";
import { createDocumentReader } from "../adapters/documents/document-reader.ts";
import { startHttpServer } from "../adapters/http/server.ts";
import { createLog } from "../adapters/pino/log.ts";
import { createPrices, noPrices } from "../adapters/prices/prices.ts";
import { createMetrics } from "../adapters/prometheus/metrics.ts";
import { createFileIndex } from "../adapters/sqlite/file-index.ts";
import { createAssistantLibrary } from "../adapters/yaml/assistant-library.ts";
import { adminCommands, isAdminCommand, runAdminCommand } from "./admin.ts";
import { assembleBobbin } from "./assemble.ts";
import { banner } from "./banner.ts";
import { type Config, dataPlaceOf, explainProblems, readConfig, systemFolders } from "./config.ts";
import { readEnvironment } from "./env-file.ts";
import { everyDay } from "./every-day.ts";
import { nextSignal } from "./next-signal.ts";
import type { Log } from "./ports/log.ts";
import { pricing } from "./pricing.ts";
import { readiness } from "./readiness.ts";
import { sweep } from "./retention.ts";
import { runLimits } from "./run-limits.ts";
import { secretsOf } from "./secrets.ts";
import { runSharedCommand } from "./shared-admin.ts";
import {
  createBackend,
  createTracer,
  defaultModelOf,
  embedderOf,
  transcriberOf,
} from "./wiring/model.ts";
import { createPlatforms } from "./wiring/platforms.ts";
import { openData, openOwn, openShared, openSharedData } from "./wiring/stores.ts";
import { createTools } from "./wiring/tools.ts";
import { wordsOf } from "./words-of.ts";

/** So long after the grace period the process has ended, whatever does not answer. */
const stoppedWithinMs = 8_000;
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
  const { env, unused } = readEnvironment(process.cwd(), process.env);
  for (const words of unused) process.stderr.write(`Bobbin: ${words}\n`);
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
  await start(config, { log, parts, isEnding: signal });
  log.info({ action: "stop", signal: await signal }, "stopping");
  setTimeout(() => {
    // What is left undone goes on as after a kill.
    log.warn({ action: "stop" }, "stopped before all had ended");
    process.exit(1);
  }, config.server.shutdownGraceMs + stoppedWithinMs).unref();
}

/** Puts the parts together and starts them. Each says to `parts` how it is ended. */
async function start(
  config: Config,
  {
    log,
    parts,
    isEnding,
  }: {
    readonly log: Log;
    readonly parts: AsyncDisposableStack;
    /** Resolves when nothing need be waited for any more. */
    readonly isEnding: Promise<unknown>;
  },
): Promise<void> {
  const { directory, redisUrl, leaseMs } = config.data;
  const { queue, ledger, records, files, processes, searchFile, backup } =
    redisUrl === undefined
      ? await openOwn(directory, log, parts)
      : await openShared({ directory, redisUrl, leaseMs, log, parts });
  const metrics = createMetrics({
    queue: () => queue.inspect(),
    here: () => queue.here(),
    platforms: () => platforms.map((one) => [one.name, one.isConnected()] as const),
  });
  const tracer = await createTracer(config, parts);
  const backend = createBackend(config, { onCall: metrics.modelCall, log });
  const fileIndex = backend.capabilities.hostedTools.includes("file_search")
    ? undefined
    : createFileIndex(searchFile);
  parts.defer(() => fileIndex?.close());
  const documents = createDocumentReader({
    timeoutMs: config.files.parseTimeoutMs,
    maxMemoryBytes: config.files.parseMaxMemoryBytes,
    maxCharacters: config.files.maxTextCharacters,
  });
  const { tools, toolServers } = await createTools(config, {
    backend,
    documents,
    searchesFiles: fileIndex !== undefined,
    log,
  });
  const listens = config.role !== "worker";
  const works = config.role !== "gateway";
  const { console, slack, discord, platforms } = await createPlatforms(config, {
    listens,
    ledger,
    records,
    files,
    processes,
    metrics,
    log,
  });
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
    defaultModel: defaultModelOf(config),
    now: Date.now,
    sleep: (ms, signal) => wait(ms, undefined, { signal }).catch(() => undefined),
  });

  const problems = () =>
    Object.fromEntries(platforms.map((one) => [one.name, bobbin.problemOf(one)]));
  // Listening comes before working: a port that is taken ends the start before anything is answered.
  let isWorking = false;
  const http = await startHttpServer({
    host: config.server.host,
    port: config.server.port,
    routes: listens ? [console?.routes, slack?.routes].filter((one) => one !== undefined) : [],
    readiness: () => readiness({ ledger, platforms: problems(), isWorking }),
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
  await bobbin.start(isEnding);
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
  for (const [name, problem] of Object.entries(problems())) {
    if (problem === undefined) continue;
    process.stderr.write(`Bobbin: ${name} is not connected, and joins when it can: ${problem}\n`);
  }
}
