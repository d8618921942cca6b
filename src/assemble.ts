import type { AssistantTool } from "#domain/assistant";
import { hostedToolTypes, type Tool } from "#domain/tool";
import type { AssistantLibrary } from "#ports/assistant-library";
import type { Bot } from "#ports/bot";
import type { Embedder } from "#ports/embedder";
import type { Platform } from "#ports/platform";
import { alone, type Processes } from "#ports/processes";
import type { InboxItem, RunQueue, Selection } from "#ports/run-queue";
import type { ThreadControl } from "#ports/thread-control";
import type { ToolServers } from "#ports/tool-servers";
import { createBot } from "./bot.ts";
import type { BotEnvironment } from "./bot-environment.ts";
import { createCommandDesk } from "./command-desk.ts";
import { Joining } from "./joining.ts";
import { createAssistantShelf } from "./runs/assistant-shelf.ts";
import { createAttachmentStore } from "./runs/attachments.ts";
import type { Catalogue } from "./runs/catalogue.ts";
import { toQueuedMessage } from "./runs/controls.ts";
import { createConversation, type LiveRuns } from "./runs/converse.ts";
import type { RunEnvironment } from "./runs/environment.ts";
import { LateLooks } from "./runs/late-looks.ts";
import { Meaning } from "./runs/meaning.ts";
import { ModelPauses } from "./runs/model-pauses.ts";
import { readFiles } from "./runs/run-files.ts";
import { createCatalogue } from "./runs/stored-catalogue.ts";
import { createThreadControl } from "./runs/thread-control.ts";
import { WaitingMarks } from "./runs/waiting-marks.ts";

/** Everything from outside the core, and the bounds it works within. */
export interface BobbinParts
  extends Omit<
    RunEnvironment,
    "attachments" | "catalogue" | "meaning" | "modelPauses" | "platforms" | "tools"
  > {
  readonly queue: RunQueue;
  /** Default: there are no others. */
  readonly processes?: Processes;
  readonly platforms: readonly Platform[];
  readonly tools: readonly Tool[];
  /** Servers that bring tools of their own. */
  readonly toolServers?: ToolServers;
  /** For searching in files by meaning, beside the words. */
  readonly embedder?: Embedder;
  /** Assistants as files; none can be made from one when left out. */
  readonly library?: AssistantLibrary;
  /** Person keys that may do everything. */
  readonly admins: readonly string[];
  /** The model used where none is chosen. */
  readonly defaultModel: string;
  readonly inbox: BotEnvironment["limits"];
  /** Runs at work at once; 0: others work. */
  readonly concurrency: number;
}

/** A bot put together; nothing runs before {@link start}. */
export interface Bobbin {
  readonly bot: Bot;
  readonly catalogue: Catalogue;
  readonly threads: ThreadControl;
  /**
   * Connects the platforms, then takes up interrupted conversations. A platform that is out of reach is
   * not waited for, and joins later. Waits for nothing once `isEnding` resolves.
   */
  start(isEnding?: Promise<unknown>): Promise<void>;
  /** Why a platform is not connected, in words for an admin; undefined while it is. */
  problemOf(platform: Platform): string | undefined;
  /** Takes nothing new, lets running replies finish within the grace period, keeps the rest for the next start. */
  stop(graceMs: number): Promise<void>;
}

