import type {
  ChatCompletionContentPart,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";
import type { StoredFile } from "#domain/file";
import type { TranscriptEntry, UserEntry } from "#domain/thread";
import { authorLine, documentBlock, quotedBlock, summaryBlock } from "#domain/transcript";
import type { ModelTurn } from "#ports/model-backend";
import { searchesItself } from "./files.ts";
import { type EndpointProfile, isReasoningModel } from "./profiles.ts";
import { assistantText, type InlinePart, withAttachedNote } from "./request.ts";

/** All that a chat request is made of. This module is pure. */
export interface ChatRequest {
  readonly turn: ModelTurn;
  readonly profile: EndpointProfile;
  readonly entries: readonly TranscriptEntry[];
  readonly parts: ReadonlyMap<string, InlinePart>;
}

/** The body of a `POST /chat/completions`. */
export function toChatBody(request: ChatRequest): ChatCompletionCreateParamsStreaming {
  const { turn, profile } = request;
  const { assistant } = turn;
  const isReasoning = isReasoningModel(assistant.model);
  const effort = assistant.reasoning_effort;
  return {
    model: assistant.model,
    messages: toMessages(request),
    stream: true,
    stream_options: { include_usage: true },
    ...(turn.functions.length === 0
      ? {}
      : {
          tools: turn.functions.map((spec) => ({
            type: "function" as const,
            function: {
              name: spec.name,
              description: spec.description,
              parameters: { ...spec.parameters },
            },
          })),
        }),
    ...(turn.maxCompletionTokens === undefined
      ? {}
      : { [profile.maxTokensField]: Math.max(1, turn.maxCompletionTokens) }),
    ...(isReasoning || assistant.temperature === null
      ? {}
      : { temperature: assistant.temperature }),
    ...(isReasoning || assistant.top_p === null ? {} : { top_p: assistant.top_p }),
    ...(effort === null ? {} : { reasoning_effort: effort }),
  };
}

/**
 * The transcript as messages. Neighbours of the same role become one message: the templates of many
 * local models accept nothing but strict turns.
 */
function toMessages(request: ChatRequest): ChatCompletionMessageParam[] {
  const { turn } = request;
  const messages: ChatCompletionMessageParam[] = [];
  if (turn.instructions !== "") messages.push({ role: "system", content: turn.instructions });
  let said: ChatCompletionContentPart[] = assistantFiles(request);
  let answer = "";
  let calls: Extract<TranscriptEntry, { readonly type: "tool-call" }>[] = [];
  const pushUser = () => {
    if (said.length > 0) messages.push({ role: "user", content: simplest(said) });
    said = [];
  };
  const pushAssistant = () => {
    if (answer !== "" || calls.length > 0) {
      messages.push({
        role: "assistant",
        content: answer === "" ? null : answer,
        ...(calls.length === 0 ? {} : { tool_calls: calls.map(toToolCall) }),
      });
    }
    answer = "";
    calls = [];
  };
  for (const entry of request.entries) {
    switch (entry.type) {
      case "user":
        pushAssistant();
        said.push(...userParts(entry, request));
        break;
      case "summary":
        pushAssistant();
        said.push({ type: "text", text: summaryBlock(entry) });
        break;
      case "assistant": {
        pushUser();
        const text = assistantText(entry, turn.files);
        answer = [answer, text].filter((part) => part !== "").join("\n\n");
        break;
      }
      case "tool-call":
        pushUser();
        calls.push(entry);
        break;
      case "tool-output":
        pushAssistant();
        messages.push({
          role: "tool",
          tool_call_id: entry.callId,
          content: withAttachedNote(entry.output, entry.fileIds, turn.files),
        });
        break;
      case "backend":
        break;
    }
  }
  pushAssistant();
  pushUser();
  return messages;
}

function toToolCall(entry: Extract<TranscriptEntry, { readonly type: "tool-call" }>) {
  return {
    id: entry.callId,
    type: "function" as const,
    // Servers parse it, and answer an empty string with an error.
    function: { name: entry.name, arguments: entry.arguments === "" ? "{}" : entry.arguments },
  };
}

/** Files that are searched need not all be named. */
const maxNamedFiles = 40;

function assistantFiles({ turn, parts }: ChatRequest): ChatCompletionContentPart[] {
  const ids = turn.assistant.file_ids;
  if (ids.length === 0) return [];
  const named = searchesItself(turn) ? ids.slice(0, maxNamedFiles) : ids;
  const rest = ids.length - named.length;
  return [
    { type: "text", text: "Files that belong to this assistant:" },
    ...named.map((id) => toPart(parts.get(id), turn.files.get(id))),
    ...(rest === 0
      ? []
      : [{ type: "text" as const, text: `[${rest} more files can be searched with file search]` }]),
  ];
}

function userParts(entry: UserEntry, { turn, parts }: ChatRequest): ChatCompletionContentPart[] {
  const text = (value: string) => ({ type: "text" as const, text: value });
  return [
    ...(entry.quoted === undefined || entry.quoted === "" ? [] : [text(quotedBlock(entry.quoted))]),
    text(authorLine(entry)),
    ...entry.fileIds.map((id) => toPart(parts.get(id), turn.files.get(id))),
    ...(entry.text === "" ? [] : [text(entry.text)]),
  ];
}

function toPart(
  part: InlinePart | undefined,
  file: StoredFile | undefined,
): ChatCompletionContentPart {
  if (part === undefined) {
    return { type: "text", text: `[${file?.filename ?? "A file"} is no longer available]` };
  }
  switch (part.type) {
    case "image":
      return { type: "image_url", image_url: { url: part.dataUrl } };
    case "text":
      return { type: "text", text: documentBlock(part.name, part.text, part.isTruncated) };
    case "note":
      return { type: "text", text: part.text };
  }
}

/** One string where there are only texts: not every server takes parts. */
function simplest(parts: readonly ChatCompletionContentPart[]) {
  const texts = parts.map((part) => (part.type === "text" ? part.text : undefined));
  return texts.some((text) => text === undefined) ? [...parts] : texts.join("\n\n");
}
