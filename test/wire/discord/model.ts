import type {
  APIApplicationCommand,
  APIMessageSnapshot,
  ChannelType,
  InteractionType,
  MessageReferenceType,
  MessageType,
} from "discord-api-types/v10";
import type { JsonObject } from "../slack/json.ts";

export interface DiscordUser {
  readonly id: string;
  readonly username: string;
  readonly globalName: string | null;
  readonly isBot: boolean;
  /** False: direct messages from bots are refused (50007). */
  acceptsDirectMessages: boolean;
}

export interface DiscordRole {
  readonly id: string;
  readonly name: string;
  permissions: bigint;
  readonly position: number;
  readonly isMentionable: boolean;
}

export interface DiscordMember {
  readonly userId: string;
  nick: string | null;
  readonly roleIds: Set<string>;
  readonly joinedAtMs: number;
}

export interface DiscordGuild {
  readonly id: string;
  readonly name: string;
  readonly ownerId: string;
  readonly roles: Map<string, DiscordRole>;
  readonly members: Map<string, DiscordMember>;
  /** Boosts: 2 and 3 raise the size of files. */
  premiumTier: 0 | 1 | 2 | 3;
  /** False during an outage. */
  isAvailable: boolean;
  readonly commands: Map<string, APIApplicationCommand>;
}

export interface PermissionOverwrite {
  readonly id: string;
  readonly type: "role" | "member";
  allow: bigint;
  deny: bigint;
}

export interface ThreadState {
  readonly ownerId: string;
  isArchived: boolean;
  isLocked: boolean;
  archivedAtMs: number;
  autoArchiveMinutes: number;
  isInvitable: boolean;
  readonly members: Set<string>;
  appliedTags: readonly string[];
  readonly createdAtMs: number;
  slowmodeSeconds: number;
}

export interface DiscordChannel {
  readonly id: string;
  readonly guildId: string | undefined;
  readonly type: ChannelType;
  name: string;
  topic: string | null;
  readonly parentId: string | undefined;
  readonly overwrites: Map<string, PermissionOverwrite>;
  /** The people of a direct conversation, the bot not among them. */
  readonly recipientIds: readonly string[];
  readonly messages: DiscordMessage[];
  /** Messages that were deleted, as they last stood. */
  readonly deleted: DiscordMessage[];
  lastMessageId: string | undefined;
  readonly thread: ThreadState | undefined;
  readonly tags: readonly { readonly id: string; readonly name: string }[];
}

export interface DiscordAttachment {
  readonly id: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
  description: string | undefined;
  readonly durationSeconds: number | undefined;
  readonly waveform: string | undefined;
  readonly isEphemeral: boolean;
  readonly createdAtMs: number;
}

/** One state a message was in. */
export interface MessageVersion {
  readonly atMs: number;
  readonly content: string;
  readonly components: readonly JsonObject[];
}

export interface DiscordMessage {
  readonly id: string;
  readonly channelId: string;
  readonly authorId: string;
  readonly type: MessageType;
  content: string;
  readonly createdAtMs: number;
  editedAtMs: number | undefined;
  flags: number;
  embeds: readonly JsonObject[];
  components: readonly JsonObject[];
  attachments: readonly DiscordAttachment[];
  readonly nonce: string | number | undefined;
  /** Users the message speaks to, as its `mentions` lists them. */
  mentions: readonly string[];
  mentionRoles: readonly string[];
  mentionsEveryone: boolean;
  /** Everybody it has pinged or, after an edit, could seem to ping: user ids, `everyone`, role ids. */
  readonly notified: Set<string>;
  readonly reference:
    | {
        readonly type: MessageReferenceType;
        readonly channelId: string;
        readonly messageId: string;
      }
    | undefined;
  readonly snapshots: readonly APIMessageSnapshot[];
  readonly reactions: Map<string, Set<string>>;
  /** Every state so far, the present one last. */
  readonly versions: MessageVersion[];
  /** Whom it is shown to, when nobody else sees it. */
  readonly ephemeralFor: string | undefined;
  readonly interaction: DiscordInteraction | undefined;
  hasThread: boolean;
  readonly webhook: { readonly id: string; readonly name: string } | undefined;
}

/** How far the answer to an interaction has come. */
export type InteractionStatus =
  | "waiting"
  | "answered"
  | "deferred"
  | "deferred-update"
  | "updated"
  | "choices"
  | "modal"
  /** Three seconds passed: the person reads that the application did not respond. */
  | "failed";

export interface DiscordInteraction {
  readonly id: string;
  readonly token: string;
  readonly type: InteractionType;
  readonly userId: string;
  readonly channelId: string;
  readonly guildId: string | undefined;
  readonly createdAtMs: number;
  readonly commandName: string | undefined;
  /** The message whose component was used. */
  readonly message: DiscordMessage | undefined;
  status: InteractionStatus;
  answeredAtMs: number | undefined;
  /** The message `@original` names. */
  original: DiscordMessage | undefined;
  readonly followUps: DiscordMessage[];
  choices: readonly { readonly name: string; readonly value: string | number }[];
  modal: JsonObject | undefined;
}
