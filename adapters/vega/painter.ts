import { join } from "node:path";
import { type ChartSpec, chartSpecProblem } from "#domain/chart-spec";
import type { ChartPainter, PaintedChart } from "#ports/chart-painter";
import { type ConfinedLimits, type ConfinedProgram, runConfined } from "../confined/confined.ts";
import { folderOfPackage, isInstalled } from "../confined/installed.ts";
import { Turns } from "../confined/turns.ts";
import type { PaintAnswer, PaintRequest } from "./protocol.ts";
import { fontFiles } from "./style.ts";

export interface VegaPainterOptions {
  /** How long one chart may take. Default 20,000. */
  readonly timeoutMs?: number;
  /** How much memory one chart may take. Default 256,000,000. */
  readonly maxMemoryBytes?: number;
  /** How many charts are painted at a time; others wait for their turn. Default 2. */
  readonly concurrency?: number;
}

const packages = ["vega", "vega-lite", "vega-interpreter", "@resvg/resvg-js", "dejavu-fonts-ttf"];

/** Whether everything to paint with came along: the packages are optional, and resvg is not made for every machine. */
export function isVegaHere(): boolean {
  const { platform, arch } = process;
  const machines = ["", "-gnu", "-musl", "-msvc"].map(
    (kind) => `@resvg/resvg-js-${platform}-${arch}${kind}`,
  );
  return packages.every(isInstalled) && machines.some(isInstalled);
}

const worker: ConfinedProgram = {
  file: new URL("./worker.ts", import.meta.url),
  reads: ["adapters/vega/", "src/domain/"],
  loadsAddons: true,
};
/** Far more than a picture of the greatest size takes. */
const maxOutputBytes = 30_000_000;

/** Paints with Vega-Lite, each chart in a process of its own that loads nothing and has limits. */
export function createVegaPainter(options: VegaPainterOptions = {}): ChartPainter {
  const { timeoutMs = 20_000, maxMemoryBytes = 256_000_000, concurrency = 2 } = options;
  const turns = new Turns(concurrency);
  const limits: ConfinedLimits = {
    timeoutMs,
    heapBytes: maxMemoryBytes * 0.75,
    memoryBytes: maxMemoryBytes,
    outputBytes: maxOutputBytes,
  };
  return {
    async paint(spec: ChartSpec, signal: AbortSignal): Promise<PaintedChart> {
      const problem = chartSpecProblem(spec);
      if (problem) return { ok: false, problem };
      const request: PaintRequest = { spec, fonts: fonts() };
      const end = await turns.inTurn(signal, () =>
        runConfined(worker, { request, limits }, signal),
      );
      if (end.status === "killed") return { ok: false, problem: words(timeoutMs)[end.limit] };
      const answer = toAnswer(end.output);
      if (!answer.ok) return answer;
      const { png, width, height } = answer;
      return { ok: true, png: Buffer.from(png, "base64"), width, height };
    },
  };
}

function words(timeoutMs: number) {
  return {
    time: `The chart took longer than ${timeoutMs / 1_000} seconds and was stopped: show less.`,
    memory: "The chart takes more memory than it may have: show less.",
    output: "The picture is larger than it may be: show less.",
  } as const;
}

function toAnswer(output: Buffer): PaintAnswer {
  try {
    return JSON.parse(output.toString("utf8"));
  } catch {
    return { ok: false, problem: "The painter gave up on this chart." };
  }
}

function fonts(): readonly string[] {
  const home = folderOfPackage("dejavu-fonts-ttf");
  return home === undefined ? [] : fontFiles.map((file) => join(home, "ttf", file));
}
