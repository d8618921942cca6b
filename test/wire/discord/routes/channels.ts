import { ChannelType, MessageReferenceType, MessageType } from "discord-api-types/v10";
import { objectAt, textAt } from "../../slack/json.ts";
import type { DiscordChannel } from "../model.ts";
import { channelPayload, messagePayload } from "../payloads.ts";
import { limits } from "../rate-limits.ts";
import { FormProblems, refuse } from "../refusal.ts";
import { createIn, textChannel } from "./messages.ts";
import { nothing, ok, param, type Route, type RouteRequest } from "./route.ts";

const archiveMinutes: readonly unknown[] = [60, 1440, 4320, 10_080];

/** Channels and threads. */
export const channelRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/channels/:channel",
    limit: limits.read,
    handle: (request) => {
      const channel = request.world.channel(param(request, "channel"));
      request.world.demand(channel);
      return ok(channelPayload(request.world, channel));
    },
  },
  {
    method: "PATCH",
    path: "/channels/:channel",
    limit: limits.other,
    sublimit: ({ name }) => (name === undefined ? undefined : limits.rename),
    handle: (request) => ok(change(request)),
  },
  {
    method: "DELETE",
    path: "/channels/:channel",
    limit: limits.other,
    handle: (request) => {
      const { world, feed } = request;
      const channel = world.channel(param(request, "channel"));
      const payload = channelPayload(world, channel);
      if (channel.type === ChannelType.DM) return ok(payload);
      world.demand(channel, channel.thread ? "ManageThreads" : "ManageChannels");
      feed.channel(channel.thread ? "THREAD_DELETE" : "CHANNEL_DELETE", channel);
      world.channels.delete(channel.id);
      return ok(payload);
    },
  },
  {
    method: "POST",
    path: "/channels/:channel/messages/:message/threads",
    limit: limits.thread,
    handle: (request) => ({ status: 201, body: startFromMessage(request) }),
  },
  {
    method: "POST",
    path: "/channels/:channel/threads",
    limit: limits.thread,
    handle: (request) => ({ status: 201, body: startAlone(request) }),
  },
  {
    method: "PUT",
    path: "/channels/:channel/thread-members/:user",
    limit: limits.other,
    handle: (request) => {
      const { world, policy } = request;
      const channel = thread(request);
      if (channel.thread?.isArchived) refuse("archivedThread");
      const named = param(request, "user");
      const userId = named === "@me" ? world.bot.id : named;
      if (userId !== world.bot.id) world.demand(channel, "SendMessagesInThreads");
      const { members } = channel.thread ?? refuse("wrongChannelType");
      if (!members.has(userId) && members.size >= policy.maxThreadMembers) refuse("tooManyMembers");
      members.add(userId);
      return nothing;
    },
  },
  {
    method: "DELETE",
    path: "/channels/:channel/thread-members/:user",
    limit: limits.other,
    handle: (request) => {
      const channel = thread(request);
      const named = param(request, "user");
      channel.thread?.members.delete(named === "@me" ? request.world.bot.id : named);
      return nothing;
    },
  },
  {
    method: "GET",
    path: "/channels/:channel/threads/archived/:visibility",
    limit: limits.read,
    handle: (request) => {
      const { world } = request;
      const parent = world.channel(param(request, "channel"));
      world.demand(parent, "ReadMessageHistory");
      const isPublic = param(request, "visibility") === "public";
      const threads = [...world.channels.values()].filter(
        (one) =>
          one.parentId === parent.id &&
          one.thread?.isArchived === true &&
          (one.type === ChannelType.PrivateThread) !== isPublic,
      );
      return ok({
        threads: threads.map((one) => channelPayload(world, one)),
        members: [],
        has_more: false,
      });
    },
  },
];

function thread(request: RouteRequest): DiscordChannel {
  const channel = request.world.channel(param(request, "channel"));
  request.world.demand(channel);
  if (!channel.thread) refuse("wrongChannelType");
  return channel;
}

function checkThread(request: RouteRequest): string {
  const problems = new FormProblems();
  const name = textAt(request.body, "name") ?? "";
  if (name.trim().length < 1 || name.length > 100) problems.badLength("name", 1, 100);
  const minutes = request.body.auto_archive_duration;
  if (minutes !== undefined && minutes !== null && !archiveMinutes.includes(minutes)) {
    problems.choices("auto_archive_duration", minutes);
  }
  problems.refuseIfAny();
  return name;
}

function optionsOf(request: RouteRequest): { readonly autoArchiveMinutes?: number } {
  const minutes = request.body.auto_archive_duration;
  return typeof minutes === "number" ? { autoArchiveMinutes: minutes } : {};
}

function refuseTooMany(request: RouteRequest, parent: DiscordChannel): void {
  const guild = request.world.guildOf(parent);
  const active = [...request.world.channels.values()].filter(
    (one) => one.guildId === guild?.id && one.thread?.isArchived === false,
  );
  if (active.length >= request.policy.maxActiveThreads) refuse("tooManyThreads");
}

