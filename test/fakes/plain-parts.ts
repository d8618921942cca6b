import { BotError } from "#domain/errors";
import type { DocumentReader } from "#ports/document-reader";
import { noTracer } from "#ports/metrics";
import type { BobbinParts } from "../../src/assemble.ts";
import { silentLog } from "./silent-log.ts";

/** Text with a form feed between pages; `broken` in the name makes a file that cannot be read. */
const plainTextReader: DocumentReader = {
  kindOf: async (_head, name) =>
    name.endsWith(".ogg")
      ? { mimeType: "audio/ogg", family: "unsupported" }
      : name.endsWith(".exe")
        ? { mimeType: "application/x-msdownload", family: "unsupported" }
        : { mimeType: "text/plain", family: "text" },
  async read(data, _kind, name) {
    if (name.includes("broken"))
      throw new BotError("file-broken", { detail: `${name} is damaged.` });
    const pages = new TextDecoder().decode(data).split("\f");
    const isPaged = pages.length > 1;
    return {
      pages: pages.map((text, index) => (isPaged ? { page: index + 1, text } : { text })),
      truncated: false,
    };
  },
  readSheets: async (data, name) => [{ name, csv: new TextDecoder().decode(data) }],
};

/** What a bot has where a test is not about it: nothing is paid, capped, traced or logged. */
export const plainParts = {
  documents: plainTextReader,
  tools: [],
  prices: { costOf: () => null },
  tracer: noTracer,
  log: silentLog,
  limits: {
    deadlineMs: 600_000,
    approvalExpiryMs: 1_800_000,
    attemptsPerTurn: 3,
    retryWaitMaxMs: 60_000,
    turnsPerRun: 20,
    contextTokens: 100_000,
    fileMaxBytes: 1_000_000,
    filesPerMessage: 5,
    runCapUsd: null,
    personDailyCapUsd: null,
    channelMonthlyCapUsd: null,
  },
  concurrency: 8,
  admins: [],
  defaultModel: "scripted-model",
  now: () => Date.now(),
  // Waiting is not what these tests are about: a pause is one turn of the loop.
  sleep: () => new Promise((resolve) => setImmediate(resolve)),
} as const satisfies Partial<BobbinParts>;
