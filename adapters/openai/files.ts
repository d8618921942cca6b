import { createHash } from "node:crypto";
import { APIError, type OpenAI, toFile } from "openai";
import { BotError } from "#domain/errors";
import type { FileUse, StoredFile } from "#domain/file";
import type { Json } from "#domain/json";
import { mimeTypeOf } from "#domain/mime-type";
import type { ModelEvent, ModelTurn, ProducedFile } from "#ports/model-backend";
import { retried } from "./client.ts";
import type { CitedFile, ResponseEnd } from "./events.ts";
import type { EndpointProfile } from "./profiles.ts";
import type { FilePart, InlinePart, ToolResources } from "./request.ts";
import type { Timers } from "./stream.ts";
import { asNumber, asObject, asString, asStrings } from "./wire.ts";

/** What the service keeps for one conversation, by our own file ids. */
export interface RemoteFiles {
  readonly uploads: {
    readonly [fileId: string]: { readonly id: string; readonly expiresAtMs: number };
  };
  readonly vectorStore: { readonly id: string; readonly fileIds: readonly string[] } | null;
  readonly container: {
    readonly id: string;
    /** Our files that were put into it. */
    readonly fileIds: readonly string[];
    /** Its own files that were delivered already. */
    readonly delivered: readonly string[];
    readonly usedAtMs: number;
  } | null;
}

export const noRemoteFiles: RemoteFiles = { uploads: {}, vectorStore: null, container: null };

/** Reads what {@link RemoteFiles} were stored as; whatever is not as expected is left out. */
export function toRemoteFiles(data: unknown): RemoteFiles {
  const wire = asObject(data) ?? {};
  const uploads = Object.entries(asObject(wire.uploads) ?? {}).flatMap(([fileId, value]) => {
    const id = asString(asObject(value)?.id);
    const expiresAtMs = asNumber(asObject(value)?.expiresAtMs) ?? 0;
    return id === undefined ? [] : [[fileId, { id, expiresAtMs }] as const];
  });
  const store = asObject(wire.vectorStore);
  const storeId = asString(store?.id);
  const container = asObject(wire.container);
  const containerId = asString(container?.id);
  return {
    uploads: Object.fromEntries(uploads),
    vectorStore: storeId === undefined ? null : { id: storeId, fileIds: asStrings(store?.fileIds) },
    container:
      containerId === undefined
        ? null
        : {
            id: containerId,
            fileIds: asStrings(container?.fileIds),
            delivered: asStrings(container?.delivered),
            usedAtMs: asNumber(container?.usedAtMs) ?? 0,
          },
  };
}

/** Remote files as the plain data that a state and a cursor hold. */
export function fromRemoteFiles(remote: RemoteFiles): Json {
  return {
    uploads: { ...remote.uploads },
    vectorStore: remote.vectorStore === null ? null : { ...remote.vectorStore },
    container: remote.container === null ? null : { ...remote.container },
  };
}

/** True when the service keeps nothing. */
export function isEmptyRemote(remote: RemoteFiles): boolean {
  return (
    Object.keys(remote.uploads).length === 0 &&
    remote.vectorStore === null &&
    remote.container === null
  );
}

/** Uploads delete themselves after the longest time the Files API allows. */
const uploadLifeMs = 2_592_000_000;
/** A file that expires within a day is uploaded again before it fails. */
const uploadMarginMs = 86_400_000;
/** A vector store nobody searches any more deletes itself. */
const vectorStoreIdleDays = 7;
/** A container is lost about 20 minutes after its last use; below that it is taken for alive. */
const containerLifeMs = 17 * 60_000;
/** How long indexing one batch of files may take. */
const maxIndexingMs = 120_000;
/** More pictures and tables than this are taken for intermediate results. */
const maxProducedFiles = 20;

export interface RemoteFileOptions {
  readonly client: OpenAI;
  readonly profile: EndpointProfile;
  readonly timers: Timers;
  readonly now: () => number;
  readonly fetch: typeof globalThis.fetch;
  /** The most text of one document that is put into a request. */
  readonly maxDocumentCharacters: number;
  /** Bigger files a container made are named, not delivered. */
  readonly maxProducedBytes: number;
}

