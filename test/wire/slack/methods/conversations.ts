import { faultsOfBlocks } from "../blocks.ts";
import { objectsAt } from "../json.ts";
import type { SlackChannel, SlackMessage } from "../model.ts";
import { channelPayload, messagePayload, userPayload } from "../payloads.ts";
import { limits } from "../rate-limits.ts";
import { refuse } from "../refusal.ts";
import { type BotCall, type BotMethod, readableChannel } from "./method.ts";

const info: BotMethod = {
  scopes: [],
  limit: limits.tier3,
  run(call) {
    for (const name of ["include_num_members", "include_locale"]) call.args.has(name);
    const channel = readableChannel(call, call.args.requiredText("channel"), "read");
    return { channel: channelPayload(channel, call.installation.botUserId) };
  },
};

const open: BotMethod = {
  scopes: ["im:write"],
  limit: limits.tier3,
  run(call) {
    for (const name of ["return_im", "prevent_creation"]) call.args.has(name);
    const users = call.args.text("users")?.split(",") ?? [];
    if (users.length === 0) refuse("users_list_not_supplied");
    for (const id of users) if (!call.world.users.has(id)) refuse("user_not_found");
    const channel = call.world.directChannel(call.installation.teamId, [
      call.installation.botUserId,
      ...users,
    ]);
    return { channel: { id: channel.id } };
  },
};

const members: BotMethod = {
  scopes: [],
  limit: limits.tier4,
  run(call) {
    const channel = readableChannel(call, call.args.requiredText("channel"), "read");
    return page(call, [...channel.members], "members");
  },
};

const list: BotMethod = {
  scopes: ["channels:read"],
  limit: limits.tier2,
  run(call) {
    call.args.has("exclude_archived");
    const types = kindsAsked(call);
    const botUserId = call.installation.botUserId;
    const seen = [...call.world.channels.values()].filter(
      (channel) =>
        types.includes(kinds[channel.type]) &&
        (channel.type === "channel" || channel.members.has(botUserId)),
    );
    return page(
      call,
      seen.map((channel) => channelPayload(channel, botUserId)),
      "channels",
    );
  },
};

const history: BotMethod = {
  scopes: [],
  limit: limits.reading,
  run(call) {
    const channel = readableChannel(call, call.args.requiredText("channel"), "history");
    // In an agent's direct messages the app reads back only what the person wrote.
    const isAgentChat = channel.type === "im" && call.settings.isAgent;
    const messages = channel.messages
      .filter(
        ({ threadTs, ts, isBroadcast }) => threadTs === undefined || threadTs === ts || isBroadcast,
      )
      .filter(({ userId }) => !isAgentChat || userId !== call.installation.botUserId)
      .toReversed();
    return messagesPage(call, messages);
  },
};

const replies: BotMethod = {
  scopes: [],
  limit: limits.reading,
  run(call) {
    const channel = readableChannel(call, call.args.requiredText("channel"), "history");
    const ts = call.args.requiredText("ts");
    const asked = call.world.message(channel.id, ts);
    if (!asked) return refuse("thread_not_found");
    return messagesPage(call, call.world.thread(channel.id, asked.threadTs ?? ts));
  },
};

const join: BotMethod = {
  scopes: ["channels:join"],
  limit: limits.tier3,
  run(call) {
    const channel = call.world.channel(call.args.requiredText("channel"));
    if (channel.type !== "channel") refuse("method_not_supported_for_channel_type");
    if (channel.isArchived) refuse("is_archived");
    channel.members.add(call.installation.botUserId);
    return { channel: channelPayload(channel, call.installation.botUserId) };
  },
};

const leave: BotMethod = {
  scopes: ["channels:manage"],
  limit: limits.tier3,
  run(call) {
    const channel = call.world.channel(call.args.requiredText("channel"));
    if (!channel.members.delete(call.installation.botUserId)) refuse("not_in_channel");
    return {};
  },
};

const userConversations: BotMethod = {
  scopes: ["channels:read"],
  limit: limits.tier3,
  run(call) {
    call.args.has("exclude_archived");
    const types = kindsAsked(call);
    const userId = call.args.text("user") ?? call.installation.botUserId;
    const channels = [...call.world.channels.values()].filter(
      ({ type, members: inside }) =>
        types.includes(kinds[type]) &&
        inside.has(userId) &&
        (type === "channel" || inside.has(call.installation.botUserId)),
    );
    return page(
      call,
      channels.map((channel) => channelPayload(channel, call.installation.botUserId)),
      "channels",
    );
  },
};

const revoke: BotMethod = {
  scopes: [],
  limit: limits.none,
  run(call) {
    if (!call.args.flag("test")) call.installation.state = "revoked";
    return { revoked: !call.args.flag("test") };
  },
};

const uninstall: BotMethod = {
  scopes: [],
  limit: limits.none,
  run(call) {
    const { clientId, clientSecret } = call.settings;
    if (call.args.text("client_id") !== clientId) refuse("client_id_token_mismatch");
    if (call.args.text("client_secret") !== clientSecret) refuse("bad_client_secret");
    call.feed.forInstallation(call.installation, { type: "app_uninstalled" });
    call.installation.state = "uninstalled";
    call.world.removeFromChannels(call.installation.botUserId);
    return {};
  },
};

const userInfo: BotMethod = {
  scopes: ["users:read"],
  limit: limits.tier4,
  run(call) {
    call.args.has("include_locale");
    const user = call.world.user(call.args.requiredText("user"));
    return { user: userPayload(user, call.installation.scopes.has("users:read.email")) };
  },
};

