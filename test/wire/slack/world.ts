import { randomBytes, randomUUID } from "node:crypto";
import type { WireClock } from "./clock.ts";
import type { JsonObject } from "./json.ts";
import type {
  AgentSession,
  EphemeralMessage,
  Installation,
  SlackChannel,
  SlackFile,
  SlackMessage,
  SlackUser,
  SlackView,
} from "./model.ts";
import { refuse } from "./refusal.ts";
import { mentionableTexts, notifiedBy } from "./rendering.ts";

/** A workspace, as `team` in payloads. */
export interface Team {
  readonly id: string;
  readonly name: string;
  readonly domain: string;
  /** A free-plan or government workspace without the streaming methods: `unknown_method`. */
  hasStreaming: boolean;
  /** The agent surface is on; without it agents.sessions.* answer `feature_disabled`. */
  hasAgentSessions: boolean;
}

/** What a thread shows while the app works, set by assistant.threads.setStatus. */
export interface ThreadStatus {
  readonly text: string;
  readonly loadingMessages: readonly string[];
  readonly setAtMs: number;
}

/** Prompts offered in the app's messages tab or a thread. */
export interface SuggestedPrompts {
  readonly title: string | undefined;
  readonly prompts: readonly { readonly title: string; readonly message: string }[];
}

/** Everything that exists in this Slack, and the small rules about where it may exist. */
export class World {
  readonly clock: WireClock;
  readonly appId = "A0WIREAPP1";
  /** Where files are served from, once the server listens. */
  origin = "https://files.slack.com";
  readonly teams = new Map<string, Team>();
  readonly users = new Map<string, SlackUser>();
  readonly groups = new Map<string, { readonly handle: string; readonly members: Set<string> }>();
  readonly channels = new Map<string, SlackChannel>();
  readonly files = new Map<string, SlackFile>();
  readonly installations = new Map<string, Installation>();
  readonly ephemerals: EphemeralMessage[] = [];
  readonly views = new Map<string, SlackView>();
  /** Per user, the views opened on top of each other. */
  readonly modalStacks = new Map<string, SlackView[]>();
  readonly homes = new Map<string, SlackView>();
  readonly sessions = new Map<string, AgentSession>();
  readonly statuses = new Map<string, ThreadStatus>();
  readonly prompts = new Map<string, SuggestedPrompts>();
  #lastMicros = 0;
  #ids = 0;

  constructor(clock: WireClock) {
    this.clock = clock;
  }

  /** A new id in Slack's style; unique in this world. */
  id(prefix: string): string {
    this.#ids += 1;
    return `${prefix}0${(0x4000 + this.#ids).toString(36).toUpperCase().padStart(8, "0")}`;
  }

