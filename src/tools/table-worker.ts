import { parentPort, workerData } from "node:worker_threads";
import { CsvError, parse } from "csv-parse/sync";
import { delimiterOf, factsOf, type TableFacts, toTable } from "#domain/table";

/** What the worker sends back, once. */
export type TableReading =
  | { readonly ok: true; readonly facts: TableFacts }
  | { readonly ok: false; readonly problem: string };

// Runs in a thread of its own: a large table takes seconds, and everybody else is waiting.
if (parentPort) parentPort.postMessage(read(new TextDecoder().decode(workerData)));

function read(text: string): TableReading {
  try {
    const records = parse(text, {
      bom: true,
      delimiter: delimiterOf(text),
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    });
    return { ok: true, facts: factsOf(toTable(records)) };
  } catch (error) {
    if (error instanceof CsvError) return { ok: false, problem: error.message };
    throw error;
  }
}
