import { createDiskFileStore } from "../../adapters/disk/file-store.ts";
import { assembleBobbin } from "../../src/assemble.ts";
import { openFileStorage, openSharedStorage } from "../../test/crash/storage.ts";
import { CountingMetrics } from "../../test/fakes/counting-metrics.ts";
import { FakePlatform } from "../../test/fakes/fake-platform.ts";
import { plainParts } from "../../test/fakes/plain-parts.ts";
import { ScriptedBackend } from "../../test/fakes/scripted-backend.ts";
import { ada, placeOf } from "../../test/fakes/test-world.ts";
import { serve, startedWith } from "../child.ts";
import { nowMs } from "../statistics.ts";

/** How one process of the bot is started. */
export interface ScaleBotOptions {
  readonly folder: string;
  /** The Redis it shares; without, a data file in the folder. */
  readonly redisUrl?: string;
  /** How many tokens a reply has, and the time between two. */
  readonly tokens: number;
  readonly everyMs: number;
}

/** What happened in this process, by event id. */
export interface ScaleNotes {
  readonly accepted: readonly (readonly [string, number])[];
  readonly asked: readonly (readonly [string, number])[];
}

// The core and an engine, with a platform and a model in memory: what is measured is the engine's share.
const { folder, redisUrl, tokens, everyMs } = startedWith<ScaleBotOptions>();
const storage = await (redisUrl
  ? openSharedStorage({ url: redisUrl, lockMs: 5_000, checkMs: 2_000 })
  : openFileStorage(folder));
const accepted: [string, number][] = [];
const asked: [string, number][] = [];

class NotingBackend extends ScriptedBackend {
  override stream(...[turn, signal]: Parameters<ScriptedBackend["stream"]>) {
    const user = turn.transcript.findLast((entry) => entry.type === "user");
    asked.push([user?.id ?? "", nowMs()]);
    return super.stream(turn, signal);
  }
}

const words = Array.from({ length: tokens }, (_, index) => [
  { type: "say", text: `word${index} ` } as const,
  { type: "pause", ms: everyMs } as const,
]).flat();
const bobbin = assembleBobbin({
  ...plainParts,
  ...storage,
  files: await createDiskFileStore(`${folder}/files`),
  backend: new NotingBackend(() => words),
  platforms: [new FakePlatform()],
  metrics: new CountingMetrics(),
  inbox: { waitingPerConversation: 1000, messagesPerPersonPerMinute: 1_000_000 },
  concurrency: 32,
});
await bobbin.start();

serve(
  {},
  {
    /** A person writes; answers once that is durable. */
    async post({ id, thread }: { id: string; thread: string }) {
      const place = placeOf(thread);
      const message = { eventId: id, place, author: ada, text: id, attachments: [] };
      await bobbin.bot.message({ ...message, sentAtMs: Date.now() });
      accepted.push([id, nowMs()]);
    },
    async unsettled() {
      const { waiting, running } = await storage.queue.inspect();
      return waiting.length + running;
    },
    take: (): ScaleNotes => ({ accepted: accepted.splice(0), asked: asked.splice(0) }),
    async stop() {
      await bobbin.stop(0);
      await storage.close();
    },
  },
);
