import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createDuckdbEngine } from "../../adapters/duckdb/engine.ts";
import { createQueryData } from "../../src/tools/query-data.ts";
import { startChild } from "../child.ts";
import type { Figures } from "../measures.ts";
import { median } from "../statistics.ts";
import { limits, questions, writeOrders } from "./questions.ts";

const repeats = 5;
const watchIntervalMs = 10;

/**
 * `query_data` over a CSV file, from its arguments to its output, against DuckDB reading the same
 * file and answering the same in a process that is there already.
 */
export async function measureData(
  folder: string,
  rows: number,
): Promise<{ readonly floor: Figures; readonly bobbin: Figures }> {
  const path = join(folder, "orders.csv");
  const dataMb = (await writeOrders(path, rows)) / 1e6;
  const duckdb = await startChild(new URL("./duckdb-floor.ts", import.meta.url), { path });
  const ask = askTool(path);
  const peak = watchChildren(duckdb.pid);
  const times = { floor: [] as number[], bobbin: [] as number[] };
  // One after the other, so that a busy machine is busy for both; the first time does not count.
  for (let repeat = 0; repeat <= repeats; repeat += 1) {
    for (const sql of questions) {
      const floorMs = await timed(() => duckdb.ask("answer", sql));
      const bobbinMs = await timed(() => ask(sql));
      if (repeat === 0) continue;
      times.floor.push(floorMs);
      times.bobbin.push(bobbinMs);
    }
  }
  const { peakRssBytes } = await duckdb.usage();
  await duckdb.stop();
  return {
    floor: { dataP50: median(times.floor), dataPeakMb: peakRssBytes / 1e6, dataMb },
    bobbin: { dataP50: median(times.bobbin), dataPeakMb: peak.stop() / 1e6, dataMb },
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Calls the tool as a run does. */
function askTool(path: string): (sql: string) => Promise<void> {
  const tool = createQueryData(
    createDuckdbEngine({
      timeoutMs: 60_000,
      maxMemoryBytes: limits.memoryBytes,
      threads: limits.threads,
      readSheets: async () => [],
    }),
    { maxFileBytes: 20_000_000 },
  );
  const context = {
    runId: "bench",
    callId: "bench",
    conversationKey: "bench",
    personKey: "bench",
    personName: "Bench",
    files: [{ id: "orders", name: "orders.csv", mimeType: "text/csv" }],
    readFile: async () => new Uint8Array(await readFile(path)),
    readText: async () => undefined,
    now: () => new Date(),
  };
  return async (sql) => {
    const result = await tool.run({ sql }, context, new AbortController().signal);
    const isAnswered = result.type === "output" && result.output.includes('"row_count"');
    if (!isAnswered) throw new Error(`nothing was answered to ${sql}`);
  };
}

/** The most memory any other process had that this one started, as Linux counts it; 0 elsewhere. */
function watchChildren(except: number | undefined): { stop(): number } {
  let most = 0;
  const look = async () => {
    const pids = await readFile(`/proc/self/task/${process.pid}/children`, "utf8");
    for (const pid of pids.trim().split(" ")) {
      if (Number(pid) === except) continue;
      const status = await readFile(`/proc/${pid}/status`, "utf8");
      most = Math.max(most, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024);
    }
  };
  const timer = setInterval(() => void look().catch(() => undefined), watchIntervalMs);
  return {
    stop() {
      clearInterval(timer);
      return most;
    },
  };
}
