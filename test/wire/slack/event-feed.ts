import type {
  AgentSessionStoppedEvent,
  AgentSessionTitleChangedEvent,
  AppHomeOpenedEvent,
  MemberJoinedChannelEvent,
  ReactionAddedEvent,
  ReactionRemovedEvent,
} from "@slack/types";
import type { AppSettings } from "./app-settings.ts";
import type { Delivery, Dispatcher } from "./delivery.ts";
import type { JsonObject } from "./json.ts";
import type { Installation, SlackChannel, SlackMessage, SlackView } from "./model.ts";
import {
  appMentionEvent,
  type EventBody,
  eventEnvelope,
  messageEvent,
  messagePayload,
} from "./payloads.ts";
import type { World } from "./world.ts";

/** Tells the app what happens, as far as it subscribed and its bot is there to see it. */
export class EventFeed {
  readonly #world: World;
  readonly #settings: () => AppSettings;
  readonly #dispatcher: Dispatcher;

  constructor(world: World, settings: () => AppSettings, dispatcher: Dispatcher) {
    this.#world = world;
    this.#settings = settings;
    this.#dispatcher = dispatcher;
  }

  /** A message was posted: `message`, and `app_mention` when it mentions the bot in a channel. */
  posted(
    message: SlackMessage,
    withFiles = this.#settings().mentionCarriesFiles,
  ): readonly Delivery[] {
    const channel = this.#world.channel(message.channelId);
    const sends = [
      () =>
        this.#inChannel(
          channel,
          messageSubscription(channel),
          messageEvent(this.#world, message, channel),
        ),
      () => this.#mention(message, channel, withFiles),
    ];
    if (this.#guestIsKeptOut(message, channel)) return [];
    const inOrder = this.#settings().mentionOrder === "mention-first" ? sends.toReversed() : sends;
    return inOrder.flatMap((send) => send());
  }

  changed(message: SlackMessage, previous: JsonObject): readonly Delivery[] {
    const channel = this.#world.channel(message.channelId);
    const ts = this.#world.ts();
    return this.#inChannel(channel, messageSubscription(channel), {
      type: "message",
      subtype: "message_changed",
      message: messagePayload(this.#world, message),
      previous_message: previous,
      channel: channel.id,
      channel_type: channel.type,
      hidden: true,
      ts,
      event_ts: ts,
    });
  }