function startFromMessage(request: RouteRequest): unknown {
  const { world, feed } = request;
  const parent = textChannel(request);
  const message = world.message(parent.id, param(request, "message"));
  const name = checkThread(request);
  const canHold =
    parent.type === ChannelType.GuildText || parent.type === ChannelType.GuildAnnouncement;
  if (!canHold) refuse("wrongChannelType");
  world.demand(parent, "CreatePublicThreads", "ReadMessageHistory");
  if (message.hasThread) refuse("threadExists");
  refuseTooMany(request, parent);
  const isNews = parent.type === ChannelType.GuildAnnouncement;
  const started = world.addThread(parent, {
    id: message.id,
    name,
    ownerId: world.bot.id,
    type: isNews ? ChannelType.AnnouncementThread : ChannelType.PublicThread,
    ...optionsOf(request),
  });
  message.hasThread = true;
  started.thread?.members.add(message.authorId);
  feed.channel("THREAD_CREATE", started);
  feed.changed(message);
  const starter = world.addMessage({
    channelId: started.id,
    authorId: world.bot.id,
    type: MessageType.ThreadStarterMessage,
    reference: {
      type: MessageReferenceType.Default,
      channelId: parent.id,
      messageId: message.id,
    },
  });
  feed.posted(starter);
  return channelPayload(world, started);
}

function startAlone(request: RouteRequest): unknown {
  const { world, feed, body } = request;
  const parent = world.channel(param(request, "channel"));
  world.demand(parent);
  const name = checkThread(request);
  if (parent.type === ChannelType.GuildForum) {
    world.demand(parent, "SendMessages");
    refuseTooMany(request, parent);
    const started = world.addThread(parent, {
      name,
      ownerId: world.bot.id,
      type: ChannelType.PublicThread,
      appliedTags: Array.isArray(body.applied_tags) ? (body.applied_tags as string[]) : [],
      ...optionsOf(request),
    });
    feed.channel("THREAD_CREATE", started);
    const first = createIn(request, started, { body: objectAt(body, "message"), id: started.id });
    return {
      ...channelPayload(world, started),
      message: messagePayload(world, first, request.portal),
    };
  }
  if (parent.type !== ChannelType.GuildText) refuse("wrongChannelType");
  const isPublic = body.type === ChannelType.PublicThread;
  world.demand(parent, isPublic ? "CreatePublicThreads" : "CreatePrivateThreads");
  refuseTooMany(request, parent);
  const started = world.addThread(parent, {
    name,
    ownerId: world.bot.id,
    type: isPublic ? ChannelType.PublicThread : ChannelType.PrivateThread,
    isInvitable: body.invitable !== false,
    ...optionsOf(request),
  });
  feed.channel("THREAD_CREATE", started);
  return channelPayload(world, started);
}

function change(request: RouteRequest): unknown {
  const { world, feed, body } = request;
  const channel = world.channel(param(request, "channel"));
  world.demand(channel);
  const { thread: state } = channel;
  const name = textAt(body, "name");
  if (name !== undefined && (name.length < 1 || name.length > 100)) {
    const problems = new FormProblems();
    problems.badLength("name", 1, 100);
    problems.refuseIfAny();
  }
  if (!state) {
    world.demand(channel, "ManageChannels");
    channel.name = name ?? channel.name;
    if (body.topic !== undefined) channel.topic = textAt(body, "topic") ?? null;
    feed.channel("CHANNEL_UPDATE", channel);
    return channelPayload(world, channel);
  }
  const isManager = world.may(channel, world.bot.id, "ManageThreads");
  const isOwner = state.ownerId === world.bot.id;
  if (state.isLocked && !isManager) refuse("lockedThread");
  // Everybody who may write there may open an archived thread again.
  const onlyOpens = body.archived === false && Object.keys(body).length === 1;
  if (onlyOpens) world.demand(channel, "SendMessagesInThreads");
  else if (!isManager && !isOwner) refuse("missingPermissions");
  if (state.isArchived && body.archived !== false) refuse("archivedThread");
  if (typeof body.locked === "boolean" && body.locked !== state.isLocked) {
    if (!isManager) refuse("missingPermissions");
    state.isLocked = body.locked;
  }
  if (typeof body.archived === "boolean") {
    state.isArchived = body.archived;
    state.archivedAtMs = world.clock.now();
  }
  if (typeof body.auto_archive_duration === "number") {
    state.autoArchiveMinutes = body.auto_archive_duration;
  }
  if (Array.isArray(body.applied_tags)) state.appliedTags = body.applied_tags as string[];
  if (name !== undefined && name !== channel.name) {
    channel.name = name;
    const renamed = world.addMessage({
      channelId: channel.id,
      authorId: world.bot.id,
      type: MessageType.ChannelNameChange,
      content: name,
    });
    feed.posted(renamed);
  }
  feed.channel("THREAD_UPDATE", channel);
  return channelPayload(world, channel);
}
