import { z } from "zod";
import type { ModelTurn } from "#ports/model-backend";
import type { RunHandler, RunQueue } from "#ports/run-queue";
import { createDiskFileStore } from "../../adapters/disk/file-store.ts";
import { assembleBobbin } from "../../src/assemble.ts";
import { defineTool } from "../../src/tools/define-tool.ts";
import { CountingMetrics } from "../fakes/counting-metrics.ts";
import { FakePlatform } from "../fakes/fake-platform.ts";
import { plainParts } from "../fakes/plain-parts.ts";
import { ScriptedBackend, type ScriptStep } from "../fakes/scripted-backend.ts";
import { type BotCalls, callOver, type OutsideCalls } from "./outside.ts";
import { openFileStorage, openSharedStorage } from "./storage.ts";

// A whole bot in a process of its own, on real storage, that kills itself with SIGKILL at the
// point named in CRASH_AT: `edit` is the first edit, `edit:3` the third. What it shows and asks
// goes to the test's process, which lives on. What it keeps is in a data file, or in a Redis that it
// shares with others.

const folder = process.env.CRASH_FOLDER ?? "";
const [crashPoint, crashCount = "1"] = (process.env.CRASH_AT ?? "").split(":");
const canResume = process.env.CAN_RESUME === "yes";
let passes = 0;

/** Dies here, if this is where the test wants it. */
function dieAt(point: string): void {
  if (point !== crashPoint) return;
  passes += 1;
  if (passes === Number(crashCount)) process.kill(process.pid, "SIGKILL");
}

const line = {
  send: (message: unknown) => void process.send?.(message),
  onMessage: (listener: (message: unknown) => void) => void process.on("message", listener),
};

const own: BotCalls = {
  async message(message) {
    dieAt("receipt");
    const answer = await bobbin.bot.message(message);
    dieAt("acknowledgement");
    return answer;
  },
  async amend({ message, changeId, delete: isDelete }) {
    const { eventId, author } = message;
    const change = isDelete
      ? ({ type: "deleted" } as const)
      : ({ type: "edited", message } as const);
    const { state } = await bobbin.bot.amend({ eventId, changeId, by: author, change });
    dieAt("amended");
    return state;
  },
  decide(requestId, decision) {
    return bobbin.bot.decide({
      requestId,
      by: { key: "fake:ada", name: "Ada" },
      role: "person",
      decision: { type: decision },
    });
  },
  async unsettled() {
    const { waiting, running, parked } = await queue.inspect();
    return waiting.length + running + parked;
  },
  async stop(graceMs) {
    await bobbin.stop(graceMs);
    await storage.close();
  },
};
const outside = callOver<OutsideCalls>(line, own);

const screen = {
  async create(...args: Parameters<OutsideCalls["create"]>) {
    dieAt("before-create");
    const id = await outside.create(...args);
    dieAt("create");
    if (args[1].file) dieAt("upload");
    return id;
  },
  async edit(...args: Parameters<OutsideCalls["edit"]>) {
    await outside.edit(...args);
    dieAt("edit");
  },
  async remove(id: string) {
    await outside.remove(id);
    dieAt("remove");
  },
  findByIntent: (intentId: string) => outside.findByIntent(intentId),
  openAttachment: async () => undefined,
};

const tools = [
  defineTool({
    name: "count_up",
    title: "Counting",
    description: "Counts; may be repeated",
    schema: z.object({}),
    idempotent: true,
    run: async () => {
      await outside.effect("count_up");
      dieAt("tool");
      return { type: "output", output: "counted" };
    },
  }),
  defineTool({
    name: "pay",
    title: "Paying",
    description: "Pays; must not be repeated",
    schema: z.object({}),
    run: async () => {
      await outside.effect("pay");
      dieAt("tool");
      return { type: "output", output: "paid" };
    },
  }),
  defineTool({
    name: "pay_with_consent",
    title: "Paying",
    description: "Pays, when a person agrees",
    schema: z.object({}),
    needsApproval: true,
    run: async () => {
      await outside.effect("pay");
      return { type: "output", output: "paid" };
    },
  }),
  defineTool({
    name: "draw",
    title: "Drawing",
    description: "Makes a file",
    schema: z.object({}),
    idempotent: true,
    run: async () => ({
      type: "output",
      output: "drawn",
      files: [
        { name: "a.svg", mimeType: "image/svg+xml", data: Buffer.from("<svg/>"), altText: "A" },
      ],
    }),
  }),
];

