import { BotError, explain } from "#domain/errors";
import type { StoredFile } from "#domain/file";
import type { FoundPassage } from "#domain/passage";
import type { IndexState } from "#ports/file-index";
import { chargeEmbedding } from "./caps.ts";
import type { RunEnvironment } from "./environment.ts";
import { names } from "./names.ts";
import { readFiles } from "./run-files.ts";
import type { RunWork } from "./run-work.ts";

/** More files of one conversation than this are not searched, the oldest first. */
const maxSearchedFiles = 10_000;
/** Documents read at a time: parsing one takes a process of its own. */
const readAtOnce = 2;
/** A search waits so long for files that came during the run; its tool has 20 s. */
const newFilesMs = 8_000;

type Needed = Pick<RunEnvironment, "fileIndex" | "files" | "documents" | "log">;

/** Reads a file into the index; undefined when there is none, or the file is a picture. Says why it could not. */
export async function indexFile(
  file: StoredFile,
  { fileIndex, files, documents, log }: Needed,
  signal: AbortSignal,
): Promise<IndexState | undefined> {
  if (!fileIndex || isPicture(file)) return undefined;
  const indexed = { id: file.id, name: file.filename, sha256: file.sha256 };
  try {
    const data = await files.read(file.id);
    const kind = await documents.kindOf(data.subarray(0, 4100), file.filename);
    return await fileIndex.put(indexed, await documents.read(data, kind, file.filename, signal));
  } catch (error) {
    if (signal.aborted) throw error;
    if (!(error instanceof BotError) || error.code === "store-unavailable") throw error;
    log.warn({ file: file.id, code: error.code }, "file not indexed");
    return fileIndex.refuse(indexed, error.detail ?? explain(error, ""));
  }
}

/**
 * Before a model is asked that may search: reads what is within its reach and not in the index yet
 * (files of the assistant, an index that was lost), with a line of progress. What cannot be read is
 * said once and stays out; the rest can be searched.
 */
