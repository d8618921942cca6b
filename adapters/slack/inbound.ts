import type { Person, Place } from "#domain/conversation";
import type { Json } from "#domain/json";
import type { EditedOrDeleted, IncomingMessage, QuotedMessage } from "#domain/message";
import type { Role } from "#domain/settings";
import { attachmentOf, type SlackFileObject } from "./files.ts";
import { toMarkdown } from "./markdown.ts";

/** The app in one workspace, as `auth.test` names it. */
export interface Workspace {
  readonly teamId: string;
  readonly botUser: string;
  readonly botId: string;
}

/** What a reply needs to find its place again. */
export interface SlackTarget {
  readonly team: string;
  readonly channel: string;
  readonly threadTs: string;
  /** Who is answered, and their own workspace: a stream is live for them. */
  readonly user: string;
  readonly userTeam: string;
  readonly botUser: string;
  /** True: several people take part, and a stream would be live for one of them only. */
  readonly isShared: boolean;
  /** For a thread's first message: what the conversation is called. */
  readonly title?: string;
}

/** A message event, as far as it is our business. Everything in it comes from outside. */
export interface SlackMessageEvent {
  readonly type: string;
  readonly subtype?: string;
  readonly channel: string;
  readonly channel_type?: string;
  readonly user?: string;
  readonly bot_id?: string;
  readonly text?: string;
  readonly ts: string;
  readonly event_ts?: string;
  readonly thread_ts?: string;
  readonly team?: string;
  readonly user_team?: string;
  readonly source_team?: string;
  readonly files?: readonly SlackFileObject[];
  readonly edited?: { readonly ts?: string };
  readonly message?: SlackMessageEvent;
  readonly previous_message?: SlackMessageEvent;
  readonly deleted_ts?: string;
}

/** What a message event is to us. */
export type MessageKind = "said" | "edited" | "deleted" | "none";

/** Sorts events: what people said, changed or removed; everything else is nobody's message. */
export function kindOf(event: SlackMessageEvent, { botUser }: Workspace): MessageKind {
  switch (event.subtype) {
    case undefined:
    case "file_share":
    case "thread_broadcast":
    case "me_message":
      return isByPerson(event, botUser) ? "said" : "none";
    case "message_changed": {
      const { message, previous_message: before } = event;
      if (!message || !before || !isByPerson(before, botUser)) return "none";
      // A root with replies is not deleted: a stone is put in its place.
      if (message.subtype === "tombstone") return "deleted";
      if (!isByPerson(message, botUser)) return "none";
      // Link previews and reply counts change a message as well.
      return message.text === before.text && fileIds(message) === fileIds(before)
        ? "none"
        : "edited";
    }
    case "message_deleted":
      return event.previous_message && isByPerson(event.previous_message, botUser)
        ? "deleted"
        : "none";
    default:
      return "none";
  }
}

/** True when the text calls the bot. */
export function mentionsBot(text: string | undefined, { botUser }: Workspace): boolean {
  return text !== undefined && new RegExp(`<@${botUser}(\\|[^>]*)?>`).test(text);
}

/** Unique per message; app_mention and message of the same one have the same. */
export function eventIdOf(teamId: string, channel: string, ts: string): string {
  return `slack:${teamId}:${channel}:${ts}`;
}

export function personKeyOf(userTeam: string, user: string): string {
  return `slack:${userTeam}:${user}`;
}

/** A place in the bot's words. */
export function placeOf(at: {
  readonly workspace: Workspace;
  readonly channel: string;
  readonly channelName: string;
  readonly isDirect: boolean;
  readonly threadTs: string;
  readonly user: string;
  readonly userTeam: string;
  readonly isShared: boolean;
}): Place {
  const { workspace, channel, threadTs, user, userTeam, isShared } = at;
  const { teamId: team, botUser } = workspace;
  const target: SlackTarget = { team, channel, threadTs, user, userTeam, botUser, isShared };
  return {
    platform: "slack",
    channelKey: `slack:${team}:${channel}`,
    channelName: at.isDirect ? "direct message" : at.channelName,
    threadKey: `slack:${team}:${channel}:${threadTs}`,
    isDirect: at.isDirect,
    target: { ...target } satisfies Json,
  };
}

