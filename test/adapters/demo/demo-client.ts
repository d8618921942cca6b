import OpenAI, { toFile } from "openai";
import type {
  Response,
  ResponseCreateParamsStreaming,
  ResponseInputItem,
  ResponseStreamEvent,
} from "openai/resources/responses/responses";
import {
  createDemoFetch,
  type DemoOptions,
  demoBaseUrl,
} from "../../../adapters/demo/demo-fetch.ts";

/** The ordinary client on a demo brain of its own, which answers at once unless told otherwise. */
export function demoClient(options: DemoOptions = {}): OpenAI {
  return new OpenAI({
    apiKey: "demo",
    baseURL: demoBaseUrl,
    maxRetries: 0,
    fetch: createDemoFetch({ tokensPerSecond: Number.POSITIVE_INFINITY, ...options }),
  });
}

export type Request = Partial<Omit<ResponseCreateParamsStreaming, "stream">>;

/** All events of an answer. */
export async function eventsOf(
  client: OpenAI,
  input: string | ResponseInputItem[],
  request: Request = {},
  signal?: AbortSignal,
): Promise<ResponseStreamEvent[]> {
  const stream = await client.responses.create(
    { model: "demo", ...request, input, stream: true },
    signal ? { signal } : {},
  );
  return collect(stream);
}

/** The finished response of an answer, and the text as it was streamed. */
export async function answerOf(
  client: OpenAI,
  input: string | ResponseInputItem[],
  request: Request = {},
): Promise<{ readonly text: string; readonly response: Response }> {
  const events = await eventsOf(client, input, request);
  const last = events.at(-1);
  if (last?.type !== "response.completed") throw new Error(`it ended with ${last?.type}`);
  return { text: streamedText(events), response: last.response };
}

export function streamedText(events: readonly ResponseStreamEvent[]): string {
  return events
    .map((event) => (event.type === "response.output_text.delta" ? event.delta : ""))
    .join("");
}

/** Uploads a text file. */
export async function upload(client: OpenAI, name: string, text: string): Promise<string> {
  const file = await client.files.create({
    file: await toFile(new TextEncoder().encode(text), name),
    purpose: "user_data",
  });
  return file.id;
}

/** A message with files. */
export function messageWith(text: string, fileIds: readonly string[]): ResponseInputItem[] {
  const files = fileIds.map((file_id) => ({ type: "input_file" as const, file_id }));
  return [{ role: "user", content: [...files, { type: "input_text", text }] }];
}

/** Everything that comes. */
export async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = [];
  for await (const value of values) all.push(value);
  return all;
}