  /** A new message timestamp, later than every one before. */
  ts(): string {
    const micros = Math.max(Math.round(this.clock.now() * 1000), this.#lastMicros + 1);
    this.#lastMicros = micros;
    return `${Math.floor(micros / 1_000_000)}.${String(micros % 1_000_000).padStart(6, "0")}`;
  }

  addTeam(name: string): Team {
    const team: Team = {
      id: this.id("T"),
      name,
      domain: name.toLowerCase().replace(/[^a-z0-9]+/g, "-"),
      hasStreaming: true,
      hasAgentSessions: true,
    };
    this.teams.set(team.id, team);
    return team;
  }

  addUser(user: Partial<SlackUser> & Pick<SlackUser, "teamId" | "name">): SlackUser {
    const added: SlackUser = {
      id: this.id("U"),
      realName: user.name,
      timeZone: "Europe/Berlin",
      email: `${user.name.toLowerCase().replace(/[^a-z0-9]+/g, ".")}@example.com`,
      isBot: false,
      botId: undefined,
      isAdmin: false,
      isOwner: false,
      isGuest: false,
      isDeleted: false,
      ...user,
    };
    this.users.set(added.id, added);
    return added;
  }

  addChannel(channel: Partial<SlackChannel> & Pick<SlackChannel, "teamId" | "name">): SlackChannel {
    const type = channel.type ?? "channel";
    const prefix = { channel: "C", group: "C", im: "D", mpim: "G" }[type];
    const added: SlackChannel = {
      id: this.id(prefix),
      type,
      members: new Set(),
      messages: [],
      isShared: false,
      isArchived: false,
      isReadOnly: false,
      refusesStreams: false,
      topic: "",
      ...channel,
    };
    this.channels.set(added.id, added);
    return added;
  }

  /** The direct conversation between these two, opened when there is none. */
  directChannel(teamId: string, userIds: readonly string[]): SlackChannel {
    const type = userIds.length === 2 ? "im" : "mpim";
    const found = [...this.channels.values()].find(
      (channel) =>
        channel.type === type &&
        channel.members.size === userIds.length &&
        userIds.every((id) => channel.members.has(id)),
    );
    if (found) return found;
    return this.addChannel({
      teamId,
      type,
      name:
        type === "im"
          ? "directmessage"
          : `mpdm-${userIds.map((id) => this.nameOf(id)).join("--")}-1`,
      members: new Set(userIds),
    });
  }

  addFile(
    file: Partial<SlackFile> & Pick<SlackFile, "teamId" | "userId" | "name" | "bytes">,
  ): SlackFile {
    const added: SlackFile = {
      id: this.id("F"),
      mimeType: mimeTypeOf(file.name),
      createdMs: this.clock.now(),
      altText: undefined,
      mode: "hosted",
      needsFileInfo: false,
      download: "bytes",
      title: file.name,
      channelIds: new Set(),
      ...file,
    };
    this.files.set(added.id, added);
    return added;
  }

  /** Puts a message into its channel; whoever it mentions is notified. */
  addMessage(
    message: Partial<SlackMessage> & Pick<SlackMessage, "channelId" | "teamId" | "userId" | "text">,
  ): SlackMessage {
    const added: SlackMessage = {
      ts: this.ts(),
      threadTs: undefined,
      botId: undefined,
      username: undefined,
      clientMessageId: randomUUID(),
      subtype: undefined,
      form: "mrkdwn",
      blocks: undefined,
      attachments: undefined,
      files: [],
      metadata: undefined,
      edited: undefined,
      reactions: new Map(),
      isBroadcast: false,
      notified: new Set(),
      stream: undefined,
      ...message,
    };
    this.channel(added.channelId).messages.push(added);
    for (const file of added.files) file.channelIds.add(added.channelId);
    const root =
      added.threadTs === undefined ? undefined : this.message(added.channelId, added.threadTs);
    if (root) root.threadTs = root.ts;
    this.notify(added);
    return added;
  }

  /** Remembers whom the message's present content notifies: on posting as on every edit. */
  notify(message: SlackMessage): void {
    const texts = [
      message.text,
      message.stream?.text ?? "",
      ...mentionableTexts(message.blocks ?? []),
      ...mentionableTexts(message.stream?.finalBlocks ?? []),
      ...mentionableTexts(message.stream?.blocks ?? []),
    ];
    for (const id of texts.flatMap(notifiedBy)) message.notified.add(id);
  }

  /** A bot user whose app was uninstalled leaves every channel. */
  removeFromChannels(userId: string): void {
    for (const channel of this.channels.values()) channel.members.delete(userId);
  }

  team(id: string): Team {
    return this.teams.get(id) ?? refuse("team_not_found");
  }

  channel(id: string): SlackChannel {
    return this.channels.get(id) ?? refuse("channel_not_found");
  }

  user(id: string): SlackUser {
    return this.users.get(id) ?? refuse("user_not_found");
  }

  nameOf(userId: string): string {
    return this.users.get(userId)?.name ?? userId;
  }

  message(channelId: string, ts: string): SlackMessage | undefined {
    return this.channels.get(channelId)?.messages.find((message) => message.ts === ts);
  }

  /** The root and its replies, oldest first. */
  thread(channelId: string, rootTs: string): readonly SlackMessage[] {
    return this.channel(channelId).messages.filter(
      ({ ts, threadTs }) => ts === rootTs || threadTs === rootTs,
    );
  }

  replies(root: SlackMessage): readonly SlackMessage[] {
    return this.channel(root.channelId).messages.filter(
      ({ ts, threadTs }) => threadTs === root.ts && ts !== root.ts,
    );
  }

  /** The installation a token belongs to. */
  installationOf(token: string): Installation | undefined {
    return [...this.installations.values()].find(
      (one) => one.token === token || one.earlierTokens.has(token),
    );
  }

  /** The installation whose bot sits in this channel. */
  installationIn(channel: SlackChannel): Installation | undefined {
    const inside = [...this.installations.values()].filter(
      ({ botUserId, state }) => state !== "uninstalled" && channel.members.has(botUserId),
    );
    return inside.find(({ teamId }) => teamId === channel.teamId) ?? inside[0];
  }

  /** A session as it is now: processing ends by itself after an hour. */
  session(channelId: string, threadTs: string): AgentSession | undefined {
    const session = this.sessions.get(`${channelId} ${threadTs}`);
    if (session?.status === "processing" && session.processingSinceMs !== undefined) {
      if (this.clock.now() - session.processingSinceMs >= 3_600_000) session.status = "active";
    }
    return session;
  }

  /** A thread's status text; gone two minutes after it was set. */
  status(channelId: string, threadTs: string): ThreadStatus | undefined {
    const key = `${channelId} ${threadTs}`;
    const status = this.statuses.get(key);
    if (status && this.clock.now() - status.setAtMs >= 120_000) this.statuses.delete(key);
    return this.statuses.get(key);
  }

  addView(
    view: Pick<SlackView, "teamId" | "userId" | "type" | "content"> & Partial<SlackView>,
  ): SlackView {
    const id = view.id ?? this.id("V");
    const added: SlackView = {
      id,
      rootId: id,
      previousId: undefined,
      errors: {},
      ...view,
      hash: this.newHash(),
    };
    this.views.set(id, added);
    return added;
  }

  newHash(): string {
    return `${Math.floor(this.clock.now() / 1000)}.${randomBytes(4).toString("hex")}`;
  }

  /** The view's content with what Slack adds to it. */
  viewPayload(view: SlackView): JsonObject {
    const { content } = view;
    const installation = this.installations.get(view.teamId);
    return {
      id: view.id,
      team_id: view.teamId,
      type: view.type,
      blocks: content.blocks ?? [],
      private_metadata: content.private_metadata ?? "",
      callback_id: content.callback_id ?? "",
      state: content.state ?? { values: {} },
      hash: view.hash,
      title: content.title ?? { type: "plain_text", text: "View Title", emoji: true },
      clear_on_close: content.clear_on_close ?? false,
      notify_on_close: content.notify_on_close ?? false,
      close: content.close ?? null,
      submit: content.submit ?? null,
      previous_view_id: view.previousId ?? null,
      root_view_id: view.rootId,
      app_id: this.appId,
      external_id: content.external_id ?? "",
      app_installed_team_id: view.teamId,
      bot_id: installation?.botId ?? "",
    };
  }
}

const mimeTypes: Readonly<Record<string, string>> = {
  csv: "text/csv",
  gif: "image/gif",
  html: "text/html",
  jpg: "image/jpeg",
  json: "application/json",
  md: "text/markdown",
  mp3: "audio/mpeg",
  pdf: "application/pdf",
  png: "image/png",
  txt: "text/plain",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  zip: "application/zip",
};

function mimeTypeOf(name: string): string {
  return mimeTypes[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream";
}
