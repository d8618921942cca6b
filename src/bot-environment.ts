import type { FileStore } from "#ports/file-store";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { Metrics } from "#ports/metrics";
import type { Processes } from "#ports/processes";
import type { RunQueue } from "#ports/run-queue";
import type { ThreadControl } from "#ports/thread-control";
import type { CommandDesk } from "./command-desk.ts";
import type { AttachmentStore } from "./runs/attachments.ts";
import type { Catalogue } from "./runs/catalogue.ts";
import type { LiveRuns } from "./runs/converse.ts";
import type { WaitingMarks } from "./runs/waiting-marks.ts";

/** What the bot needs; put together once by `main.ts`. */
export interface BotEnvironment {
  readonly queue: RunQueue;
  readonly ledger: Ledger;
  readonly files: FileStore;
  readonly catalogue: Catalogue;
  readonly desk: CommandDesk;
  readonly threads: ThreadControl;
  readonly attachments: AttachmentStore;
  readonly live: LiveRuns;
  readonly waitingMarks: WaitingMarks;
  readonly processes: Pick<Processes, "claim">;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now: () => number;
  readonly limits: {
    readonly waitingPerConversation: number;
    readonly messagesPerPersonPerMinute: number;
  };
}