const words = (count: number, word: string) =>
  Array.from(
    { length: count },
    (_, index): ScriptStep => ({ type: "say", text: `${word}${index} ` }),
  );

/** What the model says to a text: `long`, `shorter` (less each time it is asked), or a tool by name. */
function script(turn: ModelTurn, asked: number): readonly ScriptStep[] {
  const { conversationKey, transcript } = turn;
  const user = transcript.findLast((entry) => entry.type === "user");
  const text = user?.type === "user" ? user.text : "";
  const last = transcript.at(-1);
  const [what = ""] = text.split(" ");
  if (last?.type === "tool-output") {
    return [...words(5, "after"), { type: "say", text: last.output }];
  }
  if (tools.some(({ spec }) => spec.name === what))
    return [{ type: "call", name: what, callId: `${text}-call` }];
  if (what === "shorter") {
    // The first time it never ends: a turn that has ended is not asked again.
    const never = { type: "wait", for: new Promise(() => undefined) } as const;
    return asked === 0 ? [...words(40, "try0-"), never] : words(8, `try${asked}-`);
  }
  if (what === "long") return atPace(words(40, `${text.split(" ").at(-1)}-`), conversationKey);
  return [{ type: "say", text: `You said ${text}.` }];
}

/** Each word comes once the one before it is seen, so that every word is an edit to die at. */
function atPace(steps: readonly ScriptStep[], conversationKey: string): readonly ScriptStep[] {
  let said = 0;
  return steps.flatMap((step, index): readonly ScriptStep[] => {
    const before = said;
    if (step.type === "say") said += step.text.length;
    const cursor = { backend: "scripted", data: index * 4 + 3 } as const;
    return [
      { type: "until", ready: () => outside.shown(conversationKey, before) },
      step,
      ...(canResume
        ? [{ type: "cursor", cursor } as const, { type: "pause", ms: 40 } as const]
        : []),
    ];
  });
}

const asked = new Map<string, number>();
class ReportingBackend extends ScriptedBackend {
  override async *stream(...[turn, signal]: Parameters<ScriptedBackend["stream"]>) {
    const user = turn.transcript.findLast((entry) => entry.type === "user");
    const text = user?.type === "user" ? user.text : "";
    asked.set(turn.runId, await outside.turn(text, turn.turn));
    dieAt(`turn-${turn.turn}`);
    yield* super.stream(turn, signal);
  }
  override async *resume(...[turn, cursor, signal]: Parameters<ScriptedBackend["resume"]>) {
    const user = turn.transcript.findLast((entry) => entry.type === "user");
    await outside.resumed(user?.type === "user" ? user.text : "");
    yield* super.resume(turn, cursor, signal);
  }
}

const backend = new ReportingBackend((turn) => script(turn, asked.get(turn.runId) ?? 0), {
  resume: canResume,
});

const sharedRedis = process.env.CRASH_REDIS;
const storage = await (sharedRedis
  ? openSharedStorage(JSON.parse(sharedRedis))
  : openFileStorage(folder));
const queue = watched(storage.queue);
const bobbin = assembleBobbin({
  ...plainParts,
  ...storage,
  queue,
  files: await createDiskFileStore(`${folder}/files`),
  backend,
  platforms: [
    new FakePlatform({ screen, charactersPerMessage: Number(process.env.LIMIT ?? 100_000) }),
  ],
  tools,
  metrics: new CountingMetrics(),
  inbox: { waitingPerConversation: 1000, messagesPerPersonPerMinute: 100_000 },
});

/** The queue, with the points around a run's begin and end to die at. */
function watched(queue: RunQueue): RunQueue {
  const start: RunQueue["start"] = (handler, options) => {
    const dying: RunHandler = async (lease) => {
      dieAt("run");
      await outside.began(lease.conversationKey, lease.epoch);
      if (lease.controls.length > 0) dieAt("woken");
      const outcome = await handler(lease);
      if (outcome.type === "done") dieAt("done");
      return outcome;
    };
    return queue.start(dying, options);
  };
  const cancel: RunQueue["cancel"] = async (...args) => {
    const result = await queue.cancel(...args);
    dieAt("cancelled");
    return result;
  };
  return new Proxy(queue, {
    get(target, name) {
      if (name === "start") return start;
      if (name === "cancel") return cancel;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

await bobbin.start();
line.send({ type: "ready" });
