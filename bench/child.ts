import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { Session } from "node:inspector/promises";

/** What a process says of itself. Times count from its start. */
export interface ProcessUsage {
  readonly cpuMs: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
}

/** A process of the bench and what it may be asked. */
export interface Child<Ready> {
  readonly pid: number | undefined;
  readonly ready: Ready;
  /** From its start until it said that it was ready. */
  readonly startMs: number;
  /** Asks one of the things it serves. */
  ask<Answer>(what: string, detail?: unknown): Promise<Answer>;
  usage(): Promise<ProcessUsage>;
  /** Ends it in good order. */
  stop(): Promise<void>;
}

interface Question {
  readonly number: number;
  readonly what: string;
  readonly detail: unknown;
}

interface Answer {
  readonly number: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** Starts a module in a process of its own; resolves with what it says once it is ready. */
export async function startChild<Ready>(module: URL, detail: unknown = {}): Promise<Child<Ready>> {
  const begun = performance.now();
  const child = fork(module, [JSON.stringify(detail)], {
    serialization: "advanced",
    execArgv: ["--expose-gc", ...process.execArgv],
    // A bot's log goes where nobody reads it, but it is written.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<unknown>();
  child.on("message", (message: Answer) => {
    const asked = message.number === 0 ? ready : open.get(message.number);
    open.delete(message.number);
    if (message.error === undefined) asked?.resolve(message.answer);
    else asked?.reject(new Error(message.error));
  });
  child.on("exit", (code) => {
    const gone = new Error(`${module.pathname.split("/").at(-1)} ended with ${code}`);
    ready.reject(gone);
    for (const asked of open.values()) asked.reject(gone);
  });
  let number = 0;
  const ask = <Answer>(what: string, withDetail?: unknown): Promise<Answer> => {
    number += 1;
    const asked = Promise.withResolvers<unknown>();
    open.set(number, asked);
    child.send({ number, what, detail: withDetail } satisfies Question);
    return asked.promise as Promise<Answer>;
  };
  const value = (await ready.promise) as Ready;
  return {
    pid: child.pid,
    ready: value,
    startMs: performance.now() - begun,
    ask,
    usage: () => ask<ProcessUsage>("usage"),
    stop: () => stop(child, ask),
  };
}

async function stop(child: ChildProcess, ask: (what: string) => Promise<unknown>): Promise<void> {
  const exit = once(child, "exit");
  // It ends while it answers.
  ask("stop").catch(() => undefined);
  await exit;
}

/** What a child process serves, by name. */
export interface Served {
  readonly [what: string]: (detail: never) => unknown;
}

/** In a child process: what it was started with. */
export function startedWith<Detail>(): Detail {
  return JSON.parse(process.argv[2] ?? "{}") as Detail;
}

/** In a child process: says that it is ready, and answers from then on. `stop` may say how it ends. */
export function serve(ready: unknown, served: Served): void {
  const all: Served = { usage, collect, startProfile, writeProfile, ...served };
  process.on("message", ({ number, what, detail }: Question) => {
    Promise.resolve()
      .then(() => all[what]?.(detail as never))
      .then(
        (answer) => reply({ number, answer }),
        (error) => reply({ number, error: String(error) }),
      )
      .finally(() => {
        if (what === "stop") process.exit();
      });
  });
  // Nobody measures any more.
  process.on("disconnect", () => process.exit());
  reply({ number: 0, answer: ready });
}

function reply(answer: Answer): void {
  process.send?.(answer);
}

function usage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  return {
    cpuMs: (user + system) / 1000,
    rssBytes: process.memoryUsage.rss(),
    // Kilobytes, on every system.
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** The same with nothing left that could be let go. */
function collect(): ProcessUsage {
  for (let round = 0; round < 3; round += 1) globalThis.gc?.();
  return usage();
}

const inspector = new Session();

/** Begins to note what the process is busy with. */
async function startProfile(): Promise<void> {
  inspector.connect();
  await inspector.post("Profiler.enable");
  await inspector.post("Profiler.setSamplingInterval", { interval: 200 });
  await inspector.post("Profiler.start");
}

/** Writes what was noted, for a browser's developer tools. */
async function writeProfile(path: string): Promise<void> {
  const { profile } = await inspector.post("Profiler.stop");
  inspector.disconnect();
  await writeFile(path, JSON.stringify(profile));
}