export async function indexFiles(
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<void> {
  if (!searchesLocally(work, environment)) return;
  try {
    await readMissing(work, environment, signal);
    await embedMissing(work, environment, signal);
  } catch (error) {
    if (!(error instanceof BotError) || error.code !== "store-unavailable") throw error;
    environment.log.error({ run: work.task.runId, err: error }, "files not indexed");
    work.tell({
      type: "notice",
      notice: { kind: "warning", text: "I cannot search in files right now." },
    });
  }
}

async function readMissing(
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const missing = await unread(await searchableFiles(work, environment), environment);
  if (missing.length === 0) return;

  const step = {
    id: `index/${work.task.runId}/${work.lease.attempt}`,
    type: "file_search",
  } as const;
  work.tell({ type: "step-start", step: { ...step, title: progressOf(0, missing.length) } });
  let failed = 0;
  for (let done = 0; done < missing.length; done += readAtOnce) {
    const batch = missing.slice(done, done + readAtOnce);
    failed += await readBatch(batch, work, environment, signal);
    const title = progressOf(done + batch.length, missing.length);
    work.tell({ type: "step-delta", id: step.id, title });
  }
  const read = missing.length - failed;
  work.tell({
    type: "step-end",
    id: step.id,
    status: read > 0 ? "completed" : "failed",
    title: `Read ${files(read)} to search in`,
  });
}

/** Files that are not in the index, or have changed since. */
async function unread(
  reach: readonly StoredFile[],
  { fileIndex }: Pick<RunEnvironment, "fileIndex">,
): Promise<readonly StoredFile[]> {
  if (!fileIndex || reach.length === 0) return [];
  const states = await fileIndex.states(reach.map(({ id }) => id));
  return reach.filter(({ id, sha256 }) => states.get(id)?.sha256 !== sha256);
}

/** Reads a few files at a time, and says of each that cannot be read why; how many those were. */
async function readBatch(
  batch: readonly StoredFile[],
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<number> {
  const found = await Promise.all(batch.map((file) => indexFile(file, environment, signal)));
  let failed = 0;
  for (const [at, state] of found.entries()) {
    if (state?.status !== "failed") continue;
    failed += 1;
    const name = batch[at]?.filename ?? "A file";
    const why = state.why.includes(name) ? state.why : `${name}: ${state.why}`;
    const text = `I cannot search in a file. ${why}`;
    work.tell({ type: "notice", notice: { kind: "warning", text } });
  }
  return failed;
}

/** Makes the vectors that the files within reach lack, where they are searched by meaning, too. */
async function embedMissing(
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const { fileIndex, meaning } = environment;
  if (!fileIndex || !meaning) return;
  const reach = await searchableFiles(work, environment);
  const id = `meaning/${work.task.runId}/${work.lease.attempt}`;
  let isShown = false;
  await meaning.embedFiles(
    reach.map((file) => file.id),
    fileIndex,
    {
      signal,
      paid: (tokens) => chargeEmbedding(work, environment, { model: meaning.model, tokens }),
      progress(done, all) {
        const title = `Reading for meaning: ${number(done)} of ${number(all)} passages`;
        if (isShown) work.tell({ type: "step-delta", id, title });
        else work.tell({ type: "step-start", step: { id, type: "file_search", title } });
        isShown = true;
      },
    },
  );
  if (isShown) work.tell({ type: "step-end", id, status: "completed" });
}

/**
 * Takes in what came during the run, as the file that a tool has made: its words, and its meaning where
 * the service answers in time. What is left is for the next run.
 */
async function takeInNew(
  reach: readonly StoredFile[],
  work: RunWork,
  environment: RunEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const { fileIndex, meaning } = environment;
  const missing = await unread(reach, environment);
  if (!fileIndex || missing.length === 0) return;
  const inTime = AbortSignal.timeout(newFilesMs);
  for (let done = 0; done < missing.length && !inTime.aborted; done += readAtOnce) {
    await readBatch(missing.slice(done, done + readAtOnce), work, environment, signal);
  }
  if (!meaning || inTime.aborted) return;
  const made = meaning
    .embedFiles(
      missing.map(({ id }) => id),
      fileIndex,
      {
        signal: AbortSignal.any([signal, inTime]),
        paid: (tokens) => chargeEmbedding(work, environment, { model: meaning.model, tokens }),
      },
    )
    .catch((error: unknown) => {
      if (!inTime.aborted) throw error;
    });
  // It may stand in line behind the files of others.
  await Promise.race([made, new Promise((resolve) => inTime.addEventListener("abort", resolve))]);
}

/** The best passages of the files within reach of a run. */
export async function searchFiles(
  work: RunWork,
  environment: RunEnvironment,
  query: { readonly query: string; readonly file?: string; readonly limit: number },
  signal: AbortSignal,
): Promise<readonly FoundPassage[]> {
  const { fileIndex, meaning } = environment;
  if (!fileIndex) return [];
  const reach = await searchableFiles(work, environment);
  await takeInNew(reach, work, environment, signal);
  const wanted = query.file;
  const chosen = wanted === undefined ? reach : reach.filter((file) => isNamed(file, wanted));
  const fileIds = chosen.map(({ id }) => id);
  const vector = await meaning?.vectorOf(query.query, {
    signal,
    paid: (tokens) => chargeEmbedding(work, environment, { model: meaning.model, tokens }),
  });
  const { query: words, limit } = query;
  return fileIndex.search({ query: words, fileIds, limit, ...(vector ? { vector } : {}) });
}

/** The assistant may search, and there is no service that does it for us. */
function searchesLocally({ task }: RunWork, { backend, tools }: RunEnvironment): boolean {
  return (
    task.assistant.tools.some(({ type }) => type === "file_search") &&
    !backend.capabilities.hostedTools.includes("file_search") &&
    tools.has("file_search")
  );
}

async function searchableFiles(
  { task }: RunWork,
  { ledger, records }: Pick<RunEnvironment, "ledger" | "records">,
): Promise<readonly StoredFile[]> {
  const ranked = await ledger.ranked(names.files(task.conversationKey), {
    limit: maxSearchedFiles,
    highestFirst: true,
  });
  const ids = new Set([...ranked.map(({ member }) => member), ...task.assistant.file_ids]);
  const reach = await readFiles([...ids], { records });
  return reach.filter((file) => !isPicture(file));
}

function isPicture({ mime_type }: StoredFile): boolean {
  return mime_type.startsWith("image/") && mime_type !== "image/svg+xml";
}

function isNamed(file: StoredFile, wanted: string): boolean {
  const plain = (name: string) => name.normalize().trim().toLowerCase();
  return file.id === wanted || plain(file.filename) === plain(wanted);
}

function progressOf(done: number, all: number): string {
  return `Reading files to search in: ${number(done)} of ${number(all)}`;
}

function files(count: number): string {
  return count === 1 ? "1 file" : `${number(count)} files`;
}

function number(count: number): string {
  return count.toLocaleString("en-US");
}
