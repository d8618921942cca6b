import type { JsonObject } from "./json.ts";

/** A task card of a stream, as its chunks left it. */
export interface TaskCard {
  readonly id: string;
  readonly title: string;
  readonly status: string;
  readonly details: string;
  readonly output: string;
  readonly sources: readonly JsonObject[];
}

/** What one streamed message holds and whether it still takes more. */
export interface MessageStream {
  readonly recipientId: string | undefined;
  readonly startedAtMs: number;
  readonly displayMode: "timeline" | "plan";
  /** `live` takes chunks; the others are final. */
  state: "live" | "stopped" | "stopped-by-user" | "expired";
  text: string;
  /** What everybody but the recipient sees until it is stopped. */
  firstText: string | undefined;
  planTitle: string | undefined;
  readonly tasks: Map<string, TaskCard>;
  /** Blocks that came as chunks, and, below them, those given at the stop. */
  blocks: readonly JsonObject[];
  finalBlocks: readonly JsonObject[];
}

/** What is counted against a streamed message's size: UTF-8 bytes, details and output twice. */
export function weightedBytes(stream: Pick<MessageStream, "text" | "planTitle" | "tasks">): number {
  let bytes = Buffer.byteLength(stream.text) + Buffer.byteLength(stream.planTitle ?? "");
  for (const task of stream.tasks.values()) {
    bytes += Buffer.byteLength(task.title);
    bytes += 2 * Buffer.byteLength(task.details) + 2 * Buffer.byteLength(task.output);
  }
  return bytes;
}