/** A turn's files, ready for its request. */
export interface PreparedFiles {
  readonly parts: ReadonlyMap<string, FilePart>;
  readonly resources: ToolResources;
  readonly remote: RemoteFiles;
}

/** How a file can be given to the model in this turn, by its use and the tools there are. */
export function effectiveUse(file: StoredFile, turn: ModelTurn): FileUse {
  const wants = file.use;
  if (wants === "search" && !canSearch(turn)) return "look";
  if (wants === "compute" && !turn.hostedTools.includes("code_interpreter")) return "look";
  return wants;
}

function canSearch(turn: ModelTurn): boolean {
  return turn.hostedTools.includes("file_search") || searchesItself(turn);
}

/** Files are searched by a function of the bot's own: the service need not be given them. */
export function searchesItself(turn: ModelTurn): boolean {
  return turn.functions.some(({ name }) => name === "file_search");
}

/** What stands in the place of a document that is searched. */
export function searchNote(file: StoredFile): InlinePart {
  return note(file, "can be searched with file search");
}

/** Files a model can look at as a picture. */
export function isViewableImage(mimeType: string): boolean {
  return ["image/png", "image/jpeg", "image/webp", "image/gif"].includes(mimeType);
}

/**
 * Documents that `input_file` reads. Source: the vendor's guide to file inputs (PDF, Office
 * documents, sheets, and anything that is text).
 */
function isReadableDocument(mimeType: string): boolean {
  return (
    mimeType === "application/pdf" ||
    mimeType.startsWith("text/") ||
    /^application\/(json|xml|rtf|msword|javascript|x-yaml|yaml|csv)/.test(mimeType) ||
    mimeType.startsWith("application/vnd.openxmlformats-officedocument") ||
    mimeType === "application/vnd.ms-excel" ||
    mimeType === "application/vnd.ms-powerpoint"
  );
}

/**
 * Brings a turn's files to where the model finds them: pictures into the request, documents uploaded,
 * others into the conversation's vector store or container. What was brought before stays there.
 *
 * Shows indexing as a step, since it takes a while. Throws when the service or our store fails.
 */
export async function* prepareFiles(
  options: RemoteFileOptions,
  turn: ModelTurn,
  want: {
    /** Files to be shown in this request. */
    readonly shown: readonly string[];
    /** Files within reach of the hosted tools. */
    readonly reachable: readonly string[];
    readonly remote: RemoteFiles;
  },
  signal: AbortSignal,
): AsyncGenerator<ModelEvent, PreparedFiles> {
  const { profile } = options;
  const state = { ...want.remote, uploads: { ...want.remote.uploads } };
  const parts = new Map<string, FilePart>();
  const known = (ids: readonly string[]) => ids.flatMap((id) => turn.files.get(id) ?? []);
  const byUse = (use: FileUse) =>
    known(want.reachable).filter((file) => effectiveUse(file, turn) === use);
  const upload = (file: StoredFile) => uploadOnce(options, turn, state, file, signal);

  const notIndexed = new Set<string>();
  const toSearch = searchesItself(turn) ? [] : byUse("search");
  if (toSearch.length > 0) {
    const indexing = indexFiles(options, turn, state, toSearch, upload, signal);
    for (const id of yield* indexing) notIndexed.add(id);
  }
  const container = await reachContainer(options, state, byUse("compute"), upload, signal);

  for (const id of want.shown) {
    const file = turn.files.get(id);
    if (file === undefined) continue;
    const use = effectiveUse(file, turn);
    if (use === "search" && !notIndexed.has(id)) {
      parts.set(id, searchNote(file));
    } else if (use === "compute") {
      parts.set(id, note(file, "is in the code interpreter's folder /mnt/data"));
    } else {
      parts.set(id, await lookAt(file));
    }
  }
  return {
    parts,
    resources: {
      vectorStoreIds: state.vectorStore === null ? [] : [state.vectorStore.id],
      container,
    },
    remote: state,
  };

  async function lookAt(file: StoredFile): Promise<FilePart> {
    if (isViewableImage(file.mime_type) && profile.images) return imagePart(file, turn);
    if (profile.files && isReadableDocument(file.mime_type)) {
      return { type: "upload", remoteId: await upload(file) };
    }
    return textPart(file, turn, options.maxDocumentCharacters);
  }
}

