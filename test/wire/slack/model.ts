import type { JsonObject } from "./json.ts";
import type { MessageStream } from "./message-stream.ts";

/** One person or bot user of a workspace. */
export interface SlackUser {
  readonly id: string;
  readonly teamId: string;
  /** The short name, as after an @. */
  readonly name: string;
  readonly realName: string;
  readonly timeZone: string;
  readonly email: string;
  readonly isBot: boolean;
  readonly botId: string | undefined;
  readonly isAdmin: boolean;
  readonly isOwner: boolean;
  readonly isGuest: boolean;
  readonly isDeleted: boolean;
}

/** A public or private channel, a direct message, or one among several. */
export interface SlackChannel {
  readonly id: string;
  readonly teamId: string;
  readonly name: string;
  readonly type: "channel" | "group" | "im" | "mpim";
  readonly members: Set<string>;
  readonly messages: SlackMessage[];
  /** Shared with another organisation. */
  readonly isShared: boolean;
  isArchived: boolean;
  isReadOnly: boolean;
  /** Streaming methods refuse it with `channel_type_not_supported`. */
  refusesStreams: boolean;
  topic: string;
}

/** A file in the workspace, with its bytes. */
export interface SlackFile {
  readonly id: string;
  readonly teamId: string;
  readonly userId: string;
  readonly name: string;
  readonly mimeType: string;
  readonly bytes: Uint8Array;
  readonly createdMs: number;
  readonly altText: string | undefined;
  readonly mode: "hosted" | "external" | "snippet" | "tombstone" | "hidden_by_limit";
  /** Slack Connect: the event holds a stub, files.info has the rest. */
  readonly needsFileInfo: boolean;
  /** What a download answers, whatever the token. */
  readonly download: "bytes" | "login-page" | "redirect" | "not-found";
  title: string;
  readonly channelIds: Set<string>;
}

/** A message as it lies in a channel. */
export interface SlackMessage {
  readonly ts: string;
  readonly channelId: string;
  readonly teamId: string;
  /** The root's ts; equal to `ts` on a root that has replies, undefined on one that has none. */
  threadTs: string | undefined;
  readonly userId: string;
  readonly botId: string | undefined;
  /** The name given with chat:write.customize. */
  readonly username: string | undefined;
  readonly clientMessageId: string;
  subtype: string | undefined;
  text: string;
  /** How `text` is to be read: Slack's own markup, or Markdown. */
  form: "mrkdwn" | "markdown";
  /** Blocks the app gave; they are what people see instead of `text`. */
  blocks: readonly JsonObject[] | undefined;
  attachments: readonly JsonObject[] | undefined;
  files: readonly SlackFile[];
  metadata: JsonObject | undefined;
  edited: { readonly userId: string; readonly ts: string } | undefined;
  readonly reactions: Map<string, string[]>;
  readonly isBroadcast: boolean;
  /** Everybody and everything this message has ever notified: user ids, `channel`, `here`, groups. */
  readonly notified: Set<string>;
  stream: MessageStream | undefined;
}

/** A message only one person sees. */
export interface EphemeralMessage {
  readonly ts: string;
  readonly channelId: string;
  readonly userId: string;
  readonly threadTs: string | undefined;
  text: string;
  form: "mrkdwn" | "markdown";
  blocks: readonly JsonObject[] | undefined;
}

/** A modal or a Home tab as Slack keeps it. */
export interface SlackView {
  readonly id: string;
  readonly teamId: string;
  readonly userId: string;
  readonly type: "modal" | "home";
  readonly rootId: string;
  readonly previousId: string | undefined;
  hash: string;
  content: JsonObject;
  /** By block id, after a refused submission. */
  errors: Readonly<Record<string, string>>;
}

/** What the session of one thread shows. */
export interface AgentSession {
  readonly channelId: string;
  readonly threadTs: string;
  status: "processing" | "active" | "suspended" | "closed";
  title: string | undefined;
  /** When it was last set to processing; Slack forgets it an hour later. */
  processingSinceMs: number | undefined;
}

/** One workspace the app is installed in: the token and what it may do. */
export interface Installation {
  readonly teamId: string;
  readonly botUserId: string;
  readonly botId: string;
  readonly scopes: ReadonlySet<string>;
  readonly installerId: string;
  token: string;
  /** Tokens that were refreshed and still live, with their end. */
  readonly earlierTokens: Map<string, number>;
  refreshToken: string | undefined;
  expiresAtMs: number | undefined;
  state: "active" | "revoked" | "uninstalled";
}
