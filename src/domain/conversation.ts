import type { Json } from "#domain/json";

/** Someone who writes to the bot. `key` is unique across platforms: `slack:T1:U1`, `web:ada`. */
export interface Person {
  readonly key: string;
  readonly name: string;
}

/** Where something was said, in the bot's words; only `target` is the platform's own business. */
export interface Place {
  readonly platform: string;
  /** The channel, server-wide unique: `slack:T1:C1`, `discord:G1:C1`, `web:general`. Settings hang on it. */
  readonly channelKey: string;
  readonly channelName: string;
  /** The chat thread inside the channel: the root message's identity. `slack:T1:C1:1700000000.000100`. */
  readonly threadKey: string;
  readonly isDirect: boolean;
  /** What the platform needs to draw a reply here. Opaque to the core. */
  readonly target: Json;
}

/** How much of a channel one conversation spans. */
export type Scope = "thread" | "person" | "channel";

/**
 * The conversation a message belongs to: queue, fence and order hang on this key.
 * A direct message is always one conversation; in a channel the scope decides.
 */
export function conversationKeyOf(place: Place, person: Person, scope: Scope): string {
  if (place.isDirect) return place.channelKey;
  switch (scope) {
    case "thread":
      return place.threadKey;
    case "person":
      return `${place.channelKey}/person/${person.key}`;
    case "channel":
      return `${place.channelKey}/channel`;
  }
}

/** What happens to messages that arrive while one is being answered. */
export type QueuePolicy = "fifo" | "merge" | "latest";