/** A picture as part of the request itself: nothing to expire, and every server takes it. */
export async function imagePart(file: StoredFile, turn: ModelTurn): Promise<InlinePart> {
  const data = Buffer.from(await turn.readFile(file.id)).toString("base64");
  return { type: "image", dataUrl: `data:${file.mime_type};base64,${data}` };
}

/** A document as text, or a word about why there is none. */
export async function textPart(
  file: StoredFile,
  turn: ModelTurn,
  maxCharacters: number,
): Promise<InlinePart> {
  const text = await turn.readText(file.id);
  if (text === undefined) return note(file, "cannot be shown to you");
  return {
    type: "text",
    name: file.filename,
    text: text.slice(0, maxCharacters),
    isTruncated: text.length > maxCharacters,
  };
}

function note(file: StoredFile, what: string): InlinePart {
  return { type: "note", text: `[${file.filename} ${what}]` };
}

type MutableRemote = { -readonly [K in keyof RemoteFiles]: RemoteFiles[K] };

async function uploadOnce(
  { client, now }: RemoteFileOptions,
  turn: ModelTurn,
  state: MutableRemote,
  file: StoredFile,
  signal: AbortSignal,
): Promise<string> {
  const known = state.uploads[file.id];
  if (known !== undefined && known.expiresAtMs > now() + uploadMarginMs) return known.id;
  const data = await turn.readFile(file.id);
  const uploaded = await client.files.create(
    {
      file: await toFile(data, file.filename, { type: file.mime_type }),
      purpose: "user_data",
      expires_after: { anchor: "created_at", seconds: uploadLifeMs / 1000 },
    },
    { ...retried, signal },
  );
  const entry = { id: uploaded.id, expiresAtMs: now() + uploadLifeMs };
  state.uploads = { ...state.uploads, [file.id]: entry };
  return uploaded.id;
}

/** Puts files into the conversation's vector store; gives our ids of those that could not be indexed. */
async function* indexFiles(
  { client, timers, now }: RemoteFileOptions,
  turn: ModelTurn,
  state: MutableRemote,
  files: readonly StoredFile[],
  upload: (file: StoredFile) => Promise<string>,
  signal: AbortSignal,
): AsyncGenerator<ModelEvent, readonly string[]> {
  const indexed = new Set(state.vectorStore?.fileIds ?? []);
  const missing = files.filter((file) => !indexed.has(file.id));
  if (missing.length === 0) return [];
  const step = `turn-${turn.turn}-indexing`;
  const names = missing.map((file) => file.filename).join(", ");
  yield {
    type: "step-start",
    step: { id: step, type: "file_search", title: `Indexing ${names}` },
  };
  const storeId = state.vectorStore?.id ?? (await createVectorStore(client, signal));
  state.vectorStore = { id: storeId, fileIds: [...indexed] };
  const failed: string[] = [];
  const isDueMs = now() + maxIndexingMs;
  for (const file of missing) {
    const attach = { file_id: await upload(file) };
    let remote = await client.vectorStores.files.create(storeId, attach, { ...retried, signal });
    while (remote.status === "in_progress" && now() < isDueMs) {
      await timers.sleep(500, signal);
      remote = await client.vectorStores.files.retrieve(
        remote.id,
        { vector_store_id: storeId },
        { ...retried, signal },
      );
    }
    if (remote.status !== "completed") failed.push(file.id);
    else indexed.add(file.id);
  }
  state.vectorStore = { id: storeId, fileIds: [...indexed] };
  yield { type: "step-end", id: step, status: failed.length > 0 ? "failed" : "completed" };
  for (const id of failed) {
    const name = turn.files.get(id)?.filename ?? "A file";
    yield { type: "notice", text: `${name} could not be indexed, so I look at it directly.` };
  }
  return failed;
}

