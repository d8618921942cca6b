import { hash } from "node:crypto";
import type {
  EasyInputMessage,
  FunctionTool,
  ResponseCreateParamsStreaming,
  ResponseIncludable,
  ResponseInputContent,
  ResponseInputItem,
  Tool,
} from "openai/resources/responses/responses";
import type { StoredFile } from "#domain/file";
import type { Json } from "#domain/json";
import type { TranscriptEntry } from "#domain/thread";
import type { HostedToolType } from "#domain/tool";
import {
  attachedNote,
  authorLine,
  documentBlock,
  quotedBlock,
  summaryBlock,
} from "#domain/transcript";
import type { ModelTurn } from "#ports/model-backend";
import { type EndpointProfile, isReasoningModel } from "./profiles.ts";
import { asObject, asString } from "./wire.ts";

/** How one of our files is given to the model, once everything it takes has been done. */
export type FilePart = InlinePart | { readonly type: "upload"; readonly remoteId: string };

/** What needs nothing but the request itself. */
export type InlinePart =
  | { readonly type: "image"; readonly dataUrl: string }
  | {
      readonly type: "text";
      readonly name: string;
      readonly text: string;
      readonly isTruncated: boolean;
    }
  /** Said about it instead of showing it. */
  | { readonly type: "note"; readonly text: string };

/** What the hosted tools of a turn work on. */
export interface ToolResources {
  readonly vectorStoreIds: readonly string[];
  /** A container that is alive, or the remote files for a new one. */
  readonly container: { readonly id: string } | { readonly fileIds: readonly string[] };
}

/** All that a request is made of. The rest of this module is pure. */
export interface ResponsesRequest {
  readonly turn: ModelTurn;
  readonly profile: EndpointProfile;
  /** What the model has not seen yet: everything, or what comes after `previousResponseId`. */
  readonly entries: readonly TranscriptEntry[];
  readonly previousResponseId: string | undefined;
  readonly backend: string;
  readonly parts: ReadonlyMap<string, FilePart>;
  readonly resources: ToolResources;
  readonly store: boolean;
  readonly background: boolean;
  readonly compactThresholdTokens: number;
  /** False once the service refused to read the reasoning items it had made. */
  readonly replaysItems: boolean;
}

/** The smallest `max_output_tokens` that OpenAI accepts. */
const minOutputTokens = 16;

/**
 * The body of a `POST /responses`. Instructions and tools come out the same for every turn of a
 * conversation, so that the provider's cache of the prefix holds.
 */
export function toResponsesBody(request: ResponsesRequest): ResponseCreateParamsStreaming {
  const { turn, profile, store } = request;
  const { assistant } = turn;
  const isReasoning = isReasoningModel(assistant.model);
  const tools = toTools(request);
  const include = toInclude(request, isReasoning);
  const isCompacted = profile.compaction && assistant.truncation_strategy.type === "auto";
  return {
    model: assistant.model,
    instructions: turn.instructions,
    input: toInput(request),
    stream: true,
    store,
    ...(request.previousResponseId === undefined
      ? {}
      : { previous_response_id: request.previousResponseId }),
    ...(request.background ? { background: true } : {}),
    ...(tools.length === 0 ? {} : { tools }),
    ...(include.length === 0 ? {} : { include }),
    ...(turn.maxCompletionTokens === undefined
      ? {}
      : { max_output_tokens: Math.max(minOutputTokens, turn.maxCompletionTokens) }),
    ...(isReasoning || assistant.temperature === null
      ? {}
      : { temperature: assistant.temperature }),
    ...(isReasoning || assistant.top_p === null ? {} : { top_p: assistant.top_p }),
    ...toReasoning(request, isReasoning),
    ...(isCompacted
      ? {
          context_management: [
            { type: "compaction", compact_threshold: request.compactThresholdTokens },
          ],
        }
      : {}),
    ...(profile.openaiFields ? openaiFields(turn, store) : {}),
  };
}

function toReasoning(request: ResponsesRequest, isReasoning: boolean) {
  const effort = request.turn.assistant.reasoning_effort;
  const asksSummary = isReasoning && request.profile.openaiFields;
  if (effort === null && !asksSummary) return {};
  return {
    reasoning: {
      ...(effort === null ? {} : { effort }),
      ...(asksSummary ? { summary: "auto" as const } : {}),
    },
  };
}

