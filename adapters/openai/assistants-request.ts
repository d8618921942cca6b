import type { TranscriptEntry } from "#domain/thread";
import { authorLine, quotedBlock, summaryBlock } from "#domain/transcript";
import type { ModelTurn } from "#ports/model-backend";
import { isReasoningModel } from "./profiles.ts";
import { assistantText, withAttachedNote } from "./request.ts";

type Wire = { readonly [key: string]: unknown };

/** A run's body: what can be refused and left out stands at its top. */
export type RunBody = Wire & { readonly model: string };

/** A file of a message, as this API takes it. */
export type ThreadPart =
  | { readonly type: "text"; readonly text: string }
  /** Uploaded for looking at. */
  | { readonly type: "image"; readonly remoteId: string }
  /** Uploaded for a hosted tool; the message names it. */
  | {
      readonly type: "attachment";
      readonly remoteId: string;
      readonly tool: "file_search" | "code_interpreter";
    };

/** What goes with every run: the assistant is ours, so all of it is said anew. */
export function runBody(turn: ModelTurn, assistantId: string): RunBody {
  const { assistant } = turn;
  const isReasoning = isReasoningModel(assistant.model);
  const truncation = assistant.truncation_strategy;
  return {
    assistant_id: assistantId,
    model: assistant.model,
    instructions: turn.instructions,
    tools: [
      ...turn.hostedTools
        .filter((type) => type === "code_interpreter" || type === "file_search")
        .map((type) => ({ type })),
      ...turn.functions.map(({ name, description, parameters }) => ({
        type: "function",
        function: { name, description, parameters: { ...parameters } },
      })),
    ],
    ...(truncation.type === "auto"
      ? {}
      : {
          truncation_strategy: {
            type: "last_messages",
            last_messages: truncation.last_messages,
          },
        }),
    ...(turn.maxCompletionTokens === undefined
      ? {}
      : { max_completion_tokens: Math.max(256, turn.maxCompletionTokens) }),
    ...(isReasoning || assistant.temperature === null
      ? {}
      : { temperature: assistant.temperature }),
    ...(isReasoning || assistant.top_p === null ? {} : { top_p: assistant.top_p }),
    stream: true,
  };
}

/** As many attachments as a message takes. */
const maxAttachments = 10;

/** The files an assistant keeps, as the messages a thread begins with: the handle there has none. */
export function ownFileMessages(
  turn: ModelTurn,
  parts: ReadonlyMap<string, ThreadPart>,
): readonly Wire[] {
  const own = turn.assistant.file_ids.flatMap((id) => parts.get(id) ?? []);
  const messages: Wire[] = [];
  for (let from = 0; from < own.length; from += maxAttachments) {
    messages.push(
      userMessage("Files that belong to this assistant:", own.slice(from, from + maxAttachments)),
    );
  }
  return messages;
}

/**
 * Transcript entries as messages of a thread. Calls of earlier runs cannot stand there: what they
 * gave is told in words.
 */
export function toThreadMessages(
  entries: readonly TranscriptEntry[],
  turn: ModelTurn,
  parts: ReadonlyMap<string, ThreadPart>,
): readonly Wire[] {
  const names = new Map(
    entries.flatMap((entry) =>
      entry.type === "tool-call" ? [[entry.callId, entry.name] as const] : [],
    ),
  );
  return entries.flatMap((entry) => messagesOf(entry, { turn, parts, names }));
}

function messagesOf(
  entry: TranscriptEntry,
  about: {
    readonly turn: ModelTurn;
    readonly parts: ReadonlyMap<string, ThreadPart>;
    readonly names: ReadonlyMap<string, string>;
  },
): readonly Wire[] {
  const { turn, parts, names } = about;
  switch (entry.type) {
    case "user": {
      const own = entry.fileIds.flatMap((id) => parts.get(id) ?? []);
      const before = [...(entry.quoted ? [quotedBlock(entry.quoted)] : []), authorLine(entry)];
      return [userMessage(before.join("\n\n"), own, entry.text)];
    }
    case "summary":
      return [message("user", summaryBlock(entry))];
    case "assistant": {
      const text = assistantText(entry, turn.files);
      return text === "" ? [] : [message("assistant", text)];
    }
    case "tool-call":
      return [];
    case "tool-output": {
      const name = names.get(entry.callId) ?? "a function";
      const output = withAttachedNote(entry.output, entry.fileIds, turn.files);
      return [message("assistant", `[${name} was called and gave: ${output}]`)];
    }
    case "backend":
      return [];
  }
}

function userMessage(before: string, files: readonly ThreadPart[], after = ""): Wire {
  const texts = [
    before,
    ...files.flatMap((part) => (part.type === "text" ? [part.text] : [])),
    ...(after === "" ? [] : [after]),
  ];
  const images = files.flatMap((part) =>
    part.type === "image" ? [{ type: "image_file", image_file: { file_id: part.remoteId } }] : [],
  );
  const attachments = files.flatMap((part) =>
    part.type === "attachment" ? [{ file_id: part.remoteId, tools: [{ type: part.tool }] }] : [],
  );
  return {
    role: "user",
    content: [{ type: "text", text: texts.join("\n\n") }, ...images],
    ...(attachments.length > 0 ? { attachments } : {}),
  };
}

function message(role: "user" | "assistant", text: string): Wire {
  return { role, content: [{ type: "text", text }] };
}
