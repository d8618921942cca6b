import { Worker } from "node:worker_threads";
import { z } from "zod";
import type { ToolContext } from "#domain/tool";
import { isCsv, isSameName, megabytes } from "./attached-tables.ts";
import { defineTool } from "./define-tool.ts";
import type { TableReading } from "./table-worker.ts";

const maxBytes = 20_000_000;
const maxColumns = 200;
/** About what it takes: a hostile table of the largest size stays far below. */
const maxHeapMegabytes = 1_024;

/** What a CSV file holds: exact sums and counts that a model should not do in its head. */
export const summariseTable = defineTool({
  name: "summarise_table",
  title: "Reading the table",
  description:
    "Gives the facts of an attached CSV or TSV file: rows, columns and their types, empty and distinct values, exact sum, mean, least and greatest. Use it before answering questions about totals.",
  schema: z.object({
    file: z
      .string()
      .max(300)
      .optional()
      .describe("The file's name; the newest attached table when left out."),
  }),
  idempotent: true,
  timeoutMs: 20_000,
  async run({ file }, context, signal) {
    const found = findTable(context.files, file);
    if (typeof found === "string") return found;
    const data = await context.readFile(found.id);
    signal.throwIfAborted();
    if (data.byteLength > maxBytes) {
      return `${found.name} is ${megabytes(data.byteLength)}; tables up to ${megabytes(maxBytes)} are read.`;
    }
    const reading = await readApart(data, signal);
    if (!reading.ok) return `${found.name} cannot be read as a table: ${reading.problem}`;
    const { rowCount, hasHeader, columns } = reading.facts;
    if (columns.length === 0) return `${found.name} is empty.`;
    if (columns.length > maxColumns) {
      return `${found.name} has ${columns.length} columns; tables up to ${maxColumns} are read.`;
    }
    return JSON.stringify({ file: found.name, rows: rowCount, has_header: hasHeader, columns });
  },
});

/** Reads a table in a thread with bounded memory; ends the thread when the signal is aborted. */
async function readApart(data: Uint8Array, signal: AbortSignal): Promise<TableReading> {
  const worker = new Worker(new URL("./table-worker.ts", import.meta.url), {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMegabytes },
  });
  const stop = () => void worker.terminate();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<TableReading>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", (error: NodeJS.ErrnoException) =>
        error.code === "ERR_WORKER_OUT_OF_MEMORY"
          ? resolve({ ok: false, problem: "it takes more memory than a table may." })
          : reject(error),
      );
      worker.once("exit", () => reject(signal.reason ?? new Error("the table reader stopped")));
    });
  } finally {
    signal.removeEventListener("abort", stop);
    await worker.terminate();
  }
}

type ContextFile = ToolContext["files"][number];

/** The file, or words for the model why there is none. */
function findTable(files: ToolContext["files"], wanted: string | undefined): ContextFile | string {
  const newestFirst = [...files].reverse();
  const found = wanted
    ? newestFirst.find(({ id, name }) => id === wanted || isSameName(name, wanted))
    : newestFirst.find(isCsv);
  if (found) return found;
  const names = newestFirst.map(({ name }) => name).join(", ");
  if (names === "") return "No file is attached to this conversation.";
  return wanted
    ? `There is no file \`${wanted}\`. Attached: ${names}.`
    : `No CSV file is attached. Attached: ${names}.`;
}
