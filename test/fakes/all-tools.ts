import { expect } from "vitest";
import type { Tool } from "#domain/tool";
import { createDuckdbEngine } from "../../adapters/duckdb/engine.ts";
import { lookUpInSqlite } from "../../adapters/sqlite/table-lookup.ts";
import { readDeclaredTools } from "../../adapters/tool-files/declared-tools.ts";
import { createVegaPainter } from "../../adapters/vega/painter.ts";
import { builtInTools } from "../../src/tools/built-in.ts";
import { createDrawChart } from "../../src/tools/draw-chart.ts";
import { fileSearch } from "../../src/tools/file-search.ts";
import { handOverTool } from "../../src/tools/hand-over.ts";
import { loadTools } from "../../src/tools/load-tools.ts";
import { createQueryData } from "../../src/tools/query-data.ts";

/** Every tool of an installation with a channel for hand-overs and this folder of its own tools. */
export async function allTools(
  folder: string,
  allowedHosts: readonly string[] = [],
): Promise<readonly Tool[]> {
  const { tools, problems } = await loadTools({
    folder,
    readDeclared: (path) =>
      readDeclaredTools(path, { allowedHosts, secrets: new Map(), sqlite: lookUpInSqlite }),
  });
  expect(problems).toEqual([]);
  const engine = createDuckdbEngine({
    timeoutMs: 60_000,
    maxMemoryBytes: 256_000_000,
    readSheets: async () => [],
  });
  const fromPackages = [
    createQueryData(engine, { maxFileBytes: 1_000_000 }),
    createDrawChart(createVegaPainter({ timeoutMs: 60_000 }), engine),
  ];
  return [...builtInTools, ...fromPackages, fileSearch, handOverTool, ...tools];
}