  deleted(message: SlackMessage): readonly Delivery[] {
    const channel = this.#world.channel(message.channelId);
    const ts = this.#world.ts();
    return this.#inChannel(channel, messageSubscription(channel), {
      type: "message",
      subtype: "message_deleted",
      previous_message: messagePayload(this.#world, message),
      channel: channel.id,
      channel_type: channel.type,
      hidden: true,
      deleted_ts: message.ts,
      ts,
      event_ts: ts,
    });
  }

  /** An edit brought a mention into a message that had none: the same ts, once more. */
  mentionAdded(message: SlackMessage): readonly Delivery[] {
    return this.#mention(message, this.#world.channel(message.channelId), true);
  }

  reaction(
    type: "reaction_added" | "reaction_removed",
    reaction: { readonly userId: string; readonly name: string; readonly message: SlackMessage },
  ): readonly Delivery[] {
    const { message } = reaction;
    const event: ReactionAddedEvent | ReactionRemovedEvent = {
      type,
      user: reaction.userId,
      reaction: reaction.name,
      item_user: message.userId,
      item: { type: "message", channel: message.channelId, ts: message.ts },
      event_ts: this.#world.ts(),
    };
    return this.#inChannel(this.#world.channel(message.channelId), type, { ...event });
  }

  joined(channel: SlackChannel, userId: string, inviterId: string): readonly Delivery[] {
    const event: MemberJoinedChannelEvent = {
      type: "member_joined_channel",
      user: userId,
      channel: channel.id,
      channel_type: channel.type === "channel" ? "C" : "G",
      team: channel.teamId,
      inviter: inviterId,
      event_ts: this.#world.ts(),
    };
    return this.#inChannel(channel, "member_joined_channel", { ...event });
  }

  homeOpened(
    channel: SlackChannel,
    opened: {
      readonly userId: string;
      readonly tab: "home" | "messages";
      readonly view: SlackView | undefined;
    },
  ): readonly Delivery[] {
    const event: Omit<AppHomeOpenedEvent, "view"> = {
      type: "app_home_opened",
      user: opened.userId,
      channel: channel.id,
      tab: opened.tab,
      event_ts: this.#world.ts(),
    };
    return this.#inChannel(channel, "app_home_opened", {
      ...event,
      ...(opened.view ? { view: this.#world.viewPayload(opened.view) } : {}),
    });
  }

  contextChanged(
    channel: SlackChannel,
    userId: string,
    lookingAt: SlackChannel,
  ): readonly Delivery[] {
    return this.#inChannel(channel, "app_context_changed", {
      type: "app_context_changed",
      channel: channel.id,
      user: userId,
      context: {
        entities: [
          { type: "slack#/types/channel_id", value: lookingAt.id, team_id: lookingAt.teamId },
        ],
      },
      event_ts: this.#world.ts(),
    });
  }

  sessionStopped(stopped: {
    readonly channel: SlackChannel;
    readonly userId: string;
    readonly threadTs: string;
    readonly streams: readonly string[];
  }): readonly Delivery[] {
    const event: AgentSessionStoppedEvent = {
      type: "agent_session_stopped",
      channel: stopped.channel.id,
      user: stopped.userId,
      thread_ts: stopped.threadTs,
      streaming_message_ts: [...stopped.streams],
      event_ts: this.#world.ts(),
    };
    return this.#inChannel(stopped.channel, "agent_session_stopped", { ...event });
  }

  sessionRenamed(renamed: {
    readonly channel: SlackChannel;
    readonly userId: string;
    readonly threadTs: string;
    readonly title: string;
    readonly previousTitle: string | undefined;
  }): readonly Delivery[] {
    const event: AgentSessionTitleChangedEvent = {
      type: "agent_session_title_changed",
      channel: renamed.channel.id,
      user: renamed.userId,
      team_id: renamed.channel.teamId,
      thread_ts: renamed.threadTs,
      title: renamed.title,
      ...(renamed.previousTitle === undefined ? {} : { previous_title: renamed.previousTitle }),
      event_ts: this.#world.ts(),
    };
    return this.#inChannel(renamed.channel, "agent_session_title_changed", { ...event });
  }

  /** Any other event, for one installation. */
  forInstallation(installation: Installation, event: EventBody): readonly Delivery[] {
    if (!this.#settings().events.has(event.type)) return [];
    return [
      this.#dispatcher.send("events_api", {
        ...eventEnvelope(this.#world, event, {
          teamId: installation.teamId,
          botUserId: installation.botUserId,
          token: this.#settings().verificationToken,
          isShared: false,
        }),
      }),
    ];
  }

  /** Slack stops sending for a minute because there was too much: a body with no event inside. */
  rateLimited(teamId: string): Delivery {
    return this.#dispatcher.send("events_api", {
      token: this.#settings().verificationToken,
      type: "app_rate_limited",
      team_id: teamId,
      minute_rate_limited: Math.floor(this.#world.clock.now() / 60_000) * 60,
      api_app_id: this.#world.appId,
    });
  }

  #mention(message: SlackMessage, channel: SlackChannel, withFiles: boolean): readonly Delivery[] {
    const installation = this.#world.installationIn(channel);
    if (!installation || channel.type === "im" || channel.type === "mpim") return [];
    if (message.userId === installation.botUserId) return [];
    if (!message.text.includes(`<@${installation.botUserId}`)) return [];
    const event = appMentionEvent(this.#world, message, { channel, withFiles });
    return this.#inChannel(channel, "app_mention", event);
  }

  #inChannel(channel: SlackChannel, subscription: string, event: EventBody): readonly Delivery[] {
    const installation = this.#world.installationIn(channel);
    if (!installation || !this.#settings().events.has(subscription)) return [];
    return [
      this.#dispatcher.send("events_api", {
        ...eventEnvelope(this.#world, event, {
          teamId: installation.teamId,
          botUserId: installation.botUserId,
          token: this.#settings().verificationToken,
          isShared: channel.isShared,
        }),
      }),
    ];
  }

  /** Guests cannot talk to an agent directly (docs.slack.dev/ai/developing-agents). */
  #guestIsKeptOut(message: SlackMessage, channel: SlackChannel): boolean {
    const author = this.#world.users.get(message.userId);
    return channel.type === "im" && this.#settings().isAgent && author?.isGuest === true;
  }
}

function messageSubscription(channel: SlackChannel): string {
  return {
    channel: "message.channels",
    group: "message.groups",
    im: "message.im",
    mpim: "message.mpim",
  }[channel.type];
}
