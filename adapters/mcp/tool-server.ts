import {
  Client,
  StreamableHTTPClientTransport,
  type Transport,
} from "@modelcontextprotocol/client";
import { getDefaultEnvironment, StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import type { Tool } from "#domain/tool";
import type { Log } from "#ports/log";
import { toTools } from "./mcp-tool.ts";
import type { ToolServerEntry } from "./server-list.ts";

const connectTimeoutMs = 15_000;
/** Waits between attempts, the last one again and again. */
const waitsMs = [1_000, 5_000, 15_000, 60_000] as const;

export interface ToolServerParts {
  readonly entry: ToolServerEntry;
  readonly version: string;
  readonly log: Log;
  readonly onChange: () => void;
}

/**
 * One tool server: connected, and connected again when it was lost. Its tools stay known while it is
 * away, so that a model that calls one reads that it is down.
 */
export class ToolServer {
  readonly #parts: ToolServerParts;
  #client: Client | undefined;
  #tools: readonly Tool[] = [];
  #problem: string | undefined = "not connected yet";
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: ToolServerParts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.entry.name;
  }

  get tools(): readonly Tool[] {
    return this.#tools;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Connects once; on failure says why and tries again later. Never throws. */
  async connect(): Promise<void> {
    const { entry, version, log } = this.#parts;
    const client = new Client(
      { name: "bobbin", version },
      {
        versionNegotiation: { mode: "auto" },
        listChanged: { tools: { autoRefresh: false, onChanged: () => void this.#refresh(client) } },
      },
    );
    try {
      await client.connect(transportOf(entry), { timeout: connectTimeoutMs });
      if (this.#isClosed) return await client.close();
      client.onclose = () => this.#lost(client, "the connection was closed");
      this.#client = client;
      await this.#list(client);
      this.#attempts = 0;
      log.info({ server: entry.name, tools: this.#tools.length }, "tool server connected");
    } catch (error) {
      await client.close().catch(() => undefined);
      this.#client = undefined;
      this.#down(wordsOf(error));
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#client?.close().catch(() => undefined);
  }

  async #refresh(client: Client): Promise<void> {
    try {
      await this.#list(client);
    } catch (error) {
      this.#parts.log.warn({ server: this.name, problem: wordsOf(error) }, "tools not listed");
    }
  }

  async #list(client: Client): Promise<void> {
    const { entry, onChange } = this.#parts;
    const { tools } = await client.listTools(undefined, { timeout: connectTimeoutMs });
    this.#tools = toTools(entry, tools, (name, args, signal) => this.#call(name, args, signal));
    this.#problem = undefined;
    onChange();
  }

  async #call(name: string, args: { readonly [name: string]: unknown }, signal: AbortSignal) {
    if (!this.#client) {
      throw new Error(`the tool server ${this.name} is down: ${this.#problem ?? "no connection"}`);
    }
    const timeout = this.#parts.entry.tools.timeoutMs;
    return this.#client.callTool({ name, arguments: { ...args } }, { signal, timeout });
  }

  #lost(client: Client, why: string): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#down(why);
  }

  #down(problem: string): void {
    if (this.#isClosed) return;
    const { log, onChange } = this.#parts;
    if (this.#problem !== problem) log.warn({ server: this.name, problem }, "tool server down");
    this.#problem = problem;
    onChange();
    const waitMs = waitsMs[Math.min(this.#attempts, waitsMs.length - 1)];
    this.#attempts += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.connect(), waitMs).unref();
  }
}

function transportOf(entry: ToolServerEntry): Transport {
  switch (entry.type) {
    case "http":
      return new StreamableHTTPClientTransport(new URL(entry.url), {
        requestInit: { headers: { ...entry.headers } },
        redirectPolicy: "same-origin",
      });
    case "stdio":
      return new StdioClientTransport({
        command: entry.command,
        args: [...entry.args],
        // Nothing of our environment but what every program needs: no key, no token.
        env: { ...getDefaultEnvironment(), ...entry.env },
        stderr: "ignore",
        ...(entry.cwd === undefined ? {} : { cwd: entry.cwd }),
      });
  }
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let last: Error = error;
  for (let depth = 0; last.cause instanceof Error && depth < 5; depth += 1) last = last.cause;
  return last === error ? error.message : `${error.message} (${last.message})`;
}