/** Puts the core together from its parts: the same way in the program and in its tests. */
export function assembleBobbin(parts: BobbinParts): Bobbin {
  const { queue, ledger, records, backend, log } = parts;
  const platforms = new Map(parts.platforms.map((platform) => [platform.name, platform]));
  const tools = new Map(parts.tools.map((tool) => [tool.spec.name, tool]));
  const isOwn = new Set(tools.keys());
  const catalogue = createCatalogue({
    ledger,
    records,
    defaultModel: parts.defaultModel,
    availableTools: () => availableTools(backend, [...tools.keys()]),
    now: parts.now,
  });
  const live: LiveRuns = new Map();
  const threads = createThreadControl({ ...parts, catalogue, live });
  const { library } = parts;
  const shelf = library && createAssistantShelf({ ...parts, library, catalogue });
  const desk = createCommandDesk({
    ...(shelf ? { shelf } : {}),
    catalogue,
    threads,
    ledger,
    queue,
    backend,
    toolSpecs: () => [...tools.values()].map(({ spec }) => spec),
    toolServers: () => parts.toolServers?.states() ?? [],
    admins: parts.admins,
    caps: {
      personDailyUsd: parts.limits.personDailyCapUsd ?? undefined,
      channelMonthlyUsd: parts.limits.channelMonthlyCapUsd ?? undefined,
    },
    ...(parts.fileIndex ? { searchStates: parts.fileIndex.states } : {}),
    describeFile: async (id) => (await readFiles([id], parts))[0],
    now: parts.now,
    log,
  });
  const modelPauses = new ModelPauses(parts);
  const meaning = parts.embedder && new Meaning(parts.embedder, parts);
  const outside = {
    ...parts,
    platforms,
    tools,
    catalogue,
    modelPauses,
    ...(meaning ? { meaning } : {}),
  };
  const environment: RunEnvironment = { ...outside, attachments: createAttachmentStore(outside) };
  const replaced = new Map<string, number>();
  const handler = createConversation(environment, {
    live,
    replacedIn: (conversationKey) => replaced.get(conversationKey) ?? 0,
  });
  const { processes = alone } = parts;
  const lateLooks = new LateLooks({ ...outside, processes });
  const bot = createBot({
    ...environment,
    queue,
    processes,
    catalogue,
    desk,
    threads,
    live,
    waitingMarks: new WaitingMarks({ ...outside, processes }),
    limits: parts.inbox,
  });

  const joining = new Joining(parts.platforms, log);

  return {
    bot,
    catalogue,
    threads,
    problemOf(platform) {
      if (platform.isConnected()) return undefined;
      return platform.problem?.() ?? joining.missing(platform.name) ?? "not connected";
    },
    async start(isEnding) {
      await parts.toolServers?.start((offered) => {
        for (const name of tools.keys()) if (!isOwn.has(name)) tools.delete(name);
        for (const tool of offered) if (!isOwn.has(tool.spec.name)) tools.set(tool.spec.name, tool);
      });
      await catalogue.start();
      await shelf?.load();
      // Platforms first: an interrupted reply goes on the moment the queue starts.
      await joining.begin(bot, isEnding);
      log.info({ backend: backend.name, platforms: [...platforms.keys()] }, "bot started");
      if (parts.concurrency === 0) return;
      await queue.start(handler, {
        concurrency: parts.concurrency,
        select(conversationKey, waiting) {
          const selection = selectMessages(waiting);
          if (selection.drop.length === 0) replaced.delete(conversationKey);
          else replaced.set(conversationKey, selection.drop.length);
          return selection;
        },
      });
      // Where there is no other process nothing of one comes late.
      if (processes.spend) lateLooks.start();
    },
    async stop(graceMs) {
      lateLooks.stop();
      joining.end();
      await Promise.all([...platforms.values()].map((platform) => platform.stop()));
      await queue.stop(graceMs);
      await parts.toolServers?.close();
    },
  };
}

/** What the next run takes of the line, by the policy that held for the newest message. */
function selectMessages(waiting: readonly InboxItem[]): Selection {
  const ids = waiting.map(({ eventId }) => eventId);
  const newest = waiting.at(-1);
  const [first] = ids;
  if (!newest || !first) return { take: ids, drop: [] };
  const { policy } = toQueuedMessage(newest.payload);
  switch (policy) {
    case "fifo":
      return { take: [first], drop: [] };
    case "merge":
      return { take: ids, drop: [] };
    case "latest":
      return { take: [newest.eventId], drop: ids.slice(0, -1) };
  }
}

/** A function that stands in for a hosted tool is offered as that tool: an assistant keeps it wherever it runs. */
function availableTools(
  backend: BobbinParts["backend"],
  functions: readonly string[],
): readonly AssistantTool[] {
  const hosted = backend.capabilities.hostedTools;
  const standIns = hostedToolTypes.filter(
    (type) => !hosted.includes(type) && functions.includes(type),
  );
  const isStandIn = (name: string) => hostedToolTypes.some((type) => type === name);
  return [
    ...[...hosted, ...standIns].map((type) => ({ type })),
    ...functions.flatMap((name): AssistantTool[] =>
      isStandIn(name) ? [] : [{ type: "function", function: { name } }],
    ),
  ];
}
