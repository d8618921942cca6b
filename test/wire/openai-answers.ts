import type { ServerResponse } from "node:http";
import type { ScriptedEnd, ScriptedItem } from "./openai-events.ts";

type Wire = { readonly [key: string]: unknown };

/** What goes wrong with a stream, once so many of its events are out. */
export interface StreamFault {
  readonly type: "cut" | "reset" | "hang" | "malformed";
  readonly after: number;
}

/** What the model does with one request. */
export interface ScriptedTurn {
  readonly items?: readonly ScriptedItem[];
  readonly end?: ScriptedEnd;
  readonly fault?: StreamFault;
  /** What goes wrong with the streams that take a background response up again, one each. */
  readonly resumeFaults?: readonly (StreamFault | "too-old" | "unavailable")[];
  /** How often retrieving it says `in_progress` first. */
  readonly pollsUntilDone?: number;
  /** Refused before there is any stream. */
  readonly refuse?: {
    readonly status: number;
    readonly error?: {
      readonly code?: string;
      readonly type?: string;
      readonly message: string;
      readonly param?: string;
    };
    readonly headers?: { readonly [name: string]: string };
  };
}

export function scriptOf(turn: ScriptedTurn) {
  return {
    items: turn.items ?? [{ type: "message" as const, pieces: ["OK", "."] }],
    end: turn.end ?? { status: "completed" as const },
  };
}

export function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

export function refuse(
  response: ServerResponse,
  status: number,
  error: Wire | undefined = { message: "refused" },
  headers: { readonly [name: string]: string } = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error }));
}

export function sendEvents(
  response: ServerResponse,
  events: readonly Wire[],
  fault?: StreamFault,
  sentinel?: string,
): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const good = fault === undefined ? events : events.slice(0, fault.after);
  const lines = good.map((event) => {
    const isNamed = typeof event.event === "string" && "data" in event;
    if (isNamed) return `event: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
    const name = typeof event.type === "string" ? `event: ${event.type}\n` : "";
    return `${name}data: ${JSON.stringify(event)}\n\n`;
  });
  if (fault?.type === "malformed") lines.push('data: {"type":"response.output_text.del\n\n');
  const text = lines.join("");
  switch (fault?.type) {
    case undefined:
      response.end(sentinel === undefined ? text : `${text}data: ${sentinel}\n\n`);
      return;
    case "cut":
    case "malformed":
      response.end(text);
      return;
    case "reset":
      // A reset overtakes what the client has not read yet, so it is given a moment.
      response.write(text, () => setTimeout(() => response.socket?.resetAndDestroy(), 50));
      return;
    case "hang":
      response.write(text);
  }
}