function openaiFields(turn: ModelTurn, store: boolean) {
  const { assistant } = turn;
  return {
    prompt_cache_key: fingerprint(`${assistant.id}/${turn.conversationKey}`),
    safety_identifier: fingerprint(turn.personKey),
    stream_options: { include_obfuscation: false },
    ...(store
      ? {
          metadata: {
            assistant: assistant.id.slice(0, 512),
            assistant_version: String(assistant.version),
            run: turn.runId.slice(0, 512),
            turn: String(turn.turn),
          },
        }
      : {}),
  };
}

/** Stable, and says nothing about who or where. */
function fingerprint(key: string): string {
  return hash("sha256", key).slice(0, 48);
}

function toInclude(
  { turn, profile, store }: ResponsesRequest,
  isReasoning: boolean,
): ResponseIncludable[] {
  return [...includesOf(turn), ...encryptedReasoning(profile, store, isReasoning)];
}

/** What the steps show and a response leaves out unless asked; also for fetching it later. */
export function includesOf(turn: ModelTurn): ResponseIncludable[] {
  return turn.hostedTools.flatMap((tool) => includeOf[tool]);
}

const includeOf: { readonly [type in HostedToolType]: readonly ResponseIncludable[] } = {
  code_interpreter: ["code_interpreter_call.outputs"],
  file_search: ["file_search_call.results"],
  web_search: ["web_search_call.action.sources"],
  image_generation: [],
};

function encryptedReasoning(
  profile: EndpointProfile,
  store: boolean,
  isReasoning: boolean,
): ResponseIncludable[] {
  const canAsk =
    profile.encryptedReasoning === "all" ||
    (profile.encryptedReasoning === "reasoning-models" && isReasoning);
  return !store && canAsk ? ["reasoning.encrypted_content"] : [];
}

function toTools({ turn, resources }: ResponsesRequest): Tool[] {
  const hosted = turn.hostedTools.flatMap((type) => toHostedTool(type, resources));
  const functions = turn.functions.map(
    (spec): FunctionTool => ({
      type: "function",
      name: spec.name,
      description: spec.description,
      parameters: { ...spec.parameters },
      strict: false,
    }),
  );
  return [...hosted, ...functions];
}

function toHostedTool(
  type: HostedToolType,
  { container, vectorStoreIds }: ToolResources,
): readonly Tool[] {
  switch (type) {
    case "code_interpreter": {
      if ("id" in container) return [{ type, container: container.id }];
      const files = container.fileIds.length === 0 ? {} : { file_ids: [...container.fileIds] };
      return [{ type, container: { type: "auto", ...files } }];
    }
    case "file_search":
      // Without a store there is nothing to search, and the API refuses an empty list.
      return vectorStoreIds.length === 0 ? [] : [{ type, vector_store_ids: [...vectorStoreIds] }];
    case "web_search":
      return [{ type }];
    case "image_generation":
      return [{ type }];
  }
}

function toInput(request: ResponsesRequest): ResponseInputItem[] {
  const { turn, parts } = request;
  const input: ResponseInputItem[] = [];
  if (request.previousResponseId === undefined) {
    const own = turn.assistant.file_ids.flatMap((id) =>
      toContent(parts.get(id), turn.files.get(id)),
    );
    const heading = { type: "input_text" as const, text: "Files that belong to this assistant:" };
    if (own.length > 0) input.push({ role: "user", content: [heading, ...own] });
  }
  let hasCommentary = false;
  for (const entry of sinceCompaction(request)) {
    switch (entry.type) {
      case "user":
        input.push({ role: "user", content: userContent(entry, request) });
        break;
      case "summary":
        input.push({ role: "user", content: summaryBlock(entry) });
        break;
      case "assistant": {
        const text = assistantText(entry, turn.files);
        // A model that marks its commentary wants its answers marked as well when they come back.
        if (text !== "") input.push(assistantMessage(text, hasCommentary));
        hasCommentary = false;
        break;
      }
      case "tool-call":
        input.push({
          type: "function_call",
          call_id: entry.callId,
          name: entry.name,
          arguments: entry.arguments,
        });
        break;
      case "tool-output":
        input.push({
          type: "function_call_output",
          call_id: entry.callId,
          output: withAttachedNote(entry.output, entry.fileIds, turn.files),
        });
        break;
      case "backend": {
        const item = replayedItem(entry, request);
        if (item === undefined) break;
        hasCommentary ||= asObject(item)?.type === "message";
        input.push(item);
        break;
      }
    }
  }
  return input;
}

