import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/**
 * A program of ours that works on what strangers sent, and what it needs to see. It gets a request
 * and answers once, by `readRequest` and `answer` of `inside.ts`.
 */
export interface ConfinedProgram {
  readonly file: URL;
  /** Folders (ending in `/`) and files of this project its JavaScript reads, from the root. */
  readonly reads: readonly string[];
  /** True: it loads native packages. What these do is not held back by Node, only by the limits. */
  readonly loadsAddons?: boolean;
  /** More flags for Node. */
  readonly flags?: readonly string[];
  /** What Node and its packages take before the first byte of a request, in bytes. Default 100 MB. */
  readonly ownMemoryBytes?: number;
}

export interface ConfinedLimits {
  readonly timeoutMs: number;
  /** What its JavaScript may keep. */
  readonly heapBytes: number;
  /** All that it may hold, beside what Node takes itself; watched on Linux only. */
  readonly memoryBytes: number;
  readonly outputBytes: number;
}

/** How a program ended: with whatever it wrote, or killed for going beyond a limit. */
export type ConfinedEnd =
  | { readonly status: "ended"; readonly output: Buffer }
  | { readonly status: "killed"; readonly limit: "time" | "memory" | "output" };

const root = fileURLToPath(new URL("../../", import.meta.url));
const usualOwnMemoryBytes = 100_000_000;
const watchIntervalMs = 50;

/**
 * Runs a program in a process of its own: with limits on time, memory and output, without
 * environment, without the right to start anything, to write, or to read more than its own code.
 * Whatever it does, this process goes on. Rejects with the signal's reason when that is aborted,
 * and when the process cannot be started.
 */
export function runConfined(
  program: ConfinedProgram,
  work: {
    /** What JSON can hold; the program's first line. */
    readonly request: unknown;
    /** What comes behind it. */
    readonly data?: Uint8Array;
    /** A folder, as an absolute path, it may read and write in. */
    readonly folder?: string;
    /** A folder, as an absolute path ending in `/`, it may read. */
    readonly library?: string;
    readonly limits: ConfinedLimits;
  },
  signal: AbortSignal,
): Promise<ConfinedEnd> {
  const { request, data, limits } = work;
  const { ownMemoryBytes = usualOwnMemoryBytes } = program;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = start(program, work);
    const output: Buffer[] = [];
    let outputBytes = 0;
    let limit: "time" | "memory" | "output" | undefined;
    const kill = (beyond?: typeof limit) => {
      limit ??= beyond;
      child.kill("SIGKILL");
    };
    const timer = setTimeout(() => kill("time"), limits.timeoutMs);
    const watch = setInterval(() => {
      residentBytes(child.pid)
        .then((bytes) => {
          if (bytes > limits.memoryBytes + ownMemoryBytes) kill("memory");
        })
        .catch(() => {});
    }, watchIntervalMs);
    const abort = () => kill();
    signal.addEventListener("abort", abort, { once: true });
    child.stdout?.on("data", (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > limits.outputBytes) kill("output");
      else output.push(chunk);
    });
    // It may die before it has read everything.
    child.stdin?.on("error", () => {});
    child.stdin?.write(`${JSON.stringify(request)}\n`);
    child.stdin?.end(data);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      clearInterval(watch);
      signal.removeEventListener("abort", abort);
      act();
    };
    child.once("error", (cause) => settle(() => reject(cause)));
    child.once("close", (code, killedBy) => {
      settle(() => {
        if (signal.aborted) return reject(signal.reason);
        // V8 aborts when its heap is full.
        if (killedBy === "SIGABRT" || killedBy === "SIGTRAP" || code === 134) limit ??= "memory";
        resolve(
          limit ? { status: "killed", limit } : { status: "ended", output: Buffer.concat(output) },
        );
      });
    });
  });
}

function start(
  { file, reads, loadsAddons, flags = [] }: ConfinedProgram,
  {
    folder,
    library,
    limits,
  }: { readonly folder?: string; readonly library?: string; readonly limits: ConfinedLimits },
): ChildProcess {
  const heapMb = Math.max(32, Math.floor(limits.heapBytes / 1_048_576));
  const readable = ["adapters/confined/", "node_modules/", "package.json", ...reads];
  const inFolder =
    folder === undefined ? [] : [`--allow-fs-read=${folder}/`, `--allow-fs-write=${folder}/`];
  return spawn(
    process.execPath,
    [
      `--max-old-space-size=${heapMb}`,
      "--disable-warning=ExperimentalWarning",
      "--disallow-code-generation-from-strings",
      "--permission",
      ...(loadsAddons ? ["--allow-addons"] : []),
      ...readable.map((path) => `--allow-fs-read=${root}${path}`),
      ...(library === undefined ? [] : [`--allow-fs-read=${library}`]),
      ...inFolder,
      ...flags,
      fileURLToPath(file),
    ],
    { cwd: root, env: {}, stdio: ["pipe", "pipe", "ignore"], windowsHide: true },
  );
}

/** The memory a process really holds; 0 where the system does not say (only Linux has /proc). */
async function residentBytes(pid: number | undefined): Promise<number> {
  if (pid === undefined || process.platform !== "linux") return 0;
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
}
