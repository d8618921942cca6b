import { isObject, textAt } from "../json.ts";
import type { AgentSession, SlackChannel } from "../model.ts";
import { limits } from "../rate-limits.ts";
import { refuse } from "../refusal.ts";
import { currentState } from "../stream-state.ts";
import type { World } from "../world.ts";
import { type BotCall, type BotMethod, needScope } from "./method.ts";

/** True for the four states of an agent session. */
export function isSessionStatus(status: string): status is AgentSession["status"] {
  return ["processing", "active", "suspended", "closed"].includes(status);
}

/** Sets a thread's session, making it when there is none. */
export function setSession(
  world: World,
  change: {
    readonly channelId: string;
    readonly threadTs: string;
    readonly status: AgentSession["status"];
    readonly title?: string | undefined;
  },
): AgentSession {
  const key = `${change.channelId} ${change.threadTs}`;
  const session = world.sessions.get(key) ?? {
    channelId: change.channelId,
    threadTs: change.threadTs,
    status: change.status,
    title: change.title,
    processingSinceMs: undefined,
  };
  session.status = change.status;
  session.processingSinceMs = change.status === "processing" ? world.clock.now() : undefined;
  world.sessions.set(key, session);
  return session;
}

const setSessionStatus: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.tier3,
  run(call) {
    needAgent(call);
    const channel = sessionChannel(call);
    const threadTs = sessionThread(call, channel);
    const status = call.args.requiredText("status");
    if (!isSessionStatus(status)) return refuse("invalid_status");
    const title = call.args.text("title");
    if (title !== undefined && title.length > 200)
      refuse("invalid_arguments", "title: 200 characters");
    const initiator = call.args.text("initiator_user_id");
    if (initiator && !channel.members.has(initiator)) refuse("user_not_found");
    // Session status and thread status share one place on the screen: the last writer wins.
    call.world.statuses.delete(`${channel.id} ${threadTs}`);
    const session = setSession(call.world, { channelId: channel.id, threadTs, status, title });
    const isDeaf = !call.settings.events.has("agent_session_stopped");
    return {
      status: session.status,
      agent_status: session.status,
      ...(session.title ? { title: session.title } : {}),
      ...(isDeaf ? { warning: "missing_agent_session_stopped_event_subscription" } : {}),
    };
  },
};

const renameSession: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.tier3,
  run(call) {
    needAgent(call);
    const channel = sessionChannel(call);
    const threadTs = sessionThread(call, channel);
    const title = call.args.requiredText("title");
    if (title.length > 200) refuse("invalid_arguments", "title: 1-200 characters");
    const session = call.world.session(channel.id, threadTs);
    if (!session) return refuse("not_authorized");
    session.title = title;
    return { title };
  },
};

const setThreadStatus: BotMethod = {
  scopes: ["chat:write"],
  limit: limits.status,
  run(call) {
    const channel = sessionChannel(call);
    const threadTs = sessionThread(call, channel);
    const text = call.args.text("status") ?? "";
    const loadingMessages = call.args.texts("loading_messages") ?? [];
    if (loadingMessages.length > 10) refuse("invalid_arguments", "loading_messages: at most 10");
    const key = `${channel.id} ${threadTs}`;
    const isStreaming = call.world
      .thread(channel.id, threadTs)
      .some((message) => currentState(message, call) === "live");
    if (text !== "" && isStreaming) {
      call.complain("a status set while a stream runs keeps its text from being seen");
    }
    if (text === "") call.world.statuses.delete(key);
    else call.world.statuses.set(key, { text, loadingMessages, setAtMs: call.world.clock.now() });
    if (call.settings.isAgent) {
      setSession(call.world, {
        channelId: channel.id,
        threadTs,
        status: text === "" ? "active" : "processing",
      });
    }
    return {};
  },
};

const setSuggestedPrompts: BotMethod = {
  scopes: ["assistant:write"],
  limit: limits.tier4,
  run(call) {
    const channel = sessionChannel(call);
    const threadTs = call.args.text("thread_ts");
    const prompts = call.args.objects("prompts") ?? refuse("invalid_arguments", "prompts");
    if (prompts.length === 0 || prompts.length > 4) refuse("invalid_arguments", "prompts: 1-4");
    const isComplete = prompts.every(
      (prompt) => isObject(prompt) && textAt(prompt, "title") && textAt(prompt, "message"),
    );
    if (!isComplete) refuse("invalid_arguments", "a prompt has a title and a message");
    call.world.prompts.set(`${channel.id} ${threadTs ?? ""}`, {
      title: call.args.text("title"),
      prompts: prompts.map((prompt) => ({
        title: textAt(prompt, "title") ?? "",
        message: textAt(prompt, "message") ?? "",
      })),
    });
    return {};
  },
};

const setThreadTitle: BotMethod = {
  scopes: ["assistant:write"],
  limit: limits.tier4,
  run(call) {
    const channel = sessionChannel(call);
    const threadTs = sessionThread(call, channel);
    const title = call.args.requiredText("title");
    const known = call.world.session(channel.id, threadTs);
    const session =
      known ?? setSession(call.world, { channelId: channel.id, threadTs, status: "active" });
    session.title = title;
    return {};
  },
};

/** agents.sessions.* and assistant.threads.*. */
export const sessionMethods: Readonly<Record<string, BotMethod>> = {
  "agents.sessions.setStatus": setSessionStatus,
  "agents.sessions.rename": renameSession,
  "assistant.threads.setStatus": setThreadStatus,
  "assistant.threads.setSuggestedPrompts": setSuggestedPrompts,
  "assistant.threads.setTitle": setThreadTitle,
};

function needAgent({ settings, world, installation }: BotCall): void {
  if (!settings.isAgent) refuse("not_agent_app");
  if (!world.team(installation.teamId).hasAgentSessions) refuse("feature_disabled");
}

function sessionChannel(call: BotCall): SlackChannel {
  const channel = call.world.channel(call.args.requiredText("channel_id"));
  for (const name of ["icon_emoji", "icon_url", "username"]) {
    if (call.args.text(name)) needScope(call.installation, "chat:write.customize");
  }
  if (!channel.members.has(call.installation.botUserId)) {
    refuse(channel.type === "channel" ? "not_authorized" : "channel_not_found");
  }
  return channel;
}

function sessionThread(call: BotCall, channel: SlackChannel): string {
  const threadTs = call.args.text("thread_ts");
  if (!threadTs) return refuse("thread_ts_required");
  const root = call.world.message(channel.id, threadTs);
  if (!root || (root.threadTs !== undefined && root.threadTs !== root.ts)) {
    return refuse("invalid_thread_ts");
  }
  return threadTs;
}