/** The other way round. Throws a TypeError for what is no target of ours. */
export function targetOf(target: Json): SlackTarget {
  const found = target as unknown as SlackTarget | null;
  if (typeof found?.channel !== "string" || typeof found.threadTs !== "string") {
    throw new TypeError("not a Slack target");
  }
  return found;
}

/** What people's names and channels' names are, looked up before. */
export interface KnownNames {
  readonly user: (id: string) => string;
  readonly channel: (id: string) => string;
}

/** An event as the bot takes it. */
export function toIncomingMessage(
  event: SlackMessageEvent,
  context: {
    readonly workspace: Workspace;
    readonly place: Place;
    readonly author: Person;
    readonly role: Role;
    readonly names: KnownNames;
    readonly quoted?: { readonly messages: readonly QuotedMessage[]; readonly note?: string };
  },
): IncomingMessage {
  const { workspace, place, author, role, names, quoted } = context;
  return {
    eventId: eventIdOf(workspace.teamId, event.channel, event.ts),
    place,
    author,
    role,
    text: toMarkdown(withoutMention(event.text ?? "", workspace), names).trim(),
    attachments: (event.files ?? []).map((file) => attachmentOf(file, workspace.teamId)),
    sentAtMs: Number(event.ts) * 1_000,
    ...(quoted && quoted.messages.length > 0 ? { quoted: quoted.messages } : {}),
    ...(quoted?.note ? { quotedNote: quoted.note } : {}),
  };
}

/** A message somebody wrote before the bot was called. */
export function toQuotedMessage(event: SlackMessageEvent, names: KnownNames): QuotedMessage {
  return {
    author: names.user(event.user ?? ""),
    text: toMarkdown(event.text ?? "", names),
    sentAtMs: Number(event.ts) * 1_000,
    fileNames: (event.files ?? []).map(({ id, name }) => name ?? id),
  };
}

/** A change as the bot takes it. */
export function toChange(
  event: SlackMessageEvent,
  context: {
    readonly workspace: Workspace;
    readonly by: Person;
    readonly message?: IncomingMessage;
  },
): EditedOrDeleted {
  const { workspace, by, message } = context;
  const ts = event.message?.ts ?? event.deleted_ts ?? event.previous_message?.ts ?? "";
  const eventId = eventIdOf(workspace.teamId, event.channel, ts);
  const at = event.message?.edited?.ts ?? event.event_ts ?? event.ts;
  return {
    eventId,
    changeId: `${eventId}#${message ? at : "deleted"}`,
    by,
    change: message ? { type: "edited", message } : { type: "deleted" },
  };
}

/** Ids of people and channels a text names, so that their names can be looked up. */
export function idsIn(text: string): {
  readonly users: readonly string[];
  readonly channels: readonly string[];
} {
  return {
    users: [...text.matchAll(/<@([UW][A-Z0-9]+)/g)].map((match) => match[1] ?? ""),
    channels: [...text.matchAll(/<#([CG][A-Z0-9]+)>/g)].map((match) => match[1] ?? ""),
  };
}

/** The author's own workspace: another one than the app's in a channel shared between two. */
export function userTeamOf(event: SlackMessageEvent, teamId: string): string {
  return event.user_team ?? event.source_team ?? event.team ?? teamId;
}

function withoutMention(text: string, { botUser }: Workspace): string {
  return text.replace(new RegExp(`^\\s*<@${botUser}(\\|[^>]*)?>[,:]?\\s*`), "");
}

function isByPerson(event: SlackMessageEvent, botUser: string): boolean {
  return (
    event.user !== undefined &&
    event.user !== botUser &&
    event.user !== "USLACKBOT" &&
    !event.bot_id
  );
}

function fileIds(event: SlackMessageEvent): string {
  return (event.files ?? []).map(({ id }) => id).join(" ");
}
