import { createDuckdbEngine, isDuckdbHere } from "../../adapters/duckdb/engine.ts";
import { lookUpInSqlite } from "../../adapters/sqlite/table-lookup.ts";
import { readDeclaredTools } from "../../adapters/tool-files/declared-tools.ts";
import { createVegaPainter, isVegaHere } from "../../adapters/vega/painter.ts";
import packageJson from "../../package.json" with { type: "json" };
import type { Config } from "../config.ts";
import type { Tool } from "../domain/tool.ts";
import type { DocumentReader } from "../ports/document-reader.ts";
import type { Log } from "../ports/log.ts";
import type { ModelBackend } from "../ports/model-backend.ts";
import type { ToolServers } from "../ports/tool-servers.ts";
import { builtInTools } from "../tools/built-in.ts";
import { codeInterpreterName, createCodeInterpreter } from "../tools/code-interpreter.ts";
import { createDrawChart } from "../tools/draw-chart.ts";
import { fileSearch } from "../tools/file-search.ts";
import { handOverTool } from "../tools/hand-over.ts";
import { loadTools } from "../tools/load-tools.ts";
import { createQueryData } from "../tools/query-data.ts";

/** All tools that the settings and this machine allow; their names are taken before anybody else's. */
export async function createTools(
  config: Config,
  needed: {
    readonly backend: ModelBackend;
    readonly documents: DocumentReader;
    /** Files are searched here, not by the model's service. */
    readonly searchesFiles: boolean;
    readonly log: Log;
  },
): Promise<{ readonly tools: readonly Tool[]; readonly toolServers: ToolServers | undefined }> {
  const { backend, documents, searchesFiles, log } = needed;
  const codeInterpreter = await codeInterpreterFor(backend, config);
  const fromPackages = dataTools(config, documents, log);
  const canHandOver = config.assistants.handOverChannels.length > 0;
  // Whether these are there depends on the settings: their names are taken all the same.
  const known = [...builtInTools, ...fromPackages, fileSearch, handOverTool];
  const taken = [...known.map(({ spec }) => spec.name), codeInterpreterName];
  return {
    toolServers: await createServers(config, taken, log),
    tools: [
      ...builtInTools,
      ...fromPackages,
      ...(searchesFiles ? [fileSearch] : []),
      ...(codeInterpreter ? [codeInterpreter] : []),
      ...(canHandOver ? [handOverTool] : []),
      ...(await ownTools(config, taken, log)),
    ],
  };
}

/** Tool servers, if there are any: their packages are loaded by those who use them. */
async function createServers(
  { tools }: Config,
  taken: readonly string[],
  log: Log,
): Promise<ToolServers | undefined> {
  if (tools.serversFile === undefined) return undefined;
  const [{ readServerList }, { createToolServers }] = await Promise.all([
    import("../../adapters/mcp/server-list.ts"),
    import("../../adapters/mcp/tool-servers.ts"),
  ]);
  return createToolServers({
    entries: await readServerList(tools.serversFile, tools.secrets),
    taken: new Set(taken),
    version: packageJson.version,
    log,
  });
}

/** Runs code here where that is wanted and the model's service does not; loaded by those who use it. */
async function codeInterpreterFor(backend: ModelBackend, { codeInterpreter }: Config) {
  const isHosted = backend.capabilities.hostedTools.includes(codeInterpreterName);
  if (codeInterpreter === undefined || isHosted) return undefined;
  const { createPythonSandbox } = await import("../../adapters/pyodide/python-sandbox.ts");
  return createCodeInterpreter(createPythonSandbox(codeInterpreter));
}

/** The tools that need packages which are not made for every machine. */
function dataTools({ files }: Config, documents: DocumentReader, log: Log): readonly Tool[] {
  const engine = isDuckdbHere()
    ? createDuckdbEngine({
        timeoutMs: files.queryTimeoutMs,
        maxMemoryBytes: files.queryMaxMemoryBytes,
        readSheets: documents.readSheets.bind(documents),
      })
    : undefined;
  if (!engine) log.warn({ tool: "query_data" }, "DuckDB is not installed: its tool is left out");
  const painter = isVegaHere() ? createVegaPainter() : undefined;
  if (!painter) log.warn({ tool: "draw_chart" }, "resvg is not installed: its tool is left out");
  return [
    ...(engine ? [createQueryData(engine, { maxFileBytes: files.maxBytes })] : []),
    ...(painter ? [createDrawChart(painter, engine)] : []),
  ];
}

async function ownTools(
  { tools }: Config,
  taken: readonly string[],
  log: Log,
): Promise<readonly Tool[]> {
  if (tools.directory === undefined) return [];
  const declared = {
    allowedHosts: tools.allowedHosts,
    secrets: tools.secrets,
    sqlite: lookUpInSqlite,
  };
  const loaded = await loadTools({
    folder: tools.directory,
    taken,
    readDeclared: (path) => readDeclaredTools(path, declared),
  });
  for (const { file, problem } of loaded.problems) {
    log.warn({ file, problem }, "tool left out");
    process.stderr.write(`Bobbin: the tool ${file} is left out: ${problem}\n`);
  }
  return loaded.tools;
}