function assistantMessage(text: string, isPhased: boolean): EasyInputMessage {
  return {
    role: "assistant",
    content: text,
    ...(isPhased ? { phase: "final_answer" as const } : {}),
  };
}

/** A compaction item stands for all that came before it. */
function sinceCompaction(request: ResponsesRequest): readonly TranscriptEntry[] {
  const at = request.entries.findLastIndex(
    (entry) =>
      entry.type === "backend" && asObject(replayedItem(entry, request))?.type === "compaction",
  );
  return at === -1 ? request.entries : request.entries.slice(at);
}

/** What a turn hands back to be replayed. Only the model that made it can read it. */
export function toReplayed(model: string, item: { readonly [key: string]: unknown }): Json {
  // It came as JSON.
  return { model, item: item as Json };
}

function replayedItem(
  entry: Extract<TranscriptEntry, { readonly type: "backend" }>,
  request: ResponsesRequest,
): ResponseInputItem | undefined {
  const wrapped = asObject(entry.item);
  const isOurs =
    entry.backend === request.backend && wrapped?.model === request.turn.assistant.model;
  if (!isOurs || !request.replaysItems) return undefined;
  const item = asObject(wrapped.item);
  if (item === undefined) return undefined;
  // Without its encrypted content a reasoning item is only a name for something nobody has kept.
  const isReadable = item.type === "message" || typeof item.encrypted_content === "string";
  return isReadable ? (item as unknown as ResponseInputItem) : undefined;
}

function userContent(
  entry: Extract<TranscriptEntry, { readonly type: "user" }>,
  { turn, parts }: ResponsesRequest,
): ResponseInputContent[] {
  const text = (value: string) => ({ type: "input_text" as const, text: value });
  return [
    ...(entry.quoted === undefined || entry.quoted === "" ? [] : [text(quotedBlock(entry.quoted))]),
    text(authorLine(entry)),
    ...entry.fileIds.flatMap((id) => toContent(parts.get(id), turn.files.get(id))),
    ...(entry.text === "" ? [] : [text(entry.text)]),
  ];
}

function toContent(
  part: FilePart | undefined,
  file: StoredFile | undefined,
): readonly ResponseInputContent[] {
  if (part === undefined) {
    return [{ type: "input_text", text: `[${file?.filename ?? "A file"} is no longer available]` }];
  }
  switch (part.type) {
    case "image":
      return [{ type: "input_image", image_url: part.dataUrl, detail: "auto" }];
    case "upload":
      return [{ type: "input_file", file_id: part.remoteId }];
    case "text":
      return [{ type: "input_text", text: documentBlock(part.name, part.text, part.isTruncated) }];
    case "note":
      return [{ type: "input_text", text: part.text }];
  }
}

/** An assistant's earlier answer, with what a model would not see of it. */
export function assistantText(
  entry: Extract<TranscriptEntry, { readonly type: "assistant" }>,
  files: ReadonlyMap<string, StoredFile>,
): string {
  const text = withAttachedNote(entry.text, entry.fileIds, files);
  return entry.partial ? `${text}\n\n[The answer was interrupted here.]`.trimStart() : text;
}

/** A text, followed by the names of the files that went with it. */
export function withAttachedNote(
  text: string,
  fileIds: readonly string[],
  files: ReadonlyMap<string, StoredFile>,
): string {
  const names = fileIds.flatMap((id) => asString(files.get(id)?.filename) ?? []);
  if (names.length === 0) return text;
  return text === "" ? attachedNote(names) : `${text}\n\n${attachedNote(names)}`;
}
