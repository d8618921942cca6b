import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type BotCalls, callOver, type OutsideCalls } from "./outside.ts";
import type { SharedRedis } from "./storage.ts";

const program = new URL("./bot-process.ts", import.meta.url);

/** How the bot's process is started: where it dies, and what its model and platform are like. */
export interface ProcessOptions {
  readonly crashAt?: string;
  readonly canResume?: boolean;
  readonly charactersPerMessage?: number;
}

/** One process of the bot, seen from outside. */
export class BotChild {
  readonly bot: BotCalls;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, bot: BotCalls) {
    this.#process = process;
    this.bot = bot;
  }

  /** Resolves once it takes messages; a process that is meant to die while it starts is not waited for. */
  static async start(
    options: ProcessOptions & {
      readonly folder: string;
      readonly outside: OutsideCalls;
      /** Where it keeps everything; without, in a data file in the folder. */
      readonly redis?: SharedRedis;
    },
  ): Promise<BotChild> {
    const child = fork(program, {
      serialization: "advanced",
      env: {
        ...process.env,
        CRASH_FOLDER: options.folder,
        CRASH_AT: options.crashAt ?? "",
        CAN_RESUME: options.canResume ? "yes" : "no",
        ...(options.charactersPerMessage ? { LIMIT: String(options.charactersPerMessage) } : {}),
        ...(options.redis ? { CRASH_REDIS: JSON.stringify(options.redis) } : {}),
      },
    });
    const isReady = new Promise<void>((resolve, reject) => {
      child.on("message", (message) => {
        if ((message as { type: string }).type === "ready") resolve();
      });
      child.once("exit", () => reject(new Error("the process ended before it was ready")));
    });
    const line = {
      send: (message: unknown) => void (child.connected && child.send(message as object, () => {})),
      onMessage: (listener: (message: unknown) => void) =>
        void child.on("message", (message) => {
          if ((message as { type: string }).type !== "ready") listener(message);
        }),
    };
    const started = new BotChild(child, callOver<BotCalls>(line, options.outside));
    await isReady.catch((error) => {
      if (!options.crashAt) throw error;
    });
    return started;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Resolves once the process has died by SIGKILL. */
  async died(): Promise<void> {
    if (this.#process.signalCode === "SIGKILL") return;
    const [, signal] = await once(this.#process, "exit");
    if (signal !== "SIGKILL") throw new Error(`the process ended by itself: ${signal}`);
  }

  /** SIGKILL also ends one that sleeps. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.died();
  }

  /** Ends politely, as at SIGTERM. */
  async stop(graceMs: number): Promise<void> {
    await this.bot.stop(graceMs);
    await this.kill();
  }

  /** Puts it to sleep, as a paused machine does. */
  freeze(): void {
    this.#process.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process.kill("SIGCONT");
  }
}
