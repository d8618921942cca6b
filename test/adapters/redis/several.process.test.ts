import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openRedis, type RedisDatabase } from "../../../adapters/redis/database.ts";
import { createRedisLedger } from "../../../adapters/redis/ledger.ts";
import { openRedisRunQueue, type RedisRunQueue } from "../../../adapters/redis/run-queue.ts";
import type { Ledger } from "../../../src/ports/ledger.ts";
import { hasRedis, RedisServer } from "./server.ts";

interface Said {
  readonly by: string;
  readonly atMs: number;
  readonly ready?: true;
  readonly began?: string;
  readonly events?: readonly string[];
  readonly shown?: string;
  readonly lost?: string;
  /** So many leases it has lost now, as its metrics say. */
  readonly leasesLost?: number;
}

describe.skipIf(!hasRedis)("several processes on one Redis", () => {
  let server: RedisServer;
  let database: RedisDatabase;
  let queue: RedisRunQueue;
  let ledger: Ledger;
  let said: Said[];
  const workers: ChildProcess[] = [];

  beforeEach(async () => {
    server = await RedisServer.start();
    database = await openRedis({ url: server.url });
    queue = await openRedisRunQueue({ database });
    ledger = createRedisLedger(database);
    said = [];
  });

  afterEach(async () => {
    for (const worker of workers.splice(0)) {
      if (worker.exitCode === null && worker.signalCode === null) {
        worker.kill("SIGKILL");
        await once(worker, "exit");
      }
    }
    await queue.close();
    database.close();
    await server.remove();
  });

  async function startWorker(name: string): Promise<ChildProcess> {
    const script = fileURLToPath(new URL("./working-process.ts", import.meta.url));
    const worker = spawn(process.execPath, [script, server.url, name], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    workers.push(worker);
    createInterface({ input: worker.stdout }).on("line", (line) => {
      said.push({ ...JSON.parse(line), atMs: Date.now() });
    });
    await vi.waitFor(() => expect(heard(name).some(({ ready }) => ready)).toBe(true), patient);
    return worker;
  }

  const patient = { timeout: 60_000, interval: 10 };
  const heard = (name: string) => said.filter(({ by }) => by === name);
  const lossesOf = (name: string) => heard(name).flatMap(({ leasesLost }) => leasesLost ?? []);
  const begun = (name: string) => heard(name).flatMap(({ began }) => began ?? []);

  const accept = (eventId: string, conversationKey: string) =>
    queue.accept({
      eventId,
      conversationKey,
      personKey: "ada",
      payload: null,
      detail: 0,
      bounds: { waitingPerConversation: 1_000, perPersonPerMinute: 10_000 },
    });
  const end = (conversationKey: string) =>
    ledger.apply({ registers: [{ name: `end ${conversationKey}`, value: true }] });
  const answered = async (conversationKey: string) =>
    (await ledger.items(conversationKey, { limit: 1_000 })).map(({ value }) => value);

  test("a conversation is answered in order, by whoever is there, each message once", async () => {
    await startWorker("a");
    await startWorker("b");
    const events = Array.from({ length: 60 }, (_, index) => `e${index}`);
    await end("talk");
    await end("other");
    for (const eventId of events) {
      await Promise.all([accept(eventId, "talk"), accept(`o-${eventId}`, "other")]);
    }
    await vi.waitFor(async () => {
      expect(await answered("talk")).toEqual(events);
      expect(await answered("other")).toEqual(events.map((eventId) => `o-${eventId}`));
    }, patient);
    expect(said.filter(({ began }) => began === "talk")).toHaveLength(events.length);
  });

  test("what a killed process held goes on elsewhere soon after its lease", async () => {
    const first = await startWorker("a");
    const keys = Array.from({ length: 10 }, (_, index) => `talk${index}`);
    for (const key of keys) await accept(`in ${key}`, key);
    await vi.waitFor(() => expect(begun("a").sort()).toEqual(keys), patient);
    await startWorker("b");
    const killedAtMs = Date.now();
    first.kill("SIGKILL");
    await vi.waitFor(() => expect(begun("b").sort()).toEqual(keys), patient);
    const tookMs = heard("b").flatMap(({ began, atMs }) => (began ? [atMs - killedAtMs] : []));
    console.info(`taken over after ${tookMs.sort((a, b) => a - b).join(", ")} ms`);
    // A lock of 5 s and two looks at it, 2 s apart; and what a busy machine adds.
    expect(tookMs.at(-1)).toBeLessThan(15_000);
    for (const key of keys) await end(key);
    await vi.waitFor(async () => {
      for (const key of keys) expect(await answered(key)).toEqual([`in ${key}`]);
    }, patient);
  });

  test("what a process held that is stopped politely goes on before any lease has lapsed", async () => {
    const first = await startWorker("a");
    await accept("e1", "talk");
    await vi.waitFor(() => expect(begun("a")).toEqual(["talk"]), patient);
    await startWorker("b");
    const stoppedAtMs = Date.now();
    first.kill("SIGTERM");
    await vi.waitFor(() => expect(begun("b")).toEqual(["talk"]), patient);
    const tookMs = (heard("b").at(-1)?.atMs ?? 0) - stoppedAtMs;
    console.info(`handed over after ${tookMs} ms`);
    expect(tookMs).toBeLessThan(5_000);
  });

  test("a process that slept past its lease shows nothing and changes nothing", async () => {
    const first = await startWorker("a");
    await accept("e1", "talk");
    await vi.waitFor(() => expect(begun("a")).toEqual(["talk"]), patient);
    first.kill("SIGSTOP");
    await startWorker("b");
    await vi.waitFor(() => expect(begun("b")).toEqual(["talk"]), patient);
    await end("talk");
    await vi.waitFor(async () => expect(await answered("talk")).toEqual(["e1"]), patient);
    first.kill("SIGCONT");
    await vi.waitFor(() => expect(heard("a").some(({ lost }) => lost === "talk")).toBe(true), {
      ...patient,
    });
    await accept("e2", "talk");
    await vi.waitFor(async () => expect(await answered("talk")).toEqual(["e1", "e2"]), patient);
    expect(said.filter(({ shown }) => shown === "talk")).toHaveLength(2);
    await vi.waitFor(() => expect(lossesOf("a")).toEqual([1]), patient);
    expect(lossesOf("b")).toEqual([]);
  });
});
