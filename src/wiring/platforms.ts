import type { createMetrics } from "../../adapters/prometheus/metrics.ts";
import { createWebPlatform } from "../../adapters/web/platform.ts";
import type { Config } from "../config.ts";
import type { FileStore } from "../ports/file-store.ts";
import type { Ledger } from "../ports/ledger.ts";
import type { Log } from "../ports/log.ts";
import type { Processes } from "../ports/processes.ts";
import type { RecordStore } from "../ports/record-store.ts";

const botName = "Bobbin";

/** Makes the platforms that are switched on. Their packages are many: they are loaded by those who use them. */
export async function createPlatforms(
  config: Config,
  needed: {
    /** Whether this process takes in what happens there, or only draws answers. */
    readonly listens: boolean;
    readonly ledger: Ledger;
    readonly records: RecordStore;
    readonly files: FileStore;
    readonly processes: Processes;
    readonly metrics: ReturnType<typeof createMetrics>;
    readonly log: Log;
  },
) {
  const { records, files, ...common } = needed;
  const { listens } = common;
  const console = config.console.isEnabled
    ? createWebPlatform({
        ...common,
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
      })
    : undefined;
  const slack = config.slack
    ? (await import("../../adapters/slack/platform.ts")).createSlackPlatform({
        ...common,
        access: config.slack.access,
        connection: listens ? config.slack.connection : undefined,
        ...(config.slack.apiUrl === undefined ? {} : { apiUrl: config.slack.apiUrl }),
        policy: config.slack.policy,
        streaming: config.slack.streaming,
      })
    : undefined;
  const discord = config.discord
    ? (await import("../../adapters/discord/platform.ts")).createDiscordPlatform({
        ...config.discord,
        ...common,
      })
    : undefined;
  const platforms = [console, slack, discord].filter((one) => one !== undefined);
  return { console, slack, discord, platforms };
}
