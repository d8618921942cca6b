import type { AppSettings } from "../app-settings.ts";
import type { Arguments } from "../arguments.ts";
import type { EventFeed } from "../event-feed.ts";
import type { Interactions } from "../interactions.ts";
import type { JsonObject } from "../json.ts";
import type { Installation, SlackChannel } from "../model.ts";
import type { RateLimit } from "../rate-limits.ts";
import { refuse, SlackRefusal } from "../refusal.ts";
import type { World } from "../world.ts";

/** What every Web API method works with. */
export interface ServerParts {
  readonly world: World;
  readonly settings: AppSettings;
  readonly feed: EventFeed;
  readonly interactions: Interactions;
  /** Notes something Slack lets pass and no good app does. */
  complain(what: string): void;
}

/** One call by a bot token. */
export interface BotCall extends ServerParts {
  readonly args: Arguments;
  readonly installation: Installation;
}

/** A Web API method for bot tokens: its scopes, its limit, and what it does. */
export interface BotMethod {
  /** All of these, unless a method asks for more itself. */
  readonly scopes: readonly string[];
  readonly limit: RateLimit;
  run(call: BotCall): JsonObject;
}

/** Refuses a call whose token lacks this scope. */
export function needScope(installation: Installation, scope: string): void {
  if (installation.scopes.has(scope)) return;
  throw new SlackRefusal("missing_scope", {
    needed: scope,
    provided: [...installation.scopes].join(","),
  });
}

/** A channel the bot may look into with the scope for its kind (`history` or `read`). */
export function readableChannel(
  call: BotCall,
  id: string,
  right: "history" | "read",
): SlackChannel {
  const channel = call.world.channel(id);
  const prefix = { channel: "channels", group: "groups", im: "im", mpim: "mpim" }[channel.type];
  const isMember = channel.members.has(call.installation.botUserId);
  // What a bot may not know of does not exist for it.
  if (!isMember && channel.type !== "channel") refuse("channel_not_found");
  needScope(call.installation, `${prefix}:${right}`);
  if (right === "history" && !isMember) refuse("not_in_channel");
  return channel;
}

/** A channel the bot may post into. A user id means the direct conversation with that person. */
export function writableChannel(call: BotCall, id: string): SlackChannel {
  const { world, installation } = call;
  if (/^[UW]/.test(id)) {
    const user = world.users.get(id) ?? refuse("channel_not_found");
    return world.directChannel(installation.teamId, [installation.botUserId, user.id]);
  }
  const channel = world.channel(id);
  const isMember = channel.members.has(installation.botUserId);
  if (!isMember && channel.type !== "channel") refuse("channel_not_found");
  if (!isMember && !installation.scopes.has("chat:write.public")) refuse("not_in_channel");
  if (channel.isArchived) refuse("is_archived");
  if (channel.isReadOnly) refuse("restricted_action_read_only_channel");
  return channel;
}
