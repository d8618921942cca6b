import type { Tool } from "#domain/tool";
import type { DocumentReader } from "#ports/document-reader";
import type { FileIndex } from "#ports/file-index";
import type { FileStore } from "#ports/file-store";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { Metrics, Tracer } from "#ports/metrics";
import type { ModelBackend } from "#ports/model-backend";
import type { Platform } from "#ports/platform";
import type { Prices } from "#ports/prices";
import type { RecordStore } from "#ports/record-store";
import type { Transcriber } from "#ports/transcriber";
import type { AttachmentStore } from "./attachments.ts";
import type { Catalogue } from "./catalogue.ts";
import type { HandOverChannel } from "./hand-over.ts";
import type { Meaning } from "./meaning.ts";
import type { ModelPauses } from "./model-pauses.ts";

/** Bounds on a run. Money is in US dollars; `null` is no bound. */
export interface RunLimits {
  /** Working time of a run, parked time excluded. */
  readonly deadlineMs: number;
  /** How long a person has to answer an approval or a form. */
  readonly approvalExpiryMs: number;
  /** Requests to the model for one turn, the first included. */
  readonly attemptsPerTurn: number;
  /** The longest a server's Retry-After is waited out. */
  readonly retryWaitMaxMs: number;
  readonly turnsPerRun: number;
  /** About how many tokens of conversation are sent to a model before old turns are summarised. */
  readonly contextTokens: number;
  readonly fileMaxBytes: number;
  readonly filesPerMessage: number;
  readonly runCapUsd: number | null;
  readonly personDailyCapUsd: number | null;
  readonly channelMonthlyCapUsd: number | null;
}

/** What runs need from outside; put together once by `main.ts`. */
export interface RunEnvironment {
  readonly ledger: Ledger;
  readonly records: RecordStore;
  readonly files: FileStore;
  readonly documents: DocumentReader;
  /** For searching in files where the backend does not; undefined where it does. */
  readonly fileIndex?: FileIndex;
  /** For searching in files by meaning; undefined where no model for it is set. */
  readonly meaning?: Meaning;
  /** For recordings; undefined where nothing can write down what is said in them. */
  readonly transcriber?: Transcriber;
  readonly attachments: AttachmentStore;
  readonly backend: ModelBackend;
  readonly modelPauses: ModelPauses;
  readonly tools: ReadonlyMap<string, Tool>;
  readonly catalogue: Pick<Catalogue, "runSettings">;
  /** Where people are told that they are needed. */
  readonly handOverChannels?: readonly HandOverChannel[];
  readonly platforms: ReadonlyMap<string, Platform>;
  readonly prices: Prices;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly log: Log;
  readonly limits: RunLimits;
  readonly now: () => number;
  /** Resolves after the time, or at once when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}