async function createVectorStore(client: OpenAI, signal: AbortSignal): Promise<string> {
  const store = await client.vectorStores.create(
    { expires_after: { anchor: "last_active_at", days: vectorStoreIdleDays } },
    { ...retried, signal },
  );
  return store.id;
}

/** The container that is still alive, with what is new put into it; or the files for a fresh one. */
async function reachContainer(
  { client, now }: RemoteFileOptions,
  state: MutableRemote,
  files: readonly StoredFile[],
  upload: (file: StoredFile) => Promise<string>,
  signal: AbortSignal,
): Promise<ToolResources["container"]> {
  const { container } = state;
  if (container !== null && container.usedAtMs > now() - containerLifeMs) {
    const missing = files.filter((file) => !container.fileIds.includes(file.id));
    for (const file of missing) {
      const body = { file_id: await upload(file) };
      await client.containers.files.create(container.id, body, { ...retried, signal });
    }
    state.container = {
      ...container,
      fileIds: [...container.fileIds, ...missing.map((file) => file.id)],
    };
    return { id: container.id };
  }
  // What it delivered stays remembered: it may be alive after all and be taken up by the service.
  const fileIds: string[] = [];
  for (const file of files) fileIds.push(await upload(file));
  return { fileIds };
}

/**
 * Fetches what the code interpreter made, at once, since a container and all in it is lost soon: the
 * files the answer names, those it does not name, and pictures that were only drawn. Each once.
 * What cannot be fetched is said. Ends with what to remember of the container.
 */
export async function* harvestFiles(
  options: RemoteFileOptions,
  end: ResponseEnd,
  want: { readonly remote: RemoteFiles; readonly computeFileIds: readonly string[] },
  signal: AbortSignal,
): AsyncGenerator<ModelEvent, RemoteFiles> {
  const { client, now } = options;
  const before = want.remote.container;
  const hashes = new Set<string>();
  let container = before;
  let count = 0;
  for (const containerId of containersOf(end)) {
    const isSame = before?.id === containerId;
    const delivered = new Set(isSame ? before.delivered : []);
    for (const file of await filesIn(client, containerId, end, signal)) {
      if (delivered.has(file.fileId) || count >= maxProducedFiles) continue;
      delivered.add(file.fileId);
      const fetched = await fetchContainerFile(options, file, signal);
      if ("problem" in fetched) {
        yield { type: "notice", text: fetched.problem };
        continue;
      }
      if (!isNew(fetched.data)) continue;
      count += 1;
      yield { type: "file", file: fetched };
    }
    container = {
      id: containerId,
      fileIds: isSame ? before.fileIds : want.computeFileIds,
      delivered: [...delivered],
      usedAtMs: now(),
    };
  }
  for (const [index, url] of end.imageUrls.entries()) {
    const image = await fetchImage(options, url, `figure-${index + 1}`, signal);
    if (image === undefined || !isNew(image.data)) continue;
    yield { type: "file", file: image };
  }
  return { ...want.remote, container };

  function isNew(data: Uint8Array): boolean {
    const hash = createHash("sha256").update(data).digest("hex");
    if (hashes.has(hash)) return false;
    hashes.add(hash);
    return true;
  }
}

function containersOf(end: ResponseEnd): readonly string[] {
  return [...new Set([...end.containerIds, ...end.citedFiles.map((file) => file.containerId)])];
}

