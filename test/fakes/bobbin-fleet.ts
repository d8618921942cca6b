import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisServer } from "../adapters/redis/server.ts";
import { BobbinProcess } from "./bobbin-process.ts";

/** Several processes of one bot: one Redis, one folder, the same settings, each with its role. */
export class BobbinFleet implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly folder = mkdtempSync(join(tmpdir(), "bobbin-fleet-"));
  readonly #env: { readonly [name: string]: string };
  readonly #members: BobbinProcess[] = [];

  private constructor(redis: RedisServer, env: { readonly [name: string]: string }) {
    this.redis = redis;
    this.#env = { REDIS_URL: redis.url, ...env };
  }

  static async open(env: { readonly [name: string]: string } = {}): Promise<BobbinFleet> {
    return new BobbinFleet(await RedisServer.start(), env);
  }

  /** Starts one more. Resolves once it is at work, unless only `begun` is wanted. */
  async start(
    role: "all" | "gateway" | "worker",
    options: {
      readonly until?: "begun" | "ready";
      readonly env?: { readonly [name: string]: string };
    } = {},
  ): Promise<BobbinProcess> {
    const { until = "ready" } = options;
    const env = { ...this.#env, ...options.env, BOBBIN_ROLE: role };
    const member = new BobbinProcess({ folder: this.folder, env });
    this.#members.push(member);
    if (until === "ready") await member.ready();
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member.end("SIGKILL")));
    await this.redis.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
