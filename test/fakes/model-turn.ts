import type { Assistant } from "#domain/assistant";
import type { StoredFile } from "#domain/file";
import type { TranscriptEntry, UserEntry } from "#domain/thread";
import type { ModelBackend, ModelEvent, ModelTurn, TurnEnd } from "#ports/model-backend";

/** An assistant with nothing special about it. */
export const plainAssistant: Assistant = {
  id: "asst_1",
  object: "assistant",
  version: 3,
  created_at: 1,
  name: "Test",
  description: null,
  model: "small",
  instructions: "Be brief.",
  tools: [],
  file_ids: [],
  temperature: null,
  top_p: null,
  reasoning_effort: null,
  truncation_strategy: { type: "auto" },
  max_prompt_tokens: null,
  max_completion_tokens: null,
  metadata: {},
};

/** A turn that asks the first thing of a conversation. */
export function modelTurn(more: Partial<ModelTurn> = {}): ModelTurn {
  return {
    runId: "run_1",
    turn: 1,
    conversationKey: "web:general:1",
    personKey: "web:ada",
    assistant: plainAssistant,
    instructions: "Be brief.",
    functions: [],
    hostedTools: [],
    transcript: [userEntry("u1", "Hello")],
    files: new Map(),
    readFile: async (id) => {
      throw new Error(`no file ${id}`);
    },
    readText: async () => undefined,
    ...more,
  };
}

/** What a person said. */
export function userEntry(id: string, text: string, more: Partial<UserEntry> = {}): UserEntry {
  return {
    type: "user",
    id,
    personKey: "web:ada",
    author: "Ada",
    text,
    fileIds: [],
    createdAt: 1,
    ...more,
  };
}

/** What the assistant answered. */
export function assistantEntry(id: string, text: string): TranscriptEntry {
  return { type: "assistant", id, text, fileIds: [], partial: false, createdAt: 1 };
}

/** A function the model called. */
export function callEntry(callId: string, name = "lookup", args = "{}"): TranscriptEntry {
  return { type: "tool-call", id: `entry-${callId}`, callId, name, arguments: args };
}

/** What that function returned. */
export function outputEntry(callId: string, output: string): TranscriptEntry {
  return { type: "tool-output", id: `entry-${callId}-output`, callId, output, fileIds: [] };
}

/** A file of a turn: what it is stored as, and the text in it. */
export interface GivenFile extends Partial<StoredFile> {
  readonly id: string;
  readonly text?: string;
}

/** Files with their bytes and text, as a turn hands them over. */
export function turnFiles(
  ...files: readonly GivenFile[]
): Pick<ModelTurn, "files" | "readFile" | "readText"> {
  const texts = new Map(files.map((file) => [file.id, file.text]));
  const stored = files.map(
    ({ text, ...file }): StoredFile => ({
      object: "file",
      created_at: 1,
      filename: file.id,
      bytes: text?.length ?? 0,
      mime_type: "text/plain",
      purpose: "user_upload",
      use: "look",
      sha256: "",
      alt_text: null,
      ...file,
    }),
  );
  return {
    files: new Map(stored.map((file) => [file.id, file])),
    readFile: async (id) => new TextEncoder().encode(texts.get(id) ?? ""),
    readText: async (id) => texts.get(id),
  };
}

/** Everything a backend says. */
export async function allOf(events: AsyncIterable<ModelEvent>): Promise<readonly ModelEvent[]> {
  const all: ModelEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Asks a backend and waits for the end. */
export function ask(
  backend: ModelBackend,
  turn: ModelTurn,
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly ModelEvent[]> {
  return allOf(backend.stream(turn, signal));
}

/** The answer's text as a person would read it; citations as `[title]`. */
export function textOf(events: readonly ModelEvent[]): string {
  return events
    .map((event) => {
      if (event.type === "text-delta") return event.text;
      return event.type === "citation" ? `[${event.source.title}]` : "";
    })
    .join("");
}

/** The one end of a turn; fails when there is none, several, or something behind it. */
export function endOf(events: readonly ModelEvent[]): TurnEnd {
  const ends = events.filter((event) => event.type === "turn-end");
  const [end] = ends;
  if (end === undefined || ends.length !== 1 || events.at(-1) !== end) {
    throw new Error(`expected one turn-end at the end, got: ${events.map((e) => e.type)}`);
  }
  return end;
}

/** The code a turn failed with; undefined when it did not fail. */
export function failureOf(events: readonly ModelEvent[]): string | undefined {
  const { result } = endOf(events);
  return result.status === "failed" ? result.code : undefined;
}

/** The state a completed turn ended with, as the core stores it and reads it back. */
export function stateAfter(events: readonly ModelEvent[], covers: string) {
  const { result } = endOf(events);
  if (result.status !== "completed" || result.state === undefined) throw new Error("no state");
  return { ...(JSON.parse(JSON.stringify(result.state)) as typeof result.state), covers };
}