/** What the answer names, then what else the assistant left in the container. */
async function filesIn(
  client: OpenAI,
  containerId: string,
  end: ResponseEnd,
  signal: AbortSignal,
): Promise<readonly (CitedFile & { readonly bytes?: number })[]> {
  const cited = end.citedFiles.filter((file) => file.containerId === containerId);
  const found: (CitedFile & { readonly bytes?: number })[] = [...cited];
  try {
    const listed = client.containers.files.list(
      containerId,
      { limit: 100 },
      { ...retried, signal },
    );
    for await (const file of listed) {
      if (file.source !== "assistant") continue;
      const name = file.path.slice(file.path.lastIndexOf("/") + 1);
      found.push({ containerId, fileId: file.id, name, bytes: file.bytes });
    }
  } catch (error) {
    // The container is gone; fetching what was cited will say so for each file.
    if (!(error instanceof APIError) || signal.aborted) throw error;
  }
  return found;
}

async function fetchContainerFile(
  { client, maxProducedBytes }: RemoteFileOptions,
  file: CitedFile & { readonly bytes?: number },
  signal: AbortSignal,
): Promise<ProducedFile | { readonly problem: string }> {
  const tooLarge = (bytes: number) => ({
    problem: `${file.name} is ${megabytes(bytes)}; I deliver files up to ${megabytes(maxProducedBytes)}.`,
  });
  if ((file.bytes ?? 0) > maxProducedBytes) return tooLarge(file.bytes ?? 0);
  try {
    const response = await client.containers.files.content.retrieve(
      file.fileId,
      { container_id: file.containerId },
      { ...retried, signal },
    );
    const data = new Uint8Array(await response.arrayBuffer());
    if (data.byteLength > maxProducedBytes) return tooLarge(data.byteLength);
    return { name: file.name, mimeType: mimeTypeOf(file.name), data, altText: file.name };
  } catch (error) {
    if (signal.aborted) throw error;
    const isGone = error instanceof APIError && error.status === 404;
    return {
      problem: isGone
        ? `${file.name} had expired before I could fetch it.`
        : `${file.name} was made, but I could not fetch it.`,
    };
  }
}

async function fetchImage(
  options: RemoteFileOptions,
  url: string,
  name: string,
  signal: AbortSignal,
): Promise<ProducedFile | undefined> {
  const inline = /^data:(image\/[a-z0-9.+-]+);base64,(.*)$/is.exec(url);
  if (inline !== null) {
    const mimeType = inline[1] ?? "image/png";
    const data = new Uint8Array(Buffer.from(inline[2] ?? "", "base64"));
    return toImage(name, mimeType, data);
  }
  if (!url.startsWith("https://")) return undefined;
  try {
    const response = await options.fetch(url, { signal });
    if (!response.ok) return undefined;
    const data = new Uint8Array(await response.arrayBuffer());
    const mimeType = response.headers.get("content-type")?.split(";")[0] ?? "image/png";
    return data.byteLength > options.maxProducedBytes ? undefined : toImage(name, mimeType, data);
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
}

function toImage(name: string, mimeType: string, data: Uint8Array): ProducedFile {
  const extension = mimeType === "image/jpeg" ? "jpg" : mimeType.slice("image/".length);
  return { name: `${name}.${extension}`, mimeType, data, altText: "A figure drawn by code" };
}

/** Deletes uploads, vector store and container. Tries everything, then throws the first problem. */
export async function deleteRemoteFiles(client: OpenAI, remote: RemoteFiles): Promise<void> {
  const { vectorStore, container } = remote;
  const deletions = [
    ...(vectorStore === null ? [] : [client.vectorStores.delete(vectorStore.id, retried)]),
    ...(container === null ? [] : [client.containers.delete(container.id, retried)]),
    ...Object.values(remote.uploads).map((file) => client.files.delete(file.id, retried)),
  ];
  await allOrThrow(deletions);
}

/** Waits for all; what is gone already counts as deleted. Throws the first other problem. */
export async function allOrThrow(deletions: readonly PromiseLike<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(deletions);
  const problem = results.find(
    (result) =>
      result.status === "rejected" &&
      !(result.reason instanceof APIError && result.reason.status === 404),
  );
  if (problem?.status !== "rejected") return;
  throw new BotError("model-unreachable", {
    detail: "Something could not be deleted at the model service.",
    cause: problem.reason,
  });
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}
