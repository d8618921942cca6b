import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import type { ChatMessage, MessagePage, PostAnswer } from "../../adapters/web/wire.ts";

const main = join(import.meta.dirname, "../../src/main.ts");

/** How a process is started. */
export interface ProcessOptions {
  /** Where it stands; a `.env` file there is read. */
  readonly folder: string;
  readonly env?: { readonly [name: string]: string };
  readonly args?: readonly string[];
}

/** A real process of the bot, seen from outside: its console, its output, its end. */
export class BobbinProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | NodeJS.Signals>;
  stdout = "";
  stderr = "";
  url = "";

  constructor({ folder, env = {}, args = [] }: ProcessOptions) {
    this.#child = spawn(process.execPath, [main, ...args], {
      cwd: folder,
      // Nothing of the machine's own settings may count.
      env: { PATH: process.env.PATH, HOME: folder, PORT: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.#exited = once(this.#child, "close").then(([code, signal]) => code ?? signal);
  }

  /** Resolves once it says where it is; throws with what it said when it ended instead. */
  async ready(): Promise<void> {
    const found = new Promise<string>((resolve) => {
      const look = () => {
        const url = /(?:running\.|Health:) +(http:\/\/127\.0\.0\.1:\d+\/)/.exec(this.stderr)?.[1];
        if (url) resolve(url);
      };
      this.#child.stderr?.on("data", look);
      look();
    });
    const ended = this.#exited.then((code) => {
      throw new Error(`it ended with ${code}:\n${this.stderr}${this.stdout}`);
    });
    ended.catch(() => undefined);
    this.url = await Promise.race([found, ended]);
  }

  /** The exit code, or the signal that ended it. */
  exit(): Promise<number | NodeJS.Signals> {
    return this.#exited;
  }

  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.#child.kill(signal);
    return this.#exited;
  }

  /** Stops it in its tracks (SIGSTOP), or lets it go on (SIGCONT). */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  get(path: string, headers: { readonly [name: string]: string } = {}): Promise<Response> {
    return fetch(new URL(path, this.url), { headers });
  }

  /** How much the store has left to do; undefined while nobody can say that. */
  async unsettled(): Promise<number | undefined> {
    const { ok } = await this.get("readyz");
    const metrics = await (await this.get("metrics")).text();
    const counts = ["waiting", "running", "parked"].map(
      (what) => new RegExp(`^bobbin_queue_${what} (\\d+)$`, "m").exec(metrics)?.[1],
    );
    return ok && !counts.includes(undefined)
      ? counts.reduce((sum, count) => sum + Number(count), 0)
      : undefined;
  }

  /** Says something in the console; to the bot, for it is a direct message. */
  async say(text: string, as = "Ada"): Promise<PostAnswer> {
    const response = await fetch(new URL(`console/api/messages?as=${as}`, this.url), {
      method: "POST",
      headers: { "content-type": "application/json", origin: new URL(this.url).origin },
      body: JSON.stringify({
        nonce: randomUUID(),
        channel: `@${as.toLowerCase()}`,
        root: null,
        text,
        fileIds: [],
      }),
    });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    return (await response.json()) as PostAnswer;
  }

  /** What stands in a person's direct message with the bot, oldest first. */
  async messages(as = "Ada"): Promise<readonly ChatMessage[]> {
    const path = `console/api/channels/@${as.toLowerCase()}/messages?as=${as}`;
    const response = await this.get(path);
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    return ((await response.json()) as MessagePage).messages;
  }

  /** The bot's finished answers, oldest first. */
  async answers(as = "Ada"): Promise<readonly ChatMessage[]> {
    const messages = await this.messages(as);
    return messages.filter(
      ({ author, reply }) => author.kind === "bot" && reply?.status === "completed",
    );
  }
}
