import type { JsonObject } from "./json.ts";

/** What the Web API says no with: HTTP 200 and `{ ok: false, error }`. */
export class SlackRefusal extends Error {
  readonly code: string;
  readonly details: JsonObject;

  constructor(code: string, details: JsonObject = {}) {
    super(code);
    this.name = "SlackRefusal";
    this.code = code;
    this.details = details;
  }
}

/** Refuses a call; `messages` say why, as `response_metadata.messages` does. */
export function refuse(code: string, ...messages: readonly string[]): never {
  throw new SlackRefusal(
    code,
    messages.length === 0
      ? {}
      : { response_metadata: { messages: messages.map((message) => `[ERROR] ${message}`) } },
  );
}