const userList: BotMethod = {
  scopes: ["users:read"],
  limit: limits.tier2,
  run(call) {
    call.args.has("include_locale");
    const canReadEmail = call.installation.scopes.has("users:read.email");
    const users = [...call.world.users.values()]
      .filter(({ teamId }) => teamId === call.installation.teamId)
      .map((user) => userPayload(user, canReadEmail));
    return page(call, users, "members");
  },
};

const botInfo: BotMethod = {
  scopes: ["users:read"],
  limit: limits.tier3,
  run(call) {
    const id = call.args.requiredText("bot");
    const user = [...call.world.users.values()].find(({ botId }) => botId === id);
    if (!user) return refuse("bot_not_found");
    return {
      bot: {
        id,
        deleted: false,
        name: user.name,
        updated: 1_700_000_000,
        app_id: call.world.appId,
        user_id: user.id,
      },
    };
  },
};

const groupUsers: BotMethod = {
  scopes: ["usergroups:read"],
  limit: limits.tier2,
  run(call) {
    call.args.has("include_disabled");
    const group = call.world.groups.get(call.args.requiredText("usergroup"));
    if (!group) return refuse("no_such_subteam");
    return { users: [...group.members] };
  },
};

const groupList: BotMethod = {
  scopes: ["usergroups:read"],
  limit: limits.tier2,
  run(call) {
    for (const name of ["include_users", "include_count", "include_disabled"]) call.args.has(name);
    return {
      usergroups: [...call.world.groups].map(([id, { handle, members: inside }]) => ({
        id,
        team_id: call.installation.teamId,
        is_usergroup: true,
        name: handle,
        handle,
        users: [...inside],
        user_count: inside.size,
      })),
    };
  },
};

const teamInfo: BotMethod = {
  scopes: ["team:read"],
  limit: limits.tier3,
  run(call) {
    const team = call.world.team(call.args.text("team") ?? call.installation.teamId);
    return { team: { id: team.id, name: team.name, domain: team.domain, email_domain: "" } };
  },
};

const validateBlocks: BotMethod = {
  scopes: [],
  limit: limits.tier3,
  run(call) {
    const faults = faultsOfBlocks(objectsAt(call.args.all, "blocks"), "message");
    call.args.has("blocks");
    if (faults.length > 0) refuse("invalid_blocks", ...faults);
    return {};
  },
};

/** conversations.*, users.*, bots.info, usergroups.*, team.info, and giving the token up. */
export const conversationMethods: Readonly<Record<string, BotMethod>> = {
  "conversations.info": info,
  "conversations.open": open,
  "conversations.members": members,
  "conversations.list": list,
  "conversations.join": join,
  "conversations.leave": leave,
  "users.conversations": userConversations,
  "auth.revoke": revoke,
  "apps.uninstall": uninstall,
  "conversations.history": history,
  "conversations.replies": replies,
  "users.info": userInfo,
  "users.list": userList,
  "bots.info": botInfo,
  "usergroups.users.list": groupUsers,
  "usergroups.list": groupList,
  "team.info": teamInfo,
  "blocks.validate": validateBlocks,
};

const kinds: Readonly<Record<SlackChannel["type"], string>> = {
  channel: "public_channel",
  group: "private_channel",
  im: "im",
  mpim: "mpim",
};

function kindsAsked({ args }: BotCall): readonly string[] {
  return (args.text("types") ?? "public_channel").split(",");
}

function page(call: BotCall, items: readonly unknown[], name: string) {
  const limit = call.args.integer("limit") ?? 1000;
  const from = cursorOf(call);
  const rest = items.slice(from, from + limit);
  const next =
    from + limit < items.length ? Buffer.from(String(from + limit)).toString("base64") : "";
  return { [name]: rest, response_metadata: { next_cursor: next } };
}

function messagesPage(call: BotCall, messages: readonly SlackMessage[]) {
  const oldest = call.args.text("oldest") ?? "0";
  const latest = call.args.text("latest") ?? "9999999999";
  const isInclusive = call.args.flag("inclusive");
  const withMetadata = call.args.flag("include_all_metadata");
  const most = call.settings.isDistributed ? 15 : 1000;
  const limit = Math.min(
    call.args.integer("limit") ?? (call.settings.isDistributed ? 15 : 100),
    most,
  );
  if (limit < 1) refuse("invalid_limit");
  const inTime = messages.filter(
    ({ ts, threadTs }) =>
      // The root comes along whatever the times say.
      (threadTs === ts && call.args.has("ts")) ||
      ((isInclusive ? ts >= oldest : ts > oldest) && (isInclusive ? ts <= latest : ts < latest)),
  );
  const from = cursorOf(call);
  const slice = inTime.slice(from, from + limit);
  const hasMore = from + limit < inTime.length;
  return {
    messages: slice.map((message) => {
      const { metadata, ...payload } = messagePayload(call.world, message);
      return withMetadata && metadata !== undefined ? { ...payload, metadata } : payload;
    }),
    has_more: hasMore,
    response_metadata: {
      next_cursor: hasMore ? Buffer.from(String(from + limit)).toString("base64") : "",
    },
  };
}

function cursorOf(call: BotCall): number {
  const cursor = call.args.text("cursor");
  if (!cursor) return 0;
  const from = Number(Buffer.from(cursor, "base64").toString());
  return Number.isInteger(from) ? from : refuse("invalid_cursor");
}
