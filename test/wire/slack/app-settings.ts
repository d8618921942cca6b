/** How the app is set up at Slack: what its manifest and its settings pages say. */
export interface AppSettings {
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly signingSecret: string;
  readonly appToken: string;
  readonly verificationToken: string;
  /** What the app is asked for at installation, and gets. */
  readonly botScopes: readonly string[];
  /** Event subscriptions by their manifest names (`message.channels`). */
  readonly events: ReadonlySet<string>;
  /** Slash commands with their slash; anything else is unknown to people's clients. */
  readonly commands: ReadonlySet<string>;
  /** Callback ids of message shortcuts and of global ones. */
  readonly shortcuts: ReadonlySet<string>;
  /** `features.agent_view`: sessions, the stop button, the messages tab. */
  readonly isAgent: boolean;
  /** Sold outside the marketplace: conversations.replies gives 15 messages, once a minute. */
  readonly isDistributed: boolean;
  /** Whoever installs it does so for a whole organisation, with one token for all workspaces. */
  readonly installsOrgWide: boolean;
  /** Bot tokens live twelve hours and are refreshed. */
  readonly rotatesTokens: boolean;
  readonly enforcesRateLimits: boolean;
  /** Weighted bytes a streamed message may hold: measured between 10,600 and 11,300. */
  readonly mostStreamBytes: number;
  /** How long a stream lives after its start, whatever is sent to it. */
  readonly streamLifeMs: number;
  /** Whitespace that begins an appended chunk is lost, as people have seen it happen. */
  readonly losesLeadingWhitespace: boolean;
  /** Which of a mention's two events is sent first. */
  readonly mentionOrder: "mention-first" | "message-first";
  /** False: app_mention comes without its files, its twin has them. */
  readonly mentionCarriesFiles: boolean;
}

/** An agent app with everything on: what tests begin with unless they say otherwise. */
export const defaultAppSettings: AppSettings = {
  name: "Bobbin",
  clientId: "4242424242.4343434343",
  clientSecret: "wire-client-secret",
  signingSecret: "wire-signing-secret",
  appToken: "xapp-1-A0WIREAPP1-4444-wire",
  verificationToken: "wire-verification-token",
  botScopes: [
    "app_mentions:read",
    "assistant:write",
    "chat:write",
    "commands",
    "channels:history",
    "groups:history",
    "im:history",
    "mpim:history",
    "channels:read",
    "groups:read",
    "im:read",
    "im:write",
    "mpim:read",
    "files:read",
    "files:write",
    "reactions:read",
    "reactions:write",
    "users:read",
    "usergroups:read",
  ],
  events: new Set([
    "app_home_opened",
    "app_mention",
    "app_context_changed",
    "agent_session_stopped",
    "agent_session_title_changed",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "member_joined_channel",
    "reaction_added",
    "reaction_removed",
    "app_uninstalled",
    "tokens_revoked",
  ]),
  commands: new Set(["/assistant"]),
  shortcuts: new Set(["ask_about_message"]),
  isAgent: true,
  isDistributed: false,
  installsOrgWide: false,
  rotatesTokens: false,
  enforcesRateLimits: true,
  mostStreamBytes: 10_600,
  streamLifeMs: 300_000,
  losesLeadingWhitespace: true,
  mentionOrder: "mention-first",
  mentionCarriesFiles: true,
};
