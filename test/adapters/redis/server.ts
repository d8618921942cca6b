import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { freePort } from "../../wire/loopback.ts";

/** Whether this machine has a `redis-server`; where it has none, tests with a real Redis are skipped. */
export const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;

/** A `redis-server` of its own, on a free port of this machine, with append-only persistence. */
export class RedisServer {
  readonly url: string;
  readonly #port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "bobbin-redis-"));
  #process: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static async start(settings: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort());
    await server.run(settings);
    return server;
  }

  async run(settings: readonly string[] = []): Promise<void> {
    const own = ["--port", `${this.#port}`, "--bind", "127.0.0.1", "--dir", this.#folder];
    const durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"];
    this.#process = spawn("redis-server", [...own, ...durable, ...settings], { stdio: "ignore" });
    const deadlineMs = Date.now() + 30_000;
    while (!(await this.#answers())) {
      if (Date.now() > deadlineMs) throw new Error("redis-server does not answer");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #answers(): Promise<boolean> {
    const client = createClient({ url: this.url, socket: { reconnectStrategy: false } });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.ping();
      return true;
    } catch {
      return false;
    } finally {
      if (client.isOpen) client.destroy();
    }
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const running = this.#process;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, "exit");
    running.kill(signal);
    await gone;
  }

  /** It answers nobody, and keeps its connections. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  /** What is on its disk now, to go back to: what a failover, or a disk, keeps of it. */
  snapshot(): void {
    rmSync(this.#snapshot, { recursive: true, force: true });
    cpSync(this.#folder, this.#snapshot, { recursive: true });
  }

  /** Has lost everything since the snapshot. */
  async goBack(settings: readonly string[] = []): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
    cpSync(this.#snapshot, this.#folder, { recursive: true });
    await this.run(settings);
  }

  get #snapshot(): string {
    return `${this.#folder}-snapshot`;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#snapshot, { recursive: true, force: true });
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
